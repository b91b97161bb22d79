"""JAFFE: 213 images of ten women, all in one folder."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7, JAFFE_TO_FER7, LabelSet
from pyojeong.datasets.label_map import expression, images, some
from pyojeong.datasets.layout import (
    Labeller,
    find_root,
    first_picture,
    no_votes,
    pictures_in,
)
from pyojeong.datasets.layout_folders import class_root
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.roots import note_reading, several, some_roots, splits_by_person
from pyojeong.datasets.samples import Sample, Split
from pyojeong.datasets.split_names import split_of

_NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})\d+\.\d+\.")
MARKER = "images named KA.AN1.39.tiff in one folder (JAFFE)"


def _fits(path: Path) -> bool:
    first = first_picture(path)
    return first is not None and bool(_NAME.match(first.name))


def is_jaffe(path: Path) -> bool:
    """Return whether images have JAFFE's names, all of them where there are class folders.

    Among other pictures in class folders they are some of the user's own.
    """
    if find_root(path, _fits) is None:
        return False
    return class_root(path) is None or all(
        _NAME.match(file.name) for file in pictures_in(path, deep=True)
    )


def read_jaffe(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """JAFFE: ``KA.AN1.39.tiff`` = subject, expression and take, number; 256 x 256 gray.

    AN angry DI disgust FE fear HA happy NE neutral SA sad SU surprise. The group is the subject.
    There are no official splits; folders that are named after splits and classes may divide the
    images. Without a validation split one subject in ten, by a digest of the names, becomes valid,
    the rest is for training. Images with other names are left out and counted.

    Raises:
        DataError: When there is no such image, there are several data sets, or class folders
            contradict the names.
        LabelUnknown: When expressions are not understood; all of them are listed.
    """
    no_votes(votes, "JAFFE")
    notes = Notes() if notes is None else notes
    some_roots(path, _fits, MARKER)
    everything = pictures_in(path, deep=True)
    files = [file for file in everything if _NAME.match(file.name)]
    _check_one(path, files)
    parents = [file.relative_to(path).parts[:-1] for file in files]
    note_reading({part: split_of(part) for folders in parents for part in folders}, notes)
    codes = {code: FER7.names[to] for code, to in JAFFE_TO_FER7.items()}
    name = Labeller(path, codes, labels, skipped)
    kept = []
    for file in everything:
        notes.know(file)
        parts = _NAME.match(file.name)
        if parts is None:
            name.skip("image with another name")
        elif (label := name(parts[2])) is not None:
            kept.append((file, parts[1], label))
    name.finish()
    if not kept:
        raise DataError(f"{path}: no labelled images")
    _check_classes(path, kept)
    stated = [_split_of_file(path, file) for file, _, _ in kept]
    splits = splits_by_person([subject for _, subject, _ in kept], stated, notes)
    plain = len({file.name for file, _, _ in kept}) == len(kept)
    for (file, subject, label), split in zip(kept, splits, strict=True):
        source = file.name if plain else file.relative_to(path).as_posix()
        yield Sample(label=label, split=split, path=str(file), group=subject, source=source)


def _split_of_file(path: Path, file: Path) -> Split | None:
    named = [split_of(part) for part in file.relative_to(path).parts[:-1]]
    return next((split for split in named if split is not None), None)


def _check_one(path: Path, files: list[Path]) -> None:
    """Refuse images in several folders that neither splits, classes nor their names explain.

    Raises:
        DataError: When there are such folders; they are named.
    """
    splits = {_split_of_file(path, file) for file in files}
    places: dict[tuple[str, ...], Path] = {}
    for file in files:
        folders = file.relative_to(path).parts[:-1]
        plain = tuple(f for f in folders if split_of(f) is None and expression(f) is None)
        places.setdefault(plain, file.parent)
    outer = min(places, key=len)
    apart = any(place[: len(outer)] != outer for place in places)
    if apart or (None in splits and len(splits) > 1):
        raise several(path, {file.parent for file in files}, MARKER, own=True)


def _check_classes(path: Path, kept: list[tuple[Path, str, str]]) -> None:
    """Refuse class folders of another label than the names in them.

    Raises:
        DataError: When there are some.
    """
    wrong = []
    for file, _, label in kept:
        folders = file.relative_to(path).parts[:-1]
        if any(expression(f) not in {None, label} for f in folders):
            wrong.append(f"{file.relative_to(path).as_posix()} is {label}")
    if wrong:
        raise DataError(
            f"{path}: the names of {images(len(wrong))} contradict their class folders: "
            f"{some(wrong)}; correct them, or read the folders' labels with --layout class-folders"
        )
