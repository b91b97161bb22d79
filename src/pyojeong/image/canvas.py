"""Fitting whole images into the sizes that detectors take, and finding the way back.

The aspect ratio is kept as far as whole pixels allow. Images are first halved by averaging
2 x 2 pixels as often as it fits, and then resized bilinearly by the rest, which is less than two:
a large image hardly aliases on its way to a small input.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Image


@dataclass(frozen=True, slots=True)
class Canvas:
    """An image resized and laid on a background.

    Attributes:
        pixels: uint8 (h, w, 3) RGB.
        scale_xy: Canvas pixels per frame pixel, across and down.
        offset_xy: Where the frame's top-left corner lies, in canvas pixels.
    """

    pixels: Image
    scale_xy: tuple[float, float]
    offset_xy: tuple[float, float]

    def to_frame(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Canvas coordinates as frame coordinates: (..., 2) x, y points, or (N, 4) boxes."""
        repeat = points.shape[-1] // 2
        offset = np.array(self.offset_xy * repeat)
        return np.asarray((points - offset) / np.array(self.scale_xy * repeat), np.float64)


def fit(image: Image, size_wh: tuple[int, int], *, room: float = 1.0, fill: int = 0) -> Canvas:
    """Lay an image in the middle of a canvas, as large as it fits.

    Args:
        image: uint8 (H, W, 3).
        size_wh: Width and height of the canvas.
        room: The image takes 1 / room of the canvas; 1.5 leaves a border of a quarter of the
            image's side all around.
        fill: Grey value of the background.
    """
    width, height = size_wh
    h, w = image.shape[:2]
    scale = min(width / w, height / h) / room
    new_wh = (min(max(round(w * scale), 1), width), min(max(round(h * scale), 1), height))
    pixels, scale_xy = _resize(image, new_wh)
    if new_wh == size_wh:
        return Canvas(pixels, scale_xy, (0, 0))
    left, top = (width - new_wh[0]) // 2, (height - new_wh[1]) // 2
    background = np.full((height, width, 3), fill, np.uint8)
    background[top : top + new_wh[1], left : left + new_wh[0]] = pixels
    return Canvas(background, scale_xy, (left, top))


def scaled(image: Image, scale: float) -> Canvas:
    """Return an image resized by a factor, to at least one pixel."""
    h, w = image.shape[:2]
    pixels, scale_xy = _resize(image, (max(round(w * scale), 1), max(round(h * scale), 1)))
    return Canvas(pixels, scale_xy, (0, 0))


def _resize(image: Image, size_wh: tuple[int, int]) -> tuple[Image, tuple[float, float]]:
    """Return the image at another size, and canvas pixels per frame pixel across and down.

    It is halved as long as it stays large enough (an odd last row or column falls off each time):
    OpenCV averages 2 x 2 pixels five times faster than any other number.
    """
    scale_x, scale_y = 1.0, 1.0
    while True:
        h, w = image.shape[:2]
        kx, ky = 1 + (w // 2 >= size_wh[0]), 1 + (h // 2 >= size_wh[1])
        if kx * ky == 1:
            break
        even = image[: h // ky * ky, : w // kx * kx]
        half_wh = (w // kx, h // ky)
        image = np.asarray(cv2.resize(even, half_wh, interpolation=cv2.INTER_AREA), np.uint8)
        scale_x, scale_y = scale_x / kx, scale_y / ky
    scale_xy = (scale_x * size_wh[0] / w, scale_y * size_wh[1] / h)
    if size_wh != (w, h):
        image = np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
    return image, scale_xy
