"""The store: findings in parts, belonging to one manifest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import FER7
from pyojeong.curate.findings import Finding, Store
from pyojeong.datasets.samples import Sample, Split, write_manifest


class Blurred:
    name = "blurred"
    states = "The image is out of focus"

    def __init__(self, threshold: float = 0.7, **settings: Any) -> None:
        self.threshold = threshold
        self._settings = settings

    def settings(self) -> dict[str, Any]:
        return self._settings


def make(file: Path, *, label: str = "sad") -> Path:
    rows = [
        Sample(label=label, split=Split.TRAIN, path=f"{i}.png", source=f"{i}") for i in range(10)
    ]
    write_manifest(file, rows, FER7)
    return file


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.beside(make(tmp_path / "set.parquet"))


def finding(row: int, score: float, **more: Any) -> Finding:
    return Finding(row=row, check="blurred", score=score, **more)


def test_findings_come_back_in_order_of_rows(store: Store) -> None:
    store.start(Blurred())
    store.add_part("blurred", "b", [finding(1, 0.5, reason="왜"), finding(0, 0.25)])
    store.add_part("blurred", "a", [finding(7, 0.75, suggest="relabel", label="happy", other=3)])
    assert store.findings("blurred") == [
        finding(0, 0.25),
        finding(1, 0.5, reason="왜"),
        finding(7, 0.75, suggest="relabel", label="happy", other=3),
    ]
    assert store.has_part("blurred", "a")
    assert not store.has_part("blurred", "c")
    assert [f.row for f in store.findings("blurred", at_least=0.5)] == [1, 7]
    scores = store.scores("blurred")
    assert scores.dtype == np.float32
    assert scores.tolist() == [0.25, 0.5, 0, 0, 0, 0, 0, 0.75, 0, 0]


def test_a_score_at_the_threshold_is_flagged(store: Store) -> None:
    store.start(Blurred(threshold=0.7))
    store.add_part("blurred", "0", [finding(0, 0.7), finding(1, 0.6999)])
    assert [f.row for f in store.flagged("blurred")] == [0]


def test_other_settings_begin_beside_findings_that_are_complete(store: Store) -> None:
    store.start(Blurred(sides=(3, 5)))
    store.add_part("blurred", "0", [finding(0, 0.7)])
    store.finish("blurred", {"rows": 10})
    store.start(Blurred(sides=(3, 5)))  # tuples are lists in the file, and yet the same
    assert store.finished("blurred")
    assert store.has_part("blurred", "0")
    before = store.findings("blurred")
    for sides in ((1, 2), (2, 3)):
        store.start(Blurred(sides=sides))
        assert store.due("blurred")
        assert not store.has_part("blurred", "0")
        assert store.findings("blurred") == before
    assert store.checks() == ["blurred"]
    names = [".blurred-next", "blurred"]
    assert sorted(p.name for p in (store.folder / "findings").iterdir()) == names
    store.add_part("blurred", "0", [finding(0, 0.9)])
    store.finish("blurred", {"rows": 10})
    assert [f.score for f in store.findings("blurred")] == [pytest.approx(0.9)]
    names = [".blurred-1", "blurred"]
    assert sorted(p.name for p in (store.folder / "findings").iterdir()) == names


def test_unfinished_findings_of_other_settings_step_aside(store: Store) -> None:
    store.start(Blurred(sides=(3, 5)))
    store.add_part("blurred", "0", [finding(0, 0.7)])
    store.start(Blurred(sides=(1, 2)))
    assert store.findings("blurred") == []
    names = [".blurred-1", "blurred"]
    assert sorted(p.name for p in (store.folder / "findings").iterdir()) == names


def test_a_store_belongs_to_one_manifest(store: Store, tmp_path: Path) -> None:
    assert Store.beside(store.manifest).manifest_id == store.manifest_id
    other = make(tmp_path / "other.parquet", label="happy")
    with pytest.raises(DataError, match="--store"):
        Store(store.folder, other)
    (store.folder / "store.json").write_text("{torn")
    with pytest.raises(ManifestInvalid, match="is damaged"):
        Store.beside(store.manifest)


@pytest.mark.parametrize("left", [0, 10, 200])
def test_a_damaged_part_is_named(store: Store, left: int) -> None:
    store.start(Blurred())
    store.add_part("blurred", "0", [finding(i, 0.7) for i in range(10)])
    file = store.part_folder("blurred") / "part-0.parquet"
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(ManifestInvalid, match=r"part-0\.parquet: damaged"):
        store.findings("blurred")


def test_checks_that_never_ran(store: Store) -> None:
    assert store.checks() == []
    assert store.settings("blurred") == {}
    assert store.findings("blurred") == store.flagged("blurred") == []
    assert not store.finished("blurred")


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_scores_are_between_0_and_1(score: float) -> None:
    with pytest.raises(DataError, match="not in"):
        finding(0, score)
