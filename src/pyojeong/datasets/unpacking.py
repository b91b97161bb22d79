"""Tables that are read as a stream, also from compressed files, within limits.

A compressed file of a few kilobytes can unpack to any size, and a table without line ends would be
held in memory as one line. Nothing is unpacked to disk.
"""

import bz2
import gzip
import io
import lzma
from pathlib import Path
from typing import IO, Any, TextIO

from pyojeong.core.errors import DataError

MOST_UNPACKED = 2**31
"""Bytes that a compressed file may unpack to."""

MOST_LINE = 2**24
"""Bytes of a line of a table."""

_OPENERS: dict[str, Any] = {
    ".gz": gzip.open,
    ".tgz": gzip.open,
    ".xz": lzma.open,
    ".bz2": bz2.open,
}
_BUFFER = 2**18


class Bounded(io.RawIOBase):
    """A binary stream that ends in an error when it exceeds the limits.

    Args:
        stream: What is read.
        path: Its file, for errors.
        lines: Whether lines are limited as well.
        most: Bytes in all; None = any number.
    """

    def __init__(
        self, stream: IO[bytes], path: Path, *, lines: bool = True, most: int | None = MOST_UNPACKED
    ) -> None:
        self._stream, self._path, self._lines, self._most = stream, path, lines, most
        self._bytes = self._line = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read into a buffer.

        Raises:
            DataError: When there is more than the limits allow.
        """
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._stream.read(min(len(view), _BUFFER))
        view[: len(data)] = data
        self._bytes += len(data)
        end = data.rfind(b"\n")
        self._line = self._line + len(data) if end < 0 else len(data) - end - 1
        if self._most is not None and self._bytes > self._most:
            raise DataError(
                f"{self._path}: unpacks to more than {self._most / 2**30:.0f} GB; unpack it "
                "yourself if it is what you expect"
            )
        if self._lines and self._line > MOST_LINE:
            raise DataError(
                f"{self._path}: has a line of more than {MOST_LINE >> 20} MB; it is no table"
            )
        return len(data)

    def close(self) -> None:
        """Close the stream."""
        if not self.closed:
            self._stream.close()
        super().close()


def opened_bytes(path: Path, *, lines: bool) -> io.BufferedReader:
    """Return a file's bytes, unpacked when it is compressed, within the limits."""
    opener = _OPENERS.get(path.suffix.lower())
    most = None if opener is None else MOST_UNPACKED
    stream = path.open("rb") if opener is None else opener(path, "rb")
    return io.BufferedReader(Bounded(stream, path, lines=lines, most=most), _BUFFER)


def as_text(stream: IO[bytes]) -> TextIO:
    """Return bytes as text in UTF-8, a byte order mark ignored, as ``csv`` wants it."""
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
