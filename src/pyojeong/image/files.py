"""Reading images from wherever they are, and writing them whole or not at all.

Everything that leaves this file is uint8 (H, W, 3) RGB, upright (EXIF turn applied), with
transparency laid on white.
"""

import io
import logging
import os
import stat
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageOps, UnidentifiedImageError

from pyojeong.core.addresses import is_address, without_password
from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import BadArray, ImageUnreadable, ImageWarning
from pyojeong.core.face import Image
from pyojeong.core.file_search import is_file
from pyojeong.image.deep import (
    Remark,
    deep_colors,
    has_signed_bytes,
    is_camera_raw,
    is_deep,
    to_eight_bits,
)
from pyojeong.image.formats import prepare_for, why_no_image
from pyojeong.image.png_chunks import without_large_text
from pyojeong.image.quiet_pillow import quiet_pillow
from pyojeong.image.torn import load_pixels, read_torn_jpeg

MAX_PIXELS = 200_000_000
"""Images that would unpack to more pixels are refused (a decompression bomb, or a mistake)."""
MAX_DEEP_PIXELS = 60_000_000
"""The same for images of more than eight bits a channel, which take up to four times the memory."""
MAX_BYTES = 1_000_000_000
"""Larger files are refused before they are read."""
MAX_SCAN_PIXELS = 4_000_000_000
"""Progressive JPEG files are decoded in scans: limit of scans times pixels, about ten seconds."""

# Pillow refuses images of more than twice its own limit of 89 million pixels.
if PilImage.MAX_IMAGE_PIXELS is not None:
    PilImage.MAX_IMAGE_PIXELS = max(PilImage.MAX_IMAGE_PIXELS, MAX_PIXELS // 2)

_STRIP_PIXELS = 2_000_000
_PART = 1 << 20
# Pillow logs what it cannot decode; the error of the image says it in one line.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_ORIENTATION = 0x0112  # EXIF's tag
_INVISIBLE = 1  # of 255
_LONGEST_SHOWN = 200  # characters of an address

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "HEIF", "AVIF")
"""What is decoded. Pillow knows more, but hands EPS to an external program, for instance."""
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})


def read_image(
    path: str | os.PathLike[str],
    *,
    max_pixels: int = MAX_PIXELS,
    notes: list[str] | None = None,
) -> Image:
    """Read an image file: any mode, first frame of an animation, upright.

    Args:
        path: The file.
        max_pixels: Larger images are refused before they are unpacked.
        notes: Gets a line for everything that is doubtful: a file that breaks off, 12-bit values
            in a 16-bit file, further frames. None = they are warnings (``ImageWarning``).

    Raises:
        ImageUnreadable: When it is missing, empty, damaged, too large or not an image.
    """
    named = os.fspath(path)
    if isinstance(named, str) and is_address(named) and not is_file(named):
        raise ImageUnreadable(
            f"{without_password(named)[:_LONGEST_SHOWN]}: is an address, and nothing is "
            "downloaded; download the image first, or add --remote (remote=True)"
        )
    path = Path(path)
    try:
        data = _bytes_of(path)
    except FileNotFoundError:
        raise ImageUnreadable(f"{path}: no such file") from None
    except MemoryError:
        raise no_memory(str(path)) from None
    except IsADirectoryError:
        raise ImageUnreadable(f"{path}: is a folder, not an image") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise ImageUnreadable(f"{path}: could not be read: {reason}") from error
    return decode_image(data, name=str(path), max_pixels=max_pixels, notes=notes)


def _bytes_of(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        ImageUnreadable: When it is no ordinary file, or larger than ``MAX_BYTES``.
        OSError: When it could not be read.
    """
    with open(path, "rb", buffering=0, opener=_without_waiting) as file:
        mode = os.fstat(file.fileno())
        regular = stat.S_ISREG(mode.st_mode)
        if not regular and not _is_stream(path):
            raise ImageUnreadable(f"{path}: is a pipe, socket or device, not an image file")
        size = mode.st_size
        if regular and size <= MAX_BYTES:
            data = file.read(size) or b""
        elif not regular:
            os.set_blocking(file.fileno(), True)
            data = b"".join(iter(lambda: file.read(_PART) or b"", b""))
            size = len(data)
    if size > MAX_BYTES:
        raise ImageUnreadable(
            f"{path}: has more than the limit of {MAX_BYTES / 1e6:.0f} million bytes; save it in "
            "another format"
        )
    return data


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes to is not waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_stream(path: Path) -> bool:
    """Return whether a path stands for an open file of this process."""
    return os.fspath(path).startswith(("/dev/fd/", "/proc/", "/dev/stdin"))


def decode_image(
    data: bytes,
    *,
    name: str = "<bytes>",
    max_pixels: int = MAX_PIXELS,
    notes: list[str] | None = None,
) -> Image:
    """Decode an encoded image (JPEG, PNG, ...) held in memory; see ``read_image``."""
    if not data:
        raise ImageUnreadable(f"{name}: the file is empty (0 bytes)")
    lines: list[str] = []
    try:
        prepare_for(data, name)
        image = _decoded(without_large_text(data), name, max_pixels, lines.append)
    except MemoryError:
        raise no_memory(name) from None
    if notes is not None:
        notes += lines
    else:
        for line in lines:
            warnings.warn(ImageWarning(f"{name}: {line}"), stacklevel=2)
    return image


def _decoded(data: bytes, name: str, max_pixels: int, remark: Remark) -> Image:
    PilImage.init()
    formats = [f for f in _FORMATS if f in PilImage.OPEN]
    with _explained(name, data), PilImage.open(io.BytesIO(data), formats=formats) as picture:
        _check_size(picture, name, max_pixels)
        _check_cost(picture, data, name)
        broken = load_pixels(picture)
        if broken is not None:
            torn = read_torn_jpeg(data, remark)
            if torn is None:
                raise broken
            return from_pil(torn, name=name, max_pixels=max_pixels, remark=remark)
        image = from_pil(picture, name=name, max_pixels=max_pixels, remark=remark)
        deep = deep_colors(picture, data, image, remark)
        if deep is not None:
            image = from_pil(deep, name=name, max_pixels=max_pixels)
        with suppress(Exception):  # frames behind the first one may be damaged
            _count_frames(picture, remark)
        return image


def _count_frames(picture: PilImage.Image, remark: Remark) -> None:
    """Say that a file holds more than the image that is read."""
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format == "HEIF":
        remark(f"holds {frames} images: the main one is read")
    if frames > 1 and picture.format == "TIFF":
        remark(f"holds {frames} pages: the first one is read")
    elif frames > 1 and picture.format in _ANIMATED:
        remark(
            f"is an animation of {frames} frames: the first one is read; "
            "`pyojeong video` reads them all"
        )


def no_memory(name: str) -> ImageUnreadable:
    """Return the error of an image that needs more memory than there is."""
    return ImageUnreadable(f"{name}: does not fit in memory; shrink it first, or free memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether Python, NumPy or OpenCV had too little memory for one image."""
    if isinstance(error, cv2.error):
        return getattr(error, "code", None) == cv2.Error.STS_NO_MEM
    return isinstance(error, MemoryError)


@contextmanager
def _explained(name: str, data: bytes = b"") -> Iterator[None]:
    """Turn whatever Pillow raises into ``ImageUnreadable``, and keep its warnings quiet."""
    try:
        with quiet_pillow():
            yield
    except ImageUnreadable:
        raise
    except UnidentifiedImageError:
        raise ImageUnreadable(f"{name}: {why_no_image(data)}") from None
    except PilImage.DecompressionBombError:
        raise ImageUnreadable(f"{name}: is too large to unpack safely") from None
    except MemoryError:
        raise no_memory(name) from None
    # Pillow's decoders raise many kinds (struct.error, EOFError, ZeroDivisionError ...) on
    # damaged bytes; all of them mean one thing to the caller.
    except Exception as error:
        raise ImageUnreadable(
            f"{name}: damaged or incomplete ({error}); copy or download it again"
        ) from error


def _check_size(picture: PilImage.Image, name: str, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        raise ImageUnreadable(
            f"{name}: {width} x {height} is more than the limit of {max_pixels / 1e6:.0f} million "
            "pixels; shrink it first"
        )


def _check_cost(picture: PilImage.Image, data: bytes, name: str) -> None:
    """Refuse images that would take far more memory or time than their pixels say.

    And those of which Pillow makes others: TIFF files with signed bytes.
    """
    if is_camera_raw(getattr(picture, "tag_v2", None) or {}):
        raise ImageUnreadable(
            f"{name}: is a raw file of a camera, of which only a preview could be read; convert it "
            "to JPEG or TIFF"
        )
    if has_signed_bytes(getattr(picture, "tag_v2", None) or {}):
        raise ImageUnreadable(f"{name}: holds signed values; save it with unsigned ones")
    pixels = picture.size[0] * picture.size[1]
    if pixels > MAX_DEEP_PIXELS and is_deep(picture, data):
        raise ImageUnreadable(
            f"{name}: {picture.size[0]} x {picture.size[1]} with more than 8 bits a channel is "
            f"more than the limit of {MAX_DEEP_PIXELS / 1e6:.0f} million pixels; shrink it first, "
            "or save it with 8 bits"
        )
    if picture.format == "JPEG" and "progressive" in picture.info:
        scans = data.count(b"\xff\xda")
        if scans * pixels > MAX_SCAN_PIXELS:
            raise ImageUnreadable(
                f"{name}: a JPEG of {picture.size[0]} x {picture.size[1]} pixels in {scans} scans "
                "takes too long to decode; save it again"
            )


def _unremarked(_line: str) -> None:
    """Drop a remark: PIL images and arrays have none."""


def from_pil(
    picture: PilImage.Image,
    *,
    name: str = "<PIL image>",
    max_pixels: int = MAX_PIXELS,
    remark: Remark = _unremarked,
) -> Image:
    """Return a PIL image of any mode as upright RGB.

    Args:
        picture: The image.
        name: Its name in messages.
        max_pixels: Larger images are refused.
        remark: Called with a line when 16-bit values were scaled by a smaller range.

    Raises:
        ImageUnreadable: When it is too large, or its file turns out damaged.
    """
    _check_size(picture, name, max_pixels)
    with _explained(name):
        # Copies are made only where something changes: 200 megapixels are 600 MB.
        turned = picture.getexif().get(_ORIENTATION, 1) != 1
        upright = (ImageOps.exif_transpose(picture) or picture) if turned else picture
        tags = getattr(picture, "tag_v2", None)
        return _pixels(_to_rgb(upright, remark, name, tags))


def _pixels(picture: PilImage.Image) -> Image:
    """Return the pixels of an RGB image; in strips, because Pillow copies them twice."""
    width, height = picture.size
    rows = max(_STRIP_PIXELS // max(width, 1), 1)
    if rows >= height:
        return np.ascontiguousarray(np.asarray(picture, np.uint8))
    out = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        out[top:bottom] = np.asarray(picture.crop((0, top, width, bottom)), np.uint8)
    return out


def pixels_stated(path: str | os.PathLike[str]) -> int:
    """Return how many pixels an image file says it has; 0 when that could not be read."""
    try:
        with quiet_pillow(), PilImage.open(path) as picture:
            return picture.size[0] * picture.size[1]
    except Exception:  # whoever decodes it says what is wrong
        return 0


def _to_rgb(
    picture: PilImage.Image, remark: Remark, name: str, tags: Mapping[int, Any] | None
) -> PilImage.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = to_eight_bits(picture, remark, name, tags=tags)
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        if _is_invisible(rgba):
            if picture.format == "BMP":  # capture tools leave the fourth byte of a pixel unused
                remark("every pixel is transparent: the colours are read without transparency")
                return rgba.convert("RGB")
            remark("every pixel is transparent: it is read as white")
        white = PilImage.new("RGBA", rgba.size, (255, 255, 255, 255))
        picture = PilImage.alpha_composite(white, rgba)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _is_invisible(rgba: PilImage.Image) -> bool:
    return int(np.asarray(rgba.getchannel("A")).max(initial=0)) <= _INVISIBLE


def check_image(array: NDArray[Any], *, what: str = "image") -> Image:
    """Return an array as uint8 (H, W, 3) RGB, contiguous; gray is repeated over three channels.

    Raises:
        BadArray: When dtype or shape are something else, or it is empty.
    """
    if not isinstance(array, np.ndarray):
        raise BadArray(what, expected="a NumPy array", got=type(array).__name__)
    if array.dtype != np.uint8:
        cure = "Scale to 0..255 and convert with .astype(numpy.uint8)."
        if array.dtype.kind in "iu":
            cure = "Convert with .astype(numpy.uint8) if its values are 0..255."
        raise BadArray(what, expected="dtype uint8", got=str(array.dtype), cure=cure)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        cure = "Pass one image as RGB (H, W, 3) or gray (H, W)."
        if array.ndim == 3 and array.shape[2] == 4:
            cure = "Leave the alpha channel out: image[..., :3]."
        raise BadArray(what, expected="shape (H, W, 3)", got=str(array.shape), cure=cure)
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise BadArray(what, expected=f"at most {MAX_PIXELS} pixels", got=str(array.shape))
    return np.ascontiguousarray(array)


def write_image(path: Path, image: Image) -> None:
    """Write RGB pixels as PNG or JPEG (by the ending), whole or not at all.

    Raises:
        OutputError: When it could not be written.
    """
    kind = "JPEG" if path.suffix.lower() in {".jpg", ".jpeg"} else "PNG"
    options: dict[str, Any] = {"quality": 92} if kind == "JPEG" else {}
    encoded = io.BytesIO()  # encoders do not notice every error of a full disk
    PilImage.fromarray(image).save(encoded, kind, **options)
    with atomic_write(path) as file:
        file.write(encoded.getbuffer())
