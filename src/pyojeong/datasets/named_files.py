"""Names of files that a data set's tables and lists state: they stay in the data set's folder.

Tables come from elsewhere; a row ``../../private/x.png`` would copy a file of this machine into the
data set. Such rows are left out and counted. Links inside the folder are followed: whoever made
them could read their targets.
"""

import os
from collections import Counter
from pathlib import Path

from pyojeong.datasets.label_map import some


def leads_out(folder: Path, named: str | os.PathLike[str]) -> bool:
    """Return whether a name, relative to a folder or absolute, names nothing below the folder.

    Tables may come from Windows: a name leads out when it does so with its backslashes taken as
    they are, or as separators.
    """
    name = os.fspath(named)
    if "\0" in name:
        return True
    base = os.path.abspath(folder)  # noqa: PTH100 - links stay what they are
    for spelled in {name, name.replace("\\", "/")}:
        target = os.path.abspath(os.path.join(base, spelled))  # noqa: PTH100, PTH118
        if not target.startswith(base.rstrip(os.sep) + os.sep):
            return True
    return False


class Outside:
    """Collects rows whose file lies outside of a data set's folder.

    Args:
        folder: The data set's folder.
        counts: Where they are counted by ``note``; None = nowhere.
    """

    def __init__(self, folder: Path, counts: Counter[str] | None) -> None:
        self._folder, self._counts = folder, counts
        self._names: list[str] = []

    def __contains__(self, named: str | os.PathLike[str]) -> bool:
        """Return whether a name leads out of the folder, and remember it."""
        out = leads_out(self._folder, named)
        if out:
            self._names.append(os.fspath(named))
        return out

    def note(self) -> None:
        """Count what was found, with the first names."""
        if self._names and self._counts is not None:
            self._counts[f"path leads out of the folder ({some(self._names)})"] += len(self._names)
