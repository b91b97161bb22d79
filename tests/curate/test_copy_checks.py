"""Copies: every planted one is found, and the one in the later split stays."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.curate.copy_checks import ExactCopy, NearCopy, close_pairs
from pyojeong.datasets.samples import Split
from pyojeong.image.features import content_hash, hash_distance, perceptual_hash
from tests.curate.made import face, noise, sample, write


def test_exact_copies_go_and_the_one_in_the_later_split_stays(tmp_path: Path) -> None:
    one, two = noise(1), noise(2)
    rows = [
        sample(one),
        sample(one, split=Split.TEST),
        sample(one, split=Split.VALID, label="sad"),
        sample(two),
        sample(two),
        sample(noise(3)),
    ]
    found = {f.row: f for f in ExactCopy().check_table(write(tmp_path / "m.parquet", rows))}
    assert set(found) == {0, 2, 4}
    assert (found[0].other, found[2].other, found[4].other) == (1, 1, 3)
    assert found[0].reason == "same image as #1 in test"
    assert found[2].reason == "same image as #1 in test, labelled happy there"
    assert found[4].reason == "same image as #3"


def test_unreadable_rows_are_no_copies_of_each_other(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", [sample(b"broken"), sample(b"broken"), sample(noise(1))])
    assert not list(ExactCopy().check_table(path))
    assert not list(NearCopy().check_table(path))


def test_near_copies_are_found_through_what_people_do_to_pictures(tmp_path: Path) -> None:
    whole = face(128)
    _, jpeg = cv2.imencode(".jpg", whole, [cv2.IMWRITE_JPEG_QUALITY, 40])
    shifted = np.roll(whole, (2, -2), (0, 1))
    brighter = np.clip(whole.astype(float) * 0.8 + 40, 0, 255).astype(np.uint8)
    marked = whole.copy()
    cv2.putText(marked, "stock", (20, 100), 0, 1.0, (255, 255, 255), 2)
    changed = [cv2.imdecode(jpeg, cv2.IMREAD_COLOR), shifted, brighter, marked]
    others = [noise(i, 128) for i in range(20)]
    rows = [sample(p) for p in (whole, *changed, *others)]
    found = {
        f.row: f for f in NearCopy().check_table(write(tmp_path / "m.parquet", rows)) if f.reason
    }
    assert set(found) == {1, 2, 3, 4}
    assert all(f.other in {0, 1, 2, 3} and f.score >= 0.9 for f in found.values())


def test_different_faces_are_no_copies(tmp_path: Path) -> None:
    rows = [sample(face(96)), sample(face(96)[:, ::-1].copy()), sample(noise(4, 96))]
    assert not [f for f in NearCopy().check_table(write(tmp_path / "m.parquet", rows)) if f.reason]


def test_constant_pictures_are_not_compared(tmp_path: Path) -> None:
    flat = [np.full((48, 48), v, np.uint8) for v in (0, 0, 90)]
    path = write(tmp_path / "m.parquet", [sample(p) for p in flat])
    assert [f.row for f in ExactCopy().check_table(path)] == [1]
    assert not list(NearCopy().check_table(path))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=40), st.integers(0, 20))
def test_close_pairs_is_the_brute_force_answer(hashes: list[int], bits: int) -> None:
    found = {tuple(p) for p in close_pairs(np.array(hashes, np.uint64), bits).tolist()}
    count = len(hashes)
    expected = {
        (i, j)
        for i in range(count)
        for j in range(i + 1, count)
        if hash_distance(hashes[i], hashes[j]) <= bits
    }
    assert found == expected


def test_close_pairs_crosses_blocks() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**63, 1500, dtype=np.uint64)
    hashes[1400] = hashes[3]
    assert [3, 1400] in close_pairs(hashes, 0).tolist()


def test_old_numpy_counts_bits_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.random.default_rng(1).integers(0, 2**63, 300, dtype=np.uint64)
    expected = close_pairs(hashes, 24)
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    np.testing.assert_array_equal(close_pairs(hashes, 24), expected)


def test_hashes_say_what_they_promise() -> None:
    picture = face(96)
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    assert content_hash(gray) == content_hash(np.repeat(gray[..., None], 3, 2))
    assert content_hash(picture) != content_hash(gray)
    assert content_hash(gray) != content_hash(gray.T.copy())
    assert perceptual_hash(np.full((48, 48), 7, np.uint8)) == 0
    smaller = cv2.resize(picture, (60, 60), interpolation=cv2.INTER_AREA)
    assert hash_distance(perceptual_hash(picture), perceptual_hash(smaller)) <= 4
    assert hash_distance(perceptual_hash(picture), perceptual_hash(noise(5))) > 16
