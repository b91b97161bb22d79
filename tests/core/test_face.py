"""The ground types: frozen, checked, and the same after a trip through JSON."""

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.errors import BadArray
from pyojeong.core.face import Box, Expression, Face, FrameResult, Landmarks
from pyojeong.core.labels import FER7, FERPLUS8

SCORES = np.array([0.05, 0, 0.05, 0.6, 0.1, 0.1, 0.1], np.float32)
POINTS = np.array([[30, 40], [60, 40], [45, 60], [32, 75], [58, 75]], np.float32)


@given(st.data())
def test_from_dict_is_the_inverse_of_to_dict(frame_results, data):
    result = data.draw(frame_results(data.draw(st.sampled_from([FER7, FERPLUS8]))))
    assert FrameResult.from_dict(result.to_dict()) == result
    assert FrameResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert pickle.loads(pickle.dumps(result)) == result
    assert hash(copy.deepcopy(result)) == hash(result)


def test_to_dict_is_plain_also_for_numpy_scalars():
    box = Box(*np.array([1, 2, 3, 4], np.float32))
    face = Face(box, np.float32(0.5), track_id=np.int64(4))
    result = FrameResult("a", np.int64(1), np.float32(0.25), (np.int32(8), np.int32(6)), (face,))
    assert json.loads(json.dumps(result.to_dict())) == {
        "schema": 4,
        "source": "a",
        "index": 1,
        "time_s": 0.25,
        "size_wh": [8, 6],
        "model_ids": [],
        "faces": [{"box": [1, 2, 3, 4], "score": 0.5, "track_id": 4}],
    }


def test_to_dict_golden():
    face = Face(Box(0, 1, 2, 3), 0.5, Landmarks(POINTS), Expression(SCORES, FER7, 0.7))
    data = face.to_dict()
    assert data["landmarks"][0] == [30.0, 40.0]
    expression = data["expression"]
    assert (expression["label"], expression["top"]) == ("unclear", "happy")
    assert expression["unclear"] is True
    assert list(expression["scores"]) == list(FER7.names)
    assert (expression["label_set"], expression["threshold"]) == ("fer7", 0.7)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Box(0, 0, 1, 1), "x1"),
        (Landmarks(POINTS), "points"),
        (Expression(SCORES, FER7), "scores"),
        (Face(Box(0, 0, 1, 1), 0.5), "score"),
        (FrameResult("a", 0, 0.0, (1, 1)), "source"),
    ],
)
def test_everything_is_frozen_and_closed(value, name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, 0)
    with pytest.raises((AttributeError, TypeError)):
        value.something_new = 1


def test_arrays_are_copies_that_cannot_be_written():
    scores, points = SCORES.copy(), POINTS.copy()
    expression, landmarks = Expression(scores, FER7), Landmarks(points)
    scores[:] = 0
    points[:] = 0
    assert expression.scores[3] == np.float32(0.6)
    assert landmarks.points[0, 0] == 30
    for array in (expression.scores, landmarks.points):
        assert array.dtype == np.float32
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    "values", [(1, 0, 0, 1), (0, 1, 1, 0), (0, 0, np.nan, 1), (0, 0, 1, np.inf)]
)
def test_impossible_boxes(values):
    with pytest.raises(BadArray, match="Box"):
        Box(*values)


def test_a_box_may_be_empty_and_may_leave_the_frame():
    box = Box(-5.5, -1, -5.5, 3)
    assert (box.width, box.height) == (0, 4)
    assert box.xyxy == (-5.5, -1, -5.5, 3)


@pytest.mark.parametrize("points", [np.zeros((4, 2)), np.zeros(10), np.full((5, 2), np.nan)])
def test_impossible_landmarks(points):
    with pytest.raises(BadArray, match="Landmarks"):
        Landmarks(points)


@pytest.mark.parametrize(
    "scores",
    [
        np.full(6, 1 / 6),
        np.full((1, 7), 1 / 7),
        np.full(7, 0.2),
        np.zeros(7),
        np.array([2, -1, 0, 0, 0, 0, 0.0]),
        np.array([np.nan, 1, 0, 0, 0, 0, 0]),
        np.array([np.inf, 1, 0, 0, 0, 0, 0]),
    ],
)
def test_impossible_scores(scores):
    with pytest.raises(BadArray, match="scores"):
        Expression(scores, FER7)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("score", -0.1),
        ("score", 1.5),
        ("score", float("nan")),
        ("score", "0.5"),
        ("score", True),
        ("track_id", -1),
        ("track_id", 1.5),
        ("luma", 128),
        ("luma", float("nan")),
        ("baseline_delta", (0.1, -1.2)),
        ("baseline_delta", (0.1, float("inf"))),
    ],
)
def test_impossible_faces(field, value):
    with pytest.raises(BadArray, match=f"Face.{field}: expected "):
        dataclasses.replace(Face(Box(0, 0, 8, 8), 0.5), **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("index", -1),
        ("index", 1.0),
        ("index", True),
        ("time_s", -0.04),
        ("time_s", float("nan")),
        ("time_s", float("inf")),
        ("time_s", None),
        ("size_wh", (-8, 6)),
        ("size_wh", (8.5, 6)),
    ],
)
def test_impossible_frames(field, value):
    with pytest.raises(BadArray, match=f"FrameResult.{field}: expected "):
        dataclasses.replace(FrameResult("a", 0, 0.0, (8, 6)), **{field: value})


@pytest.mark.parametrize("threshold", [-0.1, 1.1, 60, float("nan")])
def test_impossible_thresholds(threshold):
    with pytest.raises(BadArray, match=r"Expression\.threshold: expected 0 to 1"):
        Expression(SCORES, FER7, threshold)


def test_label_top_and_unclear():
    clear = Expression(SCORES, FER7, 0.5)
    assert clear.top == ("happy", pytest.approx(0.6))
    assert (clear.label, clear.unclear) == ("happy", False)
    unclear = Expression(SCORES, FER7, 0.61)
    assert unclear.top == clear.top
    assert (unclear.label, unclear.unclear) == ("unclear", True)
    at_the_threshold = Expression(SCORES, FER7, float(SCORES[3]))
    assert not at_the_threshold.unclear
    assert clear.by_label()["disgust"] == 0
    assert Expression(np.eye(8)[7], FERPLUS8).label == "contempt"


def test_equality_looks_at_everything():
    one = Expression(SCORES, FER7, 0.5)
    assert one == Expression(SCORES, FER7, 0.5)
    assert one != Expression(SCORES, FER7, 0.4)
    assert one != Expression(SCORES[::-1], FER7, 0.5)
    assert Landmarks(POINTS) != Landmarks(POINTS + 1)
    assert one != SCORES.tolist()
