"""The table of results: columns for people, Markdown, CSV. Needs no torch."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields

from pyojeong.core.printable import markdown_cell
from pyojeong.experiments.results import Row

_LONGEST_REASON = 60


@dataclass(frozen=True, slots=True)
class Column:
    """A column for people.

    Attributes:
        heading: Its heading.
        words: A row's cell; "" = nothing to say.
        value: What the column is sorted by; None = it is not sorted by.
        setting: True when it says what was done, False when it says what came out.
    """

    heading: str
    words: Callable[[Row], str]
    value: Callable[[Row], float | str | None] | None = None
    setting: bool = False


def percent(share: float | None, *, sign: bool = True) -> str:
    """0.1234 -> ``"12.3 %"``; "" for None."""
    return "" if share is None else f"{100 * share:.1f}{' %' if sign else ''}"


def short_count(value: float | None) -> str:
    """1234567 -> ``"1.2 M"``; "" for None."""
    if value is None:
        return ""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size * 0.9995:
            return f"{value / size:.{0 if value >= 100 * size else 1}f}{unit}"
    return f"{value:g}"


def rate(value: float) -> str:
    """0.0003 -> ``"3e-4"``."""
    if value >= 0.01:
        return f"{value:g}"
    mantissa, _, exponent = f"{value:e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def short_reason(reason: str, *, longest: int = _LONGEST_REASON) -> str:
    """Return the first line of a reason, cut at a word."""
    line = " ".join(reason.partition("\n")[0].split())
    return line if len(line) <= longest else line[:longest].rsplit(" ", 1)[0].rstrip(",:;") + " …"


def interval(low: float | None, high: float | None) -> str:
    """``"61.2 to 64.3"``, in per cent; "" when a bound is missing."""
    if low is None or high is None:
        return ""
    return f"{percent(low, sign=False)} to {percent(high, sign=False)}"


def _rates(row: Row) -> str:
    both = (row.lr,) if row.frozen_lr is None else (row.frozen_lr, row.lr)
    return ", ".join(map(rate, both))


def _seeds(row: Row) -> str:
    if row.seed is not None:
        return str(row.seed)
    return f"{row.runs}: {interval(row.seeds_low, row.seeds_high)}" if row.runs else ""


def _status(row: Row) -> str:
    if row.status == "finished":
        return short_reason(row.reason) if row.reason else "finished"
    return f"{row.status}: {short_reason(row.reason)}"


def net_words(row: Row) -> str:
    """Return the net and its options."""
    return f"{row.net} ({row.options})" if row.options else row.net


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


COLUMNS = (
    Column("name", lambda r: r.name, lambda r: r.name),
    Column("change or note", lambda r: r.note),
    Column("net", net_words, net_words, setting=True),
    Column("input", lambda r: r.input, lambda r: r.input, setting=True),
    Column("feature", lambda r: r.feature or "none", lambda r: r.feature, setting=True),
    Column(
        "augmented",
        lambda r: "yes" if r.augmented else "no",
        lambda r: "yes" if r.augmented else "no",
        setting=True,
    ),
    Column("loss", lambda r: r.loss, lambda r: r.loss, setting=True),
    Column("optimizer", lambda r: r.optimizer, lambda r: r.optimizer, setting=True),
    Column("lr", _rates, lambda r: r.lr, setting=True),
    Column("epochs", lambda r: str(r.epochs), lambda r: r.epochs, setting=True),
    Column("pretrained", lambda r: r.pretrained or "no", lambda r: r.pretrained, setting=True),
    Column("images", lambda r: _count(r.train_samples), lambda r: r.train_samples, setting=True),
    Column("accuracy", lambda r: percent(r.accuracy), lambda r: r.accuracy),
    Column("95 % interval", lambda r: interval(r.accuracy_low, r.accuracy_high)),
    Column("macro-F1", lambda r: percent(r.macro_f1), lambda r: r.macro_f1),
    Column("ECE", lambda r: percent(r.ece), lambda r: r.ece),
    # No value: nobody is to find the net with the best test figure by a click.
    Column("test accuracy", lambda r: percent(r.test_accuracy)),
    Column("test interval", lambda r: interval(r.test_low, r.test_high)),
    Column("params", lambda r: short_count(r.params), lambda r: r.params),
    Column("MACs", lambda r: short_count(r.macs), lambda r: r.macs),
    Column("ms a face", lambda r: "" if r.ms is None else f"{r.ms:.3g}", lambda r: r.ms),
    Column(
        "minutes", lambda r: "" if r.minutes is None else f"{r.minutes:.1f}", lambda r: r.minutes
    ),
    Column("seed", _seeds),
    Column("theirs", lambda r: percent(r.their_accuracy), lambda r: r.their_accuracy),
    Column("status", _status),
)
"""All columns, in the order in which they are read."""


def filled(rows: Sequence[Row], columns: Iterable[Column] = COLUMNS) -> list[Column]:
    """Return the columns that say something of at least one row."""
    return [c for c in columns if any(c.words(row) for row in rows)]


def to_markdown(rows: Sequence[Row]) -> str:
    """Return a table for people; columns in which no row says anything are left out."""
    columns = filled(rows)
    if not rows:
        return "No results.\n"
    lines = [[c.heading for c in columns], [_rule(c) for c in columns]]
    lines += [[markdown_cell(c.words(row)) for c in columns] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_NUMBERS = {
    *("epochs", "images", "accuracy", "macro-F1", "ECE", "test accuracy", "params", "MACs"),
    *("ms a face", "minutes", "theirs"),
}


def is_number(column: Column) -> bool:
    """Return whether cells are set flush right."""
    return column.heading in _NUMBERS


def _rule(column: Column) -> str:
    return "---:" if is_number(column) else "---"


def to_csv(rows: Iterable[Row]) -> str:
    """Return all fields of ``Row`` as raw numbers; an unknown figure is an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [f.name for f in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(asdict(row))
    return out.getvalue()
