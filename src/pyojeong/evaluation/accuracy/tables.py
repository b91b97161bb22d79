"""Result files of several models as tables, for Markdown and HTML alike."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from pyojeong.core.errors import DataError
from pyojeong.evaluation.accuracy.table import IMAGES, SPLITS, Result, Table, percent, plain, share
from pyojeong.evaluation.accuracy.voted_tables import voted_tables

_HEADS = {"eight": "vote head", "seven": "main head"}
_HELD_BACK = (
    "Figures for the test split are computed only for models whose card already has one for "
    "exactly these images. They do not exist for a model that is still being selected."
)


def check_same(results: Sequence[Result]) -> None:
    """Refuse to put models side by side that were measured on different images.

    Raises:
        DataError: When digests of a split or of photographs differ, or there are no results.
    """
    if not results:
        raise DataError("there is no result file; make one with `pyojeong bench accuracy`")
    for split, words in SPLITS.items():
        seen = [(r["model"], r["splits"][split]) for r in results if r["splits"].get(split)]
        for (one, a), (other, b) in pairwise(seen):
            if a["split_sha256"] != b["split_sha256"]:
                raise DataError(
                    f"{one} and {other} were measured on different images of the {words} "
                    "and cannot share one table; measure both on the same data set"
                )
    for part, words in _WHOLE.items():
        shots = [(r["model"], r[part]) for r in results if r.get(part)]
        for (one, a), (other, b) in combinations(shots, 2):
            _check_photographs((one, a), (other, b), words)


_WHOLE = {"photographs": "photographs", "voted": "photographs with votes"}


def _check_photographs(
    first: tuple[str, Mapping[str, Any]], second: tuple[str, Mapping[str, Any]], words: str
) -> None:
    (one, a), (other, b) = first, second
    # Without a digest all that is known is the folder's name, and how many there were.
    keys = (IMAGES,) if IMAGES in a and IMAGES in b else ("name", "n")
    if any(a[key] != b[key] for key in keys):
        raise DataError(
            f"{one} and {other} were measured on different {words} ({a['name']}: {a['n']:,}, "
            f"{b['name']}: {b['n']:,}) and cannot share one table; measure both on the same folder"
        )


def tables(results: Sequence[Result]) -> list[Table]:
    """Return all tables of the page; those without rows are left out."""
    check_same(results)
    made = [
        *voted_tables(results),
        *(_split(results, split) for split in SPLITS),
        *(_more_views(results, split) for split in SPLITS),
        _copies(results),
        _votes(results),
        _annotators(results),
        _photographs(results),
        _recalls(results),
        _slices(results),
        _corrupted(results),
        _invariance(results),
    ]
    return [table for table in made if table.rows]


def to_markdown(results: Sequence[Result]) -> str:
    """Return the page as Markdown."""
    parts = ["# Accuracy\n", lead(results)]
    for table in tables(results):
        parts += [f"\n## {table.title}\n", f"{table.words}\n" if table.words else ""]
        lines = [table.header, ["---", *["--:"] * (len(table.header) - 1)], *table.rows]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n".join(part for part in parts if part) + "\n"


def lead(results: Sequence[Result]) -> str:
    """Return which models, and what an interval is."""
    check_same(results)
    models = "; ".join(
        f"`{r['model']}` ({r['megabytes']:.2f} MB, measured {r['date']} by pyojeong "
        f"{r['pyojeong']})"
        for r in results
    )
    return (
        f"{models}. Measured with `pyojeong bench accuracy`, page by `pyojeong bench page`. "
        "Brackets are 95 % bootstrap intervals. Predictions come from the ONNX files, by the same "
        "code that `analyze` and `classify` run."
    )


def _split(results: Sequence[Result], split: str) -> Table:
    rows = [_main_row(r["model"], r["splits"][split]) for r in _with(results, split)]
    words = (
        "The FER2013 output against the data set's own labels (one label per image), with a single "
        "view of each face. Chance: the mean ECE that perfectly calibrated answers show on this "
        "number of images, and its 95th percentile. "
    )
    words += (
        "Models, temperatures and thresholds were chosen on these images."
        if split == "valid"
        else _HELD_BACK
    )
    return Table(capital(SPLITS[split]), words, ["model", *_MAIN], rows)


_MAIN = (
    "n",
    "accuracy, %",
    "balanced accuracy, %",
    "macro-F1",
    "ECE",
    "NLL",
    "coverage, %",
    "accuracy of the answers, %",
)


def _main_row(name: str, found: Mapping[str, Any]) -> list[str]:
    answered = found["answered"]
    return [
        name,
        f"{found['n']:,}",
        percent(found["accuracy"]),
        percent(found["balanced_accuracy"]),
        plain(found["macro_f1"]),
        plain(found["ece"]) + _by_chance(found),
        plain(found["nll"]),
        f"{100 * answered['share']:.1f}",
        share(answered["accuracy"]),
    ]


def _by_chance(found: Mapping[str, Any]) -> str:
    chance = found.get("calibration", {}).get("ece_by_chance")
    return f"; chance {chance['mean']:.3f}, up to {chance['high']:.3f}" if chance else ""


def _more_views(results: Sequence[Result], split: str) -> Table:
    rows = [
        _main_row(f"{r['model']}, {views} views", found)
        for r in _with(results, split)
        for views, found in r["splits"][split]["more_views"].items()
    ]
    words = (
        "Test-time augmentation: logits averaged over the face and its mirror image (2 views), or "
        "over both and their shifts to four corners (10 views). Prediction is 2 or 10 times "
        "slower; do not compare these figures with a single view."
    )
    return Table(f"{capital(SPLITS[split])}, several views", words, ["model", *_MAIN], rows)


def _copies(results: Sequence[Result]) -> Table:
    rows = []
    for result, split, found in _each(results):
        parts = found["without_copies"]
        row = [result["model"], SPLITS[split], percent(found["accuracy"])]
        clean = found.get("deduplicated")
        row.append(f"{percent(clean['accuracy'])}, n = {clean['n']:,}" if clean else "")
        for name in ("alone", "copied"):
            part = parts.get(name)
            row.append(f"{percent(part['accuracy'])}, n = {part['n']:,}" if part else "")
        rows.append(row)
    words = (
        "A model may have memorised images that are also in an earlier split. Exact: the same "
        "bytes. Near: found by the check of the curation (correlation of at least 0.9 after a "
        "shift). The last column is the accuracy on images that have a copy; its excess over the "
        "column before it is the effect of the copies."
    )
    header = (
        "model",
        "split",
        "official, %",
        "without exact copies, %",
        "without near copies, %",
        "only images with a copy, %",
    )
    return Table("Copies across splits", words, header, rows)


def _votes(results: Sequence[Result]) -> Table:
    rows = []
    for result, split, found in _each(results):
        for views, part in (("1", found), *found["more_views"].items()):
            votes = part["votes"]
            if votes is None:
                continue
            rows += [
                [
                    result["model"],
                    SPLITS[split],
                    views,
                    words,
                    *(
                        f"{percent(votes[rule][head]['accuracy'])}, n = {votes[rule][head]['n']:,}"
                        for rule in ("majority", "plurality")
                    ),
                    f"{votes['divergence'][head]:.3f}",
                ]
                for head, words in _HEADS.items()
                if head in votes["majority"]
            ]
    words = (
        "FER+: ten annotators per image (Barsoum et al. 2016). Majority, the authors' rule: one of "
        "eight classes has more than half of the votes. Plurality: one class has the most votes. "
        "The main head has seven classes and does not predict contempt. KL: mean divergence from "
        "the annotators' shares, in nats."
    )
    header = ("model", "split", "views", "head", "majority, %", "plurality, %", "KL")
    return Table("FER+ votes", words, header, rows)


def _annotators(results: Sequence[Result]) -> Table:
    rows = []
    for result, split, found in _each(results):
        votes = found["votes"]
        if votes is None:
            continue
        rows += [
            [
                result["model"],
                SPLITS[split],
                name,
                f"{100 * row['annotator']:.0f}",
                f"{100 * row['model']:.0f}",
            ]
            for name, row in votes["annotators"].items()
        ]
    words = (
        "How often a single annotator of FER+, and how often the model, gives FER2013's own label. "
        "Where people rarely give the label, the label itself is doubtful."
    )
    header = ("model", "split", "label", "one annotator, %", "model, %")
    return Table("Beside people", words, header, rows)


def _photographs(results: Sequence[Result]) -> Table:
    rows = []
    for r in results:
        shots = r.get("photographs")
        if not shots:
            continue
        for key, words in _WAYS.items():
            part = shots[key]
            rows.append(
                [
                    r["model"],
                    words,
                    f"{shots['n']:,}",
                    f"{100 * shots['found'] / shots['n']:.1f}" if key != "classify" else "",
                    percent(part["accuracy"]),
                    percent(part["balanced_accuracy"]),
                    plain(shots["ece_of_found"]) if key == "analyze" else "",
                ]
            )
    words = (
        "Whole photographs that no model was trained on, with the defaults of `analyze`. An image "
        "without a detected face counts as wrong; ECE uses only images with a face. Reference: "
        "agreed votes where votes exist, otherwise the publisher's labels."
    )
    header = ("model", "input", "n", "face found, %", "accuracy, %", "balanced accuracy, %", "ECE")
    return Table("Photographs", words, header, rows)


_WAYS = {
    "analyze": "detected and aligned face (`analyze`)",
    "analyze_in_gray": "the same, converted to gray",
    "classify": "whole image as the face (`classify`)",
}


def _recalls(results: Sequence[Result]) -> Table:
    shown = [r for r in results if r.get("photographs")]
    names = list(shown[0]["photographs"]["analyze"]["recall"]) if shown else []
    rows = []
    for r in shown:
        recall = r["photographs"]["analyze"]["recall"]
        rows.append(
            [r["model"], *("" if recall[n] is None else f"{100 * recall[n]:.0f}" for n in names)]
        )
    return Table("Photographs, recall of each label, %", "", ["model", *names], rows)


def _slices(results: Sequence[Result]) -> Table:
    rows = [
        [r["model"], name, level, f"{part['n']:,}", percent(part["accuracy"])]
        for r in results
        if r.get("photographs")
        for name, levels in r["photographs"]["slices"].items()
        for level, part in levels.items()
    ]
    words = (
        "Turned: distance of the nose from the midpoint between the eyes, divided by the distance "
        "between the eyes; about 0.35 at 30 degrees."
    )
    header = ("model", "slice", "level", "n", "accuracy, %")
    return Table("Photographs, by size and turn of the face", words, header, rows)


def _corrupted(results: Sequence[Result]) -> Table:
    first = results[0]["disturbed"]
    rows = []
    for name, levels in first["slices"].items():
        for level in levels:
            row = [name, level]
            for r in results:
                part = r["disturbed"]["slices"].get(name, {}).get(level)
                if part is None:
                    row.append("")
                    continue
                change = part["change"]
                row.append(
                    f"{100 * part['accuracy']['value']:.1f} ({100 * change['value']:+.1f} "
                    f"[{100 * change['low']:+.1f}, {100 * change['high']:+.1f}])"
                )
            rows.append(row)
    words = (
        f"Accuracy in % on the {SPLITS[first['split']]} under one corruption at a time, and in "
        "brackets the change in points against the same faces without corruption, paired by face."
    )
    header = ("corruption", "level", *(r["model"] for r in results))
    return Table("Disturbed faces", words, header, rows)


def _invariance(results: Sequence[Result]) -> Table:
    rows = [
        [
            r["model"],
            f"{r['invariance']['faces']:,}",
            ", ".join(f"{size}: {d:.0e}" for size, d in r["invariance"]["batches"].items()),
            f"{r['invariance']['shuffled']:.0e}",
            f"{r['invariance']['two_threads']:.0e}",
            str(r["invariance"]["other_answers"]),
        ]
        for r in results
    ]
    words = "Largest difference of any score from one call with all faces on one thread."
    header = ("model", "faces", "batches of", "shuffled", "two threads", "different answers")
    return Table("Independence of batch size, order and threads", words, header, rows)


def _with(results: Sequence[Result], split: str) -> list[Result]:
    return [r for r in results if r["splits"].get(split)]


def _each(results: Sequence[Result]) -> Iterator[tuple[Result, str, Mapping[str, Any]]]:
    for result in results:
        for split in SPLITS:
            if result["splits"].get(split):
                yield result, split, result["splits"][split]


def capital(words: str) -> str:
    """With an upper-case first letter."""
    return words[0].upper() + words[1:]
