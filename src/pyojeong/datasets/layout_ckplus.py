"""CK+ (Extended Cohn-Kanade): original sequences, and the set of cut faces known as CK+48."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import CKPLUS_TO_FER7, FER7, LabelSet
from pyojeong.datasets.label_map import expression
from pyojeong.datasets.layout import (
    Labeller,
    coded,
    find_root,
    first_picture,
    held_out_groups,
    need_root,
    no_votes,
    open_text,
    pictures_in,
    subfolders,
)
from pyojeong.datasets.samples import Sample, Split

_NAME = re.compile(r"(S\d{3})_\d{3}_\d+\.")
_IMAGES = "cohn-kanade-images"
_NOTES = ("Emotion", "Emotion_labels/Emotion", "Emotion_labels")
MARKER = "cohn-kanade-images/ and Emotion/ (CK+)"
CK48_MARKER = "class folders with files S010_004_00000017.png (CK+48)"


def _fits48(path: Path) -> bool:
    classes = [f for f in subfolders(path) if expression(f.name)]
    firsts = [file for f in classes if (file := first_picture(f)) is not None]
    return bool(firsts) and all(_NAME.match(file.name) for file in firsts)


def is_ck48(path: Path) -> bool:
    """Return whether files in class folders have CK+'s names."""
    return find_root(path, _fits48) is not None


def read_ck48(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
) -> Iterator[Sample]:
    """CK+48: ``<root>/<class>/S010_004_00000017.png``, 48 x 48 gray; no neutral faces.

    The group is the subject, ``S010``. There are no official splits: a tenth of the subjects,
    by a digest of their names, becomes valid, the rest is for training.

    Raises:
        DataError: When there is no such image.
        LabelUnknown: When class folders are not understood; all of them are listed.
    """
    no_votes(votes, "CK+48")
    root = need_root(path, _fits48, CK48_MARKER)
    found = [(f.name, file) for f in subfolders(root) for file in pictures_in(f)]
    known = {f.name: n for f in subfolders(root) if (n := expression(f.name))}
    name = Labeller(root, known, labels, skipped)
    kept = [(label, file) for raw, file in found if (label := name(raw)) is not None]
    name.finish()
    yield from _samples(root, kept)


def _samples(root: Path, kept: list[tuple[str, Path]]) -> Iterator[Sample]:
    if not kept:
        raise DataError(f"{root}: no labelled images; is it unpacked completely?")
    subjects = [file.name.partition("_")[0] for _, file in kept]
    valid = held_out_groups(subjects)
    for subject, (label, file) in zip(subjects, kept, strict=True):
        yield Sample(
            label=label,
            split=Split.VALID if subject in valid else Split.TRAIN,
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
    root = need_root(path, _fits, MARKER)
    notes = next(root / n for n in _NOTES if (root / n).is_dir())
    name = Labeller(root, coded(CKPLUS_TO_FER7), labels, skipped)
    kept = []
    for sequence in (s for subject in subfolders(root / _IMAGES) for s in subfolders(subject)):
        frames = pictures_in(sequence)
        written = sorted((notes / sequence.relative_to(root / _IMAGES)).glob("*_emotion.txt"))
        if not written:
            name.skip("sequence without a label")
            continue
        label = name(_value(written[0]))
        if not frames:
            raise DataError(f"{sequence}: has a label but no frames; is it unpacked completely?")
        if label is not None:
            kept.append((label, frames[-1]))
    name.finish()
    yield from _samples(root, kept)


def _value(note: Path) -> str:
    with open_text(note) as file:
        written = file.read().strip()
    try:
        return str(int(float(written)))
    except ValueError:
        raise ManifestInvalid(
            f"{note}: expected a number from 0 to 7, got {written[:20]!r}"
        ) from None
