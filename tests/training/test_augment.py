"""Augmentation: depends on seed, epoch and row alone; off means off."""

import numpy as np

from pyojeong.core.card import Preprocess
from pyojeong.image.preprocess import apply, matrix_for_crop, warp
from pyojeong.training.data.augment import Augment, Draws

PRE = Preprocess(size_hw=(44, 44), color="gray", mean=(0.5,), std=(0.25,), center_fraction=44 / 48)
STRONG = Augment(
    rotate_deg=30, scale=0.3, shift=0.2, flip=0.5, brightness=0.3, contrast=0.3, tone_p=0.7,
    erase_p=0.7, blur_p=0.5, stretch=0.15, shade_p=0.5, gamma_p=0.5, noise_p=0.5, jpeg_p=0.5,
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


def test_a_later_change_never_moves_what_earlier_ones_gave() -> None:
    """Old experiments must stay repeatable: the first 16 numbers of a row are spoken for."""
    draws = Draws(STRONG, 3, seed=1, epoch=2)
    rng = np.random.default_rng([1, 2])
    np.testing.assert_array_equal(draws.order, rng.permutation(3))
    np.testing.assert_array_equal(draws._u, rng.random((3, 16)))


def test_a_view_repeats_another_epochs_changes_in_its_own_order() -> None:
    base = matrix_for_crop(PRE, (48, 48))
    earlier = Draws(STRONG, 20, seed=9, epoch=1)
    later = Draws(STRONG, 20, seed=3, epoch=6, view=(9, 1))
    np.testing.assert_array_equal(later.order, Draws(STRONG, 20, seed=3, epoch=6).order)
    for row in range(20):
        matrix = later.geometry(row, base, PRE.size_hw)
        np.testing.assert_array_equal(matrix, earlier.geometry(row, base, PRE.size_hw))
        np.testing.assert_array_equal(later.pixels(row, FACE), earlier.pixels(row, FACE))


def test_stretch_keeps_the_area_and_its_bounds() -> None:
    draws = Draws(Augment(stretch=0.2), 200, seed=0, epoch=0)
    identity = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    wide = [draws.geometry(row, identity, (44, 44))[:, :2] for row in range(200)]
    for m in wide:
        np.testing.assert_allclose(np.linalg.det(m), 1)
        assert 1 / 1.2 - 1e-9 <= m[0, 0] <= 1.2 + 1e-9
    assert np.std([m[0, 0] for m in wide]) > 0.08


def test_light_from_one_side_brightens_one_edge_as_it_darkens_the_other() -> None:
    gray = np.full((40, 40), 128, np.uint8)
    draws = Draws(Augment(shade_p=1.0, shade=0.2), 100, seed=0, epoch=0)
    for row in range(100):
        lit = draws.pixels(row, gray).astype(int)
        assert abs(lit.mean() - 128) < 1
        assert np.abs(lit + lit[::-1, ::-1] - 256).max() <= 1
        assert np.abs(lit - 128).max() <= 0.2 * 255 * np.sqrt(2) + 1


def test_exposure_is_monotone_and_keeps_black_and_white() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    draws = Draws(Augment(gamma_p=1.0, gamma=1.0), 50, seed=0, epoch=0)
    darker = 0
    for row in range(50):
        out = draws.pixels(row, ramp)[0].astype(int)
        assert out[0] == 0
        assert out[-1] == 255
        assert (np.diff(out) >= 0).all()
        assert 255 * (127 / 255) ** 2 - 1 <= out[127] <= 255 * (127 / 255) ** 0.5 + 1
        darker += out[127] < 127
    assert 10 < darker < 40


def test_noise_has_no_bias_and_at_most_its_strength() -> None:
    gray = np.full((64, 64), 128, np.uint8)
    draws = Draws(Augment(noise_p=1.0, noise=0.1), 100, seed=0, epoch=0)
    spread = [draws.pixels(row, gray).std() for row in range(100)]
    means = [draws.pixels(row, gray).mean() for row in range(100)]
    assert max(spread) < 27
    assert np.mean(spread) > 9
    assert np.abs(np.array(means) - 128).max() < 2
    np.testing.assert_array_equal(draws.pixels(7, gray), draws.pixels(7, gray))


def test_jpeg_keeps_shape_and_comes_close() -> None:
    draws = Draws(Augment(jpeg_p=1.0, jpeg_quality=(30, 95)), 20, seed=0, epoch=0)
    color = np.stack([FACE, FACE[::-1], FACE.T], axis=-1)
    for row in range(20):
        for picture in (FACE, color):
            out = draws.pixels(row, picture)
            assert out.shape == picture.shape
            assert (out != picture).any()
            assert np.abs(out.astype(int) - picture).mean() < 12


def test_colours_are_cast_and_taken_away_in_rgb_alone() -> None:
    rgb = np.full((8, 8, 3), (40, 80, 120), np.uint8)
    cast = Draws(Augment(cast_p=1.0, cast=0.5), 4, seed=0, epoch=0)
    seen = [cast.pixels(place, rgb)[0, 0].astype(float) for place in range(4)]
    assert not np.allclose(seen[0], seen[1])
    for pixel in seen:
        assert (np.abs(pixel / (40, 80, 120) - 1) <= 0.52).all()
    gray = Draws(Augment(gray_p=1.0), 1, seed=0, epoch=0).pixels(0, rgb)
    assert (gray == gray[..., :1]).all()
    plain = rgb[..., 0].copy()
    both = Draws(Augment(cast_p=1.0, gray_p=1.0), 1, seed=0, epoch=0)
    np.testing.assert_array_equal(both.pixels(0, plain), plain)


def test_detail_is_lost_within_the_stated_share() -> None:
    fine = np.indices((64, 64)).sum(0) % 2 * 255
    left = [
        Draws(Augment(blur_p=1.0, blur_share=share), 1, seed=0, epoch=0)
        .pixels(0, fine.astype(np.uint8))
        .std()
        for share in ((0.2, 0.2), (1.0, 1.0))
    ]
    assert left[0] < 0.2 * left[1]
