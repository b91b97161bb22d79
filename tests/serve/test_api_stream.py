"""WS /v1/stream: results name their frames, the newest frame wins, odd messages end the stream."""

import asyncio
import json
import struct
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from pyojeong import Analyzer
from pyojeong.serve.api.metrics import Metrics
from pyojeong.serve.api.settings import ServerSettings
from pyojeong.serve.api.stream import _Stream
from tests.serve.api_server import PHOTO, ApiServer, face_on, picture, raw_rgb


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    limits = {"max_streams": 2, "idle_seconds": 3.0, "max_pixels": 2_000_000}
    with ApiServer(Analyzer(threads=1), tmp_path_factory.mktemp("serve"), **limits) as server:
        yield server


def stream(server, query=""):
    return connect(f"ws://127.0.0.1:{server.port}/v1/stream{query}", max_size=None)


def frame(number, data, width=0, height=0):
    return struct.pack("<IHH", number, width, height) + data


def answer(socket):
    return json.loads(socket.recv(timeout=30))


def test_jpeg_and_raw_frames_give_results_with_their_ids(server):
    rgba = np.dstack([np.frombuffer(raw_rgb(320, 240), np.uint8).reshape(240, 320, 3),
                      np.full((240, 320), 255, np.uint8)]).tobytes()  # fmt: skip
    sent = [
        frame(7, PHOTO),
        frame(4_000_000_000, raw_rgb(320, 240), 320, 240),
        frame(9, rgba, 320, 240),
        frame(10, face_on(300, 300, "PNG")),
    ]
    got = []
    for each in sent:
        with stream(server) as socket:
            socket.send(each)
            got.append(answer(socket))
    assert [g["id"] for g in got] == [7, 4_000_000_000, 9, 10]
    assert [g["result"]["size_wh"] for g in got] == [[512, 512], [320, 240], [320, 240], [300, 300]]
    assert got[1]["result"]["faces"][0]["box"] == got[2]["result"]["faces"][0]["box"]
    assert all(g["result"]["index"] == g["id"] for g in got)
    assert all(g["dropped"] == 0 and g["age_ms"] > 0 for g in got)
    face = got[0]["result"]["faces"][0]
    assert face["expression"]["top"] == "happy"
    assert face["smoothed"]["top"] == "happy"
    assert face["track_id"] >= 1


def test_people_are_followed(server):
    with stream(server) as socket:
        ids, times = set(), []
        for i in range(6):
            socket.send(frame(i, PHOTO))
            result = answer(socket)["result"]
            ids.add(result["faces"][0]["track_id"])
            times.append(result["time_s"])
    assert len(ids) == 1
    assert times == sorted(set(times))


def test_the_newest_frame_wins(server):
    with stream(server) as socket:
        for i in range(60):
            socket.send(frame(i, PHOTO))
        got = []
        while not got or got[-1]["id"] != 59:
            got.append(answer(socket))
    ids = [g["id"] for g in got]
    assert ids == sorted(ids)
    assert len(ids) < 60
    assert got[-1]["dropped"] == 60 - len(ids)


@pytest.mark.parametrize(
    ("data", "width", "height", "words"),
    [
        (b"no image", 0, 0, "is not an image"),
        (PHOTO[:2000], 0, 0, "damaged or incomplete"),
        (b"\0" * 11, 2, 2, "2 x 2 pixels of 3 or 4 bytes"),
        (b"\0", 65535, 65535, "65535 x 65535"),
        (b"\0" * 12, 2, 0, "2 x 0"),
    ],
)
def test_a_frame_that_could_not_be_read_ends_nothing(server, data, width, height, words):
    with stream(server) as socket:
        socket.send(frame(1, data, width, height))
        refused = answer(socket)
        assert refused["id"] == 1
        assert words in refused["error"]
        socket.send(frame(2, PHOTO))
        assert answer(socket)["result"]["faces"]


@pytest.mark.parametrize("message", ["text", "{}", b"", b"1234567", b"12345678"])
def test_other_messages_end_the_stream(server, message):
    with stream(server) as socket:
        socket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd.code == 1008
    assert "id, width, height" in closed.value.rcvd.reason


def test_a_frame_that_is_too_large_ends_the_stream(tmp_path):
    with ApiServer(Analyzer(threads=1), tmp_path, max_bytes=100_000) as server:
        with stream(server) as socket:
            socket.send(frame(1, b"\0" * 200_000))
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
        assert closed.value.sent.code == 1009 or closed.value.rcvd.code == 1009
        with stream(server) as socket:
            socket.send(frame(1, PHOTO))
            assert answer(socket)["result"]


def test_a_stream_without_frames_is_closed(server):
    with stream(server) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert "no frame" in closed.value.rcvd.reason


def test_the_number_of_streams_has_a_limit(server):
    with stream(server), stream(server):
        with pytest.raises(InvalidStatus) as refused, stream(server):
            pass
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["retry-after"] == "1"
    end = time.monotonic() + 10
    while server.metric("pyojeong_streams"):
        assert time.monotonic() < end
    with stream(server):
        pass


@pytest.mark.parametrize(("query", "status"), [("?model=none", 404), ("?smooth_s=-1", 403)])
def test_wrong_queries(server, query, status):
    with pytest.raises(InvalidStatus) as refused, stream(server, query):
        pass
    assert refused.value.response.status_code == status


def test_a_client_that_goes_away_or_reads_nothing_harms_nobody(server):
    for _ in range(4):
        with stream(server) as socket:
            for i in range(5):
                socket.send(frame(i, PHOTO))
            socket.socket.shutdown(2)
        end = time.monotonic() + 10
        while server.metric("pyojeong_streams"):
            assert time.monotonic() < end
            time.sleep(0.02)
    assert server.post("/v1/analyze", PHOTO).status_code == 200


def test_results_that_nobody_reads_end_the_stream():
    """A client whose buffers are full: sending never comes to an end."""

    class Unread:
        async def receive(self):
            await asyncio.sleep(0.05)
            return {"type": "websocket.receive", "bytes": frame(1, b"no image")}

        async def send_text(self, text):
            assert "error" in text
            await asyncio.Event().wait()

        async def close(self, code, reason):
            raise AssertionError(reason)  # the frames came in time

    async def run():
        queue = SimpleNamespace(run=asyncio.to_thread)
        state = SimpleNamespace(
            metrics=Metrics(),
            settings=ServerSettings(idle_seconds=0.5),
            queue=queue,
        )
        stream = _Stream(Unread(), state, Analyzer(threads=1), 0.25)
        await asyncio.wait_for(stream.run(), 30)

    asyncio.run(run())


def test_two_streams_at_once_keep_their_people_apart(server):
    got = {}

    def run(name, data):
        with stream(server) as socket:
            out = []
            for i in range(5):
                socket.send(frame(i, data))
                out.append(answer(socket)["result"])
            got[name] = out

    threads = [
        threading.Thread(target=run, args=("face", PHOTO)),
        threading.Thread(target=run, args=("none", picture(320, 240))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(len(r["faces"]) == 1 for r in got["face"])
    assert all(not r["faces"] for r in got["none"])
