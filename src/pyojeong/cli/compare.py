"""``pyojeong experiments compare``: two results, or two models, on the same pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import TextColumn
from rich.table import Table

from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup, make_console
from pyojeong.cli.sums import print_counts
from pyojeong.core.errors import ExperimentError
from pyojeong.core.inputs import InputCounts


def compare_results(one: str, other: str, results: Path, console: Console) -> int:
    """Print how two finished runs differ on the validation split; returns the exit code.

    Raises:
        ExperimentError: When a name matches no finished run, the labels were not kept, or the two
            were measured on different pictures.
    """
    from pyojeong.experiments.reference_labels import TRUTH_FILE, read_truth
    from pyojeong.experiments.result_files import read_results

    known = {r["name"]: r for r in read_results(results) if r["status"] == "finished"}
    for name in (one, other):
        if name not in known:
            listed = ", ".join(sorted(known)[:8]) or "none"
            raise ExperimentError(
                f"{name!r} is no finished run in {results} (there: {listed}); models are compared "
                "with --data"
            )
    truth = read_truth(results)
    if truth is None:
        raise ExperimentError(
            f"{results} holds no {TRUTH_FILE}: run one of the experiments again, which writes it"
        )
    print_differences(
        (one, other),
        (truth.answers(known[one]), truth.answers(known[other])),
        truth.truth,
        truth.labels,
    )
    return print_counts(InputCounts(read=len(truth.truth)), "pictures", console)


def compare_models(one: str, other: str, manifest: Path, split: str, console: Console) -> int:
    """Print how two models differ on a split of a data set; returns the exit code.

    Raises:
        ExperimentError: When they answer with different labels, or there are more than ten.
        ModelError: When a model could not be opened.
    """
    from pyojeong.datasets.samples import Split, manifest_labels
    from pyojeong.evaluation.scoring import predict_split
    from pyojeong.evaluation.test_split_guard import record_use
    from pyojeong.runtime.classifier import Classifier
    from pyojeong.runtime.classifier_names import find_classifier

    labels = manifest_labels(manifest)
    if len(labels) > 10:
        raise ExperimentError(f"{manifest}: {len(labels)} labels; at most ten are compared")
    answers: list[str] = []
    truth, sums = "", InputCounts(read=0)
    with bars(console, TextColumn("scored {task.completed:,} faces"), transient=True) as progress:
        task = progress.add_task("", total=None)
        for name in (one, other):
            classifier = Classifier.open(find_classifier(name), labels=labels.id)
            found = predict_split(
                classifier, manifest, Split(split), tick=lambda n: progress.advance(task, n)
            )
            answers.append(_digits(classifier.probabilities(found.outputs).argmax(1)))
            truth, sums = _digits(found.labels), found.sums
            if found.split is Split.TEST:
                record_use(manifest, purpose="compare", model=classifier.card.id)
    print_differences((one, other), (answers[0], answers[1]), truth, labels.names)
    return print_counts(sums, "pictures", console)


def _digits(values: NDArray[np.integer]) -> str:
    return "".join(map(str, values))


_FEWEST = 10
"""Pictures of a label that an interval takes."""


def print_differences(
    names: tuple[str, str], answers: tuple[str, str], truth: str, labels: Sequence[str]
) -> None:
    """Print accuracy, recalls and their paired differences, in at most 80 columns."""
    from pyojeong.evaluation.paired_comparison import compare, compare_by_label

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("right, %", "pictures", "A", "B", "A - B", "95 %"):
        table.add_column(column, justify="left" if column == "right, %" else "right")
    whole = compare(*answers, truth)
    recalls: list[list[float]] = []
    rows = {"all": whole, **compare_by_label(*answers, truth, labels)}
    for name, difference in rows.items():
        at = [i for i, t in enumerate(truth) if name == "all" or labels[int(t)] == name]
        right = [100 * sum(side[i] == truth[i] for i in at) / len(at) for side in answers]
        if name != "all":
            recalls.append(right)
        mark = "[bold]" if difference.clear else ""
        table.add_row(
            as_markup(name),
            f"{len(at):,}",
            *(f"{value:.1f}" for value in right),
            f"{mark}{difference.points:+.1f}",
            f"{difference.low:+.1f} to {difference.high:+.1f}" if len(at) >= _FEWEST else "too few",
        )
    console = make_console()
    console.print(f"A: {as_markup(names[0])}\nB: {as_markup(names[1])}", soft_wrap=True)
    console.print(table)
    balanced = [sum(sides) / len(recalls) for sides in zip(*recalls, strict=True)]
    console.print(
        f"Balanced accuracy (each label counts as often): A {balanced[0]:.1f}, B {balanced[1]:.1f}."
    )
    several = {n: d for n, d in rows.items() if n != "all" and d.clear and d.n >= _FEWEST}
    if several:
        said = ", ".join(f"{as_markup(n)} {d.points:+.1f}" for n, d in several.items())
        console.print(f"Labels on which they differ clearly (A - B): {said}.", soft_wrap=True)
    clear = "differ clearly" if whole.clear else "do not differ clearly: the interval holds 0"
    console.print(
        f"Paired over the same {whole.n:,} pictures; the two {clear}. It says nothing of other "
        "seeds."
    )
