"""A small residual net with squeeze-and-excitation, for 40 to 64-pixel faces.

Papers: residual blocks, He et al., CVPR 2016 (arXiv 1512.03385); channel attention, Hu et al.,
CVPR 2018 (arXiv 1709.01507).

Deviations: the stem is one full-resolution 3x3 convolution followed by another, strided or not,
instead of 7x7 + max-pool, because a 44-pixel face has no detail to spare; down-sampling skips
average before their 1x1 projection (the "D" variant of He et al. 2019, arXiv 1812.01187); one
squeeze layer per block, reduction 8.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
    )


class SqueezeExcite(nn.Module):
    """Rescales channels by a gate computed from their means."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(channels // reduction, 4)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        """Gate every channel of ``x``."""
        gate = self.squeeze(x.mean((2, 3), keepdim=True)).relu()
        scaled: Tensor = x * self.excite(gate).sigmoid()
        return scaled


class Block(nn.Module):
    """conv-BN-ReLU-conv-BN-SE plus the skip, then ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, outputs, stride)
        self.conv2 = _conv(outputs, outputs)
        self.se = SqueezeExcite(outputs)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            pool = [nn.AvgPool2d(stride, ceil_mode=True)] if stride != 1 else []
            project = [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
            self.skip = nn.Sequential(*pool, *project)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, C', H/s, W/s)
        """Residual step."""
        y = self.conv2(self.conv1(x).relu())
        return torch.relu(self.se(y) + self.skip(x))


class SEResNet(nn.Module):
    """The net; global average pooling, so that any input size works.

    Args:
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB.
        stem: Channels of the full-resolution convolution.
        widths: Channels of the stages.
        stem_stride: 2 = the first stage has half the input's side; 1 = all of it, which costs
            about twice as much and sees finer.
        depths: Residual blocks per stage.
        dropout: Before the classifier.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        stem: int,
        widths: Sequence[int],
        depths: Sequence[int],
        dropout: float,
        stem_stride: int,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _conv(in_channels, stem), nn.ReLU(), _conv(stem, widths[0], stem_stride), nn.ReLU()
        )
        blocks: list[nn.Module] = []
        channels = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for i in range(depth):
                blocks.append(Block(channels, width, 2 if stage and not i else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.num_features = channels
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, Block):  # start as identity: Goyal et al. 2017, section 5.1
                nn.init.zeros_(module.conv2[1].weight)  # type: ignore[arg-type]

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_features)
        """Pooled features, after dropout."""
        features: Tensor = self.dropout(self.blocks(self.stem(x)).mean((2, 3)))
        return features

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


def build_se_resnet(
    *,
    num_classes: int = 7,
    in_channels: int = 1,
    stem: int = 24,
    widths: Sequence[int] = (48, 96, 192, 256),
    depths: Sequence[int] = (1, 1, 2, 1),
    dropout: float = 0.3,
    stem_stride: int = 2,
) -> SEResNet:
    """Return the default: 2.4 M parameters, 92 M multiply-adds at 44 x 44."""
    return SEResNet(
        num_classes=num_classes,
        in_channels=in_channels,
        stem=stem,
        widths=tuple(widths),
        depths=tuple(depths),
        dropout=dropout,
        stem_stride=stem_stride,
    )
