"""The live page: guarded, shows what is there, stores nothing unless asked, says its end."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest
import uvicorn
from playwright.sync_api import sync_playwright

from pyojeong import Analyzer, annotate, load_image
from pyojeong.cli.serving import bind
from pyojeong.core.errors import OutputError
from pyojeong.core.labels import FER7
from pyojeong.output.media import annotate_numbers
from pyojeong.output.tables import read_csv
from pyojeong.runtime.golden import PICTURES
from pyojeong.serve.live_app import create_live_app
from pyojeong.serve.live_session import LiveSession
from pyojeong.stream.live import Camera
from tests.latin import english_in
from tests.video.made import make_clip

TOKEN = "a-secret"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("live") / "walk.mp4", frames=50)


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1, eyes=True)


class Served:
    """A session behind a real server on a free port."""

    def __init__(self, clip, analyzer, *, record=None, loop=True, lang="en"):
        camera = Camera(str(clip), loop=loop)
        self.session = LiveSession(camera, analyzer, record=record, lang=lang)
        app = create_live_app(self.session, token=TOKEN)
        self.bound: socket.socket = bind("127.0.0.1", 0)
        config = uvicorn.Config(
            app, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.bound]}, daemon=True
        )
        self.url = f"http://127.0.0.1:{self.bound.getsockname()[1]}"
        self.headers = {"x-pyojeong-token": TOKEN}

    def __enter__(self):
        self.session.__enter__()
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.session.__exit__()
        self.server.should_exit = True
        self.thread.join(10)
        self.bound.close()


def test_nothing_is_given_without_the_token(clip, analyzer):
    with Served(clip, analyzer) as served:
        for path in ("/", "/picture", "/events", "/api/about", "/web/live.js"):
            answer = httpx.get(served.url + path)
            assert answer.status_code == 403
            assert "pyojeong webcam" in answer.text
        foreign = {**served.headers, "host": "evil.example"}
        assert httpx.get(served.url + "/api/about", headers=foreign).status_code == 400
        other = {**served.headers, "origin": "http://evil.example"}
        answer = httpx.post(served.url + "/api/record", json={"on": True}, headers=other)
        assert answer.status_code == 403


def test_events_and_pictures_come(clip, analyzer):
    with Served(clip, analyzer) as served:
        told = []
        with httpx.stream("GET", served.url + "/events", headers=served.headers) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    told.append(json.loads(line[5:]))
                if len(told) == 10:
                    break
        assert all(t["faces"][0]["expression"]["top"] == "happy" for t in told)
        assert all(t["faces"][0]["track_id"] >= 1 for t in told)  # a loop may begin a new scene
        assert told[-1]["latency_ms"] > 0
        assert not told[-1]["recording"]
        with httpx.stream("GET", served.url + "/picture", headers=served.headers) as answer:
            part = next(answer.iter_bytes(50_000))
        assert part.startswith(b"--frame\r\nContent-Type: image/jpeg")
        assert b"\xff\xd8" in part


def test_nothing_is_stored_unless_a_folder_was_given(clip, analyzer, tmp_path):
    with Served(clip, analyzer) as served:
        request = {"json": {"on": True}, "headers": served.headers}
        answer = httpx.post(served.url + "/api/record", **request)
        assert answer.status_code == 409
        assert "--record" in answer.json()["error"]
        with pytest.raises(OutputError, match="--record"):
            served.session.start_recording()
    assert list(tmp_path.iterdir()) == []


def test_a_recording_holds_the_frames_of_its_time(clip, analyzer, tmp_path):
    with Served(clip, analyzer, record=tmp_path) as served:
        time.sleep(0.5)
        assert list(tmp_path.iterdir()) == []
        request = {"json": {"on": True}, "headers": served.headers}
        assert httpx.post(served.url + "/api/record", **request).json()["recording"]
        time.sleep(0.7)
        request["json"] = {"on": False}
        told = httpx.post(served.url + "/api/record", **request).json()
        assert not told["recording"]
        rows = list(read_csv(tmp_path / told["file"]))
        time.sleep(0.3)
        assert list(read_csv(tmp_path / told["file"])) == rows
    assert len(rows) >= 5
    assert all(f.smoothed is not None and f.track_id for r in rows for f in r.faces)
    assert [r.index for r in rows] == sorted({r.index for r in rows})


def test_what_was_being_recorded_is_whole_when_the_page_ends(clip, analyzer, tmp_path):
    with Served(clip, analyzer, record=tmp_path) as served:
        served.session.start_recording()
        time.sleep(0.4)
    (file,) = tmp_path.iterdir()
    assert file.suffix == ".csv"
    assert list(read_csv(file))


def test_the_end_of_the_camera_is_said(clip, analyzer):
    with Served(clip, analyzer, loop=False) as served:
        with httpx.stream("GET", served.url + "/events", headers=served.headers, timeout=20) as a:
            lines = [line for line in a.iter_lines() if line]
        assert lines[-2] == "event: over"
        assert json.loads(lines[-1][5:])["over"]


def test_the_page_in_a_browser(clip, analyzer, tmp_path):
    with Served(clip, analyzer, record=tmp_path) as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1100, "height": 700})
        said = []
        page.on("console", lambda m: said.append(m.text))
        page.on("pageerror", lambda e: said.append(str(e)))
        page.goto(f"{served.url}/?token={TOKEN}", wait_until="domcontentloaded")
        page.wait_for_selector(".person")
        assert "happy" in page.inner_text(".person h2")
        assert "ms latency" in page.inner_text("#state")
        assert page.evaluate("document.getElementById('picture').naturalWidth") == 400
        page.click("#record")
        page.wait_for_selector("body.recording")
        assert "REC" in page.evaluate(
            "getComputedStyle(document.getElementById('record'), '::before').content"
        )
        page.click("#record")
        page.wait_for_selector("body:not(.recording)")
        assert said == []
        browser.close()
    assert len(list(tmp_path.iterdir())) == 1


SHOWN = """() => {
  const said = [...document.querySelectorAll("*")].flatMap((e) =>
    ["aria-label", "title", "alt", "data-empty"].map((n) => e.getAttribute(n) ?? ""));
  return [document.title, ...document.body.innerText.split("\\n"), ...said].filter((t) => t.trim());
}"""


def test_the_page_in_korean(clip, analyzer, tmp_path):
    with (
        Served(clip, analyzer, record=tmp_path, lang="ko") as served,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1100, "height": 700})
        said = []
        page.on("console", lambda m: said.append(m.text))
        page.on("pageerror", lambda e: said.append(str(e)))
        page.goto(f"{served.url}/?token={TOKEN}", wait_until="domcontentloaded")
        page.wait_for_selector(".person")
        assert page.get_attribute("html", "lang") == "ko"
        assert page.inner_text(".person h2").startswith("기쁨")
        assert page.locator(".person .row span").first.inner_text() == "분노"
        assert english_in(page.evaluate(SHOWN)) == []
        page.click("#record")
        page.wait_for_selector("body.recording")
        assert page.inner_text("#record") == "중지"
        assert english_in(page.evaluate(SHOWN)) == []
        page.click("#record")
        page.wait_for_selector("body:not(.recording)")
        page.set_viewport_size({"width": 380, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        assert said == []
        browser.close()
    # The recording is the same table in every language.
    (table,) = tmp_path.iterdir()
    labels = {f.expression.label for frame in read_csv(table) for f in frame.faces}
    assert labels <= {*FER7.names, "unclear"}


def test_the_end_in_korean(clip, analyzer):
    with Served(clip, analyzer, loop=False, lang="ko") as served:
        with httpx.stream("GET", served.url + "/events", headers=served.headers) as answer:
            last = [line for line in answer.iter_lines() if line][-1]
        assert json.loads(last[5:])["error"] == ""
        refused = httpx.post(served.url + "/api/record", json={"on": True}, headers=served.headers)
        assert refused.json()["error"] == "기록할 수 없습니다. --record FOLDER로 시작하세요"
        served.session.error = "/dev/video0: gives no more images (unplugged?)"
        said = served.session.state()["error"]
        assert said == "/dev/video0: 더 이상 영상을 보내지 않습니다(연결이 빠졌나요?)"


def test_an_image_without_words_has_only_numbers(analyzer):
    """The letters of the drawing are Latin: in Korean the names stand beside the image."""
    result = analyzer.analyze(PICTURES / "astronaut.jpg")
    pixels = load_image(PICTURES / "astronaut.jpg")
    drawn = annotate_numbers(pixels, result)
    assert drawn.shape == pixels.shape
    assert (drawn != pixels).any()
    words = annotate(pixels, result, keep_size=True)
    changed = [(image != pixels).any(2).sum() for image in (drawn, words)]
    assert changed[0] < changed[1]
    nobody = replace(result, faces=())
    assert (annotate_numbers(pixels, nobody) == pixels).all()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_recording_outlives_its_process(clip, tmp_path, how):
    """A terminal that is closed, a shutdown, a crash: what was recorded cannot be made again."""
    command = [sys.executable, "-m", "pyojeong", "webcam", "--source", clip, "--loop", "--no-open"]
    process = subprocess.Popen(
        [*map(str, command), "--record", str(tmp_path / "r"), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        url = process.stdout.readline().strip()
        root, _, token = url.partition("/?token=")
        request = {"json": {"on": True}, "headers": {"x-pyojeong-token": token}}
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                answer = httpx.post(f"{root}/api/record", **request)
                break
        assert answer.json()["recording"], answer.text
        time.sleep(1)
        process.send_signal(getattr(signal, how))
        process.wait(timeout=20)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    (file,) = (tmp_path / "r").iterdir()
    rows = list(read_csv(file))
    assert len(rows) >= 3
    assert (process.returncode == 0) == (how != "SIGKILL")


def test_a_recording_that_cannot_go_on_ends_and_the_page_does_not(clip, analyzer, tmp_path):
    with Served(clip, analyzer, record=tmp_path) as served:
        served.session.start_recording()
        time.sleep(0.3)

        def full(_result):
            raise OutputError("no space left")

        served.session._sink.write = full
        time.sleep(0.5)
        state = served.session.state()
        assert not state["recording"]
        assert "the recording ended" in state["error"]
        assert not state["over"]
