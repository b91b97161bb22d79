"""Frames of a clip: every one of them, at its time, in its true colours, the right way up."""

import errno
import gc
import tarfile
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from pyojeong.core.errors import VideoTruncated, VideoTruncatedWarning, VideoUnreadable
from pyojeong.core.file_kinds import CLIPS
from pyojeong.core.file_search import search_folder
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.golden import PICTURES
from pyojeong.stream.clock import FrameClock
from pyojeong.stream.pipeline import no_frames, read_video
from pyojeong.stream.segments import Selection, segments
from pyojeong.stream.source import THUMB_HW, Clip
from tests.stream.made import (
    COLORS,
    ffmpeg,
    middles,
    patches,
    pattern,
    probed,
    scene,
    turned_by_ffmpeg,
    with_matrix,
    write_clip,
)

VP = ("-deadline", "realtime", "-cpu-used", "8")


def times_of(path):
    with Clip(path) as clip:
        frames = [(frame.index, frame.time_s) for frame in clip]
        assert clip.error == ""
    assert [index for index, _ in frames] == list(range(len(frames)))
    return [time for _, time in frames]


def first_pixels(path):
    with Clip(path) as clip:
        return next(iter(clip)).pixels()


# --- number and time ---

KINDS = {
    "b-frames.mp4": ("-bf", "3", "-g", "20"),
    "no-b-frames.mp4": ("-bf", "0"),
    "hevc.mov": ("-c:v", "libx265", "-x265-params", "log-level=none", "-tag:v", "hvc1"),
    "vp9.webm": ("-c:v", "libvpx-vp9", *VP),
    "vp8.webm": ("-c:v", "libvpx", *VP),
    "h264.mkv": (),
    "ffv1.mkv": ("-c:v", "ffv1"),
    "moving.gif": (),
    "mpeg4.avi": ("-c:v", "mpeg4"),
    "stream.ts": (),
    "windows.wmv": ("-c:v", "wmv2"),
    "flash.flv": ("-c:v", "flv1"),
    "gap.mp4": ("-vf", "select='lt(n,9)+gt(n,30)'", "-vsync", "vfr"),
    "gap.mkv": ("-vf", "select='not(mod(n,3))+gt(n,30)'", "-vsync", "vfr"),
    "gap.gif": ("-vf", "select='not(mod(n,7))'", "-vsync", "vfr"),
    "late.mp4": ("-output_ts_offset", "7.3"),
    "late.mkv": ("-output_ts_offset", "7.3"),
    "late.ts": ("-output_ts_offset", "4000"),
    "pieces.mp4": ("-movflags", "frag_keyframe+empty_moov", "-g", "10"),
    "ntsc.mp4": ("-r", "30000/1001"),
    "slow.mp4": ("-r", "0.5"),
}
STARTS = {"stream.ts": 1.4, "late.mp4": 7.3, "late.mkv": 7.3, "late.ts": 4001.4}
"""What the containers' clocks show at the beginning, where that is not zero."""


@pytest.mark.parametrize("name", KINDS)
def test_number_and_times_are_those_of_ffprobe(tmp_path, name):
    path = pattern(tmp_path / name, *KINDS[name])
    expected = probed(path)
    assert len(expected) >= 1
    with Clip(path) as clip:
        start = clip.facts.start_s
    assert start == pytest.approx(STARTS.get(name, 0.0), abs=0.1)
    assert times_of(path) == pytest.approx([t - start for t in expected], abs=1e-3)
    assert times_of(path)[0] == pytest.approx(0, abs=0.09)


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["crying_to_laughing.mp4", "no_face.mp4", "noface_face.mov", "single_face.mp4"]
)
def test_real_clips_have_the_times_of_ffprobe(shared, name):
    path = shared / "data/clips" / name
    assert times_of(path) == pytest.approx(probed(path), abs=1e-3)


def test_an_edit_list_hides_frames(tmp_path):
    whole = pattern(tmp_path / "whole.mp4", "-g", "50")
    path = tmp_path / "edited.mp4"
    ffmpeg("-ss", "0.5", "-i", whole, "-c", "copy", path)
    with Clip(path) as clip:
        times = [frame.time_s for frame in clip]
        assert clip.facts.frames > len(times)  # the header counts the hidden ones too
        assert clip.error == ""
    assert times == pytest.approx(probed(path), abs=1e-3)
    assert len(times) < len(times_of(whole))


def test_times_set_by_hand(tmp_path):
    path, stamps = tmp_path / "odd.mkv", [0, 7, 8, 400, 401, 1500, 9000]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for stamp in stamps:
            frame = av.VideoFrame.from_ndarray(patches(24, 32), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    assert probed(path) == pytest.approx([s / 1000 for s in stamps], abs=2e-3)
    assert times_of(path) == pytest.approx(probed(path), abs=1e-3)


def test_frames_without_stamps_follow_at_the_mean_distance(tmp_path):
    path = pattern(tmp_path / "bare.h264")
    assert set(probed(path)) == {None}
    assert times_of(path) == pytest.approx(np.arange(50) / 25)


def test_wrong_stamps_of_b_frames_in_avi_are_put_in_order(tmp_path):
    path = tmp_path / "a.avi"
    ffmpeg("-i", pattern(tmp_path / "a.mp4", "-bf", "2"), "-c", "copy", path)
    with av.open(str(path)) as container:
        raw = [frame.pts for frame in container.decode(video=0) if frame.pts is not None]
    assert raw != sorted(raw)
    times = times_of(path)
    assert len(times) == len(probed(path))
    assert (np.diff(times) >= 0).all()
    assert len(set(times)) >= 48  # the last one or two have no stamp
    assert np.abs(times - np.arange(50) / 25).max() <= 0.081  # AVI does not say it better


@pytest.mark.parametrize("parts", [2, 3])
def test_time_goes_on_where_transport_streams_are_joined(tmp_path, parts):
    part = pattern(tmp_path / "part.ts").read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(part * parts)
    times = times_of(path)
    assert len(times) == len(probed(path)) == 50 * parts
    assert np.diff(times) == pytest.approx(np.full(50 * parts - 1, 0.04), abs=1e-3)


def test_a_recording_that_begins_between_key_frames(tmp_path):
    whole = pattern(tmp_path / "whole.ts", "-g", "25").read_bytes()
    path = tmp_path / "tail.ts"
    path.write_bytes(whole[188 * 12 :])
    with Clip(path) as clip:
        times = [frame.time_s + clip.facts.start_s for frame in clip]
    assert times == pytest.approx(probed(path), abs=1e-3)
    assert 20 < len(times) < 50


DAMAGED = "is damaged: frames are missing or damaged"

# --- facts ---


def test_facts(tmp_path):
    path = pattern(tmp_path / "a.mp4")
    with Clip(path) as clip:
        facts = clip.facts
    assert (facts.codec, facts.frames, facts.audio, facts.high_range) == ("h264", 50, False, False)
    assert facts.duration_s == pytest.approx(2, abs=0.01)
    assert facts.rate == pytest.approx(25)


def test_facts_of_late_clips_with_sound(tmp_path):
    sine = ("-f", "lavfi", "-i", "sine=d=2")
    for name in ("late.mkv", "late.mp4"):
        path = pattern(tmp_path / name, "-output_ts_offset", "7.3", before=sine)
        with Clip(path) as clip:
            assert clip.facts.audio
            assert clip.facts.duration_s == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_told(tmp_path, transfer):
    options = ("-c:v", "libx265", "-x265-params", f"log-level=none:transfer={transfer}")
    with Clip(pattern(tmp_path / "hdr.mp4", *options, "-pix_fmt", "yuv420p10le")) as clip:
        assert clip.facts.high_range
        assert len(list(clip)) == 50


# --- colours ---

LOSSY = {
    "h264.mp4": ("-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p"),
    "full.mp4": (
        *("-vf", "scale=out_range=full", "-c:v", "libx264", "-crf", "8"),
        *("-pix_fmt", "yuvj420p", "-color_range", "pc"),
    ),
    "bt709.mp4": (
        *("-vf", "scale=out_color_matrix=bt709", "-c:v", "libx264", "-crf", "8"),
        *("-pix_fmt", "yuv420p", "-colorspace", "bt709"),
    ),
    "bt709-full.mp4": (
        *("-vf", "scale=out_color_matrix=bt709:out_range=full", "-c:v", "libx264", "-crf", "8"),
        *("-pix_fmt", "yuv444p", "-colorspace", "bt709", "-color_range", "pc"),
    ),
    "ten.mp4": ("-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p10le"),
    "ten.mov": (
        *("-c:v", "libx265", "-x265-params", "log-level=none:crf=8"),
        *("-pix_fmt", "yuv420p10le"),
    ),
    "vp9.webm": ("-c:v", "libvpx-vp9", *VP, "-crf", "4", "-b:v", "0", "-pix_fmt", "yuv420p"),
    "photos.avi": ("-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"),
}
EXACT = {
    "rgb.mp4": ("-c:v", "libx264rgb", "-qp", "0"),
    "gbrp.mkv": ("-c:v", "ffv1", "-pix_fmt", "gbrp"),
    "bgr0.mkv": ("-c:v", "ffv1", "-pix_fmt", "bgr0"),
    "raw.avi": ("-c:v", "rawvideo", "-pix_fmt", "bgr24"),
    "yuv444.mkv": ("-c:v", "ffv1", "-pix_fmt", "yuv444p"),
    "yuv420.mkv": ("-c:v", "ffv1", "-pix_fmt", "yuv420p"),
    "ten.mkv": ("-c:v", "ffv1", "-pix_fmt", "yuv444p10le"),
    "palette.gif": ("-vf", "split[a][b];[a]palettegen=64[p];[b][p]paletteuse=dither=none"),
}


@pytest.mark.parametrize("name", LOSSY | EXACT)
def test_true_colours(tmp_path, name):
    path = write_clip(tmp_path / name, [patches()] * 2, *(LOSSY | EXACT)[name])
    picture = first_pixels(path)
    assert (picture.shape, picture.dtype) == ((240, 320, 3), np.uint8)
    assert picture.flags.c_contiguous
    assert np.abs(middles(picture) - COLORS).max() <= (6 if name in LOSSY else 2)


def test_rgb_is_bit_exact(tmp_path):
    path = write_clip(tmp_path / "a.mkv", [scene(1)], "-c:v", "ffv1", "-pix_fmt", "gbrp")
    assert np.array_equal(first_pixels(path), scene(1))


def test_gray(tmp_path):
    gray = np.repeat(scene(2)[..., :1], 3, axis=2)
    path = write_clip(tmp_path / "gray.mkv", [gray], "-c:v", "ffv1", "-pix_fmt", "gray")
    picture = first_pixels(path)
    assert (np.ptp(picture, axis=2) == 0).all()
    assert np.abs(picture.astype(int) - gray).max() <= 2


@pytest.mark.parametrize(("width", "height"), [(321, 241), (97, 64), (16, 33), (1, 1)])
def test_odd_sizes(tmp_path, width, height):
    given = scene(3, height, width)
    path = write_clip(tmp_path / "odd.mkv", [given] * 2, "-c:v", "ffv1", "-pix_fmt", "bgr0")
    assert np.array_equal(first_pixels(path), given)
    path = write_clip(tmp_path / "odd.mp4", [given], "-c:v", "libx264", "-pix_fmt", "yuv444p")
    with Clip(path) as clip:
        (frame,) = clip
        assert frame.pixels().shape == (height, width, 3)
        assert frame.thumbnail().shape == THUMB_HW


@pytest.mark.parametrize(
    ("aspect", "width"), [("1/1", 320), ("2/1", 640), ("4/3", 427), ("8/9", 284), ("100/1", 320)]
)
def test_pixels_that_are_not_square(tmp_path, aspect, width):
    options = ("-vf", f"setsar={aspect}:max=1000", "-c:v", "ffv1", "-pix_fmt", "bgr0")
    picture = first_pixels(write_clip(tmp_path / "a.mkv", [patches()], *options))
    assert picture.shape == (240, width, 3)
    assert np.abs(middles(picture) - COLORS).max() <= 2


def test_thumbnails_are_brightness(tmp_path):
    half = np.zeros((120, 160, 3), np.uint8)
    half[:, 80:] = 200
    half[60:] //= 2
    path = write_clip(tmp_path / "a.mkv", [half], "-c:v", "ffv1", "-pix_fmt", "yuv420p")
    with Clip(path) as clip:
        thumb = next(iter(clip)).thumbnail()
    assert (thumb.shape, thumb.dtype) == (THUMB_HW, np.float32)
    corners = [thumb[2, 4], thumb[2, -4], thumb[-2, 4], thumb[-2, -4]]
    assert corners == pytest.approx([0, 200, 0, 100], abs=20)  # 16..235 or 0..255


# --- the right way up ---

# Every display matrix of turns and mirrors, and where NumPy takes the stored image.
MATRICES = {
    "as it is": ((1, 0, 0, 1), lambda p: p),
    "quarter right": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "half": ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    "quarter left": ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda p: p[::-1]),
    "transposed": ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    "transversed": ((0, -1, -1, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_turned_clips_stand_upright(tmp_path, name):
    matrix, turn = MATRICES[name]
    options = ("-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p")
    path = with_matrix(write_clip(tmp_path / "a.mp4", [patches()] * 2, *options), *matrix)
    picture, expected = first_pixels(path), turn(patches())
    assert picture.shape == expected.shape
    assert picture.flags.c_contiguous
    rows, cols = turn(COLORS).shape[:2]
    assert np.abs(middles(picture, rows, cols) - turn(COLORS)).max() <= 6
    by_ffmpeg = turned_by_ffmpeg(path, *expected.shape[:2])
    assert np.abs(picture.astype(int) - by_ffmpeg).mean() < 1.5


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_rotate_of_phones_is_what_ffmpeg_makes_of_it(tmp_path, rotate):
    options = ("-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p")
    plain = write_clip(tmp_path / "a.mp4", [patches()] * 2, *options)
    path = tmp_path / "turned.mp4"
    ffmpeg("-i", plain, "-c", "copy", "-metadata:s:v", f"rotate={rotate}", path)
    picture = first_pixels(path)
    assert picture.shape[:2] == ((240, 320) if rotate == 180 else (320, 240))
    by_ffmpeg = turned_by_ffmpeg(path, *picture.shape[:2])
    assert np.abs(picture.astype(int) - by_ffmpeg).mean() < 1.5


def test_frames_are_freed_without_the_garbage_collector(tmp_path):
    """Side data hold their frame in a circle: a hundred frames used to wait for the collector."""
    path = write_clip(tmp_path / "a.mp4", [patches()] * 40, "-c:v", "libx264")

    def alive():
        return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())

    gc.collect()
    others = alive()  # of tests that ran before
    gc.disable()
    try:
        with Clip(path) as clip:
            for frame in clip:
                frame.pixels()
            left = alive() - others
    finally:
        gc.enable()
    assert left < 12


def test_turned_and_not_square(tmp_path):
    options = ("-vf", "setsar=2/1", "-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p")
    path = with_matrix(write_clip(tmp_path / "a.mp4", [patches()], *options), 0, 1, -1, 0)
    picture = first_pixels(path)
    assert picture.shape == (640, 240, 3)
    assert np.abs(middles(picture, 4, 3) - np.rot90(COLORS, -1)).max() <= 6


# --- sizes that change ---


@pytest.mark.parametrize("suffix", [".ts", ".h264"])
def test_every_frame_has_its_own_size(tmp_path, suffix):
    parts = []
    for place, (height, width) in enumerate([(240, 320), (96, 160), (480, 240)]):
        options = ("-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p")
        path = tmp_path / f"{place}{suffix}"
        parts.append(write_clip(path, [patches(height, width)] * 5, *options).read_bytes())
    joined = tmp_path / f"joined{suffix}"
    joined.write_bytes(b"".join(parts))
    with Clip(joined) as clip:
        pictures = [(frame.pixels(), frame.thumbnail()) for frame in clip]
    sizes = [picture.shape[:2] for picture, _ in pictures]
    assert sizes == [(240, 320)] * 5 + [(96, 160)] * 5 + [(480, 240)] * 5
    for picture, thumb in pictures:
        assert np.abs(middles(picture) - COLORS).max() <= 6
        assert thumb.shape == THUMB_HW


# --- what is no clip ---


def sound(path):
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", path)


def headless(path):
    """An MP4 whose table of contents, written last, was lost."""
    whole = pattern(path).read_bytes()
    path.write_bytes(whole[: whole.index(b"moov") // 2])


def without_frames(path):
    """An MP4 whose images were overwritten with zeros."""
    pattern(path)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start : data.index(b"moov") - 4] = bytes(data.index(b"moov") - 4 - start)
    path.write_bytes(data)


BAD = {
    "missing.mp4": (lambda path: None, "No such file"),
    "folder.mp4": (Path.mkdir, "directory|is no clip"),
    "empty.mp4": (Path.touch, "is empty"),
    "text.mp4": (lambda path: path.write_text("just text\n" * 99), "is no clip"),
    "noise.mp4": (
        lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
        "is no clip",
    ),
    "png.mp4": (lambda path: Image.new("RGB", (9, 9)).save(path, "PNG"), "is an image .png"),
    "jpeg.mp4": (lambda path: Image.new("RGB", (9, 9)).save(path, "JPEG"), "is an image .jpeg"),
    "webp.mp4": (lambda path: Image.new("RGB", (9, 9)).save(path, "WEBP"), "is an image .webp"),
    "photo.jpg": (lambda path: Image.new("RGB", (9, 9)).save(path), "is an image"),
    "sound.wav": (sound, "has no images .it holds sound only"),
    "sound.m4a": (sound, "has no images .it holds sound only"),
    "words.srt": (
        lambda path: path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhi\n"),
        "has no images$",
    ),
    "headless.mp4": (headless, "its index is missing: it was cut off"),
    "zeros.mp4": (without_frames, "not one frame can be decoded .it is damaged"),
}


@pytest.mark.parametrize("name", BAD)
def test_useless_files_say_why_and_which(tmp_path, name):
    make, says = BAD[name]
    make(tmp_path / name)

    def read():
        with Clip(tmp_path / name) as clip:
            list(clip)

    with pytest.raises(VideoUnreadable, match=says) as info:
        read()
    assert str(info.value).startswith(f"{tmp_path / name}: ")
    assert str(info.value).count(str(tmp_path)) == 1
    assert "\n" not in str(info.value)


def test_forbidden_files(tmp_path, monkeypatch):
    def forbidden(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(av, "open", forbidden)  # the tests may run as root
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(VideoUnreadable, match=r"a\.mp4: Permission denied"):
        Clip(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", ["a\0b.mp4", "a" * 5000])
def test_impossible_names(name):
    with pytest.raises(VideoUnreadable):
        Clip(name)


def test_covers_of_songs_are_no_pictures(tmp_path):
    cover = tmp_path / "cover.png"
    Image.new("RGB", (64, 64), "red").save(cover)
    path = tmp_path / "song.m4a"
    inputs = ("-f", "lavfi", "-i", "sine=d=0.2", "-i", cover, "-map", "0", "-map", "1")
    ffmpeg(*inputs, "-c:v", "copy", "-disposition:v:0", "attached_pic", path)
    with pytest.raises(VideoUnreadable, match="sound only"):
        Clip(path)


def with_streams(path, *pictures, options=()):
    """A clip with an image stream of each kind: (size, number of frames)."""
    inputs, maps = [], []
    for place, (size, frames) in enumerate(pictures):
        inputs += ["-f", "lavfi", "-t", frames / 25, "-i", f"testsrc=s={size}:r=25"]
        maps += ["-map", place]
    ffmpeg(*inputs, *maps, "-c:v", "libx264", "-pix_fmt", "yuv420p", *options, path)
    return path


def read_size(path):
    with Clip(path) as clip:
        picture = next(iter(clip)).pixels()
    return f"{picture.shape[1]}x{picture.shape[0]}", clip.notes


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_a_preview_is_not_taken_for_the_clip(tmp_path, ending):
    # FFmpeg marks the first stream as the default here.
    path = with_streams(tmp_path / f"a.{ending}", ("64x48", 10), ("320x240", 10))
    size, notes = read_size(path)
    assert size == "320x240"
    assert notes == ("holds 2 image streams (64 x 48, 320 x 240): stream 2, 320 x 240, is read",)


@pytest.mark.parametrize("default", [0, 1])
def test_the_stream_that_is_marked_as_the_default_is_taken(tmp_path, default):
    marks = [f"-disposition:v:{default}", "default", f"-disposition:v:{1 - default}", "0"]
    path = with_streams(tmp_path / "a.mkv", ("320x240", 10), ("240x180", 10), options=marks)
    assert read_size(path)[0] == ("320x240", "240x180")[default]


def test_of_equal_marks_the_largest_stream_is_taken(tmp_path):
    marks = ["-disposition:v:0", "0", "-disposition:v:1", "0"]
    path = with_streams(tmp_path / "a.mkv", ("240x180", 10), ("320x240", 10), options=marks)
    assert read_size(path)[0] == "320x240"


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("marks", [(), ("-disposition:v:0", "attached_pic")])
def test_cover_art_before_the_clip_is_not_taken(tmp_path, ending, marks):
    cover = tmp_path / "cover.jpg"
    Image.new("RGB", (640, 640), "red").save(cover)
    clip = pattern(tmp_path / "clip.mp4")
    path = tmp_path / f"a.{ending}"
    ffmpeg("-i", cover, "-i", clip, "-map", 0, "-map", 1, "-c", "copy", *marks, path)
    size, _ = read_size(path)
    assert size == "160x120"
    assert times_of(path) == pytest.approx(np.arange(50) / 25, abs=1e-3)


# --- animations ---


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.apng", "a.gif"])
def test_animations_are_clips_with_their_own_times(tmp_path, name):
    colors = [(200, 20 * i, 0) for i in range(5)]
    pictures = [Image.new("RGB", (40, 30), c) for c in colors]
    more = {"lossless": True} if name == "a.webp" else {}
    kind = {"a.apng": "PNG"}.get(name)
    pictures[0].save(
        tmp_path / name, kind, save_all=True, append_images=pictures[1:],
        duration=[100, 250, 40, 40, 100], **more,
    )  # fmt: skip
    with Clip(tmp_path / name) as clip:
        frames = [(f.time_s, f.pixels()[15, 20].tolist()) for f in clip]
    assert [t for t, _ in frames] == pytest.approx([0, 0.1, 0.35, 0.39, 0.43], abs=1e-3)
    assert np.abs(np.array([c for _, c in frames]) - colors).max() <= 3
    assert clip.error == ""
    assert clip.length_s >= 0.43
    Image.new("RGB", (9, 9)).save(tmp_path / "still.webp")
    Image.new("RGB", (9, 9)).save(tmp_path / "still.png")
    assert search_folder(tmp_path, CLIPS).files == [str(tmp_path / name)]


def test_a_webp_animation_that_breaks_off_says_so(tmp_path):
    pictures = [Image.fromarray(scene(i)) for i in range(4)]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:])
    data = (tmp_path / "a.webp").read_bytes()
    (tmp_path / "a.webp").write_bytes(data[: len(data) * 3 // 5])

    def read():
        with Clip(tmp_path / "a.webp") as clip:
            return len(list(clip)), clip.error

    try:
        number, error = read()
    except VideoUnreadable as failure:
        number, error = 0, str(failure)
    assert number < 4
    assert "damaged" in error or "breaks off" in error


@pytest.mark.parametrize("name", ["12:30.mp4", "표정 %03d.mp4", "-x.mp4", "a?b#c.mp4"])
def test_odd_names(tmp_path, monkeypatch, name):
    plain = pattern(tmp_path / "plain.mp4")
    plain.rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(times_of(name)) == 50


def test_addresses_are_not_fetched():
    with pytest.raises(VideoUnreadable, match="is an address, and nothing is downloaded"):
        Clip("http://127.0.0.1:9/a.mp4")


def test_too_large_frames_are_refused(tmp_path, monkeypatch):
    path = pattern(tmp_path / "a.mp4", "-vf", "setsar=2/1")
    monkeypatch.setattr("pyojeong.stream.source.MAX_PIXELS", 2 * 160 * 120 - 1)
    with pytest.raises(VideoUnreadable, match="320 x 120 pixels are too large"):
        first_pixels(path)
    monkeypatch.setattr("pyojeong.stream.source.MAX_PIXELS", 2 * 160 * 120)
    assert first_pixels(path).shape == (120, 320, 3)


def joined(path, *parts):
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize("ending", ["ts", "mpg"])
def test_times_go_on_where_files_were_joined(tmp_path, ending):
    codec = ("-c:v", "mpeg2video") if ending == "mpg" else ()
    long = pattern(tmp_path / f"long.{ending}", *codec)
    short = pattern(tmp_path / f"short.{ending}", *codec, seconds=0.6)
    later = pattern(tmp_path / f"later.{ending}", *codec, "-output_ts_offset", "100")
    for parts, places in (
        ((short, long), "0.60 s"),  # its stamps jump back by less than a second
        ((long, long), "2.00 s"),
        ((short, short, long), "0.60 s, 1.20 s"),
        ((short, later), "0.60 s"),
        ((later, short), "2.00 s"),
        ((short,) * 6, "0.60 s, 1.20 s, 1.80 s and at 2 more places"),
    ):
        path = joined(tmp_path / f"joined.{ending}", *parts)
        with Clip(path) as clip:
            times = [frame.time_s for frame in clip]
        assert times == pytest.approx(np.arange(len(times)) / 25, abs=2e-3)
        assert len(times) == sum(15 if part == short else 50 for part in parts)
        assert clip.notes == (
            f"its time stamps jump at {places} (joined files?): times go on from the frame before",
        )


def test_times_never_stand_still():
    clock = FrameClock(25)
    tick = Fraction(1, 1000)
    frames = [SimpleNamespace(pts=p, dts=p, time_base=tick) for p in (0, 40, 40, 30, 80, 81, 120)]
    times = [clock(frame) for frame in frames]
    assert times == pytest.approx([0, 0.04, 0.041, 0.042, 0.08, 0.081, 0.12], abs=1e-9)
    assert clock.note() == ""


# --- what breaks off ---

CUT = {
    "first.mp4": ("-movflags", "+faststart"),
    "pieces.mp4": ("-movflags", "frag_keyframe+empty_moov", "-g", "10"),
    "a.mkv": (),
    "a.webm": ("-c:v", "libvpx-vp9", *VP),
    "a.avi": ("-c:v", "mpeg4"),
    "a.flv": ("-c:v", "flv1"),
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [0.6, 0.75])
def test_a_clip_that_breaks_off_gives_what_there_is_and_says_so(tmp_path, name, share):
    path = pattern(tmp_path / name, *CUT[name])
    whole = times_of(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with Clip(path) as clip:
        times = [frame.time_s for frame in clip]
        assert clip.error.startswith(f"breaks off after frame {len(times) - 1} (")
    assert 5 < len(times) < len(whole)
    assert len(times) >= len(probed(path)) - 1  # ffprobe shows half of a torn frame
    assert times == pytest.approx(whole[: len(times)], abs=1e-3)


def test_a_clip_that_breaks_off_behind_a_whole_frame(tmp_path):
    path = pattern(tmp_path / "a.mp4", "-movflags", "+faststart", "-bf", "0")
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    path.write_bytes(path.read_bytes()[: packets[20].pos])
    with Clip(path) as clip:
        assert len(list(clip)) == 20
        assert clip.error == "breaks off after frame 19 (at 0.80 s; its header says 2.00 s)"


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_change_where_it_breaks_off(tmp_path, threads):
    path = pattern(tmp_path / "a.mp4", "-movflags", "+faststart")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    with Clip(path) as clip:
        clip._stream.codec_context.thread_count = threads
        number = len(list(clip))
    assert number == len(probed(path))


def test_damage_in_the_middle_costs_only_what_is_damaged(tmp_path):
    pictures = [scene(seed, 48, 64) for seed in range(20)]
    path = write_clip(tmp_path / "a.mkv", pictures, "-c:v", "libvpx-vp9", *VP, "-g", "1")
    with av.open(str(path)) as container:
        torn = [p for p in container.demux(video=0) if p.size][7]
        at, length = path.read_bytes().index(bytes(torn)), torn.size
    data = bytearray(path.read_bytes())
    data[at : at + length] = b"\xff" * length
    path.write_bytes(data)
    with Clip(path) as clip:
        times = [frame.time_s for frame in clip]
        assert clip.error == DAMAGED
    assert times == pytest.approx([i / 25 for i in range(20) if i != 7], abs=1e-3)


@pytest.mark.parametrize(
    ("ending", "codec"), [("ts", "libx264"), ("mpg", "mpeg2video"), ("avi", "mpeg4")]
)
@pytest.mark.parametrize("damage", ["lost", "random"])
def test_damage_in_the_middle_is_said(tmp_path, ending, codec, damage):
    """Decoders hide it; only marks on packets and frames tell."""
    noise = ("-vf", "noise=alls=40:allf=t")  # frames larger than a pack
    path = pattern(tmp_path / f"a.{ending}", *noise, "-c:v", codec, "-q:v", "4", "-g", "10")
    data = bytearray(path.read_bytes())
    begin, end = (int(len(data) * share) // 2048 * 2048 for share in (0.4, 0.6))
    if damage == "lost" and ending != "avi":  # its index would point elsewhere
        del data[begin:end]
    else:
        data[begin:end] = np.random.default_rng(0).bytes(end - begin)
    path.write_bytes(data)
    with Clip(path) as clip:
        assert 10 < len(list(clip)) <= 50
        assert clip.error


def test_longer_sound_is_no_complaint(tmp_path):
    for name in ("a.mkv", "a.mp4", "a.webm"):
        video = ("-c:v", "libvpx", *VP) if name == "a.webm" else ()
        extra = ("-f", "lavfi", "-i", "sine=d=6")
        path = pattern(tmp_path / name, *video, before=extra)
        assert len(times_of(path)) == 50  # no error


STATED = {
    "first.mp4": ("-movflags", "+faststart"),
    "first.mov": ("-movflags", "+faststart"),
    "a.mkv": (),
    "a.webm": ("-c:v", "libvpx", *VP),
    "a.avi": ("-c:v", "mpeg4"),
    "a.flv": ("-c:v", "flv1"),
}
SOUND = ("-f", "lavfi", "-i", "sine=d=2")


@pytest.mark.parametrize("name", STATED)
@pytest.mark.parametrize("sound", [(), SOUND])
def test_a_few_missing_frames_are_said(tmp_path, name, sound):
    path = pattern(tmp_path / name, *STATED[name], before=sound)
    assert len(times_of(path)) == 50
    with av.open(str(path)) as container:
        places = sorted(p.pos for p in container.demux(video=0) if p.size)
    path.write_bytes(path.read_bytes()[: places[-6]])  # 0.24 s
    with Clip(path) as clip:
        assert len(list(clip)) == 44
        assert clip.error.startswith("breaks off after frame 43 (at 1.")
        assert "its header says 2.0" in clip.error


@pytest.mark.parametrize("name", ["a.gif", "a.apng"])
def test_animations_without_their_end_say_so(tmp_path, name):
    more = ("-c:v", "apng", "-pix_fmt", "rgb24") if name == "a.apng" else ()
    path = pattern(tmp_path / name, *more)
    whole = path.read_bytes()
    path.write_bytes(whole + b"something else")
    assert len(times_of(path)) == 50
    with av.open(str(path)) as container:
        places = sorted(p.pos for p in container.demux(video=0) if p.size)
    mark = 12 if name == "a.apng" else 1
    for cut in (places[-3], places[-3] + 40, len(whole) - mark):
        path.write_bytes(whole[:cut])
        with Clip(path) as clip:
            number = len(list(clip))
            assert clip.error.startswith(f"breaks off after frame {number - 1} (")


@pytest.mark.parametrize("name", [n for n in STATED if n != "a.flv"])
def test_damaged_last_frames_are_said(tmp_path, name):
    path = pattern(tmp_path / name, *STATED[name], "-bf", "0")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in [p for p in container.demux(video=0) if p.size][-5:]:
            at = data.index(bytes(packet))
            data[at : at + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    with Clip(path) as clip:
        assert len(list(clip)) == 45
        assert clip.error == "is damaged: its last 0.20 s could not be decoded"


WHOLE = {
    "a.mp4": (), "a.mov": (), "a.mkv": (), "a.webm": ("-c:v", "libvpx", *VP),
    "a.avi": ("-c:v", "mpeg4"), "a.flv": ("-c:v", "flv1"), "a.wmv": ("-c:v", "wmv2"),
    "a.ts": (), "a.mpg": ("-c:v", "mpeg2video"),
}  # fmt: skip


@pytest.mark.parametrize("sound_s", [1.2, 3.3])
@pytest.mark.parametrize("name", WHOLE)
def test_sound_of_another_length_is_no_shortage(tmp_path, name, sound_s):
    path = pattern(tmp_path / name, *WHOLE[name], before=("-f", "lavfi", "-i", f"sine=d={sound_s}"))
    assert len(times_of(path)) in {50, 51}  # no error


@pytest.mark.parametrize("options", [("-vf", "select='not(mod(n,7))'"), ("-r", "2"), ("-r", "90")])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv"])
def test_no_rate_is_taken_for_a_shortage(tmp_path, name, options):
    times_of(pattern(tmp_path / name, *options, "-fps_mode", "vfr"))  # no error


def test_subtitles_that_last_longer_are_no_shortage(tmp_path):
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:09,000\nhi\n")
    path = tmp_path / "a.mkv"
    pattern(path, "-c:s", "srt", before=("-i", words))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"DURATION", b"WHATEVER"))  # the whole file's length is left
    times_of(path)  # no error


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("selection", [Selection(end_s=2), Selection(start_s=40)])
def test_the_length_counts_from_the_beginning_of_the_sound(tmp_path, ending, selection):
    images = pattern(tmp_path / "images.mp4")
    path = tmp_path / f"late.{ending}"
    sound = ("-f", "lavfi", "-i", "sine=d=5", "-itsoffset", "3", "-i", images)
    ffmpeg(*sound, "-map", "1:v", "-map", "0:a", "-c:v", "copy", path)
    with Clip(path) as clip:
        assert list(segments(clip, selection)) == []
        said = "is 5.00 s long, counted from its beginning; its first image comes at 3.00 s;"
        assert said in str(no_frames(clip, selection))


def test_stopping_early_is_no_complaint(tmp_path):
    with Clip(pattern(tmp_path / "a.mp4")) as clip:
        for frame in clip:
            if frame.index == 10:
                break
        assert clip.error == ""


# --- the object ---


def test_a_clip_is_read_once(tmp_path):
    with Clip(pattern(tmp_path / "a.mp4")) as clip:
        first = []
        for frame in clip:
            first.append(frame.index)
            if frame.index == 10:
                break
        rest = [frame.index for frame in clip]
        assert first + rest == list(range(50))
        assert list(clip) == []
        assert clip.error == ""


def test_after_closing(tmp_path):
    path = pattern(tmp_path / "a.mp4")
    with Clip(path) as clip:
        frame = next(iter(clip))
        before = frame.pixels()
    clip.close()
    assert np.array_equal(frame.pixels(), before)
    assert frame.thumbnail().shape == THUMB_HW
    assert clip.facts.frames == 50
    assert list(clip) == []


def test_files_are_let_go(tmp_path):
    path = pattern(tmp_path / "a.mp4", seconds=1)
    bad = tmp_path / "a.wav"
    sound(bad)

    def used():
        for _ in range(100):
            with Clip(path) as clip:
                next(iter(clip))
            with pytest.raises(VideoUnreadable):
                Clip(bad)
        return len(list(Path("/proc/self/fd").iterdir()))

    before = len(list(Path("/proc/self/fd").iterdir()))
    assert used() <= before


def test_errors_close_the_file_too(tmp_path):
    path = pattern(tmp_path / "a.mp4", seconds=1)
    before = len(list(Path("/proc/self/fd").iterdir()))

    def stopped():
        with Clip(path) as clip:
            next(iter(clip))
            raise KeyError

    for _ in range(20):
        with pytest.raises(KeyError):
            stopped()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


LIVE = {
    "a.ts": ("-c:v", "libx264"),
    "a.m2ts": ("-c:v", "libx264", "-f", "mpegts", "-mpegts_m2ts_mode", "1"),
    "a.mpg": ("-c:v", "mpeg2video"),
    "a.webm": ("-c:v", "libvpx", "-live", "1"),
    "a.mkv": ("-c:v", "libx264", "-live", "1"),
    "a.wmv": ("-c:v", "wmv2"),
}
"""Files that state no length, as cameras and browsers record them; WMV states its size."""


@pytest.mark.parametrize("name", LIVE)
def test_files_without_a_stated_length_that_are_cut_say_so(tmp_path, name):
    whole = pattern(tmp_path / name, *LIVE[name], seconds=3, before=SOUND)
    with Clip(whole) as clip:
        assert len(list(clip)) >= 70
        assert clip.error == ""
    data = whole.read_bytes()
    for share in (0.5, 0.77, 0.93):
        cut = round(len(data) * share)
        # Between two packets nothing can be seen.
        cut += 9 * (not (cut % 188 and cut % 192 and cut % 2048))
        whole.write_bytes(data[:cut])
        with Clip(whole) as clip:
            assert len(list(clip)) < 75
            assert "breaks off" in clip.error or "is damaged" in clip.error, share


def test_read_video_yields_what_is_whole_and_then_raises(tmp_path):
    path = pattern(tmp_path / "a.mp4", "-movflags", "+faststart")
    path.write_bytes(path.read_bytes()[:-4000])
    analyzer = Analyzer(threads=1)
    seen = []
    with pytest.raises(VideoTruncated, match=r"a\.mp4: breaks off after frame") as caught:
        seen.extend(result.index for result in read_video(path, analyzer=analyzer))
    assert seen == list(range(caught.value.frames))
    assert 10 < len(seen) < 50
    with pytest.warns(VideoTruncatedWarning, match="breaks off"):
        assert len(list(read_video(path, analyzer=analyzer, on_truncated="warn"))) == len(seen)
    assert len(list(read_video(path, analyzer=analyzer, on_truncated="ignore"))) == len(seen)
    list(read_video(path, analyzer=analyzer, end_s=0.2))  # whole within the range


def test_archives_are_no_clips(tmp_path):
    """FFmpeg strings the images of a tar file together."""
    picture = tmp_path / "a.jpg"
    picture.write_bytes((PICTURES / "astronaut.jpg").read_bytes())
    for name, mode in (("a.tar", "w"), ("a.tar.gz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as archive:
            archive.add(picture, "a.jpg")
            archive.add(picture, "b.jpg")
        with pytest.raises(VideoUnreadable, match="is an archive, not a clip"):
            Clip(tmp_path / name)


def test_sound_packets_that_do_not_state_their_length(tmp_path):
    """ADPCM in FLV: the last packet of sound is longer than the images, and nothing is missing."""
    path = tmp_path / "f.flv"
    source = (
        "-f",
        "lavfi",
        "-i",
        "testsrc=d=1.2:s=64x48:r=30",
        "-f",
        "lavfi",
        "-i",
        "sine=440:d=1.2",
    )
    ffmpeg(*source, "-c:v", "flv", "-c:a", "adpcm_swf", "-ar", "11025", path)
    with Clip(path) as clip:
        assert len(list(clip)) == 36
    assert clip.error == ""
