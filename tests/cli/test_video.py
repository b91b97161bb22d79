"""``pyojeong video`` and ``pyojeong forget`` on good and bad input."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import av
import pytest

from pyojeong.cli.app import main
from pyojeong.cli.video_request import seconds_of
from pyojeong.core.errors import InputError, OutputError
from pyojeong.distributed import clip_tasks as video_module
from pyojeong.output.tables import read_csv, read_parquet
from pyojeong.runtime.golden import GOLDEN_PICTURE
from pyojeong.video.clip_writing import ClipResult
from pyojeong.video.merge import joined_clips
from tests.stream.made import ffmpeg
from tests.video.made import make_clip

FEW = ("-f", "csv", "--no-report", "--no-eyes")


def run(*args: object) -> int:
    """Exit code of the command, in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", frames=12)


def test_a_folder_of_clips_becomes_a_folder_of_results(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("video", clip.parent, "--out", out, "-f", "csv", "-f", "parquet") == 0
    shown = capsys.readouterr()
    assert "cannot tell what people feel" in shown.err
    assert "walk.mp4" in shown.out
    rows = list(read_parquet(out / "walk" / "results.parquet"))
    assert rows == list(read_csv(out / "walk" / "results.csv"))
    assert len(rows) == 12
    assert (out / "walk" / "report.html").exists()
    assert run("video", clip.parent, "--out", out, "-f", "csv", "-f", "parquet") == 0
    shown = capsys.readouterr()
    assert "there already" in shown.out
    assert "cannot tell what people feel" not in shown.err  # said once


def test_several_clips_become_one_table_too(clip: Path, tmp_path: Path) -> None:
    other = make_clip(tmp_path / "other.mp4", frames=7)
    out = tmp_path / "out"
    assert run("video", clip, other, "--out", out, "-f", "csv", "--no-report") == 0
    rows = list(read_csv(out / "results.csv"))
    assert [r.source for r in rows] == [str(clip)] * 12 + [str(other)] * 7
    assert rows[:12] == list(read_csv(out / "walk" / "results.csv"))
    lines = (out / "people.csv").read_text().splitlines()
    assert lines[0].startswith("clip,track_id,first_s,last_s,frames,seconds,blinks")
    assert [line.split(",")[:2] for line in lines[1:]] == [["walk", "1"], ["other", "1"]]


def test_one_broken_clip_does_not_stop_the_others(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("nothing")
    picture = tmp_path / "picture.mp4"
    picture.write_bytes(GOLDEN_PICTURE.read_bytes())
    out = tmp_path / "out"
    arguments = ("--out", out, "-f", "csv", "--no-report", "--no-eyes")
    assert run("video", bad, tmp_path / "none.mp4", picture, clip, *arguments) == 1
    shown = capsys.readouterr()
    assert shown.err.count("failed ") == 4  # the sums count them too
    assert "clips: 4 given = 1 read + 3 failed + 0 left out" in shown.err
    assert "none.mp4: No such file" in shown.err
    assert "is an image" in shown.err
    assert len(list(read_csv(out / "walk" / "results.csv"))) == 12
    assert not (out / "bad").exists()


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, ZeroDivisionError, OutputError])
def test_any_error_in_one_clip_is_a_line_and_the_next_is_read(
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    other = make_clip(tmp_path / "other.mp4", frames=6)
    real = video_module.read_clip

    def read(path: Path, *args: object, **options: object) -> ClipResult:
        if path == other:
            raise error("it went\nwrong")
        return real(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(video_module, "read_clip", read)
    out = tmp_path / "out"
    assert run("video", other, clip, "--out", out, "-f", "csv", "--no-report", "--no-eyes") == 1
    *_, line, sums = capsys.readouterr().err.splitlines()
    assert line.startswith(f"failed {other}: ")
    assert "it went wrong" in line
    assert line.endswith("please report this error") == (error is not OutputError)
    assert sums == "clips: 2 given = 1 read + 1 failed + 0 left out"
    known = json.loads((out / "inputs.json").read_text())
    assert known["failures"] == [{"source": str(other), "error": line.removeprefix("failed ")}]
    assert len(list(read_csv(out / "walk" / "results.csv"))) == 12
    first, *others = read_csv(out / "results.csv")
    assert (first.source, first.error) == (str(other), line.removeprefix("failed "))
    assert [row.error for row in others] == [""] * 12


def test_joined_tables_that_fail_are_a_line_and_the_sums_follow(
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr("pyojeong.cli.video.join", fail)
    other = make_clip(tmp_path / "other.mp4", frames=6)
    out = tmp_path / "out"
    assert run("video", other, clip, "--out", out, *FEW) == 1
    *_, line, sums = capsys.readouterr().err.splitlines()
    assert line.startswith("failed the tables of several clips: ValueError: odd")
    assert sums == "clips: 2 given = 2 read + 0 failed + 0 left out"


def test_an_empty_folder_that_is_called_like_a_clip_does_not_stop_the_others(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "clips"
    (root / "x.mp4").mkdir(parents=True)
    shutil.copy(clip, root)
    assert run("video", root, "--out", tmp_path / "a", *FEW) == 0
    assert "clips: 1 given = 1 read" in capsys.readouterr().err
    assert run("video", root / "x.mp4", clip, "--out", tmp_path / "b", *FEW) == 1
    err = capsys.readouterr().err
    assert "no clips in this folder; it is empty" in err
    assert "clips: 2 given = 1 read + 1 failed + 0 left out" in err


def test_an_extra_that_fails_is_a_line_and_the_results_are_there(
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise ValueError("no such codec")

    monkeypatch.setattr("pyojeong.video.render.ClipFile", fail)
    arguments = ("--out", tmp_path, "-f", "csv", "--no-report", "--no-eyes", "--annotate")
    assert run("video", clip, *arguments) == 1
    shown = capsys.readouterr().err
    assert "failed" in shown
    assert "annotated.mp4: ValueError: no such codec; tables and summary are complete" in shown
    assert len(list(read_csv(tmp_path / "walk" / "results.csv"))) == 12


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("12:30.mp4", ("-c:a", "aac", "-ar", "11025")),
        ("a.ts", ("-c:a", "ac3", "-ac", "6")),
        ("b.wmv", ("-c:a", "wmav2", "-c:v", "wmv2")),
        ("c.mkv", ("-c:a", "libopus")),
    ],
)
def test_annotate_keeps_sound_and_takes_names_with_a_colon(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sound: tuple[str, ...]
) -> None:
    tone = ("-f", "lavfi", "-i", "sine=d=0.5")
    ffmpeg("-i", clip, *tone, *sound, f"file:{tmp_path / name}")
    monkeypatch.chdir(tmp_path)
    arguments = ("--out", ".", "-f", "csv", "--no-report", "--no-eyes", "--annotate")
    assert run("video", name, *arguments) == 0
    made = tmp_path / Path(name).stem / "annotated.mp4"
    with av.open(f"file:{made}") as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        assert len(list(container.decode(video=0))) == 12


def test_a_range_beyond_the_end_is_a_line_with_the_length(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("video", clip, "--out", tmp_path / "out", "--start", "1:00", "--no-eyes") == 1
    shown = " ".join(capsys.readouterr().err.split())
    assert "no frame between 60 s and the end: the clip is 0.48 s long" in shown
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["inputs.json"]


def test_choices_are_said(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "late.mkv"
    small = ("-f", "lavfi", "-i", "color=red:s=64x48:d=0.5")
    late = ("-output_ts_offset", "36001")
    ffmpeg(*small, "-i", clip, "-map", 0, "-map", 1, "-c:v", "libx264", *late, path)
    assert (
        run("video", path, "--out", tmp_path / "out", "-f", "csv", "--no-report", "--no-eyes") == 0
    )
    shown = " ".join(capsys.readouterr().err.split())
    assert "holds 2 image streams (64 x 48, 400 x 320): stream 2, 400 x 320, is read" in shown
    assert "its own clock begins at 36001.0" in shown


def test_selection_baseline_and_aggregate(clip: Path, tmp_path: Path) -> None:
    arguments = ["--start", "0.1", "--end", "0:00.4", "--stride", "2", "-f", "csv", "--no-report"]
    out = tmp_path / "a"
    assert run("video", clip, "--out", out, *arguments, "--baseline", GOLDEN_PICTURE) == 0
    rows = list(read_csv(out / "walk" / "results.csv"))
    assert [r.index for r in rows] == [4, 6, 8]
    assert all(f.baseline_delta is not None for r in rows for f in r.faces)
    assert run("video", clip, "--out", tmp_path / "b", "--aggregate", "--fps", "5") == 0
    told = json.loads((tmp_path / "b" / "walk" / "summary.json").read_text())
    assert told["frames"] == 3
    assert not list((tmp_path / "b" / "walk").glob("results.*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stride", "2", "--fps", "5"], "fps: expected no stride beside it"),
        (["--start", "5", "--end", "4"], "end: expected later than the start"),
        (["--start", "soon"], "expected seconds, 1:02"),
        (["--baseline", "0:05-0:01"], "its end must lie behind its start"),
        *(
            (["--baseline", text], f"baseline {text!r}: expected a time with its end")
            for text in ("0:05", "-1-1", "nan-1", "my-face.jpg", "face.jpg", "")
        ),
        (["--smooth", "0"], "smoothing: expected a positive number"),
        (["--smooth", "inf"], "smoothing: expected a positive number"),
        (["--hold", "inf"], "hold: expected a number of seconds"),
        (["--hold", "nan"], ""),
        (["--end", "inf"], ""),
        (["--model", "nothing"], "unknown classifier"),
        (["-f", "xml"], "'parquet', 'csv', 'json'"),
    ],
)
def test_wrong_options_are_one_line(
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert run("video", clip, "--out", tmp_path / "out", *arguments) == 2
    assert words in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing.mp4", "missing.mp4: no such file; --source takes a clip"),
        ("rtsp://me:hidden@127.0.0.1:9/x", "stream rtsp://me:***@127.0.0.1:9/x: nothing listens"),
        ("93", "camera 93: there is none; is it plugged in?"),
    ],
)
def test_sources_of_the_live_page_that_are_not_there(
    capsys: pytest.CaptureFixture[str], source: str, words: str
) -> None:
    assert run("webcam", "--source", source, "--no-open") == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_forget(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("video", clip, "--out", out, "-f", "csv") == 0
    assert run("video", "redact", out / "walk", "--track", "1") == 0
    assert "results.csv: rewritten" in capsys.readouterr().out
    assert not any(r.faces for r in read_csv(out / "walk" / "results.csv"))
    # Again, as after an interruption: nothing is left of this person.
    assert run("forget", out / "walk", "--track", "1") == 0
    assert run("forget", out / "walk", "--track", "9") == 2
    assert "there are: nobody" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("12.5", 12.5), ("1:02", 62), ("1:02:03.5", 3723.5), ("0", 0)]
)
def test_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "1h", "1:"])
def test_wrong_times(text: str) -> None:
    with pytest.raises(InputError, match="expected seconds"):
        seconds_of(text)


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three clips of one name, of 5, 6 and 7 frames."""
    root = tmp_path_factory.mktemp("subjects")
    clips = [root / f"sub-0{i}" / "task.mp4" for i in (1, 2, 3)]
    for frames, path in enumerate(clips, 5):
        path.parent.mkdir()
        make_clip(path, frames=frames)
    return clips


def frames_by_source(table: Path) -> dict[str, int]:
    return Counter(r.source for r in read_csv(table))


def test_clips_of_one_name_have_results_of_their_own(
    subjects: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("nothing")
    out = tmp_path / "out"
    assert run("video", *subjects, bad, "--out", out, *FEW) == 1
    frames = {str(clip): n for n, clip in enumerate(subjects, 5)}
    assert frames_by_source(out / "results.csv") == {**frames, str(bad): 1}
    assert [r.error != "" for r in read_csv(out / "results.csv")] == [False] * 18 + [True]
    for i, (source, number) in enumerate(frames.items(), 1):
        assert frames_by_source(out / f"sub-0{i}_task" / "results.csv") == {source: number}
    people = (out / "people.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in people] == [f"sub-0{i}_task" for i in (1, 2, 3)]
    assert "clips: 4 given = 3 read + 1 failed + 0 left out" in capsys.readouterr().err
    known = json.loads((out / "inputs.json").read_text())
    assert (known["given"], known["read"], known["failed"]) == (4, 3, 1)
    assert "is no clip" in known["failures"][0]["error"]


def test_a_loop_with_one_folder_of_results_keeps_every_clip(
    subjects: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        for clip in subjects:
            assert run("video", clip, "--out", out, *FEW) == 0
    shown = capsys.readouterr()
    assert shown.out.count("there already") == 3
    assert shown.err.count("has other results") == 2
    found = [frames_by_source(table) for table in out.glob("*/results.csv")]
    assert len(found) == 3
    assert {k: v for each in found for k, v in each.items()} == {
        str(clip): n for n, clip in enumerate(subjects, 5)
    }
    # All of them in one command find the results of the loop.
    assert run("video", *subjects, "--out", out, *FEW) == 0
    assert capsys.readouterr().out.count("there already") == 3
    assert len(frames_by_source(out / "results.csv")) == 3


def test_two_processes_with_one_folder_of_results_keep_both_clips(
    subjects: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pyojeong", "video"]
    running = [
        subprocess.Popen([*command, str(clip), "--out", str(out), *FEW], stderr=subprocess.DEVNULL)
        for clip in subjects[:2]
    ]
    assert [process.wait(120) for process in running] == [0, 0]
    found = [frames_by_source(table) for table in out.glob("*/results.csv")]
    assert sorted(n for each in found for n in each.values()) == [5, 6]


def test_a_clip_that_was_moved_keeps_its_results(
    subjects: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tmp_path / "first" / "task.mp4"
    first.parent.mkdir()
    shutil.copy(subjects[0], first)
    assert run("video", first, "--out", tmp_path / "out", *FEW) == 0
    (tmp_path / "first").rename(tmp_path / "second")
    capsys.readouterr()
    assert run("video", tmp_path / "second" / "task.mp4", "--out", tmp_path / "out", *FEW) == 0
    assert "there already" in capsys.readouterr().out


def test_a_file_of_the_same_name_size_and_time_is_another_clip(
    subjects: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = subjects[0].read_bytes(), subjects[1].read_bytes()
    size = max(len(one), len(other))
    clip = tmp_path / "task.mp4"
    for data, frames in ((one, 5), (other, 6)):
        clip.write_bytes(data + bytes(size - len(data)))
        os.utime(clip, (1e9, 1e9))
        assert run("video", clip, "--out", tmp_path / "out", *FEW) == 0
        assert len(list(read_csv(tmp_path / "out" / "task" / "results.csv"))) == frames
    assert "there already" not in capsys.readouterr().out


def test_files_that_are_no_results_are_not_replaced(subjects: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    mine = out / "task" / "results.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("my own table")
    assert run("video", subjects[0], "--out", out, *FEW) == 0
    assert mine.read_text() == "my own table"
    assert frames_by_source(out / "sub-01_task" / "results.csv") == {str(subjects[0]): 5}


def test_annotated_clips_and_trash_are_not_read(
    subjects: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "clips"
    for name in ("a.MP4", ".Trash/b.mp4", "@eaDir/c.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(subjects[0], root / name)
    os.mkfifo(root / "pipe.mp4")
    out = root / "results"
    for place in (out, out, root, root):
        assert run("video", root, "--out", place, "--annotate", *FEW) == 0
        err = capsys.readouterr().err
        assert " given = 1 read + 0 failed + " in err
    assert len(list(root.rglob("annotated.mp4"))) == 2
    assert not list(root.rglob("b*/results.csv"))


def test_a_folder_without_clips_is_one_line_and_the_rest_is_read(
    subjects: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert run("video", tmp_path / "empty", subjects[0], "--out", tmp_path / "out", *FEW) == 1
    err = capsys.readouterr().err
    assert "no clips in this folder" in err
    assert "clips: 2 given = 1 read + 1 failed + 0 left out" in err


def test_results_of_photographs_are_not_replaced(
    subjects: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("analyze", GOLDEN_PICTURE, "--out", tmp_path, "-f", "csv") == 0
    assert run("video", *subjects, "--out", tmp_path, *FEW) == 2
    assert "holds results of `pyojeong analyze`" in capsys.readouterr().err


def test_names_that_are_no_unicode_and_very_long_ones(
    subjects: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "clips"
    root.mkdir()
    for name in (os.fsdecode(b"caf\xe9.mp4"), "k" * 251 + ".mp4"):
        shutil.copy(subjects[0], root / name)
    arguments = ("-f", "csv", "-f", "parquet", "-f", "json", "--annotate")
    assert run("video", root, "--out", tmp_path / "out", *arguments) == 0
    assert "2 given = 2 read" in capsys.readouterr().err
    assert sorted(frames_by_source(tmp_path / "out" / "results.csv").values()) == [5, 5]
    assert len((tmp_path / "out" / "people.csv").read_text().splitlines()) == 3


def test_csv_for_excel_and_names_that_would_be_interpreted(
    subjects: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "clips"
    root.mkdir()
    for name in ("=1+1.mp4", "표정😀.mp4", "[red]\x1b[31m\n\u202ec.mp4"):
        shutil.copy(subjects[0], root / name)
    out = tmp_path / "out"
    assert run("video", root, "--out", out, "--excel", "--no-eyes") == 0
    shown = "".join(capsys.readouterr())
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    people = (out / "people.csv").read_bytes().decode("utf-8")
    assert people.startswith("\ufeffclip,")
    assert "\n'=1+1,1," in people
    assert "\n표정😀,1," in people
    assert (out / "results.csv").read_bytes().startswith(b"\xef\xbb\xbfsource,")
    assert sorted(frames_by_source(out / "results.csv").values()) == [5, 5, 5]
    assert joined_clips(out) == {"=1+1", "표정😀", "[red]\x1b[31m\n\u202ec"}
    page = (out / "[red]\x1b[31m\n\u202ec" / "report.html").read_text(encoding="utf-8")
    assert r"Expressions in [red]\x1b[31m\n\u202ec.mp4" in page
    assert "\x1b" not in page
    note = (out / "[red]\x1b[31m\n\u202ec" / "events.vtt").read_text(encoding="utf-8")
    assert r"[red]\x1b[31m\n\u202ec.mp4" in note
    # The same command finds them there; other settings are read again.
    assert run("video", root, "--out", out, "--excel", "--no-eyes") == 0
    assert capsys.readouterr().out.count("there already") == 3
    assert run("video", "redact", out / "=1+1", "--track", 1) == 0
    table = out / "=1+1" / "results.csv"
    assert table.read_bytes().startswith(b"\xef\xbb\xbfsource,")
    assert not any(row.faces for row in read_csv(table))


def test_that_nothing_was_read_is_said_once(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("video", clip, "--out", tmp_path / "out", *FEW) == 0
    (tmp_path / "bad.mp4").write_bytes(b"no clip")
    capsys.readouterr()
    assert run("video", tmp_path / "bad.mp4", "--out", tmp_path / "out", *FEW) == 1
    assert capsys.readouterr().err.count("nothing was read") == 1
