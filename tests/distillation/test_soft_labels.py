"""Cached answers of teachers: right images, right order, right loss, and no other data."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pyojeong.core.errors import ExperimentError, OutputError
from pyojeong.datasets.samples import Split, manifest_labels, read_manifest
from pyojeong.distillation.teacher import answers_needed, teach
from pyojeong.training.data.augment import Augment, Draws
from pyojeong.training.data.datamodule import FaceData, FaceDataset
from pyojeong.training.data.faces import load_faces
from pyojeong.training.loop import train
from pyojeong.training.run import Run, load_picked
from pyojeong.training.soft_labels import SoftLabels
from tests.training.tiny import TOML, manifest

STUDENT = TOML.replace('name = "tiny"', 'name = "student"').replace("seed = 3", "seed = 11")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Run], SoftLabels]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("taught")
    data = manifest(folder)
    other = TOML.replace('name = "tiny"', 'name = "other"').replace("seed = 3", "seed = 4")
    small = other.replace("size_hw = [24, 24]", "size_hw = [20, 20]")
    runs = [train(text, data, folder / "runs") for text in (TOML, small)]
    soft = teach(runs, data, runs[0].experiment.augment, views=2, seed=5)
    soft.write(folder / "soft.npz")
    return folder, data, runs, soft


def test_answers_are_the_teachers_own_on_the_very_views(
    taught: tuple[Path, Path, list[Run], SoftLabels],
) -> None:
    _, data, runs, soft = taught
    labels = manifest_labels(data)
    faces = load_faces(read_manifest(data, splits=[Split.TRAIN]), labels, gray=True)
    draws = Draws(runs[0].experiment.augment, len(faces), seed=5, epoch=1)
    mixed = 0.0
    for run in runs:
        view = FaceDataset(faces, run.experiment.preprocess, draws)
        with torch.inference_mode():
            inputs = view.__getitems__(list(range(len(faces)))).inputs
            logits = load_picked(run, num_classes=7).scored.net(inputs)  # type: ignore[operator]
        warmth = soft.facts["temperatures"][run.experiment.name]
        answers = (logits / warmth).softmax(1).numpy()
        mixed = mixed + soft.facts["teachers"][run.experiment.name] * answers
    in_order = np.empty_like(mixed)
    in_order[draws.order] = mixed
    kept = np.exp(soft.of(1, np.arange(len(faces))))
    likely = in_order > 1e-3
    np.testing.assert_allclose(kept[likely], in_order[likely], rtol=0.02)


def test_weights_are_given_or_fitted_and_sum_to_one(
    taught: tuple[Path, Path, list[Run], SoftLabels],
) -> None:
    _, data, runs, soft = taught
    assert sum(soft.facts["teachers"].values()) == pytest.approx(1, abs=1e-3)
    given = teach(runs, data, Augment(), views=1, weights=[3, 1])
    assert given.facts["teachers"] == {"tiny": 0.75, "other": 0.25}
    for wrong in ([1], [float("nan"), 1], [float("inf"), 1], [-1, 2], [0, 0], [1e308, 1e308]):
        with pytest.raises(ExperimentError, match="expected 2 finite numbers"):
            teach(runs, data, Augment(), views=1, weights=wrong)


def test_progress_counts_every_answer(taught: tuple[Path, Path, list[Run], SoftLabels]) -> None:
    _, data, runs, _ = taught
    seen: list[int] = []
    teach(runs, data, Augment(), views=2, tick=seen.append)
    assert sum(seen) == answers_needed(runs, data, 2)


def test_a_student_sees_the_cached_views_in_its_own_order(
    taught: tuple[Path, Path, list[Run], SoftLabels],
) -> None:
    _, data, runs, soft = taught
    experiment = runs[0].experiment
    pre, augment = experiment.preprocess, experiment.augment
    mine = FaceData(data, pre, augment, batch_size=16, seed=11)
    mine.taught = soft
    first, third = mine.epoch(0), mine.epoch(2)  # both show view 0
    everything = list(range(len(mine.train)))
    a, b = first.__getitems__(everything), third.__getitems__(everything)
    assert (first.draws.order != third.draws.order).any()  # type: ignore[union-attr]
    at = np.argsort(first.draws.order), np.argsort(third.draws.order)  # type: ignore[union-attr]
    np.testing.assert_array_equal(a.inputs[at[0]], b.inputs[at[1]])
    np.testing.assert_array_equal(a.taught[at[0]].numpy(), soft.of(0, np.arange(len(everything))))
    theirs = FaceDataset(mine.train, pre, Draws(augment, len(everything), seed=5, epoch=0))
    c = theirs.__getitems__(everything)
    np.testing.assert_array_equal(c.inputs[np.argsort(theirs.draws.order)], a.inputs[at[0]])  # type: ignore[union-attr]


def test_a_student_learns_from_the_file_and_resumes(
    taught: tuple[Path, Path, list[Run], SoftLabels],
) -> None:
    folder, data, runs, _ = taught
    text = STUDENT.replace("[recipe]", f'[recipe]\nsoft_labels = "{folder / "soft.npz"}"')
    text += "distil_weight = 1.0\nmixup = 0.2\nsmoothing = 0.0\n"
    text = text.replace("epochs = 6", "epochs = 30")
    run = train(text, data, folder / "students")
    assert run.done
    idle = STUDENT.replace('"student"', '"idle"').replace("lr = ", "lr = 1e-12 # ")
    untrained = train(idle, data, folder / "students")
    labels = manifest_labels(data)
    faces = load_faces(read_manifest(data, splits=[Split.VALID]), labels, gray=True)
    view = FaceDataset(faces, run.experiment.preprocess).__getitems__(list(range(len(faces))))

    def answers(run: Run) -> torch.Tensor:
        with torch.inference_mode():
            return load_picked(run, num_classes=7).scored.net(view.inputs).softmax(1)  # type: ignore[operator]

    def alike(run: Run) -> float:
        return float((answers(run).argmax(1) == answers(runs[0]).argmax(1)).float().mean())

    # It saw no label (distil_weight = 1), and yet answers as its teacher does.
    assert alike(run) > max(0.6, alike(untrained))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("erase_p = 0.4", "erase_p = 0.3"), "another augment"),
        (("seed = 11", "seed = 11\nsubset = 50"), "whole training split"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    taught: tuple[Path, Path, list[Run], SoftLabels], change: tuple[str, str], words: str
) -> None:
    folder, data, _, _ = taught
    text = STUDENT.replace('"student"', '"wrong"').replace(*change)
    text = text.replace("[recipe]", f'[recipe]\nsoft_labels = "{folder / "soft.npz"}"')
    with pytest.raises(ExperimentError, match=words):
        train(text, data, folder / f"wrong-{words[:5]}")


def test_other_faces_are_refused(
    taught: tuple[Path, Path, list[Run], SoftLabels], tmp_path: Path
) -> None:
    folder, _, _, _ = taught
    text = STUDENT.replace("[recipe]", f'[recipe]\nsoft_labels = "{folder / "soft.npz"}"')
    fewer = manifest(tmp_path, count=140)
    with pytest.raises(ExperimentError, match="another split_sha256"):
        train(text, fewer, tmp_path / "runs")


def test_a_file_is_read_back_as_written_and_damage_is_named(
    taught: tuple[Path, Path, list[Run], SoftLabels], tmp_path: Path
) -> None:
    folder, _, _, soft = taught
    again = SoftLabels.read(folder / "soft.npz")
    np.testing.assert_array_equal(again.log_probabilities, soft.log_probabilities)
    assert again.facts == soft.facts
    with pytest.raises(ExperimentError, match="experiments distill"):
        SoftLabels.read(tmp_path / "missing.npz")
    (tmp_path / "torn.npz").write_bytes((folder / "soft.npz").read_bytes()[:300])
    with pytest.raises(ExperimentError, match=r"torn\.npz: could not be read"):
        SoftLabels.read(tmp_path / "torn.npz")


def small() -> SoftLabels:
    facts = {"augment": None, "labels": "fer7", "split_sha256": ""}
    return SoftLabels(np.zeros((1, 2, 7), np.uint8), facts, np.zeros((2, 8), np.uint8))


def test_no_bit_of_a_file_makes_its_votes_vanish_or_ends_in_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "soft.npz"
    small().write(file)
    whole = file.read_bytes()
    directory = whole.index(b"PK\x01\x02")
    refused = 0
    for at in range(8 * directory, 8 * len(whole)):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        file.write_bytes(flipped)
        try:
            found = SoftLabels.read(file)
        except ExperimentError:
            refused += 1
            continue
        assert found.vote_log_probabilities is not None
        assert found.facts == small().facts
    assert refused > 400
    encrypted = bytearray(whole)
    encrypted[directory + 8] |= 1
    file.write_bytes(encrypted)
    with pytest.raises(ExperimentError, match=r"soft\.npz: could not be read .*encrypted"):
        SoftLabels.read(file)


def test_votes_that_are_gone_and_facts_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    file = tmp_path / "soft.npz"
    small().write(file)
    with np.load(file) as data:
        arrays = dict(data)
    arrays.pop("vote_log_probabilities")
    np.savez(file, **arrays)
    with pytest.raises(ExperimentError, match="its answers to votes are missing"):
        SoftLabels.read(file)
    facts = {"format": 1, **small().facts}  # as earlier versions wrote them
    written = {"log_probabilities": arrays["log_probabilities"]}
    np.savez(file, **written, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8))
    assert SoftLabels.read(file).vote_log_probabilities is None
    facts["teachers"] = {"tiny": float("nan")}
    np.savez(file, **written, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8))
    with pytest.raises(ExperimentError, match="its facts hold NaN"):
        SoftLabels.read(file)


def test_an_unfinished_run_does_not_teach(
    taught: tuple[Path, Path, list[Run], SoftLabels], tmp_path: Path
) -> None:
    _, data, runs, _ = taught
    folder = tmp_path / "half"
    folder.mkdir()
    (folder / "experiment.toml").write_text((runs[0].folder / "experiment.toml").read_text())
    with pytest.raises(ExperimentError, match="not finished"):
        teach([Run(folder)], data, Augment())


def test_step_of_the_bytes_is_small_enough() -> None:
    p = np.geomspace(1, 4e-4, 500)
    stored = np.clip(np.rint(-np.log(p) * 32), 0, 255).astype(np.uint8)
    soft = SoftLabels(np.tile(stored[None, :, None], (1, 1, 7)), {})
    np.testing.assert_allclose(np.exp(soft.of(0, np.arange(500))[:, 0]), p, rtol=0.016)


def test_teacher_and_cache_at_once_are_refused(
    taught: tuple[Path, Path, list[Run], SoftLabels],
) -> None:
    _, _, runs, _ = taught
    with pytest.raises(ExperimentError, match="one of the two"):
        replace(runs[0].experiment.recipe, teacher="a", soft_labels="b")


def test_a_file_of_the_user_is_not_written_over(tmp_path: Path) -> None:
    facts = {"augment": {}, "labels": [], "split_sha256": ""}
    soft = SoftLabels(np.zeros((1, 2, 7), np.uint8), facts)
    mine = tmp_path / "photo.npz"
    np.savez(mine, pixels=np.zeros(3))
    before = mine.read_bytes()
    with pytest.raises(OutputError, match="is there already"):
        soft.write(mine)
    assert mine.read_bytes() == before
    soft.write(tmp_path / "soft.npz")
    soft.write(tmp_path / "soft.npz")  # soft labels are made again
