"""The check for writing in the picture: captions, watermarks, shop signs.

Tesseract alone finds little writing in photographs, so letters are looked for first: maximally
stable regions (Matas et al. 2002, "Robust Wide Baseline Stereo from Maximally Stable Extremal
Regions", BMVC) in rows of similar height. Each row is handed to Tesseract as black letters on
white; what it reads with confidence and what has at least two letters counts.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import MissingExtra
from pyojeong.curate.findings import Finding
from pyojeong.curate.picture import Picture
from pyojeong.image.preprocess import Pixels

LANGUAGES = "eng+kor"
PAGE_MODE = 6
"""Tesseract's "single uniform block of text"."""

_WORK_SIDE = 480
_LETTER_PX = 44
_TESSDATA = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
_CURE = (
    "reading text in pictures needs Tesseract's data for Korean and English: "
    "apt-get install tesseract-ocr-kor tesseract-ocr-eng (or set TESSDATA_PREFIX)"
)


@dataclass(frozen=True, slots=True)
class Word:
    """Something read.

    Attributes:
        text: As Tesseract wrote it.
        confidence: In [0, 1].
    """

    text: str
    confidence: float

    @property
    def letters(self) -> int:
        """Letters and digits of Latin, Hangul."""
        return sum(c.isalnum() and (c.isascii() or "가" <= c <= "힣") for c in self.text)

    @property
    def score(self) -> float:
        """Confidence, less for short words: two "letters" are easily seen in hair."""
        if self.letters < 2:
            return 0.0
        hangul = sum("가" <= c <= "힣" for c in self.text)
        length = self.letters + hangul  # a syllable says as much as two letters
        return self.confidence * min(0.55 + 0.15 * (length - 1), 1.0)


class Text:
    """Writing in the picture, read by Tesseract in Korean and English.

    Args:
        threshold: From this score on a picture is suggested for a decision.
        tessdata: Folder with ``eng.traineddata`` and ``kor.traineddata``; None = where
            ``TESSDATA_PREFIX`` says or Debian puts them.

    Raises:
        MissingExtra: When tesserocr or the language data are not installed.
    """

    name = "text"
    states = "there is writing in the picture"
    threshold = 0.6
    needs_faces = False

    def __init__(self, *, threshold: float | None = None, tessdata: Path | None = None) -> None:
        self.threshold = self.threshold if threshold is None else threshold
        self._reader = Reader(tessdata)

    def settings(self) -> dict[str, Any]:
        """What decides the scores."""
        return {"version": 1, "languages": LANGUAGES, "page_mode": PAGE_MODE}

    def look(self, picture: Picture) -> Finding:
        """The finding for one picture; pictures that cannot be decoded score 0."""
        best = None if picture.gray is None else self._reader.best_word(picture.gray)
        score = 0.0 if best is None else min(max(best.score, 0.0), 1.0)
        reason = f"reads “{best.text}”" if best is not None and score >= self.threshold else ""
        return Finding(row=picture.row, check=self.name, score=score, reason=reason)


class Reader:
    """Finds rows of letters and has them read.

    Args:
        tessdata: Folder of language data, or None.

    Raises:
        MissingExtra: When tesserocr or the language data are not installed.
    """

    def __init__(self, tessdata: Path | None = None) -> None:
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # Tesseract's threads slow one another down
        try:
            import tesserocr
        except ImportError:
            raise MissingExtra("reading text in pictures", "ocr") from None
        self._tesserocr = tesserocr
        folder = _language_folder(tessdata)
        self._api = tesserocr.PyTessBaseAPI(path=f"{folder}/", lang=LANGUAGES, psm=PAGE_MODE)

    def best_word(self, gray: Pixels) -> Word | None:
        """The word with the highest score in uint8 (H, W), or None."""
        best: Word | None = None
        for row in letter_rows(enlarged(gray)):
            for word in self._read(row):
                if best is None or word.score > best.score:
                    best = word
            if best is not None and best.score >= 0.95:
                break
        return best

    def _read(self, page: Pixels) -> Iterator[Word]:
        height, width = page.shape
        self._api.SetImageBytes(page.tobytes(), width, height, 1, width)
        self._api.Recognize()
        for text, confidence in self._api.MapWordConfidences():
            yield Word(text, confidence / 100)


def _language_folder(named: Path | None) -> Path:
    prefix = os.environ.get("TESSDATA_PREFIX")
    places = [named] if named else [Path(p) for p in ((prefix,) if prefix else ()) + _TESSDATA]
    for place in places:
        if all((place / f"{code}.traineddata").exists() for code in LANGUAGES.split("+")):
            return place
    error = MissingExtra("reading text in pictures", "ocr")
    error.args = (_CURE,)
    raise error


def enlarged(gray: Pixels) -> Pixels:
    """The picture with its longer side at 480 pixels (small ones are enlarged, large ones shrunk)."""
    scale = _WORK_SIDE / max(gray.shape)
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=how), np.uint8)


@dataclass(frozen=True, slots=True)
class _Blob:
    x: int
    y: int
    w: int
    h: int
    points: NDArray[np.int32]
    tone: float


def letter_rows(gray: Pixels) -> Iterator[Pixels]:
    """Rows of what may be letters, each as black on white, best first.

    Args:
        gray: uint8 (H, W) at working size.

    Yields:
        uint8 (h, w) pages with one row of letters about 44 pixels high.
    """
    rows: list[tuple[int, list[_Blob]]] = []
    for polarity in (0, 1):
        blobs = _blobs(255 - gray if polarity else gray)
        rows += [(len(row), row) for row in _rows(blobs)]
    rows.sort(key=lambda r: -r[0])
    for _, row in rows[:16]:
        yield _page(row)


def _blobs(gray: Pixels) -> list[_Blob]:
    """Dark stable regions of a letter's proportions."""
    mser = cv2.MSER.create(4, 30, int(gray.size * 0.03), 0.5, 0.2)
    regions, boxes = mser.detectRegions(gray)
    out: list[_Blob] = []
    for points, (x, y, w, h) in zip(regions, boxes, strict=True):
        if not 8 <= h <= gray.shape[0] * 0.35 or w > 6 * h or len(points) < 0.12 * w * h:
            continue
        tone = float(gray[points[:, 1], points[:, 0]].mean())
        around = gray[max(y - 2, 0) : y + h + 2, max(x - 2, 0) : x + w + 2]
        if float(around.max()) - tone < 25 or tone > 200 and float(around.mean()) - tone < 10:
            continue
        out.append(_Blob(int(x), int(y), int(w), int(h), points, tone))
    return _distinct(out)


def _distinct(blobs: list[_Blob]) -> list[_Blob]:
    """Of regions that nest in one another with nearly one box, the largest."""
    out: list[_Blob] = []
    for blob in sorted(blobs, key=lambda b: -b.w * b.h):
        for other in out:
            w = min(blob.x + blob.w, other.x + other.w) - max(blob.x, other.x)
            h = min(blob.y + blob.h, other.y + other.h) - max(blob.y, other.y)
            if w > 0 and h > 0 and w * h > 0.7 * other.w * other.h:
                break
        else:
            out.append(blob)
    return out


def _rows(blobs: list[_Blob]) -> Iterator[list[_Blob]]:
    """Groups of at least two regions side by side, of similar height and tone."""
    left = sorted(blobs, key=lambda b: b.x)
    used: set[int] = set()
    for i, first in enumerate(left):
        if i in used:
            continue
        row, members = [first], {i}
        for j in range(i + 1, len(left)):
            if j not in used and _belongs(row, left[j]):
                row.append(left[j])
                members.add(j)
        if len(row) >= 2:
            used |= members
            yield row


def _belongs(row: list[_Blob], blob: _Blob) -> bool:
    tall = max(b.h for b in row)
    middle = float(np.median([b.y + b.h / 2 for b in row[-3:]]))
    gap = blob.x - max(b.x + b.w for b in row)
    return (
        gap < 1.1 * tall
        and abs(blob.y + blob.h / 2 - middle) < 0.45 * tall
        and 0.35 < blob.h / tall < 1.9
        and abs(blob.tone - float(np.median([b.tone for b in row]))) < 40
    )


def _page(row: list[_Blob]) -> Pixels:
    x1, y1 = min(b.x for b in row), min(b.y for b in row)
    x2, y2 = max(b.x + b.w for b in row), max(b.y + b.h for b in row)
    mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
    for blob in row:
        mask[blob.points[:, 1] - y1, blob.points[:, 0] - x1] = 255
    scale = _LETTER_PX / max(y2 - y1, 1)
    big = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    room = _LETTER_PX // 2
    page = cv2.copyMakeBorder(big, room, room, room, room, cv2.BORDER_CONSTANT, value=0)
    return np.ascontiguousarray(255 - page)
