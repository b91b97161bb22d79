"""Events as WebVTT subtitles, for players."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.printable import printable


@dataclass(frozen=True, slots=True)
class Annotation:
    """A stretch of time with words.

    Attributes:
        tier: What it belongs to, for example ``"person 1: expression"``.
        start_s: Begin, in seconds from the clip's beginning.
        end_s: End.
        words: What is written there.
    """

    tier: str
    start_s: float
    end_s: float
    words: str


def in_milliseconds(annotations: Sequence[Annotation]) -> list[tuple[int, int, Annotation]]:
    """Return begin, end and annotation, sorted; none is shorter than a millisecond.

    Players and ELAN refuse stretches without a length. Within a tier none overlaps the next.
    """
    out: list[tuple[int, int, Annotation]] = []
    reached: dict[str, int] = {}
    for a in sorted(annotations, key=lambda a: (a.start_s, a.tier)):
        start = max(round(a.start_s * 1000), reached.get(a.tier, 0), 0)
        end = max(round(a.end_s * 1000), start + 1)
        reached[a.tier] = end
        out.append((start, end, a))
    return out


def write_vtt(path: Path, annotations: Sequence[Annotation], *, note: str = "") -> None:
    """Write WebVTT: one cue per annotation, the tier as its speaker.

    Args:
        path: The file.
        annotations: In any order.
        note: A line for the reader of the file, which players pass over.

    Raises:
        OutputError: When the file could not be written.
    """
    with atomic_write(path, "w") as file:
        file.write("WEBVTT\n")
        if note:
            plain = printable(" ".join(note.split()))
            file.write(f"\nNOTE {plain.replace('-->', '->')}\n")
        for number, (start, end, a) in enumerate(in_milliseconds(annotations), 1):
            span = f"{_stamp(start)} --> {_stamp(end)}"
            file.write(f"\n{number}\n{span}\n<v {_escaped(a.tier)}>{_escaped(a.words)}\n")


def _escaped(words: str) -> str:
    return html.escape(printable(words), quote=False)


def _stamp(milliseconds: int) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
