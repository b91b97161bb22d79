"""What was read of a clip so far: a file that only grows, so that a killed run goes on.

First a line that says which clip and which settings, then a line per segment with its frames and
the tracker's state behind it, and at the end a line that says how the clip ended. A line that was
cut short by a kill is dropped; lines have checksums, and other damage is an error. Everything that
is shown later is made from this file, which is why a run that was interrupted gives the same bytes
as one that was not.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from pyojeong.core.checksums import opened_line, sealed_line
from pyojeong.core.errors import DataError, OutputError, one_line
from pyojeong.core.face import FrameResult
from pyojeong.core.one_writer import lock_open
from pyojeong.stream.pipeline import Chunk

FORMAT = 2
_TAIL = 1 << 16


def fingerprint(path: Path) -> dict[str, Any]:
    """Return a clip's name, size and the SHA-256 of its bytes.

    The file is read whole, which takes seconds for each gigabyte: files of one name, size and time
    of change may be different clips.

    Raises:
        OSError: When it could not be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"name": path.name, "bytes": file.tell(), "sha256": digest}


def owner_of_checkpoint(path: Path) -> tuple[str, dict[str, Any]] | None:
    """Return path and fingerprint of the clip that a checkpoint file is about.

    Returns:
        None when there is no such file; ("", {}) when it does not say.
    """
    try:
        with path.open("rb") as file:
            head = json.loads(opened_line(file.readline().decode().rstrip("\n")))
        return str(head.get("path", "")), dict(head.get("clip", {}))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, TypeError):
        return "", {}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a clip ended.

    Attributes:
        frames: Frames that were decoded.
        error: Why decoding stopped early; "" = it did not.
        notes: Lines of the clip, those that are known at its end included.
    """

    frames: int
    error: str
    notes: tuple[str, ...] = ()


def _compared(head: bytes) -> Any:
    """Return what a first line says about clip and settings; None for one that is none."""
    try:
        known = json.loads(opened_line(head.decode().rstrip("\n")))
        known.pop("path", None)
    except (ValueError, AttributeError):
        return None
    return known


class FolderTaken(OutputError):  # noqa: N818
    """A folder has results of another clip, or another process writes into it now."""


class Checkpoint:
    """The file of one clip; opened for adding, or for reading what it holds.

    Args:
        path: The file.
        about: Clip and settings, plain JSON types. A file about something else is started again.
        clip: The clip's path, a note that is not compared: a clip that was moved goes on.

    Raises:
        FolderTaken: When the file is of another clip, or another process writes it.
        OutputError: When the file could not be read or written.
    """

    def __init__(self, path: Path, about: dict[str, Any], *, clip: str = "") -> None:
        self.path = path
        head = {"format": FORMAT, "path": clip, **about}
        self._head = json.dumps(head, sort_keys=True, ensure_ascii=True)
        self._about = {key: value for key, value in head.items() if key != "path"}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer, closing it writes nothing: it cannot fail on a full disk.
            self._file = path.open("a+b", buffering=0)
            self._claim(clip)
            self._mend()
        except FolderTaken:
            self._file.close()
            raise
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}. Choose another --out folder."
            ) from error

    def _claim(self, clip: str) -> None:
        folder = self.path.parent
        if not lock_open(self._file.fileno()):
            raise FolderTaken(f"{folder}: another process writes results into it; wait for its end")
        begun = owner_of_checkpoint(self.path)
        if begun is not None and clip and begun[0] not in {"", clip} and os.path.lexists(begun[0]):
            raise FolderTaken(f"{folder}: holds results of {begun[0]}; choose another --out folder")

    def _mend(self) -> None:
        """Keep whole lines of the same run; forget everything else."""
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n") or _compared(first) != self._about:
            self._file.truncate(0)
            self._append(self._head)
            return
        end = self._file.seek(0, os.SEEK_END)
        keep = end
        while keep > 0:
            start = max(keep - _TAIL, 0)
            self._file.seek(start)
            newline = self._file.read(keep - start).rfind(b"\n")
            if newline >= 0:
                keep = start + newline + 1
                break
            keep = start
        if keep < end:
            self._file.truncate(keep)
        self._file.seek(0, os.SEEK_END)

    def _append(self, text: str) -> None:
        try:
            left = memoryview(sealed_line(text).encode() + b"\n")
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}; what was read so far is "
                "kept: make room, then give the same command again"
            ) from error

    def add(self, chunk: Chunk) -> None:
        """Write one segment down."""
        frames = [result.to_dict() for result in chunk.results]
        line = {"key": chunk.key, "tracker": chunk.tracker, "frames": frames}
        self._append(json.dumps(line, ensure_ascii=True, separators=(",", ":")))

    def finish(self, ending: Ending) -> None:
        """Write down how the clip ended."""
        self._append(json.dumps({"end": asdict(ending)}))

    def last(self) -> tuple[int | None, dict[str, Any] | None, Ending | None]:
        """Key frame and tracker's state of the last segment, and the ending if there is one."""
        key: int | None = None
        tracker: dict[str, Any] | None = None
        for line in self._lines():
            if line.startswith('{"end"'):
                end = json.loads(line)["end"]
                notes = tuple(end.get("notes", ()))
                return key, tracker, Ending(end["frames"], end["error"], notes)
            last = line
            key = -1
        if key is not None:
            data = json.loads(last)
            key, tracker = data["key"], data["tracker"]
        return key, tracker, None

    def results(self) -> Iterator[FrameResult]:
        """Yield all frames so far, in order."""
        for line in self._lines():
            if line.startswith('{"end"'):
                return
            for frame in json.loads(line)["frames"]:
                yield FrameResult.from_dict(frame)

    def _lines(self) -> Iterator[str]:
        return _checked_lines(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def remove(self) -> None:
        """Close and delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)


def _checked_lines(path: Path) -> Iterator[str]:
    """Yield the lines behind the first one.

    Raises:
        DataError: When one is damaged.
    """
    with path.open("rb") as file:
        file.readline()
        for number, line in enumerate(file, start=2):
            try:
                yield opened_line(line.decode().rstrip("\n"))
            except ValueError as error:
                raise DataError(
                    f"{path}: line {number} is damaged ({one_line(error)}): remove the "
                    "file and give the same command again to read the clip from its beginning"
                ) from error


def verify_checkpoint(path: Path) -> int:
    """Return how many whole lines a checkpoint file has behind its first.

    Raises:
        DataError: When one is damaged.
        OSError: When it could not be read.
    """
    with path.open("rb") as file:
        head, end = file.readline(), file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        torn = file.read(1) != b"\n"
    if _compared(head) is None and not (torn and end == len(head)):
        raise DataError(f"{path}: its first line is damaged: remove the file")
    found = 0
    lines = _checked_lines(path)
    try:
        for _ in lines:
            found += 1
    except DataError:
        if not torn or next(_after(path, found + 2), None) is not None:
            raise  # else the last line was cut short by a kill, and is dropped
    return found


def _after(path: Path, number: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from itertools.islice(file, number, None)
