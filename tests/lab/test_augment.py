"""Augmentation: depends on seed, epoch and row alone; off means off."""

import numpy as np

from pyojeong.core.card import Preprocess
from pyojeong.image.preprocess import apply, matrix_for_crop, warp
from pyojeong.lab.augment import Augment, Draws

PRE = Preprocess(size_hw=(44, 44), color="gray", mean=(0.5,), std=(0.25,), center_fraction=44 / 48)
STRONG = Augment(
    rotate_deg=30, scale=0.3, shift=0.2, flip=0.5, brightness=0.3, contrast=0.3, tone_p=0.7,
    erase_p=0.7, blur_p=0.5,
)  # fmt: skip
FACE = np.add.outer(np.arange(48) * 3, np.arange(48) * 2).astype(np.uint8)


def test_no_strength_changes_nothing() -> None:
    draws = Draws(Augment(), 5, seed=0, epoch=0)
    base = matrix_for_crop(PRE, (48, 48))
    for row in range(5):
        np.testing.assert_allclose(draws.geometry(row, base, PRE.size_hw), base, atol=1e-12)
        np.testing.assert_array_equal(draws.pixels(row, FACE), FACE)


def test_same_seed_and_epoch_give_the_same_pictures_and_others_do_not() -> None:
    def picture(seed: int, epoch: int) -> np.ndarray:
        draws = Draws(STRONG, 9, seed=seed, epoch=epoch)
        matrix = draws.geometry(4, matrix_for_crop(PRE, (48, 48)), PRE.size_hw)
        return draws.pixels(4, warp(FACE, matrix, PRE.size_hw))

    np.testing.assert_array_equal(picture(1, 2), picture(1, 2))
    assert (picture(1, 2) != picture(1, 3)).any()
    assert (picture(1, 2) != picture(2, 2)).any()


def test_geometry_stays_within_its_strengths() -> None:
    augment = Augment(rotate_deg=12, scale=0.2, shift=0.1, flip=0.5)
    draws = Draws(augment, 500, seed=5, epoch=0)
    identity = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    mirrored = 0
    for row in range(500):
        m = draws.geometry(row, identity, (44, 44))
        det = np.linalg.det(m[:, :2])
        mirrored += det < 0
        assert 1 / 1.2 - 1e-9 <= np.sqrt(abs(det)) <= 1.2 + 1e-9
        moved = apply(m, np.array([[22.0, 22.0]]))[0] - 22
        assert np.abs(moved).max() <= 4.4 + 1e-9
        angle = np.rad2deg(np.arctan2(-m[0, 1], m[1, 1]))
        assert abs(angle) <= 12 + 1e-9
    assert 200 < mirrored < 300


def test_pixels_never_change_their_input() -> None:
    draws = Draws(STRONG, 50, seed=0, epoch=0)
    kept = FACE.copy()
    for row in range(50):
        assert draws.pixels(row, FACE).shape == FACE.shape
    np.testing.assert_array_equal(FACE, kept)


def test_order_is_a_permutation() -> None:
    assert sorted(Draws(STRONG, 100, seed=0, epoch=3).order) == list(range(100))
