"""Checks for copies: the same image again, exactly or nearly, within and across splits.

Of every set of copies one stays: one in the test split before one in valid before one in train,
then the first. So an image that leaks from training into a test set is suggested for removal from
training, and the test set keeps its size.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pyojeong.curate.base_check import BaseCheck
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.findings import Finding
from pyojeong.datasets.samples import Sample, Split, read_picked, read_rows
from pyojeong.image.preprocess import Pixels

_STAYS = {Split.TEST: 0, Split.VALID: 1, Split.TRAIN: 2}
_BLOCK = 512


class ExactCopy(BaseCheck):
    """The same pixels as another row, whatever the file format."""

    name = "exact-copy"
    states = "the same pixels are in another row"
    threshold = 1.0

    def check_table(self, manifest: Path) -> Iterator[Finding]:
        """Score 1 for every copy but the one that stays."""
        groups: dict[str, list[tuple[int, Split, str]]] = {}
        for row, sample in read_rows(manifest, splits=list(Split), images=False):
            if sample.content_hash:
                here = (row, sample.split, sample.label)
                groups.setdefault(sample.content_hash, []).append(here)
        for copies in groups.values():
            first, *rest = sorted(copies, key=lambda c: (_STAYS[c[1]], c[0]))
            for row, split, label in rest:
                reason = _reason("same image as", first, split, label)
                yield self.found(row, 1.0, reason, other=first[0])


def _reason(
    words: str, stays: tuple[int, Split, str], split: Split, label: str, tail: str = ""
) -> str:
    where = f" in {stays[1].value}" if stays[1] is not split else ""
    other = f", labelled {stays[2]} there" if stays[2] != label else ""
    return f"{words} #{stays[0]}{where}{other}{tail}"


class NearCopy(BaseCheck):
    """Almost the same image: recompressed, watermarked, shifted by a few pixels, brightened.

    Candidates are pairs whose perceptual hashes differ in at most ``bits`` of 64; their score is
    the best normalised correlation of the two images at 48 x 48 over shifts of up to 6 pixels.
    Exact copies are the business of ``ExactCopy`` and left out here.

    Args:
        threshold: From this score on an image is suggested for a decision.
        bits: Largest distance of two hashes.
    """

    name = "near-copy"
    states = "another row shows almost the same image (correlation)"
    threshold = 0.9

    def __init__(self, *, threshold: float | None = None, bits: int = 12) -> None:
        super().__init__(threshold=threshold)
        self.bits = bits

    def settings(self) -> dict[str, Any]:
        """Return what decides the scores."""
        return {**super().settings(), "bits": self.bits, "threshold": self.threshold}

    def check_table(self, manifest: Path) -> Iterator[Finding]:
        """Yield the score of every image against the best copy that stays."""
        rows: list[int] = []
        facts: list[tuple[int, Split, str]] = []
        hashes: list[int] = []
        contents: list[str] = []
        for row, sample in read_rows(manifest, splits=list(Split), images=False):
            if sample.phash:  # 0 is a constant image: all of them would be alike
                rows.append(row)
                facts.append((row, sample.split, sample.label))
                hashes.append(sample.phash)
                contents.append(sample.content_hash)
        pairs = close_pairs(np.array(hashes, np.uint64), self.bits)
        different = np.array([contents[i] != contents[j] for i, j in pairs], bool)
        pairs = pairs[different] if len(pairs) else pairs
        scores = _correlations(manifest, np.array(rows), pairs)
        yield from self._findings(facts, pairs, scores)

    def _findings(
        self,
        facts: list[tuple[int, Split, str]],
        pairs: NDArray[np.int64],
        scores: NDArray[np.float32],
    ) -> Iterator[Finding]:
        best: dict[int, tuple[float, int]] = {}
        for (i, j), score in zip(pairs.tolist(), scores.tolist(), strict=True):
            if score < self.threshold - 0.1:
                continue
            stays, goes = sorted((i, j), key=lambda k: (_STAYS[facts[k][1]], facts[k][0]))
            if score > best.get(goes, (0.0, 0))[0]:
                best[goes] = (score, stays)
        for goes, (score, stays) in sorted(best.items()):
            row, split, label = facts[goes]
            reason = _reason("nearly", facts[stays], split, label, f" ({score:.2f})")
            yield self.found(row, score, reason, other=facts[stays][0])


def close_pairs(hashes: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Return all pairs (i, j), i < j, of hashes that differ in at most ``bits`` bits, (M, 2)."""
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK, None]
        distance = _bit_count(block ^ hashes[None, start:])
        i, j = np.nonzero(distance <= bits)
        later = j > i
        found.append(np.stack([i[later], j[later]], 1) + start)
    return np.concatenate(found)


def _bit_count(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    if hasattr(np, "bitwise_count"):
        return np.asarray(np.bitwise_count(values), np.uint8)
    ones = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1, dtype=np.uint8)
    parts = values.view(np.uint8).reshape(*values.shape, 8)
    return np.asarray(ones[parts].sum(-1, dtype=np.uint8))


_SIDE, _SHIFT = 48, 6
_KEPT = 60_000
"""Thumbnails in memory (138 MB); pairs of larger sets are compared block by block."""


def _correlations(
    manifest: Path, rows: NDArray[np.int64], pairs: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Best correlation of every pair; 0 where an image is missing or flat."""
    scores = np.zeros(len(pairs), np.float32)
    needed = np.unique(pairs)
    for first in range(0, len(needed), _KEPT):
        mine = needed[first : first + _KEPT]
        thumbs = _thumbnails(manifest, rows[mine], mine)
        here = np.flatnonzero(np.isin(pairs[:, 0], mine))
        far = np.setdiff1d(pairs[here, 1], mine)
        thumbs |= _thumbnails(manifest, rows[far], far)
        for k in here:
            one, other = thumbs.get(int(pairs[k, 0])), thumbs.get(int(pairs[k, 1]))
            if one is not None and other is not None:
                scores[k] = max(_correlation(one, other), 0.0)
    return scores


def _thumbnails(
    manifest: Path, rows: NDArray[np.int64], keys: NDArray[np.int64]
) -> dict[int, Pixels]:
    out: dict[int, Pixels] = {}
    key_of = dict(zip(rows.tolist(), keys.tolist(), strict=True))
    wanted = sorted(key_of)
    for start in range(0, len(wanted), 4096):
        picked: dict[int, Sample] = read_picked(manifest, wanted[start : start + 4096])
        for row, sample in picked.items():
            gray = DecodedImage(row, sample).gray
            if gray is not None and gray.std() > 1:
                small = cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
                out[key_of[row]] = np.asarray(small, np.uint8)
    return out


def _correlation(one: Pixels, other: Pixels) -> float:
    inner = one[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT].astype(np.float32)
    if inner.std() < 1:
        return 0.0
    found = cv2.matchTemplate(other.astype(np.float32), inner, cv2.TM_CCOEFF_NORMED)
    best = float(found.max())
    return best if np.isfinite(best) else 0.0
