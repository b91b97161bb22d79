"""A narrow VGG with batch norm, for 40 to 64-pixel faces.

Paper: Simonyan & Zisserman, ICLR 2015 (arXiv 1409.1556): stacks of 3x3 convolutions between
poolings.

Deviations: batch norm after every convolution and dropout after every pooling; two convolutions a
stage and half to three quarters of the paper's widths; the last map is averaged instead of
flattened, and no hidden layer follows instead of two of 4,096.
"""

from collections.abc import Sequence

from torch import Tensor, nn


class VGG(nn.Module):
    """Stages of convolutions, each halved by max-pooling; mean, dropout, classifier.

    Args:
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB.
        widths: Channels of the stages.
        convolutions: Of each stage.
        stage_dropout: After every pooling (whole channels).
        dropout: Before the classifier.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        widths: Sequence[int],
        convolutions: int,
        stage_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        channels = in_channels
        for width in widths:
            layers: list[nn.Module] = []
            for _ in range(convolutions):
                layers += [
                    nn.Conv2d(channels, width, 3, 1, 1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
                channels = width
            stages += [*layers, nn.MaxPool2d(2), nn.Dropout2d(stage_dropout)]
        self.blocks = nn.Sequential(*stages)
        self.num_features = channels
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_features)
        """Pooled features, after dropout."""
        features: Tensor = self.dropout(self.blocks(x).mean((2, 3)))
        return features

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


def build_vgg(
    *,
    num_classes: int = 7,
    in_channels: int = 1,
    widths: Sequence[int] = (48, 96, 192, 256),
    convolutions: int = 2,
    stage_dropout: float = 0.1,
    dropout: float = 0.3,
) -> VGG:
    """Return the default: 1.9 M parameters, 210 M multiply-adds at 48 x 48."""
    return VGG(
        num_classes=num_classes,
        in_channels=in_channels,
        widths=tuple(widths),
        convolutions=convolutions,
        stage_dropout=stage_dropout,
        dropout=dropout,
    )
