"""The search for files in folders: what every command finds, and what it leaves out and why.

Below a folder that is named, these are left out and counted: hidden files and folders, folders and
files of operating systems (trash, thumbnails, metadata), the folder of results, results of this
package, and files of other kinds. Files without a known ending are recognised by their first bytes.
Links to folders are followed; every folder is searched once, so that links in a circle end. What a
user names is taken, whatever it is called. Errors of the file system never end a search.
"""

import os
import re
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pyojeong.core.file_kinds import HEAD_BYTES, FileKind

HIDDEN = "hidden"
SYSTEM = "of the operating system"
OWN = "results of pyojeong"
OUT = "in the folder of results"
SPECIAL = "pipes, sockets and devices"
LOOP = "links to folders that are searched anyway"
NOWHERE = "links that lead nowhere"
REPEATED = "given more than once"

_SYSTEM_FOLDERS = frozenset(
    {"__macosx", "@eadir", "@recycle", "@recently-snapshot", "@__thumb", "@tmp", "#recycle"}
    | {"#snapshot", "$recycle.bin", "recycler", "recycled", "system volume information"}
    | {"lost+found", "lost.dir", "__pycache__"}
)
_SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_OWN_TABLES = {
    "results.jsonl": b'"schema"',
    "results.csv": b"source,index",
    "results.parquet": b"model_ids",
    "inputs.json": b'"left_out"',
}
"""Tables of a run -> what every one of them holds at its beginning or its end."""
_OWN_FILES = re.compile(
    r".+\.annotated\.(jpe?g|png)|annotated(\.incomplete)?\.mp4", re.IGNORECASE | re.DOTALL
)
CURE = "give yourself the right to read it, or leave it out"
_MARK_BYTES = 1 << 16
_BLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that was given and could not be searched or read.

    Attributes:
        path: Its path.
        message: One line that names it, what is wrong and the cure.
    """

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was left out on purpose.

    Attributes:
        path: A file, or a folder with all that is in it.
        reason: Why.
        files: Number of files.
    """

    path: str
    reason: str
    files: int = 1


@dataclass(slots=True)
class Found:
    """What a search found.

    Attributes:
        items: Files to read, and what could not be searched, in order.
        left_out: What was left out.
    """

    items: list[str | Failure] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """The files to read."""
        return [item for item in self.items if isinstance(item, str)]

    @property
    def failures(self) -> list[Failure]:
        """What could not be searched or read."""
        return [item for item in self.items if isinstance(item, Failure)]

    def reasons(self) -> Counter[str]:
        """Return why files were left out -> their number."""
        counts: Counter[str] = Counter()
        for each in self.left_out:
            counts[each.reason] += each.files
        return counts


def search_folder(
    root: str | os.PathLike[str],
    kind: FileKind | None,
    *,
    out: str | os.PathLike[str] | None = None,
    deep: bool = True,
) -> Found:
    """Search a folder for files of a kind.

    Args:
        root: The folder; its own name and those of the folders above it do not matter.
        kind: What is searched for; None = every ordinary file.
        out: A folder of results, which is left out when it lies below ``root``.
        deep: Also search the folders in it.

    Returns:
        Paths that begin with ``root``, sorted by the names of folders and files.
    """
    return _Search(os.fspath(Path(root)), kind, out, deep=deep).run()


def is_file(path: str | os.PathLike[str]) -> bool:
    """Return whether there is an ordinary file; False for names that the system refuses."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - Path raises for long names
    except (OSError, ValueError):
        return False


def reason_by_name(name: str, *, folder: bool) -> str | None:
    """Return why a file or folder of this name is left out below a searched folder, or None."""
    lowered = name.lower()
    if name.startswith("."):
        return HIDDEN
    if folder:
        return SYSTEM if lowered in _SYSTEM_FOLDERS else None
    if lowered in _SYSTEM_FILES or lowered.startswith("~$"):
        return SYSTEM
    return OWN if _OWN_FILES.fullmatch(name) else None


def reason_by_kind(path: str, kind: FileKind) -> str | None:
    """Return why a file is not taken for one of a kind, or None when it is one.

    Raises:
        OSError: When its content decides, and it could not be opened.
    """
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - names need not be valid Unicode
    if suffix in kind.refused:
        return kind.refused[suffix]
    if suffix in kind.suffixes and suffix not in kind.by_content:
        return None
    # A pipe that took the file's place must not block.
    number = os.open(path, os.O_RDONLY | _BLOCKING)
    with os.fdopen(number, "rb") as file:
        head = file.read(HEAD_BYTES)
    return None if kind.matches(head) else f"not {kind.noun}s"


def _is_own_table(path: str) -> bool:
    """Return whether a table of results is one of this package."""
    mark = _OWN_TABLES[os.path.basename(path)]  # noqa: PTH119 - names need not be valid Unicode
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            head = file.read(_MARK_BYTES)
            file.seek(max(file.seek(0, os.SEEK_END) - _MARK_BYTES, 0))
            return mark in head or mark in file.read(_MARK_BYTES)
    except OSError:
        return False


def closed(path: str, what: str, error: OSError) -> Failure:
    """Return the failure of a file or folder that the system does not open."""
    return Failure(path, f"{path}: {what}: {error.strerror or error}; {CURE}")


def dead_link(path: str, kind: FileKind | None) -> Failure | LeftOut:
    """Return what a link that leads nowhere is: called as a file of the kind, a failure."""
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - as above
    if kind is not None and suffix in kind.suffixes:
        message = f"{path}: is a link to a file that is not there; correct or remove it"
        return Failure(path, message)
    return LeftOut(path, NOWHERE)


def path_order(path: str) -> list[str]:
    """Return the key that sorts paths by the names of folders and files."""
    return path.split(os.sep)  # noqa: PTH206 - not normalised


def count_files(folder: str) -> int:
    """Return the number of files below a folder that is left out; 1 when it is closed."""
    return sum(1 for _ in _files_below(folder))


def _files_below(folder: str) -> Iterator[str]:
    """Yield the files below a folder, and the folders in it that are closed."""
    waiting = [folder]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(inside) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry.path
        except OSError:
            yield inside


def real_path(path: str) -> str:
    """Return the path without links; names that the system refuses stay as they are."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path


def own_path(path: str, folders: dict[str, str] | None = None) -> str:
    """Return where a file, folder or link itself lies: one text for all names of it.

    Args:
        path: Of a file, folder or link.
        folders: Keeps the real path of each folder over the calls of one search.
    """
    folder, name = os.path.split(path.rstrip(os.sep))
    folders = {} if folders is None else folders
    if folder not in folders:
        folders[folder] = real_path(folder or ".")
    return os.path.join(folders[folder], name)  # noqa: PTH118 - as above


def each_once(left_out: Iterable[LeftOut], taken: Iterable[str]) -> list[LeftOut]:
    """Return what was left out, every file once and none that another input names.

    Args:
        left_out: Of several searches, which may lie in each other.
        taken: ``own_path`` of all that was read or has failed.
    """
    known = set(taken)
    out = []
    for each in left_out:
        own = own_path(each.path)
        whole = each.reason != LOOP and os.path.isdir(own) and not os.path.islink(own)  # noqa: PTH112, PTH114
        files = set(_files_below(own) if whole else [own]) - known
        known |= files
        if files:
            out.append(LeftOut(each.path, each.reason, len(files)))
    return out


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return device and number of a file or folder; None when it is not there."""
    try:
        known = os.stat(path)  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return None
    return known.st_dev, known.st_ino


class _Search:
    """One search; folders that links lead to come after all others, so that real paths win."""

    def __init__(
        self,
        root: str,
        kind: FileKind | None,
        out: str | os.PathLike[str] | None,
        *,
        deep: bool,
    ) -> None:
        self.root = root
        self.kind = kind
        self.deep = deep
        self.found = Found()
        self.out = None if out is None else os.path.realpath(out)
        self.out_id = None if out is None else identity(out)
        self.above = {identity(p) for p in Path(os.path.realpath(root)).parents}
        self.seen: set[tuple[int, int] | None] = set()
        self.folders: list[str] = [root]
        self.links: deque[str] = deque()

    def run(self) -> Found:
        if identity(self.root) == self.out_id:
            self.out_id = self.out = None
        while self.folders or self.links:
            if self.folders:
                self.visit(self.folders.pop())
            else:
                self.follow(self.links.popleft())
        self.found.items.sort(key=lambda i: path_order(i if isinstance(i, str) else i.path))
        self.found.left_out.sort(key=lambda each: path_order(each.path))
        return self.found

    def leave_out(self, path: str, reason: str, files: int = 1) -> None:
        if files:
            self.found.left_out.append(LeftOut(path, reason, files))

    def fail(self, path: str, what: str, error: OSError) -> None:
        self.found.items.append(closed(path, what, error))

    def visit(self, folder: str) -> None:
        """Sort the entries of a folder into files, further folders, links and what is left out."""
        known = identity(folder)
        if known is not None:
            if known in self.seen:
                self.leave_out(folder, LOOP)
                return
            self.seen.add(known)
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.fail(folder, "this folder could not be searched", error)
            return
        tables = [entry.path for entry in listed if entry.name in _OWN_TABLES]
        for entry in listed:
            path = entry.name if folder == "." else os.path.join(folder, entry.name)  # noqa: PTH118
            try:
                self.sort(entry, path, lambda: any(map(_is_own_table, tables)))
            except OSError as error:
                self.fail(path, "could not be read", error)

    def sort(self, entry: os.DirEntry[str], path: str, own: Callable[[], bool]) -> None:
        linked = entry.is_symlink()
        folder = self.is_folder(entry)
        reason = reason_by_name(entry.name, folder=folder)
        if folder and entry.name == "annotated" and own():
            reason = OWN  # beside the tables of the same run
        if folder and not linked and self.out_id is not None and identity(path) == self.out_id:
            reason = OUT
        if reason is not None:
            self.leave_out(path, reason, count_files(path) if folder and not linked else 1)
        elif folder:
            if self.deep:
                (self.links if linked else self.folders).append(path)
        elif linked and identity(path) is None:
            self.dead_link(path)
        elif not entry.is_file():
            self.leave_out(path, SPECIAL)
        elif (reason := None if self.kind is None else reason_by_kind(path, self.kind)) is not None:
            self.leave_out(path, reason)
        else:
            self.found.items.append(path)

    def is_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError:  # a link to itself, or into a closed folder
            return False

    def dead_link(self, path: str) -> None:
        judged = dead_link(path, self.kind)
        if isinstance(judged, Failure):
            self.found.items.append(judged)
        else:
            self.found.left_out.append(judged)

    def follow(self, path: str) -> None:
        """Search the folder that a link leads to, unless it is or holds what is searched."""
        known, target = identity(path), os.path.realpath(path)
        if self.out is not None and Path(target).is_relative_to(self.out):
            self.leave_out(path, OUT)
        elif known in self.above or known in self.seen:
            self.leave_out(path, LOOP)
        else:
            self.folders.append(path)
