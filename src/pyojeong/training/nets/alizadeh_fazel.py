"""The shallow and the deep net of Alizadeh & Fazel 2017 (arXiv 1704.06756), also with HOG.

Sure to 95 % for the deep net and 90 % for the shallow one: widths, kernels and sizes of the fully
connected layers, from re-implementations that agree (one of them prints 3,823,367 parameters with
an unpadded last convolution, which this layout gives too). Less sure: that the shallow net does not
pool after its first convolution, and that the HOG vector joins before the fully connected part;
a reading note puts it after that part, hence ``hog_join``.

Not known: dropout rates. The defaults are the student project's 0.2 after convolutions and 0.5
after fully connected layers; re-implementations use 0.25 throughout. Our choice: "same" padding and
the initialisation of He et al. 2015.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError
from pyojeong.training.input_size import check_input_size

# (width, kernel, pooled) of the convolutions, widths of the fully connected layers
LAYERS: dict[str, tuple[tuple[tuple[int, int, bool], ...], tuple[int, ...]]] = {
    "deep": (((64, 3, True), (128, 5, True), (512, 3, True), (512, 3, True)), (256, 512)),
    "shallow": (((32, 3, False), (64, 3, True)), (512,)),
}

JOINS = ("conv", "fc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hog:
    """Where the hybrid net takes its vector in.

    Attributes:
        join: "conv" = before the fully connected layers, "fc" = after them.
        size: Length of the vector.
    """

    join: str = "conv"
    size: int = 900


class AlizadehFazel(nn.Module):
    """Convolution blocks and fully connected layers, each with batch norm, ReLU and dropout.

    The hybrid net finds its HOG vector in the **last input channel**: row by row in the first
    ``hog.size`` places of that plane, the rest unused. The plane counts in ``in_channels`` and is
    not convolved. Training needs two samples or more, because of the batch norms.

    Args:
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB; one more with ``hog``.
        size_hw: Height and width of the input; the fully connected part is made for it.
        depth: "deep" or "shallow".
        hog: How the vector joins, None for images alone.
        dropout: After each convolution block.
        fc_dropout: After each fully connected layer.

    Raises:
        ExperimentError: For options that do not fit together.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        size_hw: tuple[int, int],
        depth: str,
        hog: Hog | None,
        dropout: float,
        fc_dropout: float,
    ) -> None:
        super().__init__()
        _check_options(depth, size_hw, in_channels, hog)
        self.size_hw, self.hog = size_hw, hog
        joins = hog.join if hog else None
        convolutions, widths = LAYERS[depth]
        h, w = size_hw
        blocks: list[nn.Module] = []
        channels = in_channels - 1 if hog else in_channels
        for width, kernel, pooled in convolutions:
            conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
            pool = [nn.MaxPool2d(2)] if pooled else []
            drop = nn.Dropout(dropout)
            blocks.append(nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(), *pool, drop))
            channels = width
            h, w = (h // 2, w // 2) if pooled else (h, w)
        self.blocks = nn.Sequential(*blocks)
        features = channels * h * w + (hog.size if hog and joins == "conv" else 0)
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Linear(features, width), nn.BatchNorm1d(width), nn.ReLU()]
            layers.append(nn.Dropout(fc_dropout))
            features = width
        self.hidden = nn.Sequential(*layers)
        self.num_features = features + (hog.size if hog and joins == "fc" else 0)
        self.classifier = nn.Linear(self.num_features, num_classes)
        for module in (*self.blocks.modules(), *self.hidden):
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_features)
        """Return the last hidden layer after dropout, with the HOG vector if it joins there."""
        check_input_size("alizadeh_fazel", x, self.size_hw)
        if self.hog is None:
            plain: Tensor = self.hidden(self.blocks(x).flatten(1))
            return plain
        vector = x[:, -1].flatten(1)[:, : self.hog.size]
        features: Tensor = self.blocks(x[:, :-1]).flatten(1)
        if self.hog.join == "conv":
            joined: Tensor = self.hidden(torch.cat([features, vector], 1))
            return joined
        return torch.cat([self.hidden(features), vector], 1)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


def _check_options(depth: str, size_hw: tuple[int, int], in_channels: int, hog: Hog | None) -> None:
    if depth not in LAYERS:
        raise ExperimentError(
            f"alizadeh_fazel: expected depth to be one of {tuple(LAYERS)}, got {depth!r}"
        )
    smallest = 2 ** sum(pooled for _, _, pooled in LAYERS[depth][0])
    if min(size_hw) < smallest:
        raise ExperimentError(
            f"alizadeh_fazel: the {depth} net expects size_hw of at least {smallest} x {smallest}, "
            f"got {size_hw}: its poolings leave nothing of it"
        )
    if hog is None:
        return
    if hog.join not in JOINS:
        raise ExperimentError(
            f"alizadeh_fazel: expected hog_join to be one of {JOINS}, got {hog.join!r}"
        )
    if in_channels < 2:
        raise ExperimentError(
            "alizadeh_fazel: hog needs in_channels of at least 2 (the image's channels and one "
            f"plane with the vector), got {in_channels}"
        )
    if not 0 < hog.size <= size_hw[0] * size_hw[1]:
        raise ExperimentError(
            f"alizadeh_fazel: expected hog_size in 1..{size_hw[0] * size_hw[1]}, because one plane "
            f"of {size_hw} carries the vector, got {hog.size}: larger cells make it shorter"
        )


def build_alizadeh_fazel(  # noqa: PLR0913 - one argument per option of an experiment file
    *,
    num_classes: int = 7,
    in_channels: int = 1,
    size_hw: Sequence[int] = (48, 48),
    depth: str = "deep",
    hog: bool = False,
    hog_join: str = "conv",
    hog_size: int = 900,
    dropout: float = 0.2,
    fc_dropout: float = 0.5,
) -> AlizadehFazel:
    """Return the deep net has 4,474,759 parameters at 48 x 48, the shallow one 18,898,503.

    At 150 x 150 they have 13,911,943 and 184,344,135.
    """
    height, width = size_hw
    return AlizadehFazel(
        num_classes=num_classes,
        in_channels=in_channels,
        size_hw=(height, width),
        depth=depth,
        hog=Hog(join=hog_join, size=hog_size) if hog else None,
        dropout=dropout,
        fc_dropout=fc_dropout,
    )
