"""AffectNet: the full set with its lists of faces, and the release of eight classes."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from pyojeong.core.array_files import UNREADABLE_ARRAY
from pyojeong.core.errors import DataError, ImageUnreadable, ManifestInvalid
from pyojeong.core.labels import AFFECTNET_TO_FER7, FER7, LabelSet
from pyojeong.datasets.layout import (
    Labeller,
    coded,
    cut_box,
    find_root,
    finite,
    no_votes,
    open_text,
    pictures_in,
    png,
)
from pyojeong.datasets.named_files import Outside
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.roots import need_root, several, some_roots
from pyojeong.datasets.samples import Sample, Split
from pyojeong.image.files import read_image
from pyojeong.image.preprocess import Pixels

MOST_SIDE = 256
"""Faces cut from whole images are shrunk (area average) to this longer side, in pixels."""

_LABELS = coded(AFFECTNET_TO_FER7)
_LEFT_OUT = {"8": "no expression", "9": "uncertain", "10": "no face"}
_LISTS = {"training.csv": Split.TRAIN, "validation.csv": Split.VALID}
_NEEDED = ("subDirectory_filePath", "expression")
_BOX = ("face_x", "face_y", "face_width", "face_height")
_IMAGES = ("Manually_Annotated_Images", "Manually_Annotated", "")
_SETS = {"train_set": Split.TRAIN, "val_set": Split.VALID}
MARKER = "Manually_Annotated_file_lists/training.csv (AffectNet)"
NPY_MARKER = "train_set/images and train_set/annotations/*_exp.npy (AffectNet, 8 classes)"


def _lists(path: Path) -> list[tuple[Split, Path]]:
    found = []
    for name, split in _LISTS.items():
        for folder in (path / "Manually_Annotated_file_lists", path):
            if (folder / name).is_file():
                found.append((split, folder / name))
                break
    return found


def _fits(path: Path) -> bool:
    for _, table in _lists(path):
        with open_text(table) as file:
            if _NEEDED[0] in file.readline(300):
                return True
    return False


def is_affectnet(path: Path) -> bool:
    """Return whether AffectNet's lists are there."""
    return find_root(path, _fits) is not None


def read_affectnet(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """AffectNet in full: lists in ``Manually_Annotated_file_lists``, whole images beside them.

    The images are whole scenes, so every sample is the face cut out by the list's box, clipped
    at the edges, as PNG; faces larger than ``MOST_SIDE`` are shrunk to it. 0 neutral 1 happy
    2 sad 3 surprise 4 fear 5 disgust 6 anger 7 contempt; 8 (none), 9 (uncertain) and 10 (no face)
    are left out and counted. The validation list becomes Split.VALID; its test set was never
    given out. An image that could not be read stays in, by its path.

    Raises:
        DataError: When the lists are not there.
        LabelUnknown: When labels are not 0 to 10; all of them are listed.
        ManifestInvalid: When a list lacks a column or a row has no box.
    """
    no_votes(votes, "AffectNet")
    notes = Notes() if notes is None else notes
    root = need_root(path, _fits, MARKER)
    name = Labeller(root, _LABELS, labels, skipped, _LEFT_OUT)
    # Lists name files in one of several folders; all of them are as deep as this one.
    outside = Outside(root / _IMAGES[0], skipped)
    for split, table in _lists(root):
        with open_text(table) as file:
            rows = csv.DictReader(file)
            missing = sorted({*_NEEDED, *_BOX} - set(rows.fieldnames or ()))
            if missing:
                raise ManifestInvalid(f"{table}: columns missing: {', '.join(missing)}")
            for i, row in enumerate(rows):
                label = name((row["expression"] or "").strip())
                named = row["subDirectory_filePath"] or ""
                if label is not None and named in outside:
                    continue
                picture = _picture_file(root, named)
                notes.know(picture)
                if label is None:
                    continue
                sample = _cut(picture, _box(table, i, row), label, split)
                if sample is None:
                    name.skip("face box outside the image")
                else:
                    yield sample
    name.finish()
    outside.note()


def _picture_file(root: Path, named: str) -> Path:
    places = [root / folder / named for folder in _IMAGES]
    places.append(root / "Manually_Annotated" / "Manually_Annotated_Images" / named)
    return next((p for p in places if p.is_file()), places[0])


def _box(table: Path, i: int, row: dict[str, str]) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = (finite(row[column]) for column in _BOX)
    except (TypeError, ValueError):
        got = [row[column] for column in _BOX]
        raise ManifestInvalid(
            f"{table}: the face box must be four numbers, got {got}", row=i
        ) from None
    return x, y, x + width, y + height


def _cut(
    picture: Path, box: tuple[float, float, float, float], label: str, split: Split
) -> Sample | None:
    source = "/".join(picture.parts[-2:])
    try:
        face = cut_box(read_image(picture), box)
    except ImageUnreadable:
        return Sample(label=label, split=split, path=str(picture), source=source)
    if face is None:
        return None
    return Sample(label=label, split=split, image=png(_shrunk(face)), source=source)


def _shrunk(face: Pixels) -> Pixels:
    height, width = face.shape[:2]
    scale = MOST_SIDE / max(height, width)
    if scale >= 1:
        return face
    size_wh = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(face, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def _fits_npy(path: Path) -> bool:
    return any(
        (path / part / "annotations").is_dir() and (path / part / "images").is_dir()
        for part in _SETS
    )


def is_affectnet8(path: Path) -> bool:
    """Return whether the folders of the 8-class release are there."""
    return find_root(path, _fits_npy) is not None


def read_affectnet8(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """AffectNet's release of eight classes: ``{train_set,val_set}/images/<id>.jpg`` by path.

    ``annotations/<id>_exp.npy`` holds the value 0 to 7 (see ``read_affectnet``) as a number or a
    string. The faces are cut out already. ``val_set`` becomes Split.VALID. The two may lie in
    folders of their own.

    Raises:
        DataError: When the folders are not there or there several times, or an annotation is
            missing or damaged.
        LabelUnknown: When labels are not 0 to 7; all of them are listed.
    """
    no_votes(votes, "AffectNet")
    notes = Notes() if notes is None else notes
    roots = some_roots(path, _fits_npy, NPY_MARKER)
    name = Labeller(roots[0] if len(roots) == 1 else path, _LABELS, labels, skipped, _LEFT_OUT)
    for part, split in _SETS.items():
        sets = [root / part for root in roots if (root / part / "images").is_dir()]
        if len(sets) > 1:  # unpacked side by side, every root has one of the splits
            raise several(path, roots, NPY_MARKER)
        for picture in (p for folder in sets for p in pictures_in(folder / "images")):
            notes.know(picture)
            note = picture.parent.parent / "annotations" / f"{picture.stem}_exp.npy"
            label = name(_value(note))
            if label is not None:
                source = f"{part}/{picture.name}"
                yield Sample(label=label, split=split, path=str(picture), source=source)
    name.finish()


def _value(note: Path) -> str:
    try:
        written = str(np.load(note, allow_pickle=False).reshape(-1)[0]).strip()
        return str(int(float(written)))
    except FileNotFoundError:
        raise DataError(f"{note}: no such file; every image needs its annotation") from None
    except UNREADABLE_ARRAY as error:
        raise DataError(f"{note}: expected one number, could not be read: {error}") from error
