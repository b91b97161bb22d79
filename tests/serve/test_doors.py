"""Requests that no browser sends: both pages answer them by 4xx, never by 500."""

import asyncio
import json

import httpx
import pytest
from rich.console import Console

from pyojeong.cli.serving import warn_of_network
from pyojeong.core.labels import FER7
from pyojeong.core.texts import Texts
from pyojeong.curate.findings import Store
from pyojeong.curate.review.app import create_app
from pyojeong.curate.review.index import ReviewIndex
from pyojeong.curate.review.session import ReviewSession
from pyojeong.datasets.samples import Sample, Split, write_manifest
from pyojeong.serve.live_app import create_live_app
from pyojeong.serve.security import MOST_BYTES, is_loopback

TOKEN = "a-secret"
HOST = "127.0.0.1:1"


class NoCamera:
    """A session that records nothing."""

    say = Texts("live", "en")

    def start_recording(self):
        raise AssertionError("nothing of these tests may begin a recording")

    stop_recording = start_recording


@pytest.fixture(params=["live", "review"])
def page(request, tmp_path):
    if request.param == "live":
        return create_live_app(NoCamera(), token=TOKEN), "/api/record"
    manifest = tmp_path / "set.parquet"
    write_manifest(manifest, [Sample(label="happy", split=Split.TRAIN, image=b"x")], FER7)
    session = ReviewSession(ReviewIndex(Store.beside(manifest)), "anna")
    return create_app(session, token=TOKEN), "/api/decisions"


def ask(app, path, *, content=b"", method="POST", headers=(), query=""):
    async def run():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            own = {"x-pyojeong-token": TOKEN, "content-type": "application/json", **dict(headers)}
            return await client.request(method, path + query, content=content, headers=own)

    return asyncio.run(run())


ORIGINS = ["http://[", "http://[::1", "http://]", "null", "", "http://evil", "http://127.0.0.1:99999999",
           "http://\x80", "[", "//[", "http://[v1.x]"]  # fmt: skip


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_origins(page, origin, method):
    app, path = page
    where = "/api/words" if method == "GET" else path
    answer = ask(app, where, method=method, headers={"origin": origin.encode("latin-1")})
    assert answer.status_code == 403


NUMBERS = ["1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1" * 5000, "1.5", "-1", "true", "{}"]
BODIES = [
    b"", b"{", b"null", b"[]", b"3", b"1e400", b"NaN", b'"\\ud800"', b"\xff\xfe", b'{"a": 1e400}',
    b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"\\ud800": 1}',
    b'{"on": 1e400}', b'{"on": "\\ud800"}', b'{"on": NaN}', b'{"on": true, "\\ud800": NaN}',
    b'{"id": "x", "words": 1e400}', b'{"id": 1e400, "words": []}', b"0" * 10_000,
    b'{"id": "\\ud800", "words": [{"row": 0, "action": "keep"}]}',
    b'{"id": "x", "words": [{"row": 0, "action": "keep", "label": "\\ud800"}]}',
    b'{"id": "x", "words": [{"row": 0, "action": "relabel", "label": "\\ud800"}]}',
    b'{"id": "x", "words": [{"row": 0, "action": "relabel", "label": "a\\u0000"}]}',
    b'{"id": "x", "words": [{"row": 0, "action": "drop", "check": "\\ud800"}]}',
    b'{"id": "x", "words": [{"row": 0, "action": "keep", "\\udfff": 1e400}]}',
    *(b'{"id": "x", "words": [{"row": %s, "action": "keep"}]}' % n.encode() for n in NUMBERS),
    *(b'{"on": %s}' % n.encode() for n in NUMBERS if n != "true"),
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=lambda b: repr(b[:60]))
def test_bodies(page, body):
    app, path = page
    answer = ask(app, path, content=body)
    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert json.loads(answer.text) if answer.headers["content-type"].endswith("json") else True


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"}, {"content-type": "multipart/form-data"},
        {"content-type": "application/json; charset=x\x80".encode("latin-1")},
        {"content-length": "x"}, {"content-length": "-1"}, {"content-length": "9" * 5000},
        {"content-length": str(MOST_BYTES + 1)}, {"content-length": "²".encode("latin-1")},
        {"transfer-encoding": "chunked", "content-length": ""},
    ],
)  # fmt: skip
def test_headers(page, headers):
    app, path = page
    assert 400 <= ask(app, path, content=b"{}", headers=headers).status_code < 500


@pytest.mark.parametrize(
    "path",
    [
        "/api/rows/1e400", "/api/rows/-1", "/api/rows/" + "9" * 5000, "/api/rows/NaN",
        "/pictures/" + "9" * 400 + "/x", "/pictures/0/%00", "/pictures/0/%ff/large", "/web/..%2f..",
        "/web/%00", "/web/" + "x" * 5000, "/%ff", "/api/words?known=" + "x" * 500,
    ],
)  # fmt: skip
def test_addresses(page, path):
    app, _ = page
    assert 400 <= ask(app, path, method="GET").status_code < 500


@pytest.mark.parametrize("host", ["[", "[::1", "a:b:c", "\x80", "", "127.0.0.1:x]"])
def test_hosts(page, host):
    app, path = page
    assert ask(app, path, headers={"host": host.encode("latin-1")}).status_code == 400


def test_queries_without_a_token(page):
    app, _ = page
    for query in ("?token=%ff", "?" + "a=1&" * 5000, "?token=", "?token[=", "?%"):
        answer = ask(app, "/", method="GET", query=query, headers={"x-pyojeong-token": "no"})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True), ("localhost", True), ("LOCALHOST", True), ("::1", True),
        ("127.0.0.2", True), ("::ffff:127.0.0.1", True), ("0.0.0.0", False), ("::", False),
        ("192.168.1.5", False), ("my-machine", False), ("", False), ("127.0.0.1.example", False),
    ],
)  # fmt: skip
def test_hosts_beyond_this_machine_are_warned_of(host, own, capsys):
    assert is_loopback(host) is own
    warn_of_network(host, "see the camera", Console())
    assert ("open to the network" in capsys.readouterr().out) is not own


def test_every_command_that_serves_warns():
    from pathlib import Path

    import pyojeong.cli

    folder = Path(pyojeong.cli.__file__).parent
    texts = {p.name: p.read_text() for p in folder.glob("*.py") if p.name != "serving.py"}
    serving = {name for name, text in texts.items() if "bind(" in text}
    assert serving == {"review.py", "serve.py", "webcam.py"}
    assert all("warn_of_network(" in texts[name] for name in serving)
