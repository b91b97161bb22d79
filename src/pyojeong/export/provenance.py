"""Where a run's weights come from: what stands on an exported model's card."""

import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyojeong._version import __version__
from pyojeong.core.card import ModelCard
from pyojeong.datasets.samples import Split
from pyojeong.training.run import Run
from pyojeong.training.soft_labels import SoftLabels
from pyojeong.zoo import SHORT_NAMES, cards, find

Stage = dict[str, Any]
"""An experiment; of a shipped model also ``model`` and ``sha256``."""


def stages_of(run: Run) -> list[Stage]:
    """Return the experiments that led to a run's weights, in order, each once, without its own.

    Its ``start`` and its ``members`` come before it, and so do theirs. A start that is no run is a
    model's id, or a run of which only the card of a known model tells.

    Raises:
        ModelUnknown: When that model is not there (``PYOJEONG_MODELS`` names more folders of them).
    """
    found: dict[str, Stage] = {}
    _collect(run, found)
    return list(found.values())


def _collect(run: Run, found: dict[str, Stage]) -> None:
    starts = () if run.experiment.start is None else (run.experiment.start,)
    for written in (*starts, *run.experiment.members):
        name, _, _ = written.partition("#")  # a column of a run is made by that run
        earlier = _beside(run, name)
        if earlier.folder.is_dir():
            if name not in found:
                _collect(earlier, found)
                found[name] = asdict(earlier.experiment)
        elif chain := _chain_up_to(name):
            for stage in chain:
                found.setdefault(stage["name"], stage)
        else:
            for stage in _stages_on(_model(name)):
                found.setdefault(stage["name"], stage)


def _model(name: str) -> ModelCard:
    return find(SHORT_NAMES.get(name, name)).card


def inherited_flags(run: Run) -> tuple[str, ...]:
    """Return the licence flags of the models that a run's weights began with, each once."""
    starts = () if run.experiment.start is None else (run.experiment.start,)
    flags: list[str] = []
    for written in (*starts, *run.experiment.members):
        name, _, _ = written.partition("#")
        earlier = _beside(run, name)
        if earlier.folder.is_dir():
            flags += inherited_flags(earlier)
        elif not _chain_up_to(name):
            flags += _model(name).license_flags
    return tuple(dict.fromkeys(flags))


def _chain_up_to(name: str) -> list[Stage]:
    """Return the stages of a known model up to the run of that name, when it is among them.

    A packed run may stand alone: the runs that it came from are on the card of its model.
    """
    for entry in cards().values():
        if entry.card.kind == "classifier" and "stages" in entry.card.training:
            chain = _stages_on(entry.card)
            names = [stage["name"] for stage in chain]
            if name in names:
                return chain[: names.index(name) + 1]
    return []


def _stages_on(card: ModelCard) -> list[Stage]:
    """Return a model's stages with its last one; older cards nest each stage's start in it."""
    last = {"model": card.id, "sha256": card.sha256, **card.training["experiment"]}
    if "stages" in card.training:
        return [*card.training["stages"], last]
    chain, earlier = [last], card.training["started_from"]
    while earlier is not None:
        chain.insert(0, {key: value for key, value in earlier.items() if key != "started_from"})
        earlier = earlier["started_from"]
    return chain


def _beside(run: Run, name: str) -> Run:
    """Return a run by its name, in the folder of runs that this one lies in."""
    return Run(run.folder.parents[len(Path(run.experiment.name).parts) - 1] / name)


def teachers_of(run: Run) -> dict[str, float]:
    """Who answered for the soft labels, with which weight."""
    recipe = run.experiment.recipe
    if recipe.soft_labels is None:
        return {} if recipe.teacher is None else {recipe.teacher: 1.0}
    taught: dict[str, float] = SoftLabels.read(Path(recipe.soft_labels)).facts["teachers"]
    return taught


def commit() -> str:
    """Return the project's commit, or "" outside of its repository."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def origin_of(run: Run) -> dict[str, Any]:
    """Return what the card says of the training."""
    return {
        "experiment": asdict(run.experiment),
        "stages": stages_of(run),
        "taught_by": teachers_of(run),
        "chosen_on": Split.VALID.value,
        "best_epoch": run.summary["epoch"],
        "environment": run.environment,
        "commit": commit(),
        "pyojeong": __version__,
        "exported": datetime.now(UTC).date().isoformat(),
    }
