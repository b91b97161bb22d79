"""Ensembles of runs: right answers, right weights, one use of the test split."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pyojeong.core.checksums import checked
from pyojeong.core.errors import BadArray, ExperimentError, OutputError
from pyojeong.core.json_record import write_record
from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Split, manifest_labels, read_manifest, write_manifest
from pyojeong.distillation.teacher import teach
from pyojeong.evaluation.test_split_guard import uses_of_data
from pyojeong.image.preprocess import matrix_for_crop, to_tensor, warp
from pyojeong.image.tta import seen_through, view_matrices
from pyojeong.training.data.faces import load_faces
from pyojeong.training.ensemble.evaluate import fit_ensemble, score_test_split, views_of
from pyojeong.training.loop import train
from pyojeong.training.run import Run, load_picked
from tests.training.tiny import TOML, manifest, samples

Made = tuple[Path, Path, list[Run]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("committee")
    data = manifest(folder)
    other = TOML.replace('name = "tiny"', 'name = "other"').replace("seed = 3", "seed = 4")
    small = other.replace("size_hw = [24, 24]", "size_hw = [20, 20]")
    return folder, data, [train(text, data, folder / "runs") for text in (TOML, small)]


def by_hand(run: Run, data: Path, split: Split, views: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities averaged over the views, one face at a time."""
    labels = manifest_labels(data)
    faces = load_faces(read_manifest(data, splits=[split]), labels, gray=True)
    pre = run.experiment.preprocess
    net = load_picked(run, num_classes=len(labels)).scored.net
    out = []
    for image in faces.images:
        base = matrix_for_crop(pre, image.shape[:2])
        seen = [seen_through(view, base) for view in view_matrices(pre.size_hw, views)]
        batch = to_tensor(pre, [warp(image, matrix, pre.size_hw) for matrix in seen])
        with torch.inference_mode():
            out.append(net(torch.from_numpy(batch)).softmax(1).mean(0).numpy())  # type: ignore[operator]
    return np.stack(out), faces.labels


def tempered(parts: list[tuple[np.ndarray, np.ndarray]], record: dict) -> list[np.ndarray]:
    pairs = zip(parts, record["temperatures"].values(), strict=True)
    sharp = [own ** (1 / t) for (own, _), t in pairs]
    return [own / own.sum(1, keepdims=True) for own in sharp]


def test_figures_are_those_of_the_weighted_mean_over_views(made: Made) -> None:
    folder, data, runs = made
    record = fit_ensemble(runs, data, folder / "pair.json", views=10)
    weights = list(record["members"].values())
    assert sum(weights) == pytest.approx(1, abs=1e-3)
    parts = [by_hand(run, data, Split.VALID, 10) for run in runs]
    labels = parts[0][1]
    for run, (own, _) in zip(runs, parts, strict=True):
        alone = record["alone"][run.experiment.name]
        assert alone == pytest.approx((own.argmax(1) == labels).mean(), abs=1e-5)
    warm = tempered(parts, record)
    mixed = sum(w * own for w, own in zip(weights, warm, strict=True))
    wanted = (mixed.argmax(1) == labels).mean()
    assert record["valid"]["accuracy"]["value"] == pytest.approx(wanted, abs=1e-5)
    assert "test" not in record


def test_a_record_without_temperatures_is_of_answers_as_they_are(made: Made) -> None:
    folder, data, runs = made
    file = folder / "old.json"
    record = fit_ensemble(runs, data, file)
    for key in ("temperatures", "weights_sha256", "manifest_id"):
        del record[key]
    file.write_text(json.dumps(record))
    parts = [by_hand(run, data, Split.TEST, 1) for run in runs]
    mixed = sum(w * own for w, (own, _) in zip(record["members"].values(), parts, strict=True))
    nll = -np.log(mixed[np.arange(len(mixed)), parts[0][1]]).mean()
    test = score_test_split(runs, data, file)["test"]
    assert test["nll"]["value"] == pytest.approx(nll, abs=1e-4)


def test_one_look_and_no_fitting_after_it(made: Made) -> None:
    folder, data, runs = made
    file = folder / "looked.json"
    with pytest.raises(ExperimentError, match="without --score-test"):
        score_test_split(runs, data, file)
    before = fit_ensemble(runs, data, file)
    with pytest.raises(ExperimentError, match="give these runs"):
        score_test_split(runs[::-1], data, file)
    record = score_test_split(runs, data, file)
    assert record["members"] == before["members"]
    parts = [by_hand(run, data, Split.TEST, 1) for run in runs]
    warm = tempered(parts, record)
    shares = record["members"].values()
    mixed = sum(w * own for w, own in zip(shares, warm, strict=True))
    wanted = (mixed.argmax(1) == parts[0][1]).mean()
    assert record["test"]["accuracy"]["value"] == pytest.approx(wanted, abs=1e-5)
    assert checked(json.loads(file.read_text())) == record
    for again in (score_test_split, fit_ensemble):
        with pytest.raises(ExperimentError, match="look"):
            again(runs, data, file)
    assert checked(json.loads(file.read_text())) == record


def test_numbers_of_views_that_there_are(made: Made) -> None:
    folder, data, runs = made
    with pytest.raises(BadArray, match="views"):
        fit_ensemble(runs, data, folder / "three.json", views=3)
    assert not (folder / "three.json").exists()


def test_a_record_belongs_to_its_weights_and_data(made: Made, tmp_path: Path) -> None:
    _, data, runs = made
    file = tmp_path / "pair.json"
    record = fit_ensemble(runs, data, file)
    assert record["weights_sha256"].keys() == {"tiny", "other"}
    again = TOML.replace("epochs = 6", "epochs = 1")
    retrained = [train(again, data, tmp_path / "runs"), runs[1]]
    other = tmp_path / data.name
    write_manifest(other, samples(175), FER7)
    (tmp_path / "poisoned").mkdir()
    poisoned = manifest(tmp_path / "poisoned", poison=Split.TEST)
    uses = len(uses_of_data(data))
    for given, table, said in (
        (retrained, data, r"weights_sha256\.tiny was"),
        (runs, other, "manifest_id was .*the valid split was another"),
        (runs, poisoned, "manifest_id was"),
    ):
        with pytest.raises(ExperimentError, match=f"other weights or data: {said}"):
            score_test_split(given, table, file)
    for key in ("weights_sha256", "manifest_id"):
        del record[key]  # as earlier versions wrote it
    file.write_text(json.dumps(record))
    with pytest.raises(ExperimentError, match="the valid split was another"):
        score_test_split(runs, other, file)
    assert "test" not in json.loads(file.read_text())
    assert len(uses_of_data(data)) == uses
    assert "test" in score_test_split(runs, data, file)


def test_two_runs_of_one_name_are_named(made: Made, tmp_path: Path) -> None:
    _, data, runs = made
    copy = Run(Path(shutil.copytree(runs[0].folder, tmp_path / "copy")))
    for give in (
        lambda: fit_ensemble([runs[0], copy], data, tmp_path / "pair.json"),
        lambda: teach([runs[0], copy], data, runs[0].experiment.augment, views=1),
    ):
        with pytest.raises(ExperimentError, match=r"two runs are called tiny: .*/tiny and .*/copy"):
            give()


@pytest.mark.parametrize(
    "changed",
    [
        {"members": {"tiny": 1e400, "other": 0.5}},
        {"members": {"tiny": -1.0, "other": 0.5}},
        {"members": {"tiny": "a", "other": 0.5}},
        {"members": ["tiny", "other"]},
        {"members": {"tiny": 0.0, "other": 0.0}},
        {"temperatures": {"tiny": 0.0, "other": 1.0}},
        {"temperatures": {"tiny": 1.0}},
        {"temperatures": {"tiny": float("nan"), "other": 1.0}},
        {"views": "x"},
        {"views": 3},
        {"valid": {}},
    ],
)
def test_a_record_that_says_what_could_not_be_is_one_line(
    made: Made, tmp_path: Path, changed: dict
) -> None:
    _, data, runs = made
    file = tmp_path / "pair.json"
    write_record(file, {"members": {"tiny": 1.0}, "views": 1, "valid": {}, **changed})
    uses = len(uses_of_data(data))
    with pytest.raises(ExperimentError, match=r"no record of an ensemble .*; restore"):
        score_test_split(runs, data, file)
    with pytest.raises(ExperimentError, match=r"no record of an ensemble .*; restore"):
        views_of(file)
    assert len(uses_of_data(data)) == uses


def test_a_damaged_record_is_one_line_and_a_file_of_others_stays(
    made: Made, tmp_path: Path
) -> None:
    _, data, runs = made
    file = tmp_path / "pair.json"
    fit_ensemble(runs, data, file)
    whole = file.read_bytes()
    shares = whole.replace(b'"temperatures": {\n  "tiny": ', b'"temperatures": {\n  "tiny": 1')
    assert shares != whole
    for damage in (shares, b"[]", b"{}", b"\xff", whole[:-9]):
        file.write_bytes(damage)
        with pytest.raises(ExperimentError, match=r"(is damaged|lacks members).*fit the ensemble"):
            score_test_split(runs, data, file)
    file.write_text("my notes")
    with pytest.raises(OutputError, match="is there already"):
        fit_ensemble(runs, data, file)
    assert file.read_text() == "my notes"
