"""CK+ (Extended Cohn-Kanade): original sequences, and the set of cut faces known as CK+48."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import CKPLUS_TO_FER7, FER7, LabelSet
from pyojeong.datasets.label_map import NO_MAP, expression
from pyojeong.datasets.layout import (
    Labeller,
    coded,
    find_root,
    first_picture,
    no_votes,
    open_text,
    pictures_in,
    subfolders,
)
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.own_pictures import Picture
from pyojeong.datasets.roots import need_root, split_roots, splits_by_person
from pyojeong.datasets.samples import Sample, Split
from pyojeong.datasets.whole_set import check_nested

_NAME = re.compile(r"(S\d{3})_\d{3}_\d+\.")
_IMAGES = "cohn-kanade-images"
_NOTES = ("Emotion", "Emotion_labels/Emotion", "Emotion_labels")
MARKER = "cohn-kanade-images/ and Emotion/ (CK+)"
CK48_MARKER = "class folders with files S010_004_00000017.png (CK+48)"


def _fits48(path: Path) -> bool:
    classes = [f for f in subfolders(path) if expression(f.name)]
    firsts = [file for f in classes if (file := first_picture(f)) is not None]
    return any(_NAME.match(file.name) for file in firsts)


def is_ck48(path: Path) -> bool:
    """Return whether all files in class folders have CK+'s names.

    Among other pictures they are some of the user's own.
    """
    return find_root(path, _fits48) is not None and all(
        _NAME.match(file.name)
        for file in pictures_in(path, deep=True)
        if any(expression(part) for part in file.relative_to(path).parts[:-1])
    )


def read_ck48(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """CK+48: ``<root>/<class>/S010_004_00000017.png``, 48 x 48 gray; no neutral faces.

    The group is the subject, ``S010``. There are no official splits; several folders of class
    folders are splits when they have their names. Without a validation split a tenth of the
    subjects, by a digest of their names, becomes valid, the rest is for training. Images with
    other names are left out and counted.

    Raises:
        DataError: When there is no such image, there are several data sets, or class folders lie in
            those of another label.
        LabelUnknown: When class folders are not understood; all of them are listed.
    """
    no_votes(votes, "CK+48")
    notes = Notes() if notes is None else notes
    parts = split_roots(path, _fits48, CK48_MARKER, notes)
    root = parts[0][1] if len(parts) == 1 else parts[0][1].parent
    found = [
        Picture(
            file=file,
            raw=folder.name,
            split=split or Split.TRAIN,
            source=file.relative_to(root).as_posix(),
            key=file.relative_to(folder).as_posix(),
        )
        for split, part in parts
        for folder in subfolders(part)
        for file in pictures_in(folder, deep=True)
    ]
    check_nested(root, found, NO_MAP, notes)
    known = {p.raw: label for p in found if (label := expression(p.raw))}
    name = Labeller(root, known, labels, skipped)
    kept = []
    for picture in found:
        notes.know(picture.file)
        if picture.raw in known and not _NAME.match(picture.file.name):
            name.skip("image with another name")
        elif (label := name(picture.raw)) is not None:
            kept.append((label, picture.file, picture.split))
    name.finish()
    yield from _samples(root, kept, notes)


def _samples(root: Path, kept: list[tuple[str, Path, Split]], notes: Notes) -> Iterator[Sample]:
    if not kept:
        raise DataError(f"{root}: no labelled images; is it unpacked completely?")
    subjects = [file.name.partition("_")[0] for _, file, _ in kept]
    splits = splits_by_person(subjects, [split for _, _, split in kept], notes)
    for subject, split, (label, file, _) in zip(subjects, splits, kept, strict=True):
        yield Sample(
            label=label,
            split=split,
            path=str(file),
            group=subject,
            source=file.relative_to(root).as_posix(),
        )


def _fits(path: Path) -> bool:
    return (path / _IMAGES).is_dir() and any((path / n).is_dir() for n in _NOTES)


def is_ckplus(path: Path) -> bool:
    """Return whether CK+'s two trees are there."""
    return find_root(path, _fits) is not None


def read_ckplus(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """CK+: ``cohn-kanade-images/S###/###/*.png`` and ``Emotion/S###/###/*_emotion.txt``.

    A sequence runs from a neutral face to the peak of one expression, and 327 of the 593 have a
    label: 0 neutral 1 anger 2 contempt 3 disgust 4 fear 5 happy 6 sadness 7 surprise. The sample
    is the last frame, the peak, of every labelled sequence, so that a person does not count
    threefold; neutral first frames are not taken. The rest is counted as left out. Groups and
    splits are those of ``read_ck48``.

    Raises:
        DataError: When the trees are not there or a labelled sequence has no frames.
        LabelUnknown: When labels are not 0 to 7; all of them are listed.
        ManifestInvalid: When a label file holds no number.
    """
    no_votes(votes, "CK+")
    notes = Notes() if notes is None else notes
    root = need_root(path, _fits, MARKER)
    written_in = next(root / n for n in _NOTES if (root / n).is_dir())
    name = Labeller(root, coded(CKPLUS_TO_FER7), labels, skipped)
    kept = []
    for sequence in (s for subject in subfolders(root / _IMAGES) for s in subfolders(subject)):
        frames = pictures_in(sequence)
        if frames:
            notes.know(frames[-1])
        written = sorted((written_in / sequence.relative_to(root / _IMAGES)).glob("*_emotion.txt"))
        if not written:
            name.skip("sequence without a label")
            continue
        label = name(_value(written[0]))
        if not frames:
            raise DataError(f"{sequence}: has a label but no frames; is it unpacked completely?")
        if label is not None:
            kept.append((label, frames[-1], Split.TRAIN))
    name.finish()
    yield from _samples(root, kept, notes)


def _value(note: Path) -> str:
    with open_text(note) as file:
        written = file.read().strip()
    try:
        return str(int(float(written)))
    except ValueError:
        raise ManifestInvalid(
            f"{note}: expected a number from 0 to 7, got {written[:20]!r}"
        ) from None
