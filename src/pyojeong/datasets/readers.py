"""One function per data-set layout; each yields samples. ``READERS`` is the list of them."""

import bz2
import csv
import gzip
import hashlib
import io
import lzma
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image as PilImage

from pyojeong.core.errors import DataError, LabelUnknown, ManifestInvalid
from pyojeong.core.labels import FER7, FER2013_TO_FER7
from pyojeong.datasets.samples import Sample, Split
from pyojeong.image.files import SUFFIXES

_FER_SIDE = 48
_FER_USAGE = {"Training": Split.TRAIN, "PublicTest": Split.VALID, "PrivateTest": Split.TEST}
_FER_LABELS = {str(i): FER7.names[to] for i, to in enumerate(FER2013_TO_FER7)}
_FOLDER_SPLITS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "valid": Split.VALID,
    "validation": Split.VALID,
    "val": Split.VALID,
    "test": Split.TEST,
    "testing": Split.TEST,
}
_HOLD_OUT = 0.1


@contextmanager
def _open_text(path: Path) -> Iterator[TextIO]:
    openers: dict[str, Callable[..., TextIO]] = {
        ".gz": gzip.open,
        ".xz": lzma.open,
        ".bz2": bz2.open,
    }
    opener = openers.get(path.suffix.lower(), io.open)
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def read_fer2013(path: Path, *, votes: Path | None = None) -> Iterator[Sample]:
    """FER2013 as one table: ``fer2013.csv`` or ``icml_face_data.csv``, plain or .gz/.xz/.bz2.

    Columns are found by name with surrounding spaces ignored: ``emotion`` (0 angry 1 disgust
    2 fear 3 happy 4 sad 5 surprise 6 neutral), ``pixels`` (2,304 numbers of a 48 x 48 gray
    picture), ``Usage``. The picture becomes a lossless PNG.

    Args:
        path: The table.
        votes: FER+'s ``fer2013new.csv``, whose rows are the same pictures in the same order.

    Raises:
        DataError: When the file cannot be read or the votes have another length.
        ManifestInvalid: When a row is wrong.
    """
    ballots = None if votes is None else read_ferplus_votes(votes)
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with _open_text(path) as file:
        rows = csv.reader(file)
        header = [name.strip().lower() for name in next(rows, [])]
        missing = {"emotion", "pixels", "usage"} - set(header)
        if missing:
            raise ManifestInvalid(f"{path}: column {sorted(missing)} missing in header {header}")
        at_label, at_pixels, at_usage = (header.index(n) for n in ("emotion", "pixels", "usage"))
        i = -1
        for i, row in enumerate(rows):
            try:
                label = _FER_LABELS[row[at_label].strip()]
                split = _FER_USAGE[row[at_usage].strip()]
                image = _png(np.array(row[at_pixels].split(), np.uint8).reshape(48, 48))
            except (ValueError, IndexError, KeyError, OverflowError) as error:
                raise ManifestInvalid(f"{path}: bad FER2013 row ({error!r})", row=i) from error
            if ballots is not None and i >= len(ballots):
                break
            yield Sample(
                label=label,
                split=split,
                image=image,
                votes=None if ballots is None else ballots[i],
                source=f"{path.name}:{i}",
            )
    if ballots is not None and i + 1 != len(ballots):
        raise DataError(f"{votes} has {len(ballots)} rows, {path} has another number")


def _png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    PilImage.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def read_ferplus_votes(path: Path) -> list[tuple[int, ...] | None]:
    """Votes of ``fer2013new.csv``: ten counts a row, None where the picture has no name.

    The counts are in the order of FERPLUS8 (neutral, happiness, surprise, sadness, anger,
    disgust, fear, contempt), then unknown and NF (not a face).

    Raises:
        DataError: When the file cannot be read.
        ManifestInvalid: When a row is wrong.
    """
    out: list[tuple[int, ...] | None] = []
    with _open_text(path) as file:
        rows = csv.reader(file)
        next(rows, None)
        for i, row in enumerate(rows):
            try:
                counts = tuple(int(v) for v in row[2:12])
            except ValueError as error:
                raise ManifestInvalid(f"{path}: votes are not numbers", row=i) from error
            if len(counts) != 10:
                raise ManifestInvalid(f"{path}: expected 10 counts, got {len(counts)}", row=i)
            out.append(counts if row[1].strip() else None)
    return out


def read_class_folders(path: Path, *, votes: Path | None = None) -> Iterator[Sample]:
    """``<root>/{train,test,validation}/<class>/*.jpg``, or ``<root>/<class>/*.jpg``.

    Split and class folders are matched without regard to case; synonyms and known misspellings
    of the classes are folded. Where no validation split exists, a tenth of the training pictures
    becomes one: chosen by a digest of the file's bytes, so that the choice never changes and
    identical pictures stay together. File names that begin with FER2013's own ``Training_``,
    ``PublicTest_`` or ``PrivateTest_`` (the Kaggle folders do) give the official split back.

    Raises:
        DataError: When there is no picture.
        LabelUnknown: When class folders are not understood; all of them are listed.
    """
    if votes is not None:
        raise DataError("votes can be joined to fer2013.csv only, not to class folders")
    roots = _split_folders(path)
    folders = [
        (split, folder)
        for split, root in roots
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    ]
    unknown = sorted({f.name for _, f in folders if not _is_class(f.name)})
    if unknown:
        raise LabelUnknown(
            f"{path}: folders {unknown} are no class of {FER7.id}: {', '.join(FER7.names)}"
        )
    has_valid = any(split is Split.VALID for split, _ in roots) or _names_valid(folders)
    found = False
    for split, folder in folders:
        label = FER7.names[FER7.index(folder.name)]
        for file in sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES):
            found = True
            to = _official_split(file) or split
            if to is Split.TRAIN and not has_valid and _held_out(file):
                to = Split.VALID
            yield Sample(label=label, split=to, path=str(file), source=str(file.relative_to(path)))
    if not found:
        raise DataError(f"{path}: no pictures in class folders {', '.join(FER7.names)}")


def _split_folders(path: Path) -> list[tuple[Split, Path]]:
    if not path.is_dir():
        raise DataError(f"{path}: no such folder")
    named = [
        (_FOLDER_SPLITS[child.name.lower()], child)
        for child in sorted(path.iterdir())
        if child.is_dir() and child.name.lower() in _FOLDER_SPLITS
    ]
    return named or [(Split.TRAIN, path)]


def _official_split(file: Path) -> Split | None:
    return _FER_USAGE.get(file.name.partition("_")[0])


def _names_valid(folders: list[tuple[Split, Path]]) -> bool:
    return any(
        _official_split(file) is Split.VALID for _, folder in folders for file in folder.iterdir()
    )


def _is_class(name: str) -> bool:
    try:
        FER7.index(name)
    except LabelUnknown:
        return False
    return True


def _held_out(file: Path) -> bool:
    try:
        digest = hashlib.sha256(file.read_bytes()).digest()
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from error
    return int.from_bytes(digest[:8], "big") / 2**64 < _HOLD_OUT


READERS: dict[str, Callable[..., Iterator[Sample]]] = {
    "fer2013": read_fer2013,
    "class-folders": read_class_folders,
}


def detect_layout(path: Path) -> str:
    """The key of ``READERS`` that fits a file or folder.

    Raises:
        DataError: When none does.
    """
    if path.is_dir():
        return "class-folders"
    if path.is_file() and ".csv" in "".join(path.suffixes).lower():
        return "fer2013"
    raise DataError(
        f"{path}: not a data set in a known layout ({', '.join(READERS)}); give a FER2013 table "
        "or a folder with one folder per class"
    )
