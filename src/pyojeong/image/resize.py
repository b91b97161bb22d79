"""Small copies of images."""

import cv2
import numpy as np

from pyojeong.core.face import Image

PREVIEW_SIDE = 320
"""Longer side of a preview in pixels, at most."""
_QUALITY = 85


def shrunk(image: Image, side: int) -> Image:
    """Return a copy of an image with at most ``side`` pixels a side: uint8 (h, w, 3)."""
    longer = max(image.shape[:2])
    if longer <= side:
        return image.copy()
    # Of very large images every so many pixels are enough, and ten times as fast.
    step = max(longer // (4 * side), 1)
    image = np.ascontiguousarray(image[::step, ::step])
    factor = side / max(image.shape[:2])
    size = (max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def preview_of(image: Image) -> bytes:
    """Return a small copy of an image as JPEG."""
    small = cv2.cvtColor(shrunk(image, PREVIEW_SIDE), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes() if done else b""
