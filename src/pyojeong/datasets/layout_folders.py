"""Class folders: ``<root>/{train,test}/<class>/*.jpg``; FER2013's Kaggle folders; imagefolder."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import FER7, LabelSet
from pyojeong.datasets.layout import (
    SPLIT_NAMES,
    Labeller,
    expression,
    find_root,
    first_picture,
    held_out_file,
    need_root,
    no_votes,
    open_text,
    pictures_in,
    subfolders,
)
from pyojeong.datasets.layout_fer2013 import USAGES
from pyojeong.datasets.samples import Sample, Split

_OFFICIAL = re.compile(r"(Training|PublicTest|PrivateTest)_\d+\.")
MARKER = "folders named after expressions, perhaps in train/ and test/"
FER2013_MARKER = "class folders with files Training_*, PublicTest_*, PrivateTest_*"
IMAGEFOLDER_MARKER = "train/metadata.csv with columns file_name,label (imagefolder)"


def _splits(path: Path) -> list[tuple[Split, Path]]:
    return [
        (SPLIT_NAMES[child.name.lower()], child)
        for child in subfolders(path)
        if child.name.lower() in SPLIT_NAMES
    ]


def _fits(path: Path) -> bool:
    """Return whether at least one class folder is here, directly or in a split folder."""
    folders = [f for _, root in _splits(path) or [(Split.TRAIN, path)] for f in subfolders(root)]
    return any(expression(f.name) for f in folders)


def class_root(path: Path) -> Path | None:
    """Return the folder that holds split or class folders, at most two below ``path``."""
    return find_root(path, _fits)


def is_fer2013_folders(path: Path) -> bool:
    """Return whether the files in class folders carry FER2013's own prefixes."""
    root = class_root(path)
    if root is None:
        return False
    folders = [f for _, part in _splits(root) or [(Split.TRAIN, root)] for f in subfolders(part)]
    firsts = [file for f in folders if (file := first_picture(f)) is not None]
    return bool(firsts) and all(_OFFICIAL.match(f.name) for f in firsts)


def read_class_folders(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
) -> Iterator[Sample]:
    """``<root>/{train,test,validation}/<class>/*.jpg``, or ``<root>/<class>/*.jpg``.

    Split and class folders are matched without regard to case; synonyms and known misspellings
    of the classes are folded. Where no validation split exists, a tenth of the training images
    becomes one: chosen by a digest of the file's bytes, so that the choice never changes and
    identical images stay together. File names that begin with FER2013's own ``Training_``,
    ``PublicTest_`` or ``PrivateTest_`` (the Kaggle folders do) give the official split back.

    Raises:
        DataError: When there is no image.
        LabelUnknown: When class folders are not understood; all of them are listed.
    """
    no_votes(votes, "class folders")
    if not path.is_dir():
        raise DataError(f"{path}: no such folder")
    root = class_root(path) or path
    parts = _splits(root) or [(Split.TRAIN, root)]
    folders = [(split, folder) for split, part in parts for folder in subfolders(part)]
    named = {f.name: known for _, f in folders if (known := expression(f.name))}
    name = Labeller(path, {n: n for n in labels.names} | named, labels, skipped)
    for _, folder in folders:
        if folder.name not in named:
            name.unknown[folder.name] += len(pictures_in(folder, deep=True))
    name.finish()
    has_valid = any(split is Split.VALID for split, _ in parts) or _names_valid(folders)
    found = False
    for split, folder in folders:
        for file in pictures_in(folder, deep=True):
            label = name(folder.name)
            if label is None:
                continue
            found = True
            to = _official_split(file) or split
            if to is Split.TRAIN and not has_valid and held_out_file(file):
                to = Split.VALID
            source = file.relative_to(root).as_posix()
            yield Sample(label=label, split=to, path=str(file), source=source)
    if not found:
        raise DataError(f"{path}: no images in class folders {', '.join(labels.names)}")


def _official_split(file: Path) -> Split | None:
    found = _OFFICIAL.match(file.name)
    return None if found is None else USAGES[found[1]]


def _names_valid(folders: list[tuple[Split, Path]]) -> bool:
    return any(
        _official_split(file) is Split.VALID for _, folder in folders for file in folder.iterdir()
    )


def _tables(path: Path) -> list[tuple[Split, Path]]:
    parts = _splits(path) or [(Split.TRAIN, path)]
    return [(split, part / "metadata.csv") for split, part in parts if _has_table(part)]


def _has_table(path: Path) -> bool:
    table = path / "metadata.csv"
    if not table.is_file():
        return False
    with open_text(table) as file:
        return {"file_name", "label"} <= set(file.readline().strip().split(","))


def _fits_imagefolder(path: Path) -> bool:
    return bool(_tables(path))


def is_imagefolder(path: Path) -> bool:
    """Return whether there are ``metadata.csv`` tables with file names and labels."""
    return find_root(path, _fits_imagefolder) is not None


def read_imagefolder(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
) -> Iterator[Sample]:
    """Hugging Face's ``imagefolder``: ``<root>/<split>/metadata.csv`` with file_name,label.

    A column ``group`` is taken over. Without a folder ``valid`` or ``validation`` a tenth of
    the training images is held out, as in ``read_class_folders``.

    Raises:
        DataError: When there is no such table.
        LabelUnknown: When labels are not understood; all of them are listed.
        ManifestInvalid: When a row of a table is wrong.
    """
    no_votes(votes, "imagefolder")
    root = need_root(path, _fits_imagefolder, IMAGEFOLDER_MARKER)
    has_valid = any(split is Split.VALID for split, _ in _splits(root))
    known = {n: n for n in (*FER7.names, "contempt")}
    name = Labeller(root, known, labels, skipped)
    for split, table in _tables(root):
        with open_text(table) as file:
            for i, row in enumerate(csv.DictReader(file)):
                if not row.get("file_name") or row.get("label") is None:
                    raise ManifestInvalid(f"{table}: expected file_name and label", row=i)
                label = name(expression(row["label"]) or row["label"])
                if label is None:
                    continue
                picture = table.parent / row["file_name"]
                to = split
                if to is Split.TRAIN and not has_valid and held_out_file(picture):
                    to = Split.VALID
                yield Sample(
                    label=label,
                    split=to,
                    path=str(picture),
                    group=row.get("group") or "",
                    source=picture.relative_to(root).as_posix(),
                )
    name.finish()
