"""The files of a result as a complete set: described by size and digest, checked, replaced."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import output_errors
from pyojeong.core.errors import OutputError

Described = Mapping[str, Mapping[str, Any]]
"""Names of files, relative to their folder -> ``bytes`` and ``sha256``."""


def describe_files(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of files; those that are not there are left out.

    Raises:
        OutputError: When one could not be read.
    """
    found = {}
    for name in sorted(names):
        with output_errors(folder / name):
            if (folder / name).is_file():
                found[name] = _describe(folder / name)
    return found


def _describe(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return {"bytes": opened.tell(), "sha256": digest}


def missing_files(folder: Path, described: Described | None) -> list[str]:
    """Return files that are gone or have another size than when they were written."""
    return [
        name
        for name, known in (described or {}).items()
        if not (folder / name).is_file() or (folder / name).stat().st_size != known["bytes"]
    ]


def changed_files(folder: Path, described: Described | None) -> list[str]:
    """Return files that are gone or not what was written; reads them whole."""
    return [
        name
        for name, known in (described or {}).items()
        if not (folder / name).is_file() or _describe(folder / name) != known
    ]


def require_new(path: Path, *, unless: Callable[[bytes], bool] = lambda _: False) -> None:
    """Refuse to write over a file.

    Args:
        path: The file.
        unless: The bytes of the file that is there -> whether it may be replaced.

    Raises:
        OutputError: When there is a file that may not be replaced.
    """
    if path.is_file() and path.stat().st_size and not unless(path.read_bytes()):
        raise OutputError(f"{path} is there already: name another file, or delete it first")


def require_writable(out: Path) -> None:
    """Make a folder of results, and try whether files can be written there.

    Raises:
        OutputError: When they cannot.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".pyojeong-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write into {out}: {error.strerror or error}. Choose another --out folder."
        ) from error


def remove_others(
    folder: Path, described: Described | None, keep: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Remove files of an earlier run that a new one did not write.

    Beside the new ones they would be taken for theirs.

    Args:
        folder: Of results.
        described: What the earlier run has written.
        keep: What the new one has written, and whatever else must stay.

    Returns:
        Names of the files that were removed, and of those that were changed since they were
        written, which stay.
    """
    removed: list[str] = []
    changed: list[str] = []
    if not described:
        return removed, changed
    kept = {Path(folder / name).resolve() for name in keep}
    for name, known in described.items():
        path = folder / name
        if path.resolve() in kept or not path.is_file():
            continue
        with output_errors(path):
            if _describe(path) != known:
                changed.append(name)
                continue
            path.unlink()
            removed.append(name)
        with suppress(OSError):  # it is not empty
            if path.parent != folder:
                path.parent.rmdir()
    return removed, changed
