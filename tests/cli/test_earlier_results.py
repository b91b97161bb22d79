"""`analyze` into a folder whose results belong to images that are gone."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyojeong.cli.app import main
from pyojeong.output.tables import read_csv
from pyojeong.runtime.golden import GOLDEN_PICTURE


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    return int(stop.value.code or 0)


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two results in ``r``; commands are given beside it."""
    monkeypatch.chdir(tmp_path)
    folder = Path("card")
    folder.mkdir()
    for name in ("a.jpg", "b\udcff.jpg"):
        (folder / name).write_bytes(GOLDEN_PICTURE.read_bytes())
    assert run("analyze", folder, "--out", "r", "--format", "csv") == 0
    return folder


@pytest.mark.parametrize("named", ["card", "card/*.jpg"])
def test_other_images_in_the_same_folder(
    card: Path, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("analyze", card, "--out", "r", "--format", "csv") == 0  # the same ones
    shutil.rmtree(card)
    card.mkdir()
    (card / "c.jpg").write_bytes(GOLDEN_PICTURE.read_bytes())
    before = Path("r/results.csv").read_bytes()
    capsys.readouterr()
    assert run("analyze", named, "--out", "r", "--format", "csv") == 2
    assert Path("r/results.csv").read_bytes() == before


def test_a_folder_that_is_not_mounted(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(card)
    card.mkdir()
    assert run("analyze", card, "--out", "r", "--format", "csv") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "a.jpg and 1 more, which this command does not find any more" in said
    assert "--overwrite" in said
    assert len(list(read_csv("r/results.csv"))) == 2


def test_from_another_folder_and_with_more_images(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(card)
    Path("c.jpg").write_bytes(GOLDEN_PICTURE.read_bytes())
    assert run("analyze", ".", "--out", "../r", "--format", "csv") == 0
    assert len(list(read_csv("../r/results.csv"))) == 3


def test_overwrite_replaces_them(card: Path) -> None:
    (card / "a.jpg").unlink()
    assert run("analyze", card, "--out", "r", "--format", "csv") == 2
    assert run("analyze", card, "--out", "r", "--format", "csv", "--overwrite") == 0
    assert len(list(read_csv("r/results.csv"))) == 1


@pytest.mark.parametrize("again", [["--annotate"], ["--overwrite"]])
def test_drawings_of_a_killed_command_go(
    card: Path, again: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (card / "b\udcff.jpg").rename(card / "b.jpg")
    command = [sys.executable, "-c", KILLED, "analyze", card, "--out", "k", "--annotate"]
    assert subprocess.run(list(map(str, command)), check=False).returncode == -signal.SIGKILL
    drawn = min(Path("k/annotated").glob("*.annotated.*"))
    (card / "a.jpg").unlink()
    assert run("analyze", card, "--out", "k", *again) == 0
    left = [path.name for path in Path("k/annotated").glob("*.annotated.*")]
    assert left == (["b.annotated.jpg"] if "--annotate" in again else [])
    assert drawn.name in capsys.readouterr().err


KILLED = """
import os, signal, sys
from pyojeong.cli import analyze
add = analyze._Tally.add
def killed(self, *args):
    if self.pictures:
        os.kill(os.getpid(), signal.SIGKILL)
    add(self, *args)
analyze._Tally.add = killed
from pyojeong.output.annotated_images import AnnotatedImages
from pyojeong.cli.app import main
main(sys.argv[1:] + ["--jobs", "1"])
"""
