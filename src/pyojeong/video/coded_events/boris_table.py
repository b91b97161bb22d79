"""Tables that BORIS exports: tabular events of every version, and aggregated events."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pyojeong.core.errors import InputError
from pyojeong.video.coded_events.boris_pairs import Key, paired, subject_of
from pyojeong.video.coded_events.epoch import Epoch, Recording
from pyojeong.video.coded_events.text import Times

_MEDIA = ("media file name", "media file path", "media file")
_OFFSET = "time offset (s)"
_USED = (
    *("time", "behavior", "behavior type", "status", "subject", "start (s)", "stop (s)"),
    *("observation id", _OFFSET, *_MEDIA),
)
_NO_MEDIA = {"", "na", "not found"}
Row = tuple[int, Mapping[str, str]]


def boris_header(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the index of the row that is a header of BORIS; None = there is none."""
    for at, row in enumerate(rows):
        names = {cell.casefold() for cell in row}
        aggregated = {"start (s)", "stop (s)"} <= names
        tabular = "time" in names and bool(names & {"behavior type", "status"})
        if "behavior" in names and (aggregated or tabular):
            return at
    return None


def read_boris_table(rows: Sequence[Sequence[str]], at: int, name: str) -> list[Recording]:
    """Return every observation of a table.

    Args:
        rows: Cells.
        at: Index of the header (``boris_header``); lines before it describe the observation.
        name: The file, for messages.

    Raises:
        InputError: When a row is wrong.
    """
    head = [cell.casefold() for cell in rows[at]]
    before = {row[0].casefold(): row[1] for row in rows[:at] if len(row) > 1 and row[0]}
    body: list[Row] = []
    for number, row in enumerate(rows[at + 1 :], at + 2):
        if any(row):
            if len(row) > len(head):
                raise InputError(f"{name}: row {number} has more cells than its header")
            full = [*row, *[""] * (len(head) - len(row))]
            body.append((number, dict(zip(head, full, strict=True))))
    doubled = [key for key in _USED if head.count(key) > 1]
    if doubled:
        raise InputError(f"{name}: has two columns {doubled[0]!r}: rename the one of your own")
    timed = ("start (s)", "stop (s)") if "start (s)" in head else ("time",)
    times = Times(name, (cells[key] for _, cells in body for key in timed))
    groups: dict[str, list[Row]] = defaultdict(list)
    for number, cells in body:
        key = cells.get("observation id") or before.get("observation id", "")
        groups[key].append((number, cells))
    return [_recording(name, key, part, before, times) for key, part in groups.items()]


def _recording(
    name: str, key: str, rows: Sequence[Row], before: Mapping[str, str], times: Times
) -> Recording:
    what = f"{name}, observation {key!r}" if key else name
    media = _media_of(rows, before)
    try:
        _require_clock(what, rows, before)
        if "start (s)" in rows[0][1]:
            epochs = list(_aggregated(rows, times))
        else:
            epochs = paired(what, _marks(what, rows, times))
    except InputError as error:  # matters only when this observation is asked for
        return Recording(name=key, media=media, error=str(error))
    return Recording(name=key, media=media, epochs=tuple(epochs))


def _media_of(rows: Sequence[Row], before: Mapping[str, str]) -> tuple[str, ...]:
    """Return the clips that rows name, else those of the players."""
    cells = [row[key] for _, row in rows for key in _MEDIA if key in row]
    found = [cell for cell in cells if cell.casefold() not in _NO_MEDIA]
    players = [row.get("source", "") for _, row in rows]
    sources = [words for words in dict.fromkeys(players) if "player #" in words]
    for words in sources:
        found += [f for f in re.split(r"[;|]?player #\d+:\s*|[;|]", words) if f.strip()]
    found += [v for k, v in before.items() if k.startswith("player #") and v]
    return tuple(dict.fromkeys(found))


def _require_clock(what: str, rows: Sequence[Row], before: Mapping[str, str]) -> None:
    named = {row[key] for _, row in rows for key in _MEDIA if row.get(key)}
    if len({n for n in named if n.casefold() not in _NO_MEDIA}) > 1:
        raise InputError(
            f"{what}: holds several clips one after another, whose times run on: code each clip "
            "in an observation of its own"
        )
    offsets = {row.get(_OFFSET, "") for _, row in rows} | {before.get(_OFFSET, "")}
    if any(re.search("[1-9]", each) for each in offsets):
        raise InputError(
            f"{what}: has a time offset, and its times may or may not hold it: set it to 0 in "
            "BORIS, compare the times with the clip, and export again"
        )


def _key(row: Mapping[str, str]) -> Key:
    parts = [v for k, v in row.items() if k.startswith("modifier")]
    modifier = "|".join(part for part in parts if part and part != "None")
    return subject_of(row.get("subject", "")), row["behavior"], modifier


def _aggregated(rows: Sequence[Row], times: Times) -> Iterator[Epoch]:
    for number, row in rows:
        subject, code, modifier = _key(row)
        start, end = (times.seconds(row[k], f"row {number}") for k in ("start (s)", "stop (s)"))
        yield Epoch(code, start, end, subject, modifier)


def _marks(what: str, rows: Sequence[Row], times: Times) -> Iterator[tuple[float, Key, str]]:
    column = "status" if "status" in rows[0][1] else "behavior type"
    for number, row in rows:
        kind = row[column].upper()
        if kind not in {"START", "STOP", "POINT"}:
            raise InputError(
                f"{what}: row {number}: {column} {row[column]!r}: expected START, STOP or POINT"
            )
        yield times.seconds(row["time"], f"row {number}"), _key(row), kind
