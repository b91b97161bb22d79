"""What a user named on the command line, as files; and the sums that every command ends with."""

import glob
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyojeong.core.errors import InputError
from pyojeong.core.file_kinds import FileKind
from pyojeong.core.file_search import (
    OUT,
    REPEATED,
    SPECIAL,
    Failure,
    Found,
    LeftOut,
    closed,
    count_files,
    dead_link,
    each_once,
    identity,
    is_file,
    own_path,
    real_path,
    reason_by_kind,
    reason_by_name,
    search_folder,
)
from pyojeong.core.pattern_search import PatternSearch, fixed_part


def find_inputs(
    paths: Iterable[str | os.PathLike[str]],
    kind: FileKind,
    *,
    out: str | os.PathLike[str] | None = None,
) -> Found:
    """Return the files of named files, folders (searched deeply) and glob patterns, each once.

    A file that is named is taken whatever it is called and holds; what a pattern matches is judged
    as in a folder. A folder that is named is searched, also when it is hidden. What leads nowhere
    is left to whoever reads it; folders without a file of the kind and pipes are failures.

    Args:
        paths: As a user named them.
        kind: What folders are searched for.
        out: A folder of results; what lies in it is left out of searches.

    Raises:
        InputError: When a name is empty.
    """
    inputs = _Inputs(kind, out)
    paths = list(paths)
    refuse_empty(paths)
    for path in paths:
        inputs.add(os.fspath(path))
    inputs.found.left_out = each_once(inputs.found.left_out, inputs.taken) + inputs.repeated
    return inputs.found


def refuse_empty(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse names without a character, which would stand for the current folder.

    Raises:
        InputError: When there is one; its place is named.
    """
    for place, path in enumerate(paths, 1):
        if not os.fspath(path).strip():
            raise InputError(
                f"input {place} is an empty name ({os.fspath(path)!r}), perhaps of a variable that "
                "is not set: name a file, a folder or a pattern"
            )


class _Inputs:
    def __init__(self, kind: FileKind, out: str | os.PathLike[str] | None) -> None:
        self.kind = kind
        self.out = out
        self.found = Found()
        self.repeated: list[LeftOut] = []
        self.seen: set[str] = set()
        self.taken: set[str] = set()
        self.of_input: set[str] = set()
        self.real_folders: dict[str, str] = {}

    def add(self, name: str) -> None:
        self.of_input = set()
        try:
            mode = os.stat(name).st_mode  # noqa: PTH116 - Path raises for long names
        except (OSError, ValueError):
            if glob.has_magic(name) and not os.path.lexists(name):
                self.add_pattern(name)
            else:
                self.take(name)  # whoever reads it says why it is not there
            return
        if stat.S_ISDIR(mode):
            self.add_folder(name)
        elif stat.S_ISREG(mode) or name.startswith(("/dev/fd/", "/proc/", "/dev/stdin")):
            self.take(name)
        else:
            message = f"{name}: is a pipe, socket or device, not a file; name a file"
            self.found.items.append(Failure(name, message))

    def take(self, item: str | Failure) -> None:
        path = item if isinstance(item, str) else item.path
        own = own_path(path, self.real_folders)
        key = real_path(path) if os.path.islink(own) else own  # noqa: PTH114 - as above
        if own in self.of_input:  # a pattern matches folders and what is in them
            return
        self.of_input.add(own)
        self.taken.add(own)
        if key in self.seen:
            self.repeated.append(LeftOut(path, REPEATED))
        else:
            self.seen.add(key)
            self.found.items.append(item)

    def add_folder(self, name: str) -> None:
        inside = search_folder(name, self.kind, out=self.out)
        if not inside.items:
            why = ", ".join(f"{n:,} {reason}" for reason, n in sorted(inside.reasons().items()))
            message = f"{name}: no {self.kind.noun}s in this folder; "
            message += f"left out: {why}" if why else "it is empty"
            self.found.items.append(Failure(name, message))
        for item in inside.items:
            self.take(item)
        self.found.left_out += inside.left_out

    def add_pattern(self, name: str) -> None:
        search = PatternSearch(name)
        for failure in search.failures:
            self.take(failure)
        if not search.matches and not search.failures:
            self.found.items.append(Failure(name, f"{name}: nothing matches this pattern"))
        self.found.left_out += search.left_out
        base = fixed_part(name)
        for match in search.matches:
            reason = self.reason_of(match, base)
            if reason is None:
                self.add_match(match)
            else:
                whole = os.path.isdir(match) and not os.path.islink(match)  # noqa: PTH112, PTH114
                files = count_files(match) if whole else 1
                if files:
                    self.found.left_out.append(LeftOut(match, reason, files))

    def add_match(self, match: str) -> None:
        """Take what a pattern matches, or leave it out as in a folder."""
        if os.path.isdir(match):  # noqa: PTH112 - names need not be valid Unicode
            self.add_folder(match)
        elif identity(match) is None and not os.path.islink(match):  # noqa: PTH114
            self.take(match)  # in a folder that may not be entered: whoever reads it says so
        elif identity(match) is None:
            judged = dead_link(match, self.kind)
            if isinstance(judged, Failure):
                self.take(judged)
            else:
                self.found.left_out.append(judged)
        else:
            try:
                reason = reason_by_kind(match, self.kind) if is_file(match) else SPECIAL
            except OSError as error:
                self.take(closed(match, "could not be read", error))
                return
            if reason is None:
                self.take(match)
            else:
                self.found.left_out.append(LeftOut(match, reason))

    def reason_of(self, match: str, base: str) -> str | None:
        """Return why a file or folder that a pattern matches is left out, or None."""
        if self.out is not None:
            out, real = (Path(os.path.realpath(p)) for p in (self.out, match))
            if real.is_relative_to(out) and not Path(os.path.realpath(base)).is_relative_to(out):
                return OUT
        parts = Path(os.path.relpath(match, base or ".")).parts
        for at, part in enumerate(parts):
            folder = at + 1 < len(parts) or os.path.isdir(match)  # noqa: PTH112 - as above
            # Hidden names match only where the pattern asks for them.
            reason = reason_by_name(part.lstrip(".") or "x", folder=folder)
            if reason is not None:
                return reason
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputCounts:
    """Sums: what was given = read + failed + left out.

    Attributes:
        read: What was read.
        failed: What could not be read.
        left_out: Why something was left out -> how many.
    """

    read: int
    failed: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def given(self) -> int:
        """All of them."""
        return self.read + self.failed + sum(self.left_out.values())

    def __str__(self) -> str:
        kept = {why: n for why, n in sorted(self.left_out.items()) if n}
        reasons = ", ".join(f"{n:,} {why}" for why, n in kept.items())
        text = f"{self.given:,} given = {self.read:,} read + {self.failed:,} failed"
        return f"{text} + {sum(kept.values()):,} left out" + (f" ({reasons})" if reasons else "")

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> "InputCounts":
        """Return the sums that ``to_dict`` wrote."""
        return cls(read=known["read"], failed=known["failed"], left_out=known["left_out"])

    def __add__(self, other: "InputCounts") -> "InputCounts":
        left_out = {
            why: self.left_out.get(why, 0) + other.left_out.get(why, 0)
            for why in {*self.left_out, *other.left_out}
        }
        read, failed = self.read + other.read, self.failed + other.failed
        return InputCounts(read=read, failed=failed, left_out=left_out)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        left_out = {why: n for why, n in sorted(self.left_out.items()) if n}
        return {
            "given": self.given,
            "read": self.read,
            "failed": self.failed,
            "left_out": left_out,
        }
