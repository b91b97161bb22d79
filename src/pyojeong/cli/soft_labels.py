"""``pyojeong experiments distill`` and ``relabel``: soft labels, with progress."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup
from pyojeong.cli.experiments import needs_training, open_catalogue
from pyojeong.cli.sums import print_split_counts

if TYPE_CHECKING:
    from pyojeong.training.soft_labels import SoftLabels


def teach_students(
    teachers: Sequence[Path],
    manifest: Path,
    console: Console,
    *,
    augment_of: tuple[Path, str],
    views: int,
    weights: list[float] | None,
    average: bool,
) -> "SoftLabels":
    """Return the soft labels of finished runs.

    Raises:
        ExperimentError: When a run is unfinished, or the student's experiment is unknown.
    """
    with needs_training():
        from pyojeong.distillation.teacher import answers_needed, teach
        from pyojeong.training.experiment import Experiment
        from pyojeong.training.run import Run
    folder, like = augment_of
    plan = open_catalogue(folder).plan(like)[0]
    augment = Experiment.from_toml(plan.text).augment
    runs = [Run(path) for path in teachers]
    with bars(console) as progress:
        task = progress.add_task("teachers answer", total=answers_needed(runs, manifest, views))
        soft = teach(
            runs,
            manifest,
            augment,
            views=views,
            weights=weights,
            tick=lambda count: progress.advance(task, count),
        )
    return soft.averaged() if average else soft


def relabel_faces(
    manifest: Path,
    predictions: Path,
    console: Console,
    *,
    teacher: Path | None,
    share: float,
) -> "SoftLabels":
    """Return soft labels from votes and out-of-fold predictions; see ``distillation.relabel``.

    Raises:
        ExperimentError: When the share is invalid, or the teacher predicted other faces.
    """
    with needs_training():
        from pyojeong.distillation.relabel import relabel
        from pyojeong.training.soft_labels import SoftLabels

    def say(accuracy: float, loss: float) -> None:
        console.print(f"held-out accuracy of the soft labels {accuracy:.1%}; NLL {loss:.3f}")

    return relabel(
        manifest,
        predictions,
        teacher=None if teacher is None else SoftLabels.read(teacher),
        share=share,
        done=say,
    )


def keep(soft: "SoftLabels", out: Path, manifest: Path, console: Console) -> int:
    """Write soft labels and print their origin; return the exit code."""
    soft.write(out)
    shares = ", ".join(f"{name} {share:.3f}" for name, share in soft.facts["teachers"].items())
    what = "one answer for" if soft.per_face else f"{soft.views} views of"
    console.print(as_markup(f"{out}: {what} every training face; weights: {shares}"))
    return print_split_counts(manifest, "train", soft.faces, console)
