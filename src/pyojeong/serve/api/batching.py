"""Images of many requests, read in batches by a few threads.

A batch begins as soon as a thread is free: while threads are busy, images of further requests wait
and form the next batch. A free thread waits for more images only while other requests are arriving,
and no longer than a small window, so that a single client never waits.
"""

import asyncio
import io
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image as PilImage

from pyojeong.core.errors import ImageUnreadable, InputError, one_line, without_frames
from pyojeong.core.face import FrameResult, Image
from pyojeong.core.memory import release_free_memory
from pyojeong.image.files import decode_image, is_out_of_memory, no_memory
from pyojeong.image.quiet_pillow import quiet_pillow
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.api.metrics import Metrics

LARGE_PIXELS = 4_000_000
"""Images of a batch are in memory together up to so many pixels."""

Extra = Callable[[Image, FrameResult], Any]
"""Something to do with an image beside reading it: drawing, for example."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one image.

    Attributes:
        result: What was read; without faces, and with an error, where that failed.
        extra: What the extra returned.
        too_large: It was not read because it has too many pixels.
    """

    result: FrameResult
    extra: Any = None
    too_large: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """An image that waits."""

    analyzer: Analyzer
    source: bytes | Image
    name: str
    also: Extra | None
    future: asyncio.Future[Answer]


class AnalysisQueue:
    """Reads images in threads; everything else happens on the event loop.

    Args:
        metrics: Counts images and batches.
        jobs: Threads.
        window_s: How long a free thread waits for further images while requests arrive.
        max_batch: Most images of a batch.
        max_pixels: Larger images are refused.
    """

    def __init__(
        self, metrics: Metrics, *, jobs: int, window_s: float, max_batch: int, max_pixels: int
    ) -> None:
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="pyojeong-serve")
        self._free = jobs
        self._window_s = window_s
        self._max_batch = max_batch
        self._max_pixels = max_pixels
        self._waiting: deque[_Item] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._arriving = 0

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """Count a request whose images are on their way."""
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    async def analyze(
        self,
        analyzer: Analyzer,
        images: Sequence[tuple[bytes | Image, str]],
        also: Extra | None = None,
    ) -> list[Answer]:
        """Read images; answers come in order.

        Args:
            analyzer: Reads them.
            images: (encoded bytes or pixels, name) of each.
            also: Called in the thread for each image that was read.
        """
        loop = asyncio.get_running_loop()
        items = [
            _Item(analyzer, source, name, also, loop.create_future()) for source, name in images
        ]
        self._waiting += items
        self._metrics.waiting.inc(len(items))
        self._start()
        try:
            return [await item.future for item in items]
        finally:
            for item in items:  # of a request that nobody waits for any more
                item.future.cancel()

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run something else in the same threads, before images that wait."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    def close(self) -> None:
        """End the threads when they have done what they are at."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start(self, *, waited: bool = False) -> None:
        """Give free threads something to do."""
        if waited:
            self._timer = None
        while self._free and self._waiting:
            # Requests of other clients, and not of one alone, are worth waiting for.
            hopeful = self._arriving > 1 and len(self._waiting) < self._max_batch
            if hopeful and not waited and self._window_s:
                if self._timer is None:
                    loop = asyncio.get_running_loop()
                    self._timer = loop.call_later(self._window_s, lambda: self._start(waited=True))
                return
            batch = self._next_batch()
            if batch:
                self._free -= 1
                self._run(batch)

    def _next_batch(self) -> list[_Item]:
        """Take the oldest images, of one analyzer; those that nobody waits for are dropped."""
        batch: list[_Item] = []
        # Threads that are free share what waits.
        most = min(self._max_batch, -(-len(self._waiting) // self._free))
        while self._waiting and len(batch) < most:
            if batch and self._waiting[0].analyzer is not batch[0].analyzer:
                break
            item = self._waiting.popleft()
            self._metrics.waiting.dec()
            if not item.future.done():
                batch.append(item)
        return batch

    def _run(self, batch: list[_Item]) -> None:
        loop = asyncio.get_running_loop()
        self._metrics.batch.observe(len(batch))

        def work() -> None:
            started = time.perf_counter()
            try:
                read_batch(batch, self._max_pixels, deliver)
            finally:
                self._metrics.work.observe(time.perf_counter() - started)
                loop.call_soon_threadsafe(self._done)

        def deliver(pairs: list[tuple[_Item, Answer | BaseException]]) -> None:
            loop.call_soon_threadsafe(self._deliver, pairs)

        self._pool.submit(work)

    def _deliver(self, pairs: list[tuple[_Item, Answer | BaseException]]) -> None:
        for item, answer in pairs:
            if isinstance(answer, Answer):
                self._metrics.images.labels("failed" if answer.result.error else "read").inc()
                self._metrics.faces.inc(len(answer.result.faces))
            if item.future.done():
                continue
            if isinstance(answer, BaseException):
                item.future.set_exception(answer)
            else:
                item.future.set_result(answer)

    def _done(self) -> None:
        self._free += 1
        self._start()


Deliver = Callable[[list[tuple[_Item, Answer | BaseException]]], None]


def read_batch(batch: Sequence[_Item], max_pixels: int, deliver: Deliver) -> None:
    """Decode and read images; every one is delivered, whatever happens.

    Args:
        batch: Of one analyzer.
        max_pixels: Larger images are refused.
        deliver: Gets the items with their answers, a group at a time.
    """
    group: list[tuple[_Item, Image]] = []
    pixels = 0
    for at, item in enumerate(batch):
        if item.future.cancelled():
            continue
        try:
            image = _decoded(item, max_pixels)
        except BaseException as error:
            deliver([(item, _failed(item, error, max_pixels))])
            continue
        group.append((item, image))
        pixels += image.shape[0] * image.shape[1]
        if pixels >= LARGE_PIXELS and at + 1 < len(batch):
            deliver(_read(group, max_pixels))
            group, pixels = [], 0
            del image
            release_free_memory()
    if group:
        deliver(_read(group, max_pixels))
    if pixels >= LARGE_PIXELS:
        group.clear()
        image = None  # type: ignore[assignment]
        release_free_memory()


def _decoded(item: _Item, max_pixels: int) -> Image:
    if not isinstance(item.source, bytes):
        return item.source
    return decode_image(item.source, name=item.name, max_pixels=max_pixels, notes=[])


def _read(
    group: list[tuple[_Item, Image]], max_pixels: int
) -> list[tuple[_Item, Answer | BaseException]]:
    """Read decoded images together, and one by one where that fails."""
    frames = [(image, item.name, 0, 0.0) for item, image in group]
    try:
        results = group[0][0].analyzer.analyze_frames(frames)
    except Exception as error:
        if len(group) == 1:
            return [(group[0][0], _failed(group[0][0], error, max_pixels))]
        return [answer for pair in group for answer in _read([pair], max_pixels)]
    out: list[tuple[_Item, Answer | BaseException]] = []
    for (item, image), result in zip(group, results, strict=True):
        try:
            out.append((item, Answer(result, _also(item, image, result))))
        except Exception as error:
            out.append((item, _failed(item, error, max_pixels)))
    return out


def _also(item: _Item, image: Image, result: FrameResult) -> Any:
    return None if item.also is None else item.also(image, result)


def _failed(item: _Item, error: BaseException, max_pixels: int) -> Answer | BaseException:
    """Return an error of the image as an answer, and any other one as it is."""
    if is_out_of_memory(error):
        error = no_memory(item.name)
    if not isinstance(error, InputError):
        return error
    words = one_line(without_frames(error))
    result = FrameResult(item.name, 0, 0.0, (0, 0), error=words)
    large = isinstance(error, ImageUnreadable) and _has_more_pixels(item.source, max_pixels)
    return Answer(result, too_large=large)


def _has_more_pixels(source: bytes | Image, max_pixels: int) -> bool:
    """Return whether an image says that it has more pixels than the limit."""
    if not isinstance(source, bytes):
        return False
    try:
        with quiet_pillow(), PilImage.open(io.BytesIO(source)) as picture:
            return picture.size[0] * picture.size[1] > max_pixels
    except PilImage.DecompressionBombError:
        return True
    except Exception:  # it is something else, and its own error says what
        return False
