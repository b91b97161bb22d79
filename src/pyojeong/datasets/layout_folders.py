"""Class folders: ``<root>/{train,test}/<class>/*.jpg``, and FER2013's Kaggle folders."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7, NO_EXPRESSIONS, LabelSet, folded
from pyojeong.datasets.label_map import (
    NO_MAP,
    LabelMap,
    images,
    is_annotations,
    listed,
    map_option,
    plain_name,
    some,
)
from pyojeong.datasets.layout import (
    find_root,
    first_picture,
    no_votes,
    pictures_in,
    subfolders,
)
from pyojeong.datasets.layout_fer2013 import USAGES
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.own_pictures import (
    NOTHING_STATED,
    Found,
    OwnOptions,
    Picture,
    nfc,
    samples_of,
)
from pyojeong.datasets.samples import Sample, Split
from pyojeong.datasets.whole_set import check_nested, check_whole, folders_beside, split_folders

_OFFICIAL = re.compile(r"(Training|PublicTest|PrivateTest)_\d+\.")
MARKER = "folders named after expressions, perhaps in train/ and test/"
FER2013_MARKER = "class folders with files Training_*, PublicTest_*, PrivateTest_*"


def class_root(path: Path, label_map: LabelMap = NO_MAP) -> Path | None:
    """Return the folder that holds split or class folders, at most two below ``path``.

    Args:
        path: The data set.
        label_map: Further names of classes.
    """

    def fits(folder: Path) -> bool:
        return any(label_map.knows(f.name) for _, f in _class_folders(folder))

    return find_root(path, fits)


def class_folders(root: Path) -> list[Path]:
    """Return the folders of a data set's root that are named after expressions."""
    return [folder for _, folder in _class_folders(root) if NO_MAP.knows(folder.name)]


def _class_folders(root: Path) -> list[tuple[Split, Path]]:
    """Return what may be class folders, in the splits' folders or without such."""
    parts = split_folders(root) or [(Split.TRAIN, root)]
    return [(split, folder) for split, part in parts for folder in subfolders(part)]


def _check_alone(path: Path, root: Path, label_map: LabelMap) -> None:
    """Refuse several data sets in one folder.

    Raises:
        DataError: When other folders hold class folders too.
    """
    others = [f for f in folders_beside(path, root) if class_root(f, label_map) is not None]
    if others:
        names = ", ".join(f"{f.relative_to(path).as_posix()}/" for f in sorted([root, *others]))
        raise DataError(
            f"{path}: several folders hold class folders: {names}; name one of them, or give them "
            "the names of splits (train, valid, test)"
        )


def unnamed_folders(path: Path) -> dict[str, int]:
    """Return the folders with images where class folders were expected -> number of images."""

    def counted(root: Path) -> dict[str, int]:
        found: Counter[str] = Counter()
        for _, folder in _class_folders(root):
            found[nfc(folder.name)] += len(pictures_in(folder))
        return {name: n for name, n in found.items() if n}

    root = find_root(path, lambda folder: bool(counted(folder)))
    return {} if root is None else counted(root)


def refusal(path: Path) -> str | None:
    """Return why a folder of pictures has no class folders, and what to do; None without any."""
    if not path.is_dir():
        return None
    seen = unnamed_folders(path)
    if seen:
        first = plain_name(next(iter(seen)))
        example = map_option(first, "LABEL" if folded(first) in NO_EXPRESSIONS else "happy")
        return (
            f"{path}: no class folders: saw {listed(seen, ending='/')}; name them with "
            f"`pyojeong train` or `data import` and {example}, or rename them"
        )
    loose = pictures_in(path)
    if loose:
        return (
            f"{path}: no class folders: saw {images(len(loose))} ({some([f.name for f in loose])}) "
            "and no folder; name their labels with `pyojeong train` or `data import` and "
            "--table FILE.csv, or "
            f"sort them into folders named {', '.join(FER7.names)}"
        )
    return None


def is_fer2013_folders(path: Path) -> bool:
    """Return whether the files in class folders carry FER2013's own prefixes."""
    root = class_root(path)
    if root is None:
        return False
    folders = [folder for _, folder in _class_folders(root)]
    firsts = [file for f in folders if (file := first_picture(f)) is not None]
    return bool(firsts) and all(_OFFICIAL.match(f.name) for f in firsts)


def read_class_folders(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    own: OwnOptions = NOTHING_STATED,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """``<root>/{train,test,validation}/<class>/*.jpg``, or ``<root>/<class>/*.jpg``.

    Split and class folders are matched without regard to case; synonyms, Korean names and known
    misspellings of the classes are folded; ``own`` states further names. Where no validation split
    exists, a part of the training images becomes one (``hold_out``). Without split folders, names
    that begin with FER2013's own ``Training_``, ``PublicTest_`` or ``PrivateTest_`` give the split;
    in split folders they only divide ``test/``, as in the Kaggle folders (``_with_official``).
    Groups are searched in a file's path below its class folder, so that a person has one group in
    all classes.

    Raises:
        DataError: When there is no image, or class folders lie in those of another label.
        LabelUnknown: When class folders are not understood; all of them are listed.
    """
    no_votes(votes, "class folders")
    if not path.is_dir():
        raise DataError(f"{path}: no such folder")
    root = class_root(path, own.label_map) or path
    notes = Notes() if notes is None else notes
    beside = check_whole(path, root, own.label_map, notes=notes)
    _check_alone(path, root, own.label_map)
    found, left_out = _searched(path, root, set(beside), own.label_map, notes)
    if skipped is not None:
        skipped.update({f"{name}/ (--map)": n for name, n in left_out.items() if n})
    empty = True
    for sample in samples_of(found, own, labels, skipped=skipped, notes=notes):
        empty = False
        yield sample
    if empty:
        raise DataError(f"{path}: no images in class folders {', '.join(labels.names)}")


def _searched(
    path: Path, root: Path, beside: set[str], label_map: LabelMap, notes: Notes
) -> tuple[Found, dict[str, int]]:
    """Return the pictures of class folders, and folders beside splits -> number of images.

    One search finds all: what a link leads to is read once, and the real path wins.

    Args:
        path: The data set.
        root: The folder of split or class folders in it.
        beside: Names of folders beside the splits, which ``label_map`` leaves out.
        label_map: Stated names of classes.
        notes: Get the warnings.
    """
    folders = _class_folders(root)
    skips = [f for f in subfolders(root) if nfc(f.name) in beside]
    inside = _by_folder(pictures_in(path, deep=True), [*skips, *(f for _, f in folders)])
    left_out = {nfc(folder.name): len(inside[folder]) for folder in skips}
    for file in (file for files in inside.values() for file in files):
        notes.know(file)
    read = {folder.resolve() for folder, files in inside.items() if files}
    linked = [f for _, f in folders if not inside[f] and _leads_inside(f, root, read)]
    if linked:
        notes.warnings.append(
            f"links to folders that are read anyway are left out: {some(_names(linked, root))}"
        )
    seen = Counter(left_out)
    splits = split_folders(root)
    pictures = _with_official(_pictures(root, folders, inside), splits, notes)
    for _, folder in folders:
        raw = nfc(folder.name)
        if not inside[folder] and is_annotations(raw):
            continue
        if folder not in linked or label_map.knows(raw) or label_map.leaves_out(raw):
            seen[raw] += len(inside[folder])
    check_nested(root, pictures, label_map, notes)
    has_valid = any(
        split is Split.VALID and (not part.is_symlink() or any(inside[f] for f in subfolders(part)))
        for split, part in splits
    )
    has_valid = has_valid or any(p.split is Split.VALID for p in pictures)
    found = Found(
        place=path,
        pictures=pictures,
        seen=seen,
        has_valid=has_valid,
        ending="/",
        what="rename the folders",
    )
    return found, left_out


def _by_folder(files: list[Path], folders: list[Path]) -> dict[Path, list[Path]]:
    """Return the files below each of some folders, in their order."""
    inside: dict[Path, list[Path]] = {folder: [] for folder in folders}
    for file in files:
        folder = next((parent for parent in file.parents if parent in inside), None)
        if folder is not None:
            inside[folder].append(file)
    return inside


def _leads_inside(folder: Path, root: Path, read: set[Path]) -> bool:
    """Return whether a folder is a link, or below one, into the data set or to one of ``read``."""
    real, whole = folder.resolve(), root.resolve()
    is_link = real != whole / folder.relative_to(root)
    return is_link and (real in read or real.is_relative_to(whole))


def _names(folders: list[Path], root: Path) -> list[str]:
    return [f"{nfc(folder.relative_to(root).as_posix())}/" for folder in folders]


def _pictures(
    root: Path, folders: list[tuple[Split, Path]], inside: dict[Path, list[Path]]
) -> list[Picture]:
    """Return the images of class folders."""
    return [
        Picture(
            file=file,
            raw=nfc(folder.name),
            split=split,
            source=file.relative_to(root).as_posix(),
            key=file.relative_to(folder).as_posix(),
        )
        for split, folder in folders
        for file in inside[folder]
    ]


def _official_split(file: Path) -> Split | None:
    found = _OFFICIAL.match(file.name)
    return None if found is None else USAGES[found[1]]


def _with_official(
    pictures: list[Picture], splits: list[tuple[Split, Path]], notes: Notes
) -> list[Picture]:
    """Return the pictures in the splits of FER2013's own names, where the folders leave them open.

    Folders were made on purpose, perhaps from files that were dealt out again; a name is what a
    file brought along. Kaggle's folders have no ``valid/`` and both test halves in ``test/``:
    there, and without split folders, the names decide.

    Args:
        pictures: In the splits of their folders.
        splits: The split folders.
        notes: Get a warning with counts where names and folders contradict each other.
    """
    named = [(picture, _official_split(picture.file)) for picture in pictures]
    halved = not any(split is Split.VALID for split, _ in splits)

    def agrees(picture: Picture, official: Split | None) -> bool:
        half = halved and (picture.split, official) == (Split.TEST, Split.VALID)
        return official in {None, picture.split} or half

    against = Counter(
        f"{picture.file.name.partition('_')[0]}_* in {PurePosixPath(picture.source).parts[0]}/"
        for picture, official in named
        if splits and not agrees(picture, official)
    )
    if not against:
        return [replace(picture, split=official or picture.split) for picture, official in named]
    found = listed(dict(sorted(against.items())))
    notes.warnings.append(
        f"file names of FER2013 contradict the split folders: {found}; the folders decide: move "
        "the files if the names are right"
    )
    return pictures
