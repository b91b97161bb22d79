"""Who may use `pyojeong serve`: host names, tokens, origins; what responses carry."""

import gzip

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from pyojeong import Analyzer
from pyojeong.core.errors import InputError
from pyojeong.serve.api.settings import ServerSettings, read_token
from tests.serve.api_server import PHOTO, ApiServer

TOKEN = "a-secret-of-24-characters"
OTHER = "https://example.org"


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "index.html.gz").write_bytes(gzip.compress(b"<!doctype html><title>packed</title>"))
    (folder / "models").mkdir()
    (folder / "models" / "net.wasm").write_bytes(b"\0asm")
    (folder / ".secret").write_text("hidden")
    (folder / "link.txt").symlink_to("/etc/hostname")
    return folder


@pytest.fixture(scope="module")
def server(analyzer, tmp_path_factory, page):
    options = {"token": TOKEN, "allow_origins": (OTHER,), "allow_hosts": ("faces.example",)}
    root = tmp_path_factory.mktemp("serve")
    with ApiServer(analyzer, root, page=page, **options) as server:
        yield server


BEARER = {"authorization": f"Bearer {TOKEN}"}
PATHS = ["/", "/docs", "/openapi.json", "/metrics", "/v1/models", "/v1/videos/x", "/v2", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_everything_but_health_needs_the_token(server, path):
    answer = server.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Bearer" in answer.json()["error"]
    for wrong in (
        "Bearer x",
        f"Bearer {TOKEN}x",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer é".encode("latin-1"),
    ):
        assert server.get(path, headers={"authorization": wrong}).status_code == 401
    assert server.get(path, headers=BEARER).status_code != 401
    assert server.get(path, headers={"x-pyojeong-token": TOKEN}).status_code != 401


def test_health_is_open(server):
    for path in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"):
        assert server.get(path).status_code == 200


def test_a_request_without_the_token_is_not_read(server):
    answer = server.post("/v1/analyze", PHOTO)
    assert answer.status_code == 401


def test_the_page_takes_the_token_from_its_address_and_keeps_a_cookie(server):
    with httpx.Client(base_url=server.url) as client:
        first = client.get(f"/?token={TOKEN}")
        assert first.status_code == 200
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert client.get("/v1/models").status_code == 200  # by the cookie
    assert server.get("/?token=wrong").status_code == 401
    assert server.get(f"/v1/models?token={TOKEN}").status_code == 401  # addresses are logged


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "[", "", "faces.example.org"]
)
def test_foreign_host_names(server, host):
    answer = server.get("/healthz", headers={"host": host})
    assert answer.status_code == 400
    assert "--allow-host" in answer.json()["error"]


def test_named_hosts(server):
    assert server.get("/healthz", headers={"host": "faces.example"}).status_code == 200
    assert server.get("/healthz", headers={"host": f"localhost:{server.port}"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://[", "", OTHER + ".evil"]
)
def test_foreign_origins(server, origin):
    headers = {**BEARER, "origin": origin}
    answer = server.post("/v1/analyze", PHOTO, headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    ask = {"origin": origin, "access-control-request-method": "POST"}
    assert httpx.options(server.url + "/v1/analyze", headers=ask).status_code == 403


def test_named_origins(server):
    ask = {"origin": OTHER, "access-control-request-method": "POST"}
    answer = httpx.options(server.url + "/v1/analyze", headers=ask)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == OTHER
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    answer = server.post("/v1/analyze", PHOTO, headers={**BEARER, "origin": OTHER})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == OTHER
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    assert server.get("/v1/models", headers={"origin": OTHER}).status_code == 401


def test_every_response_has_the_security_headers(server):
    for path, headers in (("/healthz", {}), ("/", BEARER), ("/docs", BEARER), ("/no", {})):
        answer = server.get(path, headers=headers)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
        assert "server" not in answer.headers


def test_the_page(server):
    answer = server.get("/", headers={**BEARER, "accept-encoding": "identity"})
    assert "<title>page" in answer.text
    assert "'wasm-unsafe-eval'" in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    packed = server.get("/", headers={**BEARER, "accept-encoding": "gzip"})
    assert "<title>packed" in packed.text
    wasm = server.get("/models/net.wasm", headers=BEARER)
    assert wasm.headers["content-type"] == "application/wasm"
    assert wasm.content == b"\0asm"


@pytest.mark.parametrize(
    "path",
    ["/.secret", "/link.txt", "/models", "/models/", "/../settings", "/%2e%2e/%2e%2e/etc/passwd",
     "/models/..%2f..%2f.secret", "//etc/passwd", "/models/%00"],
)  # fmt: skip
def test_the_page_is_no_way_to_other_files(server, path):
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    assert server.raw(request.encode()).startswith(b"HTTP/1.1 404 ")


def test_a_folder_without_a_page_is_refused(analyzer, tmp_path):
    with pytest.raises(InputError, match="--page"):
        ApiServer(analyzer, tmp_path, page=tmp_path).bound.close()


def stream(server, **options):
    return connect(f"ws://127.0.0.1:{server.port}/v1/stream", **options)


def test_streams_are_guarded_too(server):
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer x"}, 401),
        ({**BEARER, "Origin": "https://evil.example"}, 403),
    ):
        with pytest.raises(InvalidStatus) as refused, stream(server, additional_headers=headers):
            pass
        assert refused.value.response.status_code == status
        assert b'{"error":' in refused.value.response.body
        assert refused.value.response.headers["x-frame-options"] == "DENY"
    with stream(server, additional_headers=BEARER):
        pass
    with stream(server, additional_headers={**BEARER, "Origin": OTHER}):
        pass
    with stream(server, subprotocols=[f"bearer.{TOKEN}"]):  # browsers set no other header
        pass


def test_a_server_without_a_token_takes_no_requests_of_pages(analyzer, tmp_path):
    with ApiServer(analyzer, tmp_path) as server:
        assert server.get("/").status_code in {200, 307}
        assert server.post("/v1/analyze", PHOTO).status_code == 200
        headers = {"origin": "https://evil.example"}
        assert server.post("/v1/analyze", PHOTO, headers=headers).status_code == 403
        own = {"origin": server.url}
        assert server.post("/v1/analyze", PHOTO, headers=own).status_code == 200
        with pytest.raises(InvalidStatus), stream(server, additional_headers=headers):
            pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "one token"),
        ("short", "16 characters"),
        ("a b", "one token"),
        ("x" * 20 + ";", "letters"),
    ],
)
def test_tokens_that_are_no_use(tmp_path, text, words):
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        read_token(file)
    file.write_text(f"{TOKEN}\n")
    assert read_token(file) == TOKEN
    with pytest.raises(InputError, match="could not be read"):
        read_token(tmp_path / "none")


@pytest.mark.parametrize(
    "origin", ["*", "example.org", "https://*.example.org", "https://a/b", "https://"]
)
def test_origins_that_are_none(origin):
    with pytest.raises(InputError, match="--allow-origin"):
        ServerSettings(allow_origins=(origin,))


@pytest.mark.parametrize("limit", [{"max_bytes": 0}, {"jobs": -1}, {"keep_seconds": float("nan")}])
def test_limits_that_are_none(limit):
    with pytest.raises(InputError, match="expected"):
        ServerSettings(**limit)
