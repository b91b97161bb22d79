"""From a clip to results: whole, repeatable, resumable after a kill, clear about bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import pytest

from pyojeong import Analyzer
from pyojeong.core.errors import InputError, MissingExtra, OutputError, VideoUnreadable
from pyojeong.output.tables import read_csv, read_json, read_parquet
from pyojeong.stream.segments import Selection
from pyojeong.video.options import VideoOptions
from pyojeong.video.process import CHECKPOINT, DONE, read_clip
from tests.stream.made import pattern
from tests.video.made import make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "walk.mp4")


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1, eyes=True)


EVERYTHING = VideoOptions(
    formats=("parquet", "csv", "json"), annotate=True, smooth_s=0.1, baseline_s=(0.0, 0.4)
)


def bytes_of(folder):
    """Everything but the clip, which x264 does not always write bit for bit alike."""
    left_out = {DONE, "annotated.mp4"}
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name not in left_out}


def frames_of(folder):
    """Times and images of the annotated clip."""
    with av.open(str(folder / "annotated.mp4")) as clip:
        return [(f.pts, f.to_ndarray(format="gray").astype(int)) for f in clip.decode(video=0)]


def assert_same(one, other):
    assert bytes_of(one) == bytes_of(other)
    for (t, a), (u, b) in zip(frames_of(one), frames_of(other), strict=True):
        assert t == u
        assert abs(a - b).mean() < 1


def test_everything_that_was_asked_for_is_there_and_agrees(clip, analyzer, tmp_path):
    outcome = read_clip(clip, tmp_path, analyzer, EVERYTHING)
    assert (outcome.frames, outcome.people, outcome.error) == (30, 1, "")
    names = {p.name for p in tmp_path.iterdir()}
    tables = {"results.parquet", "results.csv", "results.jsonl"}
    assert names == tables | {
        "annotated.mp4", "report.html", "summary.json", "events.vtt", "events.eaf", "events.tsv",
        DONE,
    }  # fmt: skip
    parquet = list(read_parquet(tmp_path / "results.parquet"))
    assert parquet == list(read_csv(tmp_path / "results.csv"))
    assert parquet == list(read_json(tmp_path / "results.jsonl"))
    assert [r.index for r in parquet] == list(range(30))
    for result in parquet:
        (face,) = result.faces
        assert face.expression is not None
        assert face.smoothed is not None
        assert face.pose is not None
        assert face.baseline_delta is not None
        assert abs(sum(face.baseline_delta)) < 1e-6
        assert face.track_id == 1
    told = json.loads((tmp_path / "summary.json").read_text())
    assert told["people"][0]["share"]["happy"] > 0.9
    with av.open(str(tmp_path / "annotated.mp4")) as made:
        assert made.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in made.decode(video=0)) == 30


def test_the_same_again_gives_the_same_bytes(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path / "a", analyzer, EVERYTHING)
    read_clip(clip, tmp_path / "b", analyzer, EVERYTHING)
    assert_same(tmp_path / "a", tmp_path / "b")


def test_finished_clips_are_left_alone_until_something_else_is_wanted(clip, analyzer, tmp_path):
    options = VideoOptions(formats=("csv",), pictures=False)
    assert not read_clip(clip, tmp_path, analyzer, options).again
    before = (tmp_path / "results.csv").stat().st_mtime_ns
    again = read_clip(clip, tmp_path, analyzer, options)
    assert again.again
    assert again.frames == 30
    assert (tmp_path / "results.csv").stat().st_mtime_ns == before
    other = VideoOptions(formats=("csv",), pictures=False, selection=Selection(stride=2))
    assert read_clip(clip, tmp_path, analyzer, other).frames == 15


class StopAt:
    """A progress that breaks a run off, as a power cut would."""

    def __init__(self, frames):
        self.frames = frames

    def __call__(self, _time, frames):
        if frames >= self.frames:
            raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_to_the_same_bytes(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path / "a", analyzer, EVERYTHING)
    for stop in (4, 9, 6):
        with pytest.raises(KeyboardInterrupt):
            read_clip(clip, tmp_path / "b", analyzer, EVERYTHING, progress=StopAt(stop))
        assert (tmp_path / "b" / CHECKPOINT).exists()
        assert not (tmp_path / "b" / DONE).exists()
    read_clip(clip, tmp_path / "b", analyzer, EVERYTHING)
    assert_same(tmp_path / "a", tmp_path / "b")


def test_kill_minus_nine_loses_and_doubles_no_frame(analyzer, tmp_path):
    path = make_clip(tmp_path / "long.mp4", frames=120)
    command = [sys.executable, "-m", "pyojeong", "video", str(path), "-f", "csv", "--no-pictures"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    checkpoint = tmp_path / "killed" / "long" / CHECKPOINT
    process = subprocess.Popen([*command, "--out", str(tmp_path / "killed")], env=environment)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if checkpoint.exists() and checkpoint.stat().st_size > 40_000:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    process.wait()
    subprocess.run([*command, "--out", str(tmp_path / "killed")], env=environment, check=True)
    subprocess.run([*command, "--out", str(tmp_path / "whole")], env=environment, check=True)
    assert bytes_of(tmp_path / "killed" / "long") == bytes_of(tmp_path / "whole" / "long")
    rows = list(read_csv(tmp_path / "killed" / "long" / "results.csv"))
    assert [r.index for r in rows] == list(range(120))


def test_aggregate_keeps_no_frame(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path, analyzer, VideoOptions(formats=(), aggregate=True))
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"report.html", "summary.json", "events.vtt", "events.eaf", "events.tsv", DONE}
    assert "data:image" not in (tmp_path / "report.html").read_text()
    with pytest.raises(InputError, match="aggregate"):
        VideoOptions(formats=("csv",), aggregate=True)


def test_a_clip_that_breaks_off_is_read_up_to_there(analyzer, tmp_path):
    # With its index in front a clip can be read up to where it was cut.
    whole = make_clip(tmp_path / "whole.mp4", movflags="faststart")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.8)])
    outcome = read_clip(broken, tmp_path / "out", analyzer, VideoOptions(formats=("csv",)))
    assert 0 < outcome.frames < 30
    assert outcome.error
    assert len(list(read_csv(tmp_path / "out" / "results.csv"))) == outcome.frames
    assert outcome.error in (tmp_path / "out" / "report.html").read_text()


def test_what_is_no_clip_leaves_nothing(analyzer, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_text("not a clip")
    with pytest.raises(VideoUnreadable, match=r"bad\.mp4"):
        read_clip(bad, tmp_path / "out", analyzer, VideoOptions())
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_said_before_an_hour_is_read(clip, analyzer, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="Parquet"):
        read_clip(clip, tmp_path / "out", analyzer, VideoOptions())
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_one_line(clip, analyzer, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="cannot write"):
        read_clip(clip, tmp_path / "out" / "x", analyzer, VideoOptions())


def test_report_says_what_matters(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path, analyzer, EVERYTHING)
    page = (tmp_path / "report.html").read_text()
    for words in (
        "nothing about feelings", "unclear", "person 1", "standard deviation 0.1 s",
        analyzer.classifier.card.id, "research-only", "frames without a face", "events.vtt",
    ):  # fmt: skip
        assert words in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


@pytest.mark.data
def test_crying_to_laughing_reads_as_it_looks(shared, analyzer, tmp_path):
    """Sad or fearful first, happy at the end; a face on at least 470 of 472 frames."""
    clip = shared / "data" / "clips" / "crying_to_laughing.mp4"
    options = VideoOptions(formats=("json",), report=False, smooth_s=0.2)
    read_clip(clip, tmp_path, analyzer, options)
    results = list(read_json(Path(tmp_path) / "results.jsonl"))
    assert len(results) == 472
    assert sum(bool(r.faces) for r in results) >= 470
    early = [f.smoothed.top[0] for r in results if r.time_s < 5 for f in r.faces]
    late = [f.smoothed.top[0] for r in results if r.time_s > 13 for f in r.faces]
    assert sum(label in {"sad", "fear"} for label in early) / len(early) > 0.8
    assert sum(label == "happy" for label in late) / len(late) > 0.8


@pytest.mark.parametrize(
    ("span", "selection", "words"),
    [
        ((5.0, 6.0), Selection(), "5-6 s lies outside what is read of the clip, 0 s to 1.20 s"),
        (
            (0.0, 0.2),
            Selection(start_s=0.4),
            "0-0.2 s lies outside what is read of the clip, 0.4 s to 1.20 s",
        ),
        ((0.5, 1.0), Selection(end_s=0.4), "0.5-1 s lies outside .*, 0 s to 0.40 s"),
        ((0.01, 0.02), Selection(), "0.01-0.02 s holds no frame: frames were read from 0.00 s to"),
    ],
)
def test_a_baseline_without_frames_is_an_error(clip, analyzer, tmp_path, span, selection, words):
    plain = VideoOptions(formats=("csv",), report=False)
    read_clip(clip, tmp_path / "a", analyzer, plain)
    before = bytes_of(tmp_path / "a")
    options = VideoOptions(
        formats=("csv",), report=False, selection=selection, baseline_s=span, workers=1
    )
    with pytest.raises(InputError, match=rf"walk\.mp4: --baseline {words}"):
        read_clip(clip, tmp_path / "a", analyzer, options)
    assert bytes_of(tmp_path / "a") == before
    assert read_clip(clip, tmp_path / "a", analyzer, plain).again


def test_scores_of_another_label_set_leave_earlier_results(clip, analyzer, tmp_path):
    plain = VideoOptions(formats=("csv",), report=False)
    read_clip(clip, tmp_path, analyzer, plain)
    before = bytes_of(tmp_path)
    with pytest.raises(InputError, match="baseline: expected 7 scores, got 8"):
        read_clip(clip, tmp_path, analyzer, replace(plain, baseline=(0.125,) * 8))
    assert bytes_of(tmp_path) == before


def test_a_baseline_without_a_face_is_an_error(analyzer, tmp_path):
    empty = pattern(tmp_path / "empty.mp4", seconds=1)
    options = VideoOptions(formats=("csv",), report=False, baseline_s=(0.0, 0.5))
    with pytest.raises(InputError, match=r"--baseline 0-0\.5 s holds no face"):
        read_clip(empty, tmp_path / "out", analyzer, options)
