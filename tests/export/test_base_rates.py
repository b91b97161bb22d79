"""The base rates of the votes that a training shows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Split, read_manifest, write_manifest
from pyojeong.export.base_rates import votes_shown
from pyojeong.training.data.sampling import Sampling
from tests.training.tiny import samples

HAPPY, NEUTRAL = (0, 10) + (0,) * 8, (10,) + (0,) * 9


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [replace(s, source=f"{'a' if i % 5 else 'b'}/{i}") for i, s in enumerate(samples(100))]
    rows = [replace(s, votes=NEUTRAL if s.source[0] == "a" else HAPPY) for s in rows]
    write_manifest(tmp_path / "m.parquet", rows, FER7)
    return tmp_path / "m.parquet"


def test_without_shares_they_are_the_training_faces_counts(table: Path) -> None:
    shown = votes_shown(table)
    assert shown.shape[1] == 8
    assert set(shown.sum(1)) == {10.0}


def test_shares_of_data_sets_are_those_of_the_epoch(table: Path) -> None:
    shown = votes_shown(table, Sampling(shares={"a": 0.25, "b": 0.75}, faces=80))
    np.testing.assert_allclose(shown.mean(0)[:2], [0.25, 0.75], atol=0.01)


def test_only_training_faces_count(table: Path) -> None:
    count = sum(1 for _ in read_manifest(table, splits=[Split.TRAIN]))
    assert len(votes_shown(table)) == count
