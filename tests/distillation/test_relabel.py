"""New labels: honest (never from the face's own label), complete, and what a student learns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pyojeong.core.errors import DataError, ExperimentError
from pyojeong.core.labels import FER7
from pyojeong.datasets.predictions import Predictions, write_predictions
from pyojeong.datasets.samples import Split, manifest_id, read_rows, write_manifest
from pyojeong.distillation.relabel import relabel
from pyojeong.distillation.teacher import teach
from pyojeong.training.data.augment import Augment
from pyojeong.training.data.datamodule import FaceData
from pyojeong.training.experiment import Experiment
from pyojeong.training.loop import train
from pyojeong.training.recipe import Recipe
from pyojeong.training.soft_labels import SoftLabels, in_steps
from tests.training.tiny import TOML, manifest, samples

COUNT = 1400


def _truth(index: int) -> int:
    return index % 7


def noisy(folder: Path, *, votes: bool = True) -> tuple[Path, Path]:
    """Faces of which every sixth label is wrong; votes and answers know better, but not all."""
    rng = np.random.default_rng(1)
    rows = samples(COUNT)
    for i, sample in enumerate(rows):
        shown = (_truth(i) + 1) % 7 if i % 6 == 0 else _truth(i)
        tally = rng.multinomial(10, np.where(np.arange(10) == _truth(i), 0.55, 0.05))
        rows[i] = replace(
            sample, label=FER7.names[shown], votes=tuple(map(int, tally)) if votes else None
        )
    data = folder / "noisy.parquet"
    write_manifest(data, rows, FER7)
    file = folder / "predictions.parquet"
    _answer(data, file, chance=False)
    return data, file


def _answer(data: Path, file: Path, *, chance: bool) -> None:
    """Out-of-fold answers: most probability for the truth, or anything."""
    rows = [i for i, _ in read_rows(data, splits=[Split.TRAIN])]
    scores = np.random.default_rng(2).dirichlet(np.ones(7), len(rows)).astype(np.float32)
    if not chance:
        scores = 0.1 + 0.3 * np.eye(7, dtype=np.float32)[[_truth(i) for i in rows]]
    write_predictions(
        file,
        Predictions(
            rows=np.array(rows, np.int64),
            folds=np.zeros(len(rows), np.int8),
            scores=scores,
            labels=FER7,
            manifest=manifest_id(data),
            origin="made up",
        ),
    )


def test_wrong_labels_are_seen_through(tmp_path: Path) -> None:
    data, file = noisy(tmp_path)
    figures: list[float] = []
    soft = relabel(data, file, done=lambda *seen: figures.extend(seen))
    rows = [i for i, _ in read_rows(data, splits=[Split.TRAIN])]
    new = soft.of(0, np.arange(len(rows))).argmax(1)
    assert (new == [_truth(i) for i in rows]).mean() > 5 / 6 + 0.07
    assert figures[0] < 5 / 6 + 0.02  # no better than the labels are
    assert soft.per_face
    assert soft.facts["teachers"] == {"votes and made up": 1.0}


def test_a_label_has_no_say_in_its_own_face(tmp_path: Path) -> None:
    """Random labels could not be foretold; whoever learnt from them would seem to."""
    data, file = noisy(tmp_path)
    rng = np.random.default_rng(5)
    rows = [s for _, s in read_rows(data, splits=list(Split))]
    write_manifest(data, [replace(s, label=FER7.names[rng.integers(7)]) for s in rows], FER7)
    _answer(data, file, chance=True)
    figures: list[float] = []
    relabel(data, file, done=lambda *seen: figures.extend(seen))
    assert figures[0] < 1 / 7 + 0.05


def test_a_teacher_is_mixed_in_by_its_share_and_hands_its_votes_on(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data, file = noisy(tmp_path)
    run = train(TOML, data, tmp_path / "runs")
    teacher = teach([run], data, Augment(flip=0.5), views=3)
    count = teacher.log_probabilities.shape[1]
    every = np.arange(count)
    alone = np.exp(relabel(data, file).of(0, every))
    mixed = relabel(data, file, teacher=teacher, share=0.25)
    wanted = 0.25 * alone + 0.75 * np.exp(teacher.of(2, every))
    kept = np.exp(mixed.of(2, every))
    assert mixed.views == 3
    assert mixed.facts["augment"] == teacher.facts["augment"]
    np.testing.assert_allclose(kept[wanted > 1e-2], wanted[wanted > 1e-2], rtol=0.04)
    assert mixed.facts["teachers"] == {"votes and made up": 0.25, "tiny": 0.75}
    np.testing.assert_array_equal(mixed.votes(), teacher.votes())
    for share in (0, 1.5):
        with pytest.raises(ExperimentError, match="share"):
            relabel(data, file, share=share)
    other = manifest(tmp_path, count=140)
    small = teach([train(TOML, other, tmp_path / "others")], other, Augment(), views=1)
    with pytest.raises(ExperimentError, match="another data set"):
        relabel(data, file, teacher=small)


def test_averaged_answers_are_of_the_face(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    views = rng.dirichlet(np.ones(7), (3, 20))
    soft = SoftLabels(in_steps(views), {"augment": {"flip": 0.5}, "seed": 4}, None)
    mean = soft.averaged()
    assert not soft.per_face
    assert mean.per_face
    assert mean.views == 1
    wanted = views.mean(0)
    kept = np.exp(mean.of(0, np.arange(20)))
    np.testing.assert_allclose(kept[wanted > 0.01], wanted[wanted > 0.01], rtol=0.04)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    data, file = noisy(tmp_path, votes=False)
    with pytest.raises(DataError, match="no FER\\+ votes"):
        relabel(data, file)


def test_a_student_sees_new_views_with_the_faces_own_answer(tmp_path: Path) -> None:
    data = manifest(tmp_path)
    pre = Experiment.from_toml(TOML).preprocess
    mine = FaceData(data, pre, Augment(rotate_deg=12.0, shift=0.1), batch_size=16, seed=11)
    count = len(mine.train)
    rng = np.random.default_rng(0)
    answers, votes = rng.dirichlet(np.ones(7), count), rng.dirichlet(np.ones(8), count)
    facts = {"augment": None, "seed": 0}
    mine.taught = SoftLabels(in_steps(answers)[None], facts, in_steps(votes))
    epochs = [mine.epoch(0), mine.epoch(1)]
    batches = [e.__getitems__(list(range(count))) for e in epochs]
    back = [np.argsort(e.draws.order) for e in epochs]  # type: ignore[union-attr]
    assert (batches[0].inputs[back[0]] != batches[1].inputs[back[1]]).any()
    for batch, at in zip(batches, back, strict=True):
        np.testing.assert_array_equal(batch.taught[at], mine.taught.of(0, np.arange(count)))
        np.testing.assert_array_equal(batch.votes[at], mine.train.votes)
    mine.taught_votes = 0.75
    mixed = mine.epoch(0).__getitems__(list(range(count))).votes[back[0]].numpy()
    np.testing.assert_allclose(mixed, 0.25 * mine.train.votes + 0.75 * votes, atol=0.02)
    mine.train.votes[3] = 0  # not a face: the teacher's votes make it none
    assert not mine.epoch(0).faces.votes[3].any()
    mine.taught = SoftLabels(in_steps(answers)[None], facts)
    with pytest.raises(ExperimentError, match="hold no votes"):
        mine.epoch(0)


def test_votes_without_a_file_or_a_head_are_refused() -> None:
    with pytest.raises(ExperimentError, match="distil_votes needs"):
        Recipe(epochs=1, distil_votes=0.5)
    with pytest.raises(ExperimentError, match="distil_votes needs"):
        Recipe(epochs=1, distil_votes=0.5, soft_labels="a.npz", vote_weight=0)
