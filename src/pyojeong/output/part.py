"""Files that grow frame by frame and take their name when they are finished."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pyojeong.core.errors import OutputError

_CURES = {
    errno.ENOSPC: "Free some space or choose a place on another disk.",
    errno.EDQUOT: "Your quota is used up: free some space or choose another place.",
    errno.EPIPE: "The program that was reading has ended.",
}


@contextmanager
def explained(target: object) -> Iterator[None]:
    """Turn the file system's errors into ``OutputError`` with a cure."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        cure = _CURES.get(error.errno or 0, "Choose a place that can be written to.")
        raise OutputError(f"cannot write {target}: {error.strerror or error}. {cure}") from error


class Part:
    """An unfinished file beside its target; frames are appended whole or not at all."""

    encoding = "utf-8"

    def __init__(self, target: Path) -> None:
        # A link is followed, so that its target is replaced and not the link.
        self.target = Path(os.path.realpath(target))
        with explained(target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            if self.target.exists() and not self.target.is_file():
                raise OutputError(f"cannot write {target}: it exists and is not an ordinary file")
            self.path = self.target.with_name(f"{self.target.name}.{secrets.token_hex(4)}.part")
            self._file = self.path.open("xb", buffering=0)
        self._whole = 0  # bytes up to the end of the last whole frame

    def append(self, text: str) -> None:
        """Add text, whole or not at all."""
        data = memoryview(text.encode("utf-8"))
        end = self._whole + len(data)
        try:
            with explained(self.target):
                while data:
                    data = data[self._file.write(data) :]
            self._whole = end
        except BaseException:
            self._file.truncate(self._whole)
            self._file.seek(self._whole)
            raise

    def finish(self) -> None:
        """Give the file its name."""
        self._file.close()
        with explained(self.target):
            self.path.replace(self.target)

    def discard(self) -> None:
        """Forget the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Stream:
    """An open text stream such as standard output; it is flushed but never closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def append(self, text: str) -> None:
        """Write text and flush it."""
        with explained(getattr(self._stream, "name", "<stream>")):
            self._stream.write(text)
            self._stream.flush()

    def finish(self) -> None:
        """Nothing is left to do: every frame was flushed."""

    def discard(self) -> None:
        """What went down a stream cannot be called back."""
