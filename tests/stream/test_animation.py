"""Animations and rows of images as clips."""

import io

import pytest
from PIL import Image

from pyojeong.core.file_kinds import CLIPS
from pyojeong.core.file_search import search_folder
from pyojeong.stream.source import Clip


def test_a_gif_without_times_of_its_images_is_read_whole(tmp_path):
    """FFmpeg puts images without a graphic control extension into one packet with the next."""
    frames = [Image.new("RGB", (64, 48), (40 * i, 0, 0)) for i in range(6)]
    frames[0].save(tmp_path / "g.gif", save_all=True, append_images=frames[1:])
    with Clip(tmp_path / "g.gif") as clip:
        got = list(clip)
    assert [round(f.time_s, 3) for f in got] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert clip.error == ""
    assert [int(f.pixels()[0, 0, 0]) // 40 for f in got] == [0, 1, 2, 3, 4, 5]
    frames[0].save(tmp_path / "h.gif", save_all=True, append_images=frames[1:], loop=0,
                   duration=[50, 50, 100, 200, 100, 50])  # fmt: skip
    with Clip(tmp_path / "h.gif") as clip:
        assert len(list(clip)) == 6


def test_a_row_of_jpeg_images_is_a_clip(tmp_path):
    data = b""
    for i in range(5):
        out = io.BytesIO()
        Image.new("RGB", (64, 48), (50 * i, 0, 0)).save(out, "JPEG")
        data += out.getvalue()
    (tmp_path / "cam.mjpeg").write_bytes(data)
    with Clip(tmp_path / "cam.mjpeg") as clip:
        assert len(list(clip)) == 5


@pytest.mark.parametrize("ending", ["h264", "y4m", "ivf", "nut", "mjpeg", "rm"])
def test_further_kinds_of_clips_are_found_in_folders(tmp_path, ending):
    (tmp_path / f"x.{ending}").write_bytes(b"nut/multimedia container")
    found = search_folder(tmp_path, CLIPS)
    assert len(found.files) == 1
