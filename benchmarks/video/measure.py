"""What reading clips costs, and whether its promises hold; one figure per command.

    python -m benchmarks.video.measure speed ../shared/data/clips     # quiet cores, please
    python -m benchmarks.video.measure memory ../shared/data/clips    # an hour of clip: takes a while
    python -m benchmarks.video.measure frames ../shared/data/clips
    python -m benchmarks.video.measure live ../shared/data/clips
    python -m benchmarks.video.measure page

Every command adds its part to docs/benchmarks/video.json; ``page`` writes video.md from it. Longer
clips, larger ones and one with five faces are made with the program ffmpeg from those given.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pyojeong import Analyzer
from pyojeong._version import __version__
from pyojeong.image.files import read_image
from pyojeong.output.clip_file import ClipFile
from pyojeong.speed import cpu_name
from pyojeong.stream.live import Camera, LiveReader
from pyojeong.stream.pipeline import read_frames
from pyojeong.stream.segments import Selection
from pyojeong.stream.source import Clip

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"
FACTS = DOCS / "video.json"
WOMAN = "crying_to_laughing.mp4"


def keep(part: str, facts: dict[str, Any]) -> None:
    """Add a part to the file of figures."""
    stored = json.loads(FACTS.read_text(encoding="utf-8")) if FACTS.exists() else {}
    stored[part] = facts
    FACTS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({part: facts}, indent=1))


def measured_with(analyzer: Analyzer) -> dict[str, Any]:
    """Date, machine and models of a measurement: figures of other models are out of date."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "version": __version__,
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "models": list(analyzer.model_ids),
    }


def words_of(facts: dict[str, Any]) -> str:
    """Return ``measured_with`` as a sentence."""
    if "measured" not in facts:
        return (
            "This was measured on 2026-11-26 with an earlier detector and model and has not been "
            "repeated since."
        )
    given = facts["measured"]
    return (
        f"Measured on {given['date']} with pyojeong {given['version']} on {given['cpu']}, "
        f"{given['cpus']} CPUs; models: {', '.join(f'`{name}`' for name in given['models'])}."
    )


def ffmpeg(*arguments: object) -> None:
    """Run the program."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def group_clip(picture: Path, out: Path, frames: int = 300) -> None:
    """1280 x 720, 30 frames a second: a group photograph that sways, so that faces move."""
    image = read_image(picture)
    height, width = image.shape[:2]
    scale = 1.1 * max(1280 / width, 720 / height)
    with ClipFile(out, (1280, 720), rate=30) as file:
        for i in range(frames):
            dx, dy = 30 * np.sin(i / 20), 12 * np.sin(i / 13)
            shift = ((1280 - scale * width) / 2 + dx, (720 - scale * height) / 2 + dy)
            matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
            frame = cv2.warpAffine(image, matrix, (1280, 720), borderMode=cv2.BORDER_REPLICATE)
            file.write(np.asarray(frame, np.uint8), i / 30)


def read(path: Path, analyzer: Analyzer, **options: Any) -> tuple[float, list[Any]]:
    """Seconds, and the results, of reading a clip."""
    started = time.perf_counter()
    with Clip(path) as clip:
        results = [r for c in read_frames(clip, analyzer, path.name, **options) for r in c.results]
    return time.perf_counter() - started, results


def speed(clips: Path) -> None:
    """Frames per second of the whole pipeline, three runs in turns, nothing written."""
    plain, eyes = Analyzer(threads=1), Analyzer(threads=1, eyes=True)
    with tempfile.TemporaryDirectory() as folder:
        group = Path(folder) / "group.mp4"
        group_clip(clips / "multi_face.jpg", group)
        cases: dict[str, tuple[Path, Analyzer, dict[str, Any]]] = {
            "640x360, one face, with eyes": (clips / WOMAN, eyes, {}),
            "640x360, one face, without eyes": (clips / WOMAN, plain, {}),
            "640x360, with eyes, searching every frame": (
                clips / WOMAN,
                eyes,
                {"selection": Selection(detect_every=1)},
            ),
            "640x360, with eyes, one worker": (clips / WOMAN, eyes, {"workers": 1}),
            "1280x720, five faces, with eyes": (group, eyes, {}),
            "1280x720, five faces, without eyes": (group, plain, {}),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        facts: dict[str, Any] = {}
        for _ in range(3):
            for name, (path, analyzer, options) in cases.items():
                seconds, results = read(path, analyzer, **options)
                times[name].append(len(results) / seconds)
                facts[name] = {
                    "frames": len(results),
                    "with a face": sum(bool(r.faces) for r in results),
                    "faces": sum(len(r.faces) for r in results),
                    "people": len({f.track_id for r in results for f in r.faces}),
                }
    for name, rates in times.items():
        facts[name]["frames_per_s"] = [round(r, 1) for r in sorted(rates)]
    keep("speed", {"measured": measured_with(eyes), "cases": facts})


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def memory(clips: Path) -> None:
    """Resident memory while an hour of clip (90,152 frames) is read and written."""
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / "hour.mp4"
        ffmpeg("-stream_loop", 190, "-i", clips / WOMAN, "-c", "copy", "-an", long)
        command = [sys.executable, "-m", "pyojeong", "video", str(long), "--out", folder]
        started = time.monotonic()
        process = subprocess.Popen([*command, "--no-pictures"])
        samples: list[tuple[float, float]] = []
        while process.poll() is None:
            try:
                samples.append((time.monotonic() - started, rss_mb(process.pid)))
            except OSError:
                break
            time.sleep(1)
        assert process.wait() == 0  # noqa: S101
        done = json.loads((Path(folder) / "hour" / "done.json").read_text())
        total = samples[-1][0]
        warm = [mb for at, mb in samples if at > min(60.0, total / 10)]
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        keep(
            "memory",
            {
                "measured": measured_with(Analyzer(threads=1, eyes=True)),
                "frames": done["outcome"]["frames"],
                "minutes": round(total / 60, 1),
                "cpu_minutes": round((usage.ru_utime + usage.ru_stime) / 60, 1),
                "warm_mb": [round(min(warm), 1), round(max(warm), 1)],
                "every_tenth_mb": [round(s[1], 1) for s in samples[:: max(len(samples) // 10, 1)]],
            },
        )


def probe(path: Path) -> list[float]:
    """Time stamps as the program ffprobe tells them."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries"]
    command += ["frame=best_effort_timestamp_time", "-of", "json", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(f["best_effort_timestamp_time"]) for f in json.loads(done.stdout)["frames"]]


def frames(clips: Path) -> None:
    """Frames and time stamps against ffprobe, for many containers and codecs."""
    source = clips / "single_face.mp4"
    with tempfile.TemporaryDirectory() as folder:
        made = {
            "mp4, H.264, B-frames": ("a.mp4", ["-c:v", "libx264", "-bf", 3]),
            "mov, HEVC": ("a.mov", ["-c:v", "libx265", "-x265-params", "log-level=error"]),
            "webm, VP9": ("a.webm", ["-c:v", "libvpx-vp9", "-deadline", "realtime"]),
            "mkv, H.264": ("a.mkv", ["-c:v", "libx264"]),
            "gif": ("a.gif", ["-vf", "scale=160:-1"]),
            "mp4, variable rate": (
                "v.mp4",
                ["-vf", r"select='not(mod(n\,3))+gt(n\,40)'", "-vsync", "vfr"],
            ),
            "mp4, late start": ("l.mp4", ["-c:v", "libx264", "-output_ts_offset", 7.25]),
            "mp4, rotated": ("r.mp4", ["-c", "copy", "-metadata:s:v", "rotate=90"]),
        }
        rows = {}
        paths = {name: Path(folder) / file for name, (file, _) in made.items()}
        for name, (_, options) in made.items():
            ffmpeg("-i", source, "-an", *options, paths[name])
        paths |= {p.name: p for p in sorted(clips.glob("*.m[op][v4]"))}
        for name, path in paths.items():
            with Clip(path) as clip:
                ours = [f.time_s for f in clip]
            theirs = probe(path)
            worst = max(abs(a - b) for a, b in zip(ours, theirs, strict=False))
            rows[name] = {
                "ours": len(ours),
                "ffprobe": len(theirs),
                "largest_difference_ms": round(1000 * worst, 3),
            }
    keep("frames", rows)


def live(clips: Path) -> None:
    """From a frame's coming to its answer, on a 640 x 480 substitute at 30 frames a second."""
    with tempfile.TemporaryDirectory() as folder:
        stand_in = Path(folder) / "camera.mp4"
        fit = "scale=640:480:force_original_aspect_ratio=increase,crop=640:480,fps=30"
        ffmpeg("-i", clips / WOMAN, "-an", "-vf", fit, "-c:v", "libx264", stand_in)
        analyzer = Analyzer(threads=1, eyes=True)
        reader = LiveReader(analyzer, "camera")
        latencies = []
        last = 0
        with Camera(str(stand_in)) as camera:
            for moment in camera:
                reader.read(moment)
                latencies.append(1000 * (time.monotonic() - moment.taken_s))
                last = moment.index
    latencies = latencies[5:]
    keep(
        "live",
        {
            "measured": measured_with(analyzer),
            "frames": last + 1,
            "read": len(latencies) + 5,
            "median_ms": round(statistics.median(latencies), 1),
            "p95_ms": round(float(np.percentile(latencies, 95)), 1),
            "largest_ms": round(max(latencies), 1),
            "threads": threading.active_count(),
        },
    )


def page() -> None:
    """docs/benchmarks/video.md from the figures."""
    stored = json.loads(FACTS.read_text(encoding="utf-8"))
    rows = [
        "# Clips: speed, memory, frames",
        "",
        "<!-- Written by benchmarks/video/measure.py; do not edit. -->",
        "",
        "Throughput of the whole pipeline on two cores: decoding, detection or tracking, expressions and eyes. "
        "No output is written. Commands: `python -m benchmarks.video.measure speed`, `memory`, `live`, `frames`. "
        f"{words_of(stored['speed'])}",
        "",
        "| clip | frames/s: minimum, median, maximum of three | frames | with a face | people |",
        "|---|---|---|---|---|",
    ]
    for name, case in stored["speed"]["cases"].items():
        rates = ", ".join(f"{r:.0f}" for r in case["frames_per_s"])
        rows.append(
            f"| {name} | {rates} | {case['frames']} | {case['with a face']} | {case['people']} |"
        )
    if "memory" in stored:
        m = stored["memory"]
        rows += [
            "",
            f"One hour of video at 640 x 360, {m['frames']:,} frames, with eyes, Parquet and report: resident memory "
            f"is between {m['warm_mb'][0]:.0f} and {m['warm_mb'][1]:.0f} MB after warm-up ({m['minutes']:.0f} minutes of "
            f"wall time, {m['cpu_minutes']:.0f} minutes of CPU time). {words_of(m)}",
        ]
    v = stored["live"]
    others = ", the others skipped" if v["read"] < v["frames"] else ""
    rows += [
        "",
        "Live, with a file at 640 x 480 and 30 frames per second as the camera: the median latency from picture to "
        f"answer is {v['median_ms']:.0f} ms (95th percentile {v['p95_ms']:.0f} ms, maximum {v['largest_ms']:.0f} ms). "
        f"{v['read']} of {v['frames']} frames were read{others}. {words_of(v)}",
        "",
        "Number of frames and time stamps, compared with `ffprobe`:",
        "",
        "| clip | frames, ours | frames, `ffprobe` | largest difference, ms |",
        "|---|---|---|---|",
    ]
    for name, row in stored["frames"].items():
        rows.append(
            f"| {name} | {row['ours']} | {row['ffprobe']} | {row['largest_difference_ms']} |"
        )
    rows += ["", "Head pose, gaze and blinks on rendered heads: [eyes](eyes.md).", ""]
    (DOCS / "video.md").write_text("\n".join(rows), encoding="utf-8")


def main() -> None:
    """Measure one thing."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("what", choices=["speed", "memory", "frames", "live", "page"])
    parser.add_argument("clips", type=Path, nargs="?", help="folder with the clips")
    arguments = parser.parse_args()
    if arguments.what == "page":
        page()
    else:
        {"speed": speed, "memory": memory, "frames": frames, "live": live}[arguments.what](
            arguments.clips
        )


if __name__ == "__main__":
    main()
