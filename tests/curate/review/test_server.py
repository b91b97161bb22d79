"""The review page's server: who is let in, what is taken, what is answered."""

import io
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from pyojeong.core.errors import ManifestInvalid
from pyojeong.core.labels import FER7
from pyojeong.curate.decisions import Decision, DecisionLog, merged
from pyojeong.curate.findings import Finding, Store
from pyojeong.curate.review.index import NO_KEY, ReviewIndex
from pyojeong.curate.review.pictures import Pictures
from pyojeong.curate.review.session import ReviewSession
from pyojeong.datasets.samples import Sample, Split, write_manifest
from pyojeong.serve.security import Guard

Serve = Callable[..., Any]
Build = Callable[..., Store]


@pytest.fixture(scope="module")
def four_hundred(build_store: Build, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build_store(tmp_path_factory.mktemp("small"), 400)


@pytest.fixture
def small(four_hundred: Store, tmp_path: Path) -> Store:
    shutil.copytree(four_hundred.manifest.parent, tmp_path / "data")
    return Store.beside(tmp_path / "data" / "set.parquet")


def post(client: httpx.Client, *words: dict[str, Any], batch: str = "one") -> httpx.Response:
    return client.post("/api/decisions", json={"id": batch, "words": list(words)})


# -- who is let in ---------------------------------------------------------------------------------


def test_nothing_without_the_token(small: Store, serve: Serve) -> None:
    served = serve(small)
    with httpx.Client(base_url=served.root, timeout=60) as client:
        for path in ("/", "/?token=guess", "/web/review.js", "/api/index", "/api/words"):
            answer = client.get(path)
            assert answer.status_code == 403
            assert "pyojeong data review" in answer.text
        assert client.get("/pictures/0/x").status_code == 403
        assert client.get(f"/api/index?token={served.token}").status_code == 403
        assert post(client, {"row": 1, "action": "keep"}).status_code == 403
        page = client.get(f"/?token={served.token}")
        cookie = page.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert client.get("/api/words").status_code == 200  # by the cookie
    assert served.lines() == []


def test_foreign_names_and_pages_are_refused(small: Store, serve: Serve) -> None:
    served = serve(small)
    with served.client() as client:
        for host in ("evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[x", ""):
            assert client.get("/api/words", headers={"host": host}).status_code == 400
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
            answer = client.get("/api/words", headers={"origin": origin})
            assert answer.status_code == 403
        port = served.root.rsplit(":", 1)[1]
        assert client.get("/api/words", headers={"host": f"localhost:{port}"}).status_code == 200


def test_a_server_for_the_network_answers_to_its_addresses() -> None:
    guard = Guard(None, token="x", host="0.0.0.0")  # type: ignore[arg-type]
    assert guard._is_own_host("192.168.1.4:80")
    assert guard._is_own_host(f"{socket.gethostname()}:80")
    assert not guard._is_own_host("evil.example:80")


def test_the_page_may_load_nothing_from_elsewhere(small: Store, serve: Serve) -> None:
    served = serve(small)
    with served.client() as client:
        page = client.get("/")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        for name in ("review.js", "review.css", "icon.svg", "grid.js"):
            answer = client.get(f"/web/{name}")
            assert answer.status_code == 200
            assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
            assert "https://" not in answer.text


def test_nothing_else_can_be_asked_for(small: Store, serve: Serve) -> None:
    served = serve(small)
    with served.client() as client:
        for path in (
            "/web/..%2fapp.py",
            "/web/../app.py",
            "/web/%2e%2e/app.py",
            "/web/nothing.js",
            "/web//etc/passwd",
            "/pictures/..%2f..%2fetc%2fpasswd/x",
            "/pictures/0/..%2f..%2fx",
            "/pictures/-1/------------",
            "/pictures/99999/------------",
            "/docs",
            "/openapi.json",
        ):
            answer = client.get(path)
            assert answer.status_code in {404, 422}, path
            assert "root:" not in answer.text


# -- what is taken ---------------------------------------------------------------------------------


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"row": 400, "action": "keep"}, "row 400: the manifest has 400 rows"),
    ({"row": -1, "action": "keep"}, "words.1.row"),
    ({"row": "1", "action": "keep"}, "words.1.row"),
    ({"row": 1, "action": "burn"}, "words.1.action"),
    ({"row": 1, "action": "relabel"}, "a label belongs to 'relabel'"),
    ({"row": 1, "action": "keep", "label": "sad"}, "a label belongs to 'relabel'"),
    ({"row": 1, "action": "relabel", "label": "sleepy"}, "no label 'sleepy'"),
    ({"row": 1, "action": "keep", "check": "none"}, "no findings of a check 'none'"),
    ({"row": 1, "action": "keep", "reviewer": "ben"}, "words.1.reviewer"),
]


def test_wrong_words_are_refused_and_none_is_written(small: Store, serve: Serve) -> None:
    served = serve(small)
    with served.client() as client:
        for word, error in WRONG:
            answer = post(client, {"row": 2, "action": "drop"}, word)
            assert answer.status_code == 422
            assert error in answer.json()["error"]
            assert "\n" not in answer.json()["error"]
    assert served.lines() == []


def test_a_repeated_request_is_written_once(small: Store, serve: Serve) -> None:
    served = serve(small)
    with served.client() as client:
        one = post(client, {"row": 3, "action": "drop"})
        two = post(client, {"row": 3, "action": "drop"})
        assert one.json() == two.json()
        assert one.json()["action"] == [2]
        assert post(client, {"row": 3, "action": "drop"}, batch="two").status_code == 200
        assert post(client, {"row": 9, "action": "undo"}, batch="three").json()["action"] == [0]
    assert [d["row"] for d in served.lines()] == [3, 3]


def test_a_new_label_that_is_the_old_one_is_kept(small: Store, serve: Serve) -> None:
    served = serve(small)
    with served.client() as client:
        answer = post(client, {"row": 0, "action": "relabel", "label": FER7.names[0]})
    assert answer.json()["action"] == [1]
    assert (served.lines()[0]["action"], served.lines()[0]["label"]) == ("keep", "")


def test_a_full_disk_is_told_and_retried(
    small: Store, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(small)
    before = served.ledger.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with served.client() as client:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            answer = post(client, {"row": 3, "action": "drop"})
            assert answer.status_code == 507
            assert "No space left" in answer.json()["error"]
            assert served.ledger.read_bytes() == before
        assert post(client, {"row": 3, "action": "drop"}).status_code == 200
    assert len(served.lines()) == 1


# -- what is answered ------------------------------------------------------------------------------


def test_others_are_heard_and_conflicts_settled(small: Store, serve: Serve) -> None:
    served = serve(small)
    with served.client() as client:
        first = client.get("/api/words").json()
        again = client.get("/api/words", params={"known": first["version"]}).json()
        assert again == {"version": first["version"], "problem": ""}
        post(client, {"row": 5, "action": "drop"}, {"row": 6, "action": "keep"})
        DecisionLog(small, "ben").add(
            [
                Decision(row=5, action="relabel", label="sad", reviewer="ben"),
                Decision(row=6, action="keep", reviewer="ben"),
            ]
        )
        DecisionLog(small, "rule").add([Decision(row=8, action="drop", reviewer="rule")])
        words = client.get("/api/words", params={"known": first["version"]}).json()
        assert words["reviewers"] == ["anna", "ben", "rule"]
        assert words["rows"] == [5, 6, 8]
        assert words["action"] == [4, 1, 2]
        assert words["mine"] == [1, 1, 0]
        assert words["said"] == {"5": [[0, 2, -1], [1, 3, FER7.names.index("sad")]]}
        done = post(client, {"row": 5, "action": "keep", "final": True}, batch="two").json()
        assert (done["partial"], done["action"], done["final"]) == (True, [1], [1])
        back = post(client, {"row": 5, "action": "undo"}, batch="three").json()
        assert back["action"] == [4]
        details = client.get("/api/rows/5").json()
        assert [d["action"] for d in details["history"]] == ["drop", "relabel", "keep", "undo"]
    assert len(merged(small)[1]) == 1


def test_a_damaged_ledger_of_another_is_told(small: Store, serve: Serve) -> None:
    served = serve(small)
    with served.client() as client:
        (served.ledger.parent / "ben.jsonl").write_text("nonsense\n")
        assert "ben.jsonl" in client.get("/api/words").json()["problem"]
        answer = post(client, {"row": 5, "action": "drop"})
        assert "ben.jsonl" in answer.json()["problem"]
    assert len(served.lines()) == 1


def test_batches_that_can_be_undone_outlive_the_server(small: Store) -> None:
    session = ReviewSession(ReviewIndex(small), "anna")

    def say(batch: str, action: str, *rows: int) -> None:
        session.decide(batch, [Decision(row=r, action=action, reviewer="") for r in rows])
        time.sleep(0.002)

    say("a", "keep", 1, 2)
    say("b", "drop", 2, 3)
    say("c", "undo", 2, 3)
    say("d", "drop", 4)
    again = ReviewSession(ReviewIndex(small), "anna")
    assert session.recent() == again.recent() == [[1, 2], [4]]
    assert again.words()["rows"] == [1, 2, 4]


def test_pictures(small: Store, serve: Serve, places: dict[str, int]) -> None:
    served, index = serve(small), ReviewIndex(small)
    with served.client() as client:
        usual = client.get(f"/pictures/3/{index.key[3]}")
        assert usual.headers["content-type"] == "image/png"
        assert "immutable" in usual.headers["cache-control"]
        picture = Image.open(io.BytesIO(usual.content))
        assert (picture.size, picture.mode) == ((48, 48), "L")
        wide = places["wide"]
        small_one = client.get(f"/pictures/{wide}/{index.key[wide]}")
        large = client.get(f"/pictures/{wide}/{index.key[wide]}/large")
        assert Image.open(io.BytesIO(small_one.content)).size == (256, 192)
        assert Image.open(io.BytesIO(large.content)).size == (1200, 900)
        broken = places["broken"]
        for end in ("", "/large"):
            shown = client.get(f"/pictures/{broken}/{NO_KEY}{end}")
            assert shown.status_code == 200
            assert shown.headers["content-type"] == "image/svg+xml"
            assert shown.headers["cache-control"] == "no-store"
        details = client.get(f"/api/rows/{broken}").json()
        assert "not an image" in details["picture"]["error"]
        assert client.get(f"/pictures/3/{index.key[4]}").status_code == 404
        assert client.get("/api/rows/400").status_code == 422


def test_memory_of_pictures_is_bounded(small: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = Pictures(small.manifest)
    monkeypatch.setattr(pictures._thumbnails, "_limit", 10_000)
    for row in range(50):
        pictures.thumbnail(row)
        assert pictures._thumbnails.bytes <= 10_000
    assert pictures.cached(49) is not None
    assert pictures.cached(0) is None


def test_pictures_named_by_a_path(tmp_path: Path) -> None:
    Image.new("RGB", (500, 300), (200, 10, 10)).save(tmp_path / "a.jpg")
    Image.new("RGB", (500, 300), (200, 10, 10)).save(tmp_path / "b.png")
    names = ("a.jpg", "b.png", "missing.jpg")
    rows = [Sample(label="sad", split=Split.TRAIN, path=str(tmp_path / n)) for n in names]
    write_manifest(tmp_path / "set.parquet", rows, FER7)
    pictures = Pictures(tmp_path / "set.parquet")
    assert [pictures.thumbnail(r).media for r in range(3)] == [
        "image/jpeg",
        "image/jpeg",
        "image/svg+xml",
    ]
    red = np.asarray(Image.open(io.BytesIO(pictures.thumbnail(0).data)))
    assert red.shape == (154, 256, 3)
    assert abs(red[50, 50].astype(int) - (200, 10, 10)).max() < 6


# -- the index -------------------------------------------------------------------------------------


def test_index_flags_what_the_store_flags(small: Store) -> None:
    index = ReviewIndex(small)
    for check in index.checks:
        assert check.flagged.tolist() == [f.row for f in small.flagged(check.name)]
    index_json = index.to_json(reviewer="anna")
    assert index_json.startswith(b'{"manifest":')
    small.add_part("blurred", "1", [Finding(row=1, check="blurred", score=0.7)])
    assert index.refresh()
    assert not index.refresh()
    assert 1 in index.checks[0].flagged


def test_findings_of_rows_that_are_not_there_are_refused(small: Store) -> None:
    small.add_part("blurred", "1", [Finding(row=400, check="blurred", score=0.7)])
    with pytest.raises(ManifestInvalid, match="row 400"):
        ReviewIndex(small)
    (small.part_folder("blurred") / "part-1.parquet").write_bytes(b"torn")
    with pytest.raises(ManifestInvalid, match="damaged"):
        ReviewIndex(small)


def many(folder: Path, size: int = 36_000) -> Store:
    """A big table with tiny images, and eight checks that scored every row."""

    class Made:
        states = "Something"
        threshold = 0.9

        def __init__(self, name: str) -> None:
            self.name = name

        def settings(self) -> dict[str, Any]:
            return {}

    rows = (
        Sample(
            label=FER7.names[i % 7],
            split=Split.TRAIN,
            image=b"x",
            source=f"fer2013.csv:{i + 2}",
            content_hash=f"{i:032x}",
        )
        for i in range(size)
    )
    write_manifest(folder / "many.parquet", rows, FER7)
    store = Store.beside(folder / "many.parquet")
    scores = np.random.default_rng(0).random(size).round(3)
    findings = [
        Finding(row=i, check="c", score=float(s), reason="why" if s > 0.9 else "")
        for i, s in enumerate(scores)
    ]
    store.start(Made("c0"))
    store.add_part("c0", "0", findings)
    for n in range(1, 8):
        store.start(Made(f"c{n}"))
        target = store.part_folder(f"c{n}") / "part-0.parquet"
        target.write_bytes((store.part_folder("c0") / "part-0.parquet").read_bytes())
    return store


@pytest.mark.slow
def test_thirty_six_thousand_rows_load_fast(tmp_path: Path, serve: Serve) -> None:
    store = many(tmp_path)
    start = time.process_time()  # the server runs in this process; other programs do not count
    index = ReviewIndex(store)
    read = time.process_time() - start
    served = serve(store)
    with served.client() as client:
        start, clock = time.process_time(), time.perf_counter()
        answer = client.get("/api/index")
        sent, took = time.process_time() - start, time.perf_counter() - clock
    assert len(answer.json()["rows"]["label"]) == len(index.label) == 36_000
    cpu = f"{read:.2f} s to read, {sent:.2f} s to send (by the clock {took:.2f} s)"
    sys.stdout.write(f"\n36,000 rows: {cpu}, {len(answer.content) / 1e6:.1f} MB\n")
    assert sent < 1
