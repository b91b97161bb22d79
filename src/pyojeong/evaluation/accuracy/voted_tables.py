"""Tables of default answers compared with votes, on photographs and on the splits."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyojeong.evaluation.accuracy.table import SPLITS, Result, Table, percent, plain, share

_COVERAGE = (0.25, 0.5, 0.75, 1.0)


def voted_tables(results: Sequence[Result]) -> list[Table]:
    """Return all of them, the leading one first; some may have no rows."""
    return [
        _answers(results),
        _recalls(results),
        _unclear(results),
        _cross_fitted(results),
        _splits(results),
    ]


def _variants(results: Sequence[Result]) -> Iterator[tuple[str, str, Mapping[str, Any], Result]]:
    """Model, output, the figures, and everything of the model's voted photographs."""
    for result in results:
        voted = result.get("voted")
        if not voted:
            continue
        default = voted.get("default_prior")
        by_prior = voted.get("by_prior", {})
        for prior in sorted(by_prior, key=lambda name: name != default):
            words = f"votes, {prior} prior{' (default)' if prior == default else ''}"
            yield result["model"], words, by_prior[prior], voted
        if "fer2013" in voted:
            yield result["model"], "FER2013 output", voted["fer2013"], voted


def _answers(results: Sequence[Result]) -> Table:
    rows = [
        [
            model,
            words,
            f"{voted['n']:,}",
            percent(found["accuracy"]),
            percent(found["balanced_accuracy"]),
            plain(found["auroc"]),
            plain(found["vote_ece"]),
            plain(found["ece"]),
            plain(found["divergence"]),
        ]
        for model, words, found, voted in _variants(results)
    ]
    words = (
        "This table shows whether a model gives the label that most people would give. The "
        "reference is `votes.csv`. In the set wild these votes are not from people: they are two "
        "ratings by a "
        "vision-language model that was asked what most of ten people would say. Accuracy, "
        "balanced accuracy and macro AUROC use photographs on whose label all ratings agree. A "
        "photograph without a detected face counts as wrong; AUROC and calibration use only "
        "photographs with a face. ECE of shares: calibration error of the best label's score "
        "against the share of votes for it, on all photographs with votes. ECE, agreed: "
        "calibration error against correctness, on photographs with an agreed label. Shares are "
        "too low there, because photographs with differing ratings are excluded. KL: mean "
        "divergence from the votes, in nats. Temperature, default prior and threshold were also "
        "fitted on these photographs; cross-fitted figures are below."
    )
    header = (
        "model",
        "output",
        "n",
        "accuracy, %",
        "balanced accuracy, %",
        "macro AUROC",
        "ECE of shares",
        "ECE, agreed",
        "KL",
    )
    return Table("Photographs with agreed votes", words, header, rows)


def _recalls(results: Sequence[Result]) -> Table:
    rows = [
        [model, words, *("" if v is None else f"{100 * v:.0f}" for v in found["recall"].values())]
        for model, words, found, _ in _variants(results)
    ]
    first = next(_variants(results), None)
    counts = [sum(row) for row in first[2]["confusion"]] if first else []
    names = (
        [f"{n} (n = {c})" for n, c in zip(first[2]["recall"], counts, strict=True)] if first else []
    )
    words = "In the balanced accuracy, labels with few photographs have the same weight as others."
    header = ("model", "output", *names)
    return Table("Photographs with agreed votes, recall of each label, %", words, header, rows)


def _unclear(results: Sequence[Result]) -> Table:
    rows = []
    for model, words, found, _ in _variants(results):
        answered, target = found["answered"], found["answered_at_target"]
        errors = dict(found["risk_coverage"]["points"])
        rows.append(
            [
                model,
                words,
                f"{100 * answered['share']:.1f}",
                share(answered["accuracy"]),
                f"{100 * target['share']:.1f}",
                *(f"{100 * (1 - errors[share]):.1f}" for share in _COVERAGE),
            ]
        )
    words = (
        "A face with a best score below the threshold on the card is reported as unclear. Coverage "
        "is the share of photographs with another answer. The threshold was set on these "
        "photographs, under the default prior, to the lowest score above which 90 % of the answers "
        "are correct; it is the same under other priors. The last columns vary the threshold: "
        "coverage at an accuracy of 90 %, and accuracy when only the answers with the highest "
        "scores are kept (of the photographs with a face)."
    )
    header = (
        "model",
        "output",
        "coverage, %",
        "accuracy of the answers, %",
        "coverage at 90 % accuracy, %",
        *(f"accuracy at {100 * share:.0f} % coverage, %" for share in _COVERAGE),
    )
    return Table("Unclear: what is answered", words, header, rows)


def _cross_fitted(results: Sequence[Result]) -> Table:
    rows = []
    for result in results:
        held = (result.get("voted") or {}).get("cross_fitted")
        if not held:
            continue
        fits, answered = held["fits"], held["answered"]
        temperatures = [f["temperature"] for f in fits]
        thresholds = [f["threshold"] for f in fits]
        rows.append(
            [
                result["model"],
                f"{held['people']:,}",
                f"{100 * held['accuracy']:.1f}",
                plain(held["vote_ece"]),
                plain(held["ece"]),
                f"{100 * answered['accuracy']:.1f} at {100 * answered['share']:.1f}",
                f"{min(temperatures):.2f} to {max(temperatures):.2f}",
                f"{min(thresholds):.2f} to {max(thresholds):.2f}",
                ", ".join(sorted({f["prior"] for f in fits})),
            ]
        )
    words = (
        "Temperature, default prior and threshold were fitted without a fifth of the people (and "
        "with the validation split's votes), then applied to that fifth. This measures the "
        "calibration on people who were not used to fit it."
    )
    header = (
        "model",
        "people",
        "accuracy, %",
        "ECE of shares",
        "ECE, agreed",
        "accuracy of the answers at coverage, %",
        "temperatures",
        "thresholds",
        "priors",
    )
    return Table("Photographs, cross-fitted by person", words, header, rows)


def _splits(results: Sequence[Result]) -> Table:
    rows = []
    for result in results:
        for split, name in SPLITS.items():
            votes = (result["splits"].get(split) or {}).get("votes") or {}
            for prior, found in votes.get("answers", {}).items():
                answered = found["answered"]
                rows.append(
                    [
                        result["model"],
                        name,
                        prior,
                        f"{found['n']:,}",
                        percent(found["accuracy"]),
                        plain(found["vote_ece"]),
                        f"{found['divergence']:.3f}",
                        f"{100 * answered['share']:.1f}",
                        share(answered["accuracy"]),
                    ]
                )
    words = (
        "The same output on FER2013's images against the votes of FER+'s ten annotators, seven "
        "labels. Accuracy uses images on which one label has more votes than any other. The "
        "votes of the validation split were also used to fit the temperature, under the natural "
        "prior; the threshold was fitted on other images."
    )
    header = (
        "model",
        "split",
        "prior",
        "n",
        "accuracy, %",
        "ECE of shares",
        "KL",
        "coverage, %",
        "accuracy of the answers, %",
    )
    return Table("Answers beside FER+ votes", words, header, rows)
