"""Head pose and eye signals: frozen, checked, and the same after a trip through JSON."""

import copy
import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.errors import BadArray
from pyojeong.core.eyes import EyeSignals, HeadPose

ANGLE = st.floats(-math.pi, math.pi)
SHARE = st.floats(0, 1)
PIXEL = st.floats(-1e5, 1e5, width=32)
IRIS = st.lists(PIXEL, min_size=4, max_size=4).map(lambda v: np.array(v, np.float32).reshape(2, 2))
POSES = st.builds(HeadPose, ANGLE, ANGLE, ANGLE)
SIGNALS = st.builds(
    EyeSignals,
    openness=st.none() | st.tuples(SHARE, SHARE),
    gaze_rad=st.none() | st.tuples(ANGLE, ANGLE),
    iris=st.none() | IRIS,
    iris_diameter=st.none() | st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)),
)
POINTS = np.array([[10.5, 20], [30, 21.25]], np.float32)
FULL = EyeSignals((0.25, 1.0), (0.1, -0.2), POINTS, (11.5, 12.0))


@given(POSES)
def test_poses_come_back_from_json(pose):
    assert HeadPose.from_dict(json.loads(json.dumps(pose.to_dict()))) == pose
    assert pickle.loads(pickle.dumps(pose)) == pose


@given(SIGNALS)
def test_signals_come_back_from_json(eyes):
    back = EyeSignals.from_dict(json.loads(json.dumps(eyes.to_dict())))
    assert back == eyes
    assert hash(back) == hash(eyes)
    for name in ("openness", "gaze_rad", "iris_diameter"):
        assert getattr(back, name) == getattr(eyes, name)
    assert (back.iris is None) == (eyes.iris is None)
    if eyes.iris is not None:
        assert np.array_equal(back.iris, eyes.iris)
        assert back.iris.dtype == np.float32
    assert pickle.loads(pickle.dumps(eyes)) == eyes == copy.deepcopy(eyes)


def test_to_dict_golden():
    assert FULL.to_dict() == {
        "openness": [0.25, 1.0],
        "gaze_rad": [0.1, -0.2],
        "iris": [[10.5, 20.0], [30.0, 21.25]],
        "iris_diameter": [11.5, 12.0],
    }
    assert EyeSignals().to_dict() == {}
    assert HeadPose(0.5, -0.25, 0).to_dict() == {"yaw_rad": 0.5, "pitch_rad": -0.25, "roll_rad": 0}


def test_to_dict_of_poses_is_plain_also_for_numpy_scalars():
    pose = HeadPose(np.float32(0.5), np.float64(0.25), np.int64(0))
    assert json.loads(json.dumps(pose.to_dict())) == pose.to_dict()


def test_to_dict_of_signals_is_plain_also_for_numpy_scalars():
    pair = (np.float32(0.5), np.float32(0.25))
    eyes = EyeSignals(pair, pair, POINTS, pair)
    assert json.loads(json.dumps(eyes.to_dict())) == eyes.to_dict()


@pytest.mark.parametrize(
    "changed",
    [
        {"openness": (0.26, 1.0)},
        {"openness": (1.0, 0.25)},
        {"gaze_rad": None},
        {"iris": POINTS + 1},
        {"iris": None},
        {"iris_diameter": (11.5, 12.5)},
    ],
)
def test_what_differs_is_not_equal(changed):
    assert dataclasses.replace(FULL, **changed) != FULL
    assert dataclasses.replace(FULL) == FULL
    assert FULL.to_dict() != FULL


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 3.15, -3.15, 30])
@pytest.mark.parametrize(("place", "name"), [*enumerate(("yaw_rad", "pitch_rad", "roll_rad"))])
def test_poses_are_radians(value, place, name):
    angles = [0.1, 0.2, 0.3]
    angles[place] = value
    with pytest.raises(BadArray, match=f"HeadPose.{name}: expected radians, -pi to pi, got"):
        HeadPose(*angles)


def test_half_a_turn_in_float32_is_an_angle():
    assert float(np.float32(math.pi)) > math.pi
    assert HeadPose(0, 0, np.float32(-math.pi)).roll_rad == np.float32(-math.pi)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"openness": (0.5, 1.01)}, "openness: expected 0 to 1"),
        ({"openness": (-0.01, 0.5)}, "openness: expected 0 to 1"),
        ({"openness": (float("nan"), 0.5)}, "openness: expected"),
        ({"openness": (0.5,)}, "openness: expected"),
        ({"openness": (0.5, 0.5, 0.5)}, "openness: expected"),
        ({"gaze_rad": (0, float("inf"))}, "gaze_rad: expected radians"),
        ({"gaze_rad": (0.1, 0.2, 0.3)}, "gaze_rad: expected"),
        ({"iris_diameter": (float("nan"), 1)}, "iris_diameter: expected a finite"),
        ({"gaze_rad": (-10, 5)}, "gaze_rad: expected radians, -pi to pi, got -10"),
        ({"iris_diameter": (-1, 1)}, "iris_diameter: expected a finite number from 0 up, got -1"),
        ({"iris_diameter": ()}, "iris_diameter: expected"),
        ({"iris": np.zeros((2, 3))}, r"iris: expected finite \(2, 2\), got \(2, 3\)"),
        ({"iris": np.zeros(4)}, r"got \(4,\)"),
        ({"iris": np.array([[0, 0], [0, np.nan]])}, "iris: expected finite"),
    ],
)
def test_impossible_signals(options, says):
    with pytest.raises(BadArray, match=says):
        EyeSignals(**options)


def test_everything_is_frozen_and_closed():
    for value, name in ((HeadPose(0, 0, 0), "yaw_rad"), (FULL, "openness")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, 0)
        with pytest.raises((AttributeError, TypeError)):
            value.something_new = 1


def test_irises_are_copies_that_cannot_be_written():
    points = POINTS.copy()
    eyes = EyeSignals(iris=points)
    points[:] = 0
    assert np.array_equal(eyes.iris, POINTS)
    with pytest.raises(ValueError, match="read-only"):
        eyes.iris[0, 0] = 5
