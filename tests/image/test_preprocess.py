"""The one executor of a card's preprocessing: golden vectors, known answers and invariances."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import BadArray
from pyojeong.core.face import Box, Face, Landmarks
from pyojeong.image.preprocess import (
    apply,
    invert,
    matrix_for_box,
    matrix_for_crop,
    matrix_for_face,
    preprocess,
    similarity,
    to_gray,
    to_tensor,
    warp,
)

GOLDEN = Path(__file__).parents[1] / "golden"
_spec = importlib.util.spec_from_file_location("golden_cases", GOLDEN / "cases.py")
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)

CASES = golden.cases()
PLAIN = Preprocess(size_hw=(48, 48), color="rgb", mean=(0, 0, 0), std=(1, 1, 1))
GRAY = golden.GRAY
IDENTITY = np.array([[1, 0, 0], [0, 1, 0]], np.float64)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def aligned(template=golden.TEMPLATE, **values):
    return Preprocess(
        size_hw=(48, 48), color="gray", mean=(0.5,), std=(0.5,), template=template, **values
    )


# --- golden vectors ---


@pytest.fixture(scope="module")
def stored():
    with np.load(GOLDEN / "preprocess.npz") as file:
        return dict(file)


def test_the_stored_vectors_are_of_these_cases(stored):
    assert {name.split(".")[0] for name in stored} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_golden_vectors(stored, name):
    case = CASES[name]
    assert case.matrix == pytest.approx(stored[f"{name}.matrix"], abs=1e-5)
    patch = stored[f"{name}.patch"].astype(int)
    assert case.patch.shape == patch.shape
    # One grey level: versions of OpenCV differ by that much.
    assert np.abs(case.patch - patch).max() <= 1


# --- known answers ---


@pytest.mark.parametrize("shape", [(48, 48), (48, 48, 3), (5, 9, 3), (1, 1)])
def test_identity_returns_the_pixels(shape):
    image = noise(*shape)
    assert np.array_equal(warp(image, IDENTITY, shape[:2]), image)


def test_identity_preprocess_returns_the_pixels():
    image = noise(48, 48, 3)
    matrix = matrix_for_crop(PLAIN, (48, 48))
    assert matrix.tolist() == IDENTITY.tolist()
    tensor = preprocess(PLAIN, image, [matrix])
    assert tensor.shape == (1, 3, 48, 48)
    assert np.array_equal(np.rint(tensor[0].transpose(1, 2, 0) * 255), image)


def test_whole_shifts_move_pixels_and_repeat_the_border():
    image = noise(20, 30)
    shifted = warp(image, np.array([[1, 0, 4], [0, 1, -3.0]]), (20, 30))
    assert np.array_equal(shifted[:17, 4:], image[3:, :26])
    assert (shifted[:17, :4] == image[3:, :1]).all()
    assert (shifted[17:, 4:] == image[-1:, :26]).all()


def means(image, k):
    h, w = image.shape[0] // k, image.shape[1] // k
    blocks = image[: h * k, : w * k].reshape(h, k, w, k, *image.shape[2:])
    return blocks.astype(np.float64).mean(axis=(1, 3))


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6, 7, 8, 10, 22, 25, 47, 64])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_shrinking_by_k_is_the_mean_of_k_by_k(k, channels):
    image = noise(9 * k, 11 * k, *channels, seed=k)
    matrix = np.array([[1 / k, 0, 0], [0, 1 / k, 0]])
    out = warp(image, matrix, (9, 11))
    # A corner origin: no half pixel may be lost. Rounding may differ by one.
    assert np.abs(out - means(image, k)).max() <= 1


@pytest.mark.parametrize("scale", [1.3, 0.6, 0.45, 0.3, 0.11])
def test_gray_is_the_luma_of_the_colours(scale):
    image = noise(200, 300, 3)
    matrix = np.array([[scale, 0.01, -3], [-0.01, scale, 2.0]])
    gray = warp(image, matrix, (30, 40), gray=True)
    assert gray.shape == (30, 40)
    # Averaged before or after: roundings differ.
    assert np.abs(gray.astype(int) - to_gray(warp(image, matrix, (30, 40)))).max() <= 2
    luma = to_gray(image)
    assert np.abs(gray.astype(int) - warp(luma, matrix, (30, 40))).max() <= 1
    assert np.array_equal(warp(luma, matrix, (30, 40), gray=True), warp(luma, matrix, (30, 40)))


@pytest.mark.parametrize("k", [3, 6, 10])
def test_shrinking_a_part_is_the_mean_too(k):
    image = noise(20 * k, 20 * k, seed=k)
    matrix = np.array([[1 / k, 0, -4], [0, 1 / k, -7.0]])
    out = warp(image, matrix, (8, 8))
    assert np.abs(out - means(image, k)[7:15, 4:12]).max() <= 1


def test_fine_stripes_become_gray_not_moire():
    stripes = np.tile(np.array([0, 255], np.uint8), (480, 240))
    pre = Preprocess(size_hw=(48, 48), color="gray", mean=(0,), std=(1,))
    for side in (480, 471, 333, 200):
        out = warp(stripes, matrix_for_crop(pre, (side, side)), (48, 48))
        assert out[2:-2, 2:-2].std() < 26


def test_enlarging_a_ramp_keeps_its_positions():
    ramp = np.tile(np.arange(0, 240, 8, dtype=np.uint8), (30, 1))
    out = warp(ramp, np.array([[3, 0, 0], [0, 3, 0.0]]), (90, 90))
    expected = ((np.arange(90) + 0.5) / 3 - 0.5) * 8
    assert np.abs(out[45, 2:-2] - expected[2:-2]).max() <= 1


def test_crop_frames():
    matrix = matrix_for_crop(GRAY, (48, 48))  # the central 44 pixels fill 48
    assert apply(matrix, np.array([[2, 2], [46, 46], [24, 24]])) == pytest.approx(
        np.array([[0, 0], [48, 48], [24, 24]])
    )
    matrix = matrix_for_crop(PLAIN, (100, 60))  # completed to a square, not stretched
    assert apply(matrix, np.array([[0, 0], [60, 100]])) == pytest.approx(
        np.array([[9.6, 0], [38.4, 48]])
    )


def test_box_frames():
    pre = Preprocess(
        size_hw=(48, 48), color="gray", mean=(0,), std=(1,), box_scale=1.5, box_shift_y=0.1
    )
    matrix = matrix_for_box(pre, Box(10, 20, 30, 60))
    assert apply(matrix, np.array([[20, 44], [-10, 14], [50, 74]])) == pytest.approx(
        np.array([[24, 24], [0, 0], [48, 48]])
    )
    assert np.isfinite(matrix_for_box(pre, Box(5, 5, 5, 5))).all()


def test_landmarks_land_on_the_template():
    for margin in (0.0, 0.4):
        face = golden.face_at(83, 61, 57, 27)
        matrix = matrix_for_face(aligned(margin=margin), face)
        expected = ((golden.POINTS - 0.5) / (1 + margin) + 0.5) * 48
        assert apply(matrix, face.landmarks.points) == pytest.approx(expected, abs=1e-3)


def test_faces_without_usable_landmarks_are_framed_by_their_box():
    pre, box = aligned(), Box(10, 10, 50, 60)
    by_box = matrix_for_box(pre, box)
    points = golden.POINTS * 40 + 10
    swapped = points[[1, 0, 2, 4, 3]]
    for landmarks in (np.full((5, 2), 7.0), points * 0.001, swapped, None):
        face = Face(box, 0.9, None if landmarks is None else Landmarks(landmarks))
        assert matrix_for_face(pre, face) == pytest.approx(by_box)
    no_template = aligned(template=None)
    face = Face(box, 0.9, Landmarks(points))
    assert matrix_for_face(no_template, face) == pytest.approx(by_box)
    assert matrix_for_face(pre, face) != pytest.approx(by_box)


@given(
    st.floats(0.05, 20),
    st.floats(-np.pi, np.pi),
    st.floats(-500, 500),
    st.floats(-500, 500),
)
def test_similarity_recovers_what_was_done(scale, angle, dx, dy):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    true = np.array([[c, -s, dx], [s, c, dy]])
    source = golden.POINTS * 50
    assert similarity(source, apply(true, source)) == pytest.approx(true, abs=1e-6)


def test_similarity_is_the_least_squares_answer():
    chance = np.random.default_rng(3)
    source, target = chance.normal(size=(2, 5, 2)) * 20
    best = similarity(source, target)

    def error(matrix):
        return ((apply(matrix, source) - target) ** 2).sum()

    for step in np.eye(4) * 1e-3:
        a, b, dx, dy = step
        change = np.array([[a, -b, dx], [b, a, dy]])
        assert error(best) < min(error(best + change), error(best - change))


def test_similarity_of_one_place():
    with pytest.raises(BadArray, match="all at one place"):
        similarity(np.ones((5, 2)), golden.POINTS)


def test_gray_is_luma():
    colors = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert to_gray(colors)[0] == pytest.approx(np.array([76.2, 149.7, 29.1, 255]), abs=0.6)
    gray = noise(4, 5)
    assert to_gray(gray) is gray


def test_normalisation_known_answer():
    patch = np.full((64, 56, 3), (255, 51, 0), np.uint8)
    tensor = to_tensor(golden.RGB, [patch])
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert tensor[0, :, 0, 0] == pytest.approx(
        [(1 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, -0.406 / 0.225], rel=1e-5
    )
    gray = to_tensor(GRAY, [np.full((48, 48), 128, np.uint8)])
    assert gray.shape == (1, 1, 48, 48)
    assert gray[0, 0, 0, 0] == pytest.approx((128 / 255 - 0.5) / 0.25, abs=1e-6)


def test_gray_sources_for_colour_networks():
    tensor = to_tensor(PLAIN, [np.full((48, 48), 51, np.uint8)])
    assert tensor.shape == (1, 3, 48, 48)
    assert np.abs(tensor - 0.2).max() < 1e-6


def test_no_faces():
    tensor = preprocess(golden.RGB, noise(9, 9, 3), [])
    assert tensor.shape == (0, 3, 64, 56)
    assert tensor.dtype == np.float32


# --- invariances ---


MATRICES = st.builds(
    lambda scale, angle, x, y: np.array(
        [
            [scale * np.cos(angle), -scale * np.sin(angle), x],
            [scale * np.sin(angle), scale * np.cos(angle), y],
        ]
    ),
    st.floats(0.02, 8),
    st.floats(-np.pi, np.pi),
    st.floats(-200, 200),
    st.floats(-200, 200),
)


@given(
    MATRICES, st.lists(st.tuples(st.floats(0, 8000), st.floats(0, 8000)), min_size=1, max_size=9)
)
def test_frame_to_crop_and_back(matrix, points):
    points = np.array(points)
    assert np.abs(apply(invert(matrix), apply(matrix, points)) - points).max() < 1e-3
    assert np.abs(apply(matrix, apply(invert(matrix), points)) - points).max() < 1e-3


@given(st.floats(20, 4000), st.floats(-180, 180), st.floats(0, 6000), st.floats(0, 4000))
def test_crop_to_frame_of_real_faces(side, degrees, x, y):
    for pre in (aligned(margin=0.3), aligned(template=None)):
        matrix = matrix_for_face(pre, golden.face_at(x, y, side, degrees))
        grid = np.stack(np.meshgrid(np.linspace(0, 48, 5), np.linspace(0, 48, 5)), -1).reshape(
            -1, 2
        )
        assert np.abs(apply(matrix, apply(invert(matrix), grid)) - grid).max() < 1e-3


@settings(max_examples=30)
@given(st.lists(MATRICES, min_size=1, max_size=5), st.booleans())
def test_batch_equals_singles_bit_for_bit(matrices, colour):
    image = noise(60, 80, 3)
    pre = golden.RGB if colour else GRAY
    batch = preprocess(pre, image, matrices)
    assert batch.shape == (len(matrices), pre.channels, *pre.size_hw)
    for row, matrix in zip(batch, matrices, strict=True):
        assert row.tobytes() == preprocess(pre, image, [matrix])[0].tobytes()


@settings(max_examples=30)
@given(MATRICES)
def test_a_warp_stays_within_the_colours_of_its_source(matrix):
    image = noise(50, 70, 3) // 2 + 60
    out = warp(image, matrix, (24, 20))
    assert out.shape == (24, 20, 3)
    assert out.min() >= 60
    assert out.max() <= 187
    assert (warp(np.full_like(image, 99), matrix, (24, 20)) == 99).all()


@settings(max_examples=30)
@given(st.floats(30, 190), st.floats(-40, 40), st.floats(60, 140), st.floats(60, 90))
def test_mirrored_pictures_give_mirrored_patches(side, degrees, x, y):
    image = golden.waves(150, 200)
    pre, face = aligned(margin=0.1), golden.face_at(x, y, side, degrees)
    points = face.landmarks.points[[1, 0, 2, 4, 3]] * (-1, 1) + (200, 0)
    box = Box(200 - face.box.x2, face.box.y1, 200 - face.box.x1, face.box.y2)
    mirrored = Face(box, face.score, Landmarks(points))
    patch = warp(image, matrix_for_face(pre, face), (48, 48))
    other = warp(image[:, ::-1], matrix_for_face(pre, mirrored), (48, 48))
    # When it shrinks more than twofold, the boxes of the filter lie elsewhere after mirroring.
    scale = np.hypot(*matrix_for_face(pre, face)[0, :2])
    assume(abs(scale - 0.5) > 1e-3)
    assert np.abs(patch[:, ::-1].astype(int) - other).max() <= (2 if scale > 0.5 else 24)


@pytest.mark.parametrize("scale", [0.11, 0.4, 0.7, 1.9])
def test_strided_sources_give_the_same(scale):
    big = noise(160, 200, 3)
    matrix = np.array([[scale, 0.02, 3], [-0.02, scale, 2]])
    for view in (big[::2, ::2], big[:, ::-1], big[..., ::-1], big[30:90, 20:120], big[..., 1],
                 np.asfortranarray(big)):  # fmt: skip
        expected = warp(np.ascontiguousarray(view), matrix, (48, 40))
        assert np.array_equal(warp(view, matrix, (48, 40)), expected)
        frozen = view.view()
        frozen.flags.writeable = False
        assert np.array_equal(warp(frozen, matrix, (48, 40)), expected)


@pytest.mark.parametrize("shape", [(1, 40_000), (40_000, 1), (1, 1), (2, 33_000), (100, 100)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_extreme_pictures_and_boxes(shape, channels):
    image = np.full((*shape, *channels), 7, np.uint8)
    boxes = [
        Box(0, 0, shape[1], shape[0]),
        Box(shape[1] - 30, 0, shape[1], 1),
        Box(-1e5, -1e5, 1e5, 1e5),
        Box(1e6, 1e6, 1e6 + 5, 1e6 + 5),
        Box(-1e6, 5, -1e6 + 3000, 9),
        Box(-3e4, -3e4, -10, -10),
        Box(0, 0, 1e7, 1e7),
        Box(0.25, 0.25, 0.251, 0.251),
    ]
    for box in boxes:
        out = warp(image, matrix_for_box(PLAIN, box), (48, 48))
        assert out.shape == (48, 48, *channels)
        assert (out == 7).all()


def test_a_face_far_right_in_a_huge_picture_is_found_there():
    image = np.zeros((40, 36_000), np.uint8)
    image[:, 35_000:] = np.arange(1000, dtype=np.uint16) // 4
    out = warp(image, np.array([[1, 0, -35_400], [0, 1, 0.0]]), (40, 40))
    assert np.array_equal(out, image[:, 35_400:35_440])
