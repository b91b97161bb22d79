"""Several nets side by side in one: what one reads wrong, another kind of net may read right.

Paper: multi-column deep neural networks, Ciresan, Meier & Schmidhuber, CVPR 2012 (arXiv 1202.2745):
columns are trained one by one, and their answers are averaged.

Deviations: the columns see the same images, some of them through a ``Lens`` (theirs saw them
preprocessed in several ways), and logits are averaged, not probabilities: then one classifier over
all the columns' features gives the average, and the whole net can be trained on.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """How a column sees the input that all share, so that nets made for other inputs can join.

    Attributes:
        window: Side of the central square that it sees, in the input's pixels; 0 = all of it.
        enlarge: What that is enlarged by, bilinearly.
        shrink: What it is shrunk by instead: means of squares of so many pixels.
        scale: The column's values are the input's times this
        shift: and plus this: its own mean and deviation, where they are others than the input's.
    """

    window: int = 0
    enlarge: int = 1
    shrink: int = 1
    scale: float = 1.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        if self.window < 0 or self.enlarge < 1 or self.shrink < 1:
            raise ExperimentError(
                "[[net.columns]]: expected a window of 0 or more pixels, and enlarge and shrink of "
                f"1 or more, got {self.window}, {self.enlarge} and {self.shrink}"
            )

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) as the column sees it."""
        h, w = (int(side) for side in x.shape[2:])
        if self.window > min(h, w):
            raise ExperimentError(
                f"[[net.columns]]: a window of {self.window} pixels does not fit into {h} x {w}"
            )
        if self.window:
            top, left = (h - self.window) // 2, (w - self.window) // 2
            x = x[:, :, top : top + self.window, left : left + self.window]
        if self.shrink > 1:
            x = F.avg_pool2d(x, self.shrink)
        if self.scale != 1 or self.shift != 0:
            x = x * self.scale + self.shift
        if self.enlarge > 1:
            x = F.interpolate(x, scale_factor=float(self.enlarge), mode="bilinear")
        return x


class Columns(nn.Module):
    """Nets that share their input; one classifier reads their features joined together.

    Args:
        columns: Nets as ``NETS`` builds them; their classifiers are not used.
        num_classes: Number of logits.
        lenses: How each sees the input; None = as it is.

    Raises:
        ExperimentError: When there is none.
    """

    def __init__(
        self,
        columns: Sequence[nn.Module],
        *,
        num_classes: int,
        lenses: Sequence[Lens] | None = None,
    ) -> None:
        super().__init__()
        if not columns:
            raise ExperimentError("columns: expected at least one net, got none")
        self.lenses = tuple(lenses or [Lens()] * len(columns))
        for net in columns:
            net.classifier = nn.Identity()
        self.columns = nn.ModuleList(columns)
        self.num_features = sum(int(net.num_features) for net in columns)  # type: ignore[arg-type, misc]
        self.classifier = nn.Linear(self.num_features, num_classes)
        self._shallower: list[bool] = []

    def adopt(self, nets: Sequence[nn.Module]) -> None:
        """Copy trained nets, in the columns' order; the logits are then the mean of theirs.

        Raises:
            ExperimentError: When they are other nets than the columns, or not as many.
        """
        if len(nets) != len(self.columns):
            raise ExperimentError(
                f"columns: expected {len(self.columns)} members, got {len(nets)}: one per column"
            )
        self._shallower = []
        for column, net in zip(self.columns, nets, strict=True):
            state = {k: v for k, v in net.state_dict().items() if not k.startswith("classifier.")}
            # A shallower column takes the first blocks of its member.
            known = column.state_dict().keys() if _same_start(column, net) else state.keys()
            try:
                column.load_state_dict({k: v for k, v in state.items() if k in known})
            except RuntimeError as error:
                raise ExperimentError(
                    "columns: a member is another net than its column; give [[net.columns]] the "
                    "names and options of the members, in their order"
                ) from error
            self._shallower.append(_same_start(column, net))
        self.join_heads(self.classifier, [net.classifier for net in nets])  # type: ignore[misc]

    @torch.no_grad()
    def join_heads(self, joint: nn.Linear, heads: Sequence[nn.Linear]) -> None:
        """Let a head over joined features give the mean of what the members' own heads give.

        A shallower column has other features than its member: its part starts with zeros.
        """
        parts = [
            torch.zeros(joint.out_features, int(column.num_features)) if shallow else head.weight  # type: ignore[arg-type]
            for column, head, shallow in zip(self.columns, heads, self._shallower, strict=True)
        ]
        joint.weight.copy_(torch.cat(parts, 1) / len(heads))
        joint.bias.copy_(torch.stack([head.bias for head in heads]).mean(0))

    def column(self, index: int) -> nn.Module:
        """Return a copy of one column as a net of its own, with its part of the classifier.

        Its logits are those that the column gives alone: the joint logits are the mean of them.
        """
        net = copy.deepcopy(self.columns[index])
        net.classifier = self.part_of(self.classifier, index)
        return net

    @torch.no_grad()
    def part_of(self, joint: nn.Linear, index: int) -> nn.Linear:
        """Return the part of a joint head that reads one column, as the column's own head."""
        sizes = [int(net.num_features) for net in self.columns]  # type: ignore[arg-type]
        start = sum(sizes[:index])
        head = nn.Linear(sizes[index], joint.out_features)
        head.weight.copy_(joint.weight[:, start : start + sizes[index]] * len(sizes))
        head.bias.copy_(joint.bias)
        return head

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_features)
        """Return the columns' features, after their dropout, side by side."""
        pairs = zip(self.columns, self.lenses, strict=True)
        parts: list[Tensor] = [net.forward_features(lens(x)) for net, lens in pairs]  # type: ignore[operator]
        return torch.cat(parts, 1)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


def _same_start(column: nn.Module, net: nn.Module) -> bool:
    """Return whether a column is the same net as another, with fewer blocks."""
    depth = getattr(column, "depth", None)
    return type(column) is type(net) and depth is not None and depth < net.depth


def split_options(
    columns: Sequence[dict[str, Any]],
) -> list[tuple[str, Lens, dict[str, Any]]]:
    """Name, lens and other options of each column.

    Raises:
        ExperimentError: When one has no name, or its lens is not valid.
    """
    out = []
    for options in columns:
        rest = dict(options)
        lens = Lens(**{key: rest.pop(key) for key in Lens.__slots__ if key in rest})
        try:
            out.append((str(rest.pop("name")), lens, rest))
        except KeyError as error:
            raise ExperimentError("[[net.columns]]: each column needs the name of a net") from error
    return out
