"""The accuracy benchmark: what it withholds, what it compares, and that its parts add up."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from pyojeong.cli.app import app
from pyojeong.core.errors import DataError, OutputBusy, OutputError
from pyojeong.core.face import Box, Face, Landmarks
from pyojeong.core.labels import FER7
from pyojeong.core.one_writer import one_writer
from pyojeong.datasets.samples import Split, write_manifest
from pyojeong.evaluation.accuracy.corruptions import CORRUPTIONS
from pyojeong.evaluation.accuracy.crops import vote_figures
from pyojeong.evaluation.accuracy.leaks import copies_across_splits
from pyojeong.evaluation.accuracy.measuring import (
    _Parts,
    _stamp,
    measure,
    read_measured,
    write_measured,
)
from pyojeong.evaluation.accuracy.page import to_page
from pyojeong.evaluation.accuracy.photographs import digest_of_pictures, read_photographs, turned
from pyojeong.evaluation.accuracy.tables import tables, to_markdown
from pyojeong.evaluation.scoring import SplitPredictions
from pyojeong.evaluation.test_split_guard import may_show
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.runtime.golden import PICTURES
from tests.curate.made import face, noise, sample, write
from tests.training.tiny import samples


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("accuracy") / "tiny.parquet"
    write_manifest(path, samples(105), FER7)
    return path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "images").mkdir()
    rows = {"astronaut.jpg": "happiness", "coffee.jpg": "sadness"}
    with (folder / "legend.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "emotion"])
        table.writerows([*rows.items(), ("astronaut.jpg", "contempt")])
    for name in rows:
        (folder / "images" / name).write_bytes((PICTURES / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def result(manifest: Path, photographs: Path) -> dict[str, Any]:
    return json.loads(json.dumps(measure("default", manifest, photographs=photographs, rounds=20)))


def test_photographs_that_differ_share_no_table(result: dict[str, Any], photographs: Path) -> None:
    other = json.loads(json.dumps(result))
    other["model"] = "other"
    other["photographs"]["name"] = "renamed"
    assert to_markdown([result, other])
    digest = other["photographs"].pop("images_sha256")  # of an earlier version
    with pytest.raises(DataError, match=r"measured on different photographs \(.*renamed: 2\)"):
        to_markdown([result, other])
    other["photographs"]["name"] = result["photographs"]["name"]
    assert to_markdown([result, other])
    other["photographs"] |= {"images_sha256": digest[::-1]}
    with pytest.raises(DataError, match="measured on different photographs"):
        to_page([result, other])
    read = read_photographs(photographs, FER7)
    pictures = [(Path(s.path or ""), s.label) for s in read]
    assert digest_of_pictures(pictures) == digest_of_pictures(pictures[::-1]) == digest
    swapped = [
        (path, label) for (path, _), (_, label) in zip(pictures, pictures[::-1], strict=True)
    ]
    assert digest_of_pictures(swapped) != digest
    assert digest_of_pictures([(b"other", label) for _, label in pictures]) != digest


@pytest.mark.parametrize(
    ("legend", "said"),
    [
        (b"image,emotion\n/etc/hostname,happiness\n", "line 2: expected the name of a file in"),
        (b"image,emotion\n../legend.csv,happiness\n", "line 2: expected the name of a file in"),
        (b"image,emotion\na.jpg\n", "line 2: expected .*got 'a.jpg', None"),
        (b"image,emotion\n,happiness\n", "line 2: expected"),
        (b"image,feeling\na.jpg,happiness\n", "columns image, emotion"),
        (b"image,emotion\n\xe9.jpg,happiness\n", "columns image, emotion in UTF-8"),
        (b"image,emotion\n" + b"a" * 140_000 + b",happiness\n", "columns image|line 2: expected"),
        (b"image,emotion\na.jpg,happiness\n./a.jpg,sadness\n", "a.jpg is there 2 times: keep"),
    ],
)
def test_a_damaged_legend_is_one_line(tmp_path: Path, legend: bytes, said: str) -> None:
    (tmp_path / "legend.csv").write_bytes(legend)
    with pytest.raises(DataError, match=said) as caught:
        read_photographs(tmp_path, FER7)
    assert "\n" not in str(caught.value)
    (tmp_path / "legend.csv").write_bytes(b"\xef\xbb\xbfimage,emotion\na.jpg,happiness\n")
    (found,) = read_photographs(tmp_path, FER7)
    assert found.path == str(tmp_path / "images" / "a.jpg")


def test_links_that_lead_nowhere_are_no_reason_to_stop(tmp_path: Path) -> None:
    before = _stamp(tmp_path)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
    assert _stamp(tmp_path) != before


def test_results_are_sealed_and_files_of_others_stay(
    result: dict[str, Any], tmp_path: Path
) -> None:
    file = write_measured(result, tmp_path)
    assert write_measured(result, tmp_path) == file
    text = file.read_text()
    accuracy = f'"value": {result["splits"]["valid"]["accuracy"]["value"]}'
    assert accuracy in text
    file.write_text(text.replace(accuracy, '"value": 0.98765', 1))
    with pytest.raises(DataError, match=r"checksum differs; measure it again"):
        read_measured(tmp_path)
    file.write_text(json.dumps(result))  # as earlier versions wrote it
    assert read_measured(tmp_path) == [result]
    for mine in ("mine", json.dumps({**result, "model": "other"}), '{"model": "x"}'):
        file.write_text(mine)
        with pytest.raises(OutputError, match="is there already"):
            write_measured(result, tmp_path)
        assert file.read_text() == mine


@pytest.mark.parametrize(("name", "of_others"), [("page.md", "my notes"), ("page.html", "<p>mine")])
def test_a_page_replaces_pages_only(
    result: dict[str, Any], tmp_path: Path, name: str, of_others: str
) -> None:
    write_measured(result, tmp_path / "results")
    page = tmp_path / name
    page.write_text(of_others)
    arguments = ["bench", "page", str(tmp_path / "results"), "--out", str(page)]
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, OutputError)
    assert page.read_text() == of_others
    page.unlink()
    assert [CliRunner().invoke(app, arguments).exit_code for _ in range(2)] == [0, 0]


def test_measuring_stops_before_it_would_replace_a_file(manifest: Path, tmp_path: Path) -> None:
    file = tmp_path / f"{find_classifier('default').card.id}.json"
    file.write_text("mine")
    speed = tmp_path / "speed.md"
    speed.write_text("mine")
    accuracy = ["bench", "accuracy", "--data", str(manifest), "--out", str(tmp_path)]
    for arguments in (accuracy, ["bench", "speed", "--out", str(speed)]):
        assert isinstance(CliRunner().invoke(app, arguments).exception, OutputError)
    assert (file.read_text(), speed.read_text()) == ("mine", "mine")
    file.unlink()
    with one_writer(file):
        assert isinstance(CliRunner().invoke(app, accuracy).exception, OutputBusy)


def test_the_test_split_of_an_unpublished_pair_is_not_shown(
    manifest: Path, result: dict[str, Any]
) -> None:
    classifier = Classifier.open(find_classifier("default"))
    assert may_show(classifier.card, manifest, Split.VALID)
    assert not may_show(classifier.card, manifest, Split.TEST)
    assert result["splits"]["test"] is None
    assert not any(table.title.startswith("Test split") for table in tables([result]))


def test_views_are_kept_apart(result: dict[str, Any]) -> None:
    found = result["splits"]["valid"]
    assert found["views"] == 1
    assert {k: v["views"] for k, v in found["more_views"].items()} == {"2": 2, "10": 10}


def test_reliability_sums_up_to_ece(result: dict[str, Any]) -> None:
    found = result["splits"]["valid"]
    bins = found["calibration"]["reliability"]
    assert sum(b["n"] for b in bins) == found["n"]
    ece = sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / found["n"]
    assert ece == pytest.approx(found["ece"]["value"], abs=1e-4)


def test_calibration_is_held_against_chance(result: dict[str, Any]) -> None:
    chance = result["splits"]["valid"]["calibration"]["ece_by_chance"]
    assert 0 < chance["mean"] < chance["high"] < 1
    page = "\n".join(str(table) for table in tables([result]))
    assert f"; chance {chance['mean']:.3f}, up to {chance['high']:.3f}" in page


def test_photographs_without_a_face_are_wrong_and_other_labels_left_out(
    result: dict[str, Any], photographs: Path
) -> None:
    assert len(read_photographs(photographs, FER7)) == 2
    shots = result["photographs"]
    assert (shots["n"], shots["found"]) == (2, 1)
    assert shots["analyze"]["accuracy"]["value"] == 0.5
    assert shots["analyze"]["recall"]["sad"] == 0
    assert shots["analyze"]["recall"]["happy"] == 1


def test_company_changes_no_answer(result: dict[str, Any]) -> None:
    found = result["invariance"]
    assert found["other_answers"] == 0
    assert max(*found["batches"].values(), found["shuffled"], found["two_threads"]) < 1e-5


def test_an_interrupted_measurement_goes_on(
    manifest: Path, tmp_path: Path, result: dict[str, Any]
) -> None:
    def stop(words: str) -> None:
        if words == "light: 0.3":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure("default", manifest, keep=tmp_path, say=stop, rounds=20)
    said: list[str] = []
    again = measure("default", manifest, keep=tmp_path, say=said.append, rounds=20)
    assert not any("view" in words for words in said)
    assert json.loads(json.dumps(again["splits"])) == result["splits"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stored", ["[1]", "{", '{"of": 1, "checksum": "0000000000000000"}'])
def test_damaged_parts_are_measured_again(tmp_path: Path, stored: str) -> None:
    (tmp_path / ".m.part").write_text(stored)
    parts = _Parts(tmp_path, "m", [1])
    assert parts("splits", lambda: 2) == 2
    assert _Parts(tmp_path, "m", [1])("splits", lambda: 3) == 2
    assert _Parts(tmp_path, "m", [2])("splits", lambda: 3) == 3


def test_files_go_there_and_back(tmp_path: Path, result: dict[str, Any]) -> None:
    file = write_measured(result, tmp_path)
    assert file.name == f"{result['model']}.json"
    assert read_measured(tmp_path) == [result]
    file.write_text(json.dumps({**result, "version": 0}))
    with pytest.raises(DataError, match="measure it again"):
        read_measured(tmp_path)
    file.write_text("[]")
    with pytest.raises(DataError, match="is no result file"):
        read_measured(tmp_path)
    with pytest.raises(DataError, match="pyojeong bench accuracy"):
        read_measured(tmp_path / "nothing")


def test_pages_say_what_was_measured(result: dict[str, Any]) -> None:
    text = to_markdown([result])
    value = result["splits"]["valid"]["accuracy"]["value"]
    assert f"| {100 * value:.1f} [" in text
    assert "several views" in text
    html = to_page([result]).to_html()
    for table in tables([result]):
        assert f"## {table.title}" in text
        assert f">{table.title}</h2>" in html
        assert all(len(row) == len(table.header) for row in table.rows)


def test_other_pictures_are_not_put_side_by_side(result: dict[str, Any]) -> None:
    other = json.loads(json.dumps(result))
    other["model"] = "other"
    valid = next(t for t in tables([result, other]) if t.title == "Validation split")
    assert len(valid.rows) == 2
    other["splits"]["valid"]["split_sha256"] = "0" * 64
    with pytest.raises(DataError, match="different images of the validation split"):
        to_markdown([result, other])


def test_copies_across_splits_are_counted(tmp_path: Path) -> None:
    near = face().copy()
    near[:4, :4] = 255
    rows = [
        sample(face(), split=Split.TRAIN),
        sample(noise(1), split=Split.TRAIN),
        sample(noise(2), split=Split.VALID),
        sample(noise(1), split=Split.VALID),
        sample(noise(3), split=Split.TEST),
        sample(near, split=Split.TEST),
    ]
    found, counts = copies_across_splits(write(tmp_path / "made.parquet", rows))
    assert counts["exact"] == {"train in valid": 1, "valid in train": 1}
    assert found[Split.VALID] == {1}
    assert found[Split.TRAIN] == {0, 1}
    assert found[Split.TEST] == {1}
    assert counts["near_pairs"] == {"train and test": 1}


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("colour", [False, True])
def test_disturbances_change_the_picture_always_alike(name: str, colour: bool) -> None:
    crop = face(48) if colour else cv2.cvtColor(face(48), cv2.COLOR_RGB2GRAY)
    before = crop.copy()
    for level, corrupt in CORRUPTIONS[name].items():
        made = corrupt(crop, 3)
        assert made.dtype == np.uint8, level
        assert made.ndim == crop.ndim
        assert made.shape != crop.shape or (made != crop).any()
        np.testing.assert_array_equal(made, corrupt(crop, 3))
    np.testing.assert_array_equal(crop, before)


def test_a_closer_frame_keeps_the_centre() -> None:
    crop = np.zeros((49, 49), np.uint8)
    crop[24, 24] = 255
    closer = CORRUPTIONS["framing"]["15 % closer"](crop, 0)
    assert np.unravel_index(closer.argmax(), closer.shape) == (24, 24)
    moved = CORRUPTIONS["framing"]["moved 6 %"](crop, 0)
    assert np.unravel_index(moved.argmax(), moved.shape) == (27, 27)


def _votes(*rows: tuple[int, ...]) -> np.ndarray:
    return np.array(rows, np.int64)


def test_votes_are_counted_by_the_authors_rule() -> None:
    # neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, no face
    votes = _votes(
        (0, 9, 1, 0, 0, 0, 0, 0, 0, 0),  # happy, a majority
        (4, 0, 0, 3, 3, 0, 0, 0, 0, 0),  # neutral, a plurality alone
        (0, 0, 0, 0, 0, 0, 0, 8, 2, 0),  # contempt
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 10),  # no face
        (-1,) * 10,
    )
    shares = np.maximum(votes[:, :8], 0) + 1e-9
    shares = shares / shares.sum(1, keepdims=True)
    classifier = Classifier.open(find_classifier("default"), output="fer2013")
    temperature = classifier.card.vote_calibration.temperature
    found = vote_figures(
        classifier,
        SplitPredictions(
            logits=np.zeros((5, 7), np.float32),
            labels=np.zeros(5, np.int64),
            seen_before=np.zeros(5, bool),
            split=Split.VALID,
            digest="",
            views=1,
            vote_logits=(temperature * np.log(shares)).astype(np.float32),
            votes=votes,
        ),
    )
    assert found is not None
    assert found["n"] == 3
    assert found["majority"]["eight"]["n"] == 2
    assert found["majority"]["seven"]["n"] == 1
    assert found["plurality"]["eight"]["n"] == 3
    assert found["plurality"]["eight"]["accuracy"]["value"] == 1
    assert found["divergence"]["eight"] == pytest.approx(0, abs=1e-4)


def test_a_turned_head() -> None:
    def seen(nose: tuple[float, float]) -> Face:
        points = np.array([(30, 40), (70, 40), nose, (40, 80), (60, 80)], np.float32)
        return Face(Box(0, 0, 100, 100), 1.0, landmarks=Landmarks(points))

    assert turned(seen((50, 60))) == pytest.approx(0, abs=1e-6)
    assert turned(seen((64, 60))) == pytest.approx(0.35, abs=1e-6)
    assert turned(seen((36, 60))) == pytest.approx(0.35, abs=1e-6)
    assert np.isnan(turned(replace(seen((50, 60)), landmarks=None)))
