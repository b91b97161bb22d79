"""Experiments as data: a frozen ``Experiment`` from TOML."""

import inspect
import tomllib
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Self

import torch

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import ExperimentError, ModelError, one_line
from pyojeong.training.data.augment import Augment
from pyojeong.training.data.sampling import Sampling
from pyojeong.training.fields import (
    build,
    check_facts,
    check_known,
    check_options,
    check_path,
    check_ranges,
    check_run_name,
    check_start,
)
from pyojeong.training.lightning_module import Classify
from pyojeong.training.nets.registry import NETS, build_net
from pyojeong.training.precision import PRECISIONS
from pyojeong.training.pretrained import STARTS, load_start
from pyojeong.training.recipe import Recipe

_RANGES = {"seed": (0, 2**63 - 1), "subset": (1, 2**40), "views": (0, 10_000)}

_NOT_BUILT = (
    TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RuntimeError, MemoryError
)  # fmt: skip
"""What builders raise on options that do not go together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Everything that decides a run's outcome, except the pixels.

    Attributes:
        name: Names the run folder.
        seed: Of weights, order, augmentation and dropout.
        precision: ``"auto"`` (measured at the start), or a key of ``PRECISIONS``.
        net: Key of ``NETS``.
        net_options: Passed to the net's builder.
        preprocess: How faces are fed, in training and ever after.
        augment: Random changes in training.
        sampling: Which samples an epoch shows.
        recipe: Optimisation.
        start: Name of a finished run in the same folder whose result training starts from,
            or id of a model that is there (``pyojeong models``); None = fresh weights.
        pretrained: Key of ``STARTS``: weights from outside that training starts from; None = none.
        pretrained_path: Where the file of such weights lies, when no package brings it.
        members: Names of finished runs in the same folder that a stacked net is made of, in order
            (``name#2`` = the second column of a run of columns);
            for other nets, runs of the same net whose weights are averaged to start from.
        subset: Train on this many samples, the same ones for every experiment, drawn in the
            classes' proportions; None = all.
        views: Also score the validation split with so many perturbed views of each face, averaged
            (Yu and Zhang); 0 = single views only.
        about: Words and figures for the table: family, what was reduced, the students' figures.
    """

    name: str
    seed: int = 0
    precision: str = "auto"
    net: str = "se_resnet"
    net_options: dict[str, Any] = field(default_factory=dict)
    preprocess: Preprocess
    augment: Augment = field(default_factory=Augment)
    sampling: Sampling = field(default_factory=Sampling)
    recipe: Recipe
    start: str | None = None
    pretrained: str | None = None
    pretrained_path: str | None = None
    members: tuple[str, ...] = ()
    subset: int | None = None
    views: int = 0
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES, "experiment")
        check_run_name(self.name, "experiment name")
        for member in self.members:
            check_run_name(member.partition("#")[0], "experiment members")
        if self.start is not None:
            check_start(self.start, "experiment start")
        if self.pretrained_path is not None:
            check_path(self.pretrained_path, "experiment pretrained_path")
        check_facts(self.about, "[about]")

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Parse an experiment.

        Raises:
            ExperimentError: When a table or key is unknown, missing or of the wrong type, or when
                the parts cannot work together.
        """
        try:
            data = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ExperimentError(f"experiment is not valid TOML: {error}") from error
        check_known(data, {f.name for f in fields(cls)} - {"net_options"}, "experiment")
        net = data.pop("net", None)
        if not isinstance(net, dict) or not isinstance(net.get("name"), str):
            raise ExperimentError('experiment lacks a table [net] with a name, such as "se_resnet"')
        options = {key: value for key, value in net.items() if key != "name"}
        check_options(options, "[net]")
        builders = {
            "net": lambda value: value,
            "net_options": lambda value: value,
            "preprocess": _preprocess,
            "augment": lambda table: build(Augment, table, "[augment]"),
            "sampling": lambda table: build(Sampling, table, "[sampling]"),
            "recipe": lambda table: build(Recipe, table, "[recipe]"),
        }
        data |= {"net": net["name"], "net_options": options}
        built = build(cls, data, "experiment", builders=builders)
        _choice("net", built.net, NETS)
        if built.precision != "auto":
            _choice("precision", built.precision, PRECISIONS)
        if built.pretrained is not None:
            _choice("pretrained", built.pretrained, STARTS)
        _check_growth(built)
        return built

    def build_net(self, *, num_classes: int) -> torch.nn.Module:
        """Return a freshly initialised net; the weights depend on ``seed`` alone.

        Raises:
            ExperimentError: When the net does not know an option or cannot take the input's size.
        """
        torch.manual_seed(self.seed)
        try:
            net = build_sized(
                self.net,
                self.preprocess.size_hw,
                num_classes=num_classes,
                in_channels=self.preprocess.channels,
                **self.net_options,
            )
        except _NOT_BUILT as error:
            if isinstance(error, ExperimentError):
                raise
            raise ExperimentError(f"[net] {self.net}: {one_line(error)}") from error
        if self.pretrained is not None:
            load_start(net, self.pretrained, path=self.pretrained_path)
        return net

    def build_task(self, *, num_classes: int) -> Classify:
        """Return a freshly initialised task; see ``build_net``."""
        net = self.build_net(num_classes=num_classes)
        return Classify(net, self.recipe, seed=self.seed)


def build_sized(name: str, size_hw: tuple[int, int], **options: Any) -> torch.nn.Module:
    """``build_net``, telling nets that need to know it the input's size."""
    if "size_hw" in inspect.signature(NETS[name]).parameters:
        options.setdefault("size_hw", size_hw)
    return build_net(name, **options)


def _check_growth(experiment: Experiment) -> None:
    smallest, (height, width) = experiment.recipe.grow_from_px, experiment.preprocess.size_hw
    if not smallest:
        return
    if "size_hw" in inspect.signature(NETS[experiment.net]).parameters:
        raise ExperimentError(
            f"[recipe] grow_from_px: {experiment.net} is made for one input size: set it to 0"
        )
    if height != width or smallest >= width:
        raise ExperimentError(
            f"[recipe] grow_from_px: expected square faces of more than {smallest} pixels, got "
            f"[preprocess] size_hw = [{height}, {width}]"
        )


def _preprocess(data: Any) -> Preprocess:
    if not isinstance(data, dict):
        raise ExperimentError(f"[preprocess]: expected a table, got {data!r}")
    check_known(data, {f.name for f in fields(Preprocess)}, "[preprocess]")
    try:
        return Preprocess.from_dict(data)
    except ModelError as error:
        raise ExperimentError(f"[preprocess] {error}") from error


def _choice(what: str, value: str, known: Any) -> None:
    if value not in known:
        near = get_close_matches(str(value), list(known), n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ExperimentError(f"unknown {what} {value!r}: {hint}Known: {', '.join(sorted(known))}.")
