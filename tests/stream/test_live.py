"""Live images: the newest frame wins, cameras fail in one line, people keep their numbers."""

import errno
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import pytest

from pyojeong import Analyzer
from pyojeong.core.errors import VideoUnreadable
from pyojeong.runtime.golden import GOLDEN_PICTURE
from pyojeong.stream import live as live_module
from pyojeong.stream import source as source_module
from pyojeong.stream.live import Camera, LiveReader, Moment, Pace, kind_of_source
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
    camera.kind = "camera"
    with camera:
        assert list(camera)
    assert "gives no more images" in camera.error


@pytest.mark.parametrize(
    "name", ["missing.mp4", "video=front", "clips/missing.mp4", "a:b.mp4", "x", "-1"]
)
def test_a_missing_clip_is_no_unplugged_camera(name):
    with pytest.raises(VideoUnreadable) as info:
        Camera(name)
    assert str(info.value).startswith(f"{name}: no such file; --source takes a clip, a camera's")


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("0", "camera"),
        ("/dev/video3", "camera"),
        ("rtsp://host/path", "stream"),
        ("HTTPS://host/a.m3u8", "stream"),
        ("RTSP://host/path", "stream"),
        ("clip.mp4", "clip"),
        ("12:30.mp4", "clip"),
        ("a/b", "clip"),
    ],
)
def test_kinds_of_sources(source, kind):
    assert kind_of_source(source) == kind


def test_elsewhere_cameras_have_names(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    names = ("FaceTime HD Camera", "x.mp4", "clips/x")
    assert [kind_of_source(n) for n in names] == ["camera", "clip", "clip"]


def test_a_clip_with_a_number_for_a_name(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "7").write_bytes(clip.read_bytes())
    with Camera("7") as camera:
        assert camera.kind == "clip"
        assert next(iter(camera)).index >= 0


def test_folders_and_pictures_are_no_clips(tmp_path):
    with pytest.raises(VideoUnreadable, match=r"is a folder|is no clip"):
        Camera(str(tmp_path))
    with pytest.raises(VideoUnreadable, match="is an image"):
        Camera(str(GOLDEN_PICTURE))


@pytest.mark.parametrize("loop", [False, True])
def test_a_clip_of_one_frame(tmp_path, monkeypatch, loop):
    path = make_clip(tmp_path / "one.mp4", frames=1)
    opened = []
    real = live_module.Clip

    def count(*args, **options):
        opened.append(args)
        return real(*args, **options)

    monkeypatch.setattr(live_module, "Clip", count)
    with Camera(str(path), loop=loop) as camera:
        moments = iter(camera)
        assert next(moments).index == 0
        time.sleep(1.2)
        started = time.monotonic()
    assert time.monotonic() - started < 0.3  # closing does not wait for the next pass
    assert len(opened) <= (4 if loop else 1)


@pytest.fixture
def server(tmp_path):
    """A web server with one clip; gives its address."""
    clip = make_clip(tmp_path / "served.mp4", frames=25, movflags="faststart")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answers = {"/walk.mp4": (200, clip.read_bytes()), "/page": (200, b"<html>" * 99)}
            code, body = answers.get(self.path, (401 if self.path == "/secret" else 404, b""))
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def test_a_clip_from_a_server_runs_at_its_own_pace(server):
    started = time.monotonic()
    with Camera(f"http://user:hidden@{server}/walk.mp4") as camera:
        moments = list(camera)
    assert time.monotonic() - started > 0.9
    assert moments[-1].index == 24
    assert camera.name == f"http://user:***@{server}/walk.mp4"
    assert camera.error == ""


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://SERVER/none.mp4", "has nothing at this address (404)"),
        ("http://user:hidden@SERVER/secret", "asks for a password"),
        ("http://SERVER/page", "is no clip"),
        ("http://127.0.0.1:9/a.mp4", "nothing listens there; check host and port"),
        ("rtsp://user:hidden@127.0.0.1:9/a", "nothing listens there; check host and port"),
        ("http://no-such-host.invalid/a.mp4", "check host"),
        ("gopher7://host/a", "addresses that begin with gopher7:// are not known"),
    ],
)
def test_streams_that_fail_say_what_fits(server, address, words):
    with pytest.raises(VideoUnreadable) as info:
        Camera(address.replace("SERVER", server))
    assert str(info.value).startswith("stream ")
    assert words in str(info.value)
    assert "hidden" not in str(info.value)
    assert "plugged" not in str(info.value)


def test_a_stream_that_breaks_off_says_so(server):
    camera = Camera(f"http://{server}/walk.mp4")
    camera._paced = False
    with camera:
        list(camera)
    assert camera.error == "gives no more images (connection lost?)"


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


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder"])
def test_paths_that_never_give_an_image_are_one_line(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(live_module, "Clip", lambda *_a, **_k: pytest.fail("was opened"))
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as one:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            one.bind(str(path))
        else:
            path.mkdir()
        with pytest.raises(VideoUnreadable, match=f"s: is a {kind}; --source takes a clip"):
            Camera(str(path))


@pytest.mark.parametrize("scheme", ["RTSP", "Http"])
def test_schemes_of_addresses_count_in_any_case(scheme):
    with pytest.raises(VideoUnreadable, match=f"{scheme}://127.0.0.1:9/x: nothing listens there"):
        Camera(f"{scheme}://127.0.0.1:9/x")
