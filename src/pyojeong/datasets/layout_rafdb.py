"""RAF-DB, basic expressions: as its authors ship it, and as Kaggle does."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import FER7, RAFDB_TO_FER7, LabelSet
from pyojeong.datasets.layout import (
    Labeller,
    coded,
    find_root,
    held_out_file,
    need_root,
    no_votes,
    open_text,
    pictures_in,
    subfolders,
)
from pyojeong.datasets.samples import Sample, Split

_LABELS = coded(RAFDB_TO_FER7, first=1)
_LIST = Path("EmoLabel") / "list_patition_label.txt"  # the authors' own spelling
_SPLITS = {"train": Split.TRAIN, "test": Split.TEST}
MARKER = "EmoLabel/list_patition_label.txt beside Image/ (RAF-DB basic)"
KAGGLE_MARKER = "DATASET/train/1 ... 7 (RAF-DB on Kaggle)"


def _fits(path: Path) -> bool:
    return (path / _LIST).is_file()


def is_rafdb(path: Path) -> bool:
    """Return whether the authors' list is there."""
    return find_root(path, _fits) is not None


def read_rafdb(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
) -> Iterator[Sample]:
    """RAF-DB basic: ``EmoLabel/list_patition_label.txt`` and ``Image/aligned`` or ``/original``.

    Lines read ``train_00001.jpg 5``; 1 surprise 2 fear 3 disgust 4 happiness 5 sadness 6 anger
    7 neutral. The aligned images (100 x 100) are taken where they exist. The name tells train
    from test; a tenth of the training images, by a digest of the file, becomes valid.

    Raises:
        DataError: When the list is not there or names no image folder.
        LabelUnknown: When labels are not 1 to 7; all of them are listed.
        ManifestInvalid: When a line is wrong.
    """
    no_votes(votes, "RAF-DB")
    root = need_root(path, _fits, MARKER)
    aligned = (root / "Image" / "aligned").is_dir()
    folder = root / "Image" / ("aligned" if aligned else "original")
    if not folder.is_dir():
        raise DataError(f"{root}: neither Image/aligned nor Image/original is there; unpack one")
    name = Labeller(root, _LABELS, labels, skipped)
    with open_text(root / _LIST) as file:
        for i, line in enumerate(file):
            words = line.split()
            split = _SPLITS.get(words[0].partition("_")[0]) if words else None
            if len(words) != 2 or split is None:
                if not words:
                    continue
                raise ManifestInvalid(
                    f"{root / _LIST}: expected 'train_00001.jpg 5', got {line.strip()[:40]!r}",
                    row=i,
                )
            label = name(words[1])
            if label is None:
                continue
            stem, _, ending = words[0].rpartition(".")
            picture = folder / (f"{stem}_aligned.{ending}" if aligned else words[0])
            yield _sample(picture, label, split, words[0])
    name.finish()


def _sample(picture: Path, label: str, split: Split, source: str) -> Sample:
    if split is Split.TRAIN and held_out_file(picture):
        split = Split.VALID
    return Sample(label=label, split=split, path=str(picture), source=source)


def _fits_kaggle(path: Path) -> bool:
    folders = [f.name for part in _SPLITS for f in subfolders(path / part)]
    return bool(folders) and all(name.isdigit() for name in folders)


def is_rafdb_kaggle(path: Path) -> bool:
    """Return whether there are numbered class folders."""
    return find_root(path, _fits_kaggle) is not None


def read_rafdb_kaggle(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
) -> Iterator[Sample]:
    """RAF-DB as on Kaggle: ``DATASET/{train,test}/{1..7}/*.jpg``; numbers as in ``read_rafdb``.

    The folders give the labels; ``train_labels.csv`` says the same and is not read.

    Raises:
        DataError: When the folders are not there or hold no image.
        LabelUnknown: When folders are not 1 to 7; all of them are listed.
    """
    no_votes(votes, "RAF-DB")
    root = need_root(path, _fits_kaggle, KAGGLE_MARKER)
    name = Labeller(root, _LABELS, labels, skipped)
    found = False
    for part, split in _SPLITS.items():
        for folder in subfolders(root / part):
            for picture in pictures_in(folder):
                label = name(folder.name)
                if label is not None:
                    found = True
                    source = picture.relative_to(root).as_posix()
                    yield _sample(picture, label, split, source)
    name.finish()
    if not found:
        raise DataError(f"{root}: no images in folders 1 to 7 of train and test")
