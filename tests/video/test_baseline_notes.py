"""A baseline that says nothing of somebody, or of action units, is said in a line."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pyojeong import Analyzer
from pyojeong.core.action_units import ACTION_UNITS, SIDED_UNITS, ActionUnits
from pyojeong.core.errors import InputError
from pyojeong.core.face import Box
from pyojeong.core.labels import FER7
from pyojeong.image.files import read_image
from pyojeong.output.tables import read_json
from pyojeong.runtime.golden import PICTURES
from pyojeong.video.options import VideoOptions
from pyojeong.video.process import read_clip
from tests.video.made import make_clip

NOTHING = ActionUnits((None,) * len(ACTION_UNITS), *[(None,) * len(SIDED_UNITS)] * 2)
SMILES = "the face of person 1 looks happy in the baseline, not neutral: changes are from that face"
OPTIONS = VideoOptions(formats=("json",), report=False)


class Unmeasured(Analyzer):
    """Measures no unit in any face of a clip."""

    def read_faces(self, image, faces):
        read = super().read_faces(image, faces)
        return tuple(replace(face, action_units=NOTHING) for face in read)


class _Twice:
    """A detector that finds every face twice, the second time in a corner."""

    def __init__(self, detector):
        self.id = detector.id
        self._detector = detector

    def detect(self, image):
        faces = self._detector.detect(image)
        return (*faces, *(replace(f, box=Box(0, 0, 40, 40), landmarks=None) for f in faces))


class SecondLater(Analyzer):
    """Answers for the second person from the sixth frame on."""

    calls = 0

    def read_faces(self, image, faces):
        self.calls += 1
        first, *others = super().read_faces(image, faces)
        return (first, *(replace(f, expression=None) if self.calls < 6 else f for f in others))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", frames=12)


def read(clip, folder, analyzer, **options):
    outcome = read_clip(clip, folder, analyzer, replace(OPTIONS, **options))
    return outcome.notes, list(read_json(folder / "results.jsonl"))


@pytest.mark.parametrize(
    "baseline",
    [{"baseline_s": (0, 0.2)}, {"baseline": (1 / 7,) * 7, "baseline_units": (None,) * 18}],
    ids=["time", "image"],
)
def test_a_baseline_without_a_measured_unit(clip, tmp_path, baseline):
    analyzer = Unmeasured(threads=1, action_units=True)
    notes, frames = read(clip, tmp_path / "a", analyzer, **baseline)
    *others, note = notes
    assert others == ([SMILES] if "baseline_s" in baseline else [])
    assert note.startswith("no action unit was measured in the baseline of person 1:")
    faces = [face for frame in frames for face in frame.faces]
    assert {face.action_units.activation for face in faces} == {None}
    assert {face.action_units.baseline_deltas for face in faces} == {None}
    assert read(clip, tmp_path / "a", analyzer, **baseline)[0] == notes  # there already


def test_the_same_without_units_is_no_note(clip, tmp_path):
    analyzer = Analyzer(threads=1)
    assert read(clip, tmp_path / "a", analyzer, baseline_s=(0, 0.2))[0] == (SMILES,)


def test_a_neutral_baseline_is_no_note(clip, tmp_path):
    neutral = tuple(0.4 if name == "neutral" else 0.1 for name in FER7.names)
    assert read(clip, tmp_path / "a", Analyzer(threads=1), baseline=neutral)[0] == ()


def test_somebody_who_comes_after_the_baseline(clip, tmp_path):
    analyzer = SecondLater(threads=1)
    analyzer.detector = _Twice(analyzer.detector)
    (note, smiles), frames = read(clip, tmp_path / "a", analyzer, baseline_s=(0, 0.1), workers=1)
    assert smiles == SMILES
    assert note == "person 2 not in the baseline: without changes from a neutral face"
    faces = [face for frame in frames for face in frame.faces]
    assert {face.track_id for face in faces if face.baseline_delta is not None} == {1}


def test_an_image_of_two_people_is_refused(clip, tmp_path):
    picture = read_image(PICTURES / "astronaut.jpg")
    Image.fromarray(np.hstack([picture, picture])).save(tmp_path / "two.png")
    with pytest.raises(InputError, match=r"two\.png: 2 faces in this image: cut out"):
        Analyzer(threads=1).analyze_video(clip, baseline=tmp_path / "two.png")
