"""Finished runs that a new training starts from: columns, stacked nets, and soups of weights."""

from pathlib import Path
from typing import Any

from pyojeong.core.errors import ExperimentError
from pyojeong.training.experiment import Experiment
from pyojeong.training.lightning_module import HeadedNet
from pyojeong.training.nets.columns import Columns
from pyojeong.training.nets.registry import STACKED
from pyojeong.training.run import Run, load_last, load_picked


def trained_members(experiment: Experiment, runs: Path, *, num_classes: int) -> list[HeadedNet]:
    """Return the trained nets that a net is made of; none for most.

    A stacked net and columns take the epoch that each recipe picked. Nets whose weights are
    averaged are taken after their last epoch, which nothing was chosen by.
    """
    parts = [name.partition("#") for name in experiment.members]
    members = [Run(runs / name) for name, _, _ in parts]
    joined = joins_members(experiment, runs)
    for run in members:
        if not run.done:
            raise ExperimentError(f"members: {run.folder} is not a finished run")
        if not joined and _shape(run.experiment) != _shape(experiment):
            raise ExperimentError(
                f"members: {run.experiment.name} is another net, so that its weights could not be "
                "averaged with these: give members the same [net] and [preprocess]"
            )
    load = load_picked if joined else load_last
    models = [load(run, num_classes=num_classes).scored for run in members]
    return [
        _column(model, number) if number else model  # type: ignore[arg-type, misc]
        for model, (_, _, number) in zip(models, parts, strict=True)
    ]


def joins_members(experiment: Experiment, runs: Path) -> bool:
    """Return whether members become parts of the net; else their weights are averaged.

    Stacked nets and columns join theirs, unless all of them are already of the net's own shape.
    """
    whole = [Run(runs / name) for name in experiment.members if "#" not in name]
    alike = len(whole) == len(experiment.members) and all(
        run.done and _shape(run.experiment) == _shape(experiment) for run in whole
    )
    return experiment.net in STACKED and not alike


def _column(model: HeadedNet, number: str) -> HeadedNet:
    """Return one column of a net, counted from 1, as a net of its own with its heads."""
    net = model.net
    count = len(net.columns) if isinstance(net, Columns) else 0
    if not isinstance(net, Columns) or not number.isdecimal() or not 1 <= int(number) <= count:
        raise ExperimentError(f"members: #{number} names a column; this run has {count}")
    index = int(number) - 1
    out = HeadedNet(net.column(index), votes=False)
    if model.vote_head is not None:
        out.vote_head = net.part_of(model.vote_head, index)
    return out


def _shape(experiment: Experiment) -> tuple[Any, ...]:
    heads = experiment.recipe.vote_weight > 0
    return experiment.net, experiment.net_options, experiment.preprocess, heads
