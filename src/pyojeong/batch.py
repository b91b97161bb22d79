"""Many image files: read in parallel, answered in order, one bad file never stops them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from pyojeong.core.errors import ImageUnreadable, InputError, one_line
from pyojeong.core.face import FrameResult, Image
from pyojeong.core.file_search import Found
from pyojeong.image.files import is_out_of_memory, no_memory, read_image
from pyojeong.runtime.analyzer import Analyzer

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


def analyze_files(
    analyzer: Analyzer,
    inputs: Iterable[str | FileResult],
    *,
    jobs: int = 1,
    extra: Extra | None = None,
) -> Iterator[FileResult]:
    """Read files with several threads; outcomes come in the order of the inputs.

    Args:
        analyzer: Shared by all threads.
        inputs: Paths, and inputs that failed already: from ``file_results``.
        jobs: Images in work at once.
        extra: Called in the worker thread for every image that was read. An error in it is part
            of the outcome, and the result is kept.
    """

    def work(item: str | FileResult) -> FileResult:
        if isinstance(item, FileResult):
            return item
        try:
            return _read(analyzer, item, extra)
        except InputError as error:
            return FileResult(item, error=error)
        except Exception as error:
            if is_out_of_memory(error):
                return FileResult(item, error=no_memory(item))
            raise

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


def _read(analyzer: Analyzer, path: str, extra: Extra | None) -> FileResult:
    notes: list[str] = []
    image = read_image(path, notes=notes)
    result = analyzer.analyze_frames([(image, path, 0, 0.0)])[0]
    failed = ""
    if extra is not None:
        try:
            extra(image, result)
        except Exception as error:  # whatever it is, the measurement goes on
            failed = one_line(error)
    return FileResult(path, result, notes=tuple(notes), extra_error=failed)
