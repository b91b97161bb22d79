"""``pyojeong train`` and ``export``: progress and summaries."""

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)

from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup
from pyojeong.cli.sums import print_counts
from pyojeong.core.errors import ExperimentError, MissingExtra
from pyojeong.core.inputs import InputCounts

if TYPE_CHECKING:
    from pyojeong.training.run import Run


def _columns() -> tuple[Any, ...]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return (*columns, TimeRemainingColumn())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExperimentError(f"{path}: could not be read: {reason}") from error


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How long a training is, and where it runs: further arguments of ``training.loop.train``."""

    limit: int | None
    min_steps: int
    device: str
    devices: int | None = None


def read_experiment(
    path: Path | None,
    *,
    start: str = "default",
    epochs: int | None = None,
    lr: float | None = None,
    limit: int | None = None,
    device: str = "auto",
    devices: int | None = None,
) -> tuple[str, TrainOptions]:
    """Return an experiment's TOML with all it inherits, and how it is trained.

    Args:
        path: Its file; None, or "finetune" where there is no such file = ``training.finetune``.
        start: The model that ``finetune`` trains on.
        epochs: Instead of its own number; then the data's size changes nothing.
        lr: Instead of its own learning rate.
        limit: Only the first training samples.
        device: As for ``training.loop.train``.
        devices: Likewise.
    """
    try:
        import tomli_w

        from pyojeong.experiments.catalogue import read_toml, with_recipe
        from pyojeong.training.data_size import MIN_STEPS
        from pyojeong.training.finetune import MIN_STEPS as FEW_STEPS
        from pyojeong.training.finetune import NAME, finetune_experiment
    except ModuleNotFoundError as error:
        raise MissingExtra("training", "train") from error
    min_steps = MIN_STEPS
    if path is None or (str(path) == NAME and not path.exists()):
        from pyojeong.runtime.classifier_names import find_classifier

        table = finetune_experiment(find_classifier(start))
        min_steps = FEW_STEPS
    else:
        table = {"name": path.stem, **read_toml(path)}
        table.pop("seeds", None)
    given = epochs is not None
    return (
        tomli_w.dumps(with_recipe(table, epochs=epochs, lr=lr)),
        TrainOptions(limit, 0 if given else min_steps, device, devices),
    )


def train_with_progress(
    text: str, manifest: Path, runs: Path, console: Console, *, options: TrainOptions
) -> tuple[Path | None, int]:
    """Train or resume, one bar over the epochs; returns the run folder and the exit code.

    Other processes of torchrun than the first say nothing and have no folder.
    """
    try:
        from pyojeong.training.fitting import TrainingCallbacks
        from pyojeong.training.loop import train
        from pyojeong.training.recipe import Recipe
        from pyojeong.training.run import Run
        from pyojeong.training.world import world
    except ModuleNotFoundError as error:
        raise MissingExtra("training", "train") from error
    if world().rank > 0:
        train(text, manifest, runs, **asdict(options))
        return None, 0
    with bars(console, *_columns()) as progress:
        task = progress.add_task("preparing", total=None)

        def show(line: dict[str, Any]) -> None:
            said = _epoch_words(line)
            progress.update(
                task, completed=line["epoch"] + 1, total=line["epochs"], description=said
            )
            if not console.is_terminal:
                console.print(f"epoch {line['epoch'] + 1}/{line['epochs']}: {said}")

        def announce(environment: dict[str, Any]) -> None:
            timings = environment["precision_ms_per_step"]
            measured = ", ".join(f"{k} {v} ms a step" for k, v in timings.items())
            console.print(
                f"device {environment.get('device', 'cpu')}, precision {environment['precision']} "
                f"({measured or 'as asked for'})"
            )

        def fitted(recipe: Recipe) -> None:
            console.print(
                f"fitted to the data's size: {recipe.epochs} epochs, batch size "
                f"{recipe.batch_size}, learning rate {recipe.lr:.2g} (--epochs N: as the recipe "
                "says)"
            )

        watch = TrainingCallbacks(started=announce, fitted=fitted, epoch=show)
        run: Run = train(text, manifest, runs, **asdict(options), watch=watch)
    _print_outcome(run, console)
    return run.folder, _print_pictures(run, console)


def _print_outcome(run: "Run", console: Console) -> None:
    """Say how good the validation figure is, and whether it is worth anything."""
    from pyojeong.training.data_size import ROUGH

    done = run.summary
    which = run.experiment.recipe.pick
    console.print(f"{which} epoch {done['epoch'] + 1}: valid accuracy {done['valid_accuracy']:.4f}")
    before = done.get("valid_accuracy_before")
    if before is not None:
        better = done["valid_accuracy"] > before
        words = "" if better else ": training on did not help on these pictures"
        console.print(f"before training it was {before:.4f}{words}", soft_wrap=True)
        if run.experiment.start is not None:
            console.print(
                "(of the output that was trained on; `pyojeong experiments compare` has what "
                "the model of before answers as a whole)",
                soft_wrap=True,
            )
    valid = done.get("valid_samples", ROUGH)
    if valid < ROUGH:
        console.print(
            f"[yellow]warning:[/] only {valid} validation image{'s' if valid > 1 else ''}: "
            "accuracy on so few is rough; add images, or name a validation split (folders train/, "
            "valid/)",
            soft_wrap=True,
        )
        return
    commonest = done.get("valid_commonest_class", 0.0)  # runs of earlier versions lack it
    if done["valid_accuracy"] <= commonest:
        console.print(
            f"[red]nothing was learned:[/] {100 * done['valid_accuracy']:.1f} % of the validation "
            f"pictures are right, and the commonest label alone would be right on "
            f"{100 * commonest:.1f} %; train longer (--epochs), with another --lr, or on more data"
        )


def _print_pictures(run: "Run", console: Console) -> int:
    done = run.summary
    if "pictures" not in done:  # runs of earlier versions lack it
        return 0
    return print_counts(InputCounts.from_dict(done["pictures"]), "pictures", console)


def _epoch_words(line: dict[str, Any]) -> str:
    valid = f"valid {line['valid_accuracy']:.4f}, " if "valid_accuracy" in line else ""
    return f"{valid}loss {line['train_loss']:.3f}"


def train_folds_with_progress(
    text: str, manifest: Path, runs: Path, console: Console, *, folds: int, options: TrainOptions
) -> tuple[Path, int]:
    """Train one net per fold or resume, one bar over all epochs.

    Returns:
        The predictions' file, and the exit code: 1 when pictures have no prediction because they
        could not be decoded.
    """
    try:
        from pyojeong.training.folds import predicted, train_folds
    except ModuleNotFoundError as error:
        raise MissingExtra("training", "train") from error
    with bars(console, *_columns()) as progress:
        task = progress.add_task("preparing", total=None)

        def show(fold: int, line: dict[str, Any]) -> None:
            done = fold * line["epochs"] + line["epoch"] + 1
            said = f"fold {fold + 1}, {_epoch_words(line)}"
            progress.update(task, completed=done, total=folds * line["epochs"], description=said)
            if not console.is_terminal:
                console.print(f"epoch {done}/{folds * line['epochs']}: {said}")

        file = train_folds(
            text,
            manifest,
            runs,
            folds=folds,
            **asdict(options),
            progress=show,
        )
    return file, print_counts(predicted(file, manifest), "pictures", console)


def read_about(about: Path | None) -> dict[str, Any]:
    """Return the card fields of a TOML file; empty without a file."""
    words = tomllib.loads(_read(about)) if about is not None else {}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in words.items()}


def export_with_card(
    run: Path,
    manifest: Path,
    out: Path,
    model_id: str,
    *,
    words: dict[str, Any],
    detector: str,
    console: Console,
) -> int:
    """Export a run and say what came out; ``words`` are further ``ExportOptions``.

    Returns the exit code.
    """
    try:
        from pyojeong.export.exporter import ExportOptions, export_run
        from pyojeong.training.run import Run
    except ModuleNotFoundError as error:
        raise MissingExtra("exporting", "train") from error
    from pyojeong.runtime.detection.registry import build_detector

    try:
        options = ExportOptions(id=model_id, **words)
    except TypeError as error:
        raise ExperimentError(f"--about: {error}") from error
    if (out / f"{model_id}.onnx").exists():
        console.print(f"replacing the earlier {as_markup(out / model_id)}.onnx", soft_wrap=True)
    card = export_run(
        Run(run), manifest, out, options, detector=build_detector(detector), say=console.print
    )
    console.print(f"temperature {card.temperature}")
    if (votes := card.vote_calibration) is not None:
        console.print(
            f"answers are shares of votes: temperature {votes.temperature}, unclear below "
            f"{votes.threshold}"
        )
    console.print(f"wrote {as_markup(out / card.file)} and its card", soft_wrap=True)
    scored = [card.metrics[s] for s in ("valid", "test") if s in card.metrics]
    counts = sum((InputCounts.from_dict(f["pictures"]) for f in scored), InputCounts(read=0))
    return print_counts(counts, "pictures", console)
