"""A note in a folder of results while a command writes into it; it outlives a killed command.

The same command then starts again by itself and replaces what the killed one left. A command with
other settings is refused, because the files that lie there are not its own.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import output_errors, remove_stale
from pyojeong.core.errors import InputError, OutputBusy
from pyojeong.core.one_writer import lock_open

NOTE = ".pyojeong-unfinished.json"


def unfinished(out: Path, settings: Mapping[str, Any]) -> bool:
    """Return whether the same command was begun in a folder of results and did not end.

    Args:
        out: The folder.
        settings: Everything that decides the results, plain JSON types by the names of options.

    Raises:
        InputError: When another command was begun there and did not end.
        OutputBusy: When a command is writing there.
    """
    before = _left(out)
    if before is None:
        return False
    now = _plain(settings)
    differences = [
        f"{name} is {_shown(now.get(name))}, was {_shown(before.get(name))}"
        for name in sorted({*now, *before})
        if now.get(name) != before.get(name)
    ]
    if differences:
        raise InputError(
            f"{out} holds what a command with other settings left when it was stopped "
            f"({'; '.join(differences)}): give that command again, choose another --out folder, or "
            "add --overwrite"
        )
    return True


def refuse_unfinished(out: Path) -> None:
    """Refuse a folder of results in which another kind of command was begun and did not end.

    Raises:
        InputError: When it is so, or that command is running.
    """
    before = _left(out)
    if before is not None:
        raise InputError(
            f"{out} holds what another command left when it was stopped (its inputs: "
            f"{_shown(before.get('inputs'))}): give that command again, or choose another --out "
            "folder"
        )


@contextmanager
def noted(out: Path, settings: Mapping[str, Any], *, folders: Sequence[str] = ()) -> Iterator[None]:
    """Keep the note while the block runs, and after it when the block ends with an exception.

    Args:
        out: The folder of results, which is there.
        settings: As for ``unfinished``.
        folders: Names of folders in ``out``; temporary files of killed commands are removed there
            and in ``out``.

    Raises:
        OutputBusy: When another process writes into the folder.
        OutputError: When the note could not be written.
    """
    with ExitStack() as stack:
        with output_errors(out / NOTE):
            file = stack.enter_context((out / NOTE).open("a+b", buffering=0))
            _require_lock(file, out)
            file.truncate(0)
            file.write(json.dumps(_plain(settings)).encode())  # ASCII: any name can be written
            file.flush()
        for folder in (out, *(out / name for name in folders)):
            remove_stale(folder)
        yield
        with suppress(OSError):
            (out / NOTE).unlink()


def _left(out: Path) -> dict[str, Any] | None:
    """Return what the note of a command that did not end says; None without such a note.

    Raises:
        OutputBusy: When the command is running.
    """
    try:
        with (out / NOTE).open("r+b") as file:
            _require_lock(file, out)
            return _read(file)
    except OutputBusy:  # which is an OSError
        raise
    except (OSError, ValueError):
        return None


def _require_lock(file: Any, out: Path) -> None:
    held = lock_open(file.fileno())
    try:  # the note that was opened may have been removed meanwhile, by a command that ended
        held = held and os.fstat(file.fileno()).st_ino == (out / NOTE).stat().st_ino
    except FileNotFoundError:
        held = False
    if not held:
        raise OutputBusy(
            f"{out}: another process is writing it; wait for its end, or choose another --out "
            "folder"
        )


def _read(file: Any) -> dict[str, Any] | None:
    """Return what a note says; None for one that was cut short: nothing was written after it."""
    file.seek(0)
    try:
        known = json.loads(file.read())
    except ValueError:
        return None
    return known if isinstance(known, dict) else None


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(dict(settings)))  # type: ignore[no-any-return]


def _shown(value: Any) -> str:
    """Return a setting in few words."""
    if not isinstance(value, list):
        return "not given" if value in (None, False, "") else str(value)
    names = [os.fspath(name) for name in value]
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else "not given"
