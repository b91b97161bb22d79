"""The search for what a glob pattern matches; what it could not enter is counted as in folders.

Names match as in a shell: ``*`` does not match hidden names, ``**`` stands for any number of
folders. Folders that ``**`` stands for are searched once, so that links in a circle end; closed
ones are failures.
"""

import fnmatch
import glob
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pyojeong.core.file_search import (
    LOOP,
    NOWHERE,
    Failure,
    LeftOut,
    closed,
    identity,
    path_order,
)


def fixed_part(pattern: str) -> str:
    """Return the folders of a pattern before its first wildcard."""
    parts = Path(pattern).parts
    fixed = next((at for at, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return str(Path(*parts[:fixed])) if fixed else ""


class PatternSearch:
    """The paths that a pattern matches.

    Args:
        pattern: The pattern, with at least one wildcard.

    Attributes:
        matches: Files, folders and links, each once, sorted by the names of folders and files.
        failures: Folders that could not be searched.
        left_out: Links that were not followed.
    """

    def __init__(self, pattern: str) -> None:
        self.failures: list[Failure] = []
        self.left_out: list[LeftOut] = []
        base = fixed_part(pattern)
        parts = Path(pattern).parts[len(Path(base).parts) if base else 0 :]
        only_folders = pattern.endswith(("/", os.sep))
        found = dict.fromkeys(self._expand(base, parts))
        kept = [path for path in found if not only_folders or os.path.isdir(path)]  # noqa: PTH112
        self.matches = sorted(kept, key=path_order)

    def _expand(self, folder: str, parts: tuple[str, ...]) -> Iterator[str]:
        """Yield what the parts of a pattern match below a folder; "" is the current one."""
        part, rest = parts[0], parts[1:]
        if part == "**":
            if not rest:
                yield folder or "."  # which is searched deeply
                return
            for inner in self._folders(folder):
                yield from self._expand(inner, rest)
        elif not glob.has_magic(part):
            path = os.path.join(folder, part)  # noqa: PTH118 - names need not be valid Unicode
            mode = self._mode(path, links=not rest)
            if not rest and mode is not None:
                yield path
            elif rest and mode is not None and stat.S_ISDIR(mode):
                yield from self._expand(path, rest)
        else:
            for path, may_hold_more in self._matching(folder, part):
                if not rest:
                    yield path
                elif may_hold_more():
                    yield from self._expand(path, rest)

    def _matching(self, folder: str, part: str) -> Iterator[tuple[str, Callable[[], bool]]]:
        """Yield the entries of a folder whose names match, and whether each is a folder."""
        for entry in self._entries(folder):
            hidden = entry.name.startswith(".") and not part.startswith(".")
            if not hidden and fnmatch.fnmatch(entry.name, part):
                path = os.path.join(folder, entry.name)  # noqa: PTH118
                yield path, partial(self._leads_to_folder, entry, path)

    def _folders(self, root: str) -> Iterator[str]:
        """Yield a folder and all folders in it; those that links lead to come last."""
        known = {identity(parent) for parent in Path(os.path.realpath(root)).parents}
        folders, links = [root], deque[str]()
        while folders or links:
            linked = not folders
            folder = links.popleft() if linked else folders.pop()
            if identity(folder or ".") in known:
                self.left_out.append(LeftOut(folder, LOOP))
                continue
            known.add(identity(folder or "."))
            yield folder
            for entry in reversed(self._entries(folder)):
                path = os.path.join(folder, entry.name)  # noqa: PTH118
                if not entry.name.startswith(".") and self._leads_to_folder(entry, path):
                    (links if entry.is_symlink() else folders).append(path)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """Return what a folder holds; nothing, and one failure, for a closed one."""
        try:
            with os.scandir(folder or ".") as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            failure = closed(folder, "this folder could not be searched", error)
            if failure not in self.failures:
                self.failures.append(failure)
            return []

    def _mode(self, path: str, *, links: bool) -> int | None:
        """Return what a path is; None when it is not there.

        In a closed folder nothing is known of it: that is one failure.
        """
        try:
            return (os.lstat(path) if links else os.stat(path)).st_mode  # noqa: PTH116
        except PermissionError as error:
            folder = os.path.dirname(path) or "."  # noqa: PTH120
            failure = closed(folder, "this folder could not be searched", error)
            if failure not in self.failures:
                self.failures.append(failure)
        except (OSError, ValueError):
            pass
        return None

    def _leads_to_folder(self, entry: os.DirEntry[str], path: str) -> bool:
        """Return whether an entry is a folder; a link that leads nowhere is left out."""
        try:
            if entry.is_dir():
                return True
        except OSError:  # a link to itself
            pass
        if entry.is_symlink() and identity(path) is None:
            left = LeftOut(path, NOWHERE)
            if left not in self.left_out:
                self.left_out.append(left)
        return False
