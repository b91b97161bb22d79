"""Layouts of other tools: their columns, signs and words; what was not measured is never zero."""

import csv
import json
import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pyojeong
from pyojeong.core.action_units import BLENDSHAPES
from pyojeong.core.errors import DataError, InputError, OutputError
from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.labels import FERPLUS8
from pyojeong.output.layouts import facereader, openface, pyfeat
from pyojeong.output.layouts.registry import LAYOUTS, is_file_of, is_layout_file
from pyojeong.output.layouts.values import HALF_CLOSED, USUAL_OPENNESS, closure, openface_angles
from pyojeong.output.layouts.writing import Survey, to_layout, write_layout
from pyojeong.runtime.head_pose import rotation_from
from pyojeong.stream import blinks
from tests.output.made_layouts import (
    BARE,
    NAME,
    clip,
    expression,
    frame,
    photographs,
    units,
    whole,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "layouts"


def read_comma(path):
    """Rows of OpenFace or py-feat, with the names stripped as scripts do."""
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    return [dict(zip([name.strip() for name in head], row, strict=True)) for row in rows]


def read_log(path):
    """Read a detailed log from the published list of columns alone: preamble and rows."""
    preamble, rows, head = {}, [], None
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = line.split("\t")
        if head is not None:
            assert len(cells) == len(head)
            row = dict(zip(head, cells, strict=True))
            for name, text in row.items():
                if text in {"FIND_FAILED", "FIT_FAILED", ""}:
                    row[name] = None
                elif name.startswith("Action Unit"):
                    row[name] = ["NotActive", "A", "B", "C", "D", "E"].index(text)
                elif name not in {"Video Time", "Left Eye", "Right Eye"}:
                    row[name] = float(text)
            rows.append(row)
        elif cells[0] == "Video Time":
            head = cells
        elif line:
            preamble[cells[0]] = cells[1] if len(cells) > 1 else ""
    return preamble, rows


def one(face, tmp_path, layout):
    """The row of one face."""
    (path, *_) = to_layout([frame(0), frame(1, face)], tmp_path / "x", layout=layout)
    return (read_log(path)[1] if layout == "facereader" else read_comma(path))[1]


# Columns.


def published(layout):
    """The columns of a tool, from files of its own."""
    text = Path(__file__).with_name("layout_columns.txt").read_text(encoding="utf-8")
    part = text.split(f"[{layout}]\n")[1].split("[")[0]
    for name in part.strip().replace("\n", ", ").split(", "):
        numbered = re.fullmatch(r"(.*_)(\d+)\.\.(\d+)", name)
        if name == "BLENDSHAPES":
            yield from BLENDSHAPES
        elif numbered is None:
            yield name
        else:
            yield from (f"{numbered[1]}{i}" for i in range(int(numbered[2]), int(numbered[3]) + 1))


@pytest.mark.parametrize(
    ("module", "count"), [(openface, 714), (pyfeat, 2183), (facereader, 41)],
    ids=["openface", "pyfeat", "facereader"],
)  # fmt: skip
def test_columns_are_those_of_the_tool(module, count, tmp_path):
    layout = module.__name__.rpartition(".")[2]
    assert list(module.COLUMNS) == list(published(layout))
    assert len(module.COLUMNS) == count
    lines = to_layout(clip(), tmp_path / "x", layout=layout)[0].read_text("utf-8").splitlines()
    head, separator = {"openface": (0, ", "), "pyfeat": (0, ","), "facereader": (8, "\t")}[layout]
    assert lines[head] == separator.join(published(layout))
    assert (BLENDSHAPES[:2], BLENDSHAPES[-1]) == (("_neutral", "browDownLeft"), "noseSneerRight")


# Whole files.


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_are_those_that_were_stored(layout, tmp_path):
    ending = LAYOUTS[layout].ending
    written = to_layout(clip(), tmp_path / f"{layout}{ending}", layout=layout)
    if LAYOUTS[layout].photographs:
        target = tmp_path / f"{layout}_photographs{ending}"
        written += to_layout(photographs(), target, layout=layout)
    assert written
    for path in written:
        assert path.read_text("utf-8") == (GOLDEN / path.name).read_text("utf-8"), path.name


def test_files_of_earlier_results_are_named(tmp_path):
    frames = clip()
    earlier = [tmp_path / "log_person9.txt", tmp_path / "log_nobody.txt"]
    for file in earlier:
        file.write_text("of earlier results", encoding="utf-8")
    (tmp_path / "log_person1.csv").write_text("another layout", encoding="utf-8")
    written = write_layout("facereader", lambda: frames, tmp_path / "log.txt")
    assert written.notes[-1] == (
        "layout facereader: left as they were, of earlier results: log_nobody.txt, log_person9.txt"
    )
    assert all(file.read_text("utf-8") == "of earlier results" for file in earlier)
    again = write_layout("facereader", lambda: frames, tmp_path / "other.txt")
    assert not any("earlier" in note for note in again.notes)


def test_a_log_is_read_by_its_columns_alone(tmp_path):
    first, second = to_layout(clip(), tmp_path / "log.txt", layout="facereader")
    assert (first.name, second.name) == ("log_person1.txt", "log_person2.txt")
    preamble, rows = read_log(first)
    assert list(preamble) == [
        "Video analysis detailed log", "Face Model:", "Calibration:", "Start time:", "Filename:",
        "Frame rate:",
    ]  # fmt: skip
    assert preamble["Filename:"] == "수업 1, day 2\\tx.mp4"
    assert preamble["Frame rate:"] == "25"
    assert [row["Video Time"] for row in rows] == ["00:00:00.000", "00:00:00.040", "00:00:00.080"]
    assert [row["Happy"] for row in rows] == [None, 0.5, None]
    row = rows[1]
    assert row["Valence"] == row["Happy"] - max(
        row[name] for name in ("Sad", "Angry", "Scared", "Disgusted")
    )
    levels = {n[12:14]: level for n, level in row.items() if n.startswith("Action Unit")}
    assert {n: level for n, level in levels.items() if level} == {
        "04": 1, "06": 2, "07": 3, "12": 4, "25": 5, "43": 3,
    }  # fmt: skip
    assert [levels["01"], levels["10"], levels["18"]] == [0, None, None]
    assert (row["Left Eye"], row["Right Eye"]) == ("Closed", "Open")
    lines = second.read_text("utf-8").splitlines()
    assert lines[8].startswith("Video Time\t")  # scripts skip eight lines
    assert "FIT_FAILED" not in lines[9]
    assert "FIND_FAILED" in lines[9]
    assert "FIT_FAILED" in lines[10]
    assert "FIND_FAILED" not in lines[10]


def test_times_of_a_log_round_up_to_the_next_minute():
    assert facereader._clock(3599.9996) == "01:00:00.000"
    assert facereader._clock(61.5) == "00:01:01.500"


@pytest.mark.parametrize(
    ("intensity", "letter"),
    [(0, "NotActive"), (0.099, "NotActive"), (0.1, "A"), (0.2, "B"), (0.399, "B"), (0.4, "C"),
     (0.7, "D"), (0.899, "D"), (0.9, "E"), (1, "E"), (None, "FIT_FAILED")],
)  # fmt: skip
def test_letters_of_action_units(intensity, letter):
    assert facereader.level(None if intensity is None else float(np.float32(intensity))) == letter


# What was not measured.


def test_nothing_that_was_not_measured_is_zero(tmp_path):
    row = one(BARE, tmp_path, "openface")
    known = {"frame", "face_id", "timestamp", "confidence", "success"}
    assert {name for name, text in row.items() if text} == known
    assert {name for name, text in one(BARE, tmp_path, "pyfeat").items() if text} == {
        "FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", "FrameHeight",
        "FrameWidth", "input", "frame", "approx_time", "Identity",
    }  # fmt: skip
    log = one(BARE, tmp_path, "facereader")
    assert {name for name, value in log.items() if value is not None} == {"Video Time"}


def test_units_that_are_never_measured_stay_empty(tmp_path):
    face = replace(whole(), action_units=units())
    row = one(face, tmp_path, "openface")
    empty = {name for name, text in row.items() if name.startswith("AU") and not text}
    assert empty == {"AU10_r", "AU10_c", "AU28_c"}
    assert row["AU12_r"] == "0.0"  # it was measured
    assert row["AU12_c"] == "0"
    row = one(face, tmp_path, "pyfeat")
    empty = {name for name, text in row.items() if name.startswith("AU") and not text}
    assert empty == {"AU10", "AU11", "AU28"}
    assert row["arousal"] == row["X"] == row["Identity_1"] == row["mesh_x_0"] == row["x_0"] == ""
    assert one(face, tmp_path, "facereader")["Arousal"] is None


def test_one_unit_that_was_not_measured_stays_empty(tmp_path):
    some = replace(units(AU1=1.0), intensities=(1.0, *(None,) * 17))
    row = one(replace(BARE, action_units=some), tmp_path, "openface")
    assert {name: text for name, text in row.items() if name.startswith("AU") and text} == {
        "AU01_r": "5.0", "AU01_c": "1",
    }  # fmt: skip


def test_frames_without_faces_have_one_row(tmp_path):
    row = read_comma(to_layout(clip(), tmp_path / "o.csv", layout="openface")[0])[0]
    assert {name: text for name, text in row.items() if text} == {
        "frame": "1", "timestamp": "0.0", "success": "0",
    }  # fmt: skip
    row = read_comma(to_layout(clip(), tmp_path / "p.csv", layout="pyfeat")[0])[0]
    assert {name: text for name, text in row.items() if text} == {
        "FrameHeight": "360", "FrameWidth": "640", "input": NAME, "frame": "0",
        "approx_time": "00:00",
    }  # fmt: skip
    nobody = [frame(0), frame(1)]
    (path,) = to_layout(nobody, tmp_path / "log.txt", layout="facereader")
    assert path.name == "log_nobody.txt"
    assert path.read_text().count("FIND_FAILED") == 2 * 38


def test_units_whose_columns_are_gone_are_named(tmp_path):
    units = whole().action_units
    bare = replace(units, intensities=(None, *units.intensities[1:]))
    frames = [frame(0, replace(whole(), action_units=bare))]
    written = write_layout("pyfeat", lambda: frames, tmp_path / "a.csv")
    assert "layout pyfeat: not in these results, so empty: AU1" in written.notes


@pytest.mark.parametrize("layout", ["openface", "pyfeat", "facereader"])
def test_frames_that_are_there_twice_are_refused(layout, tmp_path):
    frames = [frame(0, whole()), frame(1, whole())]
    for wrong in (frames * 2, frames[::-1], [*frames, frames[1]]):
        with pytest.raises(DataError, match="not in order, or are there twice"):
            to_layout(wrong, tmp_path / "a.csv", layout=layout)
    assert not list(tmp_path.iterdir())


def test_lines_name_what_the_results_lack():
    def notes(layout, *faces):
        survey = Survey()
        survey.add(frame(1, *faces))
        return list(survey.notes(layout))

    assert notes("openface", whole()) == notes("openface") == []
    assert notes("openface", BARE) == [
        "layout openface: not measured in these results, so empty: action units, head pose, gaze"
    ]
    (line,) = notes("facereader", replace(whole(), action_units=None))
    assert line.endswith("so FIT_FAILED: action units")
    contempt = replace(whole(), expression=expression(FERPLUS8, contempt=0.5))
    assert notes("pyfeat", contempt) == [
        "layout pyfeat: it has no column for contempt; the other scores are as they were"
    ]
    assert notes("facereader", contempt) == []
    none = replace(units(), intensities=(None,) * 18)
    assert "action units" in notes("openface", replace(whole(), action_units=none))[0]
    assert notes("openface", replace(whole(), action_units=units())) == []  # zero was measured


# Signs and scales.

LEFT, DOWN, CLOCKWISE = HeadPose(0.3, 0, 0), HeadPose(0, 0.3, 0), HeadPose(0, 0, 0.3)


@pytest.mark.parametrize(
    ("pose", "openface_signs", "own_signs"),
    [(LEFT, (0, -0.3, 0), (0, 0.3, 0)), (DOWN, (0.3, 0, 0), (0.3, 0, 0)),
     (CLOCKWISE, (0, 0, 0.3), (0, 0, 0.3))],
    ids=["to the subject's left", "down", "clockwise in the image"],
)  # fmt: skip
def test_signs_of_heads(pose, openface_signs, own_signs, tmp_path):
    face = replace(BARE, pose=pose)
    row = one(face, tmp_path, "openface")
    found = [float(row[f"pose_R{axis}"]) for axis in "xyz"]
    assert found == pytest.approx(openface_signs, abs=1e-6)
    assert row["pose_Tx"] == ""
    row = one(face, tmp_path, "pyfeat")
    found = [float(row[name]) for name in ("Pitch", "Yaw", "Roll")]
    assert found == pytest.approx(own_signs, abs=1e-6)
    row = one(face, tmp_path, "facereader")
    found = [row[f"{axis} - Head Orientation"] for axis in "XYZ"]
    assert found == pytest.approx([math.degrees(v) for v in own_signs], abs=1e-4)


def rotation_of_openface(rx, ry, rz):
    """R = Rx Ry Rz, from the right-handed rotations about x, y and z."""
    (sx, sy, sz), (cx, cy, cz) = np.sin([rx, ry, rz]), np.cos([rx, ry, rz])
    x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return x @ y @ z


def test_a_turned_nodding_tilted_head_is_the_same_head_in_the_angles_of_openface():
    pose = HeadPose(0.4, -0.3, 0.2)
    angles = openface_angles(pose)
    assert angles != pytest.approx((-0.3, -0.4, 0.2), abs=0.01)  # the order of turns differs
    np.testing.assert_allclose(rotation_of_openface(*angles), rotation_from(pose), atol=1e-9)
    nose = rotation_of_openface(*openface_angles(LEFT)) @ [0, 0, -1]
    assert nose[0] > 0  # the image's right


@pytest.mark.parametrize(
    ("pose", "gaze", "angles"),
    [
        (HeadPose(0, 0, 0), (0.2, 0), (0.2, 0)),
        (HeadPose(0, 0, 0), (0, 0.2), (0, 0.2)),
        (HeadPose(0.3, 0, 0), (0, 0), (0.3, 0)),
        (HeadPose(0.3, 0, 0), (-0.3, 0), (0, 0)),
        (HeadPose(0, 0.2, 0), (0, -0.1), (0, 0.1)),
        (HeadPose(0, 0, math.pi / 2), (0.2, 0), (0, 0.2)),
    ],
    ids=["left", "down", "head left", "head left, eyes back", "head down, eyes up", "lying"],
)
def test_signs_of_gaze(pose, gaze, angles, tmp_path):
    face = replace(BARE, pose=pose, eyes=EyeSignals((1, 1), gaze))
    row = one(face, tmp_path, "openface")
    found = [float(row[f"gaze_angle_{axis}"]) for axis in "xy"]
    assert found == pytest.approx(angles, abs=1e-6)
    vectors = [[float(row[f"gaze_{eye}_{axis}"]) for axis in "xyz"] for eye in (0, 1)]
    assert vectors[0] == vectors[1]
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-6)
    assert vectors[0][2] < 0  # towards the camera
    row = one(face, tmp_path, "pyfeat")
    yaw, pitch = float(row["gaze_yaw"]), float(row["gaze_pitch"])
    assert (yaw, pitch) == pytest.approx(angles, abs=1e-6)
    assert float(row["gaze_angle"]) == pytest.approx(math.hypot(*angles), abs=1e-3)


def test_gaze_needs_the_head(tmp_path):
    face = replace(BARE, eyes=EyeSignals((1, 1), (0.1, 0.1)))
    assert one(face, tmp_path, "openface")["gaze_angle_x"] == ""


@pytest.mark.parametrize(
    ("intensity", "r", "c"), [(0, 0, "0"), (0.199, 0.995, "0"), (0.2, 1, "1"), (1, 5, "1")]
)
def test_scale_and_presence_of_openface(intensity, r, c, tmp_path):
    row = one(replace(BARE, action_units=units(AU12=intensity)), tmp_path, "openface")
    assert float(row["AU12_r"]) == pytest.approx(r, abs=1e-5)
    assert row["AU12_c"] == c


def test_blinks_come_from_action_unit_43_or_from_the_eyes(tmp_path):
    eyes = EyeSignals((0.3, 0.3))
    with_units = replace(BARE, action_units=units(AU43=0.4), eyes=eyes)
    row = one(with_units, tmp_path, "openface")
    assert (float(row["AU45_r"]), row["AU45_c"]) == (pytest.approx(2), "0")
    row = one(replace(BARE, eyes=eyes), tmp_path, "openface")
    assert (float(row["AU45_r"]), row["AU45_c"]) == (pytest.approx(2.5), "1")
    assert closure(replace(BARE, eyes=EyeSignals((1, 0.6)))) == 0
    assert closure(replace(BARE, eyes=EyeSignals((0, 0)))) == 1
    assert closure(BARE) is None
    # As blinks are counted.
    assert USUAL_OPENNESS == blinks.LEAST_USUAL
    assert 1 - HALF_CLOSED == blinks.CLOSING


def test_emotions_and_blendshapes_of_pyfeat(tmp_path):
    face = replace(whole(), expression=expression(FERPLUS8, angry=0.4, contempt=0.3))
    row = one(face, tmp_path, "pyfeat")
    assert float(row["Anger"]) == pytest.approx(0.4)
    assert float(row["Happy"]) == pytest.approx(0.05)
    assert float(row["valence"]) == pytest.approx(0.05 - 0.4)
    assert "Contempt" not in row
    assert one(face, tmp_path, "facereader")["Contempt"] == pytest.approx(0.3)
    assert one(whole(), tmp_path, "facereader")["Contempt"] is None
    assert float(row["jawOpen"]) == BLENDSHAPES.index("jawOpen") / 64


# Photographs, several clips, names.


def test_photographs_are_numbered_and_named(tmp_path):
    table, images = to_layout(photographs(), tmp_path / "o.csv", layout="openface")
    rows = read_comma(table)
    assert [(r["frame"], r["face_id"], r["success"]) for r in rows] == [
        ("1", "0", "1"), ("1", "1", "1"), ("2", "", "0"), ("3", "", "0"),
    ]  # fmt: skip
    assert {r["timestamp"] for r in rows} == {""}
    assert [(r["frame"], r["file"], r["error"]) for r in read_comma(images)] == [
        ("1", "가.jpg", ""), ("2", "b, c.jpg", "b, c.jpg: no such file"), ("3", "d.jpg", ""),
    ]  # fmt: skip
    (table,) = to_layout(photographs(), tmp_path / "p.csv", layout="pyfeat")
    rows = read_comma(table)
    assert [(r["input"], r["frame"], r["approx_time"], r["Identity"]) for r in rows] == [
        ("가.jpg", "0", "", ""), ("가.jpg", "0", "", ""), ("b, c.jpg", "1", "", ""),
        ("d.jpg", "2", "", ""),
    ]  # fmt: skip
    assert [r["FrameWidth"] for r in rows] == ["64", "64", "", "64"]


def test_what_a_layout_has_no_place_for_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds clips only, one file a person"):
        to_layout(photographs(), tmp_path / "x", layout="facereader")
    two = [*clip(), *(replace(f, source="b.mp4") for f in clip())]
    for layout in ("openface", "facereader"):
        with pytest.raises(DataError, match=r"results of 2 clips.*convert the folder of each clip"):
            to_layout(two, tmp_path / "x", layout=layout)
    (path,) = to_layout(two, tmp_path / "x", layout="pyfeat")
    assert {row["input"] for row in read_comma(path)} == {NAME, "b.mp4"}
    with pytest.raises(DataError, match="1 faces have no number of a person"):
        to_layout([frame(1, replace(BARE, track_id=None))], tmp_path / "y", layout="facereader")
    with pytest.raises(InputError, match="unknown layout 'openfase'; did you mean openface"):
        to_layout(clip(), tmp_path / "y", layout="openfase")
    assert {p.name for p in tmp_path.iterdir()} == {"x"}


def test_all_files_or_none(tmp_path):
    def torn():
        yield frame(0)
        yield frame(1, whole())
        if calls.pop():
            raise DataError("damaged")

    calls = [True, False]  # while it is surveyed all is well
    with pytest.raises(DataError, match="damaged"):
        write_layout("facereader", torn, tmp_path / "log.txt")
    (tmp_path / "log_person1.txt").mkdir()
    with pytest.raises(OutputError, match="not an ordinary file"):
        to_layout(clip(), tmp_path / "log.txt", layout="facereader")
    assert [p.name for p in tmp_path.iterdir()] == ["log_person1.txt"]


def test_many_people_are_written_in_several_passes(tmp_path):
    crowd = [frame(0), frame(1, *(replace(BARE, track_id=n) for n in range(1, 131)))]
    files = to_layout(crowd, tmp_path / "log.txt", layout="facereader")
    assert len(files) == 130
    assert read_log(files[129])[1][1]["Video Time"] == "00:00:00.040"
    assert "FIND_FAILED" not in files[129].read_text().splitlines()[-1]


def test_names_of_files_in_results():
    ours = ["openface.csv", "pyfeat.csv", "facereader_person12.txt", "facereader_nobody.txt"]
    assert all(map(is_layout_file, ours))
    assert not any(
        map(is_layout_file, ["openface_images.csv", "facereader_me.txt", "openface.txt"])
    )
    assert is_file_of("facereader_person1.txt", ["facereader"])
    assert not is_file_of("facereader_person1.txt", ["openface"])


# Scripts in the documents.

EXAMPLES = Path(pyojeong.__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def results(tmp_path):
    pytest.importorskip("pandas")
    for layout in LAYOUTS:
        to_layout(clip(), tmp_path / f"{layout}{LAYOUTS[layout].ending}", layout=layout)
    return tmp_path


def test_the_script_in_python_reads_every_layout(results):
    command = [sys.executable, "-W", "error", EXAMPLES / "read_layouts.py", results]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert said["openface"]["1"]["AU12_r"] == pytest.approx(3.5)
    assert said["openface"]["2"]["AU12_r"] is None
    assert said["pyfeat"]["1"]["AU12"] == pytest.approx(0.7)
    assert said["facereader"]["1"]["AU12"] == 4
    assert said["facereader"]["2"]["AU12"] is None


def test_the_script_in_python_names_layouts_that_are_not_there(results):
    (results / "pyfeat.csv").unlink()
    command = [sys.executable, "-W", "error", EXAMPLES / "read_layouts.py", results]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"{results}: has no files in the layout pyfeat\n"
    assert set(json.loads(done.stdout)) == {"openface", "facereader"}


def test_the_script_in_r_reads_openface(results):
    program = shutil.which("Rscript")
    assert program is not None, "R is not installed: `make system`"
    command = [program, EXAMPLES / "read_openface.R", results / "openface.csv"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=results
    )
    assert done.returncode == 0, done.stderr
    assert "AU12_r" in done.stdout
    assert (results / "openface.units.pdf").stat().st_size
