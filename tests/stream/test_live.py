"""Live images: the newest frame wins, cameras fail in one line, people keep their numbers."""

import errno
import time

import av
import pytest

from pyojeong import Analyzer
from pyojeong.core.errors import VideoUnreadable
from pyojeong.stream import source as source_module
from pyojeong.stream.live import Camera, LiveReader, Moment, Pace
from tests.video.made import make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("live") / "walk.mp4", frames=25)


def test_a_stand_in_runs_at_its_own_pace(clip):
    started = time.monotonic()
    with Camera(str(clip)) as camera:
        moments = list(camera)
    assert time.monotonic() - started > 0.9
    assert [m.index for m in moments] == sorted({m.index for m in moments})
    assert moments[-1].index == 24
    assert all(abs(m.time_s - m.index / 25) < 1.0 for m in moments)


def test_whoever_is_slow_gets_the_newest_frame_and_no_lag(clip):
    seen = []
    with Camera(str(clip)) as camera:
        for moment in camera:
            seen.append((moment.index, time.monotonic() - moment.taken_s))
            time.sleep(0.15)
    assert len(seen) < 12
    assert max(age for _, age in seen) < 0.4  # a queue would be seconds behind at the end
    assert seen[1][0] - seen[0][0] >= 2


def test_a_loop_begins_anew(clip):
    with Camera(str(clip), loop=True) as camera:
        for moment in camera:
            if moment.index > 30:
                break
    assert moment.index > 30


def test_closing_ends_whoever_waits(clip):
    camera = Camera(str(clip))
    with camera:
        next(iter(camera))
    assert list(camera) == []


def test_no_camera_is_one_line():
    with pytest.raises(VideoUnreadable, match="camera 97: there is none; is it plugged in"):
        Camera("97")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EBUSY, "is taken by another program"),
        (errno.EACCES, "no permission"),
        (errno.ENODEV, "is no camera, or was unplugged"),
    ],
)
def test_a_camera_that_is_taken_or_forbidden_is_one_line(monkeypatch, number, words):
    def fail(*_args, **_options):
        raise OSError(number, "as the system says")

    monkeypatch.setattr(av, "open", fail)
    with pytest.raises(VideoUnreadable, match=f"camera 0: {words}"):
        Camera("0")


def test_a_camera_that_is_unplugged_ends_with_a_word(clip, monkeypatch):
    """A clip opened as if it were a camera: its end is an unplugged cable."""
    camera = Camera(str(clip))
    camera.is_clip = False
    with camera:
        assert list(camera)
    assert "gives no more images" in camera.error


def test_people_keep_their_numbers_and_scores_are_smoothed(clip):
    reader = LiveReader(Analyzer(threads=1), "camera", tau_s=0.2)
    with source_module.Clip(clip) as opened:
        results = [reader.read(Moment(f.index, f.time_s, time.monotonic(), f))[1] for f in opened]
    assert {f.track_id for r in results for f in r.faces} == {1}
    assert all(len(r.faces) == 1 for r in results)
    assert all(f.smoothed is not None for r in results for f in r.faces)
    assert all(r.source == "camera" for r in results)


def test_pace_tells_speed_latency_and_what_was_passed_over():
    pace = Pace()
    for i in range(200):
        taken = i / 10
        pace.add(Moment(3 * i, taken, taken, None), taken + 0.04)
    assert pace.fps == pytest.approx(10, rel=0.01)
    assert pace.latency_ms == pytest.approx(40, abs=0.1)
    assert pace.dropped_frames == 2 * 199
