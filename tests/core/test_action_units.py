"""Action units and blendshapes as data."""

import json
import pickle

import numpy as np
import pytest

from pyojeong.core.action_units import (
    ACTION_UNITS,
    BLENDSHAPES,
    SIDED_UNITS,
    ActionUnits,
    Blendshapes,
)
from pyojeong.core.errors import BadArray
from pyojeong.core.face import Expression
from pyojeong.core.labels import FER7, FERPLUS8

N, S = len(ACTION_UNITS), len(SIDED_UNITS)


def units(**changes):
    values = {
        "intensities": tuple(i / N for i in range(N)),
        "right_intensities": tuple(i / S for i in range(S)),
        "left_intensities": tuple((i + 1) / S for i in range(S)),
    }
    return ActionUnits(**{**values, **changes})


def test_units_are_read_by_their_names():
    found = units()
    assert list(found) == list(ACTION_UNITS)
    assert found["AU1"] == 0.0
    assert found["AU43"] == pytest.approx((N - 1) / N)
    assert found.right["AU12"] == pytest.approx(SIDED_UNITS.index("AU12") / S)
    assert found.asymmetry["AU12"] == pytest.approx(1 / S)
    assert set(found.asymmetry) == set(SIDED_UNITS)
    assert found.baseline_delta is None
    with pytest.raises(KeyError, match=r"AU10.*the units are AU1, AU2"):
        found["AU10"]
    for sides in (found.right, found.left, found.asymmetry):
        with pytest.raises(KeyError, match=r"AU1'.*the units with sides are AU2, AU4"):
            sides["AU1"]
    assert type(found.to_dict()["right"]) is dict


def test_what_was_not_measured_is_none_also_in_the_difference():
    found = units(right_intensities=(None,) * S, baseline_deltas=(None,) * N)
    assert set(found.asymmetry.values()) == {None}
    assert found.baseline_delta is None  # nothing is known: no baseline was taken


@pytest.mark.parametrize(
    "changes",
    [
        {"intensities": (0.0,) * (N - 1)},
        {"intensities": (1.5,) * N},
        {"right_intensities": (-0.1,) * S},
        {"left_intensities": (float("nan"),) * S},
        {"baseline_deltas": (-1.5,) * N},
        {"activation": 1.2},
        {"activation": float("nan")},
    ],
)
def test_impossible_units_are_refused(changes):
    with pytest.raises(BadArray):
        units(**changes)


def test_units_survive_json_and_pickle():
    found = units(baseline_deltas=(0.25, None, *(0.1,) * (N - 2)), activation=0.1)
    again = ActionUnits.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found == pickle.loads(pickle.dumps(found))
    assert hash(again) == hash(found)
    assert again.activation == np.float32(0.1)  # tables hold 32 bits


def test_blendshapes_are_those_of_mediapipe():
    shapes = Blendshapes(tuple(i / 52 for i in range(52)))
    assert (BLENDSHAPES[0], BLENDSHAPES[25], BLENDSHAPES[-1]) == (
        "_neutral",
        "jawOpen",
        "noseSneerRight",
    )
    assert shapes["jawOpen"] == np.float32(25 / 52)
    assert Blendshapes.from_dict(json.loads(json.dumps(dict(shapes)))) == shapes
    for bad in ((0.5,) * 51, (1.01,) * 52, (float("nan"),) * 52):
        with pytest.raises(BadArray):
            Blendshapes(bad)


def test_valence_is_happy_minus_the_largest_unpleasant_label():
    scores = dict.fromkeys(FER7.names, 0.0) | {"happy": 0.5, "sad": 0.1, "angry": 0.3}
    scores["neutral"] = 0.1
    expression = Expression(np.array([scores[n] for n in FER7.names], np.float32), FER7)
    assert expression.valence == pytest.approx(0.2, abs=1e-6)
    contempt = [1.0 if name == "contempt" else 0.0 for name in FERPLUS8.names]
    assert Expression(np.array(contempt, np.float32), FERPLUS8).valence == 0.0
