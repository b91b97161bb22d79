"""Photographs with votes: what counts, what counts as wrong, and the bundled models' figures."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.evaluation.accuracy.tables import tables, to_markdown
from pyojeong.evaluation.accuracy.voted import (
    read_outputs,
    read_voted_photographs,
    voted_faces,
    voted_figures,
)
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.runtime.golden import PICTURES

COLUMNS = ("image", "agree", *FERPLUS8.names, "unknown")


def write_votes(folder: Path, rows: list[dict[str, object]]) -> None:
    (folder / "images").mkdir(exist_ok=True)
    with (folder / "votes.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, restval=0.0)
        table.writeheader()
        table.writerows(rows)
    for row in rows:
        name = str(row["image"])
        source = "coffee.jpg" if "coffee" in name else "astronaut.jpg"
        (folder / "images" / name).write_bytes((PICTURES / source).read_bytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voted")
    rows: list[dict[str, object]] = [
        {"image": "astronaut_0001.jpg", "agree": 1, "happy": 2.0},
        {"image": "astronaut_0002.jpg", "agree": 0, "happy": 1.0, "surprise": 1.0},
        {"image": "coffee_1.jpg", "agree": 1, "sad": 2.0},
        {"image": "someone_1.jpg", "agree": 1, "contempt": 2.0},
        {"image": "nobody_1.jpg", "agree": 1, "unknown": 2.0},
        {"image": "two_1.jpg", "agree": 1, "unknown": 1.4, "sad": 0.6},
    ]
    write_votes(path, rows)
    return path


def test_what_votes_are_read(folder: Path) -> None:
    found = {p.path.stem: (p.person, p.agreed) for p in read_voted_photographs(folder)}
    assert found == {
        "astronaut_0001": ("astronaut", "happy"),
        "astronaut_0002": ("astronaut", ""),
        "coffee_1": ("coffee", "sad"),
        "someone_1": ("someone", "contempt"),
        "two_1": ("two", ""),  # most said unknown
    }


@pytest.fixture(scope="module")
def figures(folder: Path) -> dict[str, Any]:
    analyzer = Analyzer(threads=1)
    read = read_outputs(analyzer, read_voted_photographs(folder))
    assert len(voted_faces(read)) == 3  # contempt is none of the seven, coffee has no face
    return voted_figures(analyzer.classifier.card, read, None, rounds=20)


def test_agreed_labels_of_the_seven_count_and_no_face_is_wrong(figures: dict[str, Any]) -> None:
    assert (figures["n"], figures["found"], figures["voted"]) == (2, 1, 3)
    default = figures["by_prior"][figures["default_prior"]]
    assert default["accuracy"]["value"] == 0.5
    assert default["recall"]["happy"] == 1
    assert default["recall"]["sad"] == 0
    assert default["answered"] == {"share": 0.5, "accuracy": 1.0}
    assert figures["fer2013"]["accuracy"]["value"] == 0.5


def test_pages_lead_with_votes(figures: dict[str, Any]) -> None:
    result = {
        "model": "made",
        "megabytes": 1.0,
        "date": "2026-01-01",
        "pyojeong": "0",
        "splits": {"valid": None, "test": None},
        "disturbed": {"split": "valid", "slices": {}},
        "invariance": {
            "faces": 1, "batches": {}, "shuffled": 0.0, "two_threads": 0.0, "other_answers": 0,
        },
        "voted": json.loads(json.dumps(figures)),
    }  # fmt: skip
    made = tables([result])
    assert made[0].title == "Photographs with agreed votes"
    assert [row[1] for row in made[0].rows] == [
        "votes, between prior (default)",
        "votes, natural prior",
        "votes, balanced prior",
        "FER2013 output",
    ]
    assert all(len(row) == len(table.header) for table in made for row in table.rows)
    assert "## Photographs with agreed votes" in to_markdown([result])


HEAD = ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "could not be read as votes"),
        ("image,agree\na.jpg,1\n", "could not be read as votes"),
        (HEAD, "no photograph has a vote"),
        (HEAD + "a.jpg,1" + ",0" * 9 + "\n", "no photograph has a vote"),
        (HEAD + "a.jpg,1,inf" + ",0" * 8 + "\n", "line 2: votes must be finite"),
        (HEAD + "a.jpg,1,nan" + ",0" * 8 + "\n", "line 2: votes must be finite"),
        (HEAD + "a.jpg,1,-1" + ",0" * 8 + "\n", "line 2: votes must be finite"),
        (HEAD + ("a.jpg,1,2" + ",0" * 8 + "\n") * 2, "line 3: a.jpg is there twice"),
        (HEAD + "../a.jpg,1,2" + ",0" * 8 + "\n", "name of a file in images/"),
    ],
)
def test_wrong_votes_are_refused(text: str, words: str, tmp_path: Path) -> None:
    if text:
        (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_voted_photographs(tmp_path)


def test_a_tie_is_no_agreed_label_and_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    rows = "a.jpg,1,2,2" + ",0" * 7 + "\nb.jpg, 1.0 ,2" + ",0" * 8 + "\n"
    (tmp_path / "votes.csv").write_text("\ufeff" + HEAD + rows, encoding="utf-8")
    assert [p.agreed for p in read_voted_photographs(tmp_path)] == ["", "neutral"]


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "accuracy", "balanced", "share"),
    [("default", 0.80, 0.74, 0.75), ("default-fer2013", 0.75, 0.64, 0.5)],
)
def test_the_bundled_models_give_the_label_most_would_give(
    model: str, accuracy: float, balanced: float, share: float, shared: Path
) -> None:
    photographs = read_voted_photographs(shared / "data" / "wild")
    analyzer = Analyzer(model, threads=2)
    read = read_outputs(analyzer, photographs)
    found = voted_figures(analyzer.classifier.card, read, None, rounds=2)
    default = found["by_prior"][found["default_prior"]]
    assert found["n"] == 882
    assert default["accuracy"]["value"] >= accuracy
    assert found["by_prior"]["balanced"]["balanced_accuracy"]["value"] >= balanced
    assert default["recall"]["neutral"] >= 0.8
    assert default["vote_ece"]["value"] <= 0.04
    assert default["answered"]["accuracy"] >= 0.895
    assert default["answered"]["share"] >= share


@pytest.mark.parametrize("model", ["default", "default-fer2013"])
def test_the_card_says_what_its_calibration_rests_on(model: str) -> None:
    card = find_classifier(model).card
    votes = card.vote_calibration
    assert votes is not None
    assert "PublicTest" in votes.fitted_on
    assert "vision-language model" in votes.fitted_on
    assert set(votes.prior) == set(FERPLUS8.names)
    figures = card.metrics["photographs"]
    assert (figures["n"], figures["prior"]) == (882, votes.default_prior)
    assert np.isfinite(figures["cross_fitted"]["vote_ece"]["value"])
    assert set(figures["recall"]) == set(FER7.names)
