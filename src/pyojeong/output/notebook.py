"""What a notebook shows of a result: the image with its faces, and the scores as bars.

Only inline styles and the notebook's own text colour, so that it reads well on dark pages too.
"""

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from pyojeong.core.errors import PyojeongError
from pyojeong.core.face import Box, Expression, Face, FrameResult, Image, Landmarks
from pyojeong.image.files import decode_image, read_image
from pyojeong.image.resize import shrunk
from pyojeong.output.escaping import escaped
from pyojeong.output.media import annotate
from pyojeong.output.timeline_svg import color_of

_SIDE = 420  # longer side of the image in pixels, at most
MOST_FACES = 6
"""Faces of which bars are shown."""

_BAR = (
    '<div style="flex:1;background:rgba(128,128,128,.25);border-radius:3px;height:10px">'
    '<div style="width:{percent:.1f}%;background:{color};border-radius:3px;height:10px">'
    "</div></div>"
)


def result_html(result: FrameResult) -> str:
    """Return a result as HTML: its image where that is at hand, and bars of up to six faces.

    Args:
        result: From ``Analyzer.analyze``. A file is read again; of an array, bytes or PIL image
            the result holds a small copy; frames of clips are shown without their image.
    """
    where = escaped(result.source)
    if result.index or result.time_s:
        where += f", frame {result.index} at {result.time_s:.2f} s"
    if result.error:
        return f"<div><b>not read</b> {escaped(result.error)}</div>"
    image = _image_of(result)
    shown = "" if image is None else _img(image, result)
    count = len(result.faces)
    faces = "no face" if not count else "1 face" if count == 1 else f"{count} faces"
    bars = "".join(_bars(face, number) for number, face in enumerate(result.faces[:MOST_FACES], 1))
    more = count - MOST_FACES
    rest = f"<div>and {more} more in <code>to_dataframe</code></div>" if more > 0 else ""
    return (
        f'<div style="font-family:sans-serif;font-size:13px"><div>{where}: {faces}</div>'
        '<div style="display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start;'
        f'margin-top:6px">{shown}{bars}</div>{rest}</div>'
    )


def _image_of(result: FrameResult) -> Image | None:
    if result.preview:
        return decode_image(result.preview)
    if result.index or result.time_s or not Path(result.source).is_file():
        return None
    try:
        image = read_image(result.source, notes=[])
    except PyojeongError:
        return None  # a clip, or a file that has changed
    size = (image.shape[1], image.shape[0])
    return shrunk(image, _SIDE) if size == tuple(result.size_wh) else None


def scaled(result: FrameResult, size_wh: tuple[int, int]) -> FrameResult:
    """Return a result in the pixels of a smaller or larger copy of its image."""
    across, down = (new / max(old, 1) for new, old in zip(size_wh, result.size_wh, strict=True))

    def fitted(face: Face) -> Face:
        b, marks = face.box, face.landmarks
        box = Box(b.x1 * across, b.y1 * down, b.x2 * across, b.y2 * down)
        if marks is not None:
            marks = Landmarks(marks.points * np.array([across, down], np.float32))
        return replace(face, box=box, landmarks=marks)

    return replace(result, size_wh=size_wh, faces=tuple(map(fitted, result.faces)))


def _img(image: Image, result: FrameResult) -> str:
    size = (image.shape[1], image.shape[0])
    drawn = annotate(image, scaled(result, size), panels=False)
    out = io.BytesIO()
    PilImage.fromarray(drawn).save(out, "JPEG", quality=88)
    data = base64.b64encode(out.getvalue()).decode()
    alt = escaped(f"{result.source} with its faces")
    return f'<img src="data:image/jpeg;base64,{data}" alt="{alt}" style="max-width:100%">'


def _bars(face: Face, number: int) -> str:
    name = f"face {number}" if face.track_id is None else f"person {face.track_id}"
    expression = face.expression
    if expression is None:
        return f"<div><b>{name}</b>: not read</div>"
    rows = "".join(_row(expression, label, share) for label, share in expression.by_label().items())
    return (
        f'<div style="width:230px"><div><b>{name}: {escaped(expression.label)}</b></div>'
        f"{rows}</div>"
    )


def _row(expression: Expression, label: str, share: float) -> str:
    color = color_of("unclear" if expression.unclear else label)
    weight = "bold" if label == expression.top[0] and not expression.unclear else "normal"
    return (
        '<div style="display:flex;align-items:center;gap:6px">'
        f'<span style="width:64px;font-weight:{weight}">{escaped(label)}</span>'
        f"{_BAR.format(percent=100 * share, color=color)}"
        f'<span style="width:36px;text-align:right">{share:.0%}</span></div>'
    )
