"""Small faces, many faces and turned faces are found by the default detector."""

import cv2
import numpy as np
import pytest
import skimage.data

from pyojeong.core.face import Box, Face, Landmarks
from pyojeong.image.boxes import iou
from pyojeong.runtime.detection.any_rotation import AnyRotation
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.runtime.detection.small_faces import SmallFaces, decode

ASTRONAUT = skimage.data.astronaut()
HEAD = ASTRONAUT[0:240, 120:340]
FACE_XYXY = (57.0, 57.0, 148.0, 175.0)
"""The face in it, 91 pixels wide."""


def scene(side_hw: tuple[int, int], width: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Heads on a gray gradient, their faces ``width`` pixels wide; image and boxes (N, 4)."""
    height, wide = side_hw
    image = np.repeat(np.linspace(60, 180, wide)[None, :, None], height, 0)
    image = np.repeat(image, 3, 2).astype(np.uint8)
    scale = width / (FACE_XYXY[2] - FACE_XYXY[0])
    head = cv2.resize(HEAD, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    h, w = head.shape[:2]
    per_row = max((wide - 10) // (w + 10), 1)
    boxes = []
    for i in range(count):
        x, y = 10 + (i % per_row) * (w + 10), 10 + (i // per_row) * (h + 10)
        image[y : y + h, x : x + w] = head
        boxes.append(np.array(FACE_XYXY) * scale + (x, y, x, y))
    return image, np.array(boxes)


def found(detector, image, boxes) -> int:
    faces = detector.detect(image)
    if not faces:
        return 0
    return int((iou(boxes, np.array([f.box.xyxy for f in faces])) >= 0.3).any(1).sum())


@pytest.mark.parametrize("width", [22, 26, 34, 45, 60, 80])
@pytest.mark.parametrize("side_hw", [(512, 512), (720, 1280)])
def test_small_faces_are_found_with_landmarks(side_hw, width):
    image, boxes = scene(side_hw, width, 3)
    detector = build_detector("auto")
    assert found(detector, image, boxes) == 3
    assert all(f.landmarks is not None for f in detector.detect(image))


def test_the_fast_detector_misses_what_it_says_it_misses():
    image, boxes = scene((720, 1280), 22, 3)
    assert found(build_detector("fast"), image, boxes) == 0
    assert build_detector("fast").id != build_detector("auto").id


def test_there_is_no_limit_to_the_number_of_faces():
    image, boxes = scene((2400, 3600), 60, 150)
    assert found(build_detector("auto"), image, boxes) >= 147


@pytest.mark.parametrize("side_hw", [(720, 1280), (3000, 4500)])
def test_min_face_holds_at_any_size(side_hw):
    image, boxes = scene(side_hw, 32, 4)
    assert found(build_detector("auto", min_face=25), image, boxes) == 4
    assert build_detector("auto", min_face=60).detect(image) == ()


def test_pictures_of_things_have_no_faces():
    detector = build_detector("auto")
    for name in ("coffee", "chelsea", "rocket", "brick", "grass"):
        assert (
            detector.detect(
                np.ascontiguousarray(getattr(skimage.data, name)()[..., :3])
                if getattr(skimage.data, name)().ndim == 3
                else getattr(skimage.data, name)()
            )
            == ()
        )


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_turned_faces_are_found_on_request(quarter):
    turned = np.ascontiguousarray(np.rot90(ASTRONAUT, quarter))
    detector = build_detector("auto", any_rotation=True)
    (face,) = detector.detect(turned)
    (upright,) = build_detector("auto").detect(ASTRONAUT)
    center = np.array(
        [(upright.box.x1 + upright.box.x2) / 2, (upright.box.y1 + upright.box.y2) / 2]
    )
    x, y = {0: center, 1: (center[1], 512 - center[0]), 2: 512 - center,
            3: (512 - center[1], center[0])}[quarter]  # fmt: skip
    assert abs((face.box.x1 + face.box.x2) / 2 - x) < 8
    assert abs((face.box.y1 + face.box.y2) / 2 - y) < 8
    eyes = face.landmarks.points[1] - face.landmarks.points[0]
    angle = np.degrees(np.arctan2(-eyes[1], eyes[0]))
    assert abs((angle - 90 * quarter + 180) % 360 - 180) < 20


def test_a_face_of_several_turns_is_one():
    class Everywhere:
        id = "everywhere"

        def detect(self, image, /):
            size = min(image.shape[:2])
            points = np.full((5, 2), size / 2, np.float32)
            return (Face(Box(0, 0, size, size), 0.9, Landmarks(points)),)

    assert len(AnyRotation(Everywhere()).detect(np.zeros((50, 50, 3), np.uint8))) == 1


def test_peaks_become_boxes():
    maps = np.full((5, 4, 6), 0, np.float32)
    maps[0] = -9
    maps[0, 1, 2] = 3
    maps[1, 1, 2], maps[2, 1, 2] = 0.25, -0.25
    boxes, scores = decode(maps, 0.5)
    np.testing.assert_allclose(boxes, [[11 - 7, 5 - 7, 11 + 7, 5 + 7]])
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-3))], rtol=1e-6)


def test_proposals_are_in_pixels_of_the_frame():
    image, boxes = scene((512, 512), 30, 2)
    proposed = SmallFaces(score_threshold=0.3).candidates(image, narrowest=19, widest=100)
    assert (iou(boxes, proposed.boxes).max(1) > 0.4).all()
