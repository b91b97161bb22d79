"""Checksums inside JSON files and lines, so that damage of what is stored is noticed.

JSON objects without a checksum, such as those of earlier versions, are taken as they are.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from pyojeong.core.errors import PyojeongError

KEY = "checksum"
_DIGITS = 16
_LINE = ',"crc32":"'
_LINE_END = len('12345678"}')
_FEW = 3
"""Characters by which the name of a checksum may differ and still be taken for a damaged one."""


class ChecksumDiffers(PyojeongError, ValueError):  # noqa: N818
    """What is stored is not what was written."""


def with_checksum(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object with its checksum as the last key.

    Args:
        data: JSON types; a checksum that is there already is replaced.
    """
    known = {key: value for key, value in data.items() if key != KEY}
    return {**known, KEY: _digest(known)}


def checked(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object without its checksum.

    Raises:
        ChecksumDiffers: When it is another object than the one that was written.
    """
    known = {key: value for key, value in data.items() if key != KEY}
    if KEY not in data and any(_is_damaged_key(key, value) for key, value in data.items()):
        raise ChecksumDiffers("it is damaged: its checksum has another name")
    if KEY in data and data[KEY] != _digest(known):
        raise ChecksumDiffers("it is damaged or was changed: its checksum differs")
    return known


def _is_damaged_key(key: str, value: Any) -> bool:
    """Return whether a key is that of a checksum but for a few characters."""
    near = len(key) == len(KEY) and sum(a != b for a, b in zip(key, KEY, strict=True)) <= _FEW
    return near and isinstance(value, str) and len(value) == _DIGITS


def _digest(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def sealed_line(text: str) -> str:
    """Return a JSON object on one line, in braces and not empty, with a checksum as last key."""
    return f'{text[:-1]}{_LINE}{zlib.crc32(text.encode()):08x}"}}'


def is_sealed_line(line: str) -> bool:
    """Return whether a line (without its line end) states a checksum, right or wrong."""
    end = len(line) - _LINE_END
    return end >= len(_LINE) and line[end - len(_LINE) : end] == _LINE


def opened_line(line: str, *, required: bool = True) -> str:
    """Return a line of ``sealed_line`` (without its line end) as it was before.

    Args:
        line: The line.
        required: False: a line without checksum is taken as it is, but not one whose checksum
            has a damaged name.

    Raises:
        ChecksumDiffers: When it is another line than the one that was written.
    """
    end = len(line) - _LINE_END
    if not is_sealed_line(line):
        near = sum(
            a != b for a, b in zip(line[max(end - len(_LINE), 0) : end], _LINE, strict=False)
        )
        if required or (end >= len(_LINE) and near <= _FEW):
            raise ChecksumDiffers("it is damaged: its checksum is missing")
        return line
    text = line[: end - len(_LINE)] + "}"
    if line[end : end + 8] != f"{zlib.crc32(text.encode()):08x}":
        raise ChecksumDiffers("it is damaged: its checksum differs")
    return text
