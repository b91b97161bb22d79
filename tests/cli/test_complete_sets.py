"""A folder of results holds those of one command: nothing of an earlier one lies beside them."""

import json
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from pyojeong.cli.analyze_request import AnalyzeRequest
from pyojeong.core.output_files import changed_files
from tests.cli.test_files_of_users import GOLDEN_PICTURE, run
from tests.datasets import trees

OTHER = {
    "measures": ("action_units",),
    "paths": ["other.jpg"], "formats": ["csv"], "excel": True, "annotate": True,
    "annotate_as": ".png", "detector": "mtcnn", "model": "default-fer2013", "min_face": 60,
    "any_rotation": True, "views": 2, "eyes": True, "prior": "balanced", "labels": "ferplus8",
    "threshold": 0.9, "device": "cpu", "layouts": ["openface"], "shard": "1/2",
}  # fmt: skip
"""Another value of every option of `pyojeong analyze`."""
NOT_RESULTS = {"out", "remote", "overwrite", "jobs", "threads", "allow"}
NOT_RESULTS |= {"engine", "address", "object_store_mb"}


def test_every_option_that_changes_results_is_part_of_their_record(tmp_path: Path) -> None:
    assert {f.name for f in fields(AnalyzeRequest)} == set(OTHER) | NOT_RESULTS
    base = AnalyzeRequest(paths=["a.jpg"], out=tmp_path)
    for name, value in OTHER.items():
        assert replace(base, **{name: value}).settings() != base.settings(), name


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "ab":
        shutil.copy(GOLDEN_PICTURE, folder / f"{name}.jpg")
    return folder


def names(out: Path) -> set[str]:
    return {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} - {
        "settings.toml"
    }


def test_tables_and_drawings_of_an_earlier_command_go(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("analyze", photos, "--out", out, "-f", "csv", "--annotate") == 0
    drawn = {"annotated/a.annotated.jpg", "annotated/b.annotated.jpg"}
    assert names(out) == {"results.csv", "inputs.json", *drawn}
    assert changed_files(out, json.loads((out / "inputs.json").read_text())["outputs"]) == []
    (photos / "b.jpg").unlink()
    capsys.readouterr()
    again = ("analyze", photos, "--out", out, "-f", "json", "--annotate")
    assert run(*again) == 2  # the results of b.jpg would be lost
    assert run(*again, "--overwrite") == 0
    assert names(out) == {"results.jsonl", "inputs.json", "annotated/a.annotated.jpg"}
    said = " ".join(capsys.readouterr().err.split())
    assert "of an earlier command, removed: annotated/b.annotated.jpg, results.csv" in said
    assert run("analyze", photos, "--out", out) == 0
    assert names(out) == {"results.jsonl", "inputs.json"}
    assert not (out / "annotated").exists()


def test_a_table_that_somebody_changed_stays(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("analyze", photos, "--out", out, "-f", "csv") == 0
    with (out / "results.csv").open("a") as table:
        table.write("a note\n")
    assert run("analyze", photos, "--out", out) == 0
    assert "changed since, stays: results.csv" in " ".join(capsys.readouterr().err.split())
    assert names(out) == {"results.csv", "results.jsonl", "inputs.json"}


def test_two_commands_do_not_write_one_folder(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyojeong.core.unfinished import noted

    out = tmp_path / "out"
    out.mkdir()
    with noted(out, {}):
        assert run("analyze", photos, "--out", out) == 1
    assert "another process is writing it" in " ".join(capsys.readouterr().err.split())
    assert names(out) == set()


def test_files_of_the_user_are_not_overwritten(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also not in a folder with results of an earlier command."""
    out = tmp_path / "out"
    assert run("analyze", photos, "--out", out) == 0
    (out / "results.csv").write_text("mine")
    (out / "annotated").mkdir()
    (out / "annotated" / "a.annotated.jpg").write_text("mine")
    for options in (("-f", "csv"), ("--annotate",)):
        capsys.readouterr()
        assert run("analyze", photos, "--out", out, *options) == 2
        assert "no earlier command is known to have written" in " ".join(
            capsys.readouterr().err.split()
        )
    assert (out / "results.csv").read_text() == "mine"
    assert (out / "annotated" / "a.annotated.jpg").read_text() == "mine"
    assert run("analyze", photos, "--out", out) == 0  # writes neither of them
    with (out / "results.jsonl").open("a") as table:
        table.write("{}")
    assert run("analyze", photos, "--out", out) == 2
    assert run("analyze", photos, "--out", out, "--overwrite") == 0


def test_named_outputs_of_other_kinds_are_not_overwritten(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = trees.class_folders(tmp_path / "set")
    table, text = tmp_path / "set.parquet", tmp_path / "notes.parquet"
    assert run("data", "import", source, "--out", table) == 0
    text.write_text("mine")
    picture = photos / "a.jpg"
    before = picture.read_bytes()
    for command in (
        ("data", "import", source, "--out", text),
        ("data", "split", table, "--out", text),
        ("data", "info", table, "--sheet", picture),
        ("evaluate", "--data", table, "--out", text),
    ):
        capsys.readouterr()
        assert run(*command) == 1, command
        assert "is there already" in " ".join(capsys.readouterr().err.split())
    assert text.read_text() == "mine"
    assert picture.read_bytes() == before
    assert run("data", "import", source, "--out", table) == 0  # one of its own is made again


def test_temporary_files_of_a_killed_command_go(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("analyze", photos, "--out", out, "--annotate") == 0
    before = names(out)
    code = "import sys; from pathlib import Path; from pyojeong.core.atomic_write import _temporary"
    code += "; [_temporary(Path(name)).write_text('half') for name in sys.argv[1:]]"
    torn = [out / "inputs.json", out / "results.jsonl", out / "annotated" / "a.annotated.jpg"]
    subprocess.run([sys.executable, "-c", code, *map(str, torn)], check=True)
    assert len(names(out)) == len(before) + 3
    assert run("analyze", photos, "--out", out, "--annotate") == 0
    assert names(out) == before
