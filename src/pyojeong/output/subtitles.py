"""Events as WebVTT subtitles, for players."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyojeong.core.atomic_write import atomic_write


@dataclass(frozen=True, slots=True)
class Annotation:
    """A stretch of time with words.

    Attributes:
        tier: What it belongs to, for example ``"person 1: expression"``.
        start_s: Begin, in seconds of the clip.
        end_s: End.
        words: What is written there.
    """

    tier: str
    start_s: float
    end_s: float
    words: str


def write_vtt(path: Path, annotations: Sequence[Annotation]) -> None:
    """Write WebVTT: one cue per annotation, the tier as its speaker.

    Raises:
        OutputError: When the file could not be written.
    """
    with atomic_write(path, "w") as file:
        file.write("WEBVTT\n")
        for number, a in enumerate(sorted(annotations, key=lambda a: a.start_s), 1):
            words = a.words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            span = f"{_stamp(a.start_s)} --> {_stamp(a.end_s)}"
            file.write(f"\n{number}\n{span}\n<v {a.tier}>{words}\n")


def _stamp(seconds: float) -> str:
    thousandths = max(round(seconds * 1000), 0)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
