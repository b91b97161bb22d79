"""Charts of the report that hold several people: valence, action units, coded events."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pyojeong.core.action_units import ACTION_UNITS
from pyojeong.core.texts import Texts
from pyojeong.output.charts import KINDS, Drawing
from pyojeong.output.page import Cell, Page
from pyojeong.output.small_charts import (
    DOTS,
    Dot,
    TimeLine,
    draw_dots,
    draw_small,
    draw_wide,
    people_key,
)
from pyojeong.output.timeline_svg import SLIM, Mark, Span, lanes_of
from pyojeong.runtime.face_measures import action_unit_grade
from pyojeong.video.coded_events.epoch import Epoch, by_label
from pyojeong.video.epochs import SHOWS, EpochCounter, Sums
from pyojeong.video.measured_epochs import MeasuredEpochs
from pyojeong.video.summary import MEASURES, Person

MOST_LABELS = 24
"""So many labels of coded events get charts."""
MOST_MARKS = 400
"""So many coded events are drawn in the timelines."""
_ENDS = (0.1, 0.2, 0.5, 1.0)
"""Where the scale of activation may end."""


def marks_of(epochs: MeasuredEpochs | None) -> list[Mark]:
    """Return the coded events as they are drawn; labels are numbered in order of time."""
    if epochs is None or epochs.events is None:
        return []
    found = epochs.events.epochs[:MOST_MARKS]
    numbers = {label: i for i, label in enumerate(by_label(found), 1)}
    return [Mark(e.label, numbers[e.label], e.start_s, e.end_s) for e in found]


def add_event_key(page: Page, span: Span) -> None:
    """Add the numbers of coded events, which are written where a label has no room."""
    # Those behind MOST_MARKS are in the table of labels and in epochs.csv.
    names = list(dict.fromkeys(f"{mark.number} {mark.label}" for mark in span.marks))
    if names:
        key = "coded.key.more" if len(names) > MOST_LABELS else "coded.key"
        shown = ", ".join(names[:MOST_LABELS])
        page.text(span.say(key, names=shown, n=len(names) - MOST_LABELS))
    hidden = lanes_of(span.marks).count(None)
    if hidden:
        page.text(span.say("coded.hidden", n=hidden), quiet=True)


def _shown(people: Sequence[Person]) -> list[Person]:
    """Return the people who get colours: those seen longest, by number."""
    return sorted(people[:KINDS], key=lambda person: person.track_id)


def _lines(people: Sequence[Person], measure: str) -> list[TimeLine]:
    """Return the values of a measure over time; the first people only."""
    at = MEASURES.index(measure)
    out = []
    for kind, person in enumerate(_shown(people)):
        times, values = person.measures.means()
        if len(times):
            out.append(TimeLine(kind, times, values[:, at], person.measures.bin_s))
    return out


def _lines_known(people: Sequence[Person], measure: str) -> list[TimeLine]:
    """Return the lines of ``_lines`` that hold a value."""
    return [line for line in _lines(people, measure) if np.isfinite(line.values).any()]


def _add_key(page: Page, people: Sequence[Person], say: Texts) -> None:
    """Add the colours of people, and say who has none."""
    names = [say("person", n=person.track_id) for person in _shown(people)]
    legend = say("colours", names=", ".join(names))
    page.small_drawings([(people_key(names, DOTS), legend)])
    if len(people) > KINDS:
        page.text(say("colours.limit", n=KINDS), quiet=True)


def add_valence(page: Page, people: Sequence[Person], span: Span) -> None:
    """Add valence over time, a line per person."""
    say = span.say
    page.section(say("section.valence"))
    page.text(say("valence"))
    lines = _lines(people, "valence")
    drawing, slim = (
        draw_wide(each, lines, low=-1, high=1) for each in (span, replace(span, width=SLIM))
    )
    page.drawing(drawing, slim=slim, legend=say("valence.legend"), wide=True)
    _add_key(page, people, say)


def add_units(page: Page, people: Sequence[Person], span: Span) -> None:
    """Add a small chart per action unit over time, a line per person."""
    say = span.say
    page.section(say("section.units"))
    shaded = f" {say('units.shaded')}" if span.marks else ""
    page.text(f"{say('units')}{shaded}")
    _add_key(page, people, say)
    drawings: list[tuple[Drawing, str]] = []
    missing: list[str] = []
    for unit in ACTION_UNITS:
        lines = _lines_known(people, unit)
        if not lines:
            missing.append(unit)
            continue
        words, grade = say(f"unit.{unit}"), say(f"grade.{action_unit_grade(unit)}")
        title = say("unit.title", unit=unit, words=words, grade=grade)
        drawing = draw_small(title, span, lines)
        drawings.append((drawing, say("unit.legend", unit=unit, words=words)))
    page.small_drawings(drawings)
    if _lines_known(people, "activation"):
        page.text(say("units.change"), quiet=True)
    if missing:
        page.text(say("units.missing", names=", ".join(missing)), quiet=True)


def add_activation(page: Page, people: Sequence[Person], span: Span) -> None:
    """Add activation over time, a line per person, when there was a baseline."""
    say = span.say
    lines = _lines_known(people, "activation")
    if not lines:
        return
    page.section(say("section.activation"))
    page.text(say("activation"))
    largest = max(float(np.nanmax(line.values)) for line in lines)
    high = next(each for each in _ENDS if each >= largest)
    drawing, slim = (
        draw_wide(each, lines, low=0, high=high) for each in (span, replace(span, width=SLIM))
    )
    legend = say("activation.legend", high=f"{high:g}")
    page.drawing(drawing, slim=slim, legend=legend, wide=True)
    _add_key(page, people, say)


def add_coded_events(
    page: Page, people: Sequence[Person], epochs: MeasuredEpochs, say: Texts
) -> None:
    """Add what was given, and charts of the mean scores and units per label and person."""
    events, counter = epochs.events, epochs.counter
    if events is None or counter is None:
        return
    page.section(say("section.coded"))
    groups = by_label(events.epochs)
    shown = _shown(people)
    page.text(say("coded.from", file=events.file) if events.file else say("coded.list"))
    for line in events.notes:
        page.text(say.said(line, "note"), quiet=True)
    rows: list[list[object]] = []
    for number, (label, each) in enumerate(groups.items(), 1):
        sums = counter.of_label(label)
        times = [sums[p.track_id].valid_s if p.track_id in sums else 0.0 for p in shown]
        times.insert(0, sum(e.length_s for e in each))
        rows.append([number, label, len(each), *(_seconds(t, say) for t in times)])
    heads = [say(f"head.{name}") for name in ("label", "events", "length")]
    heads += [say("head.person_seen", n=person.track_id) for person in shown]
    page.table(["", *heads], rows)
    page.text(say("coded.marks", shows=f"{SHOWS:g}"))
    _add_key(page, people, say)
    _add_means(page, groups, shown, counter, say)


def _seconds(seconds: float, say: Texts) -> Cell:
    return Cell(say("seconds", n=f"{seconds:.1f}"), seconds)


def _add_means(
    page: Page,
    groups: Mapping[str, Sequence[Epoch]],
    shown: Sequence[Person],
    counter: EpochCounter,
    say: Texts,
) -> None:
    """Add charts of the mean scores and units per label and person."""
    scores = [name for name in counter.names if name.startswith("score_")]
    for what, names in (("scores", scores), ("units", counter.units)):
        words = say(f"coded.{what}")
        drawings: list[tuple[Drawing, str]] = []
        for label, each in list(groups.items())[:MOST_LABELS] if names else []:
            note = say.count("coded.note", len(each), what=words)
            rows = _rows(counter, counter.of_label(label), shown, names)
            named = [(_measure_in_words(name, say), dots) for name, dots in rows]
            drawing = draw_dots(label, note, named, say=say)
            drawings.append((drawing, say("coded.during", what=words, event=label)))
        page.small_drawings(drawings)
    if len(groups) > MOST_LABELS:
        page.text(say("coded.more", n=len(groups) - MOST_LABELS), quiet=True)


def _measure_in_words(name: str, say: Texts) -> str:
    """Return a label in the language of the page, or a unit with its grade."""
    if name not in ACTION_UNITS:
        return say.label(name)
    return say("unit.graded", unit=name, grade=say(f"grade.{action_unit_grade(name)}"))


def _rows(
    counter: EpochCounter, sums: dict[int, Sums], people: Sequence[Person], names: Sequence[str]
) -> list[tuple[str, list[Dot]]]:
    out = []
    for name in names:
        at = counter.names.index(name)
        dots = []
        for kind, person in enumerate(people):
            found = sums.get(person.track_id)
            mean = None if found is None else found.mean(at)
            if found is not None and mean is not None:
                dots.append(Dot(kind, mean, found.spread(at) or 0.0))
        out.append((name.removeprefix("score_"), dots))
    return out
