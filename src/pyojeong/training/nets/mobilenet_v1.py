"""MobileNet-V1 laid out as the VGGFace2 weights of HSE_FaceRec_tf are.

Paper: Howard et al. 2017 (arXiv 1704.04861). Those weights were trained in TensorFlow, whose SAME
padding with stride 2 puts the odd row and column at the bottom and the right; symmetric padding
would shift every map by a pixel. Where the weights expect RGB 0-255, flipped to BGR minus
(103.939, 116.779, 123.68), that is the preprocessing's concern, not the net's.

Deviations: dropout and classifier are ours. ``in_channels = 1`` makes a stem for gray images;
whoever loads a three-channel file sums its stem over the input channels.
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError

STEM = 32
# (channels, stride) of the depthwise-separable blocks
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: the output has ceil(side / stride) places."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # (N, C, H, W) -> (N, C', H', W')
        """Pad with zeros, the odd one last, and convolve."""
        totals = [
            _total_padding(int(side), kernel, stride)
            for side, kernel, stride in zip(
                input.shape[2:], self.kernel_size, self.stride, strict=True
            )
        ]
        top, left = (total // 2 for total in totals)
        if self.training and torch.is_autocast_enabled("cpu") and self._skips_places(totals):
            # oneDNN needs up to 15 times as long for the backward pass of a depthwise convolution
            # with stride 2 in bfloat16 (measured with torch 2.13) as for stride 1.
            whole = F.conv2d(input, self.weight, self.bias, 1, 1, 1, self.groups)
            return whole[:, :, 1 - top :: 2, 1 - left :: 2]
        if not any(total % 2 for total in totals):
            size = (self.stride, (top, left), self.dilation, self.groups)
            return F.conv2d(input, self.weight, self.bias, *size)
        bottom, right = (total - total // 2 for total in totals)
        return super().forward(F.pad(input, (left, right, top, bottom)))

    def _skips_places(self, totals: list[int]) -> bool:
        """Return whether this is a depthwise 3 x 3 convolution with stride 2."""
        shape = (self.kernel_size, self.stride) == ((3, 3), (2, 2))
        return shape and self.groups == self.in_channels > 1 and min(totals) >= 1


def _total_padding(side: int, kernel: int, stride: int) -> int:
    return max((-(-side // stride) - 1) * stride + kernel - side, 0)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    conv = SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class MobileNetTrunk(nn.Module):
    """Stem and 13 blocks; its state is exactly the weight file's.

    Args:
        in_channels: 1 gray, 3 RGB.
        depth: How many of the 13 blocks there are.
        fixed: So many of the first blocks, and the stem, are never trained: they keep the weights
            and norms that they start with.
    """

    def __init__(self, in_channels: int, depth: int = len(BLOCKS), fixed: int = 0) -> None:
        super().__init__()
        self.fixed = fixed
        self.stem = _conv(in_channels, STEM, 3, 2)
        blocks: list[nn.Module] = []  # 2i is depthwise, 2i + 1 pointwise
        channels = STEM
        for width, stride in BLOCKS[:depth]:
            blocks += [_conv(channels, channels, 3, stride, groups=channels)]
            blocks += [_conv(channels, width, 1)]
            channels = width
        self.blocks = nn.Sequential(*blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # fan-out would count depthwise kernels C times
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        for layer in self._parts()[0]:
            layer.requires_grad_(requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, 1024, ceil(H/32), ceil(W/32))
        """Return maps of the last block, in [0, 6]."""
        fixed, others = self._parts()
        with torch.set_grad_enabled(torch.is_grad_enabled() and not fixed):
            for layer in fixed:
                x = F.relu6(layer(x))
        for layer in others:
            x = F.relu6(layer(x))
        return x

    def _parts(self) -> tuple[list[nn.Module], list[nn.Module]]:
        """Return the layers that are never trained, and the others."""
        layers = [self.stem, *self.blocks]
        cut = 2 * self.fixed + 1 if self.fixed else 0
        return layers[:cut], layers[cut:]

    def train(self, mode: bool = True) -> Self:
        """Set the mode; layers that are never trained stay in evaluation mode."""
        super().train(mode)
        for layer in self._parts()[0]:
            layer.eval()
        return self


class MobileNetV1(nn.Module):
    """The trunk, its mean over places, dropout and classifier; any input size works.

    Args:
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB.
        dropout: Before the classifier.
        depth: How many of the 13 blocks there are.
        fixed: How many of them are never trained.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        dropout: float,
        depth: int = len(BLOCKS),
        fixed: int = 0,
    ) -> None:
        super().__init__()
        self.trunk = MobileNetTrunk(in_channels, depth, fixed)
        self.depth = depth
        self.num_features = BLOCKS[depth - 1][0]
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.num_features, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, 1024)
        """Pooled features, after dropout."""
        features: Tensor = self.dropout(self.trunk(x).mean((2, 3)))
        return features

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


def build_mobilenet_v1(
    *,
    num_classes: int = 7,
    in_channels: int = 1,
    dropout: float = 0.2,
    depth: int = len(BLOCKS),
    fixed: int = 0,
) -> MobileNetV1:
    """3,213,575 parameters, 3,214,151 with three channels; meant for 96 px and more.

    With ``depth`` below 13 the last blocks are missing; the last one alone holds a third of the
    parameters.

    Raises:
        ExperimentError: When ``depth`` is not 1 to 13, or ``fixed`` not below it.
    """
    if not 1 <= depth <= len(BLOCKS):
        raise ExperimentError(f"[net] depth: expected 1 to {len(BLOCKS)}, got {depth}")
    if not 0 <= fixed < depth:
        raise ExperimentError(f"[net] fixed: expected 0 to {depth - 1}, got {fixed}")
    return MobileNetV1(
        num_classes=num_classes,
        in_channels=in_channels,
        dropout=dropout,
        depth=depth,
        fixed=fixed,
    )
