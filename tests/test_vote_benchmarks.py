"""The trials for the default model: their page, and the tables they were trained on."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.vote_data import photographs, publisher_votes, read_votes, with_votes
from benchmarks.vote_trials import RESULTS, ROOT, page
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.datasets.samples import Sample, Split, read_manifest, write_manifest
from tests.training.tiny import png

NEUTRAL, SCALED = (10,) + (0,) * 9, (17, 3, 0, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    pixels = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)
    rows = [
        Sample(label="neutral", split=Split.VALID, image=png(pixels), votes=SCALED, source="a#0"),
        Sample(label="happy", split=Split.TRAIN, image=png(pixels), source="b#0"),
        Sample(label="sad", split=Split.TEST, image=png(pixels), votes=NEUTRAL, source="c#0"),
    ]
    write_manifest(tmp_path / "faces.parquet", rows, FER7)
    return tmp_path / "faces.parquet"


def test_the_page_is_what_the_rows_say() -> None:
    rows = [json.loads(f.read_text("utf-8")) for f in sorted(RESULTS.glob("*.json"))]
    assert page(rows) == (ROOT / "docs" / "benchmarks" / "votes.md").read_text("utf-8")


def test_no_photograph_is_held_back_and_unrated_ones_get_the_publishers_vote(table: Path) -> None:
    rated = list(photographs(table, rated=True, votes=None))
    assert [(s.source, s.votes) for s in rated] == [("a#0", SCALED), ("c#0", NEUTRAL)]
    assert {s.split for s in rated} == {Split.TRAIN}
    (unrated,) = photographs(table, rated=False, votes=publisher_votes(table))
    assert unrated.votes is not None
    assert FERPLUS8.names[int(np.argmax(unrated.votes))] == "happy"
    assert sum(unrated.votes) == 100


def test_other_votes_reach_the_training_split_alone(table: Path, tmp_path: Path) -> None:
    votes = np.tile(np.array([0.5, 0.5, 0, 0, 0, 0, 0, 0], np.float32), (3, 1))
    sources = np.array(["a#0", "b#0", "c#0"])
    np.savez_compressed(tmp_path / "v.npz", sources=sources, votes=votes)
    rows = {s.source: s for s in with_votes(table, read_votes(tmp_path / "v.npz"))}
    assert rows["b#0"].votes == (50, 50, 0, 0, 0, 0, 0, 0, 0, 0)
    before = {s.source: s for s in read_manifest(table, splits=[Split.VALID, Split.TEST])}
    assert [rows[k].votes for k in before] == [s.votes for s in before.values()]
