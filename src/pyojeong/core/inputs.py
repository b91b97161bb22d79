"""What a user named on the command line, as files; and the sums that every command ends with."""

import glob
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.checksums import checked, with_checksum
from pyojeong.core.errors import InputError
from pyojeong.core.file_kinds import FileKind
from pyojeong.core.file_search import (
    OUT,
    REPEATED,
    SPECIAL,
    Failure,
    Found,
    LeftOut,
    count_files,
    dead_link,
    identity,
    is_file,
    reason_by_kind,
    reason_by_name,
    search_folder,
)
from pyojeong.core.output_files import Described, changed_files, describe_files
from pyojeong.core.pattern_search import PatternSearch, fixed_part

INPUTS = "inputs.json"
"""File of a folder of results: what the last command was given, and what became of it."""

_EXAMPLES = 20


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
    inputs.found.left_out = [
        each for each in inputs.found.left_out if os.path.realpath(each.path) not in inputs.seen
    ] + inputs.repeated
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
        self.searched: set[str] = set()

    def add(self, name: str) -> None:
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
        try:
            key = os.path.realpath(path)
        except (OSError, ValueError):
            key = path
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
        key = os.path.realpath(name)
        if key not in self.searched:
            self.searched.add(key)
            known = {each.path for each in self.found.left_out}
            self.found.left_out += [each for each in inside.left_out if each.path not in known]

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
                files = count_files(match) if Path(match).is_dir() else 1
                if files:
                    self.found.left_out.append(LeftOut(match, reason, files))

    def add_match(self, match: str) -> None:
        """Take what a pattern matches, or leave it out as in a folder."""
        if os.path.isdir(match):  # noqa: PTH112 - names need not be valid Unicode
            self.add_folder(match)
        elif identity(match) is None:
            judged = dead_link(match, self.kind)
            if isinstance(judged, Failure):
                self.take(judged)
            else:
                self.found.left_out.append(judged)
        else:
            reason = reason_by_kind(match, self.kind) if is_file(match) else SPECIAL
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
            folder = at + 1 < len(parts) or Path(match).is_dir()
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


@dataclass(frozen=True, slots=True)
class Made:
    """What a command made.

    Attributes:
        settings: What decided the results, JSON types.
        outputs: Names of the results, relative to their folder.
    """

    settings: Mapping[str, Any]
    outputs: Iterable[str]


def write_inputs(
    out: Path,
    command: str,
    paths: Sequence[str],
    counts: InputCounts,
    *,
    failures: Iterable[Failure] = (),
    left_out: Iterable[LeftOut] = (),
    made: Made | None = None,
) -> None:
    """Write ``inputs.json`` into a folder of results.

    Args:
        out: The folder.
        command: The command's name.
        paths: As they were named.
        counts: The sums.
        failures: All that could not be read.
        left_out: What was left out; at most 20 paths of each reason are written.
        made: The results, of which size and digest are written; None = there are none.

    Raises:
        OutputError: When it could not be written.
    """
    examples: dict[str, list[str]] = {}
    for each in left_out:
        named = examples.setdefault(each.reason, [])
        if len(named) < _EXAMPLES:
            named.append(each.path)
    data = {
        "command": command,
        **counts.to_dict(),
        "failures": [{"source": each.path, "error": each.message} for each in failures],
        "left_out_examples": examples,
        "inputs": [_absolute(path) for path in paths],
        "settings": {} if made is None else dict(made.settings),
        "outputs": {} if made is None else describe_files(out, made.outputs),
    }
    with atomic_write(out / INPUTS, "w") as file:
        # ASCII: any name can be written
        file.write(json.dumps(with_checksum(data), indent=1) + "\n")


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links stay what they are


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What the ``inputs.json`` of an earlier command says; paths are absolute."""

    command: str
    inputs: list[str]
    failed: set[str]
    read: int
    outputs: Described | None


def _earlier(out: Path) -> _Earlier | None:
    try:
        known = checked(json.loads((out / INPUTS).read_text(encoding="utf-8")))
        failed = {_absolute(each["source"]) for each in known["failures"]}
        inputs = [str(p) for p in known["inputs"]]
        listed = known.get("outputs")
        outputs = None if listed is None else {str(k): dict(v) for k, v in listed.items()}
        return _Earlier(str(known["command"]), inputs, failed, int(known["read"]), outputs)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_earlier(out: Path) -> int:
    """Return how many inputs the last command with this folder of results has read."""
    return 0 if (known := _earlier(out)) is None else known.read


def earlier_command(out: Path) -> str | None:
    """Return the command that last wrote results, and ``inputs.json``, into a folder, or None."""
    return None if (known := _earlier(out)) is None else known.command


def earlier_outputs(out: Path) -> Described:
    """Return the results that the last command wrote into a folder, with size and digest."""
    return {} if (known := _earlier(out)) is None else known.outputs or {}


def check_foreign(out: Path, patterns: Iterable[str], cure: str) -> None:
    """Refuse a folder with files of other origin under names that commands write.

    Those are all files in a folder without ``inputs.json``, else what it describes otherwise.

    Args:
        out: The folder of results.
        patterns: Names that may be written, relative to ``out``; besides ``inputs.json``.
        cure: What to do.

    Raises:
        InputError: When there are such files.
    """
    earlier = _earlier(out)
    if earlier is not None and earlier.outputs is None:
        return  # of a version that did not write down what it wrote
    known = {} if earlier is None else earlier.outputs or {}
    try:
        written = patterns if earlier is not None else (*patterns, INPUTS)
        found = [path for pattern in written for path in sorted(out.glob(pattern))]
        # A folder is never replaced.
        names = [path.relative_to(out).as_posix() for path in found if not path.is_dir()]
    except (OSError, ValueError):
        return  # whoever writes says why it cannot
    changed = set(changed_files(out, {n: known[n] for n in names if n in known}))
    names = [name for name in names if name not in known or name in changed]
    if names:
        shown = ", ".join(names[:3])
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        raise InputError(
            f"{out} holds {shown}{more}, which no earlier command is known to have written like "
            f"that and which would be lost: {cure}"
        )


def check_earlier(out: Path, command: str, paths: Sequence[str] | None = None) -> None:
    """Refuse a folder whose results would be lost: those of other inputs or another command.

    Results of inputs that are among ``paths`` (or below one of them) are made again and may be
    replaced. Inputs that failed have no results.

    Args:
        out: The folder of results.
        command: The command that writes into it.
        paths: As they were named; None = whatever the inputs are.

    Raises:
        InputError: When results would be lost.
    """
    known = _earlier(out)
    if known is None or not known.read:
        return
    before, earlier, failed = known.command, known.inputs, known.failed
    if before != command:
        raise InputError(f"{out} holds results of `pyojeong {before}`: choose another --out folder")
    if paths is None:
        return
    now = [Path(_absolute(path)) for path in paths]
    kept = [old for old in earlier if old not in failed]
    lost = [old for old in kept if not any(Path(old).is_relative_to(new) for new in now)]
    if lost:
        more = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
        raise InputError(
            f"{out} holds results of {lost[0]}{more}, which would be lost: name all inputs in one "
            "command, choose another --out folder, or add --overwrite"
        )
