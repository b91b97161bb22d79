"""JAFFE: 213 images of ten women, all in one folder."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7, JAFFE_TO_FER7, LabelSet
from pyojeong.datasets.layout import (
    Labeller,
    find_root,
    first_picture,
    held_out_groups,
    need_root,
    no_votes,
    pictures_in,
)
from pyojeong.datasets.samples import Sample, Split

_NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})\d+\.\d+\.")
MARKER = "images named KA.AN1.39.tiff in one folder (JAFFE)"


def _fits(path: Path) -> bool:
    first = first_picture(path)
    return first is not None and bool(_NAME.match(first.name))


def is_jaffe(path: Path) -> bool:
    """Return whether images have JAFFE's names."""
    return find_root(path, _fits) is not None


def read_jaffe(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
) -> Iterator[Sample]:
    """JAFFE: ``KA.AN1.39.tiff`` = subject, expression and take, number; 256 x 256 gray.

    AN angry DI disgust FE fear HA happy NE neutral SA sad SU surprise. The group is the subject.
    There are no official splits: one subject in ten, by a digest of the names, becomes valid, the
    rest is for training. Images with other names are left out and counted.

    Raises:
        DataError: When there is no such image.
        LabelUnknown: When expressions are not understood; all of them are listed.
    """
    no_votes(votes, "JAFFE")
    root = need_root(path, _fits, MARKER)
    codes = {code: FER7.names[to] for code, to in JAFFE_TO_FER7.items()}
    name = Labeller(root, codes, labels, skipped)
    kept = []
    for file in pictures_in(root):
        parts = _NAME.match(file.name)
        if parts is None:
            name.skip("image with another name")
        elif (label := name(parts[2])) is not None:
            kept.append((file, parts[1], label))
    name.finish()
    if not kept:
        raise DataError(f"{root}: no labelled images")
    valid = held_out_groups(subject for _, subject, _ in kept)
    for file, subject, label in kept:
        split = Split.VALID if subject in valid else Split.TRAIN
        yield Sample(label=label, split=split, path=str(file), group=subject, source=file.name)
