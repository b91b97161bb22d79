"""Load images from paths, bytes, files, data URLs, PIL images, arrays and tensors."""

import base64
import binascii
import os
import re
from typing import Any, TypeGuard
from urllib.parse import unquote_to_bytes

import numpy as np
from PIL import Image as PilImage

from pyojeong.core.addresses import is_address, without_password
from pyojeong.core.errors import BadArray, ImageUnreadable
from pyojeong.core.face import Image
from pyojeong.image.files import MAX_BYTES, check_image, decode_image, from_pil, read_image

_TAKEN = (
    "a path, encoded bytes, a binary file, a data URL, a PIL image, a uint8 array or a torch tensor"
)
_LONGEST_NAME = 4096  # of a path on Linux; no system takes longer ones
_BASE64 = re.compile(r"[A-Za-z0-9+/_\s-]{200,}=*\s*")
_SHOWN = 60
_DATA_URL = re.compile(r"data:(?P<kind>[^,;]*)(?P<more>[^,]*),", re.IGNORECASE)


def load_image(source: Any) -> Image:
    """Load an image as an RGB array, upright, with transparency blended on white.

    Args:
        source: A path; encoded bytes (also ``bytearray``, ``memoryview``); a binary file such as
            ``io.BytesIO``; a data URL (``"data:image/png;base64,..."``); a PIL image; a uint8
            array (H, W, 3) RGB or (H, W) gray; or a torch tensor: uint8 (H, W, 3), (3, H, W),
            (1, H, W) or (H, W), or floats in [0, 1] of the last three shapes, as from torchvision.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        ImageUnreadable: When a file or bytes could not be decoded.
        BadArray: When an array or tensor has another dtype, shape or range, or the type is not
            one of these.

    Example:
        >>> from pyojeong import load_image
        >>> load_image("photo.jpg").shape[2]
        3
    """
    return load_named(source)[0]


def is_one_image(source: Any) -> bool:
    """Return whether this is a single image where several are expected."""
    if isinstance(source, np.ndarray) or _is_tensor(source):
        one = source.ndim == 3 and 0 < source.shape[2] <= 3
        return source.ndim < 3 or one or (source.ndim == 3 and _is_tensor(source))
    single = (str, os.PathLike, bytes, bytearray, memoryview, PilImage.Image)
    return isinstance(source, single) or callable(getattr(source, "read", None))


def load_named(source: Any) -> tuple[Image, str]:
    """Return an image, as ``load_image`` does, and a name for it: its path, or ``"<bytes>"``."""
    if isinstance(source, np.ndarray):
        return check_image(source), "<array>"
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        return _from_data_url(text) if _is_data_url(text) else (_from_path(source), text)
    if isinstance(source, bytes | bytearray | memoryview):
        return decode_image(bytes(source)), "<bytes>"
    if isinstance(source, PilImage.Image):
        return from_pil(source), getattr(source, "filename", "") or "<PIL image>"
    if _is_tensor(source):
        return check_image(_array_of(source), what="tensor"), "<tensor>"
    if callable(getattr(source, "read", None)):
        return _from_file(source)
    raise BadArray("image", expected=_TAKEN, got=type(source).__name__)


def image_path(source: Any) -> str | bytes | None:
    """Return the path of an image that is a file on disk; None for all else."""
    if isinstance(source, str | os.PathLike) and not _is_data_url(os.fspath(source)):
        return os.fspath(source)
    return None


def _from_path(source: str | os.PathLike[str]) -> Image:
    text = os.fspath(source)
    if not text:
        raise ImageUnreadable("an empty path: name an image")
    if isinstance(text, str) and not os.path.exists(text):  # noqa: PTH110 - "a://b" may be a file
        if is_address(text):
            raise ImageUnreadable(
                f"{_short(without_password(text))}: is an address, and nothing is downloaded; "
                "fetch it first and pass its bytes"
            )
        if len(text) > _LONGEST_NAME or _BASE64.fullmatch(text):
            raise ImageUnreadable(
                f"{_short(text)}: is no path; decode base64 text with base64.b64decode and pass "
                "the bytes, or pass a data URL that begins with data:image/"
            )
    return read_image(source)


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _is_data_url(text: str | bytes) -> TypeGuard[str]:
    return isinstance(text, str) and text[:5].lower() == "data:" and "," in text


def _from_data_url(text: str) -> tuple[Image, str]:
    name = "<data URL>"
    head = _DATA_URL.match(text)
    if head is None:
        raise ImageUnreadable(f"{_short(text)}: is no data URL; expected data:image/...;base64,...")
    body = text[head.end() :]
    if head["more"].lower().endswith(";base64"):
        try:
            data = base64.b64decode("".join(unquote_to_bytes(body).decode("ascii").split()),
                                    validate=True)  # fmt: skip
        except (binascii.Error, ValueError):
            raise ImageUnreadable(f"{_short(text)}: its base64 text is damaged") from None
    else:
        data = unquote_to_bytes(body)
    return decode_image(data, name=name), name


def _from_file(source: Any) -> tuple[Image, str]:
    name = getattr(source, "name", None)
    name = name if isinstance(name, str) else "<file>"
    try:
        data = source.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ImageUnreadable(f"{name}: could not be read: {error}") from error
    if not isinstance(data, bytes | bytearray | memoryview):
        raise BadArray(
            f"file {name}",
            expected="bytes",
            got=type(data).__name__,
            cure="Open it with mode 'rb'.",
        )
    if len(data) > MAX_BYTES:
        raise ImageUnreadable(f"{name}: has more than {MAX_BYTES / 1e6:.0f} million bytes")
    if not data:
        raise ImageUnreadable(f"{name}: holds no bytes from here on; go back with .seek(0) first")
    return decode_image(bytes(data), name=name), name


def _is_tensor(source: Any) -> bool:
    """Return whether this is a torch tensor; torch is not imported for it."""
    return type(source).__module__.partition(".")[0] == "torch" and hasattr(source, "detach")


def _array_of(tensor: Any) -> Any:
    """Return a tensor as an array (H, W, 3) or (H, W), uint8."""
    array = tensor.detach().cpu().numpy()
    if array.ndim == 3 and array.shape[0] in {1, 3} and array.shape[2] not in {1, 3}:
        array = array.transpose(1, 2, 0)
    if array.dtype.kind != "f":
        return array
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if not (low >= 0 and high <= 1):
        raise BadArray(
            "tensor",
            expected="floats in [0, 1]",
            got=f"{low:.3g} to {high:.3g}",
            cure="Undo the normalisation, or pass a uint8 tensor.",
        )
    return np.rint(array * 255).astype(np.uint8)
