"""Health, figures, logs, connections, and the command itself: from start to a graceful stop."""

import contextlib
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from pyojeong import Analyzer
from pyojeong.cli.app import main
from pyojeong.serve.api.request_log import JsonLines
from tests.serve.api_server import PHOTO, ApiServer


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1)


@pytest.fixture(scope="module")
def server(analyzer, tmp_path_factory):
    root = tmp_path_factory.mktemp("serve")
    with ApiServer(analyzer, root, max_connections=20, idle_seconds=1.0) as server:
        yield server


def test_health(server, analyzer):
    assert server.get("/healthz").json() == {"status": "ok"}
    ready = server.get("/readyz").json()
    assert ready == {"status": "ready", "models": [analyzer.classifier.card.id]}


def test_figures(server):
    before = server.metric('pyojeong_requests_total{route="/v1/analyze",status="200"}') if (
        "/v1/analyze" in server.get("/metrics").text
    ) else 0  # fmt: skip
    server.post("/v1/analyze", PHOTO)
    server.post("/v1/analyze", b"x")
    text = server.get("/metrics").text
    assert server.metric('pyojeong_requests_total{route="/v1/analyze",status="200"}') == before + 1
    assert server.metric("pyojeong_faces_total") >= 1
    assert server.metric('pyojeong_images_total{outcome="failed"}') >= 1
    for name in (
        "request_seconds_bucket",
        "batch_images_bucket",
        "waiting_images",
        "open_requests",
    ):
        assert f"pyojeong_{name}" in text
    assert "process_resident_memory_bytes" in text or sys.platform != "linux"
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r"[a-z_]+(\{[^}]*\})? \S+", line), line


def test_figures_and_logs_hold_no_names(server, caplog):
    with caplog.at_level(logging.INFO, "pyojeong.serve"):
        server.post("/v1/analyze?model=anna", ("anna.jpg", PHOTO))
        server.get("/anna")
        server.get("/v1/videos/anna")
        end = time.monotonic() + 10
        records = []
        while len(records) < 3 and time.monotonic() < end:  # written after the response
            records = [r for r in caplog.records if r.name == "pyojeong.serve"]
            time.sleep(0.02)
    assert "anna" not in server.get("/metrics").text
    lines = [json.loads(JsonLines().format(r)) for r in records]
    assert [line["status"] for line in lines] == [404, 404, 404]
    assert [line["route"] for line in lines] == ["/v1/analyze", "unknown", "/v1/videos/{id}"]
    assert "anna" not in str(lines)
    assert set(lines[0]) == {
        "time", "level", "event", "id", "method", "route", "status", "bytes_in", "bytes_out", "ms",
    }  # fmt: skip


def test_documentation_needs_no_network(server):
    page = server.get("/docs").text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    assert not [link for link in links if "//" in link]
    for link in links:
        if not link.startswith("data:"):
            assert server.get(f"/{link}").status_code == 200
    assert "http" not in server.get("/docs").headers["content-security-policy"]
    assert server.get("/", follow_redirects=False).headers["location"] == "docs"
    assert server.get("/docs/docs.html").status_code == 404


def test_the_documentation_in_a_browser(server):
    import shutil

    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        asked, said = [], []
        page.on("request", lambda r: asked.append(r.url))
        page.on("console", lambda m: said.append(m.text))
        page.goto(f"{server.url}/docs")
        page.wait_for_selector("text=Read the expressions in images", timeout=60_000)
        browser.close()
    assert all(url.startswith((server.url, "data:")) for url in asked), asked
    assert said == []


def test_connections_without_a_request_are_closed(server):
    for sent in (b"", b"GET /healthz HTTP/1.1\r\nHost: 127."):
        with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
            connection.sendall(sent)
            assert connection.recv(1000) == b""  # closed by the server


HEAD = b"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\n"
FORM = b"Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ((HEAD + b"X: ", *[b"x" * 50_000] * 4), b"431"),
        ((HEAD, *[b"X: " + b"x" * 1000 + b"\r\n"] * 100), b"431"),
        ((HEAD + FORM + b"0\r\nX: ", *[b"x" * 50_000] * 4), b""),  # trailers
        ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",), b"400"),  # TLS
        ((b"nonsense\r\n\r\n",), b"400"),
        ((HEAD + b"Content-Length: -1\r\n\r\n",), b"400"),
        ((HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",), b"400"),
        ((HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",), b"400"),
        ((HEAD + FORM + b"zz\r\n",), b"400"),
    ],
    ids=["endless head", "many heads", "endless trailer", "TLS", "nonsense", "negative",
         "two lengths", "two ways", "no chunk"],
)  # fmt: skip
def test_odd_connections_end_and_harm_nobody(server, sent, status):
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        with contextlib.suppress(ConnectionError):
            for part in sent:
                connection.sendall(part)
                time.sleep(0.01)
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                answer += data
    if status and answer:  # what is sent to a client that still sends may be lost
        assert answer.split()[1] == status
        assert b'{"error": ' in answer
    assert server.get("/healthz").status_code == 200


def test_a_client_that_reads_nothing_is_cut_off(analyzer, tmp_path):
    request = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with ApiServer(analyzer, tmp_path, read_seconds=0.5) as server:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(request * 20)
            end = time.monotonic() + 20
            while server.metric("pyojeong_open_requests") > 1:
                assert time.monotonic() < end
                time.sleep(0.05)
        assert server.get("/docs/swagger-ui-bundle.js").status_code == 200


def test_the_number_of_connections_has_a_limit(server):
    held = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(20)]
    try:
        time.sleep(0.2)
        with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
            answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: 1" in answer
    finally:
        for connection in held:
            connection.close()
    end = time.monotonic() + 20
    while True:
        try:
            assert server.get("/healthz").status_code == 200
            break
        except (httpx.HTTPError, AssertionError):
            assert time.monotonic() < end


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"])
def test_other_methods(server, method):
    answer = httpx.request(method, f"{server.url}/v1/analyze")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.json()["error"]
    answer = httpx.request("PUT", f"{server.url}/v1/videos/x")
    assert answer.headers["allow"] == "DELETE, GET"


class Command:
    """`pyojeong serve` in a process of its own."""

    def __init__(self, *options, folder):
        command = [sys.executable, "-m", "pyojeong", "serve", "--port", "0", *map(str, options)]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "TMPDIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().strip()

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(30)
        said = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return self.process.returncode, said


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_command_stops_gracefully(tmp_path, how):
    server = Command(folder=tmp_path)
    try:
        files = {"file": ("anna.jpg", PHOTO)}
        with ThreadPoolExecutor(8) as pool:
            posts = [
                pool.submit(httpx.post, f"{server.url}/v1/analyze", files=files, timeout=60)
                for _ in range(8)
            ]
            while not any(p.done() for p in posts):
                time.sleep(0.01)
            assert list(tmp_path.iterdir())
            code, said = server.end(how)
            statuses = {p.result().status_code for p in posts if p.exception() is None}
        assert statuses == {200}  # what was in work was answered
    finally:
        server.process.kill()
    assert code == 0
    assert list(tmp_path.glob("pyojeong-*")) == []
    first, *lines, last = said.strip().splitlines()
    assert "no token: this machine only" in first
    assert "stopped" in last
    assert all(json.loads(line)["event"] for line in lines if line.startswith("{"))
    assert "anna" not in said
    assert "Traceback" not in said


def test_a_host_of_the_network_needs_a_token(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--host", "0.0.0.0", "--port", "0"])
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "add --token-file FILE" in said
    token = tmp_path / "token"
    token.write_text("x")
    with pytest.raises(SystemExit):
        main(["serve", "--host", "0.0.0.0", "--token-file", str(token)])
    assert "at least 16 characters" in " ".join(capsys.readouterr().err.split())


def test_a_server_of_the_network(tmp_path):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    server = Command("--host", "0.0.0.0", "--token-file", token, "--max-videos", 0, folder=tmp_path)
    try:
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert httpx.get(f"{server.url}/v1/models").status_code == 401
        bearer = {"authorization": "Bearer 0123456789abcdef"}
        assert httpx.get(f"{server.url}/v1/models", headers=bearer).status_code == 200
        code, said = server.end(signal.SIGTERM)
    finally:
        server.process.kill()
    assert code == 0
    assert "open to the network" in said
    assert "0123456789abcdef" not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--allow-origin", "*"], "--allow-origin"),
        (["--model", "nonne"], "unknown"),
        (["--page", "/nowhere"], "index.html"),
        (["--max-bytes", "0"], "max-bytes"),
    ],
)
def test_wrong_options(options, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", "0", *options])
    assert ended.value.code == 2
    assert words in " ".join(capsys.readouterr().err.split())
