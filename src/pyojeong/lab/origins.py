"""Where a run's weights come from: what stands on an exported model's card."""

import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyojeong.lab.run import Run
from pyojeong.lab.soft_labels import SoftLabels
from pyojeong.zoo import cards


def start_of(run: Run) -> dict[str, Any] | None:
    """The experiment whose weights this one started from, and in turn its start."""
    name = run.experiment.start
    if name is None:
        return None
    earlier = _beside(run, name)
    if not earlier.folder.exists():
        model = cards()[name].card
        stage = {"model": model.id, "sha256": model.sha256, **model.training["experiment"]}
        return {**stage, "started_from": model.training["started_from"]}
    return {**asdict(earlier.experiment), "started_from": start_of(earlier)}


def members_of(run: Run) -> list[dict[str, Any]]:
    """The experiments whose weights a net of several took over, each with its start."""
    members = [_beside(run, name) for name in run.experiment.members]
    return [{**asdict(m.experiment), "started_from": start_of(m)} for m in members]


def _beside(run: Run, name: str) -> Run:
    """A run by its name, in the folder of runs that this one lies in."""
    return Run(run.folder.parents[len(Path(run.experiment.name).parts) - 1] / name)


def teachers_of(run: Run) -> dict[str, float]:
    """Who answered for the soft labels, with which weight."""
    recipe = run.experiment.recipe
    if recipe.soft_labels is None:
        return {} if recipe.teacher is None else {recipe.teacher: 1.0}
    taught: dict[str, float] = SoftLabels.read(Path(recipe.soft_labels)).facts["teachers"]
    return taught


def commit() -> str:
    """The project's commit, or "" outside of its repository."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
