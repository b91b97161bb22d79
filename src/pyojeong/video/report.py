"""The report of one clip: one page that a researcher can read, keep and pass on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Image
from pyojeong.core.texts import Texts
from pyojeong.output.page import Cell, Page
from pyojeong.output.timeline_svg import (
    SLIM,
    Mark,
    Span,
    Trace,
    clock,
    draw_timeline,
    draw_traces,
)
from pyojeong.video.measured_epochs import MeasuredEpochs
from pyojeong.video.player import add_player
from pyojeong.video.report_charts import (
    add_activation,
    add_coded_events,
    add_event_key,
    add_units,
    add_valence,
    marks_of,
)
from pyojeong.video.summary import (
    CHARTED,
    LOW_LIGHT,
    PROFILE_RAD,
    SMALL,
    Event,
    Person,
    Summary,
)

MOST_EVENTS = 60
MOST_PICTURES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """What a report says besides the timeline.

    Attributes:
        clip: Name of the clip.
        settings: Name -> value of everything that decided the result; a tuple = several.
        card: Name -> value, what the model's card says of it.
        decoded: Frames that were decoded.
        error: Why decoding stopped early; "" = it did not.
        images: (event, face) of key frames; empty = none are shown.
        files: Name -> what is in it, of the files beside the page.
        epochs: What was measured in coded events; None = nothing.
        clip_path: Where the clip lies, relative to the page, with slashes; "" = elsewhere.
        lang: Language of the page: one of ``core.texts.LANGUAGES``.
    """

    clip: str
    settings: Mapping[str, Any]
    card: Mapping[str, Any]
    decoded: int
    error: str = ""
    pictures: Sequence[tuple[Event, Image]] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    epochs: MeasuredEpochs | None = None
    clip_path: str = ""
    lang: str = "en"


def write_report(path: Path, summary: Summary, facts: ReportFacts) -> Path:
    """Write the page, whole or not at all.

    Raises:
        InputError: When there is no such language.
        OutputError: When it could not be written.
    """
    say = Texts("report", facts.lang)
    start, end = summary.first_s or 0.0, summary.last_s
    count = say.count("people", len(summary.people))
    times = {"start": clock(start), "end": clock(end)}
    lead = say("lead", frames=f"{summary.frames:,}", people=count, **times)
    page = Page(say("title", name=Path(facts.clip).name), lead, say=say)
    page.text(say("notice"), quiet=True)
    if facts.error:
        page.text(say("broken", error=say.said(facts.error, "error")))
    people = sorted(summary.people.values(), key=lambda p: (-p.seconds, p.track_id))
    span = Span(start, max(end, start + 1e-3), marks=marks_of(facts.epochs), say=say)
    page.section(say("section.shares"))
    _shares(page, summary, people, say)
    _timelines(page, summary, people, span, facts)
    page.section(say("section.events"))
    _events(page, summary, facts, say)
    page.section(say("section.quality"))
    _quality(page, summary, facts, say)
    page.section(say("section.settings"))
    settings = [_setting(say, name, value) for name, value in facts.settings.items()]
    page.table((say("head.setting"), say("head.value")), settings)
    page.table((say("head.model"), ""), [_setting(say, *row) for row in facts.card.items()])
    if facts.files:
        page.section(say("section.files"))
        files = [(name, say.said(what, "file")) for name, what in facts.files.items()]
        page.table((say("head.file"), say("head.content")), files)
    return page.write(path)


def _setting(say: Texts, name: str, value: object) -> tuple[str, str]:
    """Return a row of settings, or of a model's facts, in the language of the page."""
    group = {"coded events": "note", "limits": "limit"}.get(name, "value")
    lines = value if isinstance(value, tuple) else (value,)
    return say.said(name, "name"), "; ".join(say.said(str(line), group) for line in lines)


def _timelines(
    page: Page, summary: Summary, people: Sequence[Person], span: Span, facts: ReportFacts
) -> None:
    say = span.say
    if people:
        name = Path(facts.clip).name
        add_player(page, summary, people, span, name=name, clip=facts.clip_path)
    page.section(say("section.timelines"))
    if meaning := facts.card.get("scores"):
        prior = str(facts.card["base rates"]).partition(":")[0]
        page.text(say("meaning", meaning=say.said(meaning, "value"), prior=prior))
    add_event_key(page, span)
    for person in people[:CHARTED]:
        _timeline(page, summary, person, span)
    if len(people) > CHARTED:
        page.text(say("beyond", n=len(people) - CHARTED))
    if not people:
        page.text(say("nobody"))
    if people:
        add_valence(page, people, span)
    if summary.units_measured:
        add_units(page, people, span)
        add_activation(page, people, span)
    if facts.epochs is not None and facts.epochs.events is not None:
        add_coded_events(page, people, facts.epochs, say)


def _person(say: Texts, summary: Summary, track_id: int) -> str:
    """Return what a person is called: ``person 3``, or ``Anna (person 3)``."""
    name = summary.names.get(track_id)
    return say("person", n=track_id) if name is None else say("person.named", n=track_id, name=name)


def capital(words: str) -> str:
    """Return words with a capital first letter."""
    return words[:1].upper() + words[1:]


def _shares(page: Page, summary: Summary, people: Sequence[Person], say: Texts) -> None:
    page.text(say("shares"))
    names = [*summary.labels.names, "unclear"]
    rows: list[list[object]] = []
    for person in people:
        total = person.seconds or 1.0
        cells = [say("percent", n=f"{100 * person.label_s[name] / total:.0f}") for name in names]
        rows.append([_person(say, summary, person.track_id), clock(person.seconds), *cells])
    page.table(["", say("head.seen"), *map(say.label, names)], rows)


def _timeline(
    page: Page,
    summary: Summary,
    person: Person,
    span: Span,
) -> None:
    say = span.say
    times, scores = person.scores.means()
    scores = scores / scores.sum(1, keepdims=True)
    bands = [
        (e.label, e.start_s, e.end_s, Mark(say.label(e.label), 0, e.start_s, e.end_s).hint(say))
        for e in summary.events
        if e.track_id == person.track_id
    ]
    names = summary.labels.names
    drawing, slim = (
        draw_timeline(each, times, scores, names, bin_s=person.scores.bin_s, bands=bands)
        for each in (span, replace(span, width=SLIM))
    )
    who = capital(_person(say, summary, person.track_id))
    labels = ", ".join(map(say.label, names))
    legend = say("legend.timeline", who=who, labels=labels, hold=f"{summary.hold_s:g}")
    page.drawing(drawing, legend=legend, wide=True, slim=slim, person=person.track_id)
    if summary.eyes_measured:
        _eyes(page, summary, person, span)


def _eyes(
    page: Page,
    summary: Summary,
    person: Person,
    span: Span,
) -> None:
    say = span.say
    times, values = person.eyes.means()
    closures = [c for c in summary.closures if c.track_id == person.track_id]
    blinks = [c.start_s for c in closures if c.blink]
    minutes = person.blinks.measured_s / 60
    per_minute = f"{len(blinks) / minutes:.0f}" if minutes >= 0.2 else ""

    def column(i: int) -> NDArray[np.float64]:
        return np.asarray(values[:, i], np.float64)

    traces = [
        Trace(say("trace.open"), column(0), 0, 1, blinks),
        Trace(say("trace.gaze_yaw"), column(1), -60, 60),
        Trace(say("trace.gaze_pitch"), column(2), -60, 60),
        Trace(say("trace.head_yaw"), column(3), -50, 50),
        Trace(say("trace.head_pitch"), column(4), -50, 50),
    ]
    measured = 100 * person.gaze_frames / person.frames
    drawing, slim = (
        draw_traces(each, times, traces, bin_s=person.eyes.bin_s)
        for each in (span, replace(span, width=SLIM))
    )
    legend = say(
        "legend.eyes",
        who=capital(_person(say, summary, person.track_id)),
        blinks=say.count("blinks", len(blinks)),
        rate=say("rate", n=per_minute) if per_minute else say("rate.short"),
        closed=f"{sum(c.length_s for c in closures):.1f}",
        share=f"{measured:.0f}",
    )
    page.drawing(drawing, slim=slim, legend=legend, wide=True)


def _events(page: Page, summary: Summary, facts: ReportFacts, say: Texts) -> None:
    page.text(say("events", hold=f"{summary.hold_s:g}"))
    shown = summary.events
    if len(shown) > MOST_EVENTS:
        shown = sorted(shown, key=lambda e: -e.length_s)[:MOST_EVENTS]
        shown = sorted(shown, key=lambda e: (e.start_s, e.track_id))
        number = f"{len(summary.events):,}"
        page.text(say("events.longest", most=MOST_EVENTS, n=number), quiet=True)
    heads = ("from", "to", "seconds", "person", "answer", "best", "score")
    page.table(
        [say(f"head.{name}") for name in heads],
        [
            (
                Cell(clock(e.start_s), seconds=e.start_s),
                Cell(clock(e.end_s), seconds=e.end_s),
                f"{e.length_s:.1f}",
                _person(say, summary, e.track_id),
                say.label(e.label),
                Cell(clock(e.best_s), seconds=e.best_s),
                say("percent", n=f"{100 * e.score:.0f}"),
            )
            for e in shown
        ],
    )
    page.pictures(
        ((image,), say.label(e.label), f"{_person(say, summary, e.track_id)}, {clock(e.best_s)}")
        for e, image in facts.pictures
    )


def _quality(page: Page, summary: Summary, facts: ReportFacts, say: Texts) -> None:
    q, frames, faces = summary.quality, summary.frames or 1, summary.quality["faces"] or 1
    empty = q["frames without a face"]
    rows = [
        (say("quality.decoded"), f"{facts.decoded:,}", ""),
        (say("quality.read"), f"{summary.frames:,}", ""),
        (
            say("quality.empty"),
            f"{empty:,}",
            say("quality.empty.share", share=f"{100 * empty / frames:.1f}"),
        ),
        (say("quality.faces"), f"{q['faces']:,}", say("quality.most", n=summary.most_faces)),
    ]
    limits = {
        "unclear": "",
        "low light": say("percent", n=f"{100 * LOW_LIGHT:.0f}"),
        "small": f"{SMALL:.0f}",
        "turned away": f"{np.degrees(PROFILE_RAD):.0f}",
        "eyes not measured": "",
        "units not measured": "",
    }
    for name, limit in limits.items():
        if name in {"turned away", "eyes not measured"} and not summary.eyes_measured:
            continue
        if name == "units not measured" and not summary.units_measured:
            continue
        key = f"quality.{name.replace(' ', '_')}"
        why, share = say(f"{key}.why", limit=limit), f"{100 * q[name] / faces:.1f}"
        rows.append((say(key), f"{q[name]:,}", say("quality.share", share=share, why=why)))
    page.table(("", say("head.number"), ""), rows)
