"""``done.json``: what finished results of a clip were made from, and digests of their files."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.checksums import checked, with_checksum
from pyojeong.core.errors import OutputError
from pyojeong.core.output_files import describe_files, missing_files
from pyojeong.core.result_key import differences, summary
from pyojeong.video.options import DONE


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
    """Return what an earlier run wrote into ``done.json``; None when it is no use."""
    try:
        return read_finished(folder)
    except (OSError, ValueError):
        return None  # damaged: the clip is read again


def require_no_redaction(folder: Path, earlier: dict[str, Any] | None) -> None:
    """Refuse results of which a redaction was interrupted: who gave it must finish it."""
    if earlier is not None and earlier.get("forgetting"):
        tracks = " ".join(f"--track {track}" for track in earlier["forgetting"])
        raise OutputError(
            f"{folder}: people were being taken out of it when that was interrupted; finish it "
            f"first: pyojeong video redact '{folder}' {tracks}"
        )


def made_of(done: dict[str, Any], about: dict[str, Any]) -> bool:
    """Return whether results were made of what is asked for."""
    known = done.get("about") or {}
    return {k: v for k, v in known.items() if k != "forgotten"} == about


def why_replaced(
    folder: Path, earlier: dict[str, Any] | None, about: dict[str, Any]
) -> Iterator[str]:
    """Yield why results that were there were made again."""
    if earlier is None:
        return
    lines = differences(earlier.get("about") or {}, about)
    lines = [line for line in lines if not line.startswith("forgotten")]
    gone = missing_files(folder, earlier.get("outputs"))
    lines += [f"{name} was gone or changed" for name in gone]
    if lines:
        yield f"results of before were made again: {summary(lines)}"
