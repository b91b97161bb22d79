"""``pyojeong video`` and ``pyojeong forget`` on good and bad input."""

import json
from pathlib import Path

import pytest

from pyojeong.cli.app import main
from pyojeong.cli.video import folders, seconds_of
from pyojeong.core.errors import InputError
from pyojeong.output.tables import read_csv, read_parquet
from pyojeong.runtime.golden import GOLDEN_PICTURE
from tests.video.made import make_clip


def run(*args: object) -> int:
    """Exit code of the command, in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", frames=12)


def test_a_folder_of_clips_becomes_a_folder_of_results(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("video", clip.parent, "--out", out, "-f", "csv", "-f", "parquet") == 0
    shown = capsys.readouterr()
    assert "cannot tell what people feel" in shown.err
    assert "walk.mp4" in shown.out
    rows = list(read_parquet(out / "walk" / "results.parquet"))
    assert rows == list(read_csv(out / "walk" / "results.csv"))
    assert len(rows) == 12
    assert (out / "walk" / "report.html").exists()
    assert run("video", clip.parent, "--out", out, "-f", "csv", "-f", "parquet") == 0
    shown = capsys.readouterr()
    assert "there already" in shown.out
    assert "cannot tell what people feel" not in shown.err  # said once


def test_several_clips_become_one_table_too(clip: Path, tmp_path: Path) -> None:
    other = make_clip(tmp_path / "other.mp4", frames=7)
    out = tmp_path / "out"
    assert run("video", clip, other, "--out", out, "-f", "csv", "--no-report") == 0
    rows = list(read_csv(out / "results.csv"))
    assert [r.source for r in rows] == ["walk.mp4"] * 12 + ["other.mp4"] * 7
    assert rows[:12] == list(read_csv(out / "walk" / "results.csv"))
    lines = (out / "people.csv").read_text().splitlines()
    assert lines[0].startswith("clip,track_id,first_s,last_s,frames,seconds,blinks")
    assert [line.split(",")[:2] for line in lines[1:]] == [["walk", "1"], ["other", "1"]]


def test_one_broken_clip_does_not_stop_the_others(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("nothing")
    picture = tmp_path / "picture.mp4"
    picture.write_bytes(GOLDEN_PICTURE.read_bytes())
    out = tmp_path / "out"
    arguments = ("--out", out, "-f", "csv", "--no-report", "--no-eyes")
    assert run("video", bad, tmp_path / "none.mp4", picture, clip, *arguments) == 1
    shown = capsys.readouterr()
    assert shown.err.count("failed") == 3
    assert "none.mp4: No such file" in shown.err
    assert "is an image" in shown.err
    assert len(list(read_csv(out / "walk" / "results.csv"))) == 12
    assert not (out / "bad").exists()


def test_selection_baseline_and_aggregate(clip: Path, tmp_path: Path) -> None:
    arguments = ["--start", "0.1", "--end", "0:00.4", "--stride", "2", "-f", "csv", "--no-report"]
    out = tmp_path / "a"
    assert run("video", clip, "--out", out, *arguments, "--baseline", GOLDEN_PICTURE) == 0
    rows = list(read_csv(out / "walk" / "results.csv"))
    assert [r.index for r in rows] == [4, 6, 8]
    assert all(f.baseline_delta is not None for r in rows for f in r.faces)
    assert run("video", clip, "--out", tmp_path / "b", "--aggregate", "--fps", "5") == 0
    told = json.loads((tmp_path / "b" / "walk" / "summary.json").read_text())
    assert told["frames"] == 3
    assert not list((tmp_path / "b" / "walk").glob("results.*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stride", "2", "--fps", "5"], "fps: expected no stride beside it"),
        (["--start", "5", "--end", "4"], "end: expected later than the start"),
        (["--start", "soon"], "expected seconds, 1:02"),
        (["--baseline", "0:05-0:01"], "its end must lie behind its start"),
        (["--smooth", "0"], "smoothing: expected a positive number"),
        (["--model", "nothing"], "unknown classifier"),
        (["-f", "xml"], "known are parquet, csv, json"),
    ],
)
def test_wrong_options_are_one_line(
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert run("video", clip, "--out", tmp_path / "out", *arguments) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_forget(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("video", clip, "--out", out, "-f", "csv") == 0
    assert run("video", "redact", out / "walk", "--track", "1") == 0
    assert "results.csv: rewritten" in capsys.readouterr().out
    assert not any(r.faces for r in read_csv(out / "walk" / "results.csv"))
    assert run("forget", out / "walk", "--track", "1") == 2
    assert "there are: nobody" in capsys.readouterr().err


def test_clips_of_one_name_get_folders_of_their_own() -> None:
    clips = [Path("a/x.mp4"), Path("b/x.mp4"), Path("b/x.mov"), Path("y.mp4")]
    names = [f.name for f in folders(clips, Path("out"))]
    assert len(set(names)) == 4
    assert names[3] == "y"


@pytest.mark.parametrize(
    ("text", "seconds"), [("12.5", 12.5), ("1:02", 62), ("1:02:03.5", 3723.5), ("0", 0)]
)
def test_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "1h", "1:"])
def test_wrong_times(text: str) -> None:
    with pytest.raises(InputError, match="expected seconds"):
        seconds_of(text)
