"""Backbones of the timm library with a new head: MobileNets, EfficientNets, Inception-ResNet v2.

Papers: MobileNet V1 (arXiv 1704.04861), V2 (1801.04381), V3 (1905.02244), EfficientNet
(1905.11946), Inception-ResNet v2 (1602.07261). timm's graphs are used as they are.

The heads are the students' of 2021: ``"plain"`` is mean over the map, dropout, classifier;
``"dnn"`` puts dropout, a dense layer of 512 with ReLU and a second dropout in between; ``"conv"``
is the head inspired by Schoneveld et al. 2021 (arXiv 2103.09154): a 1x1 convolution to 512, a 3x3
one to 256, each with batch norm and ReLU, mean, dense 256. The widths of the latter two are ours.

A gray image goes in as one channel; where weights for three are loaded, the first kernel is
summed over them, which gives what the gray image repeated three times would have given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError, MissingExtra

SMALLEST = {"inception_resnet_v2": 75}
"""Smallest side of the input in pixels, where there is one above 32 (no padding in the stem)."""

HEADS = ("plain", "dnn", "conv")

TIMM = {
    "mobilenet_v1": "mobilenetv1_100",
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
    "efficientnet_lite0": "tf_efficientnet_lite0",
    **{f"efficientnet_b{i}": f"tf_efficientnet_b{i}" for i in range(8)},
    "inception_resnet_v2": "inception_resnet_v2",
}
"""Our names -> timm's."""


@dataclass(frozen=True, slots=True)
class TrunkFacts:
    """What a head and a message need to know of a trunk.

    Attributes:
        name: Our name of it.
        maps: Channels of its last maps.
        pooled: Features after timm's own pooling (V3 widens there).
        smallest: Smallest side of the input in pixels.
    """

    name: str
    maps: int
    pooled: int
    smallest: int


class Backbone(nn.Module):
    """A timm trunk and a head.

    Args:
        trunk: Gives maps (N, F, h, w) from ``forward_features`` and pools them in
            ``forward_head(..., pre_logits=True)``.
        facts: What is known of the trunk.
        num_classes: Number of logits.
        head: One of ``HEADS``.
        dropout: Before the classifier; with ``"dnn"`` before the dense layer as well.
        first_dropout: Before the dense layer, when it differs (``"dnn"``).
    """

    def __init__(
        self,
        trunk: nn.Module,
        *,
        facts: TrunkFacts,
        num_classes: int,
        head: str,
        dropout: float,
        first_dropout: float | None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.facts, self.head = facts, head
        maps, pooled = facts.maps, facts.pooled
        self.neck: nn.Module = nn.Identity()
        features = pooled
        if head == "dnn":
            first = dropout if first_dropout is None else first_dropout
            self.neck = nn.Sequential(nn.Dropout(first), nn.Linear(pooled, 512), nn.ReLU())
            features = 512
        elif head == "conv":
            self.neck = nn.Sequential(
                nn.Sequential(nn.Conv2d(maps, 512, 1, bias=False), nn.BatchNorm2d(512)),
                nn.ReLU(),
                nn.Sequential(nn.Conv2d(512, 256, 3, 1, 1, bias=False), nn.BatchNorm2d(256)),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(256, 256),
                nn.ReLU(),
            )
            features = 256
        self.num_features = features
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(features, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_features)
        """Pooled features, after dropout."""
        smallest = self.facts.smallest
        if min(int(s) for s in x.shape[2:]) < smallest:
            raise ExperimentError(
                f"{self.facts.name} needs images of at least {smallest} x {smallest} pixels, "
                f"got {int(x.shape[2])} x {int(x.shape[3])}: set [preprocess] size_hw"
            )
        maps = self.trunk.forward_features(x)  # type: ignore[operator]
        if self.head != "conv":
            maps = self.trunk.forward_head(maps, pre_logits=True)  # type: ignore[operator]
        features: Tensor = self.dropout(self.neck(maps))
        return features

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


def build_backbone(
    name: str,
    *,
    num_classes: int = 7,
    in_channels: int = 3,
    head: str = "plain",
    dropout: float = 0.5,
    first_dropout: float | None = None,
    download: bool = False,
) -> Backbone:
    """Return a backbone by our name (key of ``TIMM``).

    Args:
        name: Which.
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB.
        head: One of ``HEADS``.
        dropout: Before the classifier.
        first_dropout: Before the dense layer of ``"dnn"``; None = ``dropout``.
        download: Let timm fetch its ImageNet weights (machines with a network).

    Raises:
        ExperimentError: When the head is unknown, or weights could not be fetched.
        MissingExtra: When timm is not installed.
    """
    if head not in HEADS:
        raise ExperimentError(f"[net] head {head!r} is unknown: Known: {', '.join(HEADS)}.")
    try:
        import timm
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the net {name}", "train") from error
    try:
        trunk = timm.create_model(
            TIMM[name], pretrained=download, num_classes=0, in_chans=in_channels
        )
    except (OSError, RuntimeError) as error:
        if not download:
            raise
        raise ExperimentError(
            f"timm could not fetch the weights of {TIMM[name]} ({type(error).__name__}): this "
            "machine has no network or no access; set [net] download = false, or use `pretrained`"
        ) from error
    smallest = SMALLEST.get(name, 32)
    with torch.no_grad():
        maps = trunk.eval().forward_features(torch.zeros(1, in_channels, smallest, smallest))
        pooled = trunk.forward_head(maps, pre_logits=True).shape[1]
    return Backbone(
        trunk.train(),
        facts=TrunkFacts(name, int(maps.shape[1]), int(pooled), smallest),
        num_classes=num_classes,
        head=head,
        dropout=dropout,
        first_dropout=first_dropout,
    )


BACKBONES: dict[str, Callable[..., nn.Module]] = {
    name: partial(build_backbone, name) for name in TIMM
}
"""Builder per name."""
