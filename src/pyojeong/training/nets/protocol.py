"""What a net offers; readable without torch."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn


class Net(Protocol):
    """What every net offers beside being an ``nn.Module``.

    Its builder takes the keywords ``num_classes`` (logits) and ``in_channels`` (1 gray, 3 RGB),
    and ``size_hw`` when it is made for one size of input.

    Attributes:
        num_features: Length F of its feature vector.
        classifier: Maps features (N, F) to logits (N, ``num_classes``).
    """

    num_features: int
    classifier: "nn.Module"

    def forward(self, x: "Tensor") -> "Tensor":
        """Return logits (N, K) of inputs (N, C, H, W)."""

    def forward_features(self, x: "Tensor") -> "Tensor":
        """Return features (N, F) of inputs (N, C, H, W)."""
