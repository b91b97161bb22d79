"""Events in a CSV file with the columns ``label``, ``start`` and ``end``."""

from collections.abc import Sequence

from pyojeong.core.errors import InputError
from pyojeong.video.coded_events.epoch import Epoch, Recording, short
from pyojeong.video.coded_events.text import Times

_COLUMNS = {"label": ("label",), "start": ("start", "start_s"), "end": ("end", "end_s")}
_MORE = ("tier", "modifier")


def is_table(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row with words names one of the columns."""
    head = {cell.casefold() for cell in next((row for row in rows if any(row)), [])}
    return any(name in head for names in _COLUMNS.values() for name in names)


def read_table(rows: Sequence[Sequence[str]], name: str) -> Recording:
    """Return the events of a table; they belong to whatever clip they are given with.

    Args:
        rows: Cells, the header first.
        name: The file, for messages.

    Raises:
        InputError: When a column is missing or doubled, or a row is wrong.
    """
    at = next(i for i, row in enumerate(rows) if any(row))
    head = [cell.casefold() for cell in rows[at]]
    places = {key: _place(head, names, name) for key, names in _COLUMNS.items()}
    more = {key: _place(head, (key,), name) for key in _MORE if key in head}
    body = [(i, row) for i, row in enumerate(rows[at + 1 :], at + 2) if any(row)]
    for number, row in body:
        if len(row) != len(head):
            raise InputError(
                f"{name}: row {number} has {len(row)} cells, the header {len(head)}: put cells "
                "that hold the separator in quotes"
            )
    times = Times(name, (row[places[key]] for _, row in body for key in ("start", "end")))
    epochs = []
    for number, row in body:
        label = row[places["label"]]
        if not label:
            raise InputError(f"{name}: row {number} has no label: give it one")
        start, end = (times.seconds(row[places[k]], f"row {number}") for k in ("start", "end"))
        epochs.append(Epoch(label, start, end, **{key: row[i] for key, i in more.items()}))
    starts = [each.start_s for each in epochs]
    notes = [] if starts == sorted(starts) else ["its rows are not in order of time: sorted"]
    used = {*places.values(), *more.values()}
    unused = [cell for i, cell in enumerate(rows[at]) if cell and i not in used]
    if unused:
        notes.append(f"columns that are not used: {short(', '.join(unused))}")
    return Recording(epochs=tuple(epochs), notes=tuple(notes))


def _place(head: Sequence[str], names: Sequence[str], file: str) -> int:
    found = [i for i, cell in enumerate(head) if cell in names]
    if len(found) != 1:
        what = "no column" if not found else "several columns"
        raise InputError(
            f"{file}: {what} {names[0]!r} in its first row: expected the header label,start,end "
            "(with commas, semicolons or tabs)"
        )
    return found[0]
