"""From a folder of faces to one's own model, as the README says it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from pyojeong.cli.app import main
from pyojeong.core.labels import FER7
from pyojeong.output.tables import read_json
from pyojeong.runtime.golden import GOLDEN_PICTURE
from tests.training.tiny import TOML

COUNTS = {"train": 12, "validation": 5, "test": 3}


def run(*args: object) -> int:
    try:
        main([str(a) for a in args])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One real face in many forms, in class folders."""
    root = tmp_path_factory.mktemp("faces")
    face = Image.open(GOLDEN_PICTURE).convert("RGB").crop((165, 45, 285, 185))
    rng = np.random.default_rng(0)
    for split, count in COUNTS.items():
        for label in FER7.names:
            folder = root / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                turned = face.rotate(float(rng.uniform(-8, 8)))
                lit = ImageEnhance.Brightness(turned).enhance(float(rng.uniform(0.7, 1.3)))
                lit.save(folder / f"{i}.jpg")
    return root


def test_train_export_evaluate_analyze(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYOJEONG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TOML)
    assert run("train", "tiny.toml", "--data", faces, "--epochs", 2) == 0
    out, err = capsys.readouterr()
    assert out.strip() == "runs/tiny"
    assert "precision fp32 (as asked for)" in err
    assert "best epoch" in err
    done = json.loads(Path("runs/tiny/done.json").read_text())["pictures"]
    pictures = 7 * (COUNTS["train"] + COUNTS["validation"])
    assert done == {"given": pictures, "read": pictures, "failed": 0, "left_out": {}}
    assert f"pictures: {pictures} given = {pictures} read + 0 failed + 0 left out" in err
    assert run("export", "runs/tiny", "--data", faces, "--id", "mine-s.v1", "--out", "models") == 0
    err = capsys.readouterr().err
    assert "framing measured" in err
    scored = 7 * (COUNTS["validation"] + COUNTS["test"])
    assert f"pictures: {scored} given = {scored} read + 0 failed + 0 left out" in err
    model = "models/mine-s.v1.onnx"
    assert run("evaluate", "--model", model, "--data", faces, "--out", "score.json") == 0
    score = json.loads(Path("score.json").read_text())
    assert (score["n"], score["split"]) == (7 * COUNTS["validation"], "valid")
    assert (score["output"], score["prior"]) == ("labels", "labels natural")
    assert (score["pictures"]["given"], score["pictures"]["failed"]) == (score["n"], 0)
    assert "was used" not in capsys.readouterr().err
    test = ("--split", "test", "--out", "score.json")
    assert run("evaluate", "--model", model, "--data", faces, *test) == 0
    # The export was the first use of the test split, this is the second: both are recorded.
    err = " ".join(capsys.readouterr().err.split())
    assert "the test split of this data was used 2 times" in err
    score = json.loads(Path("score.json").read_text())
    assert (score["n"], score["split"]) == (7 * COUNTS["test"], "test")
    card = json.loads(Path("models/mine-s.v1.card.json").read_text())
    assert card["metrics"]["test"]["accuracy"] == score["accuracy"]
    assert run("analyze", GOLDEN_PICTURE, "--model", model, "--out", "read") == 0
    (result,) = read_json(Path("read/results.jsonl"))
    assert result.model_ids[1] == "mine-s.v1"


def test_data_without_a_test_split_is_exported_without_its_figures(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYOJEONG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TOML)
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "validation"):
        (data / split).symlink_to(faces / split)
    assert run("train", "tiny.toml", "--data", data, "--epochs", 1) == 0
    assert run("export", "runs/tiny", "--data", data, "--id", "mine-s.v1", "--out", "models") == 0
    assert "no test split" in capsys.readouterr().err
    card = json.loads(Path("models/mine-s.v1.card.json").read_text())
    assert list(card["metrics"]) == ["valid", "onnx_parity", "half_effect"]


def test_a_model_is_trained_on_and_compared_with_where_it_began(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYOJEONG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TOML)
    Path("idle.toml").write_text(TOML.replace('"tiny"', '"idle"'))
    assert run("train", "idle.toml", "--data", faces, "--epochs", 1, "--lr", "1e-12") == 0
    err = " ".join(capsys.readouterr().err.split())
    assert "nothing was learned: 14.3 % of the validation pictures are right" in err
    assert run("train", "tiny.toml", "--data", faces, "--epochs", 2) == 0
    export = ("export", "runs/tiny", "--data", faces, "--id", "mine-s.v1", "--out", "models")
    assert run(*export, "--threshold", 0.25) == 0
    first = "models/mine-s.v1.onnx"
    assert json.loads(Path("models/mine-s.v1.card.json").read_text())["threshold"] == 0.25
    err = " ".join(capsys.readouterr().err.split())
    assert "unclear below 0.25, as asked for:" in err
    assert "calibration, cross-fitted within the validation split: ECE" in err

    monkeypatch.setattr("pyojeong.training.finetune.MIN_STEPS", 30)
    assert run("train", "--data", faces, "--start", first) == 0
    out, err = capsys.readouterr()
    assert out.strip() == "runs/finetune"
    err = " ".join(err.split())
    assert "fitted to the data's size: 6 epochs, batch size 16" in err
    assert "before training it was 0." in err
    run_text = Path("runs/finetune/experiment.toml").read_text()
    assert f'start = "{tmp_path}/models/mine-s.v1.onnx"' in run_text
    # The same command returns the same run; a limited trial of that name is not it.
    assert run("train", "finetune", "--data", faces, "--start", first) == 0
    assert run("train", "--data", faces, "--start", first, "--limit", 20) == 2
    assert "limit was None, is 20" in " ".join(capsys.readouterr().err.split())
    export = ("export", "runs/finetune", "--data", faces, "--id", "mine-s.v2", "--out", "models")
    assert run(*export) == 0
    err = " ".join(capsys.readouterr().err.split())
    assert "validation pictures are too few to set one" in err
    compare = ("experiments", "compare", "models/mine-s.v2.onnx", first, "--data", faces)
    assert run(*compare) == 0
    out, err = capsys.readouterr()
    compared = 7 * COUNTS["validation"]
    assert f"pictures: {compared} given = {compared} read + 0 failed + 0 left out" in err
    assert "A: models/mine-s.v2.onnx" in out
    assert all(len(line) <= 80 for line in out.splitlines()[2:])
    rows = [line.split() for line in out.splitlines() if line.startswith(("all", "happy"))]
    valid = COUNTS["validation"]
    assert [row[:2] for row in rows] == [["all", str(7 * valid)], ["happy", str(valid)]]
    score = ("evaluate", "--model", first, "--data", faces, "--threshold", 1)
    assert run(*score, "--out", "score.json") == 0
    assert json.loads(Path("score.json").read_text())["answered"]["share"] == 0
    assert "answered (not unclear): 0.0% of the faces" in " ".join(capsys.readouterr().err.split())


def test_pictures_that_were_trained_on_are_named_at_export(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYOJEONG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TOML)
    data = tmp_path / "turned"
    data.mkdir()
    for split in ("train", "validation"):
        shutil.copytree(faces / "train", data / split)
    assert run("train", "tiny.toml", "--data", faces, "--epochs", 1) == 0
    capsys.readouterr()
    assert run("export", "runs/tiny", "--data", data, "--id", "mine-s.v1", "--out", "models") == 0
    err = " ".join(capsys.readouterr().err.split())
    assert "was not trained on these data" in err
    assert "84 of 84 valid pictures were trained on" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "--data", "faces", "--start", "defalt"], "did you mean 'default'"),
        (["train", "missing.toml", "--data", "."], "missing.toml"),
        (["train", "tiny.toml", "--data", "nowhere.csv"], "no such file"),
        (["export", "nothing", "--data", "faces", "--id", "x"], "is not a run folder"),
        (["evaluate", "--data", "faces", "--model", "nothing"], "unknown classifier 'nothing'"),
        (
            ["evaluate", "--data", "faces/train", "--split", "test"],
            "pyojeong: faces/train has no samples in split 'test'",
        ),
    ],
)
def test_wrong_usage_is_one_line(
    args: list[str],
    message: str,
    faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYOJEONG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TOML)
    Path("faces").symlink_to(faces)
    assert run(*args) == 2
    err = capsys.readouterr().err
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert "cache" not in err  # users know their folder, not the table made of it
