"""All nets by name. A new family is one file and one line here; the contract tests find it."""

from collections.abc import Callable

from torch import nn

from pyojeong.core.errors import ModelUnknown
from pyojeong.lab.nets.se_resnet import build_se_resnet

NETS: dict[str, Callable[..., nn.Module]] = {
    "se_resnet": build_se_resnet,
}


def build_net(name: str, **options: object) -> nn.Module:
    """Build a net by name.

    Every net takes ``num_classes`` and ``in_channels`` and offers ``forward`` (logits),
    ``forward_features`` (N, ``num_features``) and ``classifier``.

    Raises:
        ModelUnknown: With the nearest names.
        TypeError: When the builder does not know an option.
    """
    if name not in NETS:
        raise ModelUnknown(name, NETS, kind="net")
    return NETS[name](**options)
