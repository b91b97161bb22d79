"""The aligned halves of a face that action units are read from."""

import numpy as np
import pytest

from pyojeong.runtime.unit_patches import CHIP, HALF, chip_of, halves_of

EYES_AND_NOSE = {33: (-45, 0), 133: (-15, 0), 362: (15, 0), 263: (45, 0), 2: (0, 45)}


def points_at(centre, scale, turn_rad):
    """Points of a mesh whose eyes and nose lie on a plane face that was scaled and turned."""
    points = np.zeros((478, 3))
    cos, sin = scale * np.cos(turn_rad), scale * np.sin(turn_rad)
    for number, (x, y) in EYES_AND_NOSE.items():
        points[number, :2] = (centre[0] + cos * x - sin * y, centre[1] + sin * x + cos * y)
    return points


def crop_with_dots(points, side=256):
    """A black crop with a bright dot at the middle of each eye and at the base of the nose."""
    crop = np.zeros((side, side, 3), np.uint8)
    y, x = np.mgrid[:side, :side] + 0.5
    dots = [points[[33, 133], :2].mean(0), points[[362, 263], :2].mean(0), points[2, :2]]
    for dot in dots:
        near = np.exp(-((x - dot[0]) ** 2 + (y - dot[1]) ** 2) / 18)
        crop = np.maximum(crop, (255 * near[..., None]).astype(np.uint8))
    return crop


@pytest.mark.parametrize("turn_deg", [-35, 0, 20])
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.3])
def test_eyes_and_nose_lie_where_they_lie_in_all_faces(turn_deg, scale):
    points = points_at((128, 110), scale, np.deg2rad(turn_deg))
    chip = chip_of(crop_with_dots(points), points)
    assert chip.shape == (CHIP, CHIP)
    assert chip.dtype == np.float32
    for x, y in ((30, 32), (66, 32), (48, 59)):
        window = chip[y - 5 : y + 5, x - 5 : x + 5].astype(float)
        rows, columns = np.mgrid[y - 5 : y + 5, x - 5 : x + 5] + 0.5
        found = ((columns * window).sum(), (rows * window).sum()) / window.sum()
        assert found == pytest.approx((x, y), abs=1)


def test_a_margin_shows_more_of_the_same():
    points = points_at((120, 120), 1.0, 0.1)
    crop = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    wide = chip_of(crop, points, margin=8)
    assert wide.shape == (CHIP + 16, CHIP + 16)
    assert wide[8:-8, 8:-8] == pytest.approx(chip_of(crop, points), abs=1e-3)


def test_a_mirrored_crop_gives_the_mirrored_chip():
    points = points_at((121.3, 118.7), 1.1, 0.2)
    crop = np.random.default_rng(2).integers(0, 255, (256, 256, 3), np.uint8)
    mirrored = points.copy()
    mirrored[:, 0] = 256 - points[:, 0]
    mirrored[[33, 133, 362, 263]] = mirrored[[263, 362, 133, 33]]
    chip = chip_of(np.ascontiguousarray(crop[:, ::-1]), mirrored)
    assert chip[:, ::-1] == pytest.approx(chip_of(crop, points), abs=1e-3)


def test_beyond_the_crop_its_border_goes_on():
    points = points_at((30, 30), 1.5, 0)
    crop = np.full((256, 256, 3), 90, np.uint8)
    crop[:, 0] = 200
    chip = chip_of(crop, points)
    assert chip[:, 0] == pytest.approx(200, abs=1)
    assert 89 < chip.min() <= chip.max() < 201


def test_halves_show_their_own_side_first():
    chip = np.tile(np.arange(CHIP, dtype=np.uint8), (CHIP, 1))
    right, left = halves_of(chip)[:, 0]
    assert right.shape == left.shape == (CHIP, HALF)
    assert right[0].tolist() == list(range(HALF))
    assert left[0].tolist() == list(range(CHIP - 1, CHIP - 1 - HALF, -1))


def test_halves_of_a_mirrored_chip_are_exchanged():
    chip = np.random.default_rng(1).integers(0, 255, (CHIP, CHIP), np.uint8)
    right, left = halves_of(chip)
    mirrored_right, mirrored_left = halves_of(np.ascontiguousarray(chip[:, ::-1]))
    assert np.array_equal(mirrored_right, left)
    assert np.array_equal(mirrored_left, right)
