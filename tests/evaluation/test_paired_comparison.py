"""Paired comparison: a run equals itself, sides can be swapped, other images are refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import write_record
from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Split, read_manifest, split_hash, write_manifest
from pyojeong.evaluation.paired_comparison import compare
from pyojeong.experiments.reference_labels import read_truth, write_truth
from tests.experiments.made_results import TRUTH, answers, keep, keep_truth, made
from tests.training.tiny import samples

digits = st.text("0123456", min_size=12, max_size=12)
sides = st.lists(digits, min_size=1, max_size=3)


@given(sides, digits)
def test_a_run_does_not_differ_from_itself(one: list[str], truth: str) -> None:
    found = compare(one, one, truth, rounds=50)
    assert (found.points, found.low, found.high, found.n) == (0, 0, 0, 12)
    assert not found.clear


@given(sides, sides, digits)
def test_swapping_the_sides_negates(one: list[str], other: list[str], truth: str) -> None:
    there, back = compare(one, other, truth, rounds=50), compare(other, one, truth, rounds=50)
    assert there.points == pytest.approx(-back.points)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


@given(sides, sides, digits, st.permutations(range(3)))
def test_the_order_of_seeds_changes_nothing(
    one: list[str], other: list[str], truth: str, order: list[int]
) -> None:
    turned = [one[i] for i in order if i < len(one)]
    first, second = compare(one, other, truth, rounds=50), compare(turned, other, truth, rounds=50)
    assert first.points == pytest.approx(second.points)
    assert (first.low, first.high) == pytest.approx((second.low, second.high))


def test_known_answer() -> None:
    """Right on all against right on half: 50 points, and the binomial interval around it."""
    truth = "1" * 400
    found = compare(truth, "1" * 200 + "0" * 200, truth)
    assert found.points == 50
    assert found.low == pytest.approx(50 - 4.9, abs=0.5)
    assert found.high == pytest.approx(50 + 4.9, abs=0.5)
    assert found.clear


def test_pairing_makes_the_interval_narrow() -> None:
    """Runs that differ in one mistake are distinguished better than by their own intervals."""
    one = answers(0.6)
    at = next(i for i, (a, t) in enumerate(zip(one, TRUTH, strict=True)) if a == t)
    other = f"{one[:at]}{(int(one[at]) + 1) % 7}{one[at + 1 :]}"
    found = compare(one, other, TRUTH)
    assert found.points == pytest.approx(100 / len(TRUTH))
    assert found.high - found.low < 2


def test_several_seeds_are_averaged() -> None:
    truth = "0" * 100
    right, wrong = truth, "1" * 100
    assert compare([right, wrong], [wrong, wrong], truth).points == 50


@pytest.mark.parametrize(
    ("one", "other", "truth", "words"),
    [
        ("012", "01", "012", "same images"),
        ([], "012", "012", "nothing to compare"),
        ("", "", "", "nothing to compare"),
        ("0é2", "012", "012", "digit"),
    ],
)
def test_what_cannot_be_compared(one: str, other: str, truth: str, words: str) -> None:
    with pytest.raises(ExperimentError, match=words):
        compare(one, other, truth)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "tiny.parquet"
    write_manifest(file, samples(), FER7)
    return file


def test_the_truth_is_that_of_the_manifest(manifest: Path, tmp_path: Path) -> None:
    file = write_truth(manifest, tmp_path / "results")
    assert file == tmp_path / "results" / "valid.json"
    found = read_truth(tmp_path / "results")
    assert found is not None
    valid = list(read_manifest(manifest, splits=[Split.VALID]))
    assert [FER7.names[int(d)] for d in found.truth] == [s.label for s in valid]
    assert found.split_sha256 == split_hash(valid)
    assert read_truth(tmp_path / "results" / "arms") == found  # kept above the folder
    assert "checksum" in json.loads(file.read_text())
    result = made("arms/base")
    result["valid"] |= {"split_sha256": found.split_sha256, "answers": found.truth}
    del result["valid"]["confusion"]  # older results lack it
    assert found.answers(result) == found.truth
    result["valid"]["answers"] += "0"
    with pytest.raises(ExperimentError, match="one of them is damaged; remove valid"):
        found.answers(result)


def test_other_pictures_are_refused(manifest: Path, tmp_path: Path) -> None:
    keep(tmp_path, made("arms/base"))
    with pytest.raises(ExperimentError, match="another valid split"):
        write_truth(manifest, tmp_path)
    assert read_truth(tmp_path) is None
    keep_truth(tmp_path, split="cd" * 32)
    truth = read_truth(tmp_path)
    assert truth is not None
    with pytest.raises(ExperimentError, match="arms/base was measured on another valid split"):
        truth.answers(made("arms/base"))


def test_a_damaged_truth_is_named(tmp_path: Path) -> None:
    file = tmp_path / "valid.json"
    whole = json.loads(keep_truth(tmp_path).read_text())
    for changed in ({"truth": "9"}, {"truth": "x"}, {"truth": 1}, {"labels": 7}, {"labels": [1]}):
        file.write_text(json.dumps({**whole, **changed}))
        with pytest.raises(ExperimentError, match=r"valid\.json: holds no labels .*next run"):
            read_truth(tmp_path)
    for text in ("{}", "[]", "", "[" * 10**5):
        file.write_text(text)
        with pytest.raises(ExperimentError, match=r"valid\.json: .*next run"):
            read_truth(tmp_path)
    write_record(file, whole)
    assert read_truth(tmp_path) is not None
    file.write_text(file.read_text().replace("0123", "4123", 1))
    with pytest.raises(ExperimentError, match=r"valid\.json: is damaged .*checksum differs"):
        read_truth(tmp_path)


def test_a_changed_label_of_an_earlier_version_is_noticed(tmp_path: Path) -> None:
    file = keep_truth(tmp_path)
    truth = read_truth(tmp_path)
    assert truth is not None
    assert truth.answers(made("arms/base"))
    file.write_text(file.read_text().replace("0123", "4123", 1))  # it has no checksum
    changed = read_truth(tmp_path)
    assert changed is not None
    with pytest.raises(ExperimentError, match="do not come to the confusion that was counted"):
        changed.answers(made("arms/base"))
