"""Names of split folders, in the spellings of real downloads."""

import re

from pyojeong.core.labels import folded
from pyojeong.datasets.samples import Split

_NAMES = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "valid": Split.VALID,
    "validation": Split.VALID,
    "val": Split.VALID,
    "dev": Split.VALID,
    "eval": Split.VALID,
    "evaluation": Split.VALID,
    "publictest": Split.VALID,  # FER2013's own names
    "test": Split.TEST,
    "testing": Split.TEST,
    "privatetest": Split.TEST,
}
_PLAIN = ("train", "valid", "test")
_FILLERS = ("dataset", "set", "data", "split", "images", "image", "imgs", "pictures", "faces")


def split_of(name: str) -> Split | None:
    """Return the split that a folder's name, or a table's cell, stands for; None for other names.

    Case, separators and the words set, data, split, images, pictures, faces do not count:
    ``train_set``, ``TestImages``, ``val-data``. FER2013's PublicTest is the validation split,
    PrivateTest the test split.
    """
    words = [_stripped(word) for word in re.split(r"[\W_]+", folded(name)) if word]
    named = [word for word in words if word]
    joined = "".join(named)
    return _NAMES.get(joined)


def _stripped(word: str) -> str:
    """Return a word without fillers at its end; "" for a filler."""
    for filler in _FILLERS:
        if word.endswith(filler) and word not in _NAMES:
            return _stripped(word.removesuffix(filler))
    return word


def reading(names: dict[str, Split]) -> str | None:
    """Return one sentence on split folders whose names are not the usual ones; None without any."""
    unusual = {name: split for name, split in names.items() if folded(name) not in _PLAIN}
    if not unusual:
        return None
    return "splits: " + ", ".join(f"{n}/ is read as {s.value}" for n, s in unusual.items())
