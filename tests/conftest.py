"""What several test files share: the Hypothesis profile and random frame results."""

import os
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from pyojeong.core.action_units import ACTION_UNITS, SIDED_UNITS, ActionUnits, Blendshapes
from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.face import Box, Expression, Face, FrameResult, Landmarks
from pyojeong.core.labels import FER7

settings.register_profile("pyojeong", deadline=None, database=None)
settings.load_profile("pyojeong")

# Names that broke a table somewhere: separators, quotes, line ends, Korean, emoji, control bytes.
ODD_TEXT = st.sampled_from(
    [
        "",
        ",",
        '"',
        '""',
        "a\nb",
        "a\r\nb",
        "\r",
        "표정.jpg",
        " x ",
        "\x00",
        "=1+1",
        "😀;.png",
        "\x85",
    ]
)
REAL = st.floats(-1e6, 1e6)
WIDTH_32 = st.floats(-1e5, 1e5, width=32)


@pytest.fixture(autouse=True)
def own_data_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Give every test a data folder of its own: uses of test splits are counted there."""
    folder = tmp_path_factory.getbasetemp() / "user-data" / uuid4().hex
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))


@st.composite
def expressions(draw, labels=FER7):
    k = len(labels)
    raw = np.array(draw(st.lists(st.floats(0, 1), min_size=k, max_size=k)), np.float64)
    raw[draw(st.integers(0, k - 1))] += 0.01
    return Expression((raw / raw.sum()).astype(np.float32), labels, draw(st.floats(0, 1)))


@st.composite
def faces(draw, labels=FER7):
    x1, y1 = draw(REAL), draw(REAL)
    points = st.lists(WIDTH_32, min_size=10, max_size=10).map(
        lambda v: Landmarks(np.array(v, np.float32).reshape(5, 2))
    )
    return Face(
        box=Box(x1, y1, x1 + draw(st.floats(0, 1e5)), y1 + draw(st.floats(0, 1e5))),
        score=draw(st.floats(0, 1)),
        landmarks=draw(st.none() | points),
        expression=draw(st.none() | expressions(labels)),
        track_id=draw(st.none() | st.integers(0, 2**40)),
    )


ANGLE = st.floats(-3, 3)


@st.composite
def timeline_faces(draw, labels=FER7):
    """Faces with all that clips and eyes add."""
    face = draw(faces(labels))
    pair = st.tuples(ANGLE, ANGLE)
    lengths = st.floats(0, 1e4)
    change = st.floats(-1, 1)
    iris = st.lists(WIDTH_32, min_size=4, max_size=4).map(
        lambda v: np.array(v, np.float32).reshape(2, 2)
    )
    eyes = st.builds(
        EyeSignals,
        openness=st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)),
        gaze_rad=st.none() | pair,
        iris=st.none() | iris,
        iris_diameter=st.none() | st.tuples(lengths, lengths),
    )
    smoothed = None
    if face.expression is not None and draw(st.booleans()):
        smoothed = replace(draw(expressions(labels)), threshold=face.expression.threshold)
    k = len(labels)
    return replace(
        face,
        pose=draw(st.none() | st.builds(HeadPose, ANGLE, ANGLE, ANGLE)),
        eyes=draw(st.none() | eyes),
        smoothed=smoothed,
        baseline_delta=draw(st.none() | st.lists(change, min_size=k, max_size=k).map(tuple)),
        luma=draw(st.none() | st.floats(0, 1)),
        blendshapes=draw(
            st.none() | st.builds(Blendshapes, st.lists(SHARE, min_size=52, max_size=52))
        ),
        action_units=draw(st.none() | action_units()),
    )


SHARE = st.floats(0, 1, width=32)


@st.composite
def action_units(draw):
    """Units of one face, some of them not measured."""

    def several(number, values=SHARE):
        return st.lists(st.none() | values, min_size=number, max_size=number)

    delta = several(len(ACTION_UNITS), st.floats(-1, 1, width=32))
    return ActionUnits(
        draw(several(len(ACTION_UNITS))),
        draw(several(len(SIDED_UNITS))),
        draw(several(len(SIDED_UNITS))),
        draw(st.none() | delta),
        draw(st.none() | SHARE),
    )


def _frame_results(labels=FER7, *, timeline=False):
    model_id = st.text("abcz019-.", min_size=1, max_size=12)
    return st.builds(
        FrameResult,
        source=ODD_TEXT | st.text(max_size=12),
        index=st.integers(0, 2**40),
        time_s=st.floats(0, 1e7),
        size_wh=st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
        faces=st.lists((timeline_faces if timeline else faces)(labels), max_size=3).map(tuple),
        model_ids=st.lists(model_id, max_size=3).map(tuple),
    )


@pytest.fixture(scope="session")
def frame_results():
    """A function: label set (, timeline=True) -> strategy of frame results."""
    return _frame_results


@pytest.fixture(scope="session")
def shared():
    """The shared data folder (PYOJEONG_SHARED, default ../shared beside the repository)."""
    beside = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("PYOJEONG_SHARED", beside))
    if not folder.is_dir():
        pytest.skip("the shared data folder is missing: set PYOJEONG_SHARED to it")
    return folder


@pytest.fixture
def whole_face_result():
    """A frame with one face on which everything was measured."""
    scores = np.array([0.05, 0.0, 0.05, 0.6, 0.1, 0.1, 0.1], np.float32)
    expression = Expression(scores, FER7, 0.5, "between")
    face = Face(
        Box(1, 2, 30, 40),
        0.9,
        Landmarks(np.arange(10, dtype=np.float32).reshape(5, 2)),
        expression,
        track_id=3,
        pose=HeadPose(0.1, -0.2, 0.3),
        eyes=EyeSignals((0.5, 0.6), (0.1, 0.2), np.ones((2, 2), np.float32), (3.0, 4.0)),
        smoothed=replace(expression, scores=scores[::-1]),
        baseline_delta=(0.1, -0.1, 0.0, 0.0, 0.0, 0.0, 0.0),
        luma=0.5,
        blendshapes=Blendshapes(tuple(i / 64 for i in range(52))),
        action_units=ActionUnits(
            tuple(i / 32 for i in range(len(ACTION_UNITS))),
            tuple(i / 16 for i in range(len(SIDED_UNITS))),
            (None, *(i / 32 for i in range(1, len(SIDED_UNITS)))),
            tuple(-i / 32 for i in range(len(ACTION_UNITS))),
            0.25,
        ),
    )
    return FrameResult("clip.mp4", 4, 0.16, (64, 48), (face,), ("det", "cls"))


@pytest.fixture(autouse=True)
def _no_traces_in_the_home_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uses of test splits are recorded in a folder of the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "data"))
