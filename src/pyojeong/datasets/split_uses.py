"""Lists of uses of a test split: what they are called, and how they are read.

Who may use a test split, and who writes the lists, is in ``evaluation.test_split_guard``.
"""

import re
from pathlib import Path
from typing import Any

from pyojeong.core.errors import ExperimentError, OutputError
from pyojeong.core.line_files import LineDamaged, read_lines

RUN_FILE = "test_split_uses.jsonl"
"""The list in a run folder."""
EARLIER_RUN_FILE = "test_looks.jsonl"
"""Its name in earlier versions."""
_LISTS = re.compile(r"(?:.+\.test_split|(?:rows-)?[0-9a-f]{64}|test_split_uses|test_looks)\.jsonl")


def is_list_of_uses(file: Path) -> bool:
    """Return whether a file is called as a list of uses is."""
    return _LISTS.fullmatch(file.name) is not None


def read_uses(file: Path) -> list[dict[str, Any]]:
    """Return the uses that a list holds; none when it is not there.

    Raises:
        ExperimentError: When it is damaged; the line is named.
        OutputError: When it could not be read.
    """
    return _read(file)[0]


def verify_uses(file: Path) -> tuple[int, bool]:
    """Return how many uses a list holds, and whether all of its lines have checksums.

    Raises:
        ExperimentError: When it is damaged; the line is named.
        OutputError: When it could not be read.
    """
    rows, sealed = _read(file)
    return len(rows), sealed


def _read(file: Path) -> tuple[list[dict[str, Any]], bool]:
    try:
        return read_lines(file)
    except LineDamaged as error:
        raise ExperimentError(
            f"{file}: {error}, so uses of the test split could not be counted: restore the file "
            'from a copy, or write {"model": "unknown"} in place of the line, so that its use '
            "still counts"
        ) from error
    except OSError as error:
        raise OutputError(
            f"{file}: uses of the test split could not be read: {error.strerror or error}"
        ) from error
