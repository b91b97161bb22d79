"""The report of one clip: one page that a researcher can read, keep and pass on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Image
from pyojeong.output.page import Cell, Page
from pyojeong.output.timeline_svg import (
    SLIM,
    Span,
    Trace,
    clock,
    draw_timeline,
    draw_traces,
)
from pyojeong.video.measured_epochs import MeasuredEpochs
from pyojeong.video.player import add_player
from pyojeong.video.report_charts import (
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

NOTICE = (
    "This page rates how faces appear. It says nothing about feelings, intent, truthfulness, "
    "health or fitness. An appearance is not an inner state, people differ, and the models err: "
    "see the figures of the model below. Ask the people shown before you keep or pass it on."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """What a report says besides the timeline.

    Attributes:
        clip: Name of the clip.
        settings: Name -> value of everything that decided the result.
        card: Name -> value, what the model's card says of it.
        decoded: Frames that were decoded.
        error: Why decoding stopped early; "" = it did not.
        images: (event, face) of key frames; empty = none are shown.
        files: Name -> what is in it, of the files beside the page.
        epochs: What was measured in coded events; None = nothing.
        clip_path: Where the clip lies, relative to the page, with slashes; "" = elsewhere.
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


def write_report(path: Path, summary: Summary, facts: ReportFacts) -> Path:
    """Write the page, whole or not at all.

    Raises:
        OutputError: When it could not be written.
    """
    start, end = summary.first_s or 0.0, summary.last_s
    lead = (
        f"{summary.frames:,} frames read, {clock(start)} to {clock(end)}, "
        f"{_count(len(summary.people), 'person', 'people')}"
    )
    page = Page(f"Expressions in {Path(facts.clip).name}", lead)
    page.text(NOTICE, quiet=True)
    if facts.error:
        page.text(f"The clip {facts.error}; everything up to there is in this report.")
    people = sorted(summary.people.values(), key=lambda p: (-p.seconds, p.track_id))
    span = Span(start, max(end, start + 1e-3), marks=marks_of(facts.epochs))
    page.section("Shares of time")
    _shares(page, summary, people)
    _timelines(page, summary, people, span, facts)
    page.section("Events")
    _events(page, summary, facts)
    page.section("Quality of the data")
    _quality(page, summary, facts)
    page.section("Model and settings")
    page.table(("setting", "value"), [(k, str(v)) for k, v in facts.settings.items()])
    page.table(("model", ""), [(k, str(v)) for k, v in facts.card.items()])
    if facts.files:
        page.section("Files beside this page")
        page.table(("file", "what is in it"), list(facts.files.items()))
    return page.write(path)


def _timelines(
    page: Page, summary: Summary, people: Sequence[Person], span: Span, facts: ReportFacts
) -> None:
    if people:
        name = Path(facts.clip).name
        add_player(page, summary, people, span, name=name, clip=facts.clip_path)
    page.section("Timelines")
    if meaning := facts.card.get("scores"):
        page.text(
            f"A score is {meaning}, for the base rates under model and settings "
            f"({str(facts.card['base rates']).partition(':')[0]})."
        )
    add_event_key(page, span)
    for person in people[:CHARTED]:
        _timeline(page, summary, person, span)
    if len(people) > CHARTED:
        page.text(f"{len(people) - CHARTED} people with less time are in the tables only.")
    if not people:
        page.text("No face was found in this clip.")
    if people:
        add_valence(page, people, span)
    if summary.units_measured:
        add_units(page, people, span)
    if facts.epochs is not None and facts.epochs.events is not None:
        add_coded_events(page, people, facts.epochs)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def capital(words: str) -> str:
    """Return words with a capital first letter."""
    return words[:1].upper() + words[1:]


def _shares(page: Page, summary: Summary, people: Sequence[Person]) -> None:
    page.text(
        "The share of the time that a person's face was seen, by answer. Unclear is a share of its "
        "own: there the best score was below the model's threshold."
    )
    names = [*summary.labels.names, "unclear"]
    rows: list[list[object]] = []
    for person in people:
        total = person.seconds or 1.0
        cells = [f"{100 * person.label_s[name] / total:.0f} %" for name in names]
        rows.append([summary.title(person.track_id), clock(person.seconds), *cells])
    page.table(["", "seen for", *names], rows)


def _timeline(
    page: Page,
    summary: Summary,
    person: Person,
    span: Span,
) -> None:
    times, scores = person.scores.means()
    scores = scores / scores.sum(1, keepdims=True)
    bands = [
        (e.label, e.start_s, e.end_s, f"{e.label}, {clock(e.start_s)} to {clock(e.end_s)}")
        for e in summary.events
        if e.track_id == person.track_id
    ]
    names = summary.labels.names
    drawing, slim = (
        draw_timeline(each, times, scores, names, bin_s=person.scores.bin_s, bands=bands)
        for each in (span, replace(span, width=SLIM))
    )
    who = summary.title(person.track_id)
    legend = (
        f"{capital(who)}: scores of {', '.join(names)} (from below), and the answers that were "
        f"held for {summary.hold_s:g} s or more; gray = unclear."
    )
    page.drawing(drawing, legend=legend, wide=True, slim=slim, person=person.track_id)
    if summary.eyes_measured:
        _eyes(page, summary, person, span)


def _eyes(
    page: Page,
    summary: Summary,
    person: Person,
    span: Span,
) -> None:
    times, values = person.eyes.means()
    closures = [c for c in summary.closures if c.track_id == person.track_id]
    blinks = [c.start_s for c in closures if c.blink]
    minutes = person.blinks.measured_s / 60
    rate = f"{len(blinks) / minutes:.0f} a minute" if minutes >= 0.2 else "too short for a rate"

    def column(i: int) -> NDArray[np.float64]:
        return np.asarray(values[:, i], np.float64)

    traces = [
        Trace("eyes open, 0 to 1; marks: blinks", column(0), 0, 1, blinks),
        Trace("gaze to their left (+) or right, degrees", column(1), -30, 30),
        Trace("gaze down (+) or up, degrees", column(2), -30, 30),
        Trace("head to their left (+) or right, degrees", column(3), -50, 50),
        Trace("head down (+) or up, degrees", column(4), -50, 50),
    ]
    measured = 100 * person.gaze_frames / person.frames
    drawing, slim = (
        draw_traces(each, times, traces, bin_s=person.eyes.bin_s)
        for each in (span, replace(span, width=SLIM))
    )
    page.drawing(
        drawing,
        slim=slim,
        legend=(
            f"{capital(summary.title(person.track_id))}: "
            f"{_count(len(blinks), 'blink', 'blinks')} ({rate}), eyes closed for "
            f"{sum(c.length_s for c in closures):.1f} s in all; gaze, relative to the "
            f"head, was measured on {measured:.0f} % of the frames."
        ),
        wide=True,
    )


def _events(page: Page, summary: Summary, facts: ReportFacts) -> None:
    page.text(
        f"Answers that one face gave for {summary.hold_s:g} s or more without a break, in order of "
        "time."
    )
    shown = summary.events
    if len(shown) > MOST_EVENTS:
        shown = sorted(shown, key=lambda e: -e.length_s)[:MOST_EVENTS]
        shown = sorted(shown, key=lambda e: (e.start_s, e.track_id))
        page.text(
            f"The {MOST_EVENTS} longest of {len(summary.events):,}; all are in summary.json.",
            quiet=True,
        )
    page.table(
        ("from", "to", "seconds", "person", "answer", "surest frame", "its score"),
        [
            (
                Cell(clock(e.start_s), seconds=e.start_s),
                Cell(clock(e.end_s), seconds=e.end_s),
                f"{e.length_s:.1f}",
                summary.title(e.track_id),
                e.label,
                Cell(clock(e.best_s), seconds=e.best_s),
                f"{100 * e.score:.0f} %",
            )
            for e in shown
        ],
    )
    page.pictures(
        ((image,), e.label, f"{summary.title(e.track_id)}, {clock(e.best_s)}")
        for e, image in facts.pictures
    )


def _quality(page: Page, summary: Summary, facts: ReportFacts) -> None:
    q, frames, faces = summary.quality, summary.frames or 1, summary.quality["faces"] or 1
    rows = [
        ("frames decoded", f"{facts.decoded:,}", ""),
        ("frames read", f"{summary.frames:,}", ""),
        (
            "frames without a face",
            f"{q['frames without a face']:,}",
            f"{100 * q['frames without a face'] / frames:.1f} % of the frames read",
        ),
        ("faces read", f"{q['faces']:,}", f"at most {summary.most_faces} at once"),
    ]
    reasons = {
        "unclear": "best score below the threshold",
        "low light": f"mean luma below {LOW_LIGHT:.0%}",
        "small": f"shorter side below {SMALL:.0f} pixels",
        "turned away": f"head turned by more than {np.degrees(PROFILE_RAD):.0f} degrees",
        "eyes not measured": "covered by hand or hair, turned away, too small",
    }
    for name, why in reasons.items():
        if name in {"turned away", "eyes not measured"} and not summary.eyes_measured:
            continue
        rows.append((f"faces: {name}", f"{q[name]:,}", f"{100 * q[name] / faces:.1f} %: {why}"))
    page.table(("", "number", ""), rows)
