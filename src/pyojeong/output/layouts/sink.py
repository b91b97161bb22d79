"""A file in the layout of another tool, written frame by frame."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyojeong.core.atomic_write import GrowingFile
from pyojeong.core.errors import OutputError
from pyojeong.core.face import FrameResult
from pyojeong.output.tables import FileSink


class LayoutSink(FileSink):
    """What all layouts share.

    Args:
        target: The file; one that exists is replaced.
        head: Text before the rows.

    Raises:
        OutputError: When the place could not be written to.
    """

    def __init__(self, target: Path, head: str) -> None:
        self._closed = False
        self._out = GrowingFile(target)
        try:
            self._out.append(head)
        except BaseException:
            self._out.discard()
            raise

    def write(self, result: FrameResult, /) -> None:
        """Append one frame.

        Raises:
            OutputError: When the disk is full or the sink is closed.
        """
        if self._closed:
            raise OutputError("cannot write: the file is already closed")
        self._out.append(self._text(result))

    def close(self) -> None:
        """Finish the file and give it its name; closing twice does nothing."""
        if not self._closed:
            self._closed = True
            self._out.finish()

    @abstractmethod
    def _text(self, result: FrameResult) -> str:
        """Return what one frame adds to the file."""


class Cells:
    """Rows with a fixed number of cells, most of which stay empty.

    Args:
        columns: Their names.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._places = {name: at for at, name in enumerate(columns)}

    def line(self, values: Mapping[str, str]) -> str:
        """Return a row; columns that are not named are empty."""
        cells = [""] * len(self._places)
        for name, value in values.items():
            cells[self._places[name]] = value
        return ",".join(cells) + "\n"
