"""All nets by name, and what each of them offers; the contract tests find them here."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from pyojeong.core.errors import ModelUnknown
from pyojeong.core.registry import Registry, build
from pyojeong.training.nets.alizadeh_fazel import build_alizadeh_fazel
from pyojeong.training.nets.backbones import BACKBONES
from pyojeong.training.nets.columns import Columns, split_options
from pyojeong.training.nets.mlcnn import build_mlcnn, build_mlcnn_lite, build_mlcnn_stack
from pyojeong.training.nets.mobilenet_v1 import build_mobilenet_v1
from pyojeong.training.nets.se_resnet import build_se_resnet
from pyojeong.training.nets.seed_baseline import build_seed_baseline
from pyojeong.training.nets.vgg import build_vgg
from pyojeong.training.nets.yu_zhang import build_yu_zhang


def build_columns(
    *,
    num_classes: int = 7,
    in_channels: int = 1,
    columns: Sequence[dict[str, Any]] = ({"name": "se_resnet"}, {"name": "vgg"}),
) -> Columns:
    """Nets side by side; see ``training.nets.columns``.

    Args:
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB.
        columns: Each a net's ``name``, its options and those of its ``Lens``; nets that are made
            for one input size need ``size_hw`` among them.
    """
    names, lenses, options = zip(*split_options(columns), strict=True) if columns else ((), (), ())
    nets = [
        build_net(name, num_classes=num_classes, in_channels=in_channels, **rest)
        for name, rest in zip(names, options, strict=True)
    ]
    return Columns(nets, num_classes=num_classes, lenses=lenses)


_OWN: dict[str, Callable[..., nn.Module]] = {
    "se_resnet": build_se_resnet,
    "vgg": build_vgg,
    "seed_baseline": build_seed_baseline,
    "alizadeh_fazel": build_alizadeh_fazel,
    "yu_zhang": build_yu_zhang,
    "mlcnn": build_mlcnn,
    "mlcnn_lite": build_mlcnn_lite,
    "mlcnn_stack": build_mlcnn_stack,
    "mobilenet_v1_face": build_mobilenet_v1,
    "columns": build_columns,
    **BACKBONES,
}

NETS: Registry[Callable[..., nn.Module]] = Registry("net", "pyojeong.nets", _OWN)
"""Name -> builder of a ``Net``. A new net is one file in this folder and one line in ``_OWN``."""

STACKED = ("mlcnn_stack", "columns")
"""Nets that take over the weights of others; they have ``adopt``."""


def build_net(name: str, **options: object) -> nn.Module:
    """Build a net by name.

    Args:
        name: A name in ``NETS``.
        options: Of its builder; see ``Net``.

    Raises:
        ModelUnknown: With the nearest names.
        TypeError: When the builder does not know an option.
    """
    if name not in NETS:
        raise ModelUnknown(name, NETS, kind="net")
    return build(NETS, name, options)
