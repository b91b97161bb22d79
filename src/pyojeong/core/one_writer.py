"""One writer per output: locks that end with the process that holds them, however it ends.

A lock is a small file beside the output (or inside it, for folders) that its process holds locked
and removes at the end. A file that a killed process left behind is not locked any more: the next
run removes it, with the temporary files of that output. On file systems without locks (some network
drives) nothing is refused.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from pyojeong.core.atomic_write import output_errors, remove_stale
from pyojeong.core.errors import OutputBusy
from pyojeong.core.output_names import shortened

LOCK = ".pyojeong.lock"
"""Lock of a folder of results."""
_CLAIM = ".pyojeong-claim"
_PATIENCE_S = 10.0
_PAUSE_S = 0.02


class FileLock:
    """A lock file that this process holds; ``try_lock`` makes it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def write(self, text: str) -> None:
        """Write a text for processes that meet the lock."""
        with suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)

    def release(self) -> None:
        """Remove the file and the lock."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        with suppress(OSError):  # Windows removes no open file
            if os.name == "nt":
                self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def try_lock(path: Path) -> FileLock | None:
    """Lock a file, which is made, for this process; None when another one holds it.

    Raises:
        OSError: When the file could not be made.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        if not lock_open(descriptor):
            os.close(descriptor)
            return None
        try:
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return FileLock(path, descriptor)
        except FileNotFoundError:
            pass
        os.close(descriptor)  # the holder of before removed it meanwhile: it is another file now


def lock_open(descriptor: int) -> bool:
    """Lock an open file; False when another process has it, True where there are no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def one_writer(output: Path, *, folder: bool = False) -> Iterator[None]:
    """Hold an output for this process; stale temporary files of it are removed.

    Args:
        output: The file or folder that will be written.
        folder: It is a folder; it is made, and removed again when nothing was written into it.

    Raises:
        OutputBusy: When another process writes it.
        OutputError: When the place could not be written to.
    """
    target = Path(os.path.realpath(output))
    with output_errors(output):
        fresh = _make(target if folder else target.parent)
        lock = target / LOCK if folder else target.with_name(f".{shortened(target.name)}.lock")
        held = _held(try_lock(lock), lock, output)
    try:
        if folder:
            remove_stale(target)
        else:
            remove_stale(target.parent, name=target.name)
        yield
    finally:
        held.release()
        _remove_empty(fresh)


@contextmanager
def claimed(folder: Path, items: Iterable[str]) -> Iterator[None]:
    """Hold some items of a folder of results, such as clips, for this process.

    Processes with other items may write into the folder at the same time.

    Args:
        folder: The folder of results; made, and removed again when nothing was written into it.
        items: What this process writes results of.

    Raises:
        OutputBusy: When another process holds one of them.
        OutputError: When the folder could not be written to.
    """
    mine = set(items)
    with output_errors(folder):
        fresh = _make(folder)
    try:
        with waiting_lock(folder), output_errors(folder):
            remove_stale(folder)
            for path in sorted(folder.glob(f"{_CLAIM}-*")):
                _refuse_common(path, mine, folder)
            held = try_lock(folder / f"{_CLAIM}-{os.getpid()}-{time.monotonic_ns():x}")
            assert held is not None  # noqa: S101 - nobody else makes this name
            held.write(json.dumps({"pid": os.getpid(), "items": sorted(mine)}))
        try:
            yield
        finally:
            held.release()
    finally:
        _remove_empty(fresh)


def _refuse_common(path: Path, mine: set[str], folder: Path) -> None:
    """Refuse items that the claim of a living process names; remove that of a dead one."""
    dead = try_lock(path)
    if dead is not None:
        dead.release()
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        common = sorted(mine.intersection(known["items"]))
    except (OSError, ValueError, KeyError, TypeError):
        return
    if common:
        more = f" and {len(common) - 1:,} more" if len(common) > 1 else ""
        raise OutputBusy(
            f"{folder}: another process (number {known.get('pid')}) is writing results of "
            f"{common[0]}{more} into it; wait for its end, or choose another output"
        )


@contextmanager
def waiting_lock(folder: Path) -> Iterator[None]:
    """Hold a folder's lock for a moment; other processes are waited for.

    Raises:
        OutputBusy: When another process has held it for ten seconds.
        OutputError: When the folder could not be written to.
    """
    until = time.monotonic() + _PATIENCE_S
    with output_errors(folder):
        held = try_lock(folder / LOCK)
        while held is None and time.monotonic() < until:
            time.sleep(_PAUSE_S)
            held = try_lock(folder / LOCK)
    held = _held(held, folder / LOCK, folder)
    try:
        yield
    finally:
        held.release()


def _held(lock: FileLock | None, path: Path, output: Path) -> FileLock:
    """Return a lock with the number of this process in it.

    Raises:
        OutputBusy: When another process has it.
    """
    if lock is None:
        raise OutputBusy(
            f"{output}: another process{_holder(path)} is writing it; wait for its end, or choose "
            "another output"
        )
    lock.write(json.dumps({"pid": os.getpid()}))
    return lock


def _holder(lock: Path) -> str:
    try:
        return f" (number {int(json.loads(lock.read_text(encoding='utf-8'))['pid'])})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _make(folder: Path) -> list[Path]:
    """Make a folder; returns those that were made, the innermost first."""
    missing = [folder, *folder.parents]
    missing = [path for path in missing if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
