"""What a notebook shows: the face, its scores, and names as text."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyojeong import Analyzer, FrameResult, load_image
from pyojeong.runtime.golden import PICTURES

ASTRONAUT = PICTURES / "astronaut.jpg"


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(threads=1)


def shown(html: str) -> np.ndarray | None:
    found = re.search(r'src="data:image/jpeg;base64,([^"]+)"', html)
    if found is None:
        return None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))))


@pytest.mark.parametrize("kind", ["path", "array", "bytes", "PIL"])
def test_a_cell_shows_the_face_and_bars(analyzer: Analyzer, kind: str) -> None:
    with Image.open(ASTRONAUT) as opened:
        opened.load()
        sources = {
            "path": ASTRONAUT,
            "array": load_image(ASTRONAUT),
            "bytes": ASTRONAUT.read_bytes(),
            "PIL": opened.copy(),
        }
    result = analyzer.analyze(sources[kind])
    html = result._repr_html_()
    image = shown(html)
    assert image is not None
    assert 300 <= max(image.shape) <= 420
    plain = np.asarray(Image.open(ASTRONAUT).resize(image.shape[1::-1]))
    changed = np.abs(image.astype(int) - plain).max(2) > 60
    box = np.array(result.faces[0].box.xyxy) * image.shape[0] / 512
    x1, y1, _, y2 = box.round().astype(int)
    assert changed[y1:y2, x1 - 2 : x1 + 3].mean() > 0.2, "the left side of the box"
    assert changed[:, : x1 // 2].mean() < 0.02
    assert "face 1: happy" in html
    assert html.count("width:64px") == 7


def test_frames_of_clips_files_that_are_gone_and_errors(analyzer: Analyzer, tmp_path: Path) -> None:
    one = analyzer.analyze(ASTRONAUT)
    clip = replace(one, source="clip.mp4", index=3, time_s=0.5)
    assert shown(clip._repr_html_()) is None
    assert "frame 3 at 0.50 s" in clip._repr_html_()
    other = tmp_path / "other.png"
    Image.new("RGB", (20, 20)).save(other)
    assert shown(replace(one, source=str(other))._repr_html_()) is None, "another size"
    failed = FrameResult("<b>.jpg", 0, 0.0, (0, 0), error="<b>.jpg: no such file")
    assert "&lt;b&gt;.jpg: no such file" in failed._repr_html_()
    assert "<script>" not in replace(one, source="<script>.jpg")._repr_html_()


def test_many_faces_and_none(analyzer: Analyzer) -> None:
    one = analyzer.analyze(ASTRONAUT)
    many = replace(one, faces=one.faces * 9)._repr_html_()
    assert "9 faces" in many
    assert "and 3 more" in many
    assert ": no face<" in replace(one, faces=())._repr_html_()
    bare = replace(one.faces[0], expression=None)
    assert "not read" in replace(one, faces=(bare,))._repr_html_()
