"""Checks of faces on the bundled photograph, and what is done to it."""

import cv2
import numpy as np
import pytest

from pyojeong.core.face import Box
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.face_checks import EyesCovered, ManyFaces, MouthCovered, NoFace, Turned
from pyojeong.curate.face_inspection import Examiner, FaceFacts
from pyojeong.runtime.facemesh import FaceMesh
from research.occlusion_drawing import CANVAS, FacePoints, paint
from tests.curate.made import ASTRONAUT, COFFEE, face, noise, sample


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner()


def facts(examiner: Examiner, image: np.ndarray) -> FaceFacts:
    found = DecodedImage(0, sample(image), examiner.examine).facts
    assert found is not None
    return found


@pytest.mark.parametrize("image", [ASTRONAUT, face(96), face(48)], ids=["photo", "crop", "48 px"])
def test_a_plain_face_passes_every_check(examiner: Examiner, image: np.ndarray) -> None:
    seen = facts(examiner, image)
    for check in (NoFace(), ManyFaces(), Turned(), EyesCovered(), MouthCovered()):
        score, _ = check.judge(seen)
        assert score < check.threshold, check.name


@pytest.mark.parametrize("image", [COFFEE, noise(1, 96), np.zeros((48, 48), np.uint8)])
def test_where_nobody_is_no_face_is_said(examiner: Examiner, image: np.ndarray) -> None:
    score, reason = NoFace().judge(facts(examiner, image))
    assert score >= NoFace().threshold
    assert reason.startswith("no face found")


def test_a_second_face_counts_by_its_size(examiner: Examiner) -> None:
    wide = np.concatenate([ASTRONAUT, ASTRONAUT[:, ::-1]], 1)
    smaller = ASTRONAUT.copy()
    smaller[330:490, 20:180] = face(160)[:, ::-1]
    equal, less, one = (
        ManyFaces().judge(facts(examiner, i))[0] for i in (wide, smaller, ASTRONAUT)
    )
    assert equal > 0.9
    assert one == 0
    assert one < less < equal


def test_a_lying_head_is_turned(examiner: Examiner) -> None:
    lying = np.rot90(ASTRONAUT[:300, 60:400]).copy()
    assert Turned().judge(facts(examiner, lying))[0] >= Turned().threshold


def test_mirroring_swaps_the_sign_of_yaw_and_roll_alone() -> None:
    mesh = FaceMesh()
    tilt = cv2.getRotationMatrix2D((225, 110), 12, 1.0)
    image = cv2.warpAffine(ASTRONAUT, tilt, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    box = Box(175, 50, 275, 170)
    mirrored = Box(512 - box.x2, box.y1, 512 - box.x1, box.y2)
    yaw, pitch, roll = mesh.fit(image, box).turn_rad
    yaw2, pitch2, roll2 = mesh.fit(image[:, ::-1].copy(), mirrored).turn_rad
    assert abs(roll) > 0.1
    assert roll == pytest.approx(-roll2, abs=0.06)
    assert yaw == pytest.approx(-yaw2, abs=0.12)
    assert pitch == pytest.approx(pitch2, abs=0.12)


def canvas(examiner: Examiner) -> tuple[np.ndarray, FacePoints]:
    big = cv2.cvtColor(face(CANVAS), cv2.COLOR_RGB2GRAY)
    right, left, _, r, lft = facts(examiner, face(CANVAS)).five.astype(float)
    eye = float(np.linalg.norm(left - right)) * 0.5
    return big, FacePoints(right, left, (r + lft) / 2, eye, float(np.linalg.norm(lft - r)))


def test_painted_covers_raise_the_score_they_should(examiner: Examiner) -> None:
    big, points = canvas(examiner)
    rng = np.random.default_rng(3)
    plain: list[tuple[float, float]] = []
    eyes: list[float] = []
    mouth: list[float] = []
    for _ in range(80):
        painted, share_eyes, share_mouth = paint(big, points, noise(9, CANVAS), rng)
        scores = facts(examiner, painted).covered
        if share_eyes > 0.6:
            eyes.append(scores[0])
        elif share_mouth > 0.6:
            mouth.append(scores[1])
        elif max(share_eyes, share_mouth) < 0.02:
            plain.append(scores)
    assert min(len(eyes), len(mouth), len(plain)) >= 5
    assert np.median(eyes) > 0.5 > np.median([p[0] for p in plain])
    assert np.median(mouth) > 0.5 > np.median([p[1] for p in plain])


def test_painting_is_decided_by_the_random_numbers(examiner: Examiner) -> None:
    big, points = canvas(examiner)
    one, other = (paint(big, points, noise(9, CANVAS), np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1:] == other[1:]
    assert 0 <= one[1] <= 1
