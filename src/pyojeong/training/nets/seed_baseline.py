"""The plain net of the student project that this toolkit grew out of (slides, 2021).

Known from the slides: input 150 x 150, convolutions of 32, 64, 128 and 128 channels, each followed
by max-pooling, one fully connected layer to seven classes, dropout 0.5, Adam with rate 1e-4.

Inferred: 3x3 kernels without padding, ReLU, 2x2 pooling, and dropout directly after flattening.
That is the layout of the cats-and-dogs lesson of Keras, whose input and widths are the same; it
also has a hidden layer of 512 before the classifier, which the slides do not show. So the hidden
layer is an option that is off. Weights start as Keras starts them: Glorot-uniform, zero biases.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError
from pyojeong.training.input_size import check_input_size

WIDTHS = (32, 64, 128, 128)

SMALLEST = 46
"""Smallest height and width: four times "minus 2, then halved" leaves one position."""


class SeedBaseline(nn.Module):
    """Four times convolution, ReLU and pooling; flatten, dropout, classifier.

    Args:
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB.
        size_hw: Height and width of the input; the fully connected part is made for it.
        hidden_fc: Width of a hidden layer before the classifier, None for none.
        dropout: After flattening.

    Raises:
        ExperimentError: When the input is too small for four poolings.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        size_hw: tuple[int, int],
        hidden_fc: int | None,
        dropout: float,
    ) -> None:
        super().__init__()
        if min(size_hw) < SMALLEST:
            raise ExperimentError(
                f"seed_baseline: expected size_hw of at least {SMALLEST} x {SMALLEST}, "
                f"got {size_hw}: four unpadded convolutions with pooling leave nothing of it"
            )
        self.size_hw = size_hw
        h, w = size_hw
        layers: list[nn.Module] = []
        channels = in_channels
        for width in WIDTHS:
            layers += [nn.Conv2d(channels, width, 3), nn.ReLU(), nn.MaxPool2d(2)]
            channels, h, w = width, (h - 2) // 2, (w - 2) // 2
        self.blocks = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.num_features = channels * h * w
        self.hidden: nn.Module = nn.Identity()
        if hidden_fc is not None:
            self.hidden = nn.Sequential(nn.Linear(self.num_features, hidden_fc), nn.ReLU())
            self.num_features = hidden_fc
        self.classifier = nn.Linear(self.num_features, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_features)
        """Flattened maps after dropout, through the hidden layer when there is one."""
        check_input_size("seed_baseline", x, self.size_hw)
        features: Tensor = self.hidden(self.dropout(self.blocks(x).flatten(1)))
        return features

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


def build_seed_baseline(
    *,
    num_classes: int = 7,
    in_channels: int = 1,
    size_hw: Sequence[int] = (150, 150),
    hidden_fc: int | None = None,
    dropout: float = 0.5,
) -> SeedBaseline:
    """Return what the slides prove: 284,167 parameters for gray.

    3,455,623 with ``hidden_fc = 512``.
    """
    height, width = size_hw
    return SeedBaseline(
        num_classes=num_classes,
        in_channels=in_channels,
        size_hw=(height, width),
        hidden_fc=hidden_fc,
        dropout=dropout,
    )
