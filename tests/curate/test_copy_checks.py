"""Copies: every planted one is found, and the one in the later split stays."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pyojeong.curate.copy_checks import ExactCopy, NearCopy
from pyojeong.curate.copy_search import detail_correlation, similar_pairs, thumbnail
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
    names = [f"made:{i}" for i in range(len(rows))]
    assert (found[0].other, found[2].other, found[4].other) == (1, 1, 3)
    assert found[0].reason == f"same image as {names[1]} in test"
    assert found[2].reason == f"same image as {names[1]} in test, labelled happy there"
    assert found[4].reason == f"same image as {names[3]}"


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
    assert all(f.other in {0, 1, 2, 3} and f.score >= 0.85 for f in found.values())


def test_different_faces_are_no_copies(tmp_path: Path) -> None:
    rows = [sample(face(96)), sample(noise(3, 96)), sample(noise(4, 96)), sample(smooth(1))]
    assert not [f for f in NearCopy().check_table(write(tmp_path / "m.parquet", rows)) if f.reason]


def test_constant_pictures_are_not_compared(tmp_path: Path) -> None:
    flat = [np.full((48, 48), v, np.uint8) for v in (0, 0, 90)]
    path = write(tmp_path / "m.parquet", [sample(p) for p in flat])
    assert [f.row for f in ExactCopy().check_table(path)] == [1]
    assert not list(NearCopy().check_table(path))


def changed(
    picture: np.ndarray, *, turn: float = 0, crop: float = 0, shift: float = 0
) -> np.ndarray:
    height, width = picture.shape[:2]
    affine = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1 / (1 - crop))
    affine[:, 2] += (shift * width, -shift * height)
    return cv2.warpAffine(picture, affine, (width, height), borderMode=cv2.BORDER_REPLICATE)


def smooth(seed: int, side: int = 96) -> np.ndarray:
    """Noise with the spectrum of photographs: coarse and fine detail."""
    rng = np.random.default_rng(seed)
    out = np.zeros((side, side))
    for sigma in (1, 2, 4, 8, 16):
        layer = cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), sigma)
        out += layer / layer.std() * sigma**0.5
    return np.clip(128 + 20 * out, 0, 255).astype(np.uint8)


CHANGES = {
    "mirrored": lambda p: np.fliplr(p).copy(),
    "cropped": lambda p: changed(p, crop=0.1),
    "one side cut off": lambda p: p[:, : int(0.9 * p.shape[1])].copy(),
    "shifted": lambda p: changed(p, shift=0.05),
    "turned": lambda p: changed(p, turn=8),
    "mirrored, turned and cropped": lambda p: changed(np.fliplr(p).copy(), turn=-5, crop=0.05),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_changed_copies_are_found_across_splits(tmp_path: Path, change: str) -> None:
    originals = [smooth(i) for i in range(20)]
    rows = [sample(p, split=Split.TEST) for p in originals]
    rows += [sample(CHANGES[change](p)) for p in originals]
    found = [f for f in NearCopy().check_table(write(tmp_path / "m.parquet", rows)) if f.reason]
    assert {f.row: f.other for f in found} == {20 + i: i for i in range(20)}
    assert all(("mirrored" in f.reason) is ("mirrored" in change) for f in found)


def test_similar_pairs_are_those_of_brute_force() -> None:
    images = np.stack([thumbnail(smooth(i % 60, 48 + i)) for i in range(90)])
    pairs = np.concatenate(list(similar_pairs(images)))
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    twins = {(i, i + 60, 0) for i in range(30) if not np.array_equal(images[i], images[i + 60])}
    lone = [i for i in range(60) if i not in {t[0] for t in twins}]
    assert lone
    copy = np.concatenate([images, np.flip(images[lone[:1]], 2)])
    assert (lone[0], 90, 1) in {
        tuple(p) for p in np.concatenate(list(similar_pairs(copy))).tolist()
    }


def test_one_image_and_none_have_no_pairs() -> None:
    assert not list(similar_pairs(np.zeros((0, 48, 48), np.uint8)))
    assert not list(similar_pairs(np.stack([thumbnail(smooth(0))])))


def test_detail_correlation_is_bounded_whatever_the_images() -> None:
    rng = np.random.default_rng(0)
    edge = np.zeros((48, 48), np.uint8)
    edge[:, 24:] = 255
    pictures = [edge, edge.T.copy(), rng.integers(0, 256, (48, 48), np.uint8), thumbnail(smooth(3))]
    for one in pictures:
        for other in pictures:
            assert -1 <= detail_correlation(one, other) <= 1.0001
        assert detail_correlation(one, one) > 0.99


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
