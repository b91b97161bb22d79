"""Files of events as text and rows: encodings, separators and times, and what is refused."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pyojeong.core.errors import InputError
from pyojeong.video.coded_events.epoch import short

MOST_BYTES = 64 << 20
"""Larger files of events are refused."""

_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_OF_NO_FILE = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"}
"""Python's encodings in which nobody writes files: they hold names or source text."""
_TIME = re.compile(r"-?(?:\d{1,9}:){0,2}\d{1,12}(?:\.\d*)?", re.ASCII)
_COMMA = re.compile(r"-?(\d+),(\d+)", re.ASCII)
_NO_HANGUL = re.compile("[^\0-\x7f\uac00-\ud7a3\u3131-\u318e]")
_WORD = re.compile("[\uac00-\ud7a3\u3131-\u318e]{2}")
_LETTER_BESIDE = re.compile(
    "[A-Za-z][\uac00-\ud7a3\u3131-\u318e]|[\uac00-\ud7a3\u3131-\u318e][A-Za-z]"
)
_SEPARATORS = ("\t", ";", ",")


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file of events.

    Raises:
        InputError: When it is no file, could not be read, is empty or too large.
    """
    try:
        if not path.is_file():
            why = "is a folder, not a file" if path.is_dir() else "no such file"
            raise InputError(f"{path}: {why}")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: could not be read: {error.strerror or error}") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"{path}: is larger than {MOST_BYTES >> 20} MB: export only its events")
    if not data.strip(b"\0 \t\r\n"):
        raise InputError(f"{path}: is empty")
    if data[:2] == b"\x1f\x8b":
        raise InputError(f"{path}: is compressed (gzip): unpack it first")
    if data[:2] == b"PK" or data[:4] == b"\xd0\xcf\x11\xe0":
        raise InputError(f"{path}: is a spreadsheet or an archive: save its table as CSV (UTF-8)")
    return data


def decoded(data: bytes, name: object, *, stated: str = "") -> str:
    """Return bytes as text: UTF-8, UTF-16 with its mark, or Korean (cp949).

    Korean is taken where the bytes are no UTF-8 and all letters beyond ASCII are Hangul, and not
    merely single ones that may be letters of Latin-1 (the bytes of "Ä" and "r" are a syllable,
    too). Other encodings look all alike: they are read only where the file states them.

    Args:
        data: The bytes.
        name: The file, for messages.
        stated: Encoding that the file names; "" = none.

    Raises:
        InputError: When it is in another encoding.
    """
    mark = next((mark for mark in _MARKS if data.startswith(mark)), None)
    encoding = _MARKS[mark] if mark is not None else stated or "utf-8"
    try:
        known = codecs.lookup(encoding).name not in _OF_NO_FILE
        text = data.decode(encoding if known else "")  # "" raises LookupError
    except LookupError:
        raise InputError(
            f"{name}: states the encoding {encoding!r}, which is not known: save it as UTF-8"
        ) from None
    except UnicodeError:
        text = "" if stated or mark is not None else _korean(data)
        if not text:
            raise InputError(
                f"{name}: is not {encoding.removesuffix('-sig').upper()}"
                f"{'' if stated or mark else ', nor UTF-16 with its mark, nor Korean (cp949)'}: "
                "save it as UTF-8 (in Excel: CSV UTF-8)"
            ) from None
    if "\0" in text:
        raise InputError(f"{name}: is no text, or UTF-16 without its mark: save it as UTF-8")
    return text


def _korean(data: bytes) -> str:
    """Return text in cp949; "" when it may be anything else."""
    try:
        text = data.decode("cp949")
    except UnicodeDecodeError:
        return ""
    if _NO_HANGUL.search(text):
        return ""
    if _WORD.search(text):  # four bytes above ASCII in a row
        return text
    common = text.encode("euc-kr", "replace") == data  # no second byte is a letter of ASCII
    return text if common and not _LETTER_BESIDE.search(text) else ""


def table_rows(text: str, name: object) -> list[list[str]]:
    """Return the rows of a table that is separated by tabs, semicolons or commas, without spaces.

    The separator is the one that the first line with any of them has most of.

    Raises:
        InputError: When a cell is not ended, or too long.
    """
    if first := re.match(r"sep=([;,\t]) *(\r\n?|\n|\Z)", text):  # Excel's own first line
        separator, text = first[1], text[first.end() :]
    else:
        separator = _separator(text.splitlines())
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(f"{name}: is no table: {error}: export it again") from None
    return [[cell.strip() for cell in row] for row in found]


def _separator(lines: Sequence[str]) -> str:
    for line in lines:
        counts = {each: line.count(each) for each in _SEPARATORS}
        if any(counts.values()):
            return max(_SEPARATORS, key=lambda each: counts[each])
    return ","


class Times:
    """Reads the times of one file; decimal commas are taken where they are no thousands.

    Args:
        name: The file, for messages.
        cells: Every cell that holds a time.

    Raises:
        InputError: When a cell with a comma may mean two things.
    """

    def __init__(self, name: object, cells: Iterable[str]) -> None:
        self._name = name
        seen = list(cells)
        found = [match for cell in seen if (match := _COMMA.fullmatch(cell))]
        commas = [match.groups() for match in found]
        # No number begins with thousands of 0.
        self._comma = any(len(digits) != 3 or whole.startswith("0") for whole, digits in commas)
        points = [cell for cell in seen if "." in cell]
        if commas and (points or not self._comma):
            mixed = f" beside {points[0]!r}" if points else ""
            raise InputError(
                f"{name}: time {found[0][0]!r}{mixed} may be a decimal comma or thousands: write "
                "seconds with a point, such as 1.234"
            )

    def seconds(self, cell: str, where: str) -> float:
        """Return a time in seconds: ``12.5``, ``12,5``, ``1:02.5`` or ``1:02:03.5``.

        Args:
            cell: The cell.
            where: Row, for messages.

        Raises:
            InputError: When it is none.
        """
        words = cell.replace(",", ".") if self._comma and _COMMA.fullmatch(cell) else cell
        if not _TIME.fullmatch(words):
            raise InputError(
                f"{self._name}: {where}: time {short(cell)!r}: expected seconds from the clip's "
                "beginning, 1:02.5 or 1:02:03.5"
            )
        total = 0.0
        for part in words.lstrip("-").split(":"):
            total = 60 * total + float(part)
        return -total if words.startswith("-") else total
