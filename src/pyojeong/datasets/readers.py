"""The list of known layouts: which function reads each, and what gives it away."""

from collections.abc import Callable
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.datasets import (
    layout_affectnet,
    layout_ckplus,
    layout_datasets,
    layout_expw,
    layout_fer2013,
    layout_ferplus,
    layout_folders,
    layout_imagefolder,
    layout_jaffe,
    layout_rafdb,
    layout_voted,
)
from pyojeong.datasets.label_map import some
from pyojeong.datasets.layout import Reader, first_picture
from pyojeong.datasets.layout_fer2013 import read_fer2013
from pyojeong.datasets.layout_ferplus import read_ferplus_votes
from pyojeong.datasets.layout_folders import read_class_folders

__all__ = [
    "MARKERS",
    "OWN_READERS",
    "READERS",
    "Reader",
    "detect_layout",
    "read_class_folders",
    "read_fer2013",
    "read_ferplus_votes",
]

READERS: dict[str, Reader] = {
    "ferplus": layout_ferplus.read_ferplus_folders,
    "rafdb": layout_rafdb.read_rafdb,
    "affectnet": layout_affectnet.read_affectnet,
    "affectnet8": layout_affectnet.read_affectnet8,
    "expw": layout_expw.read_expw,
    "ckplus": layout_ckplus.read_ckplus,
    "voted-photographs": layout_voted.read_voted,
    "fer2013": read_fer2013,
    "imagefolder": layout_imagefolder.read_imagefolder,
    "datasets": layout_datasets.read_datasets,
    "ck48": layout_ckplus.read_ck48,
    "jaffe": layout_jaffe.read_jaffe,
    "fer2013-folders": read_class_folders,
    "rafdb-kaggle": layout_rafdb.read_rafdb_kaggle,
    "class-folders": read_class_folders,
}
"""Layout -> its reader; detection goes through them in this order, from strict to lax."""

OWN_READERS = {
    "class-folders": read_class_folders,
    "fer2013-folders": read_class_folders,
    "imagefolder": layout_imagefolder.read_imagefolder,
    "rafdb-kaggle": layout_rafdb.read_rafdb_kaggle,
}
"""Those of them that read pictures of one's own, whose labels and groups can be stated."""

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".7z", ".rar")
_BY_LISTS = ("ferplus", "rafdb", "affectnet", "affectnet8", "expw", "ckplus", "fer2013")
"""Layouts that lists and tables give away, which may lie beside pictures of one's own."""

MARKERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "ferplus": (layout_ferplus.is_ferplus, layout_ferplus.MARKER),
    "rafdb": (layout_rafdb.is_rafdb, layout_rafdb.MARKER),
    "affectnet": (layout_affectnet.is_affectnet, layout_affectnet.MARKER),
    "affectnet8": (layout_affectnet.is_affectnet8, layout_affectnet.NPY_MARKER),
    "expw": (layout_expw.is_expw, layout_expw.MARKER),
    "ckplus": (layout_ckplus.is_ckplus, layout_ckplus.MARKER),
    "voted-photographs": (layout_voted.is_voted, layout_voted.MARKER),
    "fer2013": (layout_fer2013.find_table, layout_fer2013.MARKER),
    "imagefolder": (layout_imagefolder.is_imagefolder, layout_imagefolder.MARKER),
    "datasets": (layout_datasets.is_datasets, layout_datasets.MARKER),
    "ck48": (layout_ckplus.is_ck48, layout_ckplus.CK48_MARKER),
    "jaffe": (layout_jaffe.is_jaffe, layout_jaffe.MARKER),
    "fer2013-folders": (layout_folders.is_fer2013_folders, layout_folders.FER2013_MARKER),
    "rafdb-kaggle": (layout_rafdb.is_rafdb_kaggle, layout_rafdb.KAGGLE_MARKER),
    "class-folders": (layout_folders.class_root, layout_folders.MARKER),
}
"""Layout -> what tells whether a path has it, and the same in words."""


def _check_alone(path: Path, layout: str) -> None:
    """Refuse a folder that holds a published data set, known by its lists, and class folders.

    Raises:
        DataError: When it does.
    """
    if layout not in _BY_LISTS or (root := layout_folders.class_root(path)) is None:
        return
    folders = [f for f in layout_folders.class_folders(root) if first_picture(f) is not None]
    if folders:
        first = folders[0].relative_to(path).as_posix()
        raise DataError(
            f"{path}: holds {MARKERS[layout][1]} and class folders with images ({first}/): which "
            f"is meant? Name one of them, or state --layout {layout} or --layout class-folders"
        )


def _archives_in(path: Path) -> list[str]:
    """Return the names of the archives in a folder, or of the file itself when it is one."""
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
    return [f.name for f in files if f.name.lower().endswith(_ARCHIVES)]


def detect_layout(path: Path) -> str:
    """Return the key of ``READERS`` that fits a file or folder.

    Raises:
        DataError: When none does; the message lists what was looked for.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    for name in READERS:
        fits, _ = MARKERS[name]
        if fits(path):
            _check_alone(path, name)
            return name
    refusal = layout_folders.refusal(path)
    if refusal is not None:
        raise DataError(refusal)
    unread = layout_imagefolder.unread_table(path) if path.is_dir() else ""
    if unread:
        raise DataError(f"{path}: not a data set in a known layout; {unread}")
    packed = _archives_in(path)
    if packed:
        raise DataError(f"{path}: holds archives and no images: unpack {some(packed)} first")
    looked = "; ".join(f"{name}: {MARKERS[name][1]}" for name in READERS)
    raise DataError(
        f"{path}: not a data set in a known layout. Looked for {looked}. "
        "Give --layout if it is one of these with other names"
    )
