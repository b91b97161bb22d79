"""``Analyzer.analyze_video`` and ``write_report``: the command's results without leaving Python."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pyojeong import Analyzer, VideoResult, plot_timeline, read_table, read_video, write_report
from pyojeong.cli.app import main
from pyojeong.core.errors import (
    BadArray,
    InputError,
    OutputError,
    VideoTruncated,
    VideoTruncatedWarning,
    VideoUnreadable,
)
from pyojeong.runtime.golden import PICTURES
from tests.video.made import make_clip


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(threads=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    make_clip(path, frames=24)
    return path


def test_the_frames_are_those_of_the_command(
    analyzer: Analyzer, clip: Path, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        main(["video", str(clip), "-o", str(tmp_path / "out"), "--smooth", "0.2", "--baseline",
              "0:00-0:00.4", "-f", "json"])  # fmt: skip
    folder = tmp_path / "out" / "clip"
    video = analyzer.analyze_video(clip, smooth_s=0.2, baseline=(0, 0.4), eyes=True)
    assert list(video) == list(read_table(folder / "results.jsonl"))
    summary = json.loads((folder / "summary.json").read_text())
    assert video.people == summary["people"]
    assert video.events == summary["events"]
    assert (video.source, video.error, video.folder) == (str(clip), "", None)
    assert len(video[2:4]) == 2
    assert video[-1].index == 23
    assert analyzer.eyes is None, "the analyzer itself stays as it was"
    assert "24 frames, 1 people" in repr(video)


def test_a_folder_is_written_and_resumed(analyzer: Analyzer, clip: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    out = tmp_path / "out"
    options = {"formats": ["csv"], "annotate": True, "fps": 8}
    video = analyzer.analyze_video(
        clip, out=out, progress=lambda _, frames: seen.append(frames), **options
    )
    assert seen
    assert {"results.csv", "report.html", "annotated.mp4", "done.json"} <= {
        p.name for p in out.iterdir()
    }
    assert video.folder == out
    assert video.frames == analyzer.analyze_video(clip, fps=8).frames
    before = (out / "done.json").stat().st_mtime_ns
    assert analyzer.analyze_video(clip, out=out, **options) == video
    assert (out / "done.json").stat().st_mtime_ns == before, "nothing was read again"
    other = tmp_path / "other.mp4"
    make_clip(other, frames=5)
    with pytest.raises(OutputError, match="holds results of"):
        analyzer.analyze_video(other, out=out)


def test_bytes_and_files_are_clips_too(analyzer: Analyzer, clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    wanted = [replace(r, source="") for r in read_video(clip, analyzer=analyzer)]
    sources = [data, bytearray(data), memoryview(data), io.BytesIO(data)]
    names = ["<bytes>"] * 3 + ["<file>"]
    for source, name in zip(sources, names, strict=True):
        got = list(read_video(source, analyzer=analyzer))
        assert {r.source for r in got} == {name}
        assert [replace(r, source="") for r in got] == wanted
    with clip.open("rb") as file:
        video = analyzer.analyze_video(file)
    assert video.source == str(clip)
    assert [replace(r, source="") for r in video] == wanted
    with pytest.raises(InputError, match="need a clip with a path"):
        analyzer.analyze_video(data, out=tmp_path / "out")
    with pytest.raises(VideoUnreadable, match=r"<bytes>: is no clip"):
        list(read_video(b"nothing", analyzer=analyzer))
    with pytest.raises(VideoUnreadable, match="holds no bytes"):
        list(read_video(b"", analyzer=analyzer))
    with pytest.raises(BadArray, match="a path, bytes or a binary file, got int"):
        list(read_video(3, analyzer=analyzer))
    with pytest.raises(VideoUnreadable, match="is no path") as caught:
        list(read_video("A" * 90_000, analyzer=analyzer))
    assert len(str(caught.value)) < 150


def test_a_clip_that_breaks_off(analyzer: Analyzer, clip: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.ts"
    make_clip(torn, frames=40)
    torn.write_bytes(torn.read_bytes()[:-20_000])
    with pytest.warns(VideoTruncatedWarning, match=r"torn\.ts"):
        video = analyzer.analyze_video(torn)
    assert video.error
    assert 0 < len(video) < 40
    assert analyzer.analyze_video(torn, on_truncated="ignore") == video
    with pytest.raises(VideoTruncated):
        analyzer.analyze_video(torn, on_truncated="raise")
    assert video.error in write_report(video, tmp_path / "r.html").read_text().replace("\n", " ")


def test_baseline_from_an_image_or_an_answer(analyzer: Analyzer, clip: Path) -> None:
    photo = PICTURES / "astronaut.jpg"
    by_image = analyzer.analyze_video(clip, baseline=photo, fps=5)
    answer = analyzer.analyze(photo).faces[0].expression
    assert by_image == analyzer.analyze_video(clip, baseline=answer, fps=5)
    assert by_image[0].faces[0].baseline_delta is not None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"baseline": (3, 1)}, "the end behind the start"),
        ({"baseline": (9, 10)}, "lies outside what is read"),
        ({"formats": ["xlsx"]}, "a list of"),
        ({"formats": "csv"}, "a list of"),
        ({"jobs": 0}, "at least 1"),
        ({"smooth_s": 0}, "positive"),
        ({"annotate": True}, "needs out="),
        ({"on_truncated": "stop"}, "'raise', 'warn' or 'ignore'"),
        ({"start_s": 90}, "no frame between 90 s"),
        ({"stride": 0}, "stride"),
    ],
)
def test_mistakes(analyzer: Analyzer, clip: Path, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        analyzer.analyze_video(clip, **options)
    with pytest.raises(TypeError, match="smoothing"):
        analyzer.analyze_video(clip, smoothing=3)


def test_aggregate_keeps_no_frames(analyzer: Analyzer, clip: Path, tmp_path: Path) -> None:
    video = analyzer.analyze_video(clip, aggregate=True)
    assert len(video) == 0
    assert video.people[0]["frames"] == 24
    written = analyzer.analyze_video(clip, aggregate=True, out=tmp_path / "o")
    assert written.people == video.people
    assert not list((tmp_path / "o").glob("results.*"))


def test_a_report_of_frames(analyzer: Analyzer, clip: Path, tmp_path: Path) -> None:
    results = list(read_video(clip, analyzer=analyzer))
    page = write_report(results, tmp_path / "r.html", hold_s=0.1).read_text()
    assert "Expressions in clip.mp4" in page
    assert "happy" in page
    assert "data:image/" in page, "key frames are shown"
    assert (
        "data:image/" not in write_report(results, tmp_path / "r.html", pictures=False).read_text()
    )
    gone = [replace(r, source="gone.mp4") for r in results]
    assert "data:image/" not in write_report(gone, tmp_path / "r.html", hold_s=0.1).read_text()
    found = write_report(gone, tmp_path / "r.html", hold_s=0.1, clip=clip).read_text()
    assert "data:image/" in found
    assert VideoResult("x", tuple(results)).write_report(tmp_path / "v.html").is_file()
    assert plot_timeline(results).axes


def test_what_no_report_is_made_of(analyzer: Analyzer, clip: Path, tmp_path: Path) -> None:
    photo = analyzer.analyze(PICTURES / "astronaut.jpg")
    frames = list(read_video(clip, analyzer=analyzer))
    other = [replace(frame, source="b.mp4", time_s=frame.time_s + 9) for frame in frames]
    for results, words in (
        ([], "at least one frame"),
        ([photo], "those of photographs"),
        ([*frames, *other], "of several"),
        (frames[::-1], "in order"),
    ):
        with pytest.raises(BadArray, match=words):
            write_report(results, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_the_report_is_that_of_the_command(analyzer: Analyzer, clip: Path, tmp_path: Path) -> None:
    options = {"smooth_s": 0.2, "baseline": (0, 0.4), "fps": 12.0}
    analyzer.analyze_video(clip, out=tmp_path / "o", **options)
    theirs = (tmp_path / "o" / "report.html").read_text()
    own = analyzer.analyze_video(clip, **options).write_report(tmp_path / "r.html").read_text()
    for said in ("Gaussian, standard deviation 0.2 s", "own neutral face", "at most 12 a second",
                 "base rates", "accuracy on photographs", "calibration error"):  # fmt: skip
        assert said in theirs
        assert said in own
    plain = write_report(read_video(clip, analyzer=analyzer), tmp_path / "p.html").read_text()
    assert "accuracy on photographs" in plain


def test_eyes_that_were_not_measured_are_not_zero(analyzer: Analyzer, clip: Path) -> None:
    person = analyzer.analyze_video(clip).people[0]
    assert (person["blinks"], person["eyes_closed_s"]) == (None, None)
    assert analyzer.analyze_video(clip, eyes=True).people[0]["blinks"] == 0


def test_names_in_errors_are_those_that_were_given(analyzer: Analyzer) -> None:
    with pytest.raises(VideoUnreadable, match=r"^<bytes>: is no clip"):
        analyzer.analyze_video(b"abc")
    for read in (analyzer.analyze_video, lambda a: list(read_video(a))):
        with pytest.raises(VideoUnreadable, match=r"^https://x\.y/z\.mp4: is an address"):
            read("https://x.y/z.mp4")
        with pytest.raises(VideoUnreadable, match="an empty path"):
            read("")
