"""Epochs hold exactly what a plain computation over all frames gives; files of them are results."""

import csv
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyojeong import Analyzer, read_csv
from pyojeong.cli.app import main
from pyojeong.core.action_units import ACTION_UNITS, SIDED_UNITS, ActionUnits
from pyojeong.core.errors import DataError, InputError
from pyojeong.core.face import FrameResult
from pyojeong.core.labels import FER7
from pyojeong.output.spreadsheet import is_marked
from pyojeong.runtime.face_measures import action_unit_grade
from pyojeong.verification import verify_path
from pyojeong.video.analysis import write_report
from pyojeong.video.coded_events.epoch import Epoch, EventList
from pyojeong.video.epochs import EpochCounter, read_epochs, without_tracks, write_epochs
from pyojeong.video.measured_epochs import MeasuredEpochs
from pyojeong.video.options import DONE, EPOCHS, VideoOptions
from pyojeong.video.process import read_clip
from pyojeong.video.redact import redact
from pyojeong.video.report import ReportFacts
from pyojeong.video.report import write_report as write_page
from pyojeong.video.summary import Summary
from tests.video.made import face, make_clip

CODED = Path(__file__).parent / "coded"


def units(*values, activation=None, changes=None):
    """Action units with these intensities and changes; the rest was not measured."""
    full = [*values, *[None] * (len(ACTION_UNITS) - len(values))]
    sides = (None,) * len(SIDED_UNITS)
    deltas = None
    if changes is not None:
        deltas = (*changes, *[None] * (len(ACTION_UNITS) - len(changes)))
    return ActionUnits(tuple(full), sides, sides, deltas, activation)


def counted(frames, epochs):
    """The rows of these frames, and their summary."""
    counter, summary = EpochCounter(FER7, epochs), Summary(FER7)
    for frame in frames:
        counter.add(frame)
        summary.add(frame)
    return counter.finish().records(summary.finish()), summary


def frame(index, time_s, *faces):
    return FrameResult("clip.mp4", index, time_s, (640, 360), tuple(faces), ("a", "b"))


# --- against a plain computation ---

NAMES = [
    *(f"score_{name}" for name in FER7.names),
    "valence",
    "AU1",
    "AU2",
    "AU1_delta",
    "activation",
    "openness",
]


def values_of(one):
    out = dict.fromkeys(NAMES)
    out |= {f"score_{k}": v for k, v in one.expression.by_label().items()}
    out["valence"] = one.expression.valence
    if one.action_units is not None:
        out["AU1"], out["AU2"] = one.action_units["AU1"], one.action_units["AU2"]
        out["AU1_delta"] = (one.action_units.baseline_delta or {}).get("AU1")
        out["activation"] = one.action_units.activation
    if one.eyes is not None:
        out["openness"] = sum(one.eyes.openness) / 2
    return out


def plain(frames, epoch, track):
    """What a row must hold, from lists of frames and their durations."""
    times = [f.time_s for f in frames]
    steps = [b - a for a, b in pairwise(times)]
    steps.append(steps[-1] if steps else 0.0)
    inside = [
        (one, step)
        for f, step in zip(frames, steps, strict=True)
        if epoch.start_s <= f.time_s < epoch.end_s
        for one in f.faces
        if one.track_id == track
    ]
    out = {"frames": len(inside), "valid_s": sum(step for _, step in inside)}
    for name in NAMES:
        known = [(v, step) for one, step in inside if (v := values_of(one)[name]) is not None]
        total = sum(step for _, step in known)
        out[f"{name}_mean"] = sum(v * step for v, step in known) / total if total else None
        out[f"{name}_peak"] = max((v for v, _ in known), default=None)
        if name.startswith("score_"):
            label = name.removeprefix("score_")
            shown = sum(step for one, step in inside if one.expression.label == label)
            out[f"{name}_share"] = shown / total if total else None
        elif name in ACTION_UNITS:
            shown = sum(step for v, step in known if v >= 0.5)
            out[f"{name}_share"] = shown / total if total else None
    return out


intensity = st.one_of(st.none(), st.floats(0, 1, width=32))
faces = st.builds(
    lambda label, score, opened, one, two, act, change: face(
        label, 1, score, openness=opened,
        action_units=units(one, two, activation=act, changes=[change]),
    ),
    st.sampled_from(FER7.names), st.floats(0.2, 0.95),
    st.one_of(st.none(), st.floats(0, 1)), intensity, intensity, intensity,
    st.one_of(st.none(), st.floats(-1, 1, width=32)),
)  # fmt: skip
instants = st.integers(0, 4000).map(lambda n: n / 1000)


@st.composite
def clips(draw):
    """Frames at irregular times with up to two people, and epochs."""
    times = sorted(draw(st.sets(instants, min_size=2, max_size=12)))
    made = []
    for index, time_s in enumerate(times):
        found = [
            replace(one, track_id=track)
            for track in (1, 2)
            if (one := draw(st.one_of(st.none(), faces))) is not None
        ]
        made.append(frame(index, time_s, *found))
    edges = st.tuples(instants, instants).filter(lambda pair: pair[0] < pair[1])
    spans = draw(st.lists(edges, min_size=1, max_size=4))
    epochs = [Epoch(draw(st.sampled_from("ab")), *span) for span in sorted(spans)]
    return made, epochs


@settings(max_examples=150, deadline=None)
@given(clips())
def test_rows_are_what_a_plain_computation_gives(clip):
    made, epochs = clip
    rows, summary = counted(made, epochs)
    tracks = sorted(summary.people) or [None]
    assert [(r["label"], r["start_s"], r["end_s"], r["track_id"]) for r in rows] == [
        (e.label, e.start_s, e.end_s, track) for e in epochs for track in tracks
    ]
    for number, row in enumerate(rows):
        right = plain(made, epochs[number // len(tracks)], row["track_id"])
        for key, value in right.items():
            if key not in row:  # never measured in this clip
                assert value is None
            elif value is None:
                assert row[key] is None
            else:
                assert row[key] == pytest.approx(value, abs=2e-6), key


def test_means_follow_the_time_that_frames_stand_for():
    """A frame that is shown for 3 s counts three times as much as one shown for 1 s."""
    made = [frame(0, 0.0, face("happy", score=0.9)), frame(1, 3.0, face("sad", score=0.9)),
            frame(2, 4.0, face("sad", score=0.9))]  # fmt: skip
    (row,), _ = counted(made, [Epoch("a", 0, 4)])
    assert row["score_happy_share"] == 0.75
    assert row["score_happy_mean"] == pytest.approx(0.75 * 0.9 + 0.25 * 0.1 / 6, abs=1e-6)
    assert row["valid_s"] == 4
    assert (row["valence_peak"], row["valence_low"]) == pytest.approx((0.8833, -0.8833), abs=1e-4)


def test_a_frame_belongs_from_the_begin_on_and_before_the_end():
    made = [frame(i, i / 10, face()) for i in range(10)]
    rows, _ = counted(made, [Epoch("a", 0.1, 0.3), Epoch("b", 0.3, 0.9)])
    assert [row["frames"] for row in rows] == [2, 6]
    # 0.1 + 0.2 is a little more than 0.3 for computers
    (row,), _ = counted(made, [Epoch("a", 0.1 + 0.2, 0.8)])
    assert row["frames"] == 5


def test_an_epoch_without_a_face_keeps_its_row():
    made = [frame(i, i / 10, *([face()] if i < 5 else [])) for i in range(10)]
    rows, _ = counted(made, [Epoch("a", 0, 0.5), Epoch("b", 0.5, 1)])
    assert [(row["label"], row["track_id"], row["frames"]) for row in rows] == [
        ("a", 1, 5), ("b", 1, 0)]  # fmt: skip
    assert rows[1]["valid_s"] == 0
    assert rows[1]["score_happy_mean"] is None
    nobody, _ = counted([frame(i, i / 10) for i in range(9)], [Epoch("a", 0, 0.5)])
    assert [(row["track_id"], row["frames"]) for row in nobody] == [(None, 0)]


def test_a_single_frame_has_means():
    rows, _ = counted([frame(0, 1.0, face("happy"))], [Epoch("a", 0, 2)])
    assert rows[0]["score_happy_mean"] == pytest.approx(0.7)
    assert rows[0]["valid_s"] == 0


def test_blinks_are_those_of_the_summary():
    closed = {30, 31, 80, 81, 82}
    made = [frame(i, i / 25, face(openness=0.1 if i in closed else 0.9)) for i in range(150)]
    epochs = [Epoch("a", 0, 2), Epoch("b", 2, 6), Epoch("c", 5, 6)]
    rows, summary = counted(made, epochs)
    assert [row["blinks"] for row in rows] == [1, 1, 0]
    assert rows[0]["blinks"] + rows[1]["blinks"] == summary.to_dict()["people"][0]["blinks"]
    assert [row["blinks_per_minute"] for row in rows] == [30, 15, 0]
    unmeasured, _ = counted([frame(i, i / 25, face()) for i in range(50)], epochs[:1])
    assert "blinks" not in unmeasured[0]


def test_a_unit_counts_from_a_half_on():
    made = [frame(i, i / 10, face(action_units=units(v))) for i, v in enumerate((0.5, 0.49, 1.0))]
    (row,), _ = counted(made, [Epoch("a", 0, 1)])
    assert row["AU1_share"] == pytest.approx(2 / 3)
    assert row["AU1_peak"] == 1
    assert "AU2_mean" not in row
    assert "activation_mean" not in row


def test_changes_from_the_baseline_have_columns():
    pairs = ((-0.5, 0.0), (0.1, 0.2), (0.4, 0.4))
    made = [
        frame(i, i / 10, face(action_units=units(0.5, changes=pair)))
        for i, pair in enumerate(pairs)
    ]
    (row,), _ = counted(made, [Epoch("a", 0, 1)])
    assert row["AU1_delta_mean"] == pytest.approx(0)
    assert (row["AU1_delta_peak"], row["AU1_delta_low"]) == (0.4, -0.5)
    assert row["AU2_delta_mean"] == pytest.approx(0.2)
    assert "AU1_delta_share" not in row
    assert "AU4_delta_mean" not in row


# --- the table ---


def test_the_table_comes_back(tmp_path):
    made = [frame(i, i / 10, face(openness=0.9, action_units=units(0.3))) for i in range(10)]
    names = ['=1+1, "smile"', "미소\n둘"]
    rows, _ = counted(made, [Epoch(names[0], 0, 0.5, "-tier"), Epoch(names[1], 0.5, 3, "", "m")])
    for excel in (False, True):
        write_epochs(tmp_path / "e.csv", rows, excel=excel)
        assert read_epochs(tmp_path / "e.csv") == rows
        assert is_marked(tmp_path / "e.csv") == excel
    (tmp_path / "e.csv").write_text("label,frames\na,many\n")
    with pytest.raises(DataError, match="could not be read"):
        read_epochs(tmp_path / "e.csv")


def test_people_leave_and_epochs_stay():
    made = [frame(i, i / 10, face(track=1), face(track=2)) for i in range(10)]
    rows, _ = counted(made, [Epoch("a", 0, 0.5), Epoch("a", 0, 0.5), Epoch("b", 0.5, 1)])
    assert len(rows) == 6
    assert [r["track_id"] for r in without_tracks(rows, {1})] == [2, 2, 2]
    empty = without_tracks(rows, {1, 2})
    assert [(r["label"], r["track_id"], r["frames"]) for r in empty] == [
        ("a", None, 0), ("a", None, 0), ("b", None, 0)]  # fmt: skip
    assert {v for r in empty for k, v in r.items() if k.startswith("score")} == {None}


# --- clips ---


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "walk.mp4", frames=15)


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1)


TRIALS = EventList("trials.csv", (Epoch("baseline", 0, 0.2), Epoch("film", 0.2, 5)))


def options(**more):
    return VideoOptions(**{"formats": ("csv",), "pictures": False, "events": TRIALS, **more})


def test_epochs_are_results_like_all_others(clip, analyzer, tmp_path):
    outcome = read_clip(clip, tmp_path, analyzer, options())
    assert "trials.csv: 1 event cut to 0 s to 0.60 s (film at 0.2-5 s)" in outcome.notes
    rows = read_epochs(tmp_path / EPOCHS)
    assert [(r["label"], r["start_s"], r["end_s"], r["frames"]) for r in rows] == [
        ("baseline", 0, 0.2, 5), ("film", 0.2, 0.6, 10)]  # fmt: skip
    frames = list(read_csv(tmp_path / "results.csv"))
    scores = [f.faces[0].expression.by_label()["happy"] for f in frames]
    assert rows[0]["score_happy_mean"] == pytest.approx(np.mean(scores[:5]), abs=1e-5)
    assert rows[1]["score_happy_peak"] == pytest.approx(max(scores[5:]), abs=1e-5)
    summary = json.loads((tmp_path / "summary.json").read_text())["epochs"]
    assert summary["number"] == 2
    assert summary["file"] == "trials.csv"
    assert EPOCHS in json.loads((tmp_path / DONE).read_text())["outputs"]
    assert all(v.ok for v in verify_path(tmp_path))
    assert read_clip(clip, tmp_path, analyzer, options()).again
    (tmp_path / EPOCHS).write_text("changed")
    assert any("epochs.csv" in v.detail for v in verify_path(tmp_path) if not v.ok)


def test_other_events_make_the_results_again_and_none_removes_them(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path, analyzer, options())
    again = read_clip(clip, tmp_path, analyzer, options(events=EventList("b", TRIALS.epochs[:1])))
    assert not again.again
    assert len(read_epochs(tmp_path / EPOCHS)) == 1
    assert read_clip(clip, tmp_path, analyzer, options(events=None)).removed == (EPOCHS,)
    assert not (tmp_path / EPOCHS).exists()


def test_events_outside_the_clip_stop_it_before_it_is_read(clip, analyzer, tmp_path):
    late = EventList("late.csv", (Epoch("a", 100, 101),))
    with pytest.raises(InputError, match=r"late.csv: no event lies in what is read of the clip"):
        read_clip(clip, tmp_path / "out", analyzer, options(events=late))
    assert not (tmp_path / "out" / "results.csv").exists()


def test_events_behind_the_last_frame_leave_earlier_results(clip, analyzer, tmp_path):
    """A container may state too little, so that such events are refused after the reading."""
    read_clip(clip, tmp_path, analyzer, options())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    late = EventList("late.csv", (Epoch("a", 0.9, 1.1),))
    with pytest.raises(InputError, match=r"no event lies in .*, 0 s to 0\.60 s \(a at 0\.9-1\.1 s"):
        read_clip(clip, tmp_path, analyzer, options(events=late))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("aggregate", [False, True])
def test_redaction_takes_people_out_of_epochs(clip, analyzer, tmp_path, aggregate):
    more = {"formats": (), "aggregate": True} if aggregate else {}
    read_clip(clip, tmp_path, analyzer, options(**more))
    assert EPOCHS in redact(tmp_path, [1])
    rows = read_epochs(tmp_path / EPOCHS)
    assert [(r["label"], r["track_id"], r["frames"]) for r in rows] == [
        ("baseline", None, 0), ("film", None, 0)]  # fmt: skip
    assert all(v.ok for v in verify_path(tmp_path))


def test_from_python(clip, analyzer, tmp_path):
    trials = [(0, 0.2, "baseline"), (0.2, 0.6, "film")]
    video = analyzer.analyze_video(clip, events=trials, eyes=False)
    assert [(r["label"], r["frames"]) for r in video.epochs] == [("baseline", 5), ("film", 10)]
    same = analyzer.analyze_video(clip, events=CODED / "trials.csv", eyes=False)
    means = [[r["score_sad_mean"] for r in each.epochs] for each in (same, video)]
    assert means[0] == pytest.approx(means[1], abs=2e-6)  # they are rounded to six digits
    page = video.write_report(tmp_path / "a.html", pictures=False).read_text()
    assert "Coded events" in page
    assert ">baseline<" in page
    assert analyzer.analyze_video(clip, eyes=False, stride=5).epochs == []
    with pytest.raises(InputError, match="need events="):
        analyzer.analyze_video(clip, event_window_s=1)
    with pytest.raises(InputError, match="needs events= with a file of BORIS"):
        analyzer.analyze_video(clip, events=trials, observation="x")


def run(*args):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    return int(stop.value.code or 0)


def test_the_command_with_several_clips(clip, tmp_path, capsys):
    make_clip(tmp_path / "other.mp4", frames=8)
    out = tmp_path / "out"
    few = ("-f", "csv", "--no-report", "--no-eyes")
    given = ("video", clip, tmp_path / "other.mp4", "--out", out, *few)
    assert run(*given, "--events", CODED / "trials.csv") == 0
    with (out / EPOCHS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    own = [("walk", "baseline"), ("walk", "film"), ("other", "baseline"), ("other", "film")]
    assert [(r["clip"], r["label"]) for r in rows] == own
    assert "events" in (out / "settings.toml").read_text()
    assert all(v.ok for v in verify_path(out))
    capsys.readouterr()
    assert run("video", "--config", out / "settings.toml", "--out", out) == 0
    assert "there already" in capsys.readouterr().out
    assert run(*given) == 0  # without events, the tables of before go
    assert "epochs.csv" in capsys.readouterr().err
    assert not (out / EPOCHS).exists()


def test_the_command_names_what_is_wrong(clip, tmp_path, capsys):
    few = ("-f", "csv", "--no-report", "--no-eyes", "--out", tmp_path / "out")
    assert run("video", clip, *few, "--event-window", "1") != 0
    assert "need --events FILE" in " ".join(capsys.readouterr().err.split())
    assert run("video", clip, *few, "--events", tmp_path / "none.csv") != 0
    assert "no such file" in capsys.readouterr().err
    other = make_clip(tmp_path / "third.mp4", frames=5)
    assert run("video", other, clip, *few, "--events", CODED / "study.boris") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "study.boris: is about walk.mp4, other.mp4, not third.mp4" in said
    assert (tmp_path / "out" / "walk" / EPOCHS).exists()  # the other clip is read


# --- the report ---


def test_the_report_shows_events_units_and_valence(tmp_path):
    rng = np.random.default_rng(0)
    made = [
        frame(i, i / 5, *(face("happy", track, action_units=units(*rng.random(18)), openness=0.9)
                          for track in (1, 2, 3)))
        for i in range(60)
    ]  # fmt: skip
    labels = ["baseline", "<b>film</b>", "말하기"]
    events = EventList("a.csv", tuple(Epoch(x, 3 * i, 3 * i + 3) for i, x in enumerate(labels)))
    epochs, summary = MeasuredEpochs(FER7, events), Summary(FER7)
    for each in made:
        epochs.add(each)
        summary.add(each)
    summary.finish()
    epochs.finish()
    facts = ReportFacts(clip="a.mp4", settings={}, card={}, decoded=60, epochs=epochs)
    page = write_page(tmp_path / "a.html", summary, facts).read_text(encoding="utf-8")
    for words in ("Valence", "Coded events", "말하기", "&lt;b&gt;film&lt;/b&gt;"):
        assert words in page
    assert all(
        f">{unit} {words} ({action_unit_grade(unit)})<" in page
        for unit, words in ACTION_UNITS.items()
    )
    assert "AU12 lip corner puller (good)" in page
    assert "AU14 dimpler (weak)" in page
    assert "do not publish weak ones" in page
    assert "<b>film" not in page
    assert page.count("<script") == 2  # the player and its data
    # As many small charts as units, and two charts of means for every label.
    assert page.count("intensity over time, 0 to 1") == 18
    assert page.count(">AU14 (weak)<") == len(labels)
    assert page.count("mean per person") == 2 * len(labels)


def test_the_report_shows_changes_and_faces_without_units(tmp_path):
    nothing = ActionUnits((None,) * 18, (None,) * 11, (None,) * 11)
    made = [
        frame(
            i,
            i / 5,
            face(action_units=units(0.5, activation=0.3, changes=(0.3,)) if i > 3 else nothing),
        )
        for i in range(10)
    ]
    page = write_report(made, tmp_path / "a.html", pictures=False).read_text()
    assert "Activation over time, 0 to 0.5." in page
    assert "AU*_delta" in page
    assert ">faces: action units not measured</td><td" in page.replace("</th>", "</td>")
    assert "40.0 %: covered, turned away, too small" in page
    unchanged = [frame(i, i / 5, face(action_units=units(0.5))) for i in range(10)]
    page = write_report(unchanged, tmp_path / "b.html", pictures=False).read_text()
    assert "Activation" not in page
    assert "AU*_delta" not in page
    assert "0.0 %: covered, turned away, too small" in page


def test_a_report_without_events_and_units_has_no_sections_of_them(tmp_path):
    made = [frame(i, i / 5, face()) for i in range(10)]
    page = write_report(made, tmp_path / "a.html", pictures=False).read_text()
    assert "Valence" in page
    assert "Coded events" not in page
    assert "Action units" not in page


def test_a_spreadsheet_runs_no_part_of_a_cell(tmp_path):
    """Where semicolons separate cells, ``a;=1+1`` would be two, the second a formula."""
    made = [frame(i, i / 10, face()) for i in range(5)]
    rows, _ = counted(made, [Epoch("a;=1+1", 0, 0.4, "b\t=2+2", "=3")])
    write_epochs(tmp_path / "e.csv", rows, excel=True)
    line = (tmp_path / "e.csv").read_text(encoding="utf-8").splitlines()[1]
    assert line.startswith('"a;=1+1","b\t=2+2",\'=3,')
    assert read_epochs(tmp_path / "e.csv") == rows


def test_a_carriage_return_breaks_no_row(tmp_path):
    made = [frame(i, i / 10, face()) for i in range(5)]
    rows, _ = counted(made, [Epoch("a\rb", 0, 0.4)])
    write_epochs(tmp_path / "e.csv", rows)
    assert read_epochs(tmp_path / "e.csv") == rows
