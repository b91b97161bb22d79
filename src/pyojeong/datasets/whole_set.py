"""Whether a data set of folders is read as a whole: its splits, and what lies beside them."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from pyojeong.core.errors import DataError
from pyojeong.datasets.label_map import LabelMap, is_code, listed, map_option
from pyojeong.datasets.layout import pictures_in, subfolders
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.own_pictures import Picture, nfc
from pyojeong.datasets.samples import Split
from pyojeong.datasets.split_names import reading, split_of


def split_folders(path: Path) -> list[tuple[Split, Path]]:
    """Return the folders in a folder that are named after splits."""
    named = [(split_of(child.name), child) for child in subfolders(path)]
    return [(split, child) for split, child in named if split is not None]


def folders_beside(path: Path, root: Path) -> list[Path]:
    """Return the folders below ``path`` that stand beside ``root`` or beside its parent."""
    if root == path:
        return []
    parents = dict.fromkeys([path, root.parent])
    inside = [f for parent in parents for f in subfolders(parent)]
    return [f for f in inside if f != root and f not in root.parents]


def check_whole(
    path: Path,
    root: Path,
    label_map: LabelMap,
    *,
    notes: Notes,
) -> dict[str, int]:
    """Check that nothing is left out silently, and say how splits are read.

    Args:
        path: What was named.
        root: The folder of split or class folders in it.
        label_map: Stated names of classes; folders that it leaves out may stand beside splits.
        notes: Get a sentence on unusual names of splits, and on folders beside ``root``.

    Returns:
        Folders beside the splits that ``label_map`` leaves out -> number of images.

    Raises:
        DataError: When folders with images stand beside split folders.
    """
    counts = {f"{nfc(f.name)}/": _count(f) for f in folders_beside(path, root)}
    others = {name: count for name, count in counts.items() if count}
    if others:
        notes.warnings.append(f"{nfc(root.name)}/ is read; left out beside it: {listed(others)}")
    splits = split_folders(root)
    said = reading({nfc(folder.name): split for split, folder in splits})
    if said is not None:
        notes.warnings.append(said)
    return _beside_splits(root, splits, label_map) if splits else {}


def _beside_splits(
    root: Path, splits: list[tuple[Split, Path]], label_map: LabelMap
) -> dict[str, int]:
    theirs = {folder for _, folder in splits}
    counts = {nfc(f.name): _count(f) for f in subfolders(root) if f not in theirs}
    left_out = {name: n for name, n in counts.items() if label_map.leaves_out(name)}
    beside = {name: n for name, n in counts.items() if n and name not in left_out}
    if beside:
        names = ", ".join(f"{nfc(folder.name)}/" for _, folder in splits)
        raise DataError(
            f"{root}: {listed(beside, ending='/')} beside the splits {names}: move the images into "
            "a split, rename the folder after a split, or leave it out with "
            f"`pyojeong train` or `data import` and {map_option(next(iter(beside)), 'skip')}"
        )
    return left_out


def check_nested(
    root: Path, pictures: Iterable[Picture], label_map: LabelMap, notes: Notes
) -> None:
    """Refuse class folders of another label inside class folders.

    Names that may also be codes of people (``sad/an/``), and split folders inside class folders,
    which divide nothing, are warnings.

    Args:
        root: The folder of split or class folders.
        pictures: All images of class folders.
        label_map: Stated names of classes.
        notes: Get the warnings.

    Raises:
        DataError: When there are some; they are named.
    """
    classes: Counter[str] = Counter()
    others: dict[str, Counter[str]] = {"codes": Counter(), "splits": Counter()}
    for picture in pictures:
        label = label_map.label(picture.raw)
        inner = PurePosixPath(picture.key).parent.parts
        outer = len(PurePosixPath(picture.source).parts) - len(inner) - 1
        for depth, name in enumerate(inner, 1):
            place = PurePosixPath(*PurePosixPath(picture.source).parts[: outer + depth]).as_posix()
            named = label_map.label(name)
            if label is not None and named not in {None, label}:
                (others["codes"] if is_code(name) else classes)[place] += 1
            elif split_of(name) is not None:
                others["splits"][place] += 1
    if classes:
        raise DataError(
            f"{root}: class folders inside class folders of another label: "
            f"{listed(classes, ending='/')}; it is not clear which label holds: move them beside "
            "the outer folders, or give them names that are no expressions"
        )
    if found := others["codes"]:
        notes.warnings.append(
            f"{listed(found, ending='/')}: read with the label of the outer folder; the inner name "
            "is also a code of another expression: move these folders if it is one"
        )
    if found := others["splits"]:
        notes.warnings.append(
            f"{listed(found, ending='/')}: named as a split inside a class folder, which divides "
            "nothing: put the split folders outside (train/happy/, test/happy/)"
        )


def _count(folder: Path) -> int:
    return len(pictures_in(folder, deep=True))
