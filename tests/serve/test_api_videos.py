"""/v1/videos: clips are read one after the other, can be cancelled, expire, and leave nothing."""

import io
import os
import signal
import time

import httpx
import pytest
from PIL import Image

from pyojeong import Analyzer
from pyojeong.core.one_writer import try_lock
from pyojeong.output.tables import read_csv, read_json
from pyojeong.serve.api.video_jobs import file_name, remove_abandoned
from tests.serve.api_server import PHOTO, ApiServer
from tests.video.made import make_clip


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", frames=24).read_bytes()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "long.mp4", frames=60).read_bytes()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="module")
def server(analyzer, root):
    limits = {"max_videos": 3, "max_video_seconds": 60.0, "max_video_bytes": 5_000_000}
    with ApiServer(analyzer, root, **limits) as server:
        yield server
    assert list(root.iterdir()) == []  # clips and results went with the server


def until(server, job, *states, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = server.get(f"/v1/videos/{job}").json()
        if state["state"] in states:
            return state
        time.sleep(0.05)
    raise AssertionError(state)


def delete(server, job):
    return httpx.delete(f"{server.url}/v1/videos/{job}", timeout=60)


def test_a_clip_from_upload_to_deletion(server, root, clip, analyzer, tmp_path):
    answer = server.post("/v1/videos?smooth_s=0.2", ("me walking.mp4", clip))
    assert answer.status_code == 202, answer.text
    job = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/videos/{job}"
    state = until(server, job, "done", "failed")
    assert state["state"] == "done", state
    assert state["progress"] == {"frames": 24, "time_s": state["progress"]["time_s"], "share": 1.0}
    assert state["people"] == 1
    wanted = {"results.jsonl", "results.csv", "results.parquet", "summary.json", "report.html"}
    assert wanted <= set(state["results"])
    for name in ("results.jsonl", "results.csv"):
        (tmp_path / name).write_bytes(server.get(state["results"][name]).content)
    rows = list(read_json(tmp_path / "results.jsonl"))
    assert [r.source for r in rows] == ["me walking.mp4"] * 24  # no path of the server
    assert list(read_csv(tmp_path / "results.csv")) == rows
    made = analyzer.analyze_video(clip, smooth_s=0.2, eyes=False)
    assert [r.faces for r in rows] == [r.faces for r in made]
    report = server.get(state["results"]["report.html"])
    assert "sandbox" in report.headers["content-security-policy"]
    assert str(root) not in report.text
    assert [p for p in root.rglob("*") if p.name.endswith("walking.mp4")] == []  # the clip is gone
    assert server.get(f"/v1/videos/{job}/results/done.json").status_code == 404
    assert server.get(f"/v1/videos/{job}/results/..%2f.lock").status_code == 404
    assert delete(server, job).status_code == 204
    assert server.get(f"/v1/videos/{job}").status_code == 404
    assert delete(server, job).status_code == 404
    assert [p.name for p in root.rglob("*") if job in str(p)] == []


def test_cancelling(server, root, long_clip, clip):
    first = server.post("/v1/videos", ("long.mp4", long_clip)).json()["id"]
    waiting = server.post("/v1/videos", ("walk.mp4", clip)).json()["id"]
    last = server.post("/v1/videos", ("walk.mp4", clip)).json()["id"]
    full = server.post("/v1/videos", ("walk.mp4", clip))
    assert full.status_code == 429
    assert int(full.headers["retry-after"]) >= 1
    until(server, first, "running")
    assert server.get(f"/v1/videos/{waiting}").json()["state"] == "waiting"
    assert server.get(f"/v1/videos/{waiting}/results/results.csv").status_code == 409
    for job in (waiting, first):
        state = server.post(f"/v1/videos/{job}/cancel").json()
        assert state["state"] == "cancelled"
        assert state["expires"]
        assert server.post(f"/v1/videos/{job}/cancel").status_code == 409
        assert [p for p in root.rglob("*") if job in str(p)] == []
    assert until(server, last, "done", "failed")["state"] == "done"  # the next one is read
    for job in (first, waiting, last):
        assert delete(server, job).status_code == 204
    assert server.post("/v1/videos/x/cancel").status_code == 404


@pytest.mark.parametrize(
    ("data", "query", "status", "words"),
    [
        (b"", "", 422, "0 bytes"),
        (b"no clip at all", "", 422, "odd.mp4"),
        (PHOTO[:2000], "", 422, "odd.mp4"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", "", 422, "is no clip"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "", 422, "is no clip"),
        (b"\0\0\0\x20ftypisom" + bytes(500), "", 422, "odd.mp4"),
        (b"\0" * 6_000_000, "", 413, "5,000,000 bytes"),
        (None, "?fps=0", 422, "fps"),
        (None, "?fps=NaN", 422, "fps"),
        (None, "?end_s=1&start_s=2", 422, "end"),
        (None, "?model=none", 404, "unknown model"),
    ],
)
def test_what_is_no_usable_clip(server, clip, data, query, status, words):
    answer = server.post("/v1/videos" + query, ("odd.mp4", clip if data is None else data))
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert "/tmp" not in answer.json()["error"]


@pytest.mark.parametrize("limit", [{"max_video_seconds": 0.5}, {"max_video_frames": 10}])
def test_clips_that_are_too_long(analyzer, tmp_path, clip, limit):
    with ApiServer(analyzer, tmp_path, **limit) as server:
        answer = server.post("/v1/videos", ("walk.mp4", clip))
        assert answer.status_code == 413
        assert "more than the limit" in answer.json()["error"]


def test_a_clip_that_does_not_say_how_long_it_is(analyzer, tmp_path):
    """Its length is known while it is read."""
    frames = [Image.new("RGB", (64, 64), (i, 0, 0)) for i in range(30)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=100)
    with ApiServer(analyzer, tmp_path, max_video_seconds=1.0) as server:
        answer = server.post("/v1/videos", ("moving.webp", file.getvalue()))
        if answer.status_code == 202:
            state = until(server, answer.json()["id"], "done", "failed")
            assert state["state"] == "failed"
            assert "more than the limit of 1 s" in state["error"]
        else:
            assert answer.status_code == 413


def test_results_expire(analyzer, tmp_path, clip):
    with ApiServer(analyzer, tmp_path, keep_seconds=1.0) as server:
        job = server.post("/v1/videos?fps=2", ("walk.mp4", clip)).json()["id"]
        end = time.monotonic() + 60
        while server.get(f"/v1/videos/{job}").status_code == 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert [p for p in tmp_path.rglob("*") if job in str(p)] == []


def test_a_process_that_dies_fails_its_clip_alone(analyzer, tmp_path, long_clip, clip):
    with ApiServer(analyzer, tmp_path) as server:
        job = server.post("/v1/videos", ("long.mp4", long_clip)).json()["id"]
        until(server, job, "running")
        videos = server.app._app.state.server.videos
        end = time.monotonic() + 20
        while (process := videos.find(job).process) is None:
            assert time.monotonic() < end
        os.kill(process.pid, signal.SIGKILL)
        assert "ended" in until(server, job, "failed")["error"]
        other = server.post("/v1/videos?fps=2", ("walk.mp4", clip)).json()["id"]
        assert until(server, other, "done", "failed")["state"] == "done"


def test_folders_of_killed_servers_are_removed(tmp_path):
    dead, alive, other = (tmp_path / f"pyojeong-serve-{n}" for n in "abc")
    for folder in (dead, alive, other):
        folder.mkdir()
        (folder / "clip.mp4").write_bytes(b"x")
    other.rename(tmp_path / "not-ours")
    with try_lock(alive / ".lock"):
        remove_abandoned(tmp_path)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["not-ours", "pyojeong-serve-b"]


def test_a_server_without_clips(analyzer, tmp_path, clip):
    with ApiServer(analyzer, tmp_path, max_videos=0) as server:
        assert server.post("/v1/videos", ("walk.mp4", clip)).status_code == 404
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("walk.mp4", "walk.mp4"), ("/etc/passwd", "passwd"), ("C:\\clips\\a.mov", "a.mov"),
        ("../../x.mp4", "x.mp4"), ("..", "clip"), ("", "clip"), (".hidden", "hidden"),
        ("-rf.mp4", "rf.mp4"), ("results", "clip"), ("a\x00\n.mp4", "a_x00_n.mp4"),
        ("걷기.mp4", "걷기.mp4"),
    ],
)  # fmt: skip
def test_names_on_disk(given, wanted):
    assert file_name(given) == wanted
    assert len(file_name("가" * 500 + ".mp4").encode()) <= 120
