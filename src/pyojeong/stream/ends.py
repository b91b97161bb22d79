"""Whether animated GIF and PNG files have their end: they state no length that could be missed."""

from pathlib import Path
from typing import BinaryIO

_PNG_HEAD = 8
_GIF_HEAD = 13
_TABLE = 0x80
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B


def lacks_end(path: str | Path, kind: str) -> bool:
    """Return whether a file breaks off before the mark at its end.

    Args:
        path: The file.
        kind: FFmpeg's name of its format; others than ``gif`` and ``apng`` never lack one.
    """
    walk = {"gif": _gif_ends, "apng": _png_ends}.get(kind)
    if walk is None:
        return False
    try:
        with Path(path).open("rb") as file:
            return not walk(file)
    except (OSError, ValueError):
        return False  # it was read a moment ago: nothing is known


def _png_ends(file: BinaryIO) -> bool:
    file.seek(_PNG_HEAD)
    while len(head := file.read(8)) == 8:
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if name == b"IEND":
            return True
        file.seek(length + 4, 1)
    return False


def _gif_ends(file: BinaryIO) -> bool:
    head = file.read(_GIF_HEAD)
    if len(head) < _GIF_HEAD:
        return False
    _skip_table(file, head[10])
    while block := file.read(1):
        if block[0] == _TRAILER:
            return True
        if block[0] == _EXTENSION:
            file.seek(1, 1)
        elif block[0] == _IMAGE:
            place = file.read(9)
            if len(place) < 9:
                return False
            _skip_table(file, place[8])
            file.seek(1, 1)
        else:
            return True  # none of GIF's blocks: what follows is not known to be missing
        while length := file.read(1):
            if not length[0]:
                break
            file.seek(length[0], 1)
    return False


def _skip_table(file: BinaryIO, flags: int) -> None:
    """Pass over a table of colours, if the flags announce one."""
    if flags & _TABLE:
        file.seek(3 * 2 ** ((flags & 7) + 1), 1)
