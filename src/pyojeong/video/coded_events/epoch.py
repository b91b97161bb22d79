"""Coded events as data: stretches of time with a label, and what a file holds of each recording."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from pyojeong.core.errors import InputError

NAMED = 3
"""So many events are named in a line; more are counted."""
MOST = 100_000
"""So many events are read from a file."""
LONGEST = 1000
"""Longer labels, tiers and modifiers are refused: tables and pages have no room for them."""
_SHORT = 80
"""So many characters of a word are shown in a message."""
DIGITS = 6
"""Times count to a microsecond: files and containers round them in their own ways."""
_EDGE_S = 1e-3
"""Times that differ by no more than this are the same for what is said of the clip's ends."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A stretch of time that somebody gave a label; ``start_s <= t < end_s`` belongs to it.

    Attributes:
        label: BORIS's behavior, ELAN's annotation value, or the label of a CSV file.
        start_s: Begin, in seconds from the clip's beginning.
        end_s: End; equal to ``start_s`` for an event that is a point in time.
        tier: ELAN's tier or BORIS's subject; "" = none.
        modifier: BORIS's modifiers; "" = none.
    """

    label: str
    start_s: float
    end_s: float
    tier: str = ""
    modifier: str = ""

    @property
    def point(self) -> bool:
        """Whether it has no length."""
        return self.end_s == self.start_s

    @property
    def length_s(self) -> float:
        """How long, in seconds."""
        return self.end_s - self.start_s

    def within(self, start_s: float, end_s: float) -> "Epoch | None":
        """Return the part of it between two times; None = there is none."""
        start, end = max(self.start_s, start_s), min(self.end_s, end_s)
        return replace(self, start_s=start, end_s=end) if start < end else None

    def __str__(self) -> str:
        at = f"{self.start_s:g}" if self.point else f"{self.start_s:g}-{self.end_s:g}"
        return f"{short(self.label)} at {at} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The events of one observation.

    Attributes:
        name: BORIS's name of the observation; "" = the file holds only this one.
        media: File names of the clips that it is about; () = it does not say.
        epochs: In the order of the file.
        notes: Lines about what was left out or decided.
        error: Why these events are of no use; "" = they are.
    """

    name: str = ""
    media: tuple[str, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class EventList:
    """The epochs of one clip, sorted and checked.

    Attributes:
        file: Name of the file that they come from; "" = they were given as a list.
        epochs: In order of time.
        notes: Lines about what was left out or decided.
    """

    file: str
    epochs: tuple[Epoch, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build from what ``dataclasses.asdict`` gives, also after JSON."""
        epochs = tuple(Epoch(**each) for each in data["epochs"])
        return cls(data["file"], epochs, tuple(data["notes"]))


def short(words: str) -> str:
    """Return words as a message shows them: their beginning, where they are long."""
    return words if len(words) <= _SHORT else f"{words[:_SHORT]}..."


def named(epochs: Sequence[Epoch]) -> str:
    """Return the first events in words, and how many more there are."""
    words = ", ".join(map(str, epochs[:NAMED]))
    return words + (f" and {len(epochs) - NAMED} more" if len(epochs) > NAMED else "")


def checked(
    file: str, epochs: Iterable[Epoch], *, window_s: float | None = None, notes: Sequence[str] = ()
) -> EventList:
    """Return events in order of time, as the epochs of a clip.

    Events may overlap, also those of one label: each is an epoch of its own.

    Args:
        file: What they are called in messages.
        epochs: In any order.
        window_s: Events without a length become epochs of so many seconds that begin with them;
            None = they are left out, and a note says so.
        notes: What is known so far.

    Raises:
        InputError: When a time is negative, an end lies before its start, there is nothing, or no
            event has a length.
    """
    what = file or "events"
    given = [_clean(what, each) for each in epochs]
    lines = list(notes)
    if not given:
        raise InputError(f"{what}: holds no event")
    if len(given) > MOST:
        raise InputError(f"{what}: holds {len(given):,} events; at most {MOST:,} are read")
    _require_times(what, given)
    points = [each for each in given if each.point]
    if window_s is not None:
        given = [
            replace(e, end_s=round(e.start_s + window_s, DIGITS)) if e.point else e for e in given
        ]
    elif len(points) == len(given):
        raise InputError(
            f"{what}: its events are points in time ({named(points)}): say with --event-window S "
            "(from Python: event_window_s=S) how many seconds from each of them count"
        )
    elif points:
        given = [each for each in given if not each.point]
        lines.append(
            f"{counted(len(points), 'event')} without a length left out ({named(points)}): "
            "--event-window S (from Python: event_window_s=S) makes epochs of S seconds of them"
        )
    given.sort(key=lambda e: (e.start_s, e.end_s, e.label, e.tier, e.modifier))
    overlapping = _overlapping(given)
    if overlapping:
        begin = "begins" if len(overlapping) == 1 else "begin"
        lines.append(
            f"{counted(len(overlapping), 'epoch')} {begin} before an earlier one of their label "
            f"has ended ({named(overlapping)}): each is measured for itself"
        )
    alike = _alike(given)
    if alike:
        lines.append(f"labels that look the same and are not: {short(', '.join(alike))}")
    return EventList(file, tuple(given), tuple(lines))


def _alike(epochs: Sequence[Epoch]) -> list[str]:
    """Return labels that differ only in what is not seen, as escapes show them."""
    by_look: dict[str, set[str]] = defaultdict(set)
    for label in {each.label for each in epochs}:
        seen = (c for c in unicodedata.normalize("NFC", label) if unicodedata.category(c) != "Cf")
        by_look["".join(seen)].add(label)
    return [ascii(each) for look in sorted(by_look) if len(by_look[look]) > 1
            for each in sorted(by_look[look])]  # fmt: skip


def _clean(what: str, epoch: Epoch) -> Epoch:
    """Return an event as tables and pages hold it: its words one line, its times rounded."""
    words = {key: " ".join(getattr(epoch, key).split()) for key in ("label", "tier", "modifier")}
    for key, text in words.items():
        if len(text) > LONGEST:
            raise InputError(
                f"{what}: the {key} of {epoch} has {len(text):,} characters: shorten it to at most "
                f"{LONGEST:,}"
            )
        if any(unicodedata.category(c) in {"Cc", "Cs"} for c in text):
            raise InputError(
                f"{what}: the {key} {short(text)!r} at {epoch.start_s:g} s has control characters "
                "or halves of characters: correct it"
            )
    # To a microsecond, as frames are compared with them; + 0.0 takes the sign from a zero.
    start_s, end_s = (round(each, DIGITS) + 0.0 for each in (epoch.start_s, epoch.end_s))
    return Epoch(start_s=start_s, end_s=end_s, **words)


def _require_times(what: str, epochs: Sequence[Epoch]) -> None:
    for each in epochs:
        if all(unicodedata.category(c)[0] in "CZ" for c in each.label):  # nothing is seen of it
            raise InputError(f"{what}: an event at {each.start_s:g} s has no label: give it one")
        if each.start_s < 0:
            raise InputError(
                f"{what}: {each} is before the clip's beginning: times count in seconds from "
                "there and are not negative; correct it"
            )
        if each.end_s < each.start_s:
            raise InputError(f"{what}: {each} ends before it begins: correct its times")


def _overlapping(epochs: Sequence[Epoch]) -> list[Epoch]:
    """Return the epochs that begin before an earlier one of their label and tier has ended."""
    reached: dict[tuple[str, str], float] = {}
    found = []
    for each in epochs:
        key = (each.label, each.tier)
        if each.start_s < reached.get(key, 0.0):
            found.append(each)
        reached[key] = max(reached.get(key, 0.0), each.end_s)
    return found


def cut_to(events: EventList, start_s: float, end_s: float) -> EventList:
    """Return the epochs that lie in the part of a clip that was read, cut where they leave it.

    Args:
        events: Of the clip.
        start_s: Where reading begins.
        end_s: Where the clip or reading ends.

    Raises:
        InputError: When none is left.
    """
    kept: list[Epoch] = []
    gone: list[Epoch] = []
    cut: list[Epoch] = []
    for each in events.epochs:
        inside = each.within(start_s, end_s)
        if inside is None:
            gone.append(each)
            continue
        if each.start_s < start_s - _EDGE_S or each.end_s > end_s + _EDGE_S:
            cut.append(each)
        kept.append(inside)
    span = f"{start_s:g} s to {end_s:.2f} s"
    if not kept:
        raise InputError(
            f"{events.file or 'events'}: no event lies in what is read of the clip, {span} "
            f"({named(gone)}): choose the events of this clip, in seconds from its beginning"
        )
    lines = list(events.notes)
    if gone:
        lines.append(f"{counted(len(gone), 'event')} outside {span} left out ({named(gone)})")
    if cut:
        lines.append(f"{counted(len(cut), 'event')} cut to {span} ({named(cut)})")
    return EventList(events.file, tuple(kept), tuple(lines))


def counted(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def by_label(epochs: Iterable[Epoch]) -> dict[str, list[Epoch]]:
    """Return label -> its epochs, labels in the order of their first epoch."""
    out: dict[str, list[Epoch]] = defaultdict(list)
    for each in epochs:
        out[each.label].append(each)
    return dict(out)
