"""Signs, mirrors and known answers of head pose and eyes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong import Analyzer
from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.face import Box, Face, Landmarks
from pyojeong.image.files import read_image
from pyojeong.image.preprocess import apply, invert, warp
from pyojeong.runtime.eyes import BALL, SIDE, Eyes, SeenEye, _crop_matrix, gaze_of, roll_of
from pyojeong.runtime.facemesh import FaceMesh
from pyojeong.runtime.golden import PICTURES
from pyojeong.runtime.head_pose import (
    MIDDLE,
    PAIRS,
    POINTS,
    head_shape,
    pose_of,
    rotation_from,
    rotation_of,
)
from pyojeong.runtime.session import FakeSession

ANGLES = st.floats(-0.7, 0.7)
UP_TO = st.builds(HeadPose, yaw_rad=ANGLES, pitch_rad=ANGLES, roll_rad=ANGLES)


def mesh_of(pose):
    """A mesh that is the mean shape, turned."""
    points = np.zeros((468, 3))
    points[list(POINTS)] = head_shape() @ rotation_from(pose).T * 80 + (300, 200, 7)
    return points


@given(pose=UP_TO)
def test_rotation_and_pose_are_inverse(pose):
    again = pose_of(rotation_from(pose))
    assert again.to_dict() == pytest.approx(pose.to_dict(), abs=1e-9)


@given(pose=UP_TO)
def test_the_pose_of_a_turned_head_is_found_wherever_and_however_large_it_is(pose):
    found = pose_of(rotation_of(mesh_of(pose)))
    assert found.to_dict() == pytest.approx(pose.to_dict(), abs=1e-6)


def test_signs_are_those_that_are_written():
    forward = np.array([0, 0, -1.0])  # out of a face that looks into the camera
    right_of_picture = rotation_from(HeadPose(0.3, 0, 0)) @ forward
    assert right_of_picture[0] > 0.2  # yaw > 0: the nose moves right in the image
    down = rotation_from(HeadPose(0, 0.3, 0)) @ forward
    assert down[1] > 0.2  # pitch > 0: down
    ear = rotation_from(HeadPose(0, 0, 0.3)) @ np.array([1.0, 0, 0])
    assert ear[1] > 0.2  # roll > 0: clockwise, what is right goes down


def test_the_mean_shape_is_a_head_that_looks_into_the_camera():
    shape = dict(zip(POINTS, head_shape(), strict=True))
    assert np.allclose(sum(shape.values()), 0, atol=1e-3)
    for right, left in PAIRS:
        assert shape[right] * (-1, 1, 1) == pytest.approx(shape[left], abs=1e-4)
    assert all(abs(shape[i][0]) < 1e-4 for i in MIDDLE)
    assert shape[33][0] < 0 < shape[263][0]  # the subject's right eye is left in the image
    assert shape[4][2] == min(p[2] for p in shape.values())  # the tip of the nose is nearest
    assert shape[10][1] < shape[168][1] < shape[2][1]  # forehead, between the eyes, under the nose


def test_eyes_that_the_border_cuts_off_are_not_measured():
    image = read_image(PICTURES / "astronaut.jpg")
    face = Analyzer(threads=1).detect(image)[0]
    for top, measured in ((60, True), (104, False)):  # below the brows; in the lids
        moved = Face(Box(face.box.x1, face.box.y1 - top, face.box.x2, face.box.y2 - top), 0.9)
        pose, signals = Eyes().measure(np.ascontiguousarray(image[top:]), moved)
        assert pose is not None
        assert (signals != EyeSignals()) == measured


@given(pose=UP_TO)
def test_mirroring_changes_the_signs_of_yaw_and_roll(pose):
    mirrored = mesh_of(pose)
    for right, left in PAIRS:
        mirrored[[right, left]] = mirrored[[left, right]]
    mirrored[:, 0] = 640 - mirrored[:, 0]
    found = pose_of(rotation_of(mirrored))
    expected = (-pose.yaw_rad, pose.pitch_rad, -pose.roll_rad)
    assert (found.yaw_rad, found.pitch_rad, found.roll_rad) == pytest.approx(expected, abs=1e-6)


@given(
    x=st.floats(50, 500), y=st.floats(50, 500), width=st.floats(10, 90), angle=st.floats(-0.6, 0.6)
)
def test_both_eyes_lie_in_their_crops_alike(x, y, width, angle):
    """Outer corner on the left, inner on the right, level: what the network was made for."""
    across = width * np.array([np.cos(angle), np.sin(angle)])
    for mirrored in (False, True):
        outer, inner = np.array([x, y]), np.array([x, y]) + across * (-1 if mirrored else 1)
        matrix = _crop_matrix(np.stack([outer, inner]), mirrored=mirrored)
        a, b = apply(matrix, np.stack([outer, inner]))
        assert (a + b) / 2 == pytest.approx((SIDE / 2, SIDE / 2))
        assert b[0] - a[0] == pytest.approx(SIDE / 2.3)
        assert a[1] == pytest.approx(b[1])
        assert (np.linalg.det(matrix[:, :2]) < 0) == mirrored
        assert apply(invert(matrix), np.stack([a])) == pytest.approx(np.stack([outer]))


def eye(iris, middle, diameter=20.0):
    return SeenEye(0.9, np.array(iris, float), diameter, np.array(middle, float))


def gaze(dx, dy):
    """Both irises moved by so many iris diameters, in a head that looks into the camera."""
    right, left = (200.0, 100.0), (300.0, 100.0)
    moved = [(x + 20 * dx, y + 20 * dy) for x, y in (right, left)]
    straight = rotation_from(HeadPose(0, 0, 0))
    return gaze_of(eye(moved[0], right), eye(moved[1], left), straight, BALL)


def test_gaze_follows_the_irises():
    yaw, pitch = gaze(0, 0)
    assert yaw == pytest.approx(0, abs=1e-6)
    assert gaze(0.2, 0)[0] > yaw + 0.2  # irises right in the image: to the subject's left
    assert gaze(-0.2, 0)[0] == pytest.approx(-gaze(0.2, 0)[0])
    assert gaze(0, 0.2)[1] > pitch + 0.2
    assert np.isfinite(gaze(5, 5)).all()


def real():
    image = read_image(PICTURES / "astronaut.jpg")
    face = Analyzer(threads=1).detect(image)[0]
    return image, face


def test_a_real_face_and_its_mirror_image():
    image, face = real()
    eyes = Eyes()
    pose, signals = eyes.measure(image, face)
    assert pose is not None
    assert abs(pose.yaw_rad) < 0.5
    assert abs(pose.roll_rad) < 0.4
    assert signals.openness is not None
    assert min(signals.openness) > 0.5
    assert signals.iris is not None
    assert signals.iris_diameter is not None
    # The irises lie at the eyes that the detector saw, right one first.
    assert face.landmarks is not None
    size = face.box.width
    assert np.abs(signals.iris - face.landmarks.points[:2]).max() < 0.08 * size
    assert 0.03 < signals.iris_diameter[0] / size < 0.12
    width = image.shape[1]
    points = face.landmarks.points[[1, 0, 2, 4, 3]] * (-1, 1) + (width, 0)
    box = Box(width - face.box.x2, face.box.y1, width - face.box.x1, face.box.y2)
    other = replace(face, box=box, landmarks=Landmarks(points))
    turned, seen = eyes.measure(np.ascontiguousarray(image[:, ::-1]), other)
    assert turned is not None
    assert turned.yaw_rad == pytest.approx(-pose.yaw_rad, abs=0.06)
    assert turned.pitch_rad == pytest.approx(pose.pitch_rad, abs=0.06)
    assert turned.roll_rad == pytest.approx(-pose.roll_rad, abs=0.06)
    assert seen.openness == pytest.approx(signals.openness[::-1], abs=0.15)
    assert signals.gaze_rad is not None
    assert seen.gaze_rad is not None
    assert seen.gaze_rad[0] == pytest.approx(-signals.gaze_rad[0], abs=0.12)
    assert seen.gaze_rad[1] == pytest.approx(signals.gaze_rad[1], abs=0.12)


@pytest.mark.parametrize("degrees", [-25, 15])
def test_turning_the_picture_turns_the_roll(degrees):
    image, face = real()
    assert face.landmarks is not None
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    centre = np.array([(face.box.x1 + face.box.x2) / 2, (face.box.y1 + face.box.y2) / 2])
    turn = np.array([[cos, -sin], [sin, cos]])  # clockwise in the image
    matrix = np.column_stack([turn, centre - turn @ centre])
    tilted = warp(image, matrix, image.shape[:2])
    points = Landmarks(apply(matrix, face.landmarks.points).astype(np.float32))
    before, _ = Eyes().measure(image, face)
    after, _ = Eyes().measure(tilted, replace(face, landmarks=points))
    assert before is not None
    assert after is not None
    assert np.degrees(after.roll_rad - before.roll_rad) == pytest.approx(degrees, abs=3)
    assert np.degrees(after.yaw_rad - before.yaw_rad) == pytest.approx(0, abs=4)


def test_what_cannot_be_told_is_none():
    image, face = real()
    unsure = FaceMesh(session=FakeSession(lambda _: [np.zeros((1, 1404)), np.full((1, 1), -9.0)]))
    assert Eyes(mesh=unsure).measure(image, face) == (None, EyeSignals())
    far = warp(image, np.array([[0.15, 0, 0], [0, 0.15, 0]]), (80, 80))
    tiny = Face(Box(*(0.15 * v for v in face.box.xyxy)), 0.9)
    pose, signals = Eyes().measure(far, tiny)
    assert pose is not None
    assert signals == EyeSignals()  # eyes of five pixels
    assert roll_of(tiny) == 0.0


def test_the_analyzer_measures_eyes_only_when_asked():
    path = PICTURES / "astronaut.jpg"
    plain = Analyzer(threads=1).analyze(path)
    asked = Analyzer(threads=1, eyes=True)
    full = asked.analyze(path)
    assert plain.faces[0].eyes is None
    assert plain.faces[0].pose is None
    assert full.faces[0].eyes is not None
    assert full.faces[0].expression == plain.faces[0].expression
    assert len(full.model_ids) == len(set(full.model_ids)) == 4
    image = read_image(path)
    assert asked.read_faces(image, asked.detect(image)) == full.faces
