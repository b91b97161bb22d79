"""Label checks against planted errors."""

from pathlib import Path

import numpy as np
import pytest

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7
from pyojeong.curate.label_checks import LabelIssue, VotesDisagree, label_scores, votes_by_label
from pyojeong.datasets.predictions import Predictions, read_predictions, write_predictions
from pyojeong.datasets.samples import Split, manifest_id
from tests.curate.made import noise, sample, write


def planted(count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True labels, given labels with a tenth of them wrong, and sharp probabilities."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 7, count)
    given = true.copy()
    wrong = rng.choice(count, count // 10, replace=False)
    given[wrong] = (true[wrong] + rng.integers(1, 7, len(wrong))) % 7
    logits = rng.normal(0, 1, (count, 7))
    logits[np.arange(count), true] += 4
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return true, given, scores.astype(np.float32)


def test_planted_errors_come_first() -> None:
    true, given, scores = planted()
    bad, sure = label_scores(given, scores)
    assert bad.min() >= 0
    assert bad.max() <= 1
    first = np.argsort(-bad)[: (true != given).sum()]
    assert (true != given)[first].mean() > 0.9
    assert (true != given)[sure].mean() > 0.8


def test_relabelling_is_suggested_with_its_reason(tmp_path: Path) -> None:
    true, given, scores = planted(60)
    rows = [sample(noise(i, 16), FER7.names[g]) for i, g in enumerate(given)]
    rows.append(sample(noise(99, 16), split=Split.TEST))
    path = write(tmp_path / "m.parquet", rows)
    file = tmp_path / "predictions.parquet"
    folds = np.zeros(60, np.int8)
    write_predictions(
        file, Predictions(np.arange(60), folds, scores, FER7, manifest_id(path), "made up")
    )
    check = LabelIssue(predictions=file, threshold=0.7)
    found = {f.row: f for f in check.check_table(path)}
    assert set(found) == set(range(60))
    worst = max(found.values(), key=lambda f: f.score)
    assert worst.suggest == "relabel"
    assert worst.label == FER7.names[true[worst.row]]
    assert worst.reason.startswith(f"{FER7.names[given[worst.row]]}, read as {worst.label} (")
    best = min(found.values(), key=lambda f: f.score)
    assert (best.label, best.reason) == ("", "")


def test_new_predictions_of_the_same_name_are_other_settings(tmp_path: Path) -> None:
    file = tmp_path / "predictions.parquet"
    file.write_bytes(b"one")
    before = LabelIssue(predictions=file).settings()
    assert LabelIssue(predictions=file).settings() == before
    file.write_bytes(b"two")
    assert LabelIssue(predictions=file).settings() != before
    file.unlink()
    with pytest.raises(DataError, match=r"predictions\.parquet: could not be read"):
        LabelIssue(predictions=file).settings()


def test_predictions_are_kept_to_four_digits_and_sum_to_one(tmp_path: Path) -> None:
    _, _, scores = planted(50)
    before = Predictions(np.arange(50), np.zeros(50, np.int8), scores, FER7, "abc", "made up")
    write_predictions(tmp_path / "p.parquet", before)
    after = read_predictions(tmp_path / "p.parquet", manifest="abc")
    np.testing.assert_allclose(after.scores, scores, atol=2e-4)
    np.testing.assert_allclose(after.scores.sum(1), 1, atol=1e-6)
    assert after.origin == "made up"
    with pytest.raises(DataError, match="another data set"):
        read_predictions(tmp_path / "p.parquet", manifest="other")


def test_without_predictions_the_cure_is_named() -> None:
    with pytest.raises(DataError, match="--folds 5"):
        LabelIssue()


def test_votes(tmp_path: Path) -> None:
    #        neutral happy surprise sad angry disgust fear contempt unknown NF
    rows = [
        sample(noise(1, 16), "happy", votes=(0, 9, 1, 0, 0, 0, 0, 0, 0, 0)),
        sample(noise(2, 16), "happy", votes=(0, 0, 0, 8, 2, 0, 0, 0, 0, 0)),
        sample(noise(3, 16), "happy", votes=(1, 0, 0, 1, 1, 1, 1, 5, 0, 0)),
        sample(noise(4, 16), "happy", votes=(0, 0, 0, 0, 0, 0, 0, 0, 3, 7)),
        sample(noise(5, 16), "happy", votes=None),
        sample(noise(6, 16), "happy", votes=(0,) * 10),
    ]
    found = {f.row: f for f in VotesDisagree().check_table(write(tmp_path / "m.parquet", rows))}
    assert set(found) == {0, 1, 2, 3}
    assert found[0].score == pytest.approx(0.1)
    assert (found[1].score, found[1].suggest, found[1].label) == (1.0, "relabel", "sad")
    assert (found[2].suggest, found[2].label) == ("drop", "")
    assert (found[3].suggest, found[3].label) == ("drop", "")
    assert "100% unknown or no face" in found[3].reason


def test_contempt_is_nobodys_vote_but_counts() -> None:
    shares, other = votes_by_label((1, 0, 0, 0, 0, 0, 0, 4, 2, 3), FER7)
    assert shares.sum() == pytest.approx(0.1)
    assert other == pytest.approx(0.5)
