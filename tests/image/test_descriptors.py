"""Features: equal to scikit-image, known by hand, finite everywhere, and quick."""

import dataclasses
import importlib.util
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import BadArray
from pyojeong.core.feature import Clahe, Equalize, Hog, HogVector, Lbp
from pyojeong.image.descriptors import (
    apply,
    clahe,
    equalize_and_level,
    hog_cells,
    hog_drawing,
    hog_image,
    hog_vector,
    lbp_image,
    local_binary_pattern,
)
from pyojeong.image.files import read_image
from pyojeong.image.preprocess import matrix_for_crop, preprocess, to_gray, to_tensor, warp
from pyojeong.runtime.golden import PICTURES

GOLDEN = Path(__file__).parents[1] / "golden"
_spec = importlib.util.spec_from_file_location("golden_cases", GOLDEN / "cases.py")
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)

CASES = golden.feature_cases()
METHODS = ("default", "ror", "uniform", "var")
FEATURES = (
    Clahe(), Hog(), HogVector(), Equalize(), *(Lbp(method=method) for method in METHODS),
)  # fmt: skip


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def photographs():
    """Faces and things at several sizes, gray."""
    astronaut = to_gray(read_image(PICTURES / "astronaut.jpg"))
    coffee = to_gray(read_image(PICTURES / "coffee.jpg"))
    face = astronaut[30:220, 130:310]
    pre = Preprocess(size_hw=(48, 48), color="gray", mean=(0,), std=(1,))
    return [
        warp(face, matrix_for_crop(pre, face.shape), (48, 48)),
        warp(face, matrix_for_crop(pre, face.shape), (48, 48))[:, ::-1],
        face,
        coffee[:150, :150],
        coffee[100:137, 200:261],
    ]


FACE = photographs()[0]


@st.composite
def pictures(draw, smallest=1):
    """Noise of few or many levels, ramps, blurred things, flat ones; any size."""
    h, w = draw(st.integers(smallest, 60)), draw(st.integers(smallest, 60))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["levels", "ramp", "blurred", "flat", "spots"]))
    if kind == "levels":  # few levels make ties, which rounding decides
        levels = draw(st.sampled_from([2, 3, 5, 17, 256]))
        return (chance.integers(0, levels, (h, w)) * (255 // (levels - 1))).astype(np.uint8)
    y, x = np.mgrid[0:h, 0:w]
    if kind == "ramp":
        a, b = draw(st.integers(-6, 6)), draw(st.integers(-6, 6))
        return np.clip(a * x + b * y + 128, 0, 255).astype(np.uint8)
    picture = chance.integers(0, 256, (h, w)).astype(np.uint8)
    if kind == "blurred":
        return cv2.GaussianBlur(picture, (0, 0), 2).reshape(h, w)
    flat = np.full((h, w), draw(st.integers(0, 255)), np.uint8)
    return np.where(picture > 250, picture, flat) if kind == "spots" else flat


# --- scikit-image ---


@pytest.fixture(scope="module")
def skimage_feature():
    return pytest.importorskip("skimage.feature")


def same_hog(skimage_feature, picture, orientations, cell, block):
    vector, drawing = skimage_feature.hog(
        picture,
        orientations=orientations,
        pixels_per_cell=(cell, cell),
        cells_per_block=(block, block),
        block_norm="L2-Hys",
        transform_sqrt=False,
        visualize=True,
    )
    stack, options = picture[None], {"orientations": orientations, "cell": cell}
    np.testing.assert_allclose(hog_vector(stack, **options, block=block)[0], vector, atol=1e-5)
    # Up to some hundred grey levels, which scikit-image sums up in float32.
    np.testing.assert_allclose(hog_drawing(stack, **options)[0], drawing, rtol=1e-5, atol=1e-5)
    scaled = np.clip(drawing, 0, 10) / 10
    np.testing.assert_allclose(hog_image(stack, **options)[0], scaled, atol=1e-5)


def same_lbp(skimage_feature, picture):
    for method in METHODS:
        codes = skimage_feature.local_binary_pattern(picture, 8, 1, method)
        ours = local_binary_pattern(picture[None], method)[0]
        np.testing.assert_allclose(ours, np.nan_to_num(codes), rtol=1e-9, atol=1e-9)
    logs = np.log1p(np.nan_to_num(codes))
    top = np.percentile(logs, 99)
    if top > 1e-3:
        expected = np.clip(logs / top, 0, 1)
        np.testing.assert_allclose(lbp_image(picture[None], "var")[0], expected, atol=1e-5)


@settings(max_examples=150)
@given(
    pictures(smallest=12), st.integers(1, 13), st.sampled_from([2, 3, 4, 5, 6, 7, 8, 11, 12]),
    st.integers(1, 3),
)  # fmt: skip
def test_hog_equals_scikit_image(skimage_feature, picture, orientations, cell, block):
    same_hog(skimage_feature, picture, orientations, cell, min(block, min(picture.shape) // cell))


@settings(max_examples=150)
@given(pictures())
def test_lbp_equals_scikit_image(skimage_feature, picture):
    same_lbp(skimage_feature, picture)


@pytest.mark.parametrize("picture", photographs(), ids=lambda p: f"{p.shape[0]}x{p.shape[1]}")
def test_photographs_equal_scikit_image(skimage_feature, picture):
    for orientations, cell, block in ((9, 8, 2), (8, 8, 1), (8, 16, 1), (7, 5, 3)):
        same_hog(skimage_feature, picture, orientations, cell, block)
    same_lbp(skimage_feature, picture)


# --- golden arrays ---


@pytest.fixture(scope="module")
def stored():
    with np.load(GOLDEN / "features.npz") as file:
        return dict(file)


def test_the_stored_arrays_are_of_these_cases(stored):
    assert {name.split(".")[0] for name in stored} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_golden_arrays(stored, name):
    feature, picture = CASES[name]
    np.testing.assert_array_equal(picture, stored[f"{name}.picture"])
    # One grey level for CLAHE: versions of OpenCV may differ by that much.
    atol = 1.01 / 255 if isinstance(feature, Clahe) else 1e-5
    np.testing.assert_allclose(
        apply(feature, picture[None])[0], stored[f"{name}.planes"], atol=atol
    )


# --- known answers ---


def test_lbp_by_hand():
    picture = np.array([[[9, 1, 9], [1, 5, 9], [1, 1, 5]]], np.uint8)
    # Around the middle, from the right against the clock: 9 is brighter; up right about 7.3
    # (interpolated); up 1, no; up left about 5.09: yes; left, down left, down: no; down right
    # about 5.00 of 5, 5, 9 and 1: less by a hair.
    ring = (9, 0.70711**2 * 9 + 0.29289 * 0.70711 * 10 + 0.29289**2 * 5, 1)
    assert ring[1] > 5
    bits = 0b0000_0011
    up_left = 0.70711**2 * 9 + 0.29289 * 0.70711 * 2 + 0.29289**2 * 5
    down_right = 0.70711**2 * 5 + 0.29289 * 0.70711 * 10 + 0.29289**2 * 5
    bits |= (up_left >= 5) << 3 | (down_right >= 5) << 7
    assert local_binary_pattern(picture)[0, 1, 1] == bits == 0b1000_1011
    rotations = [(bits >> i | bits << 8 - i) & 255 for i in range(8)]
    assert local_binary_pattern(picture, "ror")[0, 1, 1] == min(rotations) == 0b0001_0111
    assert local_binary_pattern(picture, "uniform")[0, 1, 1] == 9  # four changes, one uncounted


def test_lbp_of_a_bright_and_a_dark_point():
    picture = np.full((1, 5, 5), 100, np.uint8)
    picture[0, 2, 2] = 200
    assert local_binary_pattern(picture)[0, 2, 2] == 0
    assert local_binary_pattern(picture, "uniform")[0, 2, 2] == 0
    assert local_binary_pattern(picture)[0, 2, 1] == 255  # ties count as brighter
    picture[0, 2, 2] = 50
    assert local_binary_pattern(picture)[0, 2, 2] == 255
    assert local_binary_pattern(picture, "uniform")[0, 2, 2] == 8
    # Outside is black: the top row has three dark neighbours above.
    assert local_binary_pattern(picture)[0, 0, 2] == 255 - 0b0000_1110


def test_number_of_codes():
    stack = noise(4, 100, 100)
    assert len(np.unique(local_binary_pattern(stack, "default"))) == 256
    assert len(np.unique(local_binary_pattern(stack, "ror"))) == 36
    assert np.unique(local_binary_pattern(stack, "uniform")).tolist() == list(range(10))


def test_hog_of_a_slope():
    # Brighter by 3 per pixel to the right: every inner gradient is 6 at 0 degrees.
    ramp = np.tile(np.arange(0, 96, 3, dtype=np.uint8), (32, 1))[None]
    cells = hog_cells(ramp, orientations=8, cell=8)
    assert cells.shape == (1, 4, 4, 8)
    assert cells[0, 1, 1].tolist() == [6, 0, 0, 0, 0, 0, 0, 0]
    assert cells[0, 1, 0, 0] == 6 * 7 / 8  # the first column has no gradient
    turned = hog_cells(np.ascontiguousarray(ramp.transpose(0, 2, 1)), orientations=8, cell=8)
    assert turned[0, 1, 1].tolist() == [0, 0, 0, 0, 6, 0, 0, 0]
    vector = hog_vector(ramp, orientations=8, cell=8, block=1).reshape(4, 4, 8)
    assert vector[1, 1] == pytest.approx([1, 0, 0, 0, 0, 0, 0, 0], abs=1e-3)


def test_hog_drawing_follows_the_edge():
    # A vertical edge has horizontal gradients: its strokes are upright, but for half a bin.
    edge = np.zeros((1, 16, 16), np.uint8)
    edge[:, :, 8:] = 200
    drawing = hog_drawing(edge, orientations=18, cell=16)[0]
    assert drawing[1:15, 7:9].max(1).min() > 0
    assert drawing[1:15, 7:9].min(1).max() == 0
    drawing[1:15, 7:9] = 0
    assert not drawing.any()


def by_the_book(picture):
    """The published steps, with a pseudo-inverse."""
    h, w = picture.shape
    y, x = np.mgrid[0:h, 0:w]
    plane = np.column_stack([np.ones(h * w), x.ravel(), y.ravel()])
    share = np.array([(picture <= level).mean() for level in range(256)])
    flat = (2 * share - 1)[picture.ravel()]
    rest = flat - plane @ (np.linalg.pinv(plane) @ flat)
    deviation = np.sqrt((rest**2).mean())
    return (rest / deviation if deviation > 1e-6 else rest).reshape(h, w)


@settings(max_examples=60)
@given(pictures(smallest=3))
def test_equalize_by_the_book(picture):
    out = equalize_and_level(picture[None])[0]
    np.testing.assert_allclose(out, by_the_book(picture), atol=1e-4)
    assert abs(out.mean()) < 1e-5
    assert out.std() == pytest.approx(1, abs=1e-4) or np.abs(out).max() < 1e-5


def test_light_from_one_side_is_levelled():
    y, x = np.mgrid[0:48, 0:48] - 23.5
    face = FACE.astype(float) * 0.4 + 70
    lit = np.clip(face + 1.2 * x + 0.5 * y, 0, 255).astype(np.uint8)
    plain, levelled = equalize_and_level(np.stack([face.astype(np.uint8), lit]))
    before = np.corrcoef(face.ravel(), lit.ravel())[0, 1]
    after = np.corrcoef(plain.ravel(), levelled.ravel())[0, 1]
    assert after > 0.9
    assert after > before + 0.1
    # No slope is left.
    assert abs((levelled * x).mean()) < 1e-4
    assert abs((levelled * y).mean()) < 1e-4


def test_equalize_forgets_brightness_and_contrast():
    dimmed = (FACE // 2 + 20).astype(np.uint8)
    doubled = (FACE // 2 * 2).astype(np.uint8)
    one, other = equalize_and_level(np.stack([dimmed, doubled]))
    np.testing.assert_array_equal(one, other)


def test_clahe_is_opencv_s():
    stack = np.stack([FACE, noise(48, 48)])
    out = clahe(stack, clip=3.0, grid=4)
    worker = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(4, 4))
    for plane, picture in zip(out, stack, strict=True):
        np.testing.assert_allclose(plane, worker.apply(picture) / 255, atol=1e-6)
    # At 48 pixels, a limit of 5 over 8 x 8 tiles is no other than the least limit there is.
    np.testing.assert_array_equal(clahe(stack, clip=5.0, grid=8), clahe(stack, clip=0.1, grid=8))


# --- what a network gets ---


def test_the_vector_s_plane():
    stack = np.stack([FACE, noise(48, 48)])
    planes = apply(HogVector(), stack)
    assert planes.shape == (2, 2, 48, 48)
    np.testing.assert_allclose(planes[:, 0] * 255, stack, atol=1e-4)
    flat = planes[:, 1].reshape(2, -1)
    vector = hog_vector(stack, orientations=9, cell=8, block=2)
    np.testing.assert_array_equal(flat[:, :900], vector)
    assert not flat[:, 900:].any()


def test_normalisation_spares_the_vector():
    pre = Preprocess(size_hw=(48, 48), color="gray", mean=(0.5,), std=(0.25,), feature=HogVector())
    tensor = to_tensor(pre, [FACE])
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    np.testing.assert_allclose(tensor[0, 0], (FACE / 255 - 0.5) / 0.25, atol=1e-5)
    np.testing.assert_array_equal(tensor[0, 1], apply(HogVector(), FACE[None])[0, 1])


@pytest.mark.parametrize("feature", FEATURES, ids=repr)
def test_preprocess_computes_the_feature_of_the_warped_gray_face(feature):
    pre = Preprocess(size_hw=(48, 40), color="gray", mean=(0.2,), std=(0.5,), feature=feature)
    image = noise(90, 70, 3)
    matrix = matrix_for_crop(pre, (90, 70))
    tensor = preprocess(pre, image, [matrix, matrix])
    assert tensor.shape == (2, pre.channels, 48, 40)
    gray = warp(image, matrix, (48, 40), gray=True)
    expected = apply(feature, gray[None])[0]
    np.testing.assert_allclose(tensor[0, 0], (expected[0] - 0.2) / 0.5, atol=1e-5)
    assert preprocess(pre, image, []).shape == (0, pre.channels, 48, 40)
    plain = dataclasses.replace(pre, feature=None)
    assert np.abs(
        preprocess(plain, image, [matrix])[0, 0] - tensor[0, 0]
    ).max() > 0.1 or isinstance(feature, HogVector)


# --- invariances and extremes ---


@pytest.mark.parametrize("feature", FEATURES, ids=repr)
@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())
def test_batch_equals_singles_bit_for_bit(feature, seed, count, odd):
    stack = noise(count, *((43, 50) if odd else (48, 48)), seed=seed)
    stack[::2] //= 64
    batch = apply(feature, stack)
    backwards = apply(feature, stack[::-1])[::-1]
    for row, other, picture in zip(batch, backwards, stack, strict=True):
        assert row.tobytes() == other.tobytes() == apply(feature, picture[None])[0].tobytes()


@pytest.mark.parametrize("feature", FEATURES, ids=repr)
@settings(max_examples=60)
@given(pictures(smallest=16))
def test_ranges(feature, picture):
    before = picture.copy()
    out = apply(feature, picture[None])
    np.testing.assert_array_equal(picture, before)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    if not isinstance(feature, Equalize):
        assert out.min() >= 0
        assert out.max() <= 1


@pytest.mark.parametrize("feature", FEATURES, ids=repr)
@pytest.mark.parametrize("level", [0, 1, 77, 255])
@pytest.mark.parametrize("side", [16, 48, 300])
def test_constant_pictures(feature, level, side):
    out = apply(feature, np.full((2, side, side), level, np.uint8))
    assert np.isfinite(out).all()
    if isinstance(feature, Hog):
        assert not out.any()
    if isinstance(feature, HogVector):
        assert not out[:, 1].any()
    if isinstance(feature, Equalize):
        assert np.abs(out).max() < 1e-6
    if feature == Lbp(method="var"):
        assert np.abs(out[:, 0, 1:-1, 1:-1]).max() < 1e-3


@pytest.mark.parametrize("feature", FEATURES, ids=repr)
def test_views_give_the_same(feature):
    big = noise(6, 100, 98, 3)
    for view in (big[::2, ::2, ::2, 0], big[:, ::-1, :, 1], big.transpose(0, 2, 1, 3)[..., 2]):
        np.testing.assert_array_equal(apply(feature, view), apply(feature, view.copy()))


@pytest.mark.parametrize("feature", FEATURES, ids=repr)
def test_nothing_and_nonsense(feature):
    assert apply(feature, np.zeros((0, 48, 48), np.uint8)).shape[0] == 0
    for bad in (FACE, FACE[None].astype(np.float32), FACE[None, None]):
        with pytest.raises(BadArray, match=r"expected uint8 \(N, H, W\)"):
            apply(feature, bad)


@pytest.mark.parametrize("feature", FEATURES, ids=repr)
def test_quick_enough_to_train_with(feature):
    stack = np.stack([FACE] * 32)
    apply(feature, stack)
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        apply(feature, stack)
        seconds.append(time.perf_counter() - began)
    # Measured: 0.02 to 0.07 ms. The limit leaves room for a busy machine.
    assert min(seconds) / 32 < 0.5e-3
