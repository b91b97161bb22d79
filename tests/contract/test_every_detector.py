"""What every detector promises, whoever wrote it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage.data

from pyojeong.core.errors import BadArray
from pyojeong.core.face import Face
from pyojeong.runtime.detection.registry import DETECTORS, build_detector

ASTRONAUT = skimage.data.astronaut()


def two_faces():
    """The astronaut twice: whole, and at two thirds beside it."""
    canvas = np.zeros((512, 900, 3), np.uint8)
    canvas[:, :512] = ASTRONAUT
    rows = np.arange(341) * 3 // 2
    canvas[:341, 540:881] = ASTRONAUT[rows][:, rows]
    return canvas


@pytest.fixture(scope="module", params=sorted(DETECTORS))
def detector(request):
    return build_detector(request.param)


def test_finds_the_astronaut(detector):
    (face,) = detector.detect(ASTRONAUT)
    assert isinstance(face, Face)
    assert 165 < face.box.x1 < 200
    assert 250 < face.box.x2 < 295
    assert 15 < face.box.y1 < 85
    assert 160 < face.box.y2 < 190
    assert 0.5 <= face.score <= 1
    assert face.expression is None
    assert face.track_id is None


@pytest.mark.parametrize(
    "hw", [(1, 1), (1, 5000), (5000, 1), (2, 3), (12, 12), (31, 33), (3000, 20), (64, 64)]
)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_degenerate_pictures_have_no_faces(detector, hw, value):
    assert detector.detect(np.full((*hw, 3), value, np.uint8)) == ()


def test_noise_is_survived(detector):
    noise = np.random.default_rng(0).integers(0, 256, (333, 517, 3), dtype=np.uint8)
    for face in detector.detect(noise):
        assert 0 <= face.score <= 1


def test_very_large_pictures(detector):
    big = np.zeros((4000, 6000, 3), np.uint8)
    big[1000:3048, 2000:4048] = np.repeat(np.repeat(ASTRONAUT, 4, axis=0), 4, axis=1)
    (face,) = detector.detect(big)
    assert face.box.x1 == pytest.approx(2000 + 4 * 180, abs=80)
    assert face.box.height == pytest.approx(450, abs=80)


def test_largest_first(detector):
    faces = detector.detect(two_faces())
    areas = [f.box.width * f.box.height for f in faces]
    assert len(faces) == 2
    assert areas == sorted(areas, reverse=True)


def test_mirroring_swaps_right_and_left(detector):
    width = ASTRONAUT.shape[1]
    (face,) = detector.detect(ASTRONAUT)
    (mirrored,) = detector.detect(np.ascontiguousarray(ASTRONAUT[:, ::-1]))
    x1, y1, x2, y2 = mirrored.box.xyxy
    size = face.box.height
    np.testing.assert_allclose((width - x2, y1, width - x1, y2), face.box.xyxy, atol=0.12 * size)
    if face.landmarks is None:
        assert mirrored.landmarks is None
        return
    back = mirrored.landmarks.points[[1, 0, 2, 4, 3]] * (-1, 1) + (width, 0)
    np.testing.assert_allclose(back, face.landmarks.points, atol=0.08 * size)
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks.points
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_the_same_twice_and_in_many_threads(detector):
    pictures = [ASTRONAUT, two_faces(), ASTRONAUT[:300], ASTRONAUT[::2, ::2]] * 2
    alone = [detector.detect(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, pictures))
    assert together == alone


def test_non_contiguous_and_read_only_pictures(detector):
    wide = np.zeros((512, 1024, 3), np.uint8)
    wide[:, ::2] = ASTRONAUT
    view = wide[:, ::2]
    assert not view.flags.c_contiguous
    view.setflags(write=False)
    before = view.copy()
    assert detector.detect(view) == detector.detect(ASTRONAUT)
    np.testing.assert_array_equal(view, before)


def test_gray_is_taken_and_other_arrays_are_refused(detector):
    assert len(detector.detect(ASTRONAUT.mean(axis=2).astype(np.uint8))) == 1
    for bad in (
        ASTRONAUT.astype(float),
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
    ):
        with pytest.raises(BadArray):
            detector.detect(bad)


def test_id_is_a_stable_name(detector):
    assert detector.id
    assert detector.id == detector.id.strip().lower()
