"""Images of more than eight bits a channel: scaled to eight by what they hold.

Cameras and microscopes write 10 or 12 bits into files of 16. By the file's own range such an image
is black; by the range of its values it is what was seen.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from pyojeong.core.face import Image
from pyojeong.image.png_chunks import png_bits

_NARROW = (8, 10, 12)
"""Ranges that are recognised in files of 16 bits; all else is taken for the file's own range."""
_DARK = 15
"""Largest top byte of 12-bit values."""
_BITS_PER_SAMPLE = 258
_ORIENTATION = 0x0112

Remark = Callable[[str], None]
"""Called with a line about what was done with an image."""


def to_eight_bits(picture: PilImage.Image, remark: Remark) -> PilImage.Image:
    """Return a gray image of 16 bits, 32 bits or floats as one of eight bits.

    Args:
        picture: Of a mode that begins with ``I``, or ``F``.
        remark: Called when the values were scaled by a smaller range than the file's.
    """
    values = np.asarray(picture).astype(np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(values.max()) if values.size else 0.0
    sixteen = picture.mode.startswith("I;16")
    if sixteen or (picture.mode == "I" and 255 < largest <= 65_535):
        values = values * 255 / _range(largest, remark)
    elif largest > 255:
        values = values / 257.0 if largest <= 65_535 else values * (255 / largest)
    elif picture.mode == "F" and values.size and largest <= 1:
        values = values * 255
    return PilImage.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _range(largest: float, remark: Remark) -> int:
    """Return the value that is white."""
    bits = next((b for b in _NARROW if 0 < largest < 2**b), 16)
    if bits != 16:
        remark(
            f"its 16-bit values reach {largest:.0f} only: read as {bits}-bit values, scaled by "
            f"{2**bits - 1}"
        )
    return int(2**bits - 1)


def deep_colors(
    picture: PilImage.Image, data: bytes, top_bytes: Image, remark: Remark
) -> PilImage.Image | None:
    """Return a colour image of 16 bits a channel by the range of its values.

    Args:
        picture: As Pillow opened it, which keeps the top byte of each channel.
        data: The file.
        top_bytes: Its pixels, uint8 (H, W, 3).
        remark: Called when the values were scaled by a smaller range than the file's.

    Returns:
        The image, with the orientation of ``picture``; None when the top bytes are right.
    """
    # Transparent parts are white in the top bytes, so that these say nothing.
    bright = "A" not in picture.getbands() and top_bytes.max() > _DARK
    if bright or not _is_deep(picture, data):
        return None
    values = _sixteen_bits(data)
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] < 3:
        return None
    largest = float(values[..., :3].max())
    if not 0 < largest < 2 ** _NARROW[-1]:
        return None
    scaled = np.rint(values[..., :3] * (255.0 / _range(largest, remark)))
    channels = np.clip(scaled, 0, 255).astype(np.uint8)[..., ::-1]
    if values.shape[2] == 4:  # transparency keeps the range of the file
        alpha = np.rint(values[..., 3:] / 257).astype(np.uint8)
        channels = np.concatenate([channels, alpha], axis=2)
    out = PilImage.fromarray(np.ascontiguousarray(channels))
    turn = picture.getexif().get(_ORIENTATION)
    if turn is not None:
        out.getexif()[_ORIENTATION] = turn
    return out


def _is_deep(picture: PilImage.Image, data: bytes) -> bool:
    if picture.format == "PNG":
        return png_bits(data) == 16
    if picture.format == "PPM":
        return data[:2] in {b"P6", b"P3"}
    bits: Any = getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())
    return picture.format == "TIFF" and len(bits) >= 3 and set(bits) == {16}


def _sixteen_bits(data: bytes) -> NDArray[Any] | None:
    """Return the values as OpenCV reads them: (H, W, 3 or 4) with blue first."""
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
