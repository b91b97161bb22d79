"""Views of a face: the first is the face, the second its mirror image, all stay near it."""

import numpy as np
import pytest

from pyojeong.core.errors import BadArray
from pyojeong.image.preprocess import warp
from pyojeong.image.tta import COUNTS, seen_through, view_matrices

SIZE = (48, 32)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)


def identity() -> np.ndarray:
    return np.array([[1, 0, 0], [0, 1, 0]], np.float64)


@pytest.mark.parametrize("count", COUNTS)
def test_the_first_view_is_the_face_itself(picture: np.ndarray, count: int) -> None:
    views = view_matrices(SIZE, count)
    assert len(views) == count
    seen = warp(picture, seen_through(views[0], identity()), SIZE)
    np.testing.assert_array_equal(seen, picture)


@pytest.mark.parametrize("count", COUNTS[1:])
def test_every_second_view_mirrors_the_one_before(picture: np.ndarray, count: int) -> None:
    views = view_matrices(SIZE, count)
    for one, other in zip(views[::2], views[1::2], strict=True):
        a, b = (warp(picture, seen_through(v, identity()), SIZE) for v in (one, other))
        np.testing.assert_array_equal(a[:, ::-1], b)


def test_corners_are_two_of_fer2013s_pixels_away() -> None:
    moves = {tuple(v[:, 2]) for v in view_matrices((48, 48), 10)[::2]}
    assert moves == {(0, 0), (-2, -2), (-2, 2), (2, -2), (2, 2)}


def test_a_view_comes_after_the_faces_own_matrix() -> None:
    turn = np.array([[0, -1, 20], [1, 0, 3]], np.float64)
    mirror = view_matrices(SIZE, 2)[1]
    x, y = turn[:, :2] @ (5, 7) + turn[:, 2]
    np.testing.assert_allclose(
        seen_through(mirror, turn) @ (5, 7, 1), mirror[:, :2] @ (x, y) + mirror[:, 2]
    )


@pytest.mark.parametrize("count", [0, 3, -1, 100])
def test_other_counts_are_refused_with_the_cure(count: int) -> None:
    with pytest.raises(BadArray, match=r"one of \(1, 2, 10\)"):
        view_matrices(SIZE, count)
