"""A tiny run becomes a model that the runtime serves."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from pyojeong.core.card import ModelCard
from pyojeong.core.errors import ExperimentError, ModelMismatch
from pyojeong.core.face import Box, Face, Landmarks
from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.evaluation.scoring import predict_split
from pyojeong.export.calibration import Calibration
from pyojeong.export.exporter import ExportOptions, export_run
from pyojeong.metrics import accuracy
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.golden import golden_crops, golden_logits, read_golden
from pyojeong.runtime.session import Session
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import load_faces
from pyojeong.training.loop import train
from pyojeong.training.onnx_warm_start import weights_of
from pyojeong.training.run import Run, load_best
from pyojeong.zoo import find, variant_of
from tests.training.tiny import TOML, manifest, samples

POINTS = np.array([[114, 130], [174, 130], [144, 160], [122, 190], [166, 190]], np.float32)


class Sees:
    """A detector that finds the same face everywhere."""

    id = "sees"

    def detect(self, image: np.ndarray, /) -> tuple[Face, ...]:
        return (Face(Box(100, 90, 200, 210), 0.99, Landmarks(POINTS)),)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path, Path]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("export")
    data = manifest(folder)
    run = train(TOML.replace("epochs = 6", "epochs = 2"), data, folder / "runs")
    options = ExportOptions(id="tiny-x.v1", license="CC0", license_flags=("test",))
    export_run(run, data, folder / "out", options, detector=Sees())
    return run, data, folder / "out"


@pytest.fixture(scope="module")
def quantised(
    exported: tuple[Run, Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The same run as int8; its folder and the data."""
    _, data, _ = exported
    folder = tmp_path_factory.mktemp("int8")
    text = TOML.replace("epochs = 6", "epochs = 2").replace('"tiny"', '"again"')
    run = train(text, data, folder / "runs")
    options = ExportOptions(id="tiny-x.int8", storage="both")
    export_run(run, data, folder / "out", options, detector=Sees())
    return folder / "out", data


def test_runtime_answers_as_torch_does(exported: tuple[Run, Path, Path]) -> None:
    run, data, out = exported
    classifier = Analyzer(str(out / "tiny-x.v1.card.json"), detector=Sees(), threads=1).classifier
    predictions = predict_split(classifier, data, Split.VALID)
    task = load_best(run, num_classes=7)
    rows = [s for s in samples() if s.split is Split.VALID]
    faces = load_faces(rows, classifier.card.label_set, gray=True)
    x, labels, _, _ = FaceDataset(faces, run.experiment.preprocess).__getitems__(
        list(range(len(rows)))
    )
    with torch.no_grad():
        logits, _ = task.scored(x)
    # float16 weights move the logits a little; the conversion itself is held to 1e-3 by export.
    np.testing.assert_allclose(predictions.logits, logits.numpy(), atol=0.03)
    np.testing.assert_array_equal(predictions.labels, labels.numpy())


def test_card_tells_the_measured_truth(exported: tuple[Run, Path, Path]) -> None:
    run, data, out = exported
    card = find(str(out / "tiny-x.v1.card.json")).card
    analyzer = Analyzer(str(out / "tiny-x.v1.onnx"), detector=Sees(), threads=1)
    predictions = predict_split(analyzer.classifier, data, Split.TEST)
    scores = analyzer.classifier.probabilities(predictions.outputs)
    assert card.metrics["test"]["accuracy"]["value"] == pytest.approx(
        accuracy(scores, predictions.labels), abs=1e-5
    )
    assert card.metrics["test"]["split_sha256"] == predictions.digest
    assert card.metrics["onnx_parity"] <= 1e-3
    assert card.training["chosen_on"] == "valid"
    looks = [json.loads(x) for x in (run.folder / "test_split_uses.jsonl").read_text().splitlines()]
    assert [look["model"] for look in looks] == ["tiny-x.v1"]
    assert looks[0]["accuracy"] == card.metrics["test"]["accuracy"]["value"]


def test_framing_comes_from_what_the_detector_saw(exported: tuple[Run, Path, Path]) -> None:
    pre = find(str(exported[2] / "tiny-x.v1.card.json")).card.preprocess
    assert pre is not None
    # The canvas is 192 px of face in a border of 48; 22 of 24 pixels fill the input.
    expected = ((POINTS - 48) / 192 - 0.5) * 24 / 22 + 0.5
    np.testing.assert_allclose(pre.template, expected, atol=1e-3)
    assert pre.box_scale == pytest.approx(192 / 120 * 22 / 24, abs=1e-3)


def test_one_file_with_half_weights_and_its_card(exported: tuple[Run, Path, Path]) -> None:
    out = exported[2]
    model = onnx.load(out / "tiny-x.v1.onnx", load_external_data=False)
    floats = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT]
    assert not floats
    entry = find(str(out / "tiny-x.v1.card.json"))
    assert Session(entry).metadata["pyojeong.id"] == "tiny-x.v1"
    assert sorted(p.name for p in out.iterdir()) == [
        "tiny-x.v1.card.json", "tiny-x.v1.golden.npz", "tiny-x.v1.onnx",
    ]  # fmt: skip


def test_golden_answers_are_stored(exported: tuple[Run, Path, Path]) -> None:
    out = exported[2]
    analyzer = Analyzer(str(out / "tiny-x.v1.card.json"), detector=Sees(), threads=1)
    logits = golden_logits(analyzer.classifier)
    np.testing.assert_allclose(logits, read_golden(out, "tiny-x.v1"), atol=1e-5)


def test_unfinished_run_is_not_exported(tmp_path: Path) -> None:
    options = ExportOptions(id="x")
    with pytest.raises(ExperimentError, match="not a run folder"):
        export_run(Run(tmp_path), tmp_path, tmp_path, options, detector=Sees())
    (tmp_path / "experiment.toml").write_text(TOML)
    with pytest.raises(ExperimentError, match="not finished"):
        export_run(Run(tmp_path), tmp_path, tmp_path, options, detector=Sees())


def test_votes_are_a_second_output(exported: tuple[Run, Path, Path]) -> None:
    run, data, out = exported
    classifier = Classifier.open(find(out / "tiny-x.v1.card.json"))
    assert classifier.card.votes == "ferplus8"
    faces = load_faces(read_manifest(data, splits=[Split.VALID]), FER7, gray=True)
    logits, votes = classifier.crop_outputs(faces.images)
    x = FaceDataset(faces, run.experiment.preprocess).__getitems__(list(range(len(faces)))).inputs
    with torch.no_grad():
        expected, shares = load_best(run, num_classes=7).scored(x)
    np.testing.assert_allclose(logits, expected.numpy(), atol=0.05)
    np.testing.assert_allclose(votes, shares.numpy(), atol=0.05)
    assert [len(part) for part in classifier.crop_outputs([])] == [0, 0]


def test_a_model_with_enough_votes_answers_with_them(
    exported: tuple[Run, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data, out = exported
    few = Analyzer(str(out / "tiny-x.v1.card.json"), detector=Sees(), threads=1)
    assert few.classifier.head.output == "labels"  # 42 faces of VALID are too few
    monkeypatch.setattr("pyojeong.export.calibration.MIN_VOTED", 20)
    run = train(TOML.replace("epochs = 6", "epochs = 1"), data, tmp_path / "runs")
    export_run(run, data, tmp_path, ExportOptions(id="voted.v1"), detector=Sees())
    card = find(tmp_path / "voted.v1.card.json").card
    assert card.vote_calibration is not None
    embedded = Session(find(tmp_path / "voted.v1.card.json")).metadata
    kept = json.loads(embedded["pyojeong.vote_calibration"])
    assert kept["temperature"] == card.vote_calibration.temperature
    plain = replace(card, sha256="", training={**card.training, "stages": []})
    assert ModelCard.from_json(embedded["pyojeong.card"]) == plain
    image = np.zeros((300, 300, 3), np.uint8)
    for options, label_set in (({}, "fer7"), ({"labels": "ferplus8"}, "ferplus8")):
        analyzer = Analyzer(str(tmp_path / "voted.v1.onnx"), detector=Sees(), threads=1, **options)
        (face,) = analyzer.analyze(image).faces
        assert face.expression.label_set.id == label_set
        assert face.expression.prior == "natural"


def test_accuracy_on_pictures_of_a_fit_is_called_in_sample(
    exported: tuple[Run, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, data, _ = exported
    said: list[str] = []

    def per_class(*_: object) -> Calibration:
        return Calibration(1.0, (1.0, 2.0, 1.0, 1.0, 0.5, 1.0, 1.0), (0.0,) * 7)

    options = ExportOptions(id="plain.v1")
    export_run(run, data, tmp_path, options, detector=Sees(), say=said.append)
    (line,) = [line for line in said if line.startswith("valid: accuracy")]
    assert "in-sample" not in line  # a temperature changes no label
    monkeypatch.setattr("pyojeong.export.calibration.MIN_CLEAR", 20)
    monkeypatch.setattr("pyojeong.export.calibration.FITS", {"vector": per_class})
    said.clear()
    options = ExportOptions(id="vector.v1")
    card = export_run(run, data, tmp_path, options, detector=Sees(), say=said.append)
    (line,) = [line for line in said if line.startswith("valid: accuracy")]
    crossed = card.training["calibration_on_valid"]["vector"]["accuracy"]
    assert line.endswith(
        "in-sample (the calibration was fitted on these pictures); cross-fitted within them "
        f"{crossed:.4f}"
    )


def test_int8_answers_nearly_alike_and_says_what_it_cost(
    exported: tuple[Run, Path, Path], quantised: tuple[Path, Path]
) -> None:
    _, data, out = exported
    whole = predict_split(Classifier.open(find(out / "tiny-x.v1.card.json")), data, Split.VALID)
    entry = find(quantised[0] / "tiny-x.int8.card.json")
    small = predict_split(Classifier.open(entry), data, Split.VALID)
    assert np.abs(whole.logits - small.logits).mean() < 0.1
    assert (whole.logits != small.logits).any()
    effect = entry.card.metrics["int8_effect"]
    assert effect["same_answers"] >= 0.9
    assert effect["valid_accuracy_after"] >= effect["valid_accuracy_before"] - 0.005
    nodes = [n.op_type for n in onnx.load(entry.weights).graph.node]
    assert nodes.count("QuantizeLinear") > 10
    np.testing.assert_allclose(
        read_golden(entry.folder, entry.card.id),
        golden_logits(Classifier.open(entry)),
        atol=1e-5,
    )


def test_the_float_form_is_kept_as_a_twin(
    exported: tuple[Run, Path, Path], quantised: tuple[Path, Path]
) -> None:
    _, data, out = exported
    small = find(quantised[0] / "tiny-x.int8.card.json").card
    whole = find(quantised[0] / "tiny-x.int8-float16.card.json")
    assert (small.variant, whole.card.variant) == (whole.card.id, small.id)
    assert small.sha256 != whole.card.sha256
    assert "test" in small.metrics
    assert "test" not in whole.card.metrics  # one use of the test split per model
    assert "int8_effect" not in whole.card.metrics
    alone = predict_split(Classifier.open(find(out / "tiny-x.v1.card.json")), data, Split.VALID)
    beside = predict_split(Classifier.open(whole), data, Split.VALID)
    np.testing.assert_allclose(alone.logits, beside.logits, atol=1e-5)


def test_no_variant_of_an_earlier_export_is_left(
    exported: tuple[Run, Path, Path], quantised: tuple[Path, Path], tmp_path: Path
) -> None:
    run, data, _ = exported
    out = Path(shutil.copytree(quantised[0], tmp_path / "out"))
    other = out / "tiny-x.int8-float16.txt"
    other.write_text("mine")
    said: list[str] = []
    options = ExportOptions(id="tiny-x.int8")
    export_run(run, data, out, options, detector=Sees(), say=said.append)
    names = {"tiny-x.int8.card.json", "tiny-x.int8.golden.npz", "tiny-x.int8.onnx", other.name}
    assert {file.name for file in out.iterdir()} == names
    assert any("removed the earlier tiny-x.int8-float16" in line for line in said)


def test_a_variant_is_one_that_both_cards_name(
    quantised: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(quantised[0], tmp_path / "out"))
    monkeypatch.setenv("PYOJEONG_MODELS", str(out))
    small = find("tiny-x.int8")
    whole = variant_of(small)
    assert whole is not None
    assert variant_of(whole) == small
    assert weights_of(small) == whole
    alone = replace(small.card, variant="")
    (out / "tiny-x.int8.card.json").write_text(alone.to_file_text())
    assert variant_of(find("tiny-x.int8-float16")) is None
    (out / "tiny-x.int8.card.json").write_text(small.card.to_file_text())
    lost = replace(whole.card, variant="other")
    (out / "tiny-x.int8-float16.card.json").write_text(lost.to_file_text())
    assert variant_of(find("tiny-x.int8")) is None
    assert weights_of(find("tiny-x.int8")) == small


def test_int8_batches_answer_as_single_faces(quantised: tuple[Path, Path]) -> None:
    classifier = Classifier.open(find(quantised[0] / "tiny-x.int8.card.json"))
    crops = list(golden_crops())
    together = classifier.crop_logits(crops)
    alone = np.concatenate([classifier.crop_logits([crop]) for crop in crops])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_int8_that_loses_accuracy_is_refused(
    exported: tuple[Run, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, data, _ = exported
    monkeypatch.setattr("pyojeong.export.exporter.INT8_LOSS", -1.0)
    with pytest.raises(ModelMismatch, match="export with storage float16"):
        export_run(run, data, tmp_path, ExportOptions(id="x", storage="int8"), detector=Sees())
    with pytest.raises(ExperimentError, match="storage must be one of"):
        ExportOptions(id="x", storage="int4")
