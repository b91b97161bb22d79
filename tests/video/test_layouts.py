"""Files in the layouts of other tools are part of a clip's results, and go with its people."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from pyojeong import Analyzer
from pyojeong.cli.console import make_console
from pyojeong.cli.table import convert_results
from pyojeong.core.errors import BadArray, InputError, OutputError
from pyojeong.core.face import Box
from pyojeong.output.layouts import writing
from pyojeong.output.tables import read_json
from pyojeong.verification import verify_path
from pyojeong.video.options import DONE, VideoOptions
from pyojeong.video.process import read_clip
from pyojeong.video.redact import redact
from tests.output.made_layouts import units
from tests.output.test_layouts import read_comma, read_log
from tests.video.made import make_clip

OPTIONS = VideoOptions(
    formats=("json",), layouts=("openface", "pyfeat", "facereader"), pictures=False
)
TWO = {"openface.csv", "pyfeat.csv", "facereader_person1.txt", "facereader_person2.txt"}
OTHERS = {
    "results.jsonl",
    "summary.json",
    "report.html",
    "events.vtt",
    "events.eaf",
    "events.tsv",
    DONE,
}


class TwoPeople(Analyzer):
    """Reads the one person of the clip, and sees a second one beside; action units are made up."""

    def read_faces(self, image, faces):
        read = super().read_faces(image, faces)
        return tuple(replace(face, action_units=units(AU12=0.5)) for face in read)


class _Twice:
    """A detector that finds every face twice, the second time in a corner."""

    def __init__(self, detector):
        self.id = detector.id
        self._detector = detector

    def detect(self, image):
        faces = self._detector.detect(image)
        return (*faces, *(replace(face, box=Box(0, 0, 40, 40), landmarks=None) for face in faces))


@pytest.fixture(scope="module")
def analyzer():
    made = TwoPeople(threads=1, eyes=False)
    made.detector = _Twice(made.detector)
    return made


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", frames=6)


@pytest.fixture
def out(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path / "walk", analyzer, OPTIONS)
    return tmp_path / "walk"


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_they_lie_beside_the_tables_and_are_verified(clip, analyzer, out):
    assert names(out) == TWO | OTHERS
    done = json.loads((out / DONE).read_text())
    assert set(done["outputs"]) == TWO | OTHERS - {DONE}
    assert done["outcome"]["notes"] == [
        "layout openface: not measured in these results, so empty: head pose, gaze",
        "layout pyfeat: not measured in these results, so empty: head pose, gaze, blendshapes",
        "layout facereader: not measured in these results, so FIT_FAILED: head pose, eyes",
    ]
    assert "facereader_person2.txt" in (out / "report.html").read_text()
    assert len(read_comma(out / "openface.csv")) == 12
    assert [row["Action Unit 12 - Lip Corner Puller"] for row in
            read_log(out / "facereader_person2.txt")[1]] == [3] * 6  # fmt: skip
    assert read_clip(clip, out, analyzer, OPTIONS).again
    (out / "facereader_person2.txt").write_text("changed")
    (found,) = [v for v in verify_path(out) if v.path.name == DONE]
    assert not found.ok
    assert "facereader_person2.txt" in found.detail


def test_other_settings_remove_them_and_name_them(clip, analyzer, out):
    outcome = read_clip(clip, out, analyzer, replace(OPTIONS, layouts=("pyfeat",)))
    assert set(outcome.removed) == TWO - {"pyfeat.csv"}
    assert "writing.layouts" in outcome.notes[0]
    assert names(out) == OTHERS | {"pyfeat.csv"}
    outcome = read_clip(clip, out, analyzer, replace(OPTIONS, layouts=()))
    assert outcome.removed == ("pyfeat.csv",)
    assert "layouts" not in json.loads((out / DONE).read_text())["about"]["writing"]


def test_people_who_are_taken_out_are_gone_from_them(clip, analyzer, out):
    before = read_comma(out / "openface.csv")
    changed = redact(out, [1])
    assert set(changed) >= {"openface.csv", "pyfeat.csv", "facereader_person1.txt"}
    assert names(out) == (TWO | OTHERS) - {"facereader_person1.txt"}
    rows = read_comma(out / "openface.csv")
    assert rows == [row for row in before if row["face_id"] == "2"]
    assert rows[0]["AU12_r"] == "2.5"
    assert {row["Identity"] for row in read_comma(out / "pyfeat.csv")} == {"2"}
    assert all(v.ok for v in verify_path(out))
    assert read_clip(clip, out, analyzer, OPTIONS).again
    redact(out, [2])
    assert names(out) == OTHERS | {"openface.csv", "pyfeat.csv", "facereader_nobody.txt"}
    assert {row["success"] for row in read_comma(out / "openface.csv")} == {"0"}
    assert len(read_comma(out / "pyfeat.csv")) == 6
    assert all(v.ok for v in verify_path(out))
    assert not any(frame.faces for frame in read_json(out / "results.jsonl"))


def test_a_redaction_that_was_interrupted_leaves_no_file_with_the_person(out, monkeypatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("pyojeong.video.redact._rewrite", stop)
    with suppress(KeyboardInterrupt):
        redact(out, [1])
    assert not TWO & names(out)
    with pytest.raises(OutputError, match="finish it first: pyojeong video redact"):
        convert_results(out, "openface", None, overwrite=False, console=make_console(stderr=True))
    monkeypatch.undo()
    redact(out, [1])
    assert names(out) == (TWO | OTHERS) - {"facereader_person1.txt"}


def test_files_of_the_user_are_refused(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path, analyzer, replace(OPTIONS, layouts=()))
    (tmp_path / "facereader_person1.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"facereader_person1\.txt: is none of its results"):
        read_clip(clip, tmp_path, analyzer, OPTIONS)
    assert (tmp_path / "facereader_person1.txt").read_text() == "mine"
    read_clip(clip, tmp_path, analyzer, replace(OPTIONS, layouts=("openface",)))
    redact(tmp_path, [1])
    assert (tmp_path / "facereader_person1.txt").read_text() == "mine"


def test_one_that_fails_is_named_and_tried_again(clip, analyzer, tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OutputError("no space")

    monkeypatch.setattr(writing, "FaceReaderSink", full)
    outcome = read_clip(clip, tmp_path, analyzer, OPTIONS)
    assert outcome.failed == (
        "facereader_person1.txt: no space",
        "facereader_person2.txt: no space",
    )
    assert names(tmp_path) >= {"openface.csv", "results.jsonl"}
    monkeypatch.undo()
    assert not read_clip(clip, tmp_path, analyzer, OPTIONS).failed
    assert names(tmp_path) == TWO | OTHERS


def test_from_python(clip, analyzer, tmp_path):
    analyzer.analyze_video(clip, out=tmp_path, layouts=["openface"], report=False)
    assert (tmp_path / "openface.csv").is_file()
    with pytest.raises(InputError, match="layouts: needs out="):
        analyzer.analyze_video(clip, layouts=["openface"])
    with pytest.raises(BadArray, match="layouts: expected a list of names"):
        analyzer.analyze_video(clip, out=tmp_path, layouts="openface")
    with pytest.raises(InputError, match="unknown layout 'openpose'"):
        analyzer.analyze_video(clip, out=tmp_path, layouts=["openpose"])
    with pytest.raises(InputError, match="not together with tables, layouts"):
        VideoOptions(formats=(), aggregate=True, layouts=("pyfeat",))


def test_an_interrupted_writing_is_one_short_line(analyzer, clip, tmp_path, monkeypatch):
    """It was a list of all settings, each "was not given"."""
    folder = tmp_path / "walk"
    with monkeypatch.context() as patch:
        patch.setattr("pyojeong.video.process.write_results", _killed)
        with pytest.raises(KeyboardInterrupt):
            read_clip(clip, folder, analyzer, OPTIONS)
    outcome = read_clip(clip, folder, analyzer, OPTIONS)
    first, *others = outcome.notes
    assert first == "results whose writing was interrupted were made again"
    assert not any("was not given" in line for line in others)


def _killed(*_):
    raise KeyboardInterrupt
