r"""CSV for spreadsheets: the mark of UTF-8 in front, and text cells that are never run as formulas.

Excel takes a CSV file for the system's code page unless it begins with U+FEFF, and runs cells that
begin with ``=``, ``+``, ``-``, ``@``, tab or a line end. Such cells get an apostrophe in front; a
cell that already begins with apostrophes before such a character gets one more, so that the text
comes back exactly. A table with the mark in front is one of this kind.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

MARK = "\ufeff"
"""First character of a CSV file for spreadsheets."""

_RUN = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What cells begin with that a spreadsheet would run, in the wide forms of East Asia too."""


def safe_cell(text: str) -> str:
    """Return a text cell that a spreadsheet shows as it is; inverse: ``plain_cell``."""
    return f"'{text}" if _RUN.match(text) else text


def plain_cell(text: str) -> str:
    """Return the text of a cell from ``safe_cell``."""
    return text[1:] if text.startswith("'") and _RUN.match(text) else text


@contextmanager
def open_csv(path: Path) -> Iterator[tuple[TextIO, bool]]:
    """Yield a CSV file opened for reading behind its mark, and whether it is for spreadsheets."""
    with path.open(encoding="utf-8", newline="") as file:
        marked = file.read(1) == MARK
        if not marked:
            file.seek(0)
        yield file, marked


def is_marked(path: Path) -> bool:
    """Return whether a CSV file is there and is for spreadsheets."""
    try:
        with open_csv(path) as (_, marked):
            return marked
    except (OSError, ValueError):
        return False
