"""Multi-level convolutional nets (MLCNN) of Nguyen et al., with their stack and a small relative.

Papers: ICPRAI 2018; IJPRAI 33(8) 1940015, 2019. Blocks, taps, widths and the stack are those of the
summary that the authors' own notebook prints. A level is a map in the middle of the trunk,
flattened into a dense layer of 256; three levels and the trunk's end make a vector of 1,280. The
three published nets differ only in where they are tapped. There is no batch norm.

Not printed, hence ours: dropout rates (0.25 after blocks, 0.5 in heads), ReLU after convolutions,
the initialisation (He et al. 2015), and the head of a single net, which is the stack's.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError
from pyojeong.training.input_size import check_input_size

BLOCKS = ((64, 2), (128, 3), (256, 4), (256, 4), (512, 4))
"""Channels and number of 3x3 convolutions; each block ends in 2x2 max-pooling."""

LITE_WIDTHS = (32, 64, 128, 128, 256)

LEVEL = 256
VECTOR = 3 * LEVEL + BLOCKS[-1][0]
HIDDEN = 512

SMALLEST = 32
"""Smallest height and width: five poolings leave one position."""


class Levels(nn.Module):
    """Trunk and level branches of one net: images to the "early fusion" vector.

    Args:
        variant: Where levels 2 to 4 are tapped: 1 = at the last convolution before the pool,
            2 = at the second convolution of the *next* block, 3 = after pool and dropout.
        in_channels: 1 gray, 3 RGB.
        size_hw: Height and width of the input; the dense layers are made for it.
        dropout: After the pool of each block.

    Raises:
        ExperimentError: For an unknown variant or an input that is too small.
    """

    def __init__(
        self, variant: int, *, in_channels: int, size_hw: tuple[int, int], dropout: float
    ) -> None:
        super().__init__()
        if variant not in {1, 2, 3}:
            raise ExperimentError(f"mlcnn: expected variant to be 1, 2 or 3, got {variant!r}")
        _check_size(size_hw)
        self.variant, self.size_hw = variant, size_hw
        self.blocks = nn.ModuleList()
        channels = in_channels
        for width, depth in BLOCKS:
            block = nn.ModuleList()
            for _ in range(depth):
                block.append(nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()))
                channels = width
            self.blocks.append(block)
        self.drop = nn.Dropout(dropout)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Linear(self._tapped(level), LEVEL), nn.ReLU()) for level in (1, 2, 3)
        )
        h, w = (side // 2 ** len(BLOCKS) for side in size_hw)
        self.num_features = 3 * LEVEL + channels * h * w
        _initialise(self)

    def _tapped(self, level: int) -> int:
        """Numbers in the map that level ``level`` (zero-based block) flattens."""
        halvings = level if self.variant == 1 else level + 1
        width = BLOCKS[level + 1][0] if self.variant == 2 else BLOCKS[level][0]
        h, w = self.size_hw
        return width * (h >> halvings) * (w >> halvings)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_features)
        """Levels 2, 3, 4 and 5, in this order."""
        check_input_size("mlcnn", x, self.size_hw)
        taps: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            for j, conv in enumerate(block.children()):
                x = conv(x)
                if self.variant == 2 and i >= 2 and j == 1:
                    taps.append(x)
            if self.variant == 1 and 1 <= i <= 3:
                taps.append(x)
            x = self.drop(F.max_pool2d(x, 2))
            if self.variant == 3 and 1 <= i <= 3:
                taps.append(x)
        dense = [branch(tap.flatten(1)) for branch, tap in zip(self.branches, taps, strict=True)]
        return torch.cat([*dense, x.flatten(1)], 1)


class Mlcnn(nn.Module):
    """One multi-level net with its head.

    Args:
        variant: 1, 2 or 3; see ``Levels``.
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB.
        size_hw: Height and width of the input; the dense layers are made for it.
        dropout: After the pool of each block.
        fc_dropout: After each layer of the head.
    """

    def __init__(
        self,
        variant: int,
        *,
        num_classes: int,
        in_channels: int,
        size_hw: tuple[int, int],
        dropout: float,
        fc_dropout: float,
    ) -> None:
        super().__init__()
        self.levels = Levels(variant, in_channels=in_channels, size_hw=size_hw, dropout=dropout)
        self.head = _head(self.levels.num_features, fc_dropout)
        self.num_features = HIDDEN
        self.classifier = nn.Linear(HIDDEN, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, 512)
        """Return the head's second layer, after dropout."""
        features: Tensor = self.head(self.levels(x))
        return features

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


class MlcnnStack(nn.Module):
    """Three frozen nets' vectors, joined, under one head: the authors' ensemble.

    Only head and classifier learn; the nets stay in evaluation mode even in training. Fill them
    with ``adopt`` after their own trainings.

    Args:
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB.
        size_hw: Height and width of the input; the dense layers are made for it.
        dropout: After each layer of the head.
    """

    def __init__(
        self, *, num_classes: int, in_channels: int, size_hw: tuple[int, int], dropout: float
    ) -> None:
        super().__init__()
        levels = [
            Levels(variant, in_channels=in_channels, size_hw=size_hw, dropout=0.0)
            for variant in (1, 2, 3)
        ]
        self.size_hw = size_hw
        self.members = nn.ModuleList(levels).requires_grad_(requires_grad=False).eval()
        self.head = _head(sum(net.num_features for net in levels), dropout)
        self.num_features = HIDDEN
        self.classifier = nn.Linear(HIDDEN, num_classes)

    def adopt(self, nets: Sequence[Mlcnn]) -> None:
        """Copy the trunks and branches of three trained nets, variants 1, 2 and 3 in this order.

        Raises:
            ExperimentError: For other variants or another input size.
        """
        given = [(net.levels.variant, net.levels.size_hw) for net in nets]
        wanted = [(variant, self.size_hw) for variant in (1, 2, 3)]
        if given != wanted:
            raise ExperimentError(
                f"mlcnn_stack: expected nets of (variant, size_hw) {wanted}, got {given}"
            )
        for member, net in zip(self.members, nets, strict=True):
            member.load_state_dict(net.levels.state_dict())

    def train(self, mode: bool = True) -> "MlcnnStack":
        """Switch the head; the frozen nets stay in evaluation mode."""
        super().train(mode)
        self.members.eval()
        return self

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, 512)
        """Return the head's second layer, after dropout."""
        features: Tensor = self.head(torch.cat([net(x) for net in self.members], 1))
        return features

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


class MlcnnLite(nn.Module):
    """Our own small derivative, not from the papers: a quarter of the work, with batch norm.

    Half the widths; levels tapped as in variant 1, pooled to 2 x 2 means before a dense layer of
    128; the trunk's end pooled to one mean; one hidden layer of 256. Any size from 32 px works.

    Args:
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB.
        dropout: Before the classifier.
        block_dropout: After the pool of each block.
    """

    def __init__(
        self, *, num_classes: int, in_channels: int, dropout: float, block_dropout: float
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        channels = in_channels
        for width, (_, depth) in zip(LITE_WIDTHS, BLOCKS, strict=True):
            layers: list[nn.Module] = []
            for _ in range(depth):
                layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=False))
                layers += [nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
            self.blocks.append(nn.Sequential(*layers))
        self.drop = nn.Dropout(block_dropout)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Linear(4 * width, 128), nn.ReLU()) for width in LITE_WIDTHS[1:4]
        )
        self.num_features = 256
        self.head = nn.Sequential(
            nn.Linear(3 * 128 + channels, self.num_features), nn.ReLU(), nn.Dropout(dropout)
        )
        self.classifier = nn.Linear(self.num_features, num_classes)
        _initialise(self.blocks, self.branches, self.head)

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, 256)
        """Return the hidden layer, after dropout."""
        _check_size((int(x.shape[2]), int(x.shape[3])))
        taps: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if 1 <= i <= 3:
                taps.append(_quarters(x))
            x = self.drop(F.max_pool2d(x, 2))
        dense = [branch(tap) for branch, tap in zip(self.branches, taps, strict=True)]
        features: Tensor = self.head(torch.cat([*dense, x.mean((2, 3))], 1))
        return features

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


def _quarters(x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, 4 C)
    """Means of the four quarters, which share the middle row and column of an odd side."""
    # adaptive_avg_pool2d does the same but could not be exported for odd sides.
    h, w = int(x.shape[2]), int(x.shape[3])
    return F.avg_pool2d(x, (h - h // 2, w - w // 2), (h // 2, w // 2)).flatten(1)


def _head(inputs: int, dropout: float) -> nn.Sequential:
    head = nn.Sequential(
        nn.Linear(inputs, HIDDEN),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Dropout(dropout),
    )
    _initialise(head)
    return head


def _initialise(*parts: nn.Module) -> None:
    for part in parts:
        for module in part.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def _check_size(size_hw: tuple[int, int]) -> None:
    if min(size_hw) < SMALLEST:
        raise ExperimentError(
            f"mlcnn: expected size_hw of at least {SMALLEST} x {SMALLEST}, got {size_hw}: it is "
            "halved five times; set [preprocess] size_hw and the net's size_hw to more"
        )


def build_mlcnn(
    *,
    num_classes: int = 7,
    in_channels: int = 1,
    size_hw: Sequence[int] = (48, 48),
    variant: int = 1,
    dropout: float = 0.25,
    fc_dropout: float = 0.5,
) -> Mlcnn:
    """Return one net: 44,685,639, 26,990,919 or 21,682,503 parameters for variants 1, 2, 3.

    787, 769 or 764 M multiply-adds at 48 x 48.
    """
    height, width = size_hw
    return Mlcnn(
        variant,
        num_classes=num_classes,
        in_channels=in_channels,
        size_hw=(height, width),
        dropout=dropout,
        fc_dropout=fc_dropout,
    )


def build_mlcnn_stack(
    *,
    num_classes: int = 7,
    in_channels: int = 1,
    size_hw: Sequence[int] = (48, 48),
    dropout: float = 0.5,
) -> MlcnnStack:
    """Return the ensemble: 92,825,543 parameters, of which 2,232,839 learn."""
    height, width = size_hw
    return MlcnnStack(
        num_classes=num_classes,
        in_channels=in_channels,
        size_hw=(height, width),
        dropout=dropout,
    )


def build_mlcnn_lite(
    *,
    num_classes: int = 7,
    in_channels: int = 1,
    dropout: float = 0.5,
    block_dropout: float = 0.1,
) -> MlcnnLite:
    """Return the small derivative: 3,606,695 parameters, 189 M multiply-adds at 48 x 48."""
    return MlcnnLite(
        num_classes=num_classes,
        in_channels=in_channels,
        dropout=dropout,
        block_dropout=block_dropout,
    )
