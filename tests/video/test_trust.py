"""Results that are kept are those of exactly this clip and these settings, whole and undamaged."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import pytest

from pyojeong import Analyzer
from pyojeong.cli.video_request import VideoRequest, event_source, make_analyzer, make_options
from pyojeong.core.errors import DataError, OutputBusy, OutputError
from pyojeong.core.one_writer import one_writer
from pyojeong.verification import verify_path
from pyojeong.video.coded_events.epoch import Epoch, EventList
from pyojeong.video.finished import read_finished, require_no_redaction
from pyojeong.video.options import CHECKPOINT, DONE, VideoOptions
from pyojeong.video.process import read_clip, record_of
from pyojeong.video.redact import redact
from pyojeong.video.result_folders import choose_folder
from tests.cli.test_files_of_users import run
from tests.video.made import make_clip

OPTIONS = VideoOptions(formats=("csv", "json"), pictures=False)
OTHER = {
    "formats": ["json"], "annotate": True, "report": False, "pictures": False, "aggregate": True,
    "eyes": False, "stride": 2, "fps": 3.0, "start": "0.1", "end": "0.5", "detect_every": 3,
    "smooth": 0.2, "baseline": "0-0.5", "hold": 0.7, "excel": True, "detector": "mtcnn",
    "model": "default-fer2013", "min_face": 60, "prior": "balanced", "labels": "ferplus8",
    "threshold": 0.9, "layouts": ["openface"], "measures": ("action_units",),
    "lang": "ko",
}  # fmt: skip
"""Another value of every option of `pyojeong video`."""
OF_EVENTS = {"events", "event_window", "observation"}
"""Options that choose the epochs of a clip."""
NOT_RESULTS = {"clips", "out", "workers", "allow", "device"}  # a device is among the models' ids
NOT_RESULTS |= {"shard", "engine", "address", "object_store_mb"}
"""Options that change no result: a clip's contents are compared, and `--allow` only refuses."""


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "walk.mp4")


@pytest.fixture(scope="module")
def finished(clip, analyzer, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "walk"
    events = EventList("", (Epoch("a", 0, 0.5), Epoch("b", 0.5, 1.0)))
    read_clip(clip, out, analyzer, replace(OPTIONS, annotate=True, events=events))
    return out


def test_every_option_that_changes_results_is_part_of_their_record(clip, tmp_path):
    assert {f.name for f in fields(VideoRequest)} == set(OTHER) | NOT_RESULTS | OF_EVENTS
    base = VideoRequest(clips=[str(clip)], out=tmp_path)

    def record(request):
        analyzer = make_analyzer(request)
        options, source = make_options(request, analyzer), event_source(request)
        events = None if source is None else source.of(clip.name)
        return record_of(clip, analyzer, replace(options, events=events))

    right = record(base)
    for name, value in OTHER.items():
        assert record(replace(base, **{name: value})) != right, name
    assert record(replace(base, workers=1)) == right
    coded = Path(__file__).parent / "coded"
    events = replace(base, events=coded / "study.boris")
    observed = replace(events, observation="dyad 1")
    windows = [replace(events, event_window=window) for window in (0.1, 0.2)]
    tables = [replace(base, events=coded / "trials.csv"), events, *windows]
    assert record(observed) == record(events)
    records = [right, *map(record, tables)]
    assert all(one != other for at, one in enumerate(records) for other in records[:at])


def test_results_that_are_gone_are_made_again(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path, analyzer, OPTIONS)
    whole = (tmp_path / "results.csv").read_bytes()
    (tmp_path / "results.csv").unlink()
    outcome = read_clip(clip, tmp_path, analyzer, OPTIONS)
    assert not outcome.again
    assert "results.csv was gone or changed" in outcome.notes[0]
    assert (tmp_path / "results.csv").read_bytes() == whole
    assert read_clip(clip, tmp_path, analyzer, OPTIONS).again


@pytest.mark.parametrize("change", ["cut", "flip", "note"])
def test_results_that_were_changed_are_neither_returned_nor_replaced(
    clip, analyzer, tmp_path, change
):
    read_clip(clip, tmp_path, analyzer, OPTIONS)
    whole = (tmp_path / "results.csv").read_bytes()
    changes = {"cut": whole[:-20], "flip": whole[:-9] + b"7" + whole[-8:], "note": whole + b"mine"}
    (tmp_path / "results.csv").write_bytes(changes[change])
    for options in (OPTIONS, replace(OPTIONS, smooth_s=0.2), replace(OPTIONS, formats=("json",))):
        with pytest.raises(OutputError, match=r"results\.csv: was changed after it was written"):
            read_clip(clip, tmp_path, analyzer, options)
    with pytest.raises(OutputError, match=r"results\.csv: was changed after it was written"):
        redact(tmp_path, [1])
    assert (tmp_path / "results.csv").read_bytes() == changes[change]


def test_files_of_the_user_stay(clip, analyzer, tmp_path):
    options = replace(OPTIONS, formats=("json",))
    read_clip(clip, tmp_path, analyzer, options)
    (tmp_path / "results.csv").write_text("mine")
    (tmp_path / "annotated.mp4").write_text("mine")
    assert read_clip(clip, tmp_path, analyzer, options).again
    assert read_clip(clip, tmp_path, analyzer, replace(options, smooth_s=0.2)).removed == ()
    with pytest.raises(OutputError, match=r"results\.csv: is none of its results"):
        read_clip(clip, tmp_path, analyzer, OPTIONS)
    redact(tmp_path, [1])
    assert (tmp_path / "results.csv").read_text() == "mine"
    assert (tmp_path / "annotated.mp4").read_text() == "mine"


def test_people_who_were_taken_out_do_not_come_back(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path, analyzer, OPTIONS)
    redact(tmp_path, [1])
    assert read_clip(clip, tmp_path, analyzer, OPTIONS).again
    with pytest.raises(OutputError, match="person 1 was taken out of these results"):
        read_clip(clip, tmp_path, analyzer, replace(OPTIONS, smooth_s=0.2))


def test_why_results_are_made_again_is_said(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path, analyzer, OPTIONS)
    outcome = read_clip(clip, tmp_path, Analyzer(threads=1, min_face=60), OPTIONS)
    assert outcome.notes == (
        "results of before were made again: reading.min_face was not given, is 60",
    )
    stat = clip.stat()
    other = make_clip(tmp_path / "other.mp4", frames=29)
    moved = shutil.copy(other, tmp_path / "walk.mp4")
    os.utime(moved, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    read_clip(Path(moved), tmp_path / "out", analyzer, OPTIONS)
    shutil.copy(clip, moved)
    os.utime(moved, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert read_clip(Path(moved), tmp_path / "out", analyzer, OPTIONS).frames == 30


def test_a_damaged_record_is_said(clip, analyzer, tmp_path):
    tmp_path = tmp_path / clip.stem
    read_clip(clip, tmp_path, analyzer, OPTIONS)
    text = (tmp_path / DONE).read_text()
    (tmp_path / DONE).write_text(text.replace('"frames": 30', '"frames": 31'))
    with pytest.raises(DataError, match=r"done\.json: is damaged .*delete"):
        read_clip(clip, tmp_path, analyzer, OPTIONS)
    with pytest.raises(DataError, match=r"done\.json: is damaged .*delete"):
        choose_folder(clip, tmp_path.name, tmp_path.parent)
    with pytest.raises(DataError, match="no finished results"):
        redact(tmp_path, [1])


def test_a_damaged_checkpoint_names_its_line(clip, analyzer, tmp_path):
    def stop(_time, frames):
        if frames >= 9:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        read_clip(clip, tmp_path, analyzer, OPTIONS, progress=stop)
    data = bytearray((tmp_path / CHECKPOINT).read_bytes())
    data[data.index(b"\n") + 60] ^= 1
    (tmp_path / CHECKPOINT).write_bytes(data)
    with pytest.raises(DataError, match=r"line 2 is damaged .*remove the file"):
        read_clip(clip, tmp_path, analyzer, OPTIONS)


def test_one_writer_of_a_folder(clip, analyzer, finished, tmp_path):
    with one_writer(tmp_path, folder=True):
        with pytest.raises(OutputBusy):
            read_clip(clip, tmp_path, analyzer, OPTIONS)
        with pytest.raises(OutputBusy):
            redact(tmp_path, [1])


def test_two_commands_with_one_clip_and_one_folder(clip, tmp_path):
    """One wins, the other is refused in one line; another clip is no conflict."""
    long = make_clip(tmp_path / "long.mp4", frames=150)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pyojeong", "video", "--out", str(out), "-f", "csv"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, str(long)], env=environment, **quiet) as first:
        while not (out / "long" / CHECKPOINT).exists():
            assert first.poll() is None
            time.sleep(0.02)
        both = [*command, str(clip), str(long)]
        second = subprocess.run(both, env=environment, **quiet, check=False)
        third = subprocess.run([*command, str(clip)], env=environment, **quiet, check=False)
        _, said = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert second.returncode == 1
    (line,) = second.stderr.strip().splitlines()[-1:]
    assert f"is writing results of {os.path.realpath(long)} into it" in line
    assert third.returncode == 0, third.stderr
    left = {p.name for p in out.iterdir()}
    assert left == {"long", "walk", "inputs.json", "settings.toml"}
    assert len((out / "long" / "results.csv").read_text().splitlines()) == 151


class Killed(BaseException):
    """What stands for SIGKILL: nothing catches it."""


class KillAt:
    """Raises at the n-th file that is removed or takes its name."""

    def __init__(self, moment, patch):
        self.left = moment
        unlink, rename = Path.unlink, Path.replace

        def counted_unlink(path, missing_ok=False):
            if not path.name.endswith((".lock", ".part")):
                self.count()
            unlink(path, missing_ok=missing_ok)

        def counted_rename(path, target):
            self.count()
            return rename(path, target)

        patch.setattr(Path, "unlink", counted_unlink)
        patch.setattr(Path, "replace", counted_rename)

    def count(self):
        self.left -= 1
        if not self.left:
            raise Killed


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix != ".json"}


def test_a_redaction_is_finished_by_repeating_it_whenever_it_was_killed(
    finished, tmp_path, monkeypatch
):
    right = tmp_path / "right"
    shutil.copytree(finished, right)
    redact(right, [1])
    killed = True
    moment = 0
    while killed:
        moment += 1
        folder = tmp_path / str(moment)
        shutil.copytree(finished, folder)
        killed = False
        with monkeypatch.context() as patch:
            KillAt(moment, patch)
            try:
                redact(folder, [1])
            except Killed:
                killed = True
        if (read_finished(folder) or {}).get("forgetting"):
            with pytest.raises(OutputError, match=r"video redact .*--track 1"):
                require_no_redaction(folder, read_finished(folder))
        redact(folder, [1])
        assert contents(folder) == contents(right), moment
    assert moment > 8


def test_tables_of_several_clips_go_with_their_settings(clip, tmp_path, capsys):
    other = make_clip(tmp_path / "other.mp4", frames=6)
    short = make_clip(tmp_path / "short.mp4", frames=5)
    out = tmp_path / "out"
    base = ("video", short, other, "--out", out, "--no-report", "--no-eyes")
    assert run(*base, "-f", "json", "-f", "csv") == 0
    assert (out / "results.jsonl").exists()
    assert run(*base, "-f", "csv", "--threshold", "0.9") == 0
    assert not (out / "results.jsonl").exists()
    assert run(*base, "--aggregate") == 0
    assert {p.name for p in out.iterdir() if p.is_file()} == {
        "people.csv", "inputs.json", "settings.toml",
    }  # fmt: skip
    (out / "people.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"people\.csv: was changed .*may show people"):
        redact(out / "other", [1])


def test_a_redaction_leaves_no_table_of_several_clips(tmp_path, capsys):
    clips = [make_clip(tmp_path / name, frames=5) for name in ("one.mp4", "two.mp4")]
    out = tmp_path / "out"
    assert run("video", *clips, "--out", out, "-f", "csv", "--no-report", "--no-eyes") == 0
    code = "import sys; from pathlib import Path; from pyojeong.core.atomic_write import _temporary"
    code += "; _temporary(Path(sys.argv[1])).write_text('half')"
    subprocess.run([sys.executable, "-c", code, str(out / "results.csv")], check=True)
    redact(out / "one", [1])
    assert {p.name for p in out.iterdir()} == {"one", "two", "inputs.json", "settings.toml"}
    assert all(found.ok for found in verify_path(out))


def test_a_checkpoint_of_a_run_that_was_killed_at_its_end_goes(clip, analyzer, tmp_path):
    read_clip(clip, tmp_path, analyzer, OPTIONS)
    (tmp_path / CHECKPOINT).write_text("left")
    assert read_clip(clip, tmp_path, analyzer, OPTIONS).again
    assert not (tmp_path / CHECKPOINT).exists()
