"""Results of ``analyze`` that another run would remove without making them again."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from pyojeong.core.atomic_write import output_errors
from pyojeong.core.errors import DataError, InputError, MissingExtra
from pyojeong.core.input_record import earlier_outputs, working_folder
from pyojeong.output.tables import TABLE_READERS


def refuse_vanished(out: Path, files: Iterable[str]) -> None:
    """Refuse a folder with results of images that are no longer among the inputs.

    The same folder or pattern may lead to other images than before: another card in the camera, a
    disk that is not mounted.

    Args:
        out: The folder of results.
        files: The images that are about to be read.

    Raises:
        InputError: When results would be lost.
    """
    earlier = _sources(out)
    if not earlier:
        return
    now = {_plain(os.path.abspath(file)) for file in files}  # noqa: PTH100 - links stay
    lost = [source for source in earlier if source not in now]
    if lost:
        more = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
        raise InputError(
            f"{out} holds results of {lost[0]}{more}, which this command does not find any more, "
            "and which would be lost: choose another --out folder, or add --overwrite"
        )


def drawings(folder: Path) -> list[Path]:
    """Return the drawings of a folder, those of a killed command among them: no record names it."""
    return [path for path in sorted(folder.glob("*.annotated.*")) if path.is_file()]


def remove_drawings(out: Path, left: Sequence[Path], written: Sequence[str]) -> list[str]:
    """Remove what a killed command drew and this one did not: people may have been taken out."""
    kept = {out / name for name in written}
    names = []
    for path in left:
        if path not in kept and path.is_file():
            with output_errors(path):
                path.unlink()
            names.append(path.relative_to(out).as_posix())
    return names


def _sources(out: Path) -> list[str]:
    """Return the images that the table in a folder has results of, as absolute paths."""
    for name in earlier_outputs(out):
        for kind, ending in (("parquet", ".parquet"), ("json", ".jsonl"), ("csv", ".csv")):
            if Path(name).suffix != ending:
                continue
            with suppress(DataError, MissingExtra):  # another table may be there and whole
                rows = TABLE_READERS[kind](out / name)
                found = [row.source for row in rows if not row.error]
                base = working_folder(out)
                return list(dict.fromkeys(_plain(os.path.join(base, each)) for each in found))  # noqa: PTH118
    return []


def _plain(path: str) -> str:
    """Return a path as tables of every kind give it back."""
    return os.path.normpath(path).encode("utf-8", "backslashreplace").decode()
