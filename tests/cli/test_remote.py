"""``--remote``: addresses through fsspec, and only when that is asked for."""

import http.server
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import pytest

from pyojeong import Analyzer, read_table
from pyojeong.cli.app import main
from pyojeong.core.errors import ImageUnreadable, MissingExtra
from pyojeong.image import remote
from pyojeong.runtime.golden import PICTURES

ASTRONAUT = (PICTURES / "astronaut.jpg").read_bytes()


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


@pytest.fixture
def bucket() -> Iterator[str]:
    """A file system in memory."""
    system = fsspec.filesystem("memory")
    for name in ("b/x/1.jpg", "b/x/deep/2.JPG", "b/x/notes.txt", "b/y/3.png"):
        system.pipe(f"/{name}", ASTRONAUT if "notes" not in name else b"text")
    system.pipe("/b/y/4.jpg", b"no image")
    yield "memory://b"
    system.rm("/b", recursive=True)


def test_files_folders_and_patterns(bucket: str, tmp_path: Path) -> None:
    places = (f"{bucket}/x/", f"{bucket}/y/*.png")
    assert run("analyze", *places, PICTURES / "coffee.jpg", "--remote", "-o", tmp_path) == 0
    results = {r.source: r for r in read_table(tmp_path / "results.jsonl")}
    names = ["memory://b/x/1.jpg", "memory://b/x/deep/2.JPG", "memory://b/y/3.png"]
    assert (
        sorted(s for s in results if "://" in s) == names
        or sorted(s.replace(":///", "://") for s in results if "://" in s) == names
    )
    faces = {r.faces for s, r in results.items() if "://" in s}
    assert faces == {Analyzer(threads=1).analyze(ASTRONAUT).faces}
    assert run("analyze", "--config", tmp_path / "settings.toml") == 0


def test_nothing_is_read_without_being_asked(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("analyze", f"{bucket}/x/1.jpg", "-o", tmp_path) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "is an address, and nothing is downloaded" in said
    assert "--remote" in said
    (result,) = Analyzer(threads=1).analyze_files([f"{bucket}/x/1.jpg"])
    assert "nothing is downloaded" in result.error
    (result,) = Analyzer(threads=1).analyze_files([f"{bucket}/x/1.jpg"], remote=True)
    assert len(result.faces) == 1


def test_what_fails_is_a_row(bucket: str, tmp_path: Path) -> None:
    words = ("analyze", f"{bucket}/y/4.jpg", f"{bucket}/y/5.jpg", f"{bucket}/z/", "nope://x/a.jpg")
    assert run(*words, "--remote", "-o", tmp_path) == 1
    errors = [r.error for r in read_table(tmp_path / "results.jsonl")]
    assert len(errors) == 4
    assert "not an image" in errors[0]
    assert "no such file" in errors[1]
    assert "no images there" in errors[2]
    assert "nope" in errors[3]


def test_http(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(ASTRONAUT)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        place = f"http://127.0.0.1:{server.server_port}"
        assert remote.read_remote(f"{place}/a.jpg").shape == (512, 512, 3)
        with pytest.raises(ImageUnreadable, match=r"b\.jpg: there is no such file"):
            remote.read_remote(f"{place}/b.jpg")
        server.shutdown()
    with pytest.raises(ImageUnreadable, match=r"could not be read: .*check the address"):
        remote.read_remote(f"{place}/a.jpg")


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtra, match=r"pyojeong\[remote\]"):
        remote.read_remote("memory://b/x/1.jpg")
