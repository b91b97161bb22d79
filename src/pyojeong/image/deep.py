"""Images of more than eight bits a channel: scaled to eight by what they hold.

Cameras and microscopes write 10, 12 or 14 bits into files of 16. By the file's own range such an
image is black; by the range of its values it is what was seen.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from pyojeong.core.errors import ImageUnreadable
from pyojeong.core.face import Image
from pyojeong.image.png_chunks import png_bits

_STRIP = 1 << 20
"""Values that are worked on at once."""
_DEPTHS = range(8, 16)
"""Bits that are recognised in files of 16 by the largest value."""
_DARK = 127
"""Largest top byte of 15-bit values."""
_OVEREXPOSED = 16
"""Floats up to this have 1 for white; more than that are the values of integers."""
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC, _SAMPLE_FORMAT = 262, 339
_SUBFILE_TYPE, _SUB_IMAGES, _DNG_VERSION = 254, 330, 50706
_ORIENTATION = 0x0112

Remark = Callable[[str], None]
"""Called with a line about what was done with an image."""


def to_eight_bits(
    picture: PilImage.Image, remark: Remark, name: str, *, tags: Mapping[int, Any] | None = None
) -> PilImage.Image:
    """Return a gray image of 16 bits, 32 bits or floats as one of eight bits.

    Args:
        picture: Of a mode that begins with ``I``, or ``F``.
        tags: Of a TIFF file: values may be unsigned, and 0 may be white.
        remark: Called when the values were scaled by a smaller range than the file's, and when
            some are no numbers or negative.
        name: Its name in messages.

    Raises:
        ImageUnreadable: When no value is a finite number.
    """
    values = np.asarray(picture)
    known = tags or {}
    if picture.mode == "I" and known.get(_BITS_PER_SAMPLE) == (32,) and _unsigned(known):
        values = values.view(np.uint32)  # Pillow has no such mode
    largest = _largest(values, remark, name)
    sixteen = picture.mode.startswith("I;16")
    factor = 1.0
    if sixteen or 255 < largest <= 65_535:
        factor = 255 / _range(largest, remark)
    elif largest > 255 or (picture.mode == "F" and 1 < largest <= _OVEREXPOSED):
        shown = f"{largest:.0f}" if largest > 255 else f"{largest:.3g}"
        remark(f"its values reach {shown}: scaled by that")
        factor = 255 / largest
    elif picture.mode == "F" and 0 < largest <= 1:
        factor = 255.0
    out = _scaled(values, factor)
    if known.get(_PHOTOMETRIC) == 0:
        remark("0 is white in it: inverted")
        out = 255 - out
    return PilImage.fromarray(out)


def _unsigned(tags: Mapping[int, Any]) -> bool:
    return tags.get(_SAMPLE_FORMAT, (1,)) in {1, (1,)}


def is_camera_raw(tags: Mapping[int, Any]) -> bool:
    """Return whether a TIFF file is a raw file of a camera (DNG, NEF, CR2, ARW ...).

    Its first image is a preview, and the sensor's values lie in an image below it.
    """
    preview = bool(int(tags.get(_SUBFILE_TYPE, 0) or 0) & 1)
    return _DNG_VERSION in tags or (preview and _SUB_IMAGES in tags)


def has_signed_bytes(tags: Mapping[int, Any]) -> bool:
    """Return whether a TIFF file holds signed bytes, which Pillow reads as unsigned ones."""
    return tags.get(_SAMPLE_FORMAT) in {2, (2,)} and 8 in tags.get(_BITS_PER_SAMPLE, ())


def _strips(values: NDArray[Any]) -> Iterator[slice]:
    """Yield parts of the rows, so that no copy of a large image is made."""
    rows = max(_STRIP // max(values[:1].size, 1), 1)
    for start in range(0, len(values), rows):
        yield slice(start, start + rows)


def _scaled(values: NDArray[Any], factor: float) -> NDArray[np.uint8]:
    """Return values times a factor, rounded, in eight bits; 0 for what is no number."""
    out = np.empty(values.shape, np.uint8)
    for part in _strips(values):
        numbers = values[part].astype(np.float64)
        numbers[~np.isfinite(numbers)] = 0
        out[part] = np.clip(np.rint(numbers * factor), 0, 255).astype(np.uint8)
    return out


def _largest(values: NDArray[Any], remark: Remark, name: str) -> float:
    """Return the largest value; how many are no numbers or negative is said.

    Raises:
        ImageUnreadable: When no value is a finite number.
    """
    known = negative = 0
    largest = -np.inf
    for part in _strips(values):
        numbers = values[part]
        numbers = numbers[np.isfinite(numbers)]
        known += numbers.size
        negative += int((numbers < 0).sum())
        if numbers.size:
            largest = max(largest, float(numbers.max()))
    if values.size and not known:
        raise ImageUnreadable(f"{name}: not one of its values is a finite number; export it again")
    lost = values.size - known
    for what, count in (("are no finite numbers", lost), ("are negative", negative)):
        if count:
            remark(f"{max(count / values.size, 0.001):.1%} of its values {what}: read as black")
    return max(largest, 0.0) if lost else (largest if known else 0.0)


def _range(largest: float, remark: Remark) -> int:
    """Return the value that is white."""
    bits = next((b for b in _DEPTHS if 0 < largest < 2**b), 16)
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
    if bright or not _has_deep_colors(picture, data):
        return None
    values = _sixteen_bits(data)
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] < 3:
        return None
    largest = float(values[..., :3].max())
    if not 0 < largest < 2 ** _DEPTHS[-1]:
        return None
    white = _range(largest, remark)
    channels = _scaled(values[..., :3], 255.0 / white)[..., ::-1]
    if values.shape[2] == 4:
        # Transparency keeps the range of the file, unless white is its largest value too.
        opaque = white if values[..., 3].max() == white else 65_535
        alpha = _scaled(values[..., 3:], 255.0 / opaque)
        channels = np.concatenate([channels, alpha], axis=2)
    out = PilImage.fromarray(np.ascontiguousarray(channels))
    turn = picture.getexif().get(_ORIENTATION)
    if turn is not None:
        out.getexif()[_ORIENTATION] = turn
    return out


def is_deep(picture: PilImage.Image, data: bytes) -> bool:
    """Return whether an open image has more than eight bits a channel."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        return True
    return _has_deep_colors(picture, data)


def _has_deep_colors(picture: PilImage.Image, data: bytes) -> bool:
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
