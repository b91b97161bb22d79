"""Action units, blendshapes and eyes of real faces, from the mesh with 478 points."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from pyojeong import Analyzer
from pyojeong.core.action_units import ACTION_UNITS, BLENDSHAPES
from pyojeong.core.errors import InputError
from pyojeong.core.eyes import EyeSignals
from pyojeong.core.face import Box, Face, Landmarks
from pyojeong.image.files import read_image
from pyojeong.image.preprocess import warp
from pyojeong.runtime.face_measures import GRADES, FaceMeasures, action_unit_grade, reliable_units
from pyojeong.runtime.facemesh import FaceMesh
from pyojeong.runtime.golden import PICTURES
from pyojeong.runtime.mirror_boxes import placed_with_mirror
from pyojeong.runtime.unit_features import (
    BLENDSHAPE_POINTS,
    MIRRORED_BLENDSHAPES,
    PAIRS,
    features_of,
)


@pytest.fixture(scope="module")
def measures():
    return FaceMeasures()


@pytest.fixture(scope="module")
def smile():
    """A photograph of a smile that shows teeth, and its face."""
    image = read_image(PICTURES / "astronaut.jpg")
    return image, Analyzer(threads=1).detect(image)[0]


def mirror_of(image, face):
    width = image.shape[1]
    points = face.landmarks.points[[1, 0, 2, 4, 3]] * (-1, 1) + (width, 0)
    box = Box(width - face.box.x2, face.box.y1, width - face.box.x1, face.box.y2)
    landmarks = Landmarks(points.astype(np.float32))
    return np.ascontiguousarray(image[:, ::-1]), replace(face, box=box, landmarks=landmarks)


def test_a_smile_shows_its_units(measures, smile):
    seen = measures.measure(*smile)
    units = seen.action_units
    assert units["AU12"] > 0.5
    assert units["AU25"] > 0.3
    assert units["AU6"] > 0.2
    assert all(units[name] < 0.3 for name in ("AU4", "AU15", "AU27", "AU43"))
    assert abs(units.asymmetry["AU12"]) < 0.3
    assert units["AU12"] == pytest.approx((units.right["AU12"] + units.left["AU12"]) / 2, abs=1e-6)
    assert seen.blendshapes["mouthSmileLeft"] > 0.5
    assert seen.blendshapes["jawOpen"] < 0.5
    assert min(seen.eyes.openness) > 0.5
    assert seen.eyes.gaze_rad is not None


def test_a_mirrored_face_exchanges_its_sides(measures, smile):
    image, face = smile
    one = measures.measure(image, face)
    other = measures.measure(*mirror_of(image, face))
    a, b = one.action_units, other.action_units
    assert b.intensities == pytest.approx(a.intensities, abs=1e-3)
    assert b.right_intensities == pytest.approx(a.left_intensities, abs=1e-3)
    assert b.left_intensities == pytest.approx(a.right_intensities, abs=1e-3)
    assert other.eyes.openness == pytest.approx(one.eyes.openness[::-1], abs=1e-3)
    swapped = [other.blendshapes.scores[i] for i in MIRRORED_BLENDSHAPES]
    assert swapped == pytest.approx(one.blendshapes.scores, abs=1e-3)


def test_a_mirrored_photograph_exchanges_the_sides_of_its_faces():
    """The detector's boxes, too: it sees another image there, and places them elsewhere."""
    analyzer = Analyzer(threads=1, action_units=True)
    image = read_image(PICTURES / "astronaut.jpg")
    there = analyzer.analyze(image).faces
    back = analyzer.analyze(np.ascontiguousarray(image[:, ::-1])).faces
    assert len(there) == len(back) > 0
    width = image.shape[1]
    for face in there:
        centre = width - (face.box.x1 + face.box.x2) / 2
        other = min(back, key=lambda f: abs((f.box.x1 + f.box.x2) / 2 - centre))
        a, b = face.action_units, other.action_units
        for one, two in (
            (a.intensities, b.intensities),
            (a.right_intensities, b.left_intensities),
            (a.left_intensities, b.right_intensities),
        ):
            assert [v is None for v in one] == [v is None for v in two]
            known = [(v, w) for v, w in zip(one, two, strict=True) if v is not None]
            assert [w for _, w in known] == pytest.approx([v for v, _ in known], abs=2e-3)


class _Fixed:
    """Finds what it is given: in the image, then in its mirror image."""

    def __init__(self, *found):
        self.found = list(found)

    def detect(self, image):
        return tuple(self.found.pop(0))


def test_places_are_averaged_over_the_mirror_image():
    image = np.zeros((100, 200, 3), np.uint8)
    points = np.float32([[20, 30], [40, 30], [30, 40], [22, 50], [38, 50]])
    face = Face(Box(10, 10, 50, 60), 0.9, landmarks=Landmarks(points))
    # In the mirror image: the same face 4 pixels to its right, another one, one that is far away.
    moved = Face(
        Box(200 - 54, 10, 200 - 14, 60),
        0.8,
        landmarks=Landmarks(
            np.float32([200 + 2, 0]) + points[[1, 0, 2, 4, 3]] * np.float32([-1, 1])
        ),
    )
    alone = Face(Box(120, 20, 160, 70), 0.7)
    placed = placed_with_mirror(image, [face, alone], _Fixed([moved, Face(Box(0, 0, 20, 20), 1.0)]))
    assert placed[0].box == Box(12, 10, 52, 60)
    assert placed[0].score == 0.9
    assert placed[0].landmarks.points == pytest.approx(points + np.float32([-1, 0]))
    assert placed[1] == alone
    bare = replace(face, landmarks=None)
    (one,) = placed_with_mirror(image, [bare], _Fixed([moved]))
    assert (one.box, one.landmarks) == (Box(12, 10, 52, 60), None)
    assert placed_with_mirror(image, [face], _Fixed([])) == [face]
    assert placed_with_mirror(image, [], _Fixed()) == []
    # Two faces that overlap: each keeps its own partner.
    near = Face(Box(16, 10, 56, 60), 0.9)
    mirrors = [Face(Box(200 - b.x2, b.y1, 200 - b.x1, b.y2), 0.9) for b in (near.box, face.box)]
    pair = placed_with_mirror(image, [bare, near], _Fixed(mirrors))
    assert [p.box for p in pair] == [face.box, near.box]


def test_one_view_is_close_to_both(measures, smile):
    image, face = smile
    both = measures.measure(image, face).action_units
    single = measures.measure(image, face, mirror=False).action_units
    assert both != single
    assert single.intensities == pytest.approx(both.intensities, abs=0.2)


def test_what_is_too_small_or_no_face_is_none(measures, smile):
    image, face = smile
    far = warp(image, np.array([[0.15, 0, 0], [0, 0.15, 0]]), (80, 80))
    tiny = Face(Box(*(0.15 * v for v in face.box.xyxy)), 0.9)
    seen = measures.measure(far, tiny)
    assert set(seen.action_units.values()) == {None}
    assert seen.eyes == EyeSignals()
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    nothing = measures.measure(noise, Face(Box(40, 40, 160, 160), 0.9))
    assert nothing.pose is None
    assert nothing.blendshapes is None
    assert set(nothing.action_units.values()) == {None}


LIPS = ("AU12", "AU14", "AU15", "AU17", "AU20", "AU23", "AU24", "AU25", "AU26", "AU27")
LIDS = ("AU5", "AU7", "AU43")


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(
    ("cut", "gone"),
    [
        (np.s_[:170], ()),  # the chin alone
        (np.s_[:152], LIPS),
        (np.s_[:140], LIPS),  # AU12 was 0.09 there, and is 0.81
        (np.s_[84:], ("AU1", "AU2", "AU4")),
        (np.s_[:, 222:], (*ACTION_UNITS,)),
    ],
)
def test_what_the_border_cuts_off_is_not_measured(measures, smile, cut, gone, mirror):
    image, face = smile
    part = np.ascontiguousarray(image[cut])
    dx, dy = (cut[1].start, 0) if isinstance(cut, tuple) else (0, cut.start or 0)
    x1, y1, x2, y2 = face.box.xyxy
    moved = replace(face, box=Box(x1 - dx, y1 - dy, x2 - dx, y2 - dy))
    moved = replace(moved, landmarks=Landmarks(face.landmarks.points - np.float32((dx, dy))))
    seen = measures.measure(part, moved, mirror=mirror)
    units = seen.action_units
    assert {name for name, value in units.items() if value is None} >= set(gone)
    assert all(units[name] is not None for name in ("AU6", "AU9") if not {*gone} & {name})
    for side in (units.right, units.left):
        assert all(side[name] is None for name in side if name in gone)
    assert (seen.blendshapes is None) == bool(gone)
    assert (seen.eyes == EyeSignals()) == ("AU43" in gone)
    if not gone:
        whole = measures.measure(image, face, mirror=mirror).action_units
        assert units.intensities == pytest.approx(whole.intensities, abs=0.15)


def test_features_of_a_mirrored_mesh_exchange_sides():
    rng = np.random.default_rng(3)
    points = rng.normal(0, 20, (478, 3)) + 128
    shapes = rng.random(52).astype(np.float32)
    there = features_of(points, shapes)
    mirrored = points * (-1, 1, 1) + (256, 0, 0)
    order = np.arange(478)
    for right, left in PAIRS_OF_MESH:
        order[[right, left]] = left, right
    back = features_of(mirrored[order], shapes[MIRRORED_BLENDSHAPES])
    assert back.right == pytest.approx(there.left, abs=1e-9)
    assert back.left == pytest.approx(there.right, abs=1e-9)
    assert back.middle == pytest.approx(there.middle, abs=1e-9)
    assert back.rows == pytest.approx(there.rows[::-1], abs=1e-5)


def _pairs_of_mesh():
    from pyojeong.runtime.head_pose import PAIRS as STILL

    return sorted({*PAIRS, *STILL})


PAIRS_OF_MESH = _pairs_of_mesh()


def test_names_of_blendshapes_mirror_twice_to_themselves():
    assert [MIRRORED_BLENDSHAPES[i] for i in MIRRORED_BLENDSHAPES] == list(range(52))
    right = BLENDSHAPES.index("mouthSmileRight")
    assert BLENDSHAPES[MIRRORED_BLENDSHAPES[right]] == "mouthSmileLeft"
    assert len(set(BLENDSHAPE_POINTS)) == 146


def test_the_card_grades_every_unit():
    assert {action_unit_grade(unit) for unit in ACTION_UNITS} <= set(GRADES)
    assert 5 <= len(reliable_units()) < len(ACTION_UNITS)
    assert action_unit_grade("AU12") == "good"
    assert action_unit_grade("AU14") == "weak"
    with pytest.raises(InputError, match=r"'AU10': the units are AU1, AU2"):
        action_unit_grade("AU10")


def test_the_analyzer_measures_units_only_when_asked():
    path = PICTURES / "astronaut.jpg"
    plain = Analyzer(threads=1).analyze(path).faces[0]
    assert plain.action_units is None
    assert plain.blendshapes is None
    asked = Analyzer(threads=1, action_units=True)
    face = asked.analyze(path).faces[0]
    assert face.expression == plain.expression
    assert face.pose is not None
    assert face.blendshapes is None
    assert face.action_units["AU12"] > 0.5
    assert len(asked.model_ids) == 5
    assert asked.settings["measures"] == ["action_units"]
    both = Analyzer(threads=1, action_units=True, blendshapes=True)
    assert both.analyze(path).faces[0].blendshapes is not None
    again = pickle.loads(pickle.dumps(asked)).analyze(path).faces[0]
    assert again == face


def test_the_larger_mesh_lies_on_the_smaller_one(smile):
    image, face = smile
    small = FaceMesh().fit(image, face.box).points
    large = FaceMesh(irises=True).fit(image, face.box).points
    assert large.shape == (478, 3)
    near = np.linalg.norm(large[:468, :2] - small[:, :2], axis=1)
    assert np.median(near) < 0.03 * face.box.width


@pytest.mark.data
def test_a_clip_that_cries_and_laughs(shared):
    analyzer = Analyzer(threads=1, action_units=True)
    clip = shared / "data" / "clips" / "crying_to_laughing.mp4"
    video = analyzer.analyze_video(clip, stride=12)
    faces = [(frame.time_s, frame.faces[0]) for frame in video if frame.faces]
    shut = [f.action_units["AU43"] for t, f in faces if 1 < t < 5.6]
    assert min(v for v in shut if v is not None) >= 0.8
    open_again = [f.action_units["AU43"] for t, f in faces if 6 < t < 11.4]
    assert max(v for v in open_again if v is not None) <= 0.2
    laughing = [f.action_units for t, f in faces if 13 < t < 17]
    assert np.mean([u["AU12"] for u in laughing]) > 0.7
    assert np.mean([u["AU25"] for u in laughing]) > 0.8
    assert np.mean([u["AU6"] for u in laughing]) > 0.3
    valence = [f.expression.valence for t, f in faces if f.expression is not None and t > 13]
    assert min(valence) > 0.5
