"""Files of users in the folder of results are refused or kept, never replaced or deleted."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyojeong.cli.app import main
from pyojeong.core.unfinished import noted
from pyojeong.output.tables import read_csv
from pyojeong.runtime.golden import GOLDEN_PICTURE
from tests.video.made import make_clip

FEW = ("-f", "csv", "--no-report", "--no-eyes")


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [make_clip(folder / f"{name}.mp4", frames=3) for name in "abc"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl", "people.csv", "inputs.json"])
@pytest.mark.parametrize("number", [1, 2])
def test_video_refuses_a_folder_with_files_of_the_user(
    clips: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    number: int,
) -> None:
    (tmp_path / "people.csv").write_text("clip,age\na,33\n")
    (tmp_path / name).write_text('{"mine": 1}')
    before = contents(tmp_path)
    assert run("video", *clips[:number], "--out", tmp_path, *FEW) == 2
    assert contents(tmp_path) == before
    shown = " ".join(capsys.readouterr().err.split())
    assert name in shown
    assert "choose another --out folder" in shown


@pytest.mark.parametrize("name", ["results.csv", "inputs.json", "annotated/x.annotated.jpg"])
def test_analyze_refuses_them_unless_told_to_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    photo = tmp_path / "x.jpg"
    shutil.copy(GOLDEN_PICTURE, photo)
    out = tmp_path / "own"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text('{"mine": 1}')
    arguments = ("analyze", photo, "--out", out, "--format", "csv", "--annotate")
    assert run(*arguments) == 2
    assert contents(out) == {name: b'{"mine": 1}'}
    shown = " ".join(capsys.readouterr().err.split())
    assert name in shown
    assert "--overwrite" in shown
    assert run(*arguments, "--overwrite") == 0
    assert run(*arguments) == 0  # results of earlier runs are replaced
    assert len(list(read_csv(out / "results.csv"))) == 1


def test_tables_of_several_clips_outlive_a_command_with_one(
    clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("video", *clips[:2], "--out", tmp_path, *FEW) == 0
    before = {name: (tmp_path / name).read_bytes() for name in ("results.csv", "people.csv")}
    capsys.readouterr()
    assert run("video", clips[2], "--out", tmp_path, *FEW) == 0
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    shown = " ".join(capsys.readouterr().err.split())
    assert "do not hold c as read now: name all clips in one command" in shown
    assert run("video", *clips, "--out", tmp_path, *FEW) == 0
    assert len(list(read_csv(tmp_path / "results.csv"))) == 9


def test_drawings_never_replace_an_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "x.jpg"
    shutil.copy(GOLDEN_PICTURE, photo)
    arguments = ("--out", tmp_path / "out", "--annotate")
    assert run("analyze", photo, *arguments) == 0
    named = tmp_path / "out" / "annotated" / "x.annotated.jpg"
    shutil.copy(GOLDEN_PICTURE, named)
    capsys.readouterr()
    assert run("analyze", photo, named, *arguments) == 2
    assert run("analyze", photo, named, *arguments, "--overwrite") == 1
    assert named.read_bytes() == GOLDEN_PICTURE.read_bytes()
    shown = " ".join(capsys.readouterr().err.split())
    assert "could not be annotated" in shown
    assert "is an input of this command" in shown
    assert "1 not annotated" in shown
    assert (named.parent / "x.annotated.annotated.jpg").exists()


def killed_analyze(photos: Path, out: Path, *options: str) -> None:
    """Begin a command and kill it when the first drawing is on disk."""
    command = [sys.executable, "-m", "pyojeong", "analyze", str(photos), "--out", str(out)]
    process = subprocess.Popen([*command, "--annotate", *options], stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("annotated/*.annotated.jpg")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


# Windows has no SIGKILL: a process cannot be ended there at a chosen point without a clean-up.
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_a_killed_analyze_is_repeated_and_other_settings_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for number in range(6):
        shutil.copy(GOLDEN_PICTURE, photos / f"{number}.jpg")
    killed_analyze(photos, out, "--jobs", "1")
    assert not (out / "inputs.json").exists()
    before = contents(out)
    common = ("analyze", photos, "--out", out, "--annotate")
    assert run(*common, "--threshold", 0.9) == 2
    assert contents(out) == before
    shown = " ".join(capsys.readouterr().err.split())
    assert "--threshold is 0.9, was not given" in shown
    assert "--overwrite" in shown
    assert run(*common) == 0
    assert "stopped before its end" in " ".join(capsys.readouterr().err.split())
    rows = (out / "results.jsonl").read_text().splitlines()
    assert len(rows) == 6
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == sorted(
        [*(f"{n}.annotated.jpg" for n in range(6)), "inputs.json", "results.jsonl", "settings.toml"]
    )
    assert run(*common, "--threshold", 0.9) == 0  # a finished run may be made again


def test_video_does_not_write_where_an_analyze_was_stopped(
    clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyError), noted(tmp_path, {"inputs": ["photos"]}):
        raise KeyError
    assert run("video", clips[0], "--out", tmp_path, *FEW) == 2
    assert "left when it was stopped (its inputs: photos)" in " ".join(
        capsys.readouterr().err.split()
    )
    assert not (tmp_path / "inputs.json").exists()
    with noted(tmp_path, {"inputs": ["photos"]}):
        assert run("video", clips[0], "--out", tmp_path, *FEW) == 1
        assert "another process is writing" in " ".join(capsys.readouterr().err.split())


def test_two_commands_never_write_into_one_folder_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with noted(tmp_path, {"inputs": ["a"]}):
        assert run("analyze", GOLDEN_PICTURE, "--out", tmp_path) == 1
        assert "another process is writing" in " ".join(capsys.readouterr().err.split())
        assert run("analyze", GOLDEN_PICTURE, "--out", tmp_path, "--overwrite") == 1
    assert run("analyze", GOLDEN_PICTURE, "--out", tmp_path) == 0


@pytest.mark.parametrize("command", ["analyze", "video"])
@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_not_the_current_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    assert run(command, "a.jpg", name, "--out", tmp_path / "out") == 2
    assert "input 2 is an empty name" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_a_range_without_frames_leaves_earlier_results_as_they_are(
    clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("video", *clips[:2], "--out", tmp_path, *FEW) == 0
    before = contents(tmp_path)
    assert run("video", clips[0], "--out", tmp_path, *FEW, "--start", 40) == 1
    assert contents(tmp_path) == before
    shown = " ".join(capsys.readouterr().err.split())
    assert "are those of an earlier command, and stay" in shown
    assert run("analyze", GOLDEN_PICTURE, "--out", tmp_path) == 2  # they are known still


def test_a_clip_that_is_called_like_a_table(
    clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "in" / "results.csv.mp4"
    clip.parent.mkdir()
    shutil.copy(clips[0], clip)
    assert run("video", clip, "--out", tmp_path / "out", *FEW) == 0
    shown = " ".join(capsys.readouterr().err.split())
    assert "results.csv is the name of a table: those of" in shown
    assert (tmp_path / "out" / "in_results.csv" / "done.json").exists()
