"""Files that take their name only when they are whole: a temporary file, then a rename.

Every file that the project writes goes through this module. A temporary file lies beside its
target and is called ``.<name>.<host>-<process>-<random>.part``, so that the next run knows those of
processes that were killed.
"""

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TextIO

from pyojeong.core.errors import OutputError
from pyojeong.core.output_names import shortened

_CURES = {
    errno.ENOSPC: "Free some space or choose a place on another disk.",
    errno.EDQUOT: "Your quota is used up: free some space or choose another place.",
    errno.EPIPE: "The program that was reading has ended.",
}


@contextmanager
def output_errors(target: object) -> Iterator[None]:
    """Turn the file system's errors into ``OutputError`` that names the target and a cure."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        cure = _CURES.get(error.errno or 0, "Choose another --out folder.")
        raise OutputError(f"cannot write {target}: {error.strerror or error}. {cure}") from error


_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
_TEMPORARY = re.compile(r"\..*\.([0-9a-f]{6})-(\d+)-[0-9a-f]{8}\.part", re.DOTALL)


def _temporary(target: Path) -> Path:
    unique = f"{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    return target.with_name(f".{shortened(target.name)}.{unique}.part")


def remove_stale(folder: Path, *, name: str | None = None) -> None:
    """Remove temporary files and folders of processes of this machine that were killed.

    Args:
        folder: Where they lie; folders in it are not searched.
        name: Only those of the file of this name; None = of all.
    """
    prefix = None if name is None else f".{shortened(name)}."
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            parts = _TEMPORARY.fullmatch(entry.name)
            if parts is None or not entry.name.startswith(prefix or "."):
                continue
            if parts[1] == _HOST and not _alive(int(parts[2])):
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        Path(entry.path).unlink()


def is_stale(file: Path) -> bool:
    """Return whether a file is a temporary one of a process of this machine that was killed."""
    parts = _TEMPORARY.fullmatch(file.name)
    return parts is not None and parts[1] == _HOST and not _alive(int(parts[2]))


def _alive(process: int) -> bool:
    if os.name == "nt":  # there, a signal of 0 would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    try:  # one that was killed and not yet taken note of by its parent
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return state.rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (OSError, IndexError):
        return True


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file that takes the name ``path`` when the block ends.

    For libraries that want a path; ``atomic_write`` gives an open file. After an exception the
    temporary file is removed and ``path`` is what it was. A symbolic link is followed.

    Raises:
        OutputError: When the folder could not be written to or the disk is full.
    """
    target = Path(os.path.realpath(path))
    temporary = _temporary(target)
    try:
        with output_errors(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists() and not target.is_file():
                raise OutputError(f"cannot write {path}: it exists and is not an ordinary file")
            yield temporary
            _open_to_others(temporary)
            _to_disk(temporary)
            temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _open_to_others(file: Path) -> None:
    """Give a file the mode of new files.

    Some libraries (safetensors) write through a private file of their own, mode 0600. The umask
    itself could only be read by changing it, for all threads; a new file shows it.
    """
    if os.name != "posix" or file.stat().st_mode & 0o777 != 0o600:
        return
    probe = _temporary(file)
    try:
        with probe.open("xb"):
            mode = probe.stat().st_mode & 0o777
    finally:
        probe.unlink(missing_ok=True)
    if mode != 0o600:
        file.chmod(mode)


def _to_disk(file: Path) -> None:
    """Put a finished file on disk before it takes its name: a full disk is noticed here."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``target``; whoever made files there gives them their names.

    What is left in it is removed.

    Raises:
        OutputError: When the folder could not be written to or the disk is full.
    """
    folder = _temporary(target)
    with output_errors(target):
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_write(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Yield an open temporary file that takes the name ``path`` when the block ends.

    Args:
        path: The target; its folder is made.
        mode: ``"wb"``, or ``"w"`` for text in UTF-8 without translation of line ends.

    Raises:
        OutputError: When the folder could not be written to or the disk is full.
    """
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    with atomic_path(path) as temporary, temporary.open(mode.replace("w", "x"), **text) as file:
        yield file


class GrowingFile:
    """A text file to which text is appended, whole or not at all.

    Args:
        target: The file.
        in_place: It has its name from the beginning, so that a killed process leaves what it wrote;
            else it is an unfinished file beside its target. It must not exist.
    """

    encoding = "utf-8"

    def __init__(self, target: Path, *, in_place: bool = False) -> None:
        # A link is followed, so that its target is replaced and not the link.
        self.target = Path(os.path.realpath(target))
        with output_errors(target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            if self.target.exists() and not self.target.is_file():
                raise OutputError(f"cannot write {target}: it exists and is not an ordinary file")
            self.path = self.target if in_place else _temporary(self.target)
            self._file = self.path.open("xb", buffering=0)
        self._whole = 0  # bytes up to the end of the last whole text

    def append(self, text: str) -> None:
        """Add text, whole or not at all."""
        data = memoryview(text.encode("utf-8"))
        end = self._whole + len(data)
        try:
            with output_errors(self.target):
                while data:
                    data = data[self._file.write(data) :]
            self._whole = end
        except BaseException:
            self._file.truncate(self._whole)
            self._file.seek(self._whole)
            raise

    def finish(self) -> None:
        """Give the file its name."""
        with output_errors(self.target):
            if not self._file.closed:
                os.fsync(self._file.fileno())
                self._file.close()
            self.path.replace(self.target)

    def discard(self) -> None:
        """Remove the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class TextStream:
    """An open text stream such as standard output; it is flushed but never closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def append(self, text: str) -> None:
        """Write text and flush it."""
        with output_errors(getattr(self._stream, "name", "<stream>")):
            self._stream.write(text)
            self._stream.flush()

    def finish(self) -> None:
        """Do nothing: every text was flushed."""

    def discard(self) -> None:
        """Do nothing: text that was written to a stream stays there."""
