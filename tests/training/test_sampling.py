"""Shares of data sets and rare labels in an epoch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyojeong.core.errors import ExperimentError
from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import write_manifest
from pyojeong.training.data.augment import Augment, Draws
from pyojeong.training.data.datamodule import FaceData
from pyojeong.training.data.sampling import Sampling
from pyojeong.training.experiment import Experiment
from tests.training.test_datamodule import PRE
from tests.training.tiny import TOML, manifest, samples

ORIGINS = ["a"] * 80 + ["b"] * 20
TARGETS = np.eye(2)[[0] * 64 + [1] * 16 + [0] * 10 + [1] * 10]


def test_without_settings_every_sample_is_shown_once() -> None:
    assert Sampling().rows(ORIGINS, TARGETS, seed=1, epoch=0) is None


def test_shares_are_met_and_no_face_is_favoured() -> None:
    sampling = Sampling(shares={"a": 0.25, "b": 0.75}, faces=400)
    rows = sampling.rows(ORIGINS, TARGETS, seed=1, epoch=0)
    assert rows is not None
    counts = np.bincount(rows, minlength=100)
    assert (counts[:80].sum(), counts[80:].sum()) == (100, 300)
    assert set(counts[:80]) == {1, 2}  # 1.25 on average
    assert set(counts[80:]) == {15}
    again = sampling.rows(ORIGINS, TARGETS, seed=1, epoch=0)
    other = sampling.rows(ORIGINS, TARGETS, seed=1, epoch=1)
    np.testing.assert_array_equal(rows, again)
    assert other is not None
    assert not np.array_equal(np.bincount(other, minlength=100), counts)


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.2), (0.5, 1 / 3), (1.0, 0.5)])
def test_balance_raises_rare_labels_within_a_data_set(balance: float, share: float) -> None:
    sampling = Sampling(shares={"a": 1.0}, faces=3000, balance=balance)
    rows = sampling.rows(ORIGINS, TARGETS, seed=1, epoch=0)
    assert rows is not None
    assert rows.max() < 80
    assert TARGETS[rows, 1].mean() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"shares": {"a": 0.5}}, "sum to 1"),
        ({"shares": {"a": "x"}}, "expected a number"),
        ({"faces": -1}, "faces"),
        ({"balance": 2.0}, "balance"),
    ],
)
def test_wrong_values_are_named(given: dict, named: str) -> None:
    with pytest.raises(ExperimentError, match=named):
        Sampling(**given)


def test_a_data_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    sampling = Sampling(shares={"nowhere": 1.0})
    data = FaceData(manifest(tmp_path), PRE, Augment(), batch_size=8, seed=0, sampling=sampling)
    with pytest.raises(ExperimentError, match="no sample comes from 'nowhere'"):
        data.setup()


def test_repeated_faces_change_independently() -> None:
    rows = np.array([4, 4, 4])
    draws = Draws(Augment(rotate_deg=20.0), 3, seed=0, epoch=0, rows=rows)
    base = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    turned = [draws.geometry(place, base, (24, 24)) for place in range(3)]
    assert not np.allclose(turned[0], turned[1])
    assert not np.allclose(turned[1], turned[2])


def test_an_epoch_shows_what_was_drawn_and_hides_labels(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    plain = FaceData(path, PRE, Augment(), batch_size=8, seed=0)
    origin = plain.train.origins[0]
    sampling = Sampling(shares={origin: 1.0}, faces=50, unlabeled=(origin,))
    data = FaceData(path, PRE, Augment(), batch_size=20, seed=0, sampling=sampling)
    batches = list(data.train_dataloader())
    assert [len(b.labels) for b in batches] == [20, 20]  # the short last one is dropped
    hidden = [o == origin for o in data.train.origins]
    assert {-1} == set(data.train.labels[hidden].tolist())
    assert all((b.labels == -1).all() for b in batches)
    assert (data.valid.labels >= 0).all()


def test_the_table_is_read_from_toml() -> None:
    text = TOML + '\n[sampling]\nfaces = 64\nbalance = 0.5\nshares = { "tiny" = 1.0 }\n'
    assert Experiment.from_toml(text).sampling == Sampling(
        faces=64, balance=0.5, shares={"tiny": 1.0}
    )
    with pytest.raises(ExperimentError, match=r"\[sampling\]: unknown key 'share'.*shares"):
        Experiment.from_toml(TOML + "\n[sampling]\nshare = 1\n")


def test_hidden_labels_still_balance_their_data_set(tmp_path: Path) -> None:
    path = tmp_path / "unvoted.parquet"
    rows = [replace(s, votes=None, source=f"a/{s.source}") for s in samples(100)]
    write_manifest(path, rows[:60] + [s for s in rows[60:] if s.label == "happy"], FER7)
    sampled = [
        FaceData(
            path,
            PRE,
            Augment(),
            batch_size=8,
            seed=0,
            sampling=Sampling(faces=60, balance=1.0, unlabeled=hidden),
        )
        for hidden in ((), ("a",))
    ]
    shown, unseen = (data.epoch(0) for data in sampled)
    assert shown.draws is not None
    assert unseen.draws is not None
    np.testing.assert_array_equal(shown.draws.rows, unseen.draws.rows)
    assert (unseen.faces.labels == -1).all()
