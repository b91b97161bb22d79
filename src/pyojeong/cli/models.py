"""``pyojeong models``: the models that are there, for people and as JSON."""

import json
import sys
import textwrap
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.table import Table

from pyojeong.cli.console import as_markup, make_console
from pyojeong.cli.streams import echo
from pyojeong.core.printable import is_utf8
from pyojeong.zoo import SHORT_NAMES, cards


def list_models(*, as_json: bool) -> None:
    """Print the models with licence and measured accuracy, or their cards as a JSON list."""
    entries = cards()
    called = {model: name for name, model in SHORT_NAMES.items()}
    if as_json:
        ascii_only = not is_utf8(getattr(sys.stdout, "encoding", None) or "utf-8")
        shown = [json.loads(entry.card.to_json()) for entry in entries.values()]
        echo(json.dumps(shown, indent=1, ensure_ascii=ascii_only))
        return

    answering = Table(box=None, header_style="bold", pad_edge=False)
    others = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("classifier", "MB", "votes, %", "test, %"):
        answering.add_column(column, no_wrap=column != "classifier", justify="left")
    for column in ("other network", "kind", "MB", "licence"):
        others.add_column(column, no_wrap=column != "licence")
    for name, entry in entries.items():
        card = entry.card
        size = entry.weights.stat().st_size / 1e6 if entry.weights.exists() else float("nan")
        flags = ", ".join(filter(None, (card.license, *card.license_flags))) or "no licence stated"
        if card.kind == "classifier":
            shown = [_percent(card.metrics.get(part, {})) for part in ("photographs", "test")]
            known = [f"= {called[name]}"] if name in called else []
            lines = "\n".join(as_markup(line) for line in [*known, *_wrapped(flags)])
            shown_name = Group(as_markup(name), Padding(f"[dim]{lines}[/]", (0, 0, 0, 2)))
            answering.add_row(shown_name, f"{size:.1f}", *shown)
        else:
            others.add_row(as_markup(name), card.kind, f"{size:.1f}", as_markup(flags))
    console = make_console()
    console.print(answering)
    console.print(
        "\nA score is the share of people who would give that label, in a set with the stated base "
        "rates: --prior natural, between (the default of the bundled models), balanced, or shares."
        "\nvotes: right on photographs on whose label two ratings agree (by a vision-language "
        "model). test: the model's own test split, by `pyojeong evaluate --output fer2013`.",
    )
    console.print()
    console.print(others)


_FLAGS_WIDTH = 34
"""Columns of licence flags: with the figures at most 80 together."""


def _wrapped(flags: str) -> list[str]:
    """Return lines of flags, none of which is broken."""
    return textwrap.wrap(flags, _FLAGS_WIDTH, break_long_words=False, break_on_hyphens=False)


def _percent(figures: dict[str, Any]) -> str:
    """Accuracy with its interval, or nothing."""
    accuracy = figures.get("accuracy")
    if accuracy is None:
        return ""
    return "{:.1f} ({:.1f}-{:.1f})".format(*(100 * accuracy[k] for k in ("value", "low", "high")))
