"""Checks for copies: the same image again, exactly or nearly, within and across splits.

Of every set of copies one stays: one in the test split before one in valid before one in train,
then the first. So an image that leaks from training into a test set is suggested for removal from
training, and the test set keeps its size.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyojeong.curate.base_check import BaseCheck
from pyojeong.curate.copy_search import BLOCK, SIDE, detail_correlation, similar_pairs, thumbnail
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.findings import Finding
from pyojeong.datasets.samples import Sample, Split, manifest_size, read_rows
from pyojeong.image.preprocess import Pixels

_STAYS = {Split.TEST: 0, Split.VALID: 1, Split.TRAIN: 2}
_CHUNK = 256


class ExactCopy(BaseCheck):
    """The same pixels as another row, whatever the file format."""

    name = "exact-copy"
    states = "the same pixels are in another row"
    threshold = 1.0

    def check_table(
        self,
        manifest: Path,
        *,
        tick: Callable[[int, int], None] | None = None,  # noqa: ARG002 - these are fast
    ) -> Iterator[Finding]:
        """Score 1 for every copy but the one that stays."""
        groups: dict[str, list[_Copy]] = {}
        for row, sample in read_rows(manifest, splits=list(Split), images=False):
            if sample.content_hash:
                groups.setdefault(sample.content_hash, []).append(_copy(row, sample))
        for copies in groups.values():
            stays, *rest = sorted(copies, key=lambda c: (_STAYS[c.split], c.row))
            for goes in rest:
                reason = _reason("same image as", stays, goes)
                yield self.found(goes.row, 1.0, reason, other=stays.row)


class _Copy(NamedTuple):
    """What a reason says about an image."""

    row: int
    split: Split
    label: str
    source: str


def _copy(row: int, sample: Sample) -> _Copy:
    return _Copy(row, sample.split, sample.label, sample.source)


def _reason(words: str, stays: _Copy, goes: _Copy, tail: str = "") -> str:
    where = f" in {stays.split.value}" if stays.split is not goes.split else ""
    other = f", labelled {stays.label} there" if stays.label != goes.label else ""
    return f"{words} {stays.source or f'row {stays.row}'}{where}{other}{tail}"


class _Image(NamedTuple):
    """An image that is compared."""

    copy: _Copy
    content: str


class _Pair(NamedTuple):
    """Two images by their place in the list, and how much they agree."""

    one: int
    other: int
    mirrored: bool
    score: float


class NearCopy(BaseCheck):
    """Almost the same image: recompressed, watermarked, brightened, mirrored, cropped, turned.

    The score is the correlation of the fine detail after one image was laid onto the other
    (``copy_search``). Of FER2013's images 99 in 100 score 0.92 or more against copies of
    themselves that were mirrored, cropped by up to 15 %, shifted by up to 10 % or turned by up to
    15 degrees; different faces stay below 0.8. Exact copies are left to ``ExactCopy``.
    """

    name = "near-copy"
    states = "another row shows almost the same image (correlation)"
    threshold = 0.85
    version = 2

    def settings(self) -> dict[str, Any]:
        """Return what decides the scores."""
        return {**super().settings(), "threshold": self.threshold}

    def check_table(
        self, manifest: Path, *, tick: Callable[[int, int], None] | None = None
    ) -> Iterator[Finding]:
        """Yield the score of every image against the best copy that stays.

        Args:
            manifest: The table.
            tick: Called with what is done and how much there is.
        """
        with TemporaryDirectory(prefix="pyojeong-") as folder:
            images, thumbnails = _thumbnails(manifest, Path(folder) / "thumbnails", tick)
            yield from self._findings(images, _copies(images, thumbnails, self.threshold, tick))

    def _findings(self, images: list[_Image], copies: Iterable[_Pair]) -> Iterator[Finding]:
        best: dict[int, _Pair] = {}
        for pair in copies:
            stays, goes = sorted(
                pair[:2], key=lambda k: (_STAYS[images[k].copy.split], images[k].copy.row)
            )
            if goes not in best or pair.score > best[goes].score:
                best[goes] = _Pair(stays, goes, pair.mirrored, pair.score)
        for goes, (stays, _, mirrored, score) in sorted(best.items()):
            one, other = images[stays].copy, images[goes].copy
            tail = f"{', mirrored' if mirrored else ''} ({score:.2f})"
            yield self.found(other.row, score, _reason("nearly", one, other, tail), other=one.row)


def _thumbnails(
    manifest: Path, file: Path, tick: Callable[[int, int], None] | None
) -> tuple[list[_Image], NDArray[np.uint8]]:
    """Return the images that show something, and uint8 (N, 48, 48) on disk."""
    images: list[_Image] = []
    size = manifest_size(manifest)
    with file.open("wb") as stream, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        rows = read_rows(manifest, splits=list(Split))
        while chunk := list(islice(rows, _CHUNK)):
            for (row, sample), small in zip(chunk, pool.map(_thumbnail, chunk), strict=True):
                if small is not None:
                    images.append(_Image(_copy(row, sample), sample.content_hash))
                    stream.write(small.tobytes())
            if tick is not None:
                tick(chunk[-1][0] + 1, 2 * size)
    shape = (len(images), SIDE, SIDE)
    if not images:
        return images, np.zeros(shape, np.uint8)
    return images, np.memmap(file, np.uint8, "r", shape=shape)


def _thumbnail(numbered: tuple[int, Sample]) -> Pixels | None:
    row, sample = numbered
    if not sample.phash:  # could not be decoded at the import, or a constant image
        return None
    gray = DecodedImage(row, sample).gray
    return None if gray is None else thumbnail(gray)


def _copies(
    images: list[_Image],
    thumbnails: NDArray[np.uint8],
    threshold: float,
    tick: Callable[[int, int], None] | None,
) -> Iterator[_Pair]:
    """Yield pairs whose score is near the threshold or above."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:

        def score(pair: NDArray[np.int64]) -> float:
            one, other = thumbnails[pair[0]], thumbnails[pair[1]]
            return detail_correlation(one, np.fliplr(other) if pair[2] else other)

        examined: set[tuple[int, int, int]] = set()
        done = 0
        for block in similar_pairs(thumbnails):
            different = [
                pair
                for pair in block
                if images[pair[0]].content != images[pair[1]].content
                and tuple(pair.tolist()) not in examined
            ]
            examined.update(tuple(pair.tolist()) for pair in different)
            for pair, found in zip(different, pool.map(score, different), strict=True):
                if found >= threshold - 0.1:
                    yield _Pair(int(pair[0]), int(pair[1]), bool(pair[2]), found)
            done = min(done + BLOCK, len(images))
            if tick is not None:
                tick(len(images) + done, 2 * len(images))
