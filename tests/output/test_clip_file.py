"""Annotated clips: every frame at its time, sound kept, playable, whole or incomplete by name."""

import errno
import subprocess

import av
import numpy as np
import pytest

from pyojeong.core.errors import OutputError
from pyojeong.output.clip_file import ClipFile


def picture(i, size=(64, 48)):
    image = np.full((size[1], size[0], 3), (200, 40, 40), np.uint8)
    image[:, : size[0] * i // 40] = (40, 40, 200)
    return image


def with_sound(path, codec="aac", seconds=2, container=None):
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc=d={seconds}:s=64x48"]
    command += ["-f", "lavfi", "-i", f"sine=f=440:d={seconds}", "-c:a", codec]
    subprocess.run([*command, "-strict", "-2", str(path)], check=True)
    return path


def read(path):
    with av.open(str(path)) as clip:
        frames = [(float(f.time), f.to_ndarray(format="rgb24")) for f in clip.decode(video=0)]
        facts = (clip.streams.video[0].codec_context.name, clip.streams.video[0].format.name)
    return frames, facts


def test_uneven_times_and_colours_are_kept(tmp_path):
    times = [1.0, 1.04, 1.1, 1.5, 2.75]
    with ClipFile(tmp_path / "a.mp4", (64, 48), start_s=1.0) as out:
        for i, time_s in enumerate(times):
            out.write(picture(10 * i), time_s)
    frames, facts = read(tmp_path / "a.mp4")
    assert facts == ("h264", "yuv420p")
    assert [round(t, 3) for t, _ in frames] == [0.0, 0.04, 0.1, 0.5, 1.75]
    assert np.abs(frames[2][1][24, 60].astype(int) - (200, 40, 40)).max() < 30
    assert np.abs(frames[2][1][24, 5].astype(int) - (40, 40, 200)).max() < 30
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_index_stands_in_front(tmp_path):
    with ClipFile(tmp_path / "a.mp4", (64, 48)) as out:
        out.write(picture(1), 0.0)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_odd_sizes_get_a_line_more(tmp_path):
    with ClipFile(tmp_path / "a.mp4", (63, 47)) as out:
        out.write(picture(1, (63, 47)), 0.0)
    frames, _ = read(tmp_path / "a.mp4")
    assert frames[0][1].shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("codec", "ending"), [("aac", ".mp4"), ("libmp3lame", ".mp4"), ("libvorbis", ".mkv")]
)
def test_sound_is_kept(tmp_path, codec, ending):
    source = with_sound(tmp_path / f"source{ending}", codec)
    with ClipFile(tmp_path / "a.mp4", (64, 48), sound_of=source, start_s=0.5) as out:
        for i in range(38):
            out.write(picture(i), 0.5 + i / 25)
    with av.open(str(tmp_path / "a.mp4")) as clip:
        sound = clip.streams.audio[0]
        assert sound.codec_context.name in {"aac", "mp3", "mp3float"}
        decoded = list(clip.decode(sound))
    seconds = sum(f.samples for f in decoded) / decoded[0].sample_rate
    assert seconds == pytest.approx(1.48, abs=0.15)
    loud = np.concatenate([f.to_ndarray().ravel().astype(float) for f in decoded])
    assert np.abs(loud).max() > 0.01


def test_an_exception_leaves_nothing(tmp_path):
    def stop():
        with ClipFile(tmp_path / "a.mp4", (64, 48)) as out:
            out.write(picture(1), 0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_can_be_played(tmp_path, monkeypatch):
    out = ClipFile(tmp_path / "a.mp4", (64, 48))
    written = 0

    def fill():
        nonlocal written
        with out:
            real = out._out.mux

            def mux(packet):
                nonlocal written
                if written > 300:
                    raise OSError(errno.ENOSPC, "No space left on device")
                written += 1
                real(packet)

            monkeypatch.setattr(out, "_out", _Mux(out._out, mux))
            for i in range(400):
                out.write(picture(i % 40), i / 25)

    with pytest.raises(OutputError, match="No space left"):
        fill()
    (left,) = list(tmp_path.iterdir())
    assert left.name == "a.incomplete.mp4"
    frames, _ = read(left)
    assert len(frames) > 200


class _Mux:
    def __init__(self, container, mux):
        self._container = container
        self.mux = mux

    def __getattr__(self, name):
        return getattr(self._container, name)


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        ClipFile(tmp_path / "file" / "a.mp4", (64, 48))
