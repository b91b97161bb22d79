"""The check for writing in the image: captions, watermarks, shop signs.

Tesseract alone misses most writing on photographs and reads words into hair. So a small net finds
where writing may be (``lab.writing``), and Tesseract reads what was found there, enlarged, as light
and as dark letters, in Korean and English. Both opinions make the score.
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
from pyojeong.curate.base_check import BaseCheck
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.findings import Finding
from pyojeong.image.preprocess import Pixels
from pyojeong.runtime.session import Session
from pyojeong.zoo import find

LANGUAGES = "eng+kor"
PAGE_MODE = 6
"""Tesseract's "single uniform block of text"."""
MODEL = "writing-any-made.v1"

_WORK_SIDE = 256
_STRIDE = 8
_LINE_PX = 90
_MAYBE = 0.3
_INK_REACH = (35, 15, 60)
"""Grey levels from the darkest ones that count as ink; tried in turn until something is read."""
_TESSDATA = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
_CURE = (
    "apt-get install tesseract-ocr-kor tesseract-ocr-eng, or set TESSDATA_PREFIX to the folder of "
    "Tesseract's data for Korean and English"
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
        """Letters and digits, Latin or Hangul; a syllable says as much as two letters."""
        hangul = sum("가" <= c <= "힣" for c in self.text)
        return 2 * hangul + sum(c.isalnum() and c.isascii() for c in self.text)

    @property
    def score(self) -> float:
        """Confidence, less for short words: two letters are easily seen in hair."""
        return self.confidence * min(self.letters / 4, 1.0) if self.letters >= 2 else 0.0


@dataclass(frozen=True, slots=True)
class Spot:
    """Where writing may be.

    Attributes:
        x1: Left, in pixels of the image.
        y1: Top.
        x2: Right.
        y2: Bottom.
        probability: The net's, in [0, 1].
    """

    x1: int
    y1: int
    x2: int
    y2: int
    probability: float


class Text(BaseCheck):
    """Writing in the image, found by a net and read by Tesseract in Korean and English.

    Args:
        threshold: From this score on an image is suggested for a decision.
        tessdata: Folder with ``eng.traineddata`` and ``kor.traineddata``; None = where
            ``TESSDATA_PREFIX`` says or Debian puts them.

    Raises:
        MissingExtra: When tesserocr or the language data are not installed.
    """

    name = "text"
    states = "there is writing in the image"
    threshold = 0.55

    def __init__(self, *, threshold: float | None = None, tessdata: Path | None = None) -> None:
        super().__init__(threshold=threshold)
        self._finder = Finder()
        self._reader = TextReader(tessdata)

    def settings(self) -> dict[str, Any]:
        """Return what decides the scores."""
        how = {"model": MODEL, "languages": LANGUAGES, "page_mode": PAGE_MODE}
        return {**super().settings(), **how}

    def check_image(self, picture: DecodedImage) -> Finding:
        """Return the finding for one image; images that could not be decoded score 0."""
        score, word = (0.0, None) if picture.gray is None else self.judge(picture.gray)
        said = "writing, not legible" if word is None else f"reads “{word.text}”"
        return self.found(picture.row, score, said)

    def judge(self, gray: Pixels) -> tuple[float, Word | None]:
        """Score in [0, 1], and the best word where one was read."""
        score, best = 0.0, None
        for spot in self._finder.spots(gray):
            word = self._reader.best_word(gray, spot)
            read = 0.0 if word is None else word.score
            both = (2 * spot.probability + read) / 3
            if both > score:
                score, best = both, word if read > 0.3 else None
        return min(max(score, 0.0), 1.0), best


class Finder:
    """Finds rows of letters with the writing net; thread-safe.

    Args:
        threads: Threads inside one run.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._net = Session(find(MODEL), threads=threads, inputs=[(1, 1, None, None)])

    def heat(self, gray: Pixels) -> tuple[NDArray[np.float32], float]:
        """Probability of writing in cells of 8 x 8 working pixels, and working size / own size.

        Args:
            gray: uint8 (H, W).
        """
        scale = _WORK_SIDE / max(gray.shape)
        how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        size = [max(round(n * scale), 1) for n in gray.shape]
        work = cv2.resize(gray, (size[1], size[0]), interpolation=how)
        rest = [-n % _STRIDE for n in size]
        work = cv2.copyMakeBorder(work, 0, rest[0], 0, rest[1], cv2.BORDER_REPLICATE)
        logits = self._net.run(work[None, None].astype(np.float32) / 127.5 - 1)[0][0, 0]
        return (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32), scale

    def spots(self, gray: Pixels) -> list[Spot]:
        """Return where writing may be, most probable first, at most six."""
        heat, scale = self.heat(gray)
        row = cv2.blur(heat, (3, 1), borderType=cv2.BORDER_REPLICATE)
        count, marks, boxes, _ = cv2.connectedComponentsWithStats(
            (heat >= _MAYBE).astype(np.uint8), connectivity=8
        )
        cell = _STRIDE / scale
        out = []
        for k in range(1, count):
            x, y, w, h = (int(v) for v in boxes[k][:4])
            probability = float(row[marks == k].max())
            room = 0.15 * h * cell + 0.5 * cell
            out.append(
                Spot(
                    max(int(x * cell - room), 0),
                    max(int(y * cell - room), 0),
                    min(int((x + w) * cell + room) + 1, gray.shape[1]),
                    min(int((y + h) * cell + room) + 1, gray.shape[0]),
                    probability,
                )
            )
        return sorted(out, key=lambda s: -s.probability)[:6]


class TextReader:
    """Has spots read by Tesseract.

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
            raise MissingExtra("reading text in images", "ocr") from None
        folder = language_folder(tessdata)
        self._level = tesserocr.RIL.WORD
        self._words = tesserocr.iterate_level
        self._api = tesserocr.PyTessBaseAPI(path=f"{folder}/", lang=LANGUAGES, psm=PAGE_MODE)

    def best_word(self, gray: Pixels, spot: Spot) -> Word | None:
        """Return the word with the highest score in a spot, or None."""
        best: Word | None = None
        for page in pages(gray[spot.y1 : spot.y2, spot.x1 : spot.x2]):
            for word in self._read(page):
                if word.letters >= 2 and (best is None or word.score > best.score):
                    best = word
            if best is not None and best.score > 0.85:
                break
        return best

    def _read(self, page: Pixels) -> Iterator[Word]:
        height, width = page.shape
        self._api.SetImageBytes(page.tobytes(), width, height, 1, width)
        self._api.Recognize()
        found = self._api.GetIterator()
        if found is None:
            return
        for word in self._words(found, self._level):
            if not word.Empty(self._level):
                text = word.GetUTF8Text(self._level)
                yield Word(text.strip(), word.Confidence(self._level) / 100)


def pages(part: Pixels) -> Iterator[Pixels]:
    """Yield a piece of an image as Tesseract likes it: enlarged, black on white.

    First what is darkest in it counts as ink, then what is lightest: letters on photographs are
    darker or lighter than nearly everything around them.
    """
    if min(part.shape) < 2:
        return
    scale = min(_LINE_PX / part.shape[0], 1800 / part.shape[1])
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    size_wh = tuple(max(round(side * scale), 1) for side in part.shape[::-1])
    big = cv2.resize(part, size_wh, interpolation=how)
    for reach in _INK_REACH:
        for page in (big, 255 - big):
            limit = (float(page.min()) + float(np.percentile(page, 8))) / 2 + reach
            ink = np.where(page < limit, 0, 255).astype(np.uint8)
            yield np.ascontiguousarray(
                cv2.copyMakeBorder(ink, 16, 16, 16, 16, cv2.BORDER_CONSTANT, value=255)
            )


def language_folder(named: Path | None) -> Path:
    """Return where the language data lie.

    Raises:
        MissingExtra: When they are nowhere; the cure is named.
    """
    prefix = os.environ.get("TESSDATA_PREFIX")
    places = [named] if named else [Path(p) for p in ((prefix,) if prefix else ()) + _TESSDATA]
    for place in places:
        if all((place / f"{code}.traineddata").exists() for code in LANGUAGES.split("+")):
            return place
    raise MissingExtra("reading text in images", "ocr", cure=_CURE)
