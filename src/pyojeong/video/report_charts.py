"""Charts of the report that hold several people: valence, action units, coded events."""

from collections.abc import Sequence
from dataclasses import replace

from pyojeong.core.action_units import ACTION_UNITS
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
from pyojeong.video.coded_events.epoch import by_label
from pyojeong.video.epochs import SHOWS, EpochCounter, Sums
from pyojeong.video.measured_epochs import MeasuredEpochs
from pyojeong.video.summary import MEASURES, Person

MOST_LABELS = 24
"""So many labels of coded events get charts."""
MOST_MARKS = 400
"""So many coded events are drawn in the timelines."""


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
        more = f", and {len(names) - MOST_LABELS} more" if len(names) > MOST_LABELS else ""
        page.text(f"Coded events: {', '.join(names[:MOST_LABELS])}{more}.")
    hidden = lanes_of(span.marks).count(None)
    if hidden:
        page.text(f"{hidden} of them, at the same time as three others, have no bar.", quiet=True)


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


def _add_key(page: Page, people: Sequence[Person]) -> None:
    """Add the colours of people, and say who has none."""
    names = [f"person {person.track_id}" for person in _shown(people)]
    page.small_drawings([(people_key(names, DOTS), f"Colours of {', '.join(names)}")])
    if len(people) > KINDS:
        page.text(
            f"These charts show the {KINDS} people who were seen longest; the tables hold all.",
            quiet=True,
        )


def add_valence(page: Page, people: Sequence[Person], span: Span) -> None:
    """Add valence over time, a line per person."""
    page.section("Valence")
    page.text(
        "Happy minus the largest of sad, angry, fear and disgust, -1 to 1: how pleasant or "
        "unpleasant the expression looks."
    )
    lines = _lines(people, "valence")
    drawing, slim = (
        draw_wide(each, lines, low=-1, high=1) for each in (span, replace(span, width=SLIM))
    )
    page.drawing(drawing, slim=slim, legend="Valence over time, -1 to 1.", wide=True)
    _add_key(page, people)


def add_units(page: Page, people: Sequence[Person], span: Span) -> None:
    """Add a small chart per action unit over time, a line per person."""
    page.section("Action units")
    shaded = " Coded events are shaded." if span.marks else ""
    page.text(
        f"Intensities over time, 0 = not there, 1 = as strong as it gets.{shaded} Good, fair and "
        "weak say how well a unit is measured; do not publish weak ones."
    )
    _add_key(page, people)
    drawings: list[tuple[Drawing, str]] = []
    missing: list[str] = []
    for unit, words in ACTION_UNITS.items():
        lines = [line for line in _lines(people, unit) if (line.values == line.values).any()]
        if not lines:
            missing.append(unit)
            continue
        drawing = draw_small(f"{unit} {words} ({action_unit_grade(unit)})", span, lines)
        drawings.append((drawing, f"{unit}, {words}: intensity over time, 0 to 1"))
    page.small_drawings(drawings)
    if missing:
        page.text(f"Not measured: {', '.join(missing)}.", quiet=True)


def add_coded_events(page: Page, people: Sequence[Person], epochs: MeasuredEpochs) -> None:
    """Add what was given, and charts of the mean scores and units per label and person."""
    events, counter = epochs.events, epochs.counter
    if events is None or counter is None:
        return
    page.section("Coded events")
    groups = by_label(events.epochs)
    shown = _shown(people)
    page.text(f"From {events.file}." if events.file else "From a list.")
    for line in events.notes:
        page.text(line, quiet=True)
    rows: list[list[object]] = []
    for number, (label, each) in enumerate(groups.items(), 1):
        sums = counter.of_label(label)
        times = [sums[p.track_id].valid_s if p.track_id in sums else 0.0 for p in shown]
        times.insert(0, sum(e.length_s for e in each))
        rows.append([number, label, len(each), *(Cell(f"{t:.1f} s", t) for t in times)])
    heads = [f"person {person.track_id} seen" for person in shown]
    page.table(["", "label", "events", "length", *heads], rows)
    page.text(
        "Marks are means over the time of each label's events, lines one standard deviation over "
        "that time on both sides. epochs.csv has a row per event and person, with peaks, blinks, "
        f"and shares of time (a unit counts from {SHOWS:g} on)."
    )
    _add_key(page, people)
    scores = [name for name in counter.names if name.startswith("score_")]
    for what, names in (("scores", scores), ("action units", counter.units)):
        drawings: list[tuple[Drawing, str]] = []
        for label, each in list(groups.items())[:MOST_LABELS] if names else []:
            count = f"{len(each)} event{'' if len(each) == 1 else 's'}"
            rows_of = _rows(counter, counter.of_label(label), shown, names)
            drawing = draw_dots(label, f"{what}, {count}", rows_of)
            drawings.append((drawing, f"{what} during {label}, mean per person"))
        page.small_drawings(drawings)
    if len(groups) > MOST_LABELS:
        page.text(f"{len(groups) - MOST_LABELS} more labels are in the table only.", quiet=True)


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
