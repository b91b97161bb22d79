"""Drawing results on a copy of the image, for people to look at.

Every face gets a box in the colour of its expression and, where there is room, a panel with the
answer and the bars of all probabilities. The colours are those of Okabe and Ito (2008, "Color
universal design"), which stay apart for colour-blind readers. An unclear answer looks unclear: its
box is gray and dashed and its bars have no colour.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image as PilImage

from pyojeong.core.errors import BadArray
from pyojeong.core.face import Expression, Face, FrameResult, Image
from pyojeong.image.files import check_image
from pyojeong.output.drawing import Color, Rect, fill, line, mix, stroke, text_width, write
from pyojeong.output.label_layout import Size, chips, corner, panels

COLORS: dict[str, Color] = {
    "angry": (213, 94, 0),  # vermillion
    "disgust": (0, 158, 115),  # bluish green
    "fear": (204, 121, 167),  # reddish purple
    "happy": (240, 228, 66),  # yellow
    "neutral": (86, 180, 233),  # sky blue
    "sad": (0, 114, 178),  # blue
    "surprise": (230, 159, 0),  # orange
    "contempt": (178, 150, 120),
}
"""RGB per expression; the same in every image."""

_PLAIN: Color = (235, 235, 235)  # a face without an expression
_UNCLEAR: Color = (165, 168, 172)
_DARK: Color = (17, 19, 23)
_TEXT: Color = (245, 246, 248)
_DIM: Color = (176, 180, 187)
_TRACK: Color = (70, 75, 84)  # the empty part of a bar

_SMALLEST = 320.0  # images smaller than this (root of their area) are enlarged to it
_MOST_PANELS = 6  # more faces get small labels without bars


@dataclass(frozen=True, slots=True)
class _Look:
    """How one face is shown; lengths are in multiples of the text size."""

    face: Face
    color: Color
    words: bool = True

    @property
    def seen(self) -> Expression | None:
        return self.face.expression

    @property
    def unclear(self) -> bool:
        return self.seen is not None and self.seen.unclear

    @property
    def title(self) -> str:
        return "face" if self.seen is None else self.seen.label

    @property
    def percent(self) -> str:
        return _percent(self.face.score if self.seen is None else self.seen.top[1])

    @property
    def guess(self) -> str:
        """Of an unclear answer: the best label and its score."""
        if self.seen is None or not self.words:
            return self.percent
        return f"{self.seen.top[0]} {self.percent}"

    @property
    def name(self) -> str:
        track = self.face.track_id
        if not self.words:
            return "" if track is None else f"#{track}"
        return self.title if track is None else f"#{track} {self.title}"


def _percent(share: float) -> str:
    return f"{round(100 * share)}%"


def _look(face: Face, *, words: bool = True) -> _Look:
    e = face.expression
    if e is None:
        return _Look(face, _PLAIN, words)
    return _Look(face, _UNCLEAR if e.unclear else COLORS.get(e.top[0], _PLAIN), words)


def annotate(
    image: Image, result: FrameResult, *, keep_size: bool = False, panels: bool = True
) -> Image:
    """Draw a result on a copy of its image.

    Up to six faces get a panel with bars if there is room for all panels; otherwise each face gets
    a small label. For a single face without room for its panel, the image is extended by a strip.
    Very small images are enlarged first.

    Args:
        image: uint8 (H, W, 3) RGB, the image of ``result``.
        result: Result to draw.
        keep_size: Never enlarge or extend the image, as for frames of a video.
        panels: Draw panels with bars if there is room; False: draw small labels only.

    Returns:
        uint8 (H', W', 3) RGB. H' = H and W' = W with ``keep_size``, and for images that are large
        enough and have room for the panels.

    Raises:
        BadArray: When ``image`` is not such an array, or its size differs from the result, for
            example because another library did not apply the EXIF rotation.

    Example:
        >>> from pyojeong import Analyzer, annotate, load_image
        >>> image = load_image("photo.jpg")
        >>> annotate(image, Analyzer().analyze(image)).dtype
        dtype('uint8')
    """
    canvas = _fitting(check_image(image), result).copy()
    looks = [_look(face) for face in result.faces]
    if not looks:
        return canvas
    factor = 1.0
    height, width = canvas.shape[:2]
    if not keep_size and height * width < _SMALLEST**2:
        factor = _SMALLEST / (height * width) ** 0.5
        width, height = max(round(width * factor), 1), max(round(height * factor), 1)
        how = PilImage.Resampling.BICUBIC
        canvas = np.array(PilImage.fromarray(canvas).resize((width, height), how))
    boxes = [_visible(look.face, factor, (width, height)) for look in looks]
    text = max(0.018 * (height * width) ** 0.5, 12.0 if keep_size else 13.0)
    if not panels:
        _with_chips(canvas, looks, boxes, text)
        return canvas
    for size in (text, max(0.85 * text, 12.0), max(0.7 * text, 12.0)):
        if _with_panels(canvas, looks, boxes, size):
            return canvas
    if len(looks) == 1 and looks[0].seen is not None:
        if not keep_size:
            return _with_strip(canvas, looks[0], boxes[0], text)
        text *= 0.85
        place = corner(boxes[0], _panel_size(looks[0], text), (width, height), text / 2)
        if place is not None:
            _draw_box(canvas, looks[0], boxes[0], text)
            _draw_panel(canvas, looks[0], place, text)
            return canvas
        text /= 0.85
    _with_chips(canvas, looks, boxes, text)
    return canvas


def annotate_numbers(image: Image, result: FrameResult) -> Image:
    """Draw boxes with numbers and scores, without words, on a copy of an image of the same size.

    Args:
        image: uint8 (H, W, 3) RGB, the image that ``result`` is about.
        result: What to draw.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        BadArray: As ``annotate``.
    """
    canvas = _fitting(check_image(image), result).copy()
    looks = [_look(face, words=False) for face in result.faces]
    height, width = canvas.shape[:2]
    boxes = [_visible(look.face, 1.0, (width, height)) for look in looks]
    if looks:
        _with_chips(canvas, looks, boxes, max(0.018 * (height * width) ** 0.5, 12.0))
    return canvas


def _fitting(image: Image, result: FrameResult) -> Image:
    """Refuse an image on which the boxes of a result would be in wrong places."""
    size = (image.shape[1], image.shape[0])
    if tuple(result.size_wh) != size:
        raise BadArray(
            f"image of {result.source}",
            expected="{} x {} pixels as the result says".format(*result.size_wh),
            got="{} x {}".format(*size),
            cure="Read the image with pyojeong.load_image, which turns it as its EXIF data say.",
        )
    return image


def _visible(face: Face, factor: float, size_wh: tuple[int, int]) -> Rect:
    """Return the part of a face's box inside the (enlarged) image; at least one pixel."""
    width, height = size_wh
    x1, y1, x2, y2 = (v * factor for v in face.box.xyxy)
    x1, y1 = min(max(x1, 0.0), width - 1.0), min(max(y1, 0.0), height - 1.0)
    return x1, y1, max(min(x2, width), x1 + 1), max(min(y2, height), y1 + 1)


def _with_panels(canvas: Image, looks: list[_Look], boxes: list[Rect], text: float) -> bool:
    """Draw everybody's panel at this text size; False, and nothing drawn, when one has no room."""
    if len(looks) > _MOST_PANELS or any(look.seen is None for look in looks):
        return False
    frame_wh = (canvas.shape[1], canvas.shape[0])
    places = panels(boxes, [_panel_size(look, text) for look in looks], frame_wh, text)
    if places is None:
        return False
    for look, box, place in zip(looks, boxes, places, strict=True):
        _draw_box(canvas, look, box, text)
        line(canvas, *_between(box, place), look.color, width=_line_width(text))
    for look, place in zip(looks, places, strict=True):
        _draw_panel(canvas, look, place, text)
    return True


def _between(box: Rect, place: Rect) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return ends of the short line that joins a box and its panel."""
    across = max(box[0], place[0]), min(box[2], place[2])
    down = max(box[1], place[1]), min(box[3], place[3])
    if across[0] < across[1]:
        x = sum(across) / 2
        return ((x, box[3]), (x, place[1])) if place[1] > box[1] else ((x, box[1]), (x, place[3]))
    y = sum(down) / 2
    return ((box[2], y), (place[0], y)) if place[0] > box[0] else ((box[0], y), (place[2], y))


def _with_strip(canvas: Image, look: _Look, box: Rect, text: float) -> Image:
    """Put the panel of a single face on a strip added at the right of the image, or below."""
    height, width = canvas.shape[:2]
    w, h = _panel_size(look, text)
    gap = text / 2
    below = width > 2 * height
    strip = int(np.ceil((h if below else w) + 2 * gap))
    least = int(np.ceil((w if below else h) + 2 * gap))
    size_wh = (max(width, least), height + strip) if below else (width + strip, max(height, least))
    out = np.full((size_wh[1], size_wh[0], 3), _DARK, np.uint8)
    out[:height, :width] = canvas
    _draw_box(out[:height, :width], look, box, text)
    cx, cy = (box[0] + box[2] - w) / 2, (box[1] + box[3] - h) / 2
    x = min(max(cx, gap), size_wh[0] - gap - w) if below else width + gap
    y = height + gap if below else min(max(cy, gap), size_wh[1] - gap - h)
    _draw_panel(out, look, (x, y, x + w, y + h), text)
    return out


def _with_chips(canvas: Image, looks: list[_Look], boxes: list[Rect], text: float) -> None:
    sizes = [_chip_text(box, text) for box in boxes]
    frame_wh = (canvas.shape[1], canvas.shape[0])
    sizes_wh = [_chip_size(look, size) for look, size in zip(looks, sizes, strict=True)]
    places = chips(boxes, sizes_wh, frame_wh, _line_width(text) * 1.5)
    for look, box, size in zip(looks, boxes, sizes, strict=True):
        _draw_box(canvas, look, box, size)
    for look, place, size in zip(looks, places, sizes, strict=True):
        _draw_chip(canvas, look, place, size)


def _line_width(text: float) -> float:
    return max(2.0, 0.16 * text)


def _draw_box(canvas: Image, look: _Look, box: Rect, text: float) -> None:
    width = _line_width(text)
    room = width / 2
    limits = (canvas.shape[1] - room, canvas.shape[0] - room)
    x1, y1 = max(box[0], room), max(box[1], room)
    rect = (x1, y1, max(min(box[2], limits[0]), x1), max(min(box[3], limits[1]), y1))
    radius = min(0.6 * text, (rect[2] - rect[0]) / 6, (rect[3] - rect[1]) / 6)
    dash = max(0.7 * text, 3 * width) if look.unclear else 0.0
    # A dark line underneath keeps bright colours visible on bright images.
    stroke(canvas, rect, _DARK, width=2 * width, radius=radius, alpha=0.65)
    stroke(canvas, rect, look.color, width=width, radius=radius, dash=dash)


def _chip_text(box: Rect, text: float) -> float:
    return min(text, max((box[2] - box[0]) / 5.5, 0.7 * text, 10.0))


def _chip_size(look: _Look, text: float) -> Size:
    width = text_width(look.name, text) + 2.55 * text
    if look.unclear:
        return width + text_width(look.guess, 0.82 * text) + 0.15 * text, 1.55 * text
    return width + text_width(look.percent, text), 1.55 * text


def _draw_chip(canvas: Image, look: _Look, place: Rect, text: float) -> None:
    x1, y1, x2, y2 = place
    fill(canvas, place, _DARK, radius=(y2 - y1) / 2, alpha=0.82)
    base = (y1 + y2) / 2 + 0.35 * text
    _draw_mark(canvas, look, (x1 + 0.85 * text, (y1 + y2) / 2), text)
    write(canvas, (x1 + 1.45 * text, base), look.name, _TEXT, size=text)
    end = (x2 - 0.65 * text, base)
    if look.unclear:
        write(canvas, end, look.guess, _DIM, size=0.82 * text, right=True)
    else:
        write(canvas, end, look.percent, _TEXT, size=text, right=True)


def _draw_mark(canvas: Image, look: _Look, centre: tuple[float, float], text: float) -> None:
    """Draw a dot in the face's colour; for an unclear answer a question mark in it."""
    x, y = centre
    half = (0.46 if look.unclear else 0.34) * text
    fill(canvas, (x - half, y - half, x + half, y + half), look.color, radius=half)
    if look.unclear:
        size = 0.78 * text
        start = (x - text_width("?", size) / 2, y + 0.36 * size)
        write(canvas, start, "?", _DARK, size=size, bold=True)


def _panel_size(look: _Look, text: float) -> Size:
    if look.seen is None:
        return _chip_size(look, text)
    names = max(text_width(name, 0.92 * text) for name in look.seen.label_set.names)
    width = names + text_width("100%", 0.86 * text) + 7.6 * text
    head = text_width(f"{look.name} 100%", 1.2 * text, bold=True) + 3.6 * text
    rows = 1.32 * len(look.seen.label_set)
    return max(width, head), (rows + (4.15 if look.unclear else 3.05)) * text


def _draw_panel(canvas: Image, look: _Look, place: Rect, text: float) -> None:
    """Draw the answer in large letters, and a bar for every label in the label set's order."""
    seen = look.seen
    if seen is None:
        return
    x1, y1, x2, _ = place
    left, right = x1 + 0.85 * text, x2 - 0.75 * text
    fill(canvas, place, _DARK, radius=0.6 * text, alpha=0.88)
    stroke(canvas, place, look.color, width=max(1.0, 0.07 * text), radius=0.6 * text, alpha=0.9)
    base = y1 + 1.65 * text
    _draw_mark(canvas, look, (left + 0.4 * text, base - 0.42 * text), 1.2 * text)
    write(canvas, (left + 1.3 * text, base), look.name, _TEXT, size=1.2 * text, bold=True)
    y = y1 + 2.95 * text
    if look.unclear:
        write(canvas, (left + 1.3 * text, base + 1.2 * text), f"maybe {look.guess}", _DIM,
              size=0.86 * text)  # fmt: skip
        y += 1.1 * text
    else:
        write(canvas, (right, base), look.percent, _TEXT, size=1.2 * text, bold=True, right=True)
    names = max(text_width(n, 0.92 * text) for n in seen.label_set.names)
    bar = (left + names + 0.6 * text, right - text_width("100%", 0.86 * text) - 0.5 * text)
    for label, share in seen.by_label().items():
        best = label == seen.top[0]
        ink = _TEXT if best and not look.unclear else _DIM
        base, middle = y + 0.32 * text, y
        write(canvas, (left, base), label, ink, size=0.92 * text)
        write(canvas, (right, base), _percent(share), ink, size=0.86 * text, right=True)
        color = COLORS.get(label, _PLAIN)
        color = _UNCLEAR if look.unclear else mix(color, _DARK, 0.0 if best else 0.25)
        _draw_bar(
            canvas, (bar[0], middle - 0.27 * text, bar[1], middle + 0.27 * text), share, color
        )
        y += 1.32 * text


def _draw_bar(canvas: Image, rect: Rect, share: float, color: Color) -> None:
    radius = (rect[3] - rect[1]) / 2
    fill(canvas, rect, _TRACK, radius=radius)
    # The full bar, painted through a window that ends where the share does: even 1% is to scale.
    end = round(rect[0] + (rect[2] - rect[0]) * min(share, 1.0))
    fill(canvas[:, : max(end, 0)], rect, color, radius=radius)
