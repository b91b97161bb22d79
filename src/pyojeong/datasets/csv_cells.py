"""Tables in CSV whose quotes or commas are wrong: what a reader would take without a word."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.datasets.label_map import some
from pyojeong.datasets.layout import open_text


def check_quotes(table: Path) -> None:
    """Refuse a table with a quote that is not closed: the lines after it become one cell.

    Cells with line ends that are quoted right are taken, and so is a wrong quote within a line.

    Raises:
        DataError: When there is one; its line is named.
    """
    with open_text(table) as file:
        rows = csv.reader(file, strict=True)
        last = 0
        while True:
            try:
                if next(rows, None) is None:
                    return
            except csv.Error as error:
                if rows.line_num > last + 1:
                    raise DataError(
                        f'{table}: line {last + 1}: a quote (") opens a cell and is not closed, so '
                        f"that the lines up to {rows.line_num:,} are one row; close or remove it"
                    ) from error
            last = rows.line_num


class ExtraCells:
    """Collects rows with more cells than the header has columns.

    Args:
        table: The table, for messages.
    """

    def __init__(self, table: Path) -> None:
        self._table = table
        self._rows: list[str] = []

    def add(self, line: int, cells: Sequence[str] | None) -> None:
        """Note the cells behind the last column of a row; empty ones say nothing."""
        filled = [cell for cell in cells or () if cell.strip()]
        if filled:
            self._rows.append(f"line {line}: {', '.join(map(repr, filled))}")

    def warnings(self) -> list[str]:
        """Return one sentence when there were such rows."""
        if not self._rows:
            return []
        count = len(self._rows)
        return [
            f"{count:,} row{'' if count == 1 else 's'} of {self._table.name} with more cells than "
            f"the header has columns; the rest is not read: {some(self._rows)}"
        ]
