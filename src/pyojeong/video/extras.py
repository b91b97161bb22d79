"""What may fail beside the results: each extra alone, with a line, and never the measurement."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyojeong.core.errors import one_line


class Extras:
    """Collects which files beside the results could not be written, and other remarks.

    Args:
        folder: Of the clip's results.

    Attributes:
        failed: Name of a file -> why it is not there.
        notes: Lines about files that lack something, such as sound.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.failed: dict[str, str] = {}
        self.notes: list[str] = []

    def add(self, name: str, error: BaseException) -> None:
        """Record that a file could not be written; an older one of that name is removed."""
        self.failed.setdefault(name, one_line(error))
        (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def attempt(self, *names: str) -> Iterator[None]:
        """Record whatever error is raised in the block, for these files."""
        try:
            yield
        except Exception as error:
            for name in names:
                self.add(name, error)
