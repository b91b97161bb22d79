"""The player of a clip's report: the clip beside its timelines, and edits of its people."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from pyojeong.output.escaping import translated
from pyojeong.output.page import Page
from pyojeong.output.timeline_svg import SLIM, WIDTH, Span
from pyojeong.video.summary import CHARTED, Person, Summary

_DIGITS = 3


def add_player(
    page: Page, summary: Summary, people: Sequence[Person], span: Span, *, name: str, clip: str
) -> None:
    """Add the player to a report.

    Args:
        page: Gets it.
        summary: Of the clip.
        people: Those of the report, in its order.
        span: Times of its timelines.
        name: Name of the clip.
        clip: Where the clip lies, relative to the page; "" = somewhere else.
    """
    page.section(span.say("section.player"))
    shown = {str(p.track_id): _scores(p) for p in people[:CHARTED]}
    data: dict[str, Any] = {
        "name": name,
        "clip": clip,
        "start_s": span.start_s,
        "end_s": span.end_s,
        "offset_s": 0.0,
        "edges": {
            str(width): [each.left, each.right]
            for width in (WIDTH, SLIM)
            for each in [Span(span.start_s, span.end_s, width=width)]
        },
        "labels": list(summary.labels.names),
        "texts": span.say.part("player", "label"),
        "people": {number: scores for number, scores in shown.items() if scores},
        "numbers": sorted(p.track_id for p in people),
        "names": {str(number): text for number, text in summary.names.items()},
    }
    here = files("pyojeong.video.player")
    markup = (here / "player.html").read_text(encoding="utf-8")
    markup = translated(markup, span.say, prefix="player.")
    # "<" would end the script element early in a browser.
    text = json.dumps(data).replace("<", "\\u003c")
    page.insert(
        f"<style>{(here / 'player.css').read_text(encoding='utf-8')}</style>"
        f"{markup}"
        f'<script type="application/json" id="player-data">{text}</script>'
    )
    page.script((here / "player.js").read_text(encoding="utf-8"))


def _scores(person: Person) -> dict[str, Any] | None:
    times, scores = person.scores.means()
    if not len(times):
        return None
    scores = scores / scores.sum(1, keepdims=True)
    rows = [None if np.isnan(row[0]) else [round(float(v), _DIGITS) for v in row] for row in scores]
    return {"first_s": float(times[0]), "bin_s": person.scores.bin_s, "scores": rows}
