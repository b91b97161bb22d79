"""Whether a data set of folders is read as a whole: its splits, and what lies beside them."""

from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.datasets.label_map import LabelMap, listed
from pyojeong.datasets.layout import pictures_in, subfolders
from pyojeong.datasets.own_pictures import Notes, nfc
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
            "a split, rename the folder after a split, or leave it out with `pyojeong data import` "
            f"and --map '{next(iter(beside))}=skip'"
        )
    return left_out


def _count(folder: Path) -> int:
    return len(pictures_in(folder, deep=True))
