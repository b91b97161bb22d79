"""Which events of a file belong to a clip."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pyojeong.core.errors import InputError
from pyojeong.core.printable import printable
from pyojeong.video.coded_events.boris_project import read_project
from pyojeong.video.coded_events.boris_table import boris_header, read_boris_table
from pyojeong.video.coded_events.eaf import read_eaf
from pyojeong.video.coded_events.epoch import Epoch, EventList, Recording, checked, short
from pyojeong.video.coded_events.table import is_table, read_table
from pyojeong.video.coded_events.text import decoded, read_bytes, table_rows

_SHOWN = 5
_NO_CLIP = "save the events as CSV with the columns label,start,end, which names no clip"


def read_event_file(path: Path) -> list[Recording]:
    """Return what a file of events holds: BORIS, ELAN, or CSV, known by its contents.

    Args:
        path: A project (``.boris``) or exported table of BORIS, an ELAN file (``.eaf``), or a table
            with the header ``label,start,end``. Nothing in it is executed or expanded.

    Raises:
        InputError: When it is none of these.
    """
    data, name = read_bytes(path), printable(path.name)
    if path.suffix.lower() == ".eaf" or re.match(rb"(\xef\xbb\xbf)?\s*<", data):
        return [read_eaf(data, name)]
    text = decoded(data, name)
    if path.suffix.lower() in {".boris", ".json"} or text.lstrip().startswith("{"):
        return read_project(text, name)
    rows = table_rows(text, name)
    at = boris_header(rows)
    if at is not None:
        return read_boris_table(rows, at, name)
    if is_table(rows):
        return [read_table(rows, name)]
    raise InputError(
        f"{name}: expected a project or exported table of BORIS, an ELAN file, or a table whose "
        "first row is label,start,end"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """The events that a command was given, for one clip or several.

    Attributes:
        name: Of the file; "" = a list.
        recordings: What it holds.
        observation: Name of the observation that is meant; None = the one of the clip.
        window_s: Length of epochs that begin with events without a length; None = these are left
            out.
    """

    name: str
    recordings: tuple[Recording, ...]
    observation: str | None = None
    window_s: float | None = None

    def __post_init__(self) -> None:
        if self.window_s is not None and not 1e-6 <= self.window_s < 86_400:
            raise InputError(f"event window: expected seconds above 0, got {self.window_s:g}")

    @classmethod
    def from_file(
        cls, path: Path, *, observation: str | None = None, window_s: float | None = None
    ) -> Self:
        """Read a file of events; raises ``InputError`` when it could not be used."""
        recordings = tuple(read_event_file(path))
        name = printable(path.name)
        return cls(name=name, recordings=recordings, observation=observation, window_s=window_s)

    @classmethod
    def from_list(cls, events: Iterable[Any], *, window_s: float | None = None) -> Self:
        """Take (start, end, label) in seconds; raises ``InputError`` when one is something else."""
        try:
            given = list(events)
        except TypeError:
            given = [events]  # refused as what it is
        epochs = []
        for each in given:
            try:
                start, end, label = each
                epochs.append(Epoch(_label(label), _finite(start), _finite(end)))
            except (TypeError, ValueError, OverflowError):
                raise InputError(
                    f"events: expected (start, end, label) in seconds, got {short(repr(each))}"
                ) from None
        return cls(name="", recordings=(Recording(epochs=tuple(epochs)),), window_s=window_s)

    def of(self, clip: str) -> EventList:
        """Return the epochs of a clip.

        Args:
            clip: Its file name.

        Raises:
            InputError: When the events are of other clips, of several observations of this one, or
                of no use.
        """
        found = self._chosen(clip)
        if found.error:
            raise InputError(found.error)
        what = self.name
        if found.name and len(self.recordings) > 1:
            what = f"{self.name}, observation {found.name!r}"
        events = checked(what, found.epochs, window_s=self.window_s, notes=found.notes)
        return EventList(self.name, events.epochs, events.notes)

    def _chosen(self, clip: str) -> Recording:
        found: Sequence[Recording] = self.recordings
        if self.observation is not None:
            found = [each for each in found if each.name == self.observation]
            if not found:
                raise InputError(
                    f"{self.name}: no observation {self.observation!r}; it holds {self._listed()}"
                )
        own = [each for each in found if _file_name(clip) in map(_file_name, each.media)]
        free = [each for each in found if not each.media]
        # One that names no clip, among others that do, was coded live: who knows of what.
        sure = len(free) == len(self.recordings) or self.observation is not None
        candidates = own or (free if sure else [])
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            names = ", ".join(repr(short(each.name)) for each in candidates[:_SHOWN])
            raise InputError(
                f"{self.name}: {len(candidates)} observations may be of {clip} ({names}): choose "
                "one with --observation NAME"
            )
        if not found:
            raise InputError(f"{self.name}: holds no observation")
        media = list(dict.fromkeys(m for each in found for m in each.media))
        names = ", ".join(printable(short(_tail(m))) for m in media[:_SHOWN])
        more = f" and {len(media) - _SHOWN} more" if len(media) > _SHOWN else ""
        live = (
            f"choose {short(free[0].name)!r}, which names none, with --observation" if free else ""
        )
        raise InputError(
            f"{self.name}: is about {names}{more}, not {clip}: name the clip as there, or "
            f"{live or _NO_CLIP}"
        )

    def _listed(self) -> str:
        names = [repr(short(each.name)) for each in self.recordings[:_SHOWN] if each.name]
        return ", ".join(names) or "none with a name"


def _label(value: Any) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN, of a DataFrame
        raise ValueError
    return str(value)


def _finite(value: Any) -> float:
    number = float(value)
    if not abs(number) < float("inf"):
        raise ValueError
    return number


def _tail(path: str) -> str:
    """Return the last part of a path of any system."""
    return re.split(r"[/\\]", path.strip())[-1]


def _file_name(path: str) -> str:
    """Return a file name for comparison: systems spell letters and their marks in several ways."""
    return unicodedata.normalize("NFC", _tail(path)).casefold()
