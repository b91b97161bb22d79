"""Scores of a split with broken pictures."""

from pathlib import Path

import numpy as np
import pytest

from pyojeong.core.errors import PicturesLeftOut
from pyojeong.datasets.samples import Split
from pyojeong.evaluation.scoring import figures, predict_split
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.classifier_names import find_classifier
from tests.curate.made import face, noise, sample, write


def test_broken_pictures_are_left_out_and_move_no_other(tmp_path: Path) -> None:
    classifier = Classifier.open(find_classifier("default"))
    rows = [
        sample(face(96), "happy", Split.VALID),
        sample(noise(1), "sad", Split.VALID, votes=(1,) * 10),
        sample(face(64), "angry", Split.VALID),
    ]
    whole = predict_split(classifier, write(tmp_path / "whole.parquet", rows), Split.VALID)
    rows.insert(1, sample(b"broken", "fear", Split.VALID))
    table = write(tmp_path / "broken.parquet", rows)
    with pytest.warns(PicturesLeftOut, match="left out 1 of 4"):
        some = predict_split(classifier, table, Split.VALID)
    assert whole.kept.tolist() == [0, 1, 2]
    assert some.kept.tolist() == [0, 2, 3]
    assert str(some.sums) == "4 given = 3 read + 1 failed + 0 left out"
    assert figures(classifier, some, rounds=2)["pictures"] == some.sums.to_dict()
    np.testing.assert_array_equal(some.logits, whole.logits)
    np.testing.assert_array_equal(some.labels, whole.labels)
    np.testing.assert_array_equal(some.votes, whole.votes)
    assert len(some.seen_before) == 3
