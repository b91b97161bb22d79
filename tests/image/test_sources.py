"""Images from whatever a program holds, and short errors for what is none."""

import base64
import io
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pyojeong import load_image
from pyojeong.core.errors import BadArray, ImageUnreadable

PIXELS = np.random.default_rng(3).integers(0, 255, (12, 20, 3), np.uint8)


def png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG")
    return out.getvalue()


PNG = png()
TEXT = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "source",
    [
        io.BytesIO(PNG),
        f"data:image/png;base64,{TEXT}",
        f"DATA:;base64,{urllib.parse.quote(TEXT)}",
        "data:image/png," + urllib.parse.quote_from_bytes(PNG),
        torch.from_numpy(PIXELS.copy()),
        torch.from_numpy(PIXELS.transpose(2, 0, 1).copy()),
        torch.from_numpy(PIXELS.transpose(2, 0, 1).copy()).float() / 255,
    ],
    ids=["file", "data URL", "quoted", "percent", "tensor", "channels first", "floats"],
)
def test_it_is_the_same_image(source: object) -> None:
    assert np.array_equal(load_image(source), PIXELS)


def test_gray_tensors() -> None:
    gray = torch.from_numpy(PIXELS[..., 0].copy())
    for tensor in (gray, gray[None], gray[..., None]):
        assert np.array_equal(load_image(tensor)[..., 1], PIXELS[..., 0])


def test_an_open_file_and_one_that_was_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    with (tmp_path / "a.png").open("rb") as file:
        assert np.array_equal(load_image(file), PIXELS)
        with pytest.raises(ImageUnreadable, match=r"seek\(0\)"):
            load_image(file)
    path = tmp_path / "a.png"
    with path.open(encoding="latin-1") as file, pytest.raises(BadArray, match="mode 'rb'"):
        load_image(file)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (TEXT * 100, "b64decode"),
        (TEXT[:220], "b64decode"),
        ("x" * 100_000, "is no path"),
        ("https://example.org/face.jpg", "nothing is downloaded"),
        ("s3://bucket/face.jpg", "nothing is downloaded"),
        (f"data:image/png;base64,{TEXT[:-9]}!", "damaged"),
        (f"data:image/png;base64,{TEXT[:60]}", "data URL"),
    ],
)
def test_text_that_is_no_path_gets_a_short_line(source: str, words: str) -> None:
    with pytest.raises(ImageUnreadable, match=words) as caught:
        load_image(source)
    assert len(str(caught.value)) < 250


def test_what_is_no_image() -> None:
    with pytest.raises(BadArray, match=r"floats in \[0, 1\], got 0 to 255"):
        load_image(torch.arange(256.0).reshape(1, 16, 16))
    with pytest.raises(BadArray, match="got nan"):
        load_image(torch.full((3, 4, 4), float("nan")))
    for nonsense in (None, 3, [PNG], object()):
        with pytest.raises(BadArray, match="data URL"):
            load_image(nonsense)


def test_a_path_that_looks_like_an_address_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:").mkdir()
    (tmp_path / "s3:" / "a.png").write_bytes(PNG)
    assert np.array_equal(load_image("s3://a.png"), PIXELS)
