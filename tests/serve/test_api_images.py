"""POST /v1/analyze: the Analyzer's own answers, and one clear line for whatever is no image."""

import base64
import io
import json
import socket
import struct
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image

from pyojeong import Analyzer
from pyojeong.core.face import FrameResult
from tests.serve.api_server import PHOTO, ApiServer, face_on, picture


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1)


@pytest.fixture(scope="module")
def server(analyzer, tmp_path_factory):
    limits = {"max_files": 4, "max_bytes": 2_000_000, "max_pixels": 2_000_000}
    limits |= {"idle_seconds": 1.0, "body_seconds": 2.0, "max_buffered_bytes": 8_000_000}
    with ApiServer(analyzer, tmp_path_factory.mktemp("serve"), **limits) as server:
        yield server


def answer_of(analyzer, data, name):
    """What the Analyzer answers, as JSON brings it."""
    result = analyzer.analyze(data).to_dict()
    return {**json.loads(json.dumps(result)), "source": name}


def test_the_answer_is_that_of_the_analyzer(server, analyzer):
    answer = server.post("/v1/analyze", ("me.jpg", PHOTO))
    assert answer.status_code == 200
    assert answer.json()["results"] == [answer_of(analyzer, PHOTO, "me.jpg")]
    assert FrameResult.from_dict(answer.json()["results"][0]).faces[0].expression.label == "happy"
    assert answer.headers["cache-control"] == "no-store"


def test_several_images_come_in_order_and_a_broken_one_stops_none(server, analyzer):
    small = face_on(200, 200, "PNG")
    answer = server.post("/v1/analyze", ("a.jpg", PHOTO), ("b.txt", b"text"), ("c.png", small))
    assert answer.status_code == 200
    first, second, third = answer.json()["results"]
    assert first == answer_of(analyzer, PHOTO, "a.jpg")
    assert third == answer_of(analyzer, small, "c.png")
    assert second["faces"] == []
    assert "b.txt: is not an image" in second["error"]


def test_json_lines_are_those_of_tables(server, tmp_path):
    from pyojeong import read_table

    answer = server.post("/v1/analyze", PHOTO, PHOTO, headers={"accept": "application/x-ndjson"})
    (tmp_path / "results.jsonl").write_text(answer.text, encoding="utf-8")
    assert len(list(read_table(tmp_path / "results.jsonl"))) == 2


def test_an_annotated_image(server):
    answer = server.post("/v1/analyze?annotate=1", PHOTO)
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (512, 512)
    assert server.post("/v1/analyze?annotate=1", PHOTO, PHOTO).status_code == 422
    assert server.post("/v1/analyze?annotate=maybe", PHOTO).status_code == 422


def test_requests_at_once_get_their_own_answers(server, analyzer):
    images = [face_on(160 + 8 * i, 160 + 8 * i) for i in range(12)]
    wanted = [answer_of(analyzer, data, "x.jpg") for data in images]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda d: server.post("/v1/analyze", ("x.jpg", d)), images))
    assert [a.json()["results"][0] for a in answers] == wanted
    batches = server.metric("pyojeong_batch_images_count")
    assert batches < server.metric("pyojeong_batch_images_sum")


def huge_png(side):
    """A PNG file of a few bytes that says it has side x side pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 100)
    chunks = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks
    )


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 422, "0 bytes"),
        (b"not a picture", 422, "is not an image"),
        (PHOTO[:3000], 422, "damaged or incomplete"),
        (huge_png(20_000), 413, "too large to unpack"),
        (huge_png(1_500), 413, "more than the limit of 2 million pixels"),
        (b"%PDF-1.4 and more", 422, "is"),
        (b"\x00" * 5000, 422, "is not an image"),
    ],
    ids=["empty", "text", "torn", "20000 x 20000", "2.25 MP", "pdf", "zeros"],
)
def test_what_is_no_usable_image(server, data, status, words):
    answer = server.post("/v1/analyze", ("odd.jpg", data))
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert server.post("/v1/analyze", PHOTO).status_code == 200


def test_animated_and_turned_images_are_read_as_the_analyzer_reads_them(server, analyzer):
    frames = [Image.open(io.BytesIO(PHOTO)).resize((200, 200)).rotate(5 * i) for i in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = face_on(240, 240, exif=exif.tobytes())
    for data in (file.getvalue(), turned):
        with warnings.catch_warnings(action="ignore"):
            wanted = answer_of(analyzer, data, "x")
        assert server.post("/v1/analyze", ("x", data)).json()["results"] == [wanted]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"x", 415),
        ("", b"x", 415),
        ("image/jpeg", PHOTO, 415),
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"x", 415),
        ("multipart/form-data; boundary=b", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 422),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", 422),
        ("multipart/form-data; boundary=" + "b" * 500, b"x", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"a" * 9000 + b": x\r\n\r\n", 400),
        ("multipart/mixed; boundary=b", b"--b--\r\n", 415),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n--b--\r\n',
            422,
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nx',
            400,
        ),
    ],
)
def test_other_content_types_and_damaged_forms(server, kind, body, status):
    headers = {"content-type": kind} if kind else {}
    answer = httpx.post(server.url + "/v1/analyze", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert "curl -F file=@photo.jpg" in answer.json()["error"]


def test_a_thousand_parts(server):
    answer = server.post("/v1/analyze", *[picture(8, 8)] * 1000)
    assert answer.status_code == 413
    assert "limit of 4 files" in answer.json()["error"]


def test_names_are_only_repeated_to_the_client(server):
    odd = "가족 <b>\u202e.jpg"
    result = server.post("/v1/analyze", (odd, PHOTO)).json()["results"][0]
    assert result["source"] == odd
    answer = server.post("/v1/analyze", ("x" * 3000 + ".jpg", PHOTO))
    assert len(answer.json()["results"][0]["source"]) == 255


def test_models(server, analyzer):
    known = server.get("/v1/models").json()["models"]
    assert [m["id"] for m in known] == [analyzer.classifier.card.id]
    assert known[0]["default"]
    assert known[0]["prior"] == "between"
    assert server.post(f"/v1/analyze?model={known[0]['id']}", PHOTO).status_code == 200
    answer = server.post("/v1/analyze?model=colums-s", PHOTO)
    assert answer.status_code == 404
    assert "unknown model 'colums-s'" in answer.json()["error"]


def test_two_models(tmp_path, analyzer):
    other = Analyzer("default-fer2013", threads=1)
    with ApiServer([analyzer, other], tmp_path) as server:
        assert [m["default"] for m in server.get("/v1/models").json()["models"]] == [True, False]
        answer = server.post("/v1/analyze?model=default-fer2013", ("a", PHOTO))
        assert answer.json()["results"] == [answer_of(other, PHOTO, "a")]
        answer = server.post("/v1/analyze", ("a", PHOTO))
        assert answer.json()["results"] == [answer_of(analyzer, PHOTO, "a")]


def test_a_stated_length_above_the_limit_is_refused_before_it_comes(server):
    head = (
        b"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    answer = server.raw(head, b"--b\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"more than the limit of 2,000,000 bytes" in answer


def test_a_client_that_sends_everything_first_still_gets_the_refusal(server):
    answer = server.post("/v1/analyze", b"\xff" * 40_000_000)
    assert answer.status_code == 413


def test_a_body_without_a_length_is_refused_where_the_limit_is(server):
    def parts():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(60):
            yield b"\xff" * 100_000

    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = httpx.post(server.url + "/v1/analyze", content=parts(), headers=kind, timeout=60)
    assert answer.status_code == 413


def test_a_slow_body_ends_in_408(server):
    head = (
        b"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    answer = server.raw(head, b"--b\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too slowly" in answer
    assert b"connection: close" in answer.lower()


def test_a_connection_that_is_closed_half_way_leaves_nothing(server):
    head = (
        b"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    )
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(head)
    whole = _form(PHOTO)
    for _ in range(5):  # also while its image is read
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(whole)
    until = time.monotonic() + 20
    while server.metric("pyojeong_open_requests") > 1 and time.monotonic() < until:
        time.sleep(0.05)
    assert server.metric("pyojeong_open_requests") == 1  # this one
    assert server.metric("pyojeong_buffered_bytes") == 0
    assert server.post("/v1/analyze", PHOTO).status_code == 200


def _form(data):
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        + data
        + b"\r\n--b--\r\n"
    )
    return (
        b"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; "
        b"boundary=b\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )


class Held(Analyzer):
    """An analyzer that waits until it may go on."""

    gate = threading.Event()

    def analyze_frames(self, frames):
        self.gate.wait(30)
        return super().analyze_frames(frames)


def test_too_many_requests_get_429_and_come_back(tmp_path):
    limits = {"max_requests": 2, "jobs": 1}
    with ApiServer(Held(threads=1), tmp_path, **limits) as server, ThreadPoolExecutor(8) as pool:
        Held.gate.clear()
        first = [pool.submit(server.post, "/v1/analyze", PHOTO) for _ in range(6)]
        until = time.monotonic() + 20
        while sum(f.done() for f in first) < 4 and time.monotonic() < until:
            time.sleep(0.02)
        refused = server.post("/v1/analyze", PHOTO)
        assert server.get("/healthz").status_code == 200  # the event loop is free
        Held.gate.set()
        statuses = sorted(f.result().status_code for f in first)
        assert statuses == [200, 200, 429, 429, 429, 429]
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert server.post("/v1/analyze", PHOTO).status_code == 200


def test_bodies_in_memory_have_a_limit(tmp_path, analyzer):
    limits = {"max_bytes": 1_000_000, "max_buffered_bytes": 1_000_000, "idle_seconds": 5.0}
    with ApiServer(analyzer, tmp_path, **limits) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(_form(b"\xff" * 950_000)[:-1000])
            until = time.monotonic() + 10
            while server.metric("pyojeong_buffered_bytes") < 900_000:
                assert time.monotonic() < until
            assert server.post("/v1/analyze", PHOTO).status_code == 429
        until = time.monotonic() + 10
        while server.metric("pyojeong_buffered_bytes"):
            assert time.monotonic() < until
        assert server.post("/v1/analyze", PHOTO).status_code == 200


def test_a_failure_of_the_program_is_500_and_names_no_file(tmp_path, analyzer, caplog):
    class Broken(Analyzer):
        def analyze_frames(self, frames):
            raise ZeroDivisionError(f"in {frames[0][1]}")

    with ApiServer(Broken(threads=1), tmp_path) as server, caplog.at_level("INFO"):
        answer = server.post("/v1/analyze", ("anna.jpg", PHOTO))
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.json()["error"]
    failed = [r for r in caplog.records if r.getMessage() == "failed"]
    assert failed[0].fields["error"] == "ZeroDivisionError"
    assert "anna" not in str([vars(r) for r in caplog.records])


def test_the_inference_protocol(server, analyzer):
    assert server.get("/v2").json()["name"] == "pyojeong"
    assert server.get("/v2/health/live").json() == {"live": True}
    assert server.get("/v2/health/ready").json() == {"ready": True}
    model = analyzer.classifier.card.id
    assert server.get(f"/v2/models/{model}/ready").json()["ready"]
    about = server.get(f"/v2/models/{model}").json()
    assert about["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    text = base64.b64encode(PHOTO).decode()
    sent = {"id": "7", "inputs": [tensor("BYTES", [1], [text])]}
    answer = httpx.post(f"{server.url}/v2/models/{model}/infer", json=sent, timeout=60)
    outputs = {o["name"]: o for o in answer.json()["outputs"]}
    face = analyzer.analyze(PHOTO).faces[0]
    assert answer.json()["id"] == "7"
    assert outputs["box"]["data"] == list(face.box.xyxy)
    assert outputs["scores"]["shape"] == [1, 7]
    assert outputs["scores"]["data"] == [float(v) for v in face.expression.scores]
    assert outputs["label"]["data"] == ["happy"]
    assert outputs["image_index"]["data"] == [0]


def tensor(kind, shape, data, name="image"):
    return {"name": name, "datatype": kind, "shape": shape, "data": data}


def test_pixels_by_the_inference_protocol(server, analyzer):
    import numpy as np

    image = np.asarray(Image.open(io.BytesIO(face_on(96, 96, "PNG"))))
    wanted = list(analyzer.analyze(image).faces[0].box.xyxy)
    for shape, data in (([96, 96, 3], image.tolist()), ([1, 96, 96, 3], image.ravel().tolist())):
        sent = {"inputs": [tensor("UINT8", shape, data)], "outputs": [{"name": "box"}]}
        answer = httpx.post(f"{server.url}/v2/models/default/infer", json=sent, timeout=60)
        (box,) = answer.json()["outputs"]
        assert box["data"] == wanted


@pytest.mark.parametrize("nested", [True, False])
def test_pixels_as_text_take_no_more_than_a_few_times_its_memory(nested):
    """Nested lists of Python would take 25 times the memory of this text."""
    import tracemalloc

    from pyojeong.serve.api.inference_protocol import _numbers

    rows = 300_000
    text = b"[" + b",".join([b"[1,2,3]" if nested else b"1,2,3"] * rows) + b"]"
    tracemalloc.start()
    try:
        values = _numbers(text, [rows, 3])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert values.size == 3 * rows
    assert values[:4].tolist() == [1, 2, 3, 1]
    assert peak < 6 * len(text) + 4_000_000


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 422), (b"{", 422), (b"[" * 100_000, 422), (b'{"inputs": []}', 422),
        (tensor("BYTES", [1], ["!"]), 422), (tensor("BYTES", [2], ["aGk="]), 422),
        (tensor("BYTES", [1], ["aGk="]), 422), (tensor("BYTES", [1], [1]), 422),
        (tensor("BYTES", [5], ["aGk="] * 5), 413), (tensor("BYTES", [0], []), 422),
        (tensor("UINT8", [1, 1, 3], [1, 2]), 422), (tensor("UINT8", [1, 1, 3], [1, 2, 256]), 422),
        (tensor("UINT8", [1, 1, 3], [1, 2, -1]), 422),
        (tensor("UINT8", [1, 1, 3], [10**30] * 3), 422),
        (tensor("UINT8", [10**9, 10**9, 3], [1]), 413), (tensor("UINT8", [-1, 1, 3], [1]), 422),
        (tensor("UINT8", [1, 3], [1, 2, 3]), 422), (tensor("UINT8", [1, 1, 3], [[[1, 2]]]), 422),
        (tensor("UINT8", [1, 1, 3], [[[1.5, 2, 3]]]), 422),
        (tensor("UINT8", [1, 1, 3], ["1"]), 422),
        (tensor("UINT8", [1, 2, 3], [[[1, 2, 3]], [[1, 2, 3]]]), 422),
        (tensor("FP32", [1], [1.0]), 422), (tensor("BYTES", [1], ["aGk="], name="x"), 422),
        ({**tensor("BYTES", [1], ["aGk="]), "data": "x"}, 422),
    ],
)  # fmt: skip
def test_wrong_inference_requests(server, sent, status):
    body = sent if isinstance(sent, bytes) else json.dumps({"inputs": [sent]}).encode()
    kind = {"content-type": "application/json"}
    answer = httpx.post(f"{server.url}/v2/models/default/infer", content=body, headers=kind)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]
    assert httpx.post(f"{server.url}/v2/models/default/infer", content=b"x").status_code == 415
    assert server.get("/v2/models/none").status_code == 404
