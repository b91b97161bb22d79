"""Images of samples: opened once, hashed, and taken into the table if wanted."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pyojeong.core.errors import ImageUnreadable
from pyojeong.core.output_names import as_unicode
from pyojeong.datasets.manifest_files import file_state
from pyojeong.datasets.samples import Sample
from pyojeong.image.features import content_hash, perceptual_hash
from pyojeong.image.files import decode_image, read_image
from pyojeong.image.preprocess import Pixels

_CHUNK = 32
_CHUNK_BYTES = 8 << 20
_Finished = tuple[Sample, list[str]]
"""A sample and what is doubtful in its image."""


def pixels_of(sample: Sample) -> Pixels:
    """Return the image of a sample, uint8 (H, W, 3) RGB.

    What is doubtful in it is not said again: it was when the sample was imported.

    Raises:
        ImageUnreadable: When it could not be decoded; it is named.
    """
    if sample.image is not None:
        return decode_image(sample.image, name=sample.source, notes=[])
    return read_image(sample.path or "", notes=[])


def fingerprinted(
    samples: Iterable[Sample],
    *,
    jobs: int = 2,
    embed: bool = False,
    remarks: dict[str, str] | None = None,
) -> Iterator[Sample]:
    """Fill in ``content_hash``, ``phash`` and ``file_state``, in order, with bounded memory.

    Every image is read and decoded once. One that could not be stays in the data set with
    ``content_hash`` "" and ``phash`` None: a check turns that into a finding later. Paths become
    absolute.

    Args:
        samples: The samples, consumed as they are needed.
        jobs: Threads; decoding and hashing mostly run outside of Python's lock.
        embed: Take the images' files into the samples, as they are, instead of their paths.
            A file that could not be read at all keeps its path. Files whose path is not valid
            Unicode are always taken in.
        remarks: Gets the source of every image that is doubtful -> what is doubtful in it, such as
            that its file breaks off; in order.
    """
    known = {} if remarks is None else remarks
    for sample, lines in _with_lines(samples, jobs, embed):
        if lines:
            known[sample.source] = "; ".join(lines)
        yield sample


def _with_lines(samples: Iterable[Sample], jobs: int, embed: bool) -> Iterator[_Finished]:
    if jobs <= 1:
        for sample in samples:
            yield _fingerprint(sample, embed)
        return
    waiting: deque[Future[list[_Finished]]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for chunk in _chunks(samples):
                waiting.append(pool.submit(_all, chunk, embed))
                if len(waiting) > 2 * jobs:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _chunks(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    chunk: list[Sample] = []
    size = 0
    for sample in samples:
        chunk.append(sample)
        size += len(sample.image or b"")
        if len(chunk) == _CHUNK or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _all(chunk: list[Sample], embed: bool) -> list[_Finished]:
    return [_fingerprint(sample, embed) for sample in chunk]


def _fingerprint(sample: Sample, embed: bool) -> _Finished:
    image, path = sample.image, sample.path
    data, state = image, None
    if path is not None:
        path = os.path.abspath(path)  # noqa: PTH100 - links stay as they are
        state = file_state(path)  # before it is read: what changes it meanwhile is noticed
        try:
            data = Path(path).read_bytes()
        except (OSError, ValueError, MemoryError):  # ValueError: a name with a NUL in it
            data = None
        # A path that is no Unicode has no place in the table: its image is taken in.
        if data and (embed or as_unicode(path) != path):
            image, path = data, None
    content, perceptual = "", None
    lines: list[str] = []
    if data:
        try:
            pixels = decode_image(data, name=sample.source, notes=lines)
            content, perceptual = content_hash(pixels), perceptual_hash(pixels)
        except (ImageUnreadable, MemoryError):
            content, perceptual = "", None
    finished = replace(
        sample,
        image=image,
        path=None if path is None else as_unicode(path),
        group=as_unicode(sample.group),
        source=as_unicode(sample.source),
        content_hash=content,
        phash=perceptual,
        file_state=None if path is None else state,
    )
    return finished, lines
