"""What the bytes of a PNG file say before anything is decoded: bits of a channel, chunks."""

import struct
import zlib
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_TEXT = 1 << 20
"""Text of PNG files that unpacks to more bytes is left out: Pillow refuses the whole file."""
_ORIENTATION_KEYS = (b"XML:com.adobe.xmp\0", b"Raw profile type ")
"""Text that may say how the image is turned."""


def png_bits(data: bytes) -> int:
    """Return the bits of a channel of a PNG file; 0 = it is none."""
    return data[24] if data[:8] == _PNG and data[12:16] == b"IHDR" and len(data) > 25 else 0


def without_large_text(data: bytes) -> bytes:
    """Return a PNG file without colour profiles and long texts, which are not used here.

    Pillow refuses images with profiles or texts above 1 MB. What may say how the image is turned
    stays as long as it is short. Other files, and damaged ones, come back as they are.
    """
    if data[:8] != _PNG:
        return data
    kept, dropped = [data[:8]], False
    end = 8
    for kind, start, stop in _png_chunks(data):
        if kind == b"iCCP" or (kind in {b"tEXt", b"zTXt", b"iTXt"} and _is_long(data, start, stop)):
            dropped = True
        else:
            kept.append(data[start:stop])
        end = stop
    return b"".join([*kept, data[end:]]) if dropped else data


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, the begin and the end of every whole chunk."""
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        stop = at + 12 + size
        if stop > len(data):
            return
        yield data[at + 4 : at + 8], at, stop
        at = stop


def _is_long(data: bytes, start: int, stop: int) -> bool:
    """Return whether a text is unused, or longer than Pillow takes."""
    body = data[start + 8 : stop - 4]
    if not body.startswith(_ORIENTATION_KEYS):
        return True
    if len(body) > _MAX_TEXT:
        return True
    keyword, _, rest = body.partition(b"\0")
    # zTXt: a method byte; iTXt: flag, method, language and translated keyword, then the text.
    packed = rest[1:] if data[start + 4 : start + 8] == b"zTXt" else rest[2:].split(b"\0", 2)[-1]
    try:
        unpacked = zlib.decompressobj().decompress(packed, _MAX_TEXT)
    except zlib.error:  # not packed, or damaged, which Pillow says itself
        return False
    return len(keyword) + len(unpacked) >= _MAX_TEXT
