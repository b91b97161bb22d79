"""Interface of networks; can be imported without torch."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn


class Net(Protocol):
    """Interface of a network, in addition to ``nn.Module``.

    The function that builds the network accepts the keyword arguments ``num_classes`` (number of
    logits) and ``in_channels`` (1 gray, 3 RGB), and ``size_hw`` if it requires a fixed input size.

    Attributes:
        num_features: Length F of the feature vector.
        classifier: Module that maps features (N, F) to logits (N, ``num_classes``).
    """

    num_features: int
    classifier: "nn.Module"

    def forward(self, x: "Tensor") -> "Tensor":
        """Return the logits (N, K) of inputs (N, C, H, W)."""

    def forward_features(self, x: "Tensor") -> "Tensor":
        """Return the features (N, F) of inputs (N, C, H, W)."""
