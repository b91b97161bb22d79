"""Changes from a person's own neutral face."""

from dataclasses import replace

import numpy as np
import pytest

from pyojeong.core.action_units import ACTION_UNITS, SIDED_UNITS, ActionUnits
from pyojeong.core.face import Box, Expression, Face, FrameResult
from pyojeong.core.labels import FER7
from pyojeong.runtime.face_measures import reliable_units
from pyojeong.stream.baseline import NeutralFace, changed, neutral_of

SCORES = np.array([0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1], np.float32)


def units(value, **others):
    values = tuple(others.get(name, value) for name in ACTION_UNITS)
    sides = tuple(others.get(name, value) for name in SIDED_UNITS)
    return ActionUnits(values, sides, sides)


def frame(time_s, *faces):
    made = tuple(
        Face(Box(0, 0, 9, 9), 0.9, expression=Expression(SCORES, FER7), track_id=t, action_units=u)
        for t, u in faces
    )
    return FrameResult("clip", round(time_s * 10), time_s, (9, 9), made)


def test_the_neutral_face_is_the_mean_of_what_was_measured():
    frames = [
        frame(0.0, (1, units(0.25))),
        frame(0.1, (1, units(0.75, AU4=None)), (2, None)),
        frame(0.2, (1, units(1.0))),  # behind the time
    ]
    neutral = neutral_of(frames, 0.0, 0.2)
    assert set(neutral) == {1, 2}
    by_name = dict(zip(ACTION_UNITS, neutral[1].units, strict=True))
    assert by_name["AU1"] == pytest.approx(0.5)
    assert by_name["AU4"] == pytest.approx(0.25)  # of the one frame that has it
    assert neutral[2].units is None
    assert neutral[1].scores.sum() == pytest.approx(1)


def test_units_become_changes_and_activation():
    neutral = {1: NeutralFace(SCORES.astype(float), tuple([0.25] * len(ACTION_UNITS)))}
    (result,) = changed(
        [frame(1.0, (1, units(0.25, AU12=1.0, AU4=None)), (2, units(1.0)))], neutral
    )
    face, other = result.faces
    delta = face.action_units.baseline_delta
    assert delta["AU12"] == pytest.approx(0.75)
    assert delta["AU4"] is None
    assert delta["AU1"] == 0
    counted = [name for name in reliable_units() if name != "AU4"]
    assert "AU12" in counted
    assert face.action_units.activation == pytest.approx(0.75 / len(counted), abs=1e-6)
    assert face.baseline_delta == pytest.approx([0.0] * 7, abs=1e-7)
    assert other.action_units.baseline_delta is None  # no neutral face of this person
    assert other.action_units.activation is None


def test_a_default_serves_people_without_a_neutral_face_of_their_own():
    own = NeutralFace(SCORES.astype(float), tuple([0.5] * len(ACTION_UNITS)))
    frames = [frame(1.0, (1, units(0.25)))]
    (result,) = changed(frames, {}, own)
    assert result.faces[0].action_units.baseline_delta["AU9"] == pytest.approx(-0.25)
    scores_only = replace(own, units=None)
    (result,) = changed(frames, {}, scores_only)
    assert result.faces[0].action_units.baseline_delta is None
    assert result.faces[0].baseline_delta is not None
