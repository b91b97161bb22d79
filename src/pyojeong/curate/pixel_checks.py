"""Checks of pixels: can the file be read, is it sharp, large, contrasted and well exposed."""

from abc import ABC, abstractmethod
from typing import Any

import cv2
import numpy as np

from pyojeong.core.errors import MissingExtra
from pyojeong.curate.base_check import BaseCheck
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.findings import Finding
from pyojeong.image.preprocess import Pixels

_LONGEST = 256

_LONGEST_FACE = 128

_FILTER_WIDTHS = ((104, 11), (72, 9), (44, 7), (0, 5))
"""From this longer side on, in pixels -> width of the filter. So chosen that one threshold serves
all sizes: in-focus press photographs score about 0.5 at any of them (98 in 100 below 0.66)."""


class _PixelCheck(BaseCheck, ABC):
    """What the checks of this file share: they judge the face, or the whole where there is none."""

    needs_faces = True

    def check_image(self, picture: DecodedImage) -> Finding:
        """Return the finding for one image; images that could not be decoded score 0 here."""
        gray = picture.face_gray
        return self.found(picture.row, *((0.0, "") if gray is None else self.judge(gray)))

    @abstractmethod
    def judge(self, gray: Pixels) -> tuple[float, str]:
        """Score and reason for the face, uint8 (h, w)."""


class Unreadable(BaseCheck):
    """Files that are cut short, or no images."""

    name = "unreadable"
    states = "the file could not be decoded"

    def check_image(self, picture: DecodedImage) -> Finding:
        """Score 1 for what could not be decoded, else 0."""
        bad = picture.image is None
        return self.found(picture.row, float(bad), f"could not be decoded: {picture.sample.source}")


class Blurred(_PixelCheck):
    """The face has no fine detail.

    Crété-Roffet et al. 2007, "The blur effect: perception and estimation with a new no-reference
    perceptual blur metric" (SPIE 6492), as scikit-image implements it. Faces larger than 128 pixels
    are shrunk to that, and the filter is as wide as a twelfth of the face or a little more: blur is
    judged against what an expression needs, not against the resolution of the camera. A face
    enlarged from a small one counts as blurred.
    """

    name = "blurred"
    states = "there is no fine detail"
    threshold = 0.65
    version = 2

    def judge(self, gray: Pixels) -> tuple[float, str]:
        """Return the measure itself, 0 sharp, 1 blurred."""
        try:
            from skimage.measure import blur_effect
        except ImportError:
            raise MissingExtra("the check for blur", "curate") from None
        if gray.std() < 1 or min(gray.shape) < 8:
            return 0.0, ""  # flat or tiny, which other checks say
        scale = _LONGEST_FACE / max(gray.shape)
        if scale < 1:
            size_wh = tuple(max(round(side * scale), 1) for side in gray.shape[::-1])
            gray = np.asarray(cv2.resize(gray, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
        side = max(gray.shape)
        width = next(width for least, width in _FILTER_WIDTHS if side >= least)
        score = float(blur_effect(gray, h_size=width))
        return score, f"blurred ({score:.2f})"


class Small(_PixelCheck):
    """Too few pixels to see an expression.

    Args:
        threshold: From this score on an image is suggested for a decision.
        least_px: Shorter side of the face that scores 0.5, in pixels.
    """

    name = "small"
    states = "the face has few pixels"

    def __init__(self, *, threshold: float | None = None, least_px: int = 32) -> None:
        super().__init__(threshold=threshold)
        self.least_px = least_px

    def settings(self) -> dict[str, Any]:
        """Return what decides the scores."""
        return {**super().settings(), "least_px": self.least_px}

    def judge(self, gray: Pixels) -> tuple[float, str]:
        """1 / (1 + (side / least)^2)."""
        side = min(gray.shape)
        return 1 / (1 + (side / self.least_px) ** 2), f"face of {side} pixels"


class Flat(_PixelCheck):
    """Hardly any contrast: a constant image, fog, the back of a card."""

    name = "flat"
    states = "there is no contrast"
    threshold = 0.8

    def judge(self, gray: Pixels) -> tuple[float, str]:
        """1 - range of grey levels (1st to 99th percentile) / 128."""
        low, high = np.percentile(gray, (1, 99))
        return 1 - (high - low) / 128, f"grey levels {low:.0f} to {high:.0f}"


class BadlyExposed(_PixelCheck):
    """Most of the face is black or white."""

    name = "badly-exposed"
    states = "the face is black or white"

    def judge(self, gray: Pixels) -> tuple[float, str]:
        """Return the share of pixels at or below 16, or at or above 248, whichever is larger."""
        dark, bright = float((gray <= 16).mean()), float((gray >= 248).mean())
        if dark >= bright:
            return dark, f"{dark:.0%} of the face is black"
        return bright, f"{bright:.0%} of the face is white"


class Drawing(_PixelCheck):
    """Cartoons, line drawings, emoji, placards: areas of one tone next to hard edges.

    A photograph's surfaces are never quite even, and its edges are a pixel or two wide; what is
    drawn has both flat areas and hard edges. Judged in the middle of the image, where black
    areas do not count as even, since photographs have shadows. Thresholded and overexposed
    photographs look the same to this check: it is a hint for the reviewer, not a verdict.
    """

    name = "drawing"
    states = "it is drawn, not photographed"
    threshold = 0.45
    needs_faces = False

    def check_image(self, picture: DecodedImage) -> Finding:
        """Score of the whole image."""
        gray = picture.gray
        return self.found(picture.row, *((0.0, "") if gray is None else self.judge(gray)))

    def judge(self, gray: Pixels) -> tuple[float, str]:
        """Geometric mean of "even" and "hard-edged", less what is in between; in [0, 1]."""
        scale = _LONGEST / max(gray.shape)
        if scale < 1:
            size_wh = tuple(max(round(side * scale), 1) for side in gray.shape[::-1])
            gray = np.asarray(cv2.resize(gray, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
        kernel = np.ones((3, 3), np.uint8)
        spread = cv2.dilate(gray, kernel).astype(np.int16) - cv2.erode(gray, kernel)
        top, side = int(gray.shape[0] * 0.15), int(gray.shape[1] * 0.15)
        spread = spread[top : -top or None, side : -side or None]
        lit = gray[top : -top or None, side : -side or None] > 12
        even = float(((spread <= 2) & lit).mean())
        hard = float((spread >= 90).mean())
        between = float(((spread > 2) & (spread < 40)).mean())
        score = (min(even / 0.4, 1) * min(hard / 0.12, 1)) ** 0.5 * (1 - between)
        return min(score, 1.0), f"{even:.0%} even, {hard:.0%} hard edges"
