"""Many image files: read in parallel, answered in order, one bad file never stops them."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from threading import Condition, Semaphore
from typing import Protocol

from pyojeong.core.addresses import is_address
from pyojeong.core.errors import ImageUnreadable, InputError, one_line, without_frames
from pyojeong.core.face import FrameResult, Image
from pyojeong.core.file_search import Found
from pyojeong.core.memory import release_free_memory
from pyojeong.image.files import is_out_of_memory, no_memory, pixels_stated, read_image
from pyojeong.image.remote import read_remote


class FrameAnalyzer(Protocol):
    """What reads decoded frames: ``Analyzer``."""

    def analyze_frames(self, frames: Sequence[tuple[Image, str, int, float]]) -> list[FrameResult]:
        """Read (image, source, index, time in seconds) of each."""


ROOM_PIXELS = 12_500_000
"""Pixels of the images that are in work at once, for each CPU of the machine."""
_SMALL_FILE = 200_000
_LARGE = 4_000_000  # pixels

Extra = Callable[[Image, FrameResult], None]
"""Something to do with every image beside reading it, for example drawing on it."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one input.

    Attributes:
        path: The input as it was named or found.
        result: What was read, or None.
        error: Why nothing was read, or None.
        notes: Lines about what is doubtful in an image that was read; see ``read_image``.
        extra_error: What went wrong in the extra, in one line; "" = nothing.
    """

    path: str
    result: FrameResult | None = None
    error: InputError | None = None
    notes: tuple[str, ...] = ()
    extra_error: str = ""

    @property
    def row(self) -> FrameResult:
        """What is written to tables: the result, or one without faces that says the error."""
        return self.result or FrameResult(self.path, 0, 0.0, (0, 0), error=str(self.error))


def file_results(found: Found) -> list[str | FileResult]:
    """Return what a search for images found, as ``analyze_files`` takes it."""
    return [
        item
        if isinstance(item, str)
        else FileResult(item.path, error=ImageUnreadable(item.message))
        for item in found.items
    ]


class _Room:
    """Limits the images in work at once by their pixels, so that many large ones fit in memory."""

    def __init__(self, pixels: int) -> None:
        self._free = self._whole = pixels
        self._changed = Condition()

    @contextmanager
    def hold(self, path: str) -> Iterator[int]:
        """Wait until there is room for an image; one that is larger than all of it comes alone.

        Yields:
            Its pixels, 0 for a small file.
        """
        pixels = min(_pixels_of(path), self._whole)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield pixels
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


def _pixels_of(path: str) -> int:
    try:
        if os.stat(path).st_size < _SMALL_FILE:  # noqa: PTH116 - names need not be valid Unicode
            return 0
    except (OSError, ValueError):
        return 0
    return pixels_stated(path)


def _read(
    analyzer: FrameAnalyzer,
    item: str,
    extra: Extra | None,
    turn: AbstractContextManager[object] | None = None,
    *,
    remote: bool = False,
) -> FileResult:
    notes: list[str] = []
    read = read_remote if remote and is_address(item) else read_image
    try:
        with turn or nullcontext():
            image = read(item, notes=notes)
            if image.size > 3 * _LARGE:
                release_free_memory()
        result = analyzer.analyze_frames([(image, item, 0, 0.0)])[0]
    except InputError as error:
        without_frames(error)
        return FileResult(item, error=error)
    except Exception as error:
        if is_out_of_memory(error):
            return FileResult(item, error=no_memory(item))
        raise
    failed = ""
    if extra is not None:
        try:
            extra(image, result)
        except Exception as error:  # whatever it is, the measurement goes on
            failed = one_line(error)
    return FileResult(item, result, notes=tuple(notes), extra_error=failed)


def analyze_files(
    analyzer: FrameAnalyzer,
    inputs: Iterable[str | FileResult],
    *,
    jobs: int = 1,
    extra: Extra | None = None,
    remote: bool = False,
) -> Iterator[FileResult]:
    """Read files with several threads; outcomes come in the order of the inputs.

    Args:
        analyzer: Shared by all threads.
        inputs: Paths, and inputs that failed already: from ``file_results``.
        jobs: Images in work at once; fewer where they have more than 12.5 megapixels for each CPU.
        extra: Called in the worker thread for every image that was read. An error in it is part
            of the outcome, and the result is kept.
        remote: Read addresses through fsspec; without it they are errors.
    """
    cpus = max(os.cpu_count() or 1, 1)
    room = _Room(ROOM_PIXELS * cpus)
    decoding = Semaphore(max(cpus // 2, 1))  # takes more than twice the memory of the image

    def work(item: str | FileResult) -> FileResult:
        if isinstance(item, FileResult):
            return item
        with room.hold(item) if jobs > 1 else nullcontext(0) as pixels:
            if pixels <= _LARGE:
                return _read(analyzer, item, extra, remote=remote)
            outcome = _read(analyzer, item, extra, turn=decoding, remote=remote)
            release_free_memory()
            return outcome

    if jobs <= 1:
        yield from map(work, inputs)
        return
    waiting: deque[Future[FileResult]] = deque()
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="pyojeong")
    try:
        for item in inputs:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
