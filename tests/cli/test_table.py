"""`pyojeong table convert`, and `--layout` of analyze and video."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pyojeong import to_csv, to_jsonl, to_parquet
from pyojeong.core.output_files import changed_files
from pyojeong.runtime.golden import GOLDEN_PICTURE
from tests.cli.test_files_of_users import run
from tests.output.made_layouts import clip, photographs, whole
from tests.output.test_layouts import GOLDEN, frame, read_comma
from tests.video.made import make_clip

Said = pytest.CaptureFixture[str]


def said(capsys: Said) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_table_of_any_kind_becomes_the_same_files(kind: str, tmp_path: Path) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    frames = [frame(0), frame(1, whole())]
    write = {"jsonl": to_jsonl, "csv": to_csv, "parquet": to_parquet}[kind]
    write(frames, tmp_path / f"walk.{kind}")
    to_jsonl(frames, tmp_path / "same.jsonl")
    for layout in ("openface", "pyfeat", "facereader"):
        for name in (f"walk.{kind}", "same.jsonl"):
            assert run("table", "convert", tmp_path / name, "--layout", layout) == 0
    files = {p.name for p in tmp_path.iterdir() if p.name.startswith("walk.")} - {f"walk.{kind}"}
    assert files == {"walk.openface.csv", "walk.pyfeat.csv", "walk.facereader_person1.txt"}
    for name in files:
        other = tmp_path / name.replace("walk", "same")
        assert (tmp_path / name).read_bytes() == other.read_bytes()


def test_photographs_and_what_is_printed(tmp_path: Path, capsys: Said) -> None:
    to_jsonl(photographs(), tmp_path / "results.jsonl")
    target = tmp_path / "openface_photographs.csv"
    command = ("table", "convert", tmp_path, "--layout", "openface", "--out", target)
    assert run(*command) == 0
    lines = capsys.readouterr().out.split()
    assert lines == [str(target), str(tmp_path / "openface_photographs_images.csv")]
    for line in lines:
        assert Path(line).read_text("utf-8") == (GOLDEN / Path(line).name).read_text("utf-8")
    before = target.read_bytes()
    target.write_text("mine")
    assert run(*command) == 1
    assert "and 1 more is there already: add --overwrite" in said(capsys)
    assert target.read_text() == "mine"
    assert run(*command, "--overwrite") == 0
    assert target.read_bytes() == before
    assert run("table", "convert", tmp_path, "--layout", "facereader") == 2
    assert "holds clips only" in said(capsys)


def test_what_results_lack_is_one_line(tmp_path: Path, capsys: Said) -> None:
    to_jsonl([frame(1, clip()[1].faces[1])], tmp_path / "walk.jsonl")
    assert run("table", "convert", tmp_path / "walk.jsonl", "--layout", "openface") == 0
    text = said(capsys)
    assert text.count("note") == 1
    assert "not measured in these results, so empty: action units, head pose, gaze" in text
    assert read_comma(tmp_path / "walk.openface.csv")[0]["AU12_r"] == ""


def test_what_could_not_be_read_is_one_line(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("notes.csv", "notes.txt"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    for name, words in (
        ("empty", "holds no results.jsonl"),
        ("notes.csv", "not a table of results"),
        ("gone.csv", "no such file"),
        ("gone", "no such file or folder"),
        ("notes.txt", "expected a file that ends in .csv"),
    ):
        assert run("table", "convert", tmp_path / name, "--layout", "pyfeat") == 2
        assert words in said(capsys), name
    assert {p.name for p in tmp_path.iterdir()} == {"empty", "notes.csv", "notes.txt"}


def test_an_empty_path_is_not_the_working_folder(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_jsonl([frame(0, whole())], tmp_path / "walk.jsonl")
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    for words in (("--out", ""), ("--out=",), ("-o", "")):
        command = ("table", "convert", tmp_path / "walk.jsonl", "--layout", "pyfeat")
        assert run(*command, *words) == 2
        assert "it is empty: name a file or folder" in said(capsys)
    assert run("video", tmp_path / "walk.jsonl", "--out", "x", "--events", "") == 2
    assert not list(place.iterdir())


def test_results_of_a_clip_are_converted_beside_their_folder(tmp_path: Path, capsys: Said) -> None:
    made = make_clip(tmp_path / "walk.mp4", frames=4)
    out = tmp_path / "out"
    few = ("-f", "csv", "--no-report", "--no-eyes")
    command = ("video", made, "--out", out, *few, "--layout", "openface", "--layout", "facereader")
    assert run(*command) == 0
    assert "layout openface: not measured" in said(capsys)
    there = {p.name for p in (out / "walk").iterdir()}
    assert {"openface.csv", "facereader_person1.txt"} < there
    assert 'layout = ["openface", "facereader"]' in (out / "settings.toml").read_text()
    assert run("doctor", out) == 0
    for results in (out / "walk", out / "walk" / "results.csv"):
        convert = ("table", "convert", results, "--layout", "openface", "--overwrite")
        assert run(*convert) == 0
        beside = out / "walk.openface.csv"
        assert beside.read_bytes() == (out / "walk" / "openface.csv").read_bytes()
        beside.unlink()
        assert run(*convert, "--out", out / "walk" / "mine.csv") == 1
        assert "holds results, which are a complete set" in said(capsys)
    assert {p.name for p in (out / "walk").iterdir()} == there
    shutil.copytree(out / "walk", tmp_path / "again" / "walk")
    assert run("video", "--config", out / "settings.toml", made, "--out", tmp_path / "again") == 0
    assert run("video", made, "--out", out, "--aggregate", "--layout", "pyfeat") == 2


def test_layouts_of_photographs(tmp_path: Path, capsys: Said) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name in ("a", "나, b"):
        shutil.copy(GOLDEN_PICTURE, photos / f"{name}.jpg")
    (photos / "c.jpg").write_text("broken")
    command = ("analyze", photos, "--out", out)
    assert run(*command, "--layout", "openface", "--layout", "pyfeat") == 1
    assert "layout openface: not measured in these results, so empty: action units" in said(capsys)
    assert [row["success"] for row in read_comma(out / "openface.csv")] == ["1", "0", "1"]
    files = [row["file"] for row in read_comma(out / "openface_images.csv")]
    assert [Path(file).name for file in files] == ["a.jpg", "c.jpg", "나, b.jpg"]
    assert [row["input"] for row in read_comma(out / "pyfeat.csv")] == files
    outputs = json.loads((out / "inputs.json").read_text())["outputs"]
    layouts = {"openface.csv", "openface_images.csv", "pyfeat.csv"}
    assert set(outputs) == {"results.jsonl", *layouts}
    assert changed_files(out, outputs) == []
    assert run(*command) == 1
    assert "of an earlier command, removed: openface.csv, openface_images.csv" in said(capsys)
    assert not layouts & {p.name for p in out.iterdir()}
    (out / "pyfeat.csv").write_text("mine")
    assert run(*command, "--layout", "pyfeat") == 2
    assert (out / "pyfeat.csv").read_text() == "mine"
    assert run(*command, "--layout", "facereader") == 2
    assert "holds clips only" in said(capsys)
    assert run("analyze", photos, "--layout", "pyfeat") == 2
    assert "add --out" in said(capsys)


def test_no_table_of_results_is_replaced(tmp_path: Path, capsys: Said) -> None:
    to_csv([frame(0, whole())], tmp_path / "walk.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "walk.csv")
    before = (tmp_path / "walk.csv").read_bytes()
    convert = ("table", "convert", tmp_path / "walk.csv", "--layout", "openface", "--overwrite")
    for name in ("walk.csv", "link.csv"):
        assert run(*convert, "--out", tmp_path / name) == 1
        assert "is the table that is converted" in said(capsys)
    assert (tmp_path / "walk.csv").read_bytes() == before


def test_no_result_of_a_command_is_replaced(tmp_path: Path, capsys: Said) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    shutil.copy(GOLDEN_PICTURE, photos)
    assert run("analyze", photos, "--out", out, "-f", "csv", "--layout", "pyfeat") == 0
    to_csv([frame(0, whole())], tmp_path / "walk.csv")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {"results.csv", "pyfeat.csv", "inputs.json", "settings.toml"} <= set(before)
    convert = ("table", "convert", tmp_path / "walk.csv", "--layout", "openface", "--overwrite")
    for name in before:
        assert run(*convert, "--out", out / name) == 1
        assert "belongs to the results" in said(capsys)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert run(*convert, "--out", out / "walk.openface.csv") == 0


def test_people_who_were_taken_out_leave_their_files(tmp_path: Path, capsys: Said) -> None:
    """`pyojeong video redact` says: convert again."""
    table, log = tmp_path / "walk.jsonl", "walk.facereader_person{}.txt"
    people = [replace(whole(), track_id=number) for number in (1, 2)]
    to_jsonl([frame(0, *people), frame(1)], table)
    convert = ("table", "convert", table, "--layout", "facereader")
    assert run(*convert) == 0
    (tmp_path / log.format(3)).write_text("mine")
    to_jsonl([frame(0), frame(1)], table)  # nobody is left
    assert run(*convert) == 1
    assert "is there already" in said(capsys)
    assert run(*convert, "--overwrite") == 0
    assert "removed, of an earlier conversion" in said(capsys)
    files = {path.name for path in tmp_path.glob("*.txt")}
    assert files == {"walk.facereader_nobody.txt", log.format(3)}
