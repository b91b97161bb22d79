"""Files that tables name, found also where another system spells their names in another way.

Windows writes backslashes; archives of macOS hold names in NFD, tables that people type hold NFC.
A file with exactly the name that a row states always wins.
"""

import os
from collections import defaultdict
from pathlib import Path

from pyojeong.core.file_search import is_file
from pyojeong.datasets.layout import pictures_in
from pyojeong.datasets.own_pictures import nfc


class SpelledNames:
    """Finds the files of a folder by the names that a table states.

    Args:
        folder: Where the names begin.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, named: str) -> Path:
        """Return the file of a name; where there is none, the path that the name states.

        Args:
            named: Relative to the folder, or absolute; it must not lead out of the folder.
        """
        for spelled in dict.fromkeys((named, named.replace("\\", "/"))):
            file = Path(os.path.normpath(self._folder / spelled))
            if is_file(file):
                return file
        inside = os.path.relpath(file, self._folder).replace(os.sep, "/")
        fitting = self._names().get(nfc(inside), [])
        return fitting[0] if len(fitting) == 1 else file

    def _names(self) -> dict[str, list[Path]]:
        """Return the images below the folder by their names in NFC."""
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for file in pictures_in(self._folder, deep=True):
                self._by_name[nfc(file.relative_to(self._folder).as_posix())].append(file)
        return self._by_name
