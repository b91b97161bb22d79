"""Several nets side by side in one: what one reads wrong, another kind of net may read right.

Paper: multi-column deep neural networks, Ciresan, Meier & Schmidhuber, CVPR 2012 (arXiv 1202.2745):
columns are trained one by one, and their answers are averaged.

Deviations: the columns see the same pictures (theirs saw them preprocessed in several ways), and
logits are averaged, not probabilities: then one classifier over all the columns' features gives
the average, and the whole net can be trained on.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError


class Columns(nn.Module):
    """Nets that share their input; one classifier reads their features joined together.

    Args:
        columns: Nets as ``NETS`` builds them; their classifiers are not used.
        num_classes: Number of logits.

    Raises:
        ExperimentError: When there is none.
    """

    def __init__(self, columns: Sequence[nn.Module], *, num_classes: int) -> None:
        super().__init__()
        if not columns:
            raise ExperimentError("columns: expected at least one net, got none")
        for net in columns:
            net.classifier = nn.Identity()
        self.columns = nn.ModuleList(columns)
        self.num_features = sum(int(net.num_features) for net in columns)  # type: ignore[arg-type, misc]
        self.classifier = nn.Linear(self.num_features, num_classes)

    def adopt(self, nets: Sequence[nn.Module]) -> None:
        """Copy trained nets, in the columns' order; the logits are then the mean of theirs.

        Raises:
            ExperimentError: When they are other nets than the columns, or not as many.
        """
        if len(nets) != len(self.columns):
            raise ExperimentError(
                f"columns: expected {len(self.columns)} members, got {len(nets)}: one per column"
            )
        for column, net in zip(self.columns, nets, strict=True):
            state = {k: v for k, v in net.state_dict().items() if not k.startswith("classifier.")}
            try:
                column.load_state_dict(state)
            except RuntimeError as error:
                raise ExperimentError(
                    "columns: a member is another net than its column; give [[net.columns]] the "
                    "names and options of the members, in their order"
                ) from error
        join_heads(self.classifier, [net.classifier for net in nets])  # type: ignore[misc]

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_features)
        """The columns' features, after their dropout, side by side."""
        parts: list[Tensor] = [net.forward_features(x) for net in self.columns]  # type: ignore[operator]
        return torch.cat(parts, 1)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


@torch.no_grad()
def join_heads(joint: nn.Linear, heads: Sequence[nn.Linear]) -> None:
    """Let a head over joined features give the mean of what its columns' own heads give."""
    joint.weight.copy_(torch.cat([head.weight for head in heads], 1) / len(heads))
    joint.bias.copy_(torch.stack([head.bias for head in heads]).mean(0))


def split_options(columns: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Name and options of each column.

    Raises:
        ExperimentError: When one has no name.
    """
    out = []
    for options in columns:
        rest = dict(options)
        try:
            out.append((str(rest.pop("name")), rest))
        except KeyError as error:
            raise ExperimentError("[[net.columns]]: each column needs the name of a net") from error
    return out
