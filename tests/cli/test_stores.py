"""Stores that fail: reads are repeated, a store that goes away stops the command and may return."""

import http.server
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyojeong import read_table
from pyojeong.core.errors import ImageUnreadable, StoreUnavailable
from pyojeong.image import remote
from pyojeong.runtime.golden import PICTURES
from tests.cli.test_remote import run

ASTRONAUT = (PICTURES / "astronaut.jpg").read_bytes()


class Store(http.server.BaseHTTPRequestHandler):
    """Gives an image under every name; fails as it is asked to."""

    failures: ClassVar[Counter[str]] = Counter()
    status = 503
    away = False
    files: ClassVar[dict[str, bytes | None]] = {}
    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        Store.asked[self.path] += 1
        if Store.away or Store.failures[self.path] > 0:
            Store.failures[self.path] -= 1
            self.send_error(Store.status)
            return
        body = Store.files.get(self.path, ASTRONAUT)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(remote, "PAUSES_S", (0.0, 0.0, 0.0))
    Store.failures, Store.asked, Store.files = Counter(), Counter(), {}
    Store.status, Store.away = 503, False
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_failed_reads_are_repeated(store: str) -> None:
    Store.failures["/a.jpg"] = 3
    assert remote.read_remote(f"{store}/a.jpg").shape[2] == 3
    assert Store.asked["/a.jpg"] >= 4  # fsspec asks for the size first
    Store.failures["/b.jpg"] = 9
    with pytest.raises(StoreUnavailable, match="could not be read"):
        remote.read_remote(f"{store}/b.jpg")
    assert 4 <= Store.asked["/b.jpg"] <= 8


@pytest.mark.parametrize("status", [404, 403, 410])
def test_failures_that_stay_are_not_repeated(store: str, status: int) -> None:
    Store.failures["/a.jpg"], Store.status = 1, status
    with pytest.raises(ImageUnreadable) as error:
        remote.read_remote(f"{store}/a.jpg")
    assert not isinstance(error.value, StoreUnavailable)
    assert Store.asked["/a.jpg"] == 1


def test_a_server_that_is_gone_is_unavailable(store: str) -> None:
    with pytest.raises(StoreUnavailable):
        remote.read_remote("http://127.0.0.1:9/a.jpg")


def manifest(path: Path, names: list[str]) -> bytes:
    pq.write_table(pa.table({"url": names}), path)
    return path.read_bytes()


def test_a_manifest_on_a_store(store: str, tmp_path: Path) -> None:
    """The manifest, too, is read again; what is missing is a row."""
    names = [f"{store}/{i}.jpg" for i in range(4)]
    Store.files["/list.parquet"] = manifest(tmp_path / "list.parquet", names)
    Store.files["/2.jpg"] = None
    Store.failures["/list.parquet"] = Store.failures["/1.jpg"] = 2
    out = tmp_path / "out"
    assert run("analyze", f"{store}/list.parquet", "--remote", "-o", out, "-f", "csv") == 1
    rows = list(read_table(out / "results.csv"))
    assert [row.source for row in rows] == names
    assert [bool(row.error) for row in rows] == [False, False, True, False]
    assert Store.asked["/list.parquet"] >= 3
    assert Store.asked["/1.jpg"] >= 3


def test_a_memory_file_system(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/bucket/a.jpg", ASTRONAUT)
    data = manifest(tmp_path / "m.parquet", ["memory://bucket/a.jpg", "memory://bucket/no.jpg"])
    system.pipe("/bucket/m.parquet", data)
    out = tmp_path / "out"
    assert run("analyze", "memory://bucket/m.parquet", "--remote", "-o", out) == 1
    first, second = read_table(out / "results.jsonl")
    assert len(first.faces) == 1
    assert "no such file" in second.error
    system.rm("/bucket", recursive=True)


def test_a_store_that_goes_away_and_comes_back(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{store}/{i}.jpg" for i in range(40)]
    manifest(tmp_path / "list.parquet", names)
    words = ("analyze", tmp_path / "list.parquet", "--remote", "-o", tmp_path / "out", "-j", 1)
    Store.away = True
    assert run(*words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "the store does not answer: 8 images in a row failed" in said
    assert "give the same command again" in said
    assert not (tmp_path / "out" / "results.jsonl").exists()
    Store.away = False
    assert run(*words) == 0
    assert sum(not row.error for row in read_table(tmp_path / "out" / "results.jsonl")) == 40
