"""``pyojeong evaluate``: progress and summary around ``evaluation.scoring``."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import TextColumn
from rich.table import Table

from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup
from pyojeong.cli.sums import print_counts
from pyojeong.core.card import ModelCard
from pyojeong.runtime.output_head import OutputHead


def _scored_as(head: OutputHead, card: ModelCard) -> str:
    """Return one line that says which output was scored."""
    if head.output == "votes":
        return (
            f"scored: shares of votes under the {head.prior} prior, as analyze answers, against "
            "this data's labels; --output fer2013 scores the labels that FER2013 would give"
        )
    name = head.prior.removeprefix(f"{head.output} ")
    prior = f" under the {name} prior" if name not in {"", "natural"} else ""
    return f"scored: the labels that {card.id} learned from its training data{prior}"


def confusion_table(result: dict[str, Any], names: Sequence[str]) -> Table:
    """Return a table of at most 80 columns: a row for each label, what was answered, recall."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("label")
    short = {name: name[: max(3, 40 // max(len(names), 1))] for name in names}
    for name in names:
        table.add_column(short[name], justify="right")
    table.add_column("recall", justify="right")
    for i, name in enumerate(names):
        recall, row = result["recall"][name], result["confusion"][i]
        cells = [f"[bold]{n}[/]" if i == j else str(n) for j, n in enumerate(row)]
        table.add_row(name, *cells, "" if recall is None else f"{100 * recall:.1f} %")
    return table


def evaluate_split(
    model: str,
    manifest: Path,
    split: str,
    *,
    out: Path | None,
    answers: dict[str, Any],
    console: Console,
) -> int:
    """Score a split; JSON to ``out`` or stdout, a summary to the console.

    Returns the exit code.

    Args:
        model: As for ``Analyzer``.
        manifest: The data.
        split: Its split.
        out: JSON file; None = stdout.
        answers: Which output answers, and how: arguments of ``Classifier.open``.
        console: Gets progress and summary.
    """
    from pyojeong.core.json_record import write_record
    from pyojeong.core.one_writer import one_writer
    from pyojeong.core.output_files import require_new
    from pyojeong.datasets.samples import Split, manifest_labels
    from pyojeong.evaluation.scoring import figures, predict_split
    from pyojeong.runtime.classifier import Classifier
    from pyojeong.runtime.classifier_names import find_classifier

    entry = find_classifier(model)
    if out is not None:
        require_new(out, unless=partial(_is_of, model=entry.card.id))
    classifier = Classifier.open(entry, labels=manifest_labels(manifest).id, **answers)
    columns = (TextColumn("scored {task.completed:,} faces"),)
    with bars(console, *columns, transient=True) as progress:
        task = progress.add_task("", total=None)
        predictions = predict_split(
            classifier, manifest, Split(split), tick=lambda n: progress.advance(task, n)
        )
    result = {"model": classifier.card.id, **figures(classifier, predictions)}
    if predictions.split is Split.TEST:
        _record_use(manifest, classifier.card.id, result, console)
    console.print(_scored_as(classifier.head, entry.card))
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll"):
        console.print(
            f"{name:>18} {{value:.4f}}  [{{low:.4f}}, {{high:.4f}}]".format(**result[name])
        )
    console.print(confusion_table(result, classifier.label_set.names))
    share, right = (result["answered"][k] for k in ("share", "accuracy"))
    rightly = "" if right is None else f", {right:.1%} of those rightly"
    console.print(f"answered (not unclear): {share:.1%} of the faces{rightly}")
    code = print_counts(predictions.sums, "pictures", console)
    if out is None:
        print(json.dumps(result, indent=2))  # noqa: T201 - this is the command's data
        return code
    with one_writer(out):
        require_new(out, unless=partial(_is_of, model=entry.card.id))  # not meanwhile either
        write_record(out, result)
    return code


def _is_of(data: bytes, *, model: str) -> bool:
    """Return whether a file holds figures of the same model, which are measured again."""
    try:
        known = json.loads(data)
        return known["model"] == model and "balanced_accuracy" in known
    except (ValueError, KeyError, TypeError):
        return False


def _record_use(manifest: Path, model: str, result: dict[str, Any], console: Console) -> None:
    """Write a use of the test split down, and say how many there are."""
    from pyojeong.evaluation.test_split_guard import record_use, uses_file, uses_of_data

    record_use(manifest, purpose="evaluate", model=model, figures=result)
    uses = len(uses_of_data(manifest))
    times = "once" if uses == 1 else f"{uses} times"
    console.print(
        f"the test split of this data was used {times} (copies of its rows count): "
        f"{as_markup(uses_file(manifest))}",
        soft_wrap=True,
    )
