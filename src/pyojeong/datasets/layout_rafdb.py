"""RAF-DB, basic expressions: as its authors ship it, and as Kaggle does."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import AFFECTNET_TO_FER7, FER7, FER2013_TO_FER7, RAFDB_TO_FER7, LabelSet
from pyojeong.datasets.layout import (
    Labeller,
    coded,
    find_root,
    held_out_file,
    no_votes,
    open_text,
    pictures_in,
    subfolders,
)
from pyojeong.datasets.layout_folders import read_class_folders
from pyojeong.datasets.named_files import Outside
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.own_pictures import NOTHING_STATED, OwnOptions
from pyojeong.datasets.roots import need_root
from pyojeong.datasets.samples import Sample, Split
from pyojeong.datasets.whole_set import check_whole, split_folders

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
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """RAF-DB basic: ``EmoLabel/list_patition_label.txt`` and ``Image/aligned`` or ``/original``.

    Lines read ``train_00001.jpg 5``; 1 surprise 2 fear 3 disgust 4 happiness 5 sadness 6 anger
    7 neutral. Names may be those of the aligned images (``train_00001_aligned.jpg``), and further
    values may follow. The aligned images (100 x 100) are taken where they exist, also when they
    were unpacked into a folder of their own. The name tells train from test; a tenth of the
    training images, by a digest of the file, becomes valid.

    Raises:
        DataError: When the list is not there or names no image folder.
        LabelUnknown: When labels are not 1 to 7; all of them are listed.
        ManifestInvalid: When a line is wrong.
    """
    no_votes(votes, "RAF-DB")
    notes = Notes() if notes is None else notes
    root = need_root(path, _fits, MARKER)
    aligned = (root / "Image" / "aligned").is_dir()
    folder = root / "Image" / ("aligned" if aligned else "original")
    if (folder / folder.name).is_dir():
        folder = folder / folder.name
    if not folder.is_dir():
        raise DataError(f"{root}: neither Image/aligned nor Image/original is there; unpack one")
    name = Labeller(root, _LABELS, labels, skipped)
    outside = Outside(folder, skipped)
    with open_text(root / _LIST) as file:
        for i, line in enumerate(file):
            words = line.split()
            split = _SPLITS.get(words[0].partition("_")[0]) if words else None
            if len(words) < 2 or split is None:
                if not words:
                    continue
                raise ManifestInvalid(
                    f"{root / _LIST}: expected 'train_00001.jpg 5', got {line.strip()[:40]!r}",
                    row=i,
                )
            label = name(words[1])
            if label is not None and words[0] in outside:
                continue
            stem, _, ending = words[0].rpartition(".")
            stem = stem.removesuffix("_aligned")
            picture = folder / (f"{stem}_aligned.{ending}" if aligned else f"{stem}.{ending}")
            notes.know(picture)
            if label is None:
                continue
            yield _sample(picture, label, split, words[0])
    name.finish()
    outside.note()


def _sample(picture: Path, label: str, split: Split, source: str) -> Sample:
    if split is Split.TRAIN and held_out_file(picture):
        split = Split.VALID
    return Sample(label=label, split=split, path=str(picture), source=source)


def _fits_kaggle(path: Path) -> bool:
    folders = [f.name for _, part in split_folders(path) for f in subfolders(part)]
    return bool(folders) and all(name.isdecimal() for name in folders)


def is_rafdb_kaggle(path: Path) -> bool:
    """Return whether there are numbered class folders in folders of splits."""
    return find_root(path, _fits_kaggle) is not None


def read_rafdb_kaggle(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    own: OwnOptions = NOTHING_STATED,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """RAF-DB as on Kaggle: ``DATASET/{train,test}/{1..7}/*.jpg``; numbers as in ``read_rafdb``.

    The folders give the labels; ``train_labels.csv`` says the same and is not read. A folder
    ``valid`` is the validation split; otherwise a tenth of the training images is held out. The
    meaning of the numbers is said in ``notes``. With a stated meaning (``own.label_map``) this is
    ``read_class_folders``.

    Raises:
        DataError: When the folders are not there or hold no image, or their numbers may mean
            different things.
        LabelUnknown: When folders are not 1 to 7; all of them are listed.
    """
    if own.stated:
        yield from read_class_folders(
            path, votes=votes, labels=labels, skipped=skipped, own=own, notes=notes
        )
        return
    no_votes(votes, "RAF-DB")
    notes = Notes() if notes is None else notes
    root = need_root(path, _fits_kaggle, KAGGLE_MARKER)
    check_whole(path, root, own.label_map, notes=notes)
    parts = split_folders(root)
    notes.warnings.append(_meaning(root, parts))
    cure = "state what they mean with --map NUMBER=LABEL, or take the folders out"
    name = Labeller(root, _LABELS, labels, skipped, cure=cure)
    has_valid = any(split is Split.VALID for split, _ in parts)
    found = False
    for split, part in parts:
        for folder in subfolders(part):
            for picture in pictures_in(folder, deep=True):
                notes.know(picture)
                label = name(str(int(folder.name)))  # 01 is 1
                if label is not None:
                    found = True
                    source = picture.relative_to(root).as_posix()
                    if has_valid:
                        yield Sample(label=label, split=split, path=str(picture), source=source)
                    else:
                        yield _sample(picture, label, split, source)
    name.finish()
    if not found:
        raise DataError(f"{root}: no images in numbered folders of train and test")


def _meaning(root: Path, parts: list[tuple[Split, Path]]) -> str:
    """Return what the numbers are taken for.

    Raises:
        DataError: When they may mean different things.
    """
    numbers = sorted({folder.name for _, part in parts for folder in subfolders(part)}, key=int)
    if 0 in map(int, numbers):
        affectnet = coded(AFFECTNET_TO_FER7)
        raise DataError(
            f"{root}: classes are numbered {', '.join(numbers)}; state what the numbers mean, with "
            "`pyojeong train` or `data import` and --map (FER2013: "
            f"{_as_map(coded(FER2013_TO_FER7))}; "
            f"AffectNet: {_as_map(affectnet)})"
        )
    meaning = ", ".join(f"{number} {label}" for number, label in _LABELS.items())
    return (
        f"numbered classes are read as RAF-DB's: {meaning}; if they mean something else, state it: "
        "--map 1=LABEL,2=LABEL,..."
    )


def _as_map(names: Mapping[str, str]) -> str:
    return ",".join(f"{number}={name}" for number, name in names.items())
