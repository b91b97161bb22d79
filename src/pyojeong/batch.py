"""Many image files: found, read in parallel, answered in order, one bad file never stops them."""

import glob
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pyojeong.core.errors import ImageUnreadable, InputError
from pyojeong.core.face import FrameResult, Image
from pyojeong.image.files import SUFFIXES, read_image
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
    """

    path: str
    result: FrameResult | None = None
    error: InputError | None = None


def find_images(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str | FileResult]:
    """Files of the named files, folders (searched deeply) and glob patterns, each once, in order.

    A name that leads nowhere gives a ``FileResult`` with the error in its place.
    """
    seen: set[str] = set()
    for path in paths:
        for found in _expand(os.fspath(path)):
            key = found if isinstance(found, FileResult) else os.path.realpath(found)
            if isinstance(key, FileResult):
                yield key
            elif key not in seen:
                seen.add(key)
                yield str(found)


def _expand(name: str) -> Iterator[str | FileResult]:
    if Path(name).is_dir():
        files = _pictures_below(Path(name))
        if files:
            yield from files
        else:
            endings = " ".join(sorted(SUFFIXES))
            error = ImageUnreadable(f"{name}: no images in this folder (looked for {endings})")
            yield FileResult(name, error=error)
    elif glob.has_magic(name) and not Path(name).exists():
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - absolute patterns too
        if matches:
            for match in matches:
                yield from _expand(match)
        else:
            yield FileResult(name, error=ImageUnreadable(f"{name}: nothing matches this pattern"))
    else:
        yield name


def _pictures_below(folder: Path) -> list[str]:
    return [
        str(file)
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in SUFFIXES and file.is_file() and not file.name.startswith(".")
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
        inputs: From ``find_images``.
        jobs: Images in work at once.
        extra: Called in the worker thread for every image that was read.

    Raises:
        OutputError: What ``extra`` raises; unreadable inputs become outcomes instead.
    """

    def work(item: str | FileResult) -> FileResult:
        if isinstance(item, FileResult):
            return item
        try:
            image = read_image(item)
            result = analyzer.analyze_frames([(image, item, 0, 0.0)])[0]
        except InputError as error:
            return FileResult(item, error=error)
        if extra is not None:
            extra(image, result)
        return FileResult(item, result)

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
