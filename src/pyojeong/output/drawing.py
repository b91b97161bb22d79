"""Anti-aliased shapes and text, painted into RGB pixels in place.

Shapes are computed from their signed distance (Quilez, "2D distance functions"), so edges are
smooth at any size, and only the pixels near a shape are touched. Text is Pillow's built-in font,
drawn enlarged and averaged down: that spaces letters evenly, also at ten pixels.

Rectangles are (x1, y1, x2, y2) in pixels, corner origin; whatever leaves the image is cut off.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from pyojeong.core.face import Image

Rect = tuple[float, float, float, float]
Color = tuple[int, int, int]
Floats = NDArray[np.float32]


def mix(color: Color, other: Color, share: float) -> Color:
    """``color`` with ``share`` of it replaced by ``other``."""
    r, g, b = (round(c + (o - c) * share) for c, o in zip(color, other, strict=True))
    return r, g, b


def fill(image: Image, rect: Rect, color: Color, *, radius: float = 0, alpha: float = 1) -> None:
    """Fill a rectangle with rounded corners."""
    x1, y1, x2, y2 = rect
    window = _window(image, (x1 - 1, y1 - 1, x2 + 1, y2 + 1))
    if window is not None:
        _blend(image, window, np.clip(0.5 - _distance(window, rect, radius), 0, 1) * alpha, color)


def stroke(
    image: Image,
    rect: Rect,
    color: Color,
    *,
    width: float,
    radius: float = 0,
    dash: float = 0,
    alpha: float = 1,
) -> None:
    """Draw the outline of a rectangle with rounded corners, its line centred on the edge.

    Args:
        image: uint8 (H, W, 3), painted in place.
        rect: The rectangle.
        color: RGB.
        width: Of the line, in pixels.
        radius: Of the corners, in pixels.
        dash: Length of a dash and of the gap after it; 0 = a solid line.
        alpha: Opacity in [0, 1].
    """
    x1, y1, x2, y2 = rect
    out = width / 2 + 1
    inner = max(radius, width) + out  # the line and its corners lie within this of the edge
    if 2 * inner >= min(x2 - x1, y2 - y1):
        parts = [(x1 - out, y1 - out, x2 + out, y2 + out)]
    else:
        top, bottom = round(y1 + inner), round(y2 - inner)
        parts = [
            (x1 - out, y1 - out, x2 + out, top),
            (x1 - out, bottom, x2 + out, y2 + out),
            (x1 - out, top, round(x1 + inner), bottom),
            (round(x2 - inner), top, x2 + out, bottom),
        ]
    for part in parts:
        window = _window(image, part)
        if window is None:
            continue
        edge = np.abs(_distance(window, rect, radius))
        cover = np.clip(width / 2 + 0.5 - edge, 0, 1) * alpha
        if dash > 0:
            cover = cover * _dashes(window, rect, radius, dash)
        _blend(image, window, cover, color)


def line(image: Image, a: tuple[float, float], b: tuple[float, float], color: Color, *,
         width: float) -> None:  # fmt: skip
    """Draw a straight line with round ends."""
    (ax, ay), (bx, by) = a, b
    out = width / 2 + 1
    box = (min(ax, bx) - out, min(ay, by) - out, max(ax, bx) + out, max(ay, by) + out)
    window = _window(image, box)
    if window is None:
        return
    x, y = _centres(window)
    length2 = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
    along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2, 0, 1)
    distance = np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))
    _blend(image, window, np.clip(width / 2 + 0.5 - distance, 0, 1), color)


Window = tuple[int, int, int, int]


def _window(image: Image, rect: Rect) -> Window | None:
    """Return the whole pixels of a rectangle inside the image; None when there are none."""
    height, width = image.shape[:2]
    x1, y1 = max(int(np.floor(rect[0])), 0), max(int(np.floor(rect[1])), 0)
    x2, y2 = min(int(np.ceil(rect[2])), width), min(int(np.ceil(rect[3])), height)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _centres(window: Window) -> tuple[Floats, Floats]:
    x1, y1, x2, y2 = window
    x = np.arange(x1, x2, dtype=np.float32)[None, :] + np.float32(0.5)
    y = np.arange(y1, y2, dtype=np.float32)[:, None] + np.float32(0.5)
    return x, y


def _distance(window: Window, rect: Rect, radius: float) -> Floats:
    """Signed distance of the pixels' centres to the rounded rectangle, negative inside."""
    x, y = _centres(window)
    x1, y1, x2, y2 = rect
    radius = min(radius, (x2 - x1) / 2, (y2 - y1) / 2)
    qx = np.abs(x - (x1 + x2) / 2) - ((x2 - x1) / 2 - radius)
    qy = np.abs(y - (y1 + y2) / 2) - ((y2 - y1) / 2 - radius)
    outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0))
    return np.asarray(outside + np.minimum(np.maximum(qx, qy), 0) - radius, np.float32)


def _dashes(window: Window, rect: Rect, radius: float, dash: float) -> Floats:
    """1 on dashes, 0 on gaps; corners are always on, and every edge starts and ends with a dash."""
    x, y = _centres(window)
    x1, y1, x2, y2 = rect
    on_x, on_y = (_wave(v - a, b - a, radius, dash) for v, a, b in ((x, x1, x2), (y, y1, y2)))
    along_x = (x > x1 + radius) & (x < x2 - radius)
    along_y = (y > y1 + radius) & (y < y2 - radius)
    near_side = np.minimum(np.abs(x - x1), np.abs(x - x2))
    near_top = np.minimum(np.abs(y - y1), np.abs(y - y2))
    horizontal = along_x & (~along_y | (near_top < near_side))
    return np.where(horizontal, on_x, np.where(along_y, on_y, np.float32(1)))


def _wave(along: Floats, length: float, radius: float, dash: float) -> Floats:
    straight = max(length - 2 * radius, 1e-3)
    turn = 2 * np.pi * max(round(straight / (2 * dash)), 1) / straight
    return np.asarray(np.clip(0.5 + np.cos((along - radius) * turn) / turn, 0, 1), np.float32)


def _blend(image: Image, window: Window, cover: NDArray[np.floating], color: Color) -> None:
    x1, y1, x2, y2 = window
    part = image[y1:y2, x1:x2]
    new = part + (np.array(color, np.float32) - part) * cover[..., None]
    part[:] = np.rint(new).astype(np.uint8)


_SHARP = 48  # enlarged letters need not be larger than this many pixels


def _enlargement(size: float) -> int:
    return max(1, min(4, int(np.ceil(_SHARP / size))))


@lru_cache(maxsize=64)
def _font(pixels: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(pixels)
    assert isinstance(font, ImageFont.FreeTypeFont)  # noqa: S101 - the other kind has no size
    return font


@lru_cache(maxsize=512)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a line of text in pixels; ``size`` is the font's height."""
    k = _enlargement(size)
    font = _font(round(size * k))
    if bold:
        return sum(font.getlength(c) + _weight(size * k) for c in text) / k
    return font.getlength(text) / k


def _weight(pixels: float) -> int:
    """By how much bold letters grow on every side; their spacing grows alike."""
    return max(1, round(pixels / 40))


@lru_cache(maxsize=512)
def _mask(text: str, size: float, bold: bool) -> Floats:
    """Coverage (h, w) of a line of text; its baseline is ``size`` below the top, 2 px to spare."""
    k = _enlargement(size)
    font = _font(round(size * k))
    heavy = _weight(size * k) if bold else 0
    w = int(np.ceil(text_width(text, size, bold=bold) + size / 4)) + 4
    picture = PilImage.new("L", (w * k, (int(np.ceil(size * 1.4)) + 4) * k))
    draw, x = ImageDraw.Draw(picture), 2.0 * k
    for part in text if bold else (text,):
        draw.text((x, (2 + size) * k), part, 255, font, anchor="ls", stroke_width=heavy)
        x += font.getlength(part) + heavy
    mask = np.asarray(picture.reduce(k) if k > 1 else picture, np.float32) / np.float32(255)
    mask.setflags(write=False)
    return mask


def write(
    image: Image, xy: tuple[float, float], text: str, color: Color, *, size: float,
    bold: bool = False, right: bool = False,
) -> None:  # fmt: skip
    """Write one line of text.

    Args:
        image: uint8 (H, W, 3), painted in place.
        xy: Start of the baseline; with ``right`` its end.
        text: The line.
        color: RGB.
        size: Height of the font in pixels.
        bold: Heavier letters.
        right: Align to the right.
    """
    mask = _mask(text, size, bold)
    x, y = xy[0] - (text_width(text, size, bold=bold) if right else 0), xy[1]
    left, top = round(x) - 2, round(y - size) - 2
    window = _window(image, (left, top, left + mask.shape[1], top + mask.shape[0]))
    if window is not None:
        x1, y1, x2, y2 = window
        _blend(image, window, mask[y1 - top : y2 - top, x1 - left : x2 - left], color)
