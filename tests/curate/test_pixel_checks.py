"""Pixel checks: the score rises with the fault, and faultless images stay below the threshold."""

import itertools

import cv2
import numpy as np
import pytest

from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.face_inspection import Examiner
from pyojeong.curate.pixel_checks import BadlyExposed, Blurred, Drawing, Flat, Small, Unreadable
from tests.curate.made import COFFEE, face, sample


def look(check: object, pixels: np.ndarray | bytes) -> float:
    return check.check_image(DecodedImage(0, sample(pixels))).score  # type: ignore[attr-defined]


def rises(scores: list[float]) -> bool:
    return all(a < b for a, b in itertools.pairwise(scores))


def test_blur_rises_with_the_radius() -> None:
    sharp = face(128)
    scores = [look(Blurred(), sharp)]
    scores += [look(Blurred(), cv2.GaussianBlur(sharp, (0, 0), s)) for s in (1, 2, 4)]
    assert rises(scores)
    assert scores[0] < Blurred().threshold <= scores[-1]


def test_small_is_a_half_at_the_named_size() -> None:
    assert look(Small(least_px=40), face(40)) == pytest.approx(0.5)
    assert rises([look(Small(), face(s)) for s in (200, 100, 48, 20)])
    assert look(Small(), face(96)) < Small().threshold <= look(Small(), face(24))


def test_flat_rises_as_contrast_goes() -> None:
    gray = cv2.cvtColor(face(96), cv2.COLOR_RGB2GRAY).astype(float)
    scores = [look(Flat(), (128 + (gray - 128) * k).astype(np.uint8)) for k in (1, 0.3, 0.1, 0)]
    assert rises(scores[1:])
    assert scores[0] == 0
    assert scores[-1] == 1


@pytest.mark.parametrize("gain", [0.03, 12.0])
def test_exposure_sees_black_and_white(gain: float) -> None:
    bad = np.clip(face(96).astype(float) * gain, 0, 255).astype(np.uint8)
    assert look(BadlyExposed(), face(96)) < BadlyExposed().threshold < look(BadlyExposed(), bad)


def test_a_drawing_is_told_from_photographs() -> None:
    canvas = np.full((96, 96, 3), 240, np.uint8)
    cv2.circle(canvas, (48, 48), 36, (250, 210, 90), -1)
    cv2.circle(canvas, (48, 48), 36, (20, 20, 20), 2)
    for x in (36, 60):
        cv2.circle(canvas, (x, 40), 5, (20, 20, 20), -1)
    cv2.ellipse(canvas, (48, 56), (16, 10), 0, 10, 170, (20, 20, 20), 3)
    assert look(Drawing(), canvas) >= Drawing().threshold
    for photograph in (face(96), face(48), COFFEE):
        assert look(Drawing(), photograph) < Drawing().threshold / 2


def test_what_cannot_be_decoded_is_a_finding_and_no_crash() -> None:
    for broken in (b"", b"not an image", b"\x89PNG\r\n\x1a\n" + bytes(40)):
        assert look(Unreadable(), broken) == 1.0
        for check in (Blurred(), Small(), Flat(), BadlyExposed(), Drawing()):
            assert look(check, broken) == 0.0
    assert look(Unreadable(), face()) == 0.0


def test_tiny_and_odd_pictures_get_a_score() -> None:
    for shape in ((1, 1), (2, 300), (300, 2), (8, 8), (3000, 1), (1, 3000), (20_000, 3)):
        for check in (Blurred(), Small(), Flat(), BadlyExposed(), Drawing()):
            assert 0 <= look(check, np.random.default_rng(0).integers(0, 256, shape, np.uint8)) <= 1


def test_the_face_is_judged_and_not_its_surroundings() -> None:
    blurred_around = cv2.GaussianBlur(COFFEE, (0, 0), 25)
    blurred_around[100:260, 200:360] = face(160)
    examine = Examiner().examine
    whole = Blurred().check_image(DecodedImage(0, sample(blurred_around)))
    only_face = Blurred().check_image(DecodedImage(0, sample(blurred_around), examine))
    assert only_face.score < whole.score
