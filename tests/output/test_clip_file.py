"""Annotated clips: every frame at its time, sound kept, playable, whole or incomplete by name."""

import errno
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from pyojeong.core.errors import OutputError
from pyojeong.output.clip_file import ClipFile
from pyojeong.stream.source import Clip
from tests.stream.made import ffmpeg


def picture(i, size=(64, 48)):
    image = np.full((size[1], size[0], 3), (200, 40, 40), np.uint8)
    image[:, : size[0] * i // 40] = (40, 40, 200)
    return image


def with_sound(path, *options, seconds=2):
    """A clip whose sound is a tone of 300 Hz for a second, then one of 900 Hz."""
    tone = f"aevalsrc='0.5*sin(2*PI*t*if(lt(t,1),300,900))':s=48000:d={seconds}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc=d={seconds}:s=64x48"]
    command += ["-f", "lavfi", "-i", tone, *map(str, options), "-strict", "-2", str(path)]
    subprocess.run(command, check=True)
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


SOUNDS = {
    "aac.mp4": (),
    "aac.ts": (),
    "mp3.mp4": ("-c:a", "libmp3lame"),
    "vorbis.mkv": ("-c:a", "libvorbis"),
    "ac3.ts": ("-c:a", "ac3"),
    "ac3.mp4": ("-c:a", "ac3", "-ac", 6),
    "eac3.mkv": ("-c:a", "eac3"),
    "opus.mkv": ("-c:a", "libopus"),
    "wma.wmv": ("-c:a", "wmav2", "-c:v", "wmv2"),
    "pcm.mov": ("-c:a", "pcm_s16le", "-ar", 11025),
    "rate7350.mp4": ("-c:a", "aac", "-ar", 7350),
    "rate96000.mkv": ("-c:a", "flac", "-ar", 96000),
    "rate5000.mkv": ("-c:a", "pcm_s16le", "-ar", 5000),
    "rate192000.mkv": ("-c:a", "pcm_s24le", "-ar", 192000),
    "surround.mkv": ("-c:a", "flac", "-ac", 6),
    "seven.mkv": ("-c:a", "pcm_s16le", "-ac", 8),
    "mp2.mpg": ("-c:a", "mp2", "-c:v", "mpeg1video"),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_of_every_kind_is_kept(tmp_path, name):
    source = with_sound(tmp_path / name, *SOUNDS[name])
    with av.open(str(source)) as clip:
        clock_s = max(clip.start_time or 0, 0) / 1e6
    out = ClipFile(
        tmp_path / "out.mp4", (64, 48), sound_of=source, start_s=0.5, clock_start_s=clock_s
    )
    with out:
        for i in range(38):
            out.write(picture(i), 0.5 + i / 25)
    assert out.note == ""
    rate, samples = heard(tmp_path / "out.mp4")
    assert 1.35 <= len(samples) / rate <= 1.5 + 3 * 1024 / rate  # whole packets
    # The tone of the source changes at 1 s, which is 0.5 s of this file.
    low, high = (pitch(samples[int(t * rate) : int((t + 0.2) * rate)], rate) for t in (0.2, 0.7))
    assert (low, high) == (pytest.approx(300, abs=20), pytest.approx(900, abs=20))


def heard(path):
    """Sample rate and the first channel of a file's sound."""
    with av.open(str(path)) as clip:
        (sound,) = clip.streams.audio
        assert sound.codec_context.name == "aac"
        assert sound.layout.nb_channels <= 2
        frames = list(clip.decode(sound))
    return frames[0].sample_rate, np.concatenate([f.to_ndarray()[0] for f in frames])


def pitch(samples, rate):
    """Frequency of a tone in Hz."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.fft.rfftfreq(len(samples), 1 / rate)[power.argmax()]


@pytest.mark.parametrize("late_s", [0.0, 0.3])
def test_frames_keep_their_times_beside_sound_and_when_the_first_is_late(tmp_path, late_s):
    """The priming of AAC used to move them by 0.02 s, and the first one to zero."""
    source = with_sound(tmp_path / "source.mp4")
    with ClipFile(tmp_path / "a.mp4", (64, 48), sound_of=source) as out:
        for i in range(20):
            out.write(picture(i), late_s + i / 25)
    frames, _ = read(tmp_path / "a.mp4")
    assert [t for t, _ in frames] == pytest.approx([late_s + i / 25 for i in range(20)], abs=1e-3)


def test_sound_that_begins_late_stays_in_time(tmp_path):
    source = tmp_path / "late.mkv"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=d=2:s=64x48"]
    command += ["-itsoffset", "1", "-f", "lavfi", "-i", "sine=f=440:d=1", "-c:a", "flac"]
    subprocess.run([*command, str(source)], check=True)
    with ClipFile(tmp_path / "a.mp4", (64, 48), sound_of=source) as out:
        for i in range(50):
            out.write(picture(i % 40), i / 25)
    rate, samples = heard(tmp_path / "a.mp4")
    assert np.abs(samples[: int(0.9 * rate)]).max() < 0.01
    assert np.abs(samples[int(1.1 * rate) :]).max() > 0.05


def test_sound_that_fails_leaves_a_silent_clip_and_a_line(tmp_path, monkeypatch):
    source = with_sound(tmp_path / "source.mp4")
    real = av.open

    def fail(name, *args, **options):
        if "source.mp4" in str(name):
            raise av.error.InvalidDataError(1, "Invalid data")
        return real(name, *args, **options)

    monkeypatch.setattr(av, "open", fail)
    with ClipFile(tmp_path / "a.mp4", (64, 48), sound_of=source) as out:
        out.write(picture(1), 0.0)
    assert out.note.startswith("has no sound: that of the clip could not be read")
    with real(str(tmp_path / "a.mp4")) as clip:
        assert not clip.streams.audio
        assert len(list(clip.decode(video=0))) == 1


def test_sound_that_breaks_off_is_said(tmp_path, monkeypatch):
    source = with_sound(tmp_path / "source.mp4")
    out = ClipFile(tmp_path / "a.mp4", (64, 48), sound_of=source)

    def broken(*_args):
        raise ValueError("no such layout")

    with out:
        for i in range(38):
            if i == 20:
                monkeypatch.setattr(out._sound, "_encode", broken)
            out.write(picture(i), i / 25)
    assert out.note == "has no sound from 0.8 s on (no such layout)"
    assert len(read(tmp_path / "a.mp4")[0]) == 38


def test_names_with_a_colon(tmp_path, monkeypatch):
    with_sound(tmp_path / "plain.mp4").rename(tmp_path / "12:30.mp4")
    monkeypatch.chdir(tmp_path)
    with ClipFile(Path("12:30") / "a.mp4", (64, 48), sound_of=Path("12:30.mp4")) as out:
        for i in range(30):
            out.write(picture(i), i / 25)
    assert out.note == ""
    assert heard(Path(tmp_path / "12:30" / "a.mp4"))[1].any()


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


@pytest.mark.parametrize(("channels", "kept"), [(6, True), (7, False), (8, False)])
def test_sound_with_channels_in_an_order_of_its_own_is_left_out_with_a_line(
    tmp_path, channels, kept
):
    source = with_sound(tmp_path / "a.mov", "-c:a", "pcm_s16le", "-ac", channels, seconds=1)
    code = (  # in a process of its own: a frame of such sound ends the process
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from pyojeong.output.clip_file import ClipFile\n"
        "import sys\n"
        "made, source = map(Path, sys.argv[1:])\n"
        "with ClipFile(made, (64, 48), sound_of=source) as out:\n"
        "    for i in range(20):\n"
        "        out.write(np.zeros((48, 64, 3), np.uint8), i / 20)\n"
        "print(out.note)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "b.mp4"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line = f"has no sound: sound of {channels} channels is not taken over"
    assert done.stdout.strip() == ("" if kept else line)
    with av.open(str(tmp_path / "b.mp4")) as made:
        assert bool(made.streams.audio) == kept
        assert len(list(made.decode(video=0))) == 20


def test_sound_goes_on_behind_a_joint(tmp_path):
    """Transport streams put one behind the other: their clocks jump, the sound does not end."""
    part = with_sound(tmp_path / "base.mp4", "-c:v", "libx264", "-c:a", "aac", seconds=1)
    ffmpeg("-i", part, "-c", "copy", tmp_path / "one.ts")
    ffmpeg("-i", part, "-c", "copy", "-output_ts_offset", "100", tmp_path / "two.ts")
    one, two = ((tmp_path / f"{n}.ts").read_bytes() for n in ("one", "two"))
    for name, data in (("ahead", one + two), ("back", two + one)):
        clip = tmp_path / f"{name}.ts"
        clip.write_bytes(data)
        out = tmp_path / f"{name}.mp4"
        with (
            Clip(clip) as frames,
            ClipFile(out, (64, 48), sound_of=clip, clock_start_s=frames.facts.start_s) as file,
        ):
            for frame in frames:
                file.write(frame.pixels(), frame.time_s)
        assert file.note == ""
        with av.open(str(out)) as made:
            sound = [(float(f.pts * f.time_base), f.to_ndarray()) for f in made.decode(audio=0)]
        late = [np.abs(samples).max() for at, samples in sound if 1.3 < at < 1.8]
        assert min(late) > 0.05
