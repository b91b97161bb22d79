"""Corruptions of cut-out faces, to measure the robustness of a model.

Each disturbance is a function of the crop alone (noise takes its seed from the crop's number), so
that every model and every run sees the same pixels. Sizes are fractions of the crop's side.
"""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from pyojeong.image.preprocess import Matrix, Pixels, warp

Corrupt = Callable[[Pixels, int], Pixels]
"""A crop, uint8 (H, W) or (H, W, 3), and its number -> the disturbed crop."""


def light(crop: Pixels, _: int, *, factor: float) -> Pixels:
    """Return all pixels times a factor, cut off at 255."""
    return np.asarray(np.clip(crop.astype(np.float32) * factor, 0, 255).round(), np.uint8)


def flat(crop: Pixels, _: int, *, contrast: float) -> Pixels:
    """Contrast about the mean."""
    mean = crop.mean()
    return np.asarray((mean + (crop.astype(np.float32) - mean) * contrast).round(), np.uint8)


def blur(crop: Pixels, _: int, *, sigma: float) -> Pixels:
    """Gaussian blur, sigma as a fraction of the side."""
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma * crop.shape[0]), np.uint8)


def jpeg(crop: Pixels, _: int, *, quality: int) -> Pixels:
    """Written as JPEG and read again (the order of colours does not matter to it here)."""
    done, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done  # noqa: S101 - a JPEG of any image can be made in memory
    mode = cv2.IMREAD_GRAYSCALE if crop.ndim == 2 else cv2.IMREAD_COLOR
    return np.asarray(cv2.imdecode(data, mode), np.uint8)


def small(crop: Pixels, _: int, *, side: int) -> Pixels:
    """Return the face as it would be in an image where it is so many pixels wide."""
    return np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def noise(crop: Pixels, number: int, *, sigma: float) -> Pixels:
    """Independent Gaussian noise in grey levels."""
    drawn = np.random.default_rng(number).normal(0, sigma, crop.shape)
    return np.asarray(np.clip(crop + drawn, 0, 255).round(), np.uint8)


def cover(crop: Pixels, _: int, *, box: tuple[float, float, float, float]) -> Pixels:
    """Return a mid-grey rectangle (x1, y1, x2, y2) in front of a part of the face."""
    h, w = crop.shape[:2]
    x1, y1, x2, y2 = (round(v * s) for v, s in zip(box, (w, h, w, h), strict=True))
    out = crop.copy()
    out[y1:y2, x1:x2] = 128
    return out


def framed(
    crop: Pixels, _: int, *, scale: float = 1, turn_deg: float = 0, shift: float = 0
) -> Pixels:
    """Cut out closer (scale > 1), turned, or moved down and right: a detector's error."""
    h, w = crop.shape[:2]
    cos, sin = (scale * f(np.radians(turn_deg)) for f in (np.cos, np.sin))
    linear = np.array([[cos, -sin], [sin, cos]])
    centre = np.array([w / 2, h / 2])
    matrix: Matrix = np.column_stack([linear, centre * (1 + 2 * shift) - linear @ centre])
    return warp(crop, matrix, (h, w))


CORRUPTIONS: dict[str, dict[str, Corrupt]] = {
    "light": {
        "0.3": partial(light, factor=0.3),
        "0.6": partial(light, factor=0.6),
        "1.6": partial(light, factor=1.6),
    },
    "contrast": {"0.5": partial(flat, contrast=0.5), "0.25": partial(flat, contrast=0.25)},
    "blur, sigma in % of the side": {
        "2": partial(blur, sigma=0.02),
        "4": partial(blur, sigma=0.04),
    },
    "JPEG quality": {"30": partial(jpeg, quality=30), "10": partial(jpeg, quality=10)},
    "face, px": {str(n): partial(small, side=n) for n in (32, 24, 16, 12)},
    "noise, grey levels": {"8": partial(noise, sigma=8), "20": partial(noise, sigma=20)},
    "covered": {
        "eyes": partial(cover, box=(0.1, 0.25, 0.9, 0.5)),
        "mouth": partial(cover, box=(0.2, 0.65, 0.8, 0.95)),
        "one half": partial(cover, box=(0.5, 0.0, 1.0, 1.0)),
    },
    "framing": {
        "15 % closer": partial(framed, scale=1.15),
        "15 % wider": partial(framed, scale=0.87),
        "turned 15 degrees": partial(framed, turn_deg=15),
        "moved 6 %": partial(framed, shift=0.06),
    },
}
"""Slice -> level -> disturbance."""
