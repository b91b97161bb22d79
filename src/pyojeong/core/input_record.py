"""``inputs.json`` of a folder of results: what the last command was given, and what it made."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyojeong.core.addresses import is_address
from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.checksums import checked, with_checksum
from pyojeong.core.errors import InputError
from pyojeong.core.file_search import Failure, LeftOut
from pyojeong.core.inputs import InputCounts
from pyojeong.core.output_files import Described, changed_files, describe_files

INPUTS = "inputs.json"
"""File of a folder of results: what the last command was given, and what became of it."""

_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Made:
    """What a command made.

    Attributes:
        settings: What decided the results, JSON types.
        outputs: Names of the results, relative to their folder.
        writing: Names of those that are about to be written, should that be interrupted.
    """

    settings: Mapping[str, Any]
    outputs: Iterable[str]
    writing: Iterable[str] = ()


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
        "working_folder": os.getcwd(),  # noqa: PTH109 - names need not be valid Unicode
        "inputs": [_absolute(path) for path in paths],
        "settings": {} if made is None else dict(made.settings),
        "outputs": {} if made is None else describe_files(out, made.outputs),
        "writing": [] if made is None else sorted(made.writing),
    }
    with atomic_write(out / INPUTS, "w") as file:
        # ASCII: any name can be written
        file.write(json.dumps(with_checksum(data), indent=1) + "\n")


def _absolute(path: str) -> str:
    return path if is_address(path) else os.path.abspath(path)  # noqa: PTH100 - links stay what they are


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What the ``inputs.json`` of an earlier command says; paths are absolute."""

    command: str
    inputs: list[str]
    failed: set[str]
    read: int
    outputs: Described | None
    writing: frozenset[str] = frozenset()


def _earlier(out: Path) -> _Earlier | None:
    try:
        known = checked(json.loads((out / INPUTS).read_text(encoding="utf-8")))
        failed = {_absolute(each["source"]) for each in known["failures"]}
        inputs = [str(p) for p in known["inputs"]]
        listed = known.get("outputs")
        outputs = None if listed is None else {str(k): dict(v) for k, v in listed.items()}
        writing = frozenset(map(str, known.get("writing") or ()))
        return _Earlier(str(known["command"]), inputs, failed, int(known["read"]), outputs, writing)
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


def working_folder(out: Path) -> str:
    """Return the folder from which the last command was given: sources may be relative to it."""
    try:
        known = json.loads((out / INPUTS).read_text(encoding="utf-8"))
        return str(known["working_folder"])
    except (OSError, ValueError, KeyError, TypeError):  # earlier versions did not write it
        return os.getcwd()  # noqa: PTH109 - as above


def forget_outputs(out: Path, names: Iterable[str]) -> None:
    """Take results out of ``inputs.json`` that were deleted.

    Raises:
        OutputError: When it could not be written.
    """
    gone = set(names)
    if not gone & set(earlier_outputs(out)):
        return
    data = checked(json.loads((out / INPUTS).read_text(encoding="utf-8")))
    data["outputs"] = {n: f for n, f in data["outputs"].items() if n not in gone}
    with atomic_write(out / INPUTS, "w") as file:
        file.write(json.dumps(with_checksum(data), indent=1) + "\n")


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
        # A folder is never replaced; hidden files are temporary ones.
        found = [p for p in found if not p.name.startswith(".") and not p.is_dir()]
        names = [path.relative_to(out).as_posix() for path in found]
        names = [name for name in names if earlier is None or name not in earlier.writing]
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
