"""What the readers of all layouts share: finding roots, opening tables, naming labels, holding out.

A reader yields samples one by one. It names labels through a ``Labeller``, which counts what is
left out on purpose and collects what it does not know, so that one error can list all of it.
"""

import csv
import hashlib
import io
import lzma
import math
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

import numpy as np
from PIL import Image as PilImage

from pyojeong.core.errors import DataError, LabelUnknown, PyojeongError
from pyojeong.core.file_kinds import IMAGES
from pyojeong.core.file_search import reason_by_kind, reason_by_name, search_folder
from pyojeong.core.labels import FER7, LabelSet
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.samples import Sample
from pyojeong.datasets.unpacking import as_text, opened_bytes
from pyojeong.image.preprocess import Pixels

HOLD_OUT = 0.1
"""Share of the training samples that becomes Split.VALID where a data set has no such split."""


class Reader(Protocol):
    """A layout's function: yields samples, in an order that never changes."""

    def __call__(
        self,
        path: Path,
        *,
        votes: Path | None = None,
        labels: LabelSet = FER7,
        skipped: Counter[str] | None = None,
        notes: Notes | None = None,
    ) -> Iterator[Sample]:
        """Read a data set.

        Args:
            path: Its file or folder; the folder above it will do as well.
            votes: FER+'s ``fer2013new.csv``; only FER2013's own table can use it.
            labels: The label set of the samples: fer7, or ferplus8, which keeps contempt.
            skipped: Here the reader counts, by reason, what it leaves out on purpose.
            notes: Here it warns, and notes which images it has accounted for.

        Raises:
            DataError: When the data set is not there or could not be read.
            LabelUnknown: When labels are not understood; all of them are listed.
            ManifestInvalid: When a row of a table is wrong; it is named.
        """


@dataclass
class Labeller:
    """Names the labels of one source.

    Attributes:
        source: The data set, for messages.
        names: Raw label -> name of an expression.
        labels: The wanted label set. Expressions outside of it are left out and counted.
        skipped: Where that is counted.
        left_out: Raw label -> why samples with it are left out.
        unknown: Raw labels that are neither, with their counts.
        cure: What to do about unknown labels.
        expected: Labels that messages name; without them ``names`` and ``left_out``.
    """

    source: Path
    names: Mapping[str, str]
    labels: LabelSet = FER7
    skipped: Counter[str] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    cure: str = "correct or remove them"
    expected: Sequence[str] = ()

    def __call__(self, raw: str) -> str | None:
        """Return the name of a raw label in the label set, or None for a sample to leave out."""
        name = self.names.get(raw)
        if name in self.labels.names:
            return name
        if name is not None:
            self.skip(f"{name} (not in {self.labels.id})")
        elif raw in self.left_out:
            self.skip(self.left_out[raw])
        else:
            self.unknown[raw] += 1
        return None

    def skip(self, why: str, count: int = 1) -> None:
        """Count samples that are left out on purpose."""
        if self.skipped is not None and count:
            self.skipped[why] += count

    def finish(self) -> None:
        """Complain about all unknown labels at once.

        Raises:
            LabelUnknown: When there was one.
        """
        if self.unknown:
            listed = ", ".join(f"{raw!r} ({n:,} x)" for raw, n in sorted(self.unknown.items()))
            known = ", ".join(self.expected or [*self.names, *self.left_out])
            raise LabelUnknown(
                f"{self.source}: unknown labels {listed}; expected {known}; {self.cure}"
            )


def coded(table: Iterable[int | None], *, first: int = 0) -> dict[str, str]:
    """Return a mapping table of ``core.labels`` as raw label -> name; None stands for contempt."""
    return {
        str(i): "contempt" if to is None else FER7.names[to] for i, to in enumerate(table, first)
    }


def no_votes(votes: Path | None, layout: str) -> None:
    """Refuse votes where there are no rows to join them to.

    Raises:
        DataError: When votes were given.
    """
    if votes is not None:
        raise DataError(
            f"{votes}: votes can be joined to FER2013's own table (fer2013.csv) only, "
            f"not to {layout}; leave --votes out"
        )


def find_root(path: Path, fits: Callable[[Path], bool]) -> Path | None:
    """``path``, or the first folder in it or one below, that ``fits``; None when there is none."""
    if not path.is_dir():
        return None
    if fits(path):
        return path
    for folder in subfolders(path):
        if fits(folder):
            return folder
    return next(
        (inner for f in subfolders(path)[:20] for inner in subfolders(f)[:20] if fits(inner)), None
    )


def subfolders(path: Path) -> list[Path]:
    """Folders in a folder, in order of their names; none for a file.

    Hidden folders and those of operating systems (``core.file_search``) are left out.

    Raises:
        DataError: When the folder could not be searched.
    """
    if not os.path.isdir(path):  # noqa: PTH112 - Path raises for closed folders
        return []
    with searchable(path), os.scandir(path) as entries:
        names = [e.name for e in entries if e.is_dir()]
    return [path / n for n in sorted(names) if reason_by_name(n, folder=True) is None]


def pictures_in(path: Path, *, deep: bool = False) -> list[Path]:
    """Image files in a folder, in order of their names; dead links with an image's name too.

    Files of other kinds, hidden ones and the like are left out as in ``core.file_search``.

    Raises:
        DataError: When a folder could not be searched: its pictures would be missing silently.
    """
    with searchable(path), os.scandir(path):
        found = search_folder(path, IMAGES, deep=deep)
    for failure in found.failures:
        if os.path.isdir(failure.path):  # noqa: PTH112 - as above
            raise DataError(failure.message)
    return [Path(i if isinstance(i, str) else i.path) for i in found.items]


def first_picture(path: Path) -> Path | None:
    """Return some image in a folder, quickly: huge folders are not listed to the end.

    Raises:
        DataError: When the folder could not be searched.
    """
    with searchable(path), os.scandir(path) as entries:
        for entry in entries:
            named = reason_by_name(entry.name, folder=False)
            if named is None and entry.is_file() and reason_by_kind(entry.path, IMAGES) is None:
                return Path(entry.path)
    return None


@contextmanager
def searchable(path: Path) -> Iterator[None]:
    """Turn errors of the file system while a data set is searched into ``DataError``.

    Args:
        path: What is searched, for errors that name no file.
    """
    try:
        yield
    except PyojeongError:
        raise
    except OSError as error:
        place = Path(os.fsdecode(error.filename)) if error.filename else path
        # Of a closed folder the system names the file in it that was asked for.
        rights = os.R_OK | os.X_OK
        folders = (p for p in place.parents if os.path.isdir(p))  # noqa: PTH112 - as above
        place = next((p for p in folders if not os.access(p, rights)), place)
        raise DataError(
            f"{place}: could not be searched: {error.strerror or error}; give yourself the right "
            "to read it, or take it out of the data set"
        ) from error


_UNREADABLE = (OSError, EOFError, lzma.LZMAError, zlib.error)


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a text file, plain or .gz, .xz, .bz2.

    Raises:
        DataError: When it could not be read, also in the middle, is in another encoding than
            UTF-8, or breaks the rules of CSV.
    """
    try:
        with as_text(opened_bytes(path, lines=True)) as file:
            yield file
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not in UTF-8; save it as 'CSV UTF-8'") from error
    except (*_UNREADABLE, csv.Error) as error:
        raise DataError(f"{path}: could not be read: {error}") from error


def png(pixels: Pixels) -> bytes:
    """Pixels as PNG, without loss."""
    buffer = io.BytesIO()
    PilImage.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def held_out(data: bytes) -> bool:
    """Return whether the sample with these bytes is among the tenth that is held out.

    Depends on the bytes alone, so that the choice never changes and equal images stay together.
    """
    return share_of(hashlib.sha256(data).digest()) < HOLD_OUT


def share_of(digest: bytes) -> float:
    """Return where a digest lies between 0 and 1."""
    return int.from_bytes(digest[:8], "big") / 2**64


def held_out_file(file: Path) -> bool:
    """``held_out`` for a file's bytes; False when it is not readable: a later check finds it."""
    try:
        return held_out(file.read_bytes())
    except OSError:
        return False


def held_out_groups(groups: Iterable[str]) -> set[str]:
    """Return a tenth of the groups (people), chosen by the digest of their names; at least one.

    For data sets without official splits whose people must not stand on both sides.
    """
    names = sorted(set(groups), key=lambda g: hashlib.sha256(os.fsencode(g)).digest())
    if len(names) < 2:
        return set()
    return set(names[: max(1, round(HOLD_OUT * len(names)))])


def finite(written: str) -> float:
    """Return the number in a cell.

    Raises:
        ValueError: When it is none, or not finite.
    """
    value = float(written)
    if not math.isfinite(value):
        raise ValueError(f"{written!r} is not finite")
    return value


def cut_box(image: Pixels, box: tuple[float, float, float, float]) -> Pixels | None:
    """Return the part of an image inside x1, y1, x2, y2 (pixels), clipped at its edges.

    None if empty.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (round(v) for v in box)
    part = image[max(y1, 0) : min(max(y2, 0), height), max(x1, 0) : min(max(x2, 0), width)]
    return np.ascontiguousarray(part) if part.size else None
