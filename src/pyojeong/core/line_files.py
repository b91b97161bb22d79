"""Files of JSON lines that only grow, each line with a checksum.

A line counts once it is on disk. Half a line that a full disk or a kill left at the end is dropped
and cut off before the next one is written; any other damage is an error that names the line.
"""

import json
import os
from collections.abc import Iterable, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from pyojeong.core.checksums import ChecksumDiffers, is_sealed_line, opened_line, sealed_line
from pyojeong.core.errors import one_line

_TAIL = 1 << 12


class LineDamaged(ChecksumDiffers):
    """A line is not what was written; the message names it by its number."""


def append_lines(
    file: Path, rows: Iterable[Mapping[str, Any]], *, ascii_only: bool = True, count_tail: bool
) -> None:
    """Append JSON objects; they are on disk when this returns, or none of them is there.

    The caller has the file for itself and has read it, so that no damage is cut off.

    Args:
        file: The file; made when it is not there.
        rows: JSON types.
        ascii_only: Escape other characters.
        count_tail: A whole last line without a line end counts and is kept; False: it is cut off.

    Raises:
        OSError: When the disk does not take it.
    """
    lines = [sealed_line(json.dumps(dict(row), ensure_ascii=ascii_only)) + "\n" for row in rows]
    if not lines:
        return
    with file.open("ab+", buffering=0) as opened:
        size = opened.seek(0, os.SEEK_END)
        end = _whole_lines(opened, size)
        if count_tail and end < size:
            opened.seek(end)
            if _is_whole(opened.read(size - end) or b""):
                end = size
                lines.insert(0, "\n")
        opened.truncate(end)  # what was left half-written never counted
        try:
            _write_all(opened, "".join(lines).encode())
            os.fsync(opened.fileno())
        except OSError:
            opened.truncate(end)  # the next line must not be glued on half of this one
            raise


def read_lines(file: Path) -> tuple[list[dict[str, Any]], bool]:
    """Return the objects of a file, and whether all lines have checksums.

    Lines without checksums are those of earlier versions: they come before all that have one.

    Args:
        file: The file; one that is not there has no lines.

    Raises:
        LineDamaged: When a line is not what was written.
        OSError: When the file could not be read.
    """
    try:
        *lines, tail = file.read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return [], True
    if _is_whole(tail):
        lines.append(tail)
    elif _is_whole(tail[:-1]):
        raise LineDamaged(f"line {len(lines) + 1} is damaged: its line end is another character")
    rows: list[dict[str, Any]] = []
    sealed = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            text = line.rstrip(b"\r").decode()
            row = json.loads(opened_line(text, required=sealed > 0))
        except (ValueError, RecursionError) as error:
            raise LineDamaged(f"line {number} is damaged ({one_line(error)})") from error
        if not isinstance(row, dict):
            raise LineDamaged(f"line {number} is damaged (expected a JSON object)")
        sealed += is_sealed_line(text)
        rows.append(row)
    return rows, sealed == len(rows)


def _is_whole(line: bytes) -> bool:
    """Return whether bytes are a whole line; half a line closes no brace."""
    try:
        return isinstance(json.loads(line.decode()), dict)
    except (ValueError, RecursionError):
        return False


def _whole_lines(opened: FileIO, end: int) -> int:
    """Return how many of an open file's bytes are whole lines."""
    while end:
        start = max(end - _TAIL, 0)
        opened.seek(start)
        newline = (opened.read(end - start) or b"").rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _write_all(opened: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[opened.write(left) or 0 :]
