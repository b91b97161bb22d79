"""BORIS's state events: a start and a stop of the same subject, code and modifiers."""

from collections.abc import Iterable

from pyojeong.core.errors import InputError
from pyojeong.video.coded_events.epoch import Epoch, short

Key = tuple[str, str, str]
"""Subject, code and modifiers."""

NO_SUBJECT = "no focal subject"
"""BORIS's name for nobody, in small letters."""

_CURE = "pair it in BORIS, whose check of state events finds it, then save or export again"


def subject_of(cell: str) -> str:
    """Return a subject; "" for BORIS's name of nobody."""
    return "" if cell.casefold() == NO_SUBJECT else cell


def paired(what: str, marks: Iterable[tuple[float, Key, str]]) -> list[Epoch]:
    """Return the epochs between starts and stops, and the points, in order of their begin.

    Args:
        what: File and observation, for messages.
        marks: (time in seconds, key, kind): ``START``, ``STOP``, ``POINT``, or ``""`` for states
            that start and stop in turn.

    Raises:
        InputError: When a start has no stop, or a stop no start.
    """
    begun: dict[Key, float] = {}
    out: list[Epoch] = []
    for time_s, key, kind in sorted(marks, key=lambda mark: mark[0]):  # stable
        subject, code, modifier = key
        if kind == "POINT":
            out.append(Epoch(code, time_s, time_s, subject, modifier))
            continue
        stops = key in begun if kind == "" else kind == "STOP"
        if stops != (key in begun):
            how = "stops without a start" if stops else "starts twice"
            raise InputError(f"{what}: {_words(key)} {how} at {time_s:g} s: {_CURE}")
        if stops:
            out.append(Epoch(code, begun.pop(key), time_s, subject, modifier))
        else:
            begun[key] = time_s
    for key, time_s in begun.items():
        raise InputError(f"{what}: {_words(key)} starts at {time_s:g} s and never stops: {_CURE}")
    return sorted(out, key=lambda e: e.start_s)


def _words(key: Key) -> str:
    subject, code, modifier = key
    more = f" ({short(modifier)})" if modifier else ""
    return f"{short(code)!r}{more}{f' of {short(subject)}' if subject else ''}"
