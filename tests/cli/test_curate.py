"""``pyojeong data curate``, ``clean``, ``faces`` as people call them."""

from pathlib import Path

import numpy as np
import pytest

from pyojeong.cli.app import main
from pyojeong.datasets.samples import Split, read_manifest
from tests.curate.made import ASTRONAUT, COFFEE, face, noise, sample, write
from tests.datasets import trees


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in args])
    return int(stopped.value.code or 0)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [
        sample(face(96), "happy"),
        sample(face(96), "happy", Split.TEST),
        sample(noise(1), "angry"),
        sample(b"broken", "fear"),
        sample(np.full((48, 48), 90, np.uint8), "sad"),
    ]
    return write(tmp_path / "set.parquet", rows)


def test_curate_then_clean(table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    checks = "unreadable,exact-copy,flat,no-face=0.7"
    report = tmp_path / "report"
    assert run("data", "curate", table, "--checks", checks, "--report", report, "--jobs", 1) == 1
    said = capfd.readouterr().err
    assert "exact-copy" in said
    assert "set.curation" in said
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "pyojeong" in page
    assert "exact-copy" in page
    out = tmp_path / "clean.parquet"
    assert run("data", "clean", table, "--accept", "unreadable,exact-copy,flat", "--out", out) == 0
    said = capfd.readouterr().err
    assert "accepted 3 suggestions" in said
    assert "dropped: 3 train" in said
    assert [r.source for r in read_manifest(out, splits=list(Split))] == ["made:1", "made:2"]


def test_copies_under_another_label_are_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [sample(noise(1), "sad"), sample(noise(1), "angry"), sample(noise(2), "fear")]
    table = write(tmp_path / "set.parquet", rows)
    assert run("data", "curate", table, "--checks", "exact-copy", "--jobs", 1) == 0
    capfd.readouterr()
    out = tmp_path / "clean.parquet"
    assert run("data", "clean", table, "--accept", "exact-copy", "--out", out) == 0
    said = " ".join(capfd.readouterr().err.split())
    assert "1 of them drop a copy of an image that stays under another label (rows " in said


def test_a_finished_check_is_not_run_again(table: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("data", "curate", table, "--checks", "flat", "--jobs", 1) == 1
    part = next((table.with_suffix(".curation") / "findings" / "flat").glob("part-*"))
    before = part.stat().st_mtime_ns
    assert run("data", "curate", table, "--checks", "flat", "--jobs", 1) == 1
    assert part.stat().st_mtime_ns == before
    capfd.readouterr()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["curate", "TABLE", "--checks", "blured"], "blurred"),
        (["curate", "TABLE", "--checks", "flat=3"], "from 0 to 1"),
        (["curate", "TABLE", "--checks", "label-issue"], "--folds 5"),
        (["curate", "photos"], "data import"),
        (["curate", "missing.parquet"], "no such file"),
        (["clean", "TABLE", "--accept", "flat", "--out", "new.parquet"], "data curate"),
        (["clean", "TABLE", "--out", "TABLE"], "never overwritten"),
        (["faces", "TABLE", "--out", "TABLE"], "never overwritten"),
        (["faces", "TABLE", "--out", "x.parquet", "--detector", "mtcn"], "mtcnn"),
    ],
)
def test_wrong_use_is_one_line_with_the_cure(
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    args: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(table) if a == "TABLE" else a for a in args]
    assert run("data", *given) == 2
    said = capfd.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_findings_of_another_table_are_refused(
    table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    assert run("data", "curate", table, "--checks", "flat", "--store", store, "--jobs", 1) == 1
    other = write(tmp_path / "other.parquet", [sample(noise(5))])
    capfd.readouterr()
    assert run("data", "curate", other, "--checks", "flat", "--store", store) == 2
    assert "another data set" in capfd.readouterr().err


def test_faces_lists_pictures_without_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos = write(tmp_path / "photos.parquet", [sample(ASTRONAUT), sample(COFFEE)])
    out = tmp_path / "faces.parquet"
    assert run("data", "faces", photos, "--out", out, "--detector", "mtcnn") == 0
    said = capfd.readouterr().err
    assert "1 images without a face: made:1" in said
    assert "1 faces in" in said
    assert "images: 2 given = 1 read + 0 failed + 1 left out (1 without a face)" in said
    assert len(list(read_manifest(out, splits=list(Split)))) == 1


def test_commands_name_files_that_were_moved(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for i in range(3):
        trees.save(i, tmp_path / "set" / "happy" / f"{i}.png")
    table = tmp_path / "t.parquet"
    assert run("data", "import", tmp_path / "set", "--out", table) == 0
    (tmp_path / "set" / "happy" / "1.png").unlink()
    capfd.readouterr()
    assert run("data", "info", table) == 1
    assert "missing: 1 of 3 files are missing under" in capfd.readouterr().err
    assert run("data", "curate", table, "--checks", "unreadable", "--jobs", 1) == 1
    said = capfd.readouterr().err
    assert "1 of 3 files are missing" in said
    assert "(1.png); they were not checked" in said
    (tmp_path / "set").rename(tmp_path / "elsewhere")
    commands = (
        ("data", "info", table),
        ("data", "curate", table),
        ("data", "faces", table, "--out", tmp_path / "f.parquet"),
        ("data", "export", table, "--out", tmp_path / "x"),
        ("evaluate", "--data", table),
    )
    for command in commands:
        assert run(*command) == 2
        said = capfd.readouterr().err
        assert f"3 of 3 files are missing under {tmp_path}/set/happy: move them back" in said
        assert said.count("\n") == 1
