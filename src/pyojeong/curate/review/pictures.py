"""Images for the review page: thumbnails and large ones, by row number, memory bounded."""

import io
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as PilImage

from pyojeong.core.errors import DataError, ImageUnreadable, InputError
from pyojeong.core.face import Image
from pyojeong.datasets.samples import undamaged
from pyojeong.image.files import decode_image, from_pil, read_image
from pyojeong.parquet import open_parquet

THUMBNAIL = 256
LARGE = 1600
"""Longest side in pixels of what is sent; smaller images are sent as they are."""

_THUMBNAIL_BYTES = 96 << 20
_GROUP_BYTES = 192 << 20
_DECODERS = threading.BoundedSemaphore(2)

PLACEHOLDER = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96">\
<rect width="96" height="96" fill="#808890" fill-opacity=".16"/>\
<g fill="none" stroke="#808890" stroke-width="3" stroke-linejoin="round" stroke-linecap="round">\
<path d="M26 24h32l12 12v36H26z"/><path d="M38 46l20 20M58 46L38 66"/></g></svg>"""


class Sent(NamedTuple):
    """An image on its way to the page.

    Attributes:
        data: Encoded.
        media: Its media type.
        lasting: False for the placeholder of an image that could not be read.
    """

    data: bytes
    media: str
    lasting: bool


class _Bounded:
    """Least recently used entries are forgotten beyond a number of bytes; thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._held: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self.bytes = 0

    def get(self, key: Any) -> Any:
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def put(self, key: Any, value: Any, size: int) -> None:
        with self._lock:
            if key in self._held:
                self.bytes -= self._held.pop(key)[1]
            self._held[key] = (value, size)
            self.bytes += size
            while self.bytes > self._limit and len(self._held) > 1:
                self.bytes -= self._held.popitem(last=False)[1][1]


class Pictures:
    """The images of a manifest.

    Args:
        manifest: The ``.parquet`` file.
    """

    def __init__(self, manifest: Path) -> None:
        with open_parquet(manifest) as file:
            sizes = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
        self._manifest = manifest
        self._firsts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._groups = _Bounded(_GROUP_BYTES)
        self._thumbnails = _Bounded(_THUMBNAIL_BYTES)
        self._reading = threading.Lock()

    def cached(self, row: int) -> Sent | None:
        """Return the thumbnail of a row if it is at hand."""
        found = self._thumbnails.get(row)
        return found if isinstance(found, Sent) else None

    def thumbnail(self, row: int) -> Sent:
        """At most ``THUMBNAIL`` pixels wide and high; a placeholder when it could not be read."""
        found = self.cached(row)
        if found is None:
            found = self._send(row, THUMBNAIL)
            self._thumbnails.put(row, found, len(found.data) + 200)
        return found

    def large(self, row: int) -> Sent:
        """At most ``LARGE`` pixels wide and high; a placeholder when it could not be read."""
        return self._send(row, LARGE)

    def facts(self, row: int) -> dict[str, Any]:
        """Width and height, or why the image could not be read."""
        try:
            with _DECODERS:
                height, width = self._decode(row, None).shape[:2]
        except (InputError, OSError) as error:
            return {"error": str(error)}
        return {"width": width, "height": height}

    def _send(self, row: int, side: int) -> Sent:
        try:
            with _DECODERS:
                return encode(self._decode(row, side), side)
        except (InputError, OSError):
            return Sent(PLACEHOLDER, "image/svg+xml", False)

    def _decode(self, row: int, side: int | None) -> Image:
        data, path = self._stored(row)
        if data is None:
            if side is None or not path.lower().endswith((".jpg", ".jpeg")):
                return read_image(path)
            data = Path(path).read_bytes()
        if side is not None and data[:2] == b"\xff\xd8":
            return _decode_jpeg(data, side, path or f"row {row}")
        return decode_image(data, name=path or f"row {row}")

    def _stored(self, row: int) -> tuple[bytes | None, str]:
        """Return the encoded image of a row, or its path."""
        table, at = self._place(row)
        image, path = (table.column(n)[at].as_py() for n in ("image", "path"))
        return image, path or ""

    def row(self, row: int) -> dict[str, Any]:
        """Return a row of the manifest, all columns but the image."""
        table, at = self._place(row)
        return {n: table.column(n)[at].as_py() for n in table.column_names if n != "image"}

    def _place(self, row: int) -> tuple[Any, int]:
        """Return the row group that holds a row, and where in it."""
        if not 0 <= row < self._firsts[-1]:
            raise DataError(f"row {row}: the manifest has {self._firsts[-1]} rows")
        group = int(np.searchsorted(self._firsts, row, side="right")) - 1
        table = self._groups.get(group)
        if table is None:
            with self._reading:  # whoever waited finds it done
                table = self._groups.get(group)
                table = self._read(group) if table is None else table
        return table, row - int(self._firsts[group])

    def _read(self, group: int) -> Any:
        with undamaged(self._manifest), open_parquet(self._manifest) as file:
            table = file.read_row_group(group)
        self._groups.put(group, table, table.nbytes)
        return table


def _decode_jpeg(data: bytes, side: int, name: str) -> Image:
    """JPEG decoders can shrink while they decode: photographs are many times faster that way."""
    try:
        with PilImage.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            picture.draft("RGB", (2 * side, 2 * side))
            return from_pil(picture, name=name)
    except ImageUnreadable:
        raise
    except Exception:  # the one door to images words the error
        return decode_image(data, name=name)


def encode(image: Image, side: int) -> Sent:
    """Return an RGB image as PNG where it is small, else shrunk to ``side`` and as JPEG."""
    height, width = image.shape[:2]
    gray = bool((image == image[..., :1]).all())
    picture = PilImage.fromarray(np.ascontiguousarray(image[..., 0]) if gray else image)
    file = io.BytesIO()
    if max(height, width) <= THUMBNAIL:
        picture.save(file, "PNG", compress_level=3)
        return Sent(file.getvalue(), "image/png", True)
    picture.thumbnail((side, side), PilImage.Resampling.LANCZOS)
    picture.save(file, "JPEG", quality=86)
    return Sent(file.getvalue(), "image/jpeg", True)
