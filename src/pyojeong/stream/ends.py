"""Whether files have their end that state no length which could be missed.

Animated GIF and PNG files, MPEG transport and programme streams, and Matroska or WebM files that
were recorded live: the last packet is whole, or the mark of the end is there. ASF (WMV) files state
their size.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_PNG_HEAD = 8
_GIF_HEAD = 13
_TABLE = 0x80
_TAIL = 8 << 20
_TS_PACKETS = {188: 0, 192: 4, 204: 0}
"""Bytes of a packet -> where its mark lies."""
_CLUSTER = b"\x1f\x43\xb6\x75"
_ASF_HEAD = 1 << 16
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_CONTROL = b"\xf9"


def lacks_end(path: str | Path, kind: str) -> bool:
    """Return whether a file breaks off before the mark at its end.

    Args:
        path: The file.
        kind: FFmpeg's name of its format; others than those of this module never lack one.
    """
    walk = _WALKS.get(kind)
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
    return _gif_blocks(file)[0]


def lacks_gif_times(path: str | Path) -> bool:
    """Return whether a GIF file has several images, and some of them have no time of their own."""
    try:
        with Path(path).open("rb") as file:
            _, images, controls = _gif_blocks(file)
    except (OSError, ValueError):
        return False
    return images > 1 and controls < images


def _gif_blocks(file: BinaryIO) -> tuple[bool, int, int]:
    """Return whether a GIF file has its end, its images, and those with a control extension."""
    head, images, controls, announced = file.read(_GIF_HEAD), 0, 0, False
    if len(head) < _GIF_HEAD:
        return False, 0, 0
    _skip_table(file, head[10])
    while block := file.read(1):
        if block[0] == _TRAILER:
            return True, images, controls
        if block[0] == _EXTENSION:
            announced = file.read(1)[:1] == _CONTROL or announced
        elif block[0] == _IMAGE:
            place = file.read(9)
            if len(place) < 9:
                break
            images, controls, announced = images + 1, controls + announced, False
            _skip_table(file, place[8])
            file.seek(1, 1)
        else:
            return True, images, controls  # none of GIF's blocks: nothing is known to be missing
        while length := file.read(1):
            if not length[0]:
                break
            file.seek(length[0], 1)
    return False, images, controls


def _skip_table(file: BinaryIO, flags: int) -> None:
    """Pass over a table of colours, if the flags announce one."""
    if flags & _TABLE:
        file.seek(3 * 2 ** ((flags & 7) + 1), 1)


def _ts_ends(file: BinaryIO) -> bool:
    """Return whether a transport stream ends with a whole packet."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(5 * max(_TS_PACKETS))
    for packet, offset in _TS_PACKETS.items():
        if all(head[at : at + 1] in {b"G", b""} for at in range(offset, 5 * packet, packet)):
            return size % packet == 0
    return True  # it begins with something else


def _ps_ends(file: BinaryIO) -> bool:
    """Return whether the last packets of a programme stream are whole."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _TAIL, 0))
    tail = file.read()
    at = tail.rfind(b"\0\0\1\xba")
    while 0 <= at < len(tail) - 4:
        start, kind = tail[at : at + 3], tail[at + 3]
        if start != b"\0\0\1" or kind <= 0xB9:
            return True  # the mark of the end, padding, or not known
        if kind == 0xBA:
            newer = tail[at + 4 : at + 5] >= b"\x40"
            at += 14 + (tail[at + 13] & 7 if at + 13 < len(tail) else 0) if newer else 12
        else:
            at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
    return at < 0 or at == len(tail) or (at < len(tail) and not tail[at:].strip(b"\0"))


def _matroska_ends(file: BinaryIO) -> bool:
    """Return whether the elements behind the last cluster are whole."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _TAIL, 0))
    tail = file.read()
    at = tail.rfind(_CLUSTER)
    while at >= 0 and not _begins_cluster(tail, at):
        at = tail.rfind(_CLUSTER, 0, at)
    if at < 0:
        return True  # the last cluster is too long to be found
    while at < len(tail):
        if not tail[at]:
            return True  # padding, or not known
        name = _vint_bytes(tail[at])
        length = _vint_bytes(tail[at + name]) if at + name < len(tail) else 9
        if at + name + length > len(tail):
            return False
        stated = tail[at + name : at + name + length]
        unknown = (1 << 7 * length) - 1
        value = int.from_bytes(stated, "big") & unknown
        inside = tail[at : at + name] == _CLUSTER
        at += name + length + (0 if inside or value == unknown else value)
    return at <= len(tail)


def _begins_cluster(tail: bytes, at: int) -> bool:
    """Return whether a cluster begins here: its time comes first, or a checksum and its time."""
    length = _vint_bytes(tail[at + 4]) if at + 4 < len(tail) else 9
    inside = tail[at + 4 + length : at + 11 + length]
    return inside[:1] == b"\xe7" or (inside[:2] == b"\xbf\x84" and inside[6:7] == b"\xe7")


def _vint_bytes(first: int) -> int:
    """Return the length of an EBML number by its first byte."""
    return 9 - first.bit_length()


def _asf_ends(file: BinaryIO) -> bool:
    """Return whether an ASF file has the size that it states."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(_ASF_HEAD)
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or len(head) < at + 92:
        return True
    live = head[at + 88] & 1
    return bool(live) or size >= int.from_bytes(head[at + 40 : at + 48], "little")


_WALKS: dict[str, Callable[[BinaryIO], bool]] = {
    "gif": _gif_ends,
    "apng": _png_ends,
    "mpegts": _ts_ends,
    "mpeg": _ps_ends,
    "matroska,webm": _matroska_ends,
    "asf": _asf_ends,
}
