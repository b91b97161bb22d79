"""``done.json``: what finished results of a clip were made from, and digests of their files."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.checksums import checked, with_checksum
from pyojeong.core.errors import DataError, OutputError, one_line
from pyojeong.core.output_files import changed_files, describe_files, missing_files
from pyojeong.core.result_key import differences, summary
from pyojeong.output.layouts.registry import is_file_of, is_layout_file
from pyojeong.video.options import DONE, OUTPUTS


def read_finished(folder: Path) -> dict[str, Any] | None:
    """Return what ``done.json`` of a folder says; None when there is none.

    Raises:
        ValueError: When it is damaged.
        OSError: When it could not be read.
    """
    try:
        return checked(dict(json.loads((folder / DONE).read_text(encoding="utf-8"))))
    except FileNotFoundError:
        return None
    except (TypeError, UnicodeError) as error:
        raise ValueError(f"{folder / DONE}: is damaged: {error}") from error


def write_finished(folder: Path, done: Mapping[str, Any], files: Iterable[str]) -> None:
    """Write ``done.json`` with a checksum, and with size and digest of every result.

    Args:
        folder: Of the clip's results.
        done: What is written.
        files: Names of the results; those that are not there are left out.

    Raises:
        OutputError: When it could not be written.
    """
    outputs = describe_files(folder, files)
    text = json.dumps(with_checksum({**done, "outputs": outputs}), indent=1)
    with atomic_write(folder / DONE, "w") as file:
        file.write(text + "\n")


def earlier_results(folder: Path) -> dict[str, Any] | None:
    """Return what an earlier run wrote into ``done.json``; None when there is none.

    Raises:
        DataError: When it is damaged.
    """
    try:
        return read_finished(folder)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder / DONE}: is damaged ({one_line(error)}); delete {folder} to read its clip "
            "again, or choose another --out folder"
        ) from error


def begin_writing(
    folder: Path, path: str, clip: Mapping[str, Any], earlier: Mapping[str, Any] | None, names: Any
) -> None:
    """Write a ``done.json`` that says what is being written, should that be interrupted.

    Args:
        folder: Of the results.
        path: The clip's path.
        clip: Its fingerprint.
        earlier: What ``done.json`` says so far.
        names: The files that will be written.
    """
    outputs = dict((earlier or {}).get("outputs") or {})
    written = {*((earlier or {}).get("writing") or ()), *names}
    known = {"path": path, "about": {"reading": {"clip": dict(clip)}}, "outputs": outputs}
    with atomic_write(folder / DONE, "w") as file:
        text = json.dumps(with_checksum({**known, "writing": sorted(written)}), indent=1)
        file.write(text + "\n")


def require_own(folder: Path, earlier: Mapping[str, Any] | None, names: Iterable[str]) -> None:
    """Refuse to replace files that no run wrote, or that were changed since.

    Args:
        folder: Of the results.
        earlier: What ``done.json`` says; None = nothing was written yet.
        names: What will be written or removed.

    Raises:
        OutputError: When there are such files.
    """
    if earlier is None or "outputs" not in earlier:
        return  # nothing is there, or results of an earlier version
    unfinished = set(earlier.get("writing") or ())
    known = earlier["outputs"]
    there = [n for n in sorted(names) if n not in unfinished and (folder / n).exists()]
    changed = set(changed_files(folder, {n: known[n] for n in there if n in known}))
    for name in there:
        if name not in known or name in changed:
            how = "was changed after it was written" if name in known else "is none of its results"
            raise OutputError(
                f"{folder / name}: {how}: move or delete it, then give the command again, or "
                "choose another --out folder"
            )


def others_of(folder: Path, earlier: Mapping[str, Any] | None, wanted: Iterable[str]) -> list[str]:
    """Return files that earlier runs wrote and that are not wanted any more."""
    if earlier is None:
        return []
    known = {*(earlier.get("outputs", OUTPUTS) or ()), *(earlier.get("writing") or ())}
    names = [*OUTPUTS, *sorted(filter(is_layout_file, known))]
    return [n for n in names if n in known - set(wanted) and (folder / n).exists()]


def layout_files(folder: Path, layouts: Iterable[str]) -> list[str]:
    """Return files in a folder that are called like those of these layouts, whoever wrote them."""
    if not folder.is_dir():
        return []
    layouts = tuple(layouts)
    return sorted(path.name for path in folder.iterdir() if is_file_of(path.name, layouts))


def require_no_redaction(folder: Path, earlier: dict[str, Any] | None) -> None:
    """Refuse results of which a redaction was interrupted: who gave it must finish it."""
    if earlier is not None and earlier.get("forgetting"):
        begun = earlier["forgetting"]
        numbers = begun["remove"] if isinstance(begun, dict) else begun
        tracks = " ".join(f"--track {track}" for track in numbers) or "--edits EDITS.json"
        raise OutputError(
            f"{folder}: people were being taken out of it when that was interrupted; finish it "
            f"first: pyojeong video redact '{folder}' {tracks}"
        )


def require_no_return(folder: Path, earlier: dict[str, Any] | None) -> None:
    """Refuse to make results again from which people were taken out: they would come back."""
    about = (earlier or {}).get("about", {})
    forgotten = about.get("forgotten")
    if any(about.get(key) for key in ("merged", "excluded_s", "names")):
        raise OutputError(
            f"{folder}: people or times of these results were edited, and reading the clip again "
            "would undo that: choose another --out folder, or delete this one first"
        )
    if forgotten:
        people = ", ".join(map(str, forgotten))
        raise OutputError(
            f"{folder}: person {people} was taken out of these results, and reading the clip again "
            "would bring them back: choose another --out folder, or delete this one first"
        )


EDITED = frozenset({"forgotten", "merged", "excluded_s", "names"})
"""Parts of ``about`` that edits of finished results add."""


def made_of(done: dict[str, Any], about: dict[str, Any]) -> bool:
    """Return whether results were made of what is asked for."""
    known = done.get("about") or {}
    return {k: v for k, v in known.items() if k not in EDITED} == about


def why_replaced(
    folder: Path, earlier: dict[str, Any] | None, about: dict[str, Any]
) -> Iterator[str]:
    """Yield why results that were there were made again."""
    if earlier is None:
        return
    if "writing" in earlier:  # what these were made of is not known
        yield "results whose writing was interrupted were made again"
        return
    lines = differences(earlier.get("about") or {}, about)
    lines = [line for line in lines if not line.startswith(tuple(EDITED))]
    gone = missing_files(folder, earlier.get("outputs"))
    lines += [f"{name} was gone or changed" for name in gone]
    if lines:
        yield f"results of before were made again: {summary(lines)}"
