"""``analyze`` in parts: the tables of one run, from shards, manifests and Ray, killed or not."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyojeong.cli.app import main
from pyojeong.core.errors import DataError, MissingExtra
from pyojeong.core.unfinished import noted
from pyojeong.distributed import image_parts, ray_engine
from pyojeong.distributed.parts import PartStore
from pyojeong.distributed.ray_engine import RayOptions, run_tasks

TABLES = ("-f", "json", "-f", "csv", "-f", "parquet")
NAMES = ("results.jsonl", "results.csv", "results.parquet")


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([os.fsdecode(word) if isinstance(word, Path) else str(word) for word in words])
    return int(ended.value.code or 0)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def tables(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in NAMES}


@pytest.fixture(scope="module")
def whole(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run over the folder, in one process, not in parts."""
    out = tmp_path_factory.mktemp("whole")
    assert run("analyze", photographs, "-o", out, *TABLES, "--eyes") == 1
    return out


@pytest.fixture(scope="module")
def shards(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    outs = []
    for index in (1, 2, 3):
        outs.append(tmp_path_factory.mktemp("shard"))
        words = ("analyze", photographs, "-o", outs[-1], *TABLES, "--eyes")
        assert run(*words, "--shard", f"{index}/3") in {0, 1}
    return outs


def test_merged_shards_are_one_run(whole: Path, shards: list[Path], tmp_path: Path) -> None:
    assert run("merge", *shards[::-1], "-o", tmp_path) == 1  # the broken file has failed
    assert tables(tmp_path) == tables(whole)
    counts = [json.loads((out / "inputs.json").read_text()) for out in (tmp_path, *shards)]
    assert [c["given"] for c in counts] == [12] * 4
    assert counts[0]["read"] == sum(c["read"] for c in counts[1:]) == 11
    assert run("merge", *shards, "-o", tmp_path) == 1  # made again
    assert tables(tmp_path) == tables(whole)


def test_wrong_shards_are_one_line(
    shards: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*folders: Path) -> str:
        assert run("merge", *folders, "-o", tmp_path / "m") == 2
        assert not (tmp_path / "m" / "results.jsonl").exists()
        return said(capsys)

    one, two, three = shards
    assert "shard 2/3 is missing: name its folder too, or read it with --shard 2/3" in refused(
        one, three
    )
    copy = shutil.copytree(two, tmp_path / "copy")
    assert "shard 2/3 is there twice" in refused(one, two, three, copy)
    assert "holds no shard" in refused(one, two, tmp_path)
    assert "is one of the shards" in " ".join(
        [str(run("merge", one, two, three, "-o", one)), said(capsys)]
    )

    def changed(**facts: object) -> str:
        store = PartStore(copy)
        known = json.loads((store.folder / "run.json").read_text())
        del known["checksum"]
        text = json.dumps({**known, **facts})
        kept = (store.folder / "run.json").read_bytes()
        (store.folder / "run.json").write_text(text)
        words = refused(one, copy, three)
        (store.folder / "run.json").write_bytes(kept)
        return words

    assert "has columns of schema 99" in changed(schema=99)
    assert "was stopped before its end: give its command again" in changed(finished=False)
    assert "are of different divisions" in changed(shard={"index": 2, "count": 4})
    settings = PartStore(copy).facts().settings
    assert "other settings" in changed(settings={**settings, "--model": "other"})
    listed = json.loads((copy / "parts" / "run.json").read_text())["inputs"]
    assert "another list of inputs" in changed(inputs={**listed, "digest": "0"})
    assert "another version of pyojeong" in changed(inputs={"rows": 1})
    part = next((copy / "parts").glob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:-20])
    assert "could not be read" in refused(one, copy, three)
    part.unlink()
    assert "no such file" in refused(one, copy, three)


def test_a_folder_is_of_one_shard_and_one_command(
    shards: list[Path], photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shards[0]
    words = ("analyze", photographs, "-o", out, *TABLES, "--eyes", "--shard")
    assert run(*words, "2/3") == 2
    assert "holds shard 1/3" in said(capsys)
    with noted(out, {}):
        assert run(*words, "1/3") == 1
    assert "another process is writing it" in said(capsys)
    before = {p: p.stat().st_mtime_ns for p in (out / "parts").glob("part-*")}
    assert run(*words, "1/3") in {0, 1}
    assert "read already" in said(capsys)
    assert {p: p.stat().st_mtime_ns for p in (out / "parts").glob("part-*")} == before


@pytest.fixture
def manifest(photographs: Path, tmp_path: Path) -> Path:
    """Rows of the folder in its own order, and repetitions of some."""
    names = sorted(p.name for p in photographs.iterdir())
    # Parquet holds text: the name that is none is left to folders.
    names = [name for name in names if name.isprintable()]
    path = photographs / "list.parquet"
    pq.write_table(pa.table({"uri": [*names, *names[:3]]}), path)
    return path


def test_a_killed_run_goes_on(
    manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pyojeong.distributed import input_list

    monkeypatch.setattr(input_list, "_LEAST_ROWS", 2)
    words = ("analyze", manifest, *TABLES)
    assert run(*words, "-o", tmp_path / "whole") == 1
    assert "14 given = 10 read + 1 failed + 3 left out (3 given more than once)" in said(capsys)
    written = PartStore.write

    def stop(self: PartStore, part: int, *given: object, **named: object) -> None:
        if part == 3:
            raise KeyboardInterrupt
        written(self, part, *given, **named)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(PartStore, "write", stop)
        assert run(*words, "-o", out) == 130
    assert not (out / "results.jsonl").exists()
    assert run(*words, "-o", out, "--min-face", 60) == 2
    assert "a command with other settings" in said(capsys)
    assert run(*words, "-o", out) == 1
    assert "3 of 6 parts are there" in said(capsys)
    assert tables(out) == tables(tmp_path / "whole")
    manifest.unlink()


def test_options_that_do_not_go_together(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, why in (
        (("--shard", "1/2"), "add --out DIR"),
        (("--shard", "1/2", "-o", tmp_path, "--annotate"), "table convert"),
        (("--shard", "5/2", "-o", tmp_path), "expected INDEX/COUNT"),
        (("-o", tmp_path, "--shard", "1/2", "--address", "auto"), "need --engine ray"),
        (("-o", tmp_path, "--engine", "ray", "--object-store-mb", 1), "at least 80"),
    ):
        assert run("analyze", photographs, *words) == 2
        assert why in said(capsys)


def test_another_list_is_not_lost(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(photographs, tmp_path / "in")
    words = ("analyze", folder, "-o", tmp_path / "out", "--shard", "1/1")
    assert run(*words) == 1
    (folder / "broken.jpg").unlink()
    assert run(*words) == 2
    assert "finds other ones (11)" in said(capsys)
    assert run(*words, "--overwrite") == 0
    shutil.copy(folder / "plain-1.png", folder / "plain-2.png")
    assert run(*words) == 0
    assert "read again: files have changed since" in said(capsys)


def test_results_of_all_inputs_are_not_lost_to_a_shard(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(photographs / "plain-1.png", folder)
    words = ("analyze", folder, "-o", tmp_path / "out")
    assert run(*words) == 0
    assert run(*words, "--shard", "1/2") == 2
    assert "holds results of all inputs" in said(capsys)
    assert run(*words, "--shard", "1/1") == 0
    next((tmp_path / "out" / "parts").glob("part-*")).unlink()
    assert run(*words, "--shard", "1/1") == 0
    assert "read again: parts are gone" in said(capsys)
    assert run(*words) == 0  # not in parts: those go
    assert not (tmp_path / "out" / "parts").exists()


def test_ray_gives_the_same_tables(
    whole: Path, photographs: Path, tmp_path: Path, ray: RayOptions
) -> None:
    words = ("analyze", photographs, "-o", tmp_path, *TABLES, "--eyes", "--engine", "ray")
    assert run(*words) == 1
    assert tables(tmp_path) == tables(whole)
    assert not list((tmp_path / "parts").glob(".attempts*"))


class KilledTasks:
    """Makes a worker that is killed at its first attempt at a task."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> Callable[[dict[str, int]], dict[str, int]]:
        def work(task: dict[str, int]) -> dict[str, int]:
            mark = self.folder / str(task["n"])
            if task["n"] == 0 and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), 9)
            return {"n": task["n"]}

        return work


def test_tasks_of_killed_workers_are_done_once(tmp_path: Path, ray: RayOptions) -> None:
    make = KilledTasks(tmp_path / "marks")
    (tmp_path / "marks").mkdir()
    done = list(run_tasks(make, [{"n": n} for n in range(3)], ray, notes=tmp_path))
    assert sorted(each["n"] for each in done) == [0, 1, 2]


def test_a_task_that_always_ends_its_process_is_one_line(
    tmp_path: Path,
) -> None:
    for _ in range(20):
        with pytest.raises(ZeroDivisionError), ray_engine.noted_attempt(tmp_path, "t"):
            raise ZeroDivisionError
    attempt = ray_engine.noted_attempt(tmp_path, "t")
    with pytest.raises(DataError, match="ended 20 times without a result"):
        attempt.__enter__()


def test_ray_missing_or_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "version", lambda _: "1.0")
    with pytest.raises(MissingExtra, match=r"Ray 1.0 is installed.*pyojeong\[ray\]"):
        ray_engine.require_ray(RayOptions())

    def missing(name: str) -> str:
        raise ray_engine.PackageNotFoundError(name)

    monkeypatch.setattr(ray_engine, "version", missing)
    with pytest.raises(MissingExtra, match=r"--engine ray needs an optional part.*pyojeong\[ray\]"):
        ray_engine.require_ray(RayOptions())


def test_the_extra_names_the_version_that_is_asked_for() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'"ray[data]=={ray_engine.RAY_VERSION}"' in text


def test_lines_of_a_part_are_few(tmp_path: Path) -> None:
    done = image_parts.PartDone(0)
    from pyojeong.core.errors import ImageUnreadable
    from pyojeong.runtime.batch import FileResult

    for _ in range(9):
        done.add(FileResult("a", error=ImageUnreadable("a: no")))
    assert (done.rows, done.failed, len(done.lines)) == (9, 9, image_parts.MOST_LINES)


def test_an_empty_manifest_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"path": pa.array([], pa.string())}), path)
    assert run("analyze", path, "-o", tmp_path / "out") == 2
    assert "the manifests have no rows" in said(capsys)
