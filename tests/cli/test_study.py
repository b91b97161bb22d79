"""``--config study.toml``: options from a file, and the options of a run as one."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyojeong.cli.app import main
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.runtime.golden import PICTURES
from tests.training.tiny import TOML
from tests.video.made import make_clip

ASTRONAUT = PICTURES / "astronaut.jpg"


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(ASTRONAUT.read_bytes())
    file = tmp_path / "study.toml"
    file.write_text(
        """
[analyze]
inputs = ["photos"]
out = "results"
format = ["csv", "json"]
threshold = 1.0
views = 2
jobs = 1
[analyze.prior]
angry = 0.1
disgust = 0.1
fear = 0.1
happy = 0.4
neutral = 0.1
sad = 0.1
surprise = 0.1
"""
    )
    return file


def test_the_file_sets_the_options_and_is_relative_to_itself(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    assert run("analyze", "--config", study) == 0
    out = tmp_path / "results"
    face = json.loads((out / "results.jsonl").read_text())["faces"][0]
    assert face["expression"]["unclear"]
    assert "happy=0.4" in face["expression"]["prior"]
    assert (out / "results.csv").exists()
    assert not list(other.iterdir())


def test_the_command_line_wins(study: Path, tmp_path: Path) -> None:
    assert run("analyze", "--config", study, "--threshold", "0", "--out", tmp_path / "o") == 0
    assert not (tmp_path / "results").exists()
    face = json.loads((tmp_path / "o" / "results.jsonl").read_text())["faces"][0]
    assert not face["expression"]["unclear"]


def test_what_is_written_beside_the_results_repeats_them(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("analyze", "--config", study) == 0
    out = tmp_path / "results"
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.name != "inputs.json"}
    settings = tomllib.loads((out / "settings.toml").read_text("utf-8"))["analyze"]
    assert settings["inputs"] == [str(tmp_path / "photos")]
    assert settings["threshold"] == 1.0
    assert settings["views"] == "2"
    monkeypatch.chdir("/")
    assert run("analyze", "--config", out / "settings.toml") == 0
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.name != "inputs.json"} == before


def test_a_clip_is_repeated_by_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_clip(tmp_path / "clip.mp4", frames=12)
    words = ("video", tmp_path / "clip.mp4", "-o", tmp_path / "o", "--smooth", "0.2", "--no-report",
             "--no-eyes", "-f", "csv")  # fmt: skip
    assert run(*words) == 0
    capsys.readouterr()
    assert run("video", "--config", tmp_path / "o" / "settings.toml") == 0
    said = capsys.readouterr()
    assert "there already" in said.out + said.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[video]\nfps = 3\n", r"has no table \[analyze\]; it has \[video\]"),
        ("", "it has none"),
        ("[analyze]\ntreshold = 3\n", "no option 'treshold'; did you mean threshold"),
        ("[analyze]\nxyz = 3\n", "no option 'xyz'; known: inputs, out, format"),
        ("[analyze]\nmodel = ['a', 'b']\n", "model takes one value"),
        ("[analyze\n", "is no TOML file"),
        ("[analyze]\nviews = 3\n", "'3' is not one of"),
        ("[analyze]\nthreshold = 3\n", "--threshold"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "study.toml"
    file.write_text(text)
    assert run("analyze", ASTRONAUT, "--config", file) == 2
    import re

    said = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().err).split())
    assert re.search(words, said), said


def test_a_settings_file_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("mine = true\n")
    assert run("analyze", ASTRONAUT, "--out", tmp_path) == 1
    assert run("video", ASTRONAUT, "--out", tmp_path) == 1
    assert (tmp_path / "settings.toml").read_text() == "mine = true\n"
    assert run("analyze", ASTRONAUT, "--config", tmp_path / "no.toml") == 2


def test_the_commands_for_data_and_experiments_take_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    for label in ("happy", "sad"):
        (folder / label).mkdir(parents=True)
        for index in range(5):
            pixels = np.random.default_rng([len(label), index]).integers(0, 255, (48, 48, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{index}.png")
    (tmp_path / "tiny.toml").write_text(TOML)
    file = tmp_path / "study.toml"
    file.write_text(
        """
[data.import]
source = "faces"
out = "all.parquet"
jobs = 1

[data.split]
table = "all.parquet"
out = "split.parquet"
valid = 0.4
test = 0.0
seed = 5

[data.merge]
inputs = ["all.parquet", "split.parquet"]
out = "both.parquet"

[experiments.run]
names = ["tiny"]
data = "split.parquet"
folder = "."
runs = "runs"
jobs = 1
epochs = 1
device = "cpu"
"""
    )
    for words in (["data", "import"], ["data", "split"], ["data", "merge"], ["experiments", "run"]):
        assert run(*words, "--config", file) == 0, words
    valid = read_manifest(tmp_path / "split.parquet", splits=[Split.VALID], images=False)
    assert len(list(valid)) == 4
    assert len(list(read_manifest(tmp_path / "both.parquet", splits=list(Split)))) == 20
    environment = json.loads((tmp_path / "runs" / "tiny" / "environment.json").read_text())
    assert environment["device"] == "cpu"
