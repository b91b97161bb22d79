"""Edits of a clip's people: who leaves, who is the same person, which times do not count, names."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from pyojeong.core.errors import DataError

KIND = "pyojeong-edits"
"""Marks files of edits, which the report's player saves."""
_MOST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackEdits:
    """Edits of a clip's people.

    Attributes:
        removed: Numbers of people whose faces leave.
        merged: Number of a person -> number of the same person; never one that leaves.
        excluded: (start, end) in seconds, end exclusive: faces of these times leave.
        names: Number of a person -> name in the report and the summary.
    """

    removed: frozenset[int] = frozenset()
    merged: Mapping[int, int] = field(default_factory=dict)
    excluded: tuple[tuple[float, float], ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.removed or self.merged or self.excluded or self.names)

    @property
    def people(self) -> set[int]:
        """Every number that is named."""
        return {*self.removed, *self.merged, *self.merged.values(), *self.names}

    def without(self, tracks: Iterable[int]) -> Self:
        """Return these edits with more people who leave."""
        removed = self.removed | set(map(int, tracks))
        return replace(self, removed=removed)

    def keeps(self, track: int | None, time_s: float) -> bool:
        """Return whether a face stays."""
        return track not in self.removed and not any(a <= time_s < b for a, b in self.excluded)

    def check_frame(self, index: Any, tracks: Sequence[int | None]) -> None:
        """Check that nobody would be in a frame twice.

        Raises:
            DataError: When two people who shall be one are in this frame.
        """
        if not self.merged:
            return
        seen: dict[int, int] = {}
        for track in tracks:
            if track is None:
                continue
            who = self.merged.get(track, track)
            if who in seen:
                raise DataError(
                    f"persons {seen[who]} and {track} are both in frame {index}: they are not "
                    "one person; take that out of the edits, or exclude the time"
                )
            seen[who] = track

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` is its inverse."""
        return {
            "kind": KIND,
            "remove": sorted(self.removed),
            "merge": [[a, b] for a, b in sorted(self.merged.items())],
            "exclude": [[a, b] for a, b in self.excluded],
            "names": {str(k): v for k, v in sorted(self.names.items())},
        }

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Build from ``to_dict``'s output.

        Raises:
            DataError: When it is none, or contradicts itself.
        """
        if not isinstance(data, dict) or data.get("kind") != KIND:
            raise DataError("these are no edits: save them in the player of a report")
        try:
            made = cls(
                removed=frozenset(_number(v) for v in data.get("remove", ())),
                merged=_chains({_number(a): _number(b) for a, b in data.get("merge", ())}),
                excluded=tuple(sorted((float(a), float(b)) for a, b in data.get("exclude", ()))),
                names={_number(k): _name(v) for k, v in dict(data.get("names", {})).items()},
            )
        except (TypeError, ValueError) as error:
            raise DataError(f"the edits are damaged ({error})") from error
        for start, end in made.excluded:
            if not 0 <= start < end < float("inf"):
                raise DataError(f"excluded time {start:g} to {end:g}: the end must come after")
        both = made.removed & {*made.merged, *made.merged.values()}
        if both:
            raise DataError(f"person {min(both)} is removed and merged: decide for one")
        return made

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of edits.

        Raises:
            DataError: When it is unreadable, or holds no edits.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: not a file of edits ({error})") from error
        try:
            return cls.from_dict(data)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error


def _number(value: Any) -> int:
    if isinstance(value, bool) or int(value) != float(value):
        raise ValueError(f"expected the number of a person, got {value!r}")
    return int(value)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"a name must be printable text, got {value!r}")
    if len(value) > _MOST_NAME:
        raise ValueError(f"a name has at most {_MOST_NAME} characters")
    return value.strip()


def _chains(merged: dict[int, int]) -> dict[int, int]:
    """Return every person -> the one at the end of the chain: 3 -> 2 -> 1 is 3 -> 1."""
    out = {}
    for person, first in merged.items():
        seen, last = {person}, first
        while last in merged:
            if last in seen:
                raise DataError(f"person {person} is merged into itself")
            seen.add(last)
            last = merged[last]
        if last == person:
            raise DataError(f"person {person} is merged into itself")
        out[person] = last
    return out
