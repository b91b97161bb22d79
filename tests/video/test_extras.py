"""An extra that fails never costs the results, and times agree wherever they are written."""

import json
import re
from xml.etree import ElementTree as ET

import av
import numpy as np
import pytest

from pyojeong import Analyzer, read_video
from pyojeong.core.errors import DataError, VideoUnreadable
from pyojeong.output.tables import read_csv
from pyojeong.stream.segments import Selection
from pyojeong.video import render as render_module
from pyojeong.video.options import VideoOptions
from pyojeong.video.process import CHECKPOINT, DONE, read_clip
from pyojeong.video.redact import redact
from tests.stream.made import ffmpeg
from tests.video.made import make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "walk.mp4", frames=15)


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1)


def options(**more):
    return VideoOptions(**{"formats": ("csv",), "hold_s": 0.0, **more})


def fail(*_args, **_options):
    raise RuntimeError("no room\nfor this")


EXTRAS = {
    "annotated.mp4": "ClipFile",
    "events.vtt": "write_vtt",
    "events.eaf": "write_eaf",
    "report.html": "write_report",
}


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_that_fails_costs_nothing_else(clip, analyzer, tmp_path, monkeypatch, name):
    (tmp_path / name).write_text("of an earlier run")
    with monkeypatch.context() as patch:
        patch.setattr(render_module, EXTRAS[name], fail)
        outcome = read_clip(clip, tmp_path, analyzer, options(annotate=True))
    assert outcome.failed == (f"{name}: RuntimeError: no room for this",)
    assert not (tmp_path / name).exists()
    assert len(list(read_csv(tmp_path / "results.csv"))) == 15
    there = {p.name for p in tmp_path.iterdir()}
    assert there >= {"summary.json", "results.csv", DONE, *(set(EXTRAS) - {name})}
    if name != "report.html":
        assert "no room for this" in (tmp_path / "report.html").read_text()
    # The same command tries it again, without reading the clip once more.
    again = read_clip(clip, tmp_path, analyzer, options(annotate=True), progress=fail)
    assert again.failed == ()
    assert (tmp_path / name).exists()
    assert not (tmp_path / CHECKPOINT).exists()


def test_redaction_takes_the_checkpoint_of_a_failed_extra_too(
    clip, analyzer, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(render_module, "ClipFile", fail)
        read_clip(clip, tmp_path, analyzer, options(annotate=True))
    assert (tmp_path / CHECKPOINT).exists()
    redact(tmp_path, [1])
    assert not (tmp_path / CHECKPOINT).exists()
    assert read_clip(clip, tmp_path, analyzer, options(annotate=True)).again


def test_a_drawing_that_fails_midway_keeps_the_images_of_the_report(
    clip, analyzer, tmp_path, monkeypatch
):
    monkeypatch.setattr(render_module._Drawing, "write", fail)
    outcome = read_clip(clip, tmp_path, analyzer, options(annotate=True))
    assert [line.partition(":")[0] for line in outcome.failed] == ["annotated.mp4"]
    assert "data:image" in (tmp_path / "report.html").read_text()
    assert not list(tmp_path.glob("*annotated*"))


# --- times ---


def late(clip, path, *more):
    """The clip with a clock that begins at 10:00:01."""
    ffmpeg("-i", clip, "-c", "copy", *more, "-output_ts_offset", 36_001, path)
    return path


def vtt_times(path):
    stamps = re.findall(
        r"(\d+):(\d\d):(\d\d\.\d{3}) --> (\d+):(\d\d):(\d\d\.\d{3})", path.read_text()
    )
    numbers = [
        [int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in (x[:3], x[3:])] for x in stamps
    ]
    return [tuple(pair) for pair in numbers]


def eaf_times(path):
    root = ET.parse(path).getroot()
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE")) / 1000 for s in root.iter("TIME_SLOT")}
    notes = root.iter("ALIGNABLE_ANNOTATION")
    return sorted((slots[n.get("TIME_SLOT_REF1")], slots[n.get("TIME_SLOT_REF2")]) for n in notes)


def same(one, other):
    return np.array(one) == pytest.approx(np.array(other), abs=2e-3)


def picture_times(path):
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


@pytest.mark.parametrize("ending", ["ts", "mkv", "mp4"])
def test_times_count_from_the_beginning_and_agree(clip, analyzer, tmp_path, ending):
    path = late(clip, tmp_path / f"late.{ending}")
    out = tmp_path / "out"
    outcome = read_clip(path, out, analyzer, options(annotate=True))
    times = [r.time_s for r in read_csv(out / "results.csv")]
    assert times == pytest.approx([i / 25 for i in range(15)], abs=0.09)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["clock"]["zero"] == "the clip's beginning"
    assert summary["clock"]["container_start_s"] == pytest.approx(36_001, abs=2)
    assert any("its own clock begins at 3600" in note for note in outcome.notes)
    assert "its own clock shows 3600" in (out / "report.html").read_text()
    events = [(e["start_s"], e["end_s"]) for e in summary["events"]]
    assert events
    assert same(vtt_times(out / "events.vtt"), events)
    assert same(eaf_times(out / "events.eaf"), events)
    assert picture_times(out / "annotated.mp4") == pytest.approx(times, abs=2e-3)


@pytest.mark.parametrize("ending", ["ts", "mp4"])
def test_a_range_counts_from_the_beginning(clip, analyzer, tmp_path, ending):
    path = late(clip, tmp_path / f"late.{ending}")
    chosen = Selection(start_s=0.2, end_s=0.4)
    read_clip(path, tmp_path, analyzer, options(annotate=True, selection=chosen))
    times = [r.time_s for r in read_csv(tmp_path / "results.csv")]
    assert len(times) == 5
    assert all(0.2 <= t < 0.4 for t in times)
    clock = json.loads((tmp_path / "summary.json").read_text())["clock"]
    assert clock["annotated_start_s"] == 0.2
    shown = [t + 0.2 for t in picture_times(tmp_path / "annotated.mp4")]
    assert shown == pytest.approx(times, abs=2e-3)
    of_clip, of_annotated = (vtt_times(tmp_path / f"{n}.vtt") for n in ("events", "annotated"))
    moved = [(a + 0.2, b + 0.2) for a, b in of_annotated]
    assert same(moved, of_clip)
    names = [r.time_s for r in read_video(path, analyzer=analyzer, start_s=0.2, end_s=0.4)]
    assert names == times


@pytest.mark.parametrize("span", [{"start_s": 9.0}, {"start_s": 0.201, "end_s": 0.202}])
def test_a_range_without_frames_is_an_error_that_names_the_length(clip, analyzer, tmp_path, span):
    says = r"walk\.mp4: no frame between .* the clip is 0\.60 s long.*; choose --start and --end"
    chosen = options(selection=Selection(**span))
    with pytest.raises(VideoUnreadable, match=says):
        read_clip(clip, tmp_path / "out", analyzer, chosen)
    assert not (tmp_path / "out").exists()
    with pytest.raises(VideoUnreadable, match=says):
        list(read_video(clip, analyzer=analyzer, **span))


def test_an_empty_range_leaves_earlier_results_alone(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path, analyzer, options())
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(VideoUnreadable, match="no frame"):
        read_clip(clip, tmp_path, analyzer, options(selection=Selection(start_s=9)))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_an_end_behind_the_end_is_said(clip, analyzer, tmp_path):
    outcome = read_clip(clip, tmp_path, analyzer, options(selection=Selection(end_s=60)))
    assert outcome.frames == 15
    assert outcome.notes == ("--end 60 s lies behind its end; it is 0.60 s long",)


def test_results_of_the_containers_clock_are_read_again(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path, analyzer, options())
    done = json.loads((tmp_path / DONE).read_text())
    del done["about"]["reading"]["times"]
    done.pop("checksum")
    (tmp_path / DONE).write_text(json.dumps(done))
    assert not read_clip(clip, tmp_path, analyzer, options()).again
    with pytest.raises(DataError):
        redact(tmp_path, [7])
