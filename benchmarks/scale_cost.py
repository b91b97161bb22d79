"""What a long list costs: hours, bytes, and where it saturates, from measured unit costs.

``python -m benchmarks.scale_cost --measure --photographs FOLDER --clips FOLDER --out UNITS.json``
measures the unit costs of this machine (CPU time of one thread).

``python -m benchmarks.scale_cost --units UNITS.json`` prints the table of docs/scale.md. Every unit
and every property of the machines is an option, so that users put in their own.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

UNITS = Path(__file__).parents[1] / "docs" / "benchmarks" / "scale_units.json"


@dataclass(frozen=True)
class Units:
    """Unit costs; milliseconds of one core unless the name says otherwise.

    Attributes:
        picture_bytes: Of an encoded picture.
        read_ms: Reading its bytes from the local disk.
        decode_ms: Decoding it.
        detect_ms: Finding faces.
        classify_ms: Cutting out and classifying them.
        write_ms: Writing its rows into a part.
        row_bytes: Of its rows in a part.
        list_us: Microseconds for a row of the list, in every process that makes one.
        merge_us: Microseconds for a row of the final table, in one process.
        clip_bytes_per_s: Of a second of video.
        clip_ms_per_s: For a second of video, at ``clip_fps``.
        clip_fps: Frames a second that are read.
    """

    picture_bytes: float
    read_ms: float
    decode_ms: float
    detect_ms: float
    classify_ms: float
    write_ms: float
    row_bytes: float
    list_us: float
    merge_us: float
    clip_bytes_per_s: float
    clip_ms_per_s: float
    clip_fps: float = 5.0

    @property
    def picture_ms(self) -> float:
        """Milliseconds of one core for a picture."""
        return self.read_ms + self.decode_ms + self.detect_ms + self.classify_ms + self.write_ms


@dataclass(frozen=True)
class Machines:
    """What the work runs on.

    Attributes:
        cores: Of each machine.
        efficiency: Share of the cores' time that goes into the work.
        store_gb_s: Gigabytes a second that the store gives to all machines together.
        network_gb_s: Gigabytes a second that reach one machine.
    """

    cores: int = 16
    efficiency: float = 0.9
    store_gb_s: float = 5.0
    network_gb_s: float = 1.25


@dataclass(frozen=True)
class Estimate:
    """What some work costs.

    Attributes:
        hours: Until its last part.
        moved_tb: Terabytes from the store.
        written_gb: Gigabytes of parts.
        limit: What decides the hours.
        list_hours: Before the first part, where one list names all inputs.
        merge_hours: Behind the last part, where one table is made of all parts.
    """

    hours: float
    moved_tb: float
    written_gb: float
    limit: str
    list_hours: float
    merge_hours: float


def estimate(units: Units, machines: Machines, count: int, *, pictures: float) -> Estimate:
    """Return what so many pictures cost on so many machines."""
    seconds = pictures * units.picture_ms / 1e3
    moved = pictures * units.picture_bytes
    parts = {
        "decode": units.decode_ms,
        "detector": units.detect_ms,
        "classifier": units.classify_ms,
    }
    return _estimate(
        units, machines, count, seconds, moved, pictures, max(parts, key=parts.__getitem__)
    )


def estimate_clips(units: Units, machines: Machines, count: int, *, hours: float) -> Estimate:
    """Return what so many hours of video cost on so many machines."""
    seconds = hours * 3600 * units.clip_ms_per_s / 1e3
    moved = hours * 3600 * units.clip_bytes_per_s
    rows = hours * 3600 * units.clip_fps
    found = _estimate(units, machines, count, seconds, moved, rows, "frames")
    return Estimate(**{**asdict(found), "list_hours": 0.0})


def _estimate(
    units: Units,
    machines: Machines,
    count: int,
    seconds: float,
    moved: float,
    rows: float,
    largest: str,
) -> Estimate:
    limits = {
        f"cores ({largest})": seconds / (count * machines.cores * machines.efficiency),
        "network of a machine": moved / (count * machines.network_gb_s * 1e9),
        "store": moved / (machines.store_gb_s * 1e9),
    }
    limit = max(limits, key=limits.__getitem__)
    return Estimate(
        hours=limits[limit] / 3600,
        moved_tb=moved / 1e12,
        written_gb=rows * units.row_bytes / 1e9,
        limit=limit,
        list_hours=rows * units.list_us / 1e6 / 3600,
        merge_hours=rows * units.merge_us / 1e6 / 3600,
    )


def saturation(units: Units, machines: Machines) -> float:
    """Return the number of machines from which on the store is the limit."""
    of_machine = machines.cores * machines.efficiency / (units.picture_ms / 1e3)
    return machines.store_gb_s * 1e9 / (of_machine * units.picture_bytes)


def table(units: Units, machines: Machines) -> str:
    """Return the estimates as Markdown."""
    lines = [
        "| work | machines | hours | from the store | parts | limit | list | one table |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, work in (
        ("1e6 pictures", lambda n: estimate(units, machines, n, pictures=1e6)),
        ("1e8 pictures", lambda n: estimate(units, machines, n, pictures=1e8)),
        ("1e9 pictures", lambda n: estimate(units, machines, n, pictures=1e9)),
        ("1e5 hours of video", lambda n: estimate_clips(units, machines, n, hours=1e5)),
    ):
        for count in (1, 16, 256):
            e: Estimate = work(count)
            lines.append(
                f"| {name} | {count} | {e.hours:,.2f} | {e.moved_tb:,.2f} TB | "
                f"{e.written_gb:,.1f} GB | {e.limit} | {e.list_hours:,.2f} h | "
                f"{e.merge_hours:,.2f} h |"
            )
    lines.append("")
    lines.append(
        f"With {machines.cores} cores per machine and {machines.store_gb_s:g} GB/s from the store, "
        f"the store is the limit from {saturation(units, machines):,.0f} machines on."
    )
    return "\n".join(lines)


def _cpu_ms(do: Callable[[], object], times: int) -> float:
    """Return milliseconds of CPU time of one call, the least of three rounds."""
    rounds = []
    for _ in range(3):
        began = time.process_time()
        for _ in range(times):
            do()
        rounds.append((time.process_time() - began) * 1e3 / times)
    return min(rounds)


def measure(photographs: Path, clips: Path, count: int) -> Units:
    """Measure the unit costs here."""
    import cv2

    from pyojeong.core.shards import Shard
    from pyojeong.distributed.input_list import Entry, write_list
    from pyojeong.distributed.parts import PartStore
    from pyojeong.image.files import decode_image
    from pyojeong.output.tables import SINKS
    from pyojeong.runtime.analyzer import Analyzer

    cv2.setNumThreads(1)
    analyzer = Analyzer(threads=1)
    files = sorted(p for p in photographs.iterdir() if p.suffix == ".jpg")[:count]
    encoded = [file.read_bytes() for file in files]
    images = [decode_image(data) for data in encoded]
    found = [(image, analyzer.detector.detect(image)) for image in images]
    results = analyzer.analyze_frames(
        [(im, str(f), 0, 0.0) for im, f in zip(images, files, strict=True)]
    )
    each = len(files)
    with tempfile.TemporaryDirectory() as name:
        store = PartStore(Path(name))
        store.folder.mkdir()
        rows = [(Entry(i, r.source), r) for i, r in enumerate(results)]
        labels = analyzer.classifier.label_set

        def write() -> None:
            store.write(0, rows, labels=labels, timeline=False, measures=())

        def merge() -> None:
            with SINKS["parquet"](Path(name) / "t.parquet", labels=labels) as sink:
                from pyojeong.output.tables import read_parquet

                for result in read_parquet(store.path(0)):
                    sink.write(result)

        names = [f"folder/{i:08d}.jpg" for i in range(100_000)]
        write_ms = _cpu_ms(write, 1) / each
        return Units(
            picture_bytes=sum(map(len, encoded)) / each,
            read_ms=_cpu_ms(lambda: [file.read_bytes() for file in files], 1) / each,
            decode_ms=_cpu_ms(lambda: [decode_image(data) for data in encoded], 1) / each,
            detect_ms=_cpu_ms(lambda: [analyzer.detector.detect(im) for im in images], 1) / each,
            classify_ms=_cpu_ms(
                lambda: analyzer.classifier.expressions(analyzer.classifier.face_outputs(found)), 1
            )
            / each,
            write_ms=write_ms,
            row_bytes=store.path(0).stat().st_size / each,
            list_us=_cpu_ms(lambda: write_list(Path(name) / "l", names, Shard(), {}), 1) / 100,
            merge_us=_cpu_ms(merge, 1) * 1e3 / each,
            **_clips(analyzer, clips),
        )


def _clips(analyzer: object, clips: Path) -> dict[str, float]:
    from pyojeong.stream.segments import Selection
    from pyojeong.video.options import VideoOptions
    from pyojeong.video.process import read_clip

    seconds = size = spent = 0.0
    for clip in sorted(p for p in clips.iterdir() if p.suffix == ".mp4"):
        with tempfile.TemporaryDirectory() as name:
            options = VideoOptions(selection=Selection(fps=5), pictures=False, workers=1)
            began = time.process_time()
            read_clip(clip, Path(name) / "out", analyzer, options)  # type: ignore[arg-type]
            spent += time.process_time() - began
            done = json.loads((Path(name) / "out" / "done.json").read_text())
            seconds += done["facts"]["duration_s"]
            size += clip.stat().st_size
    return {"clip_bytes_per_s": size / seconds, "clip_ms_per_s": spent * 1e3 / seconds}


def main() -> None:
    """Measure units, or print the estimates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--count", type=int, default=150, help="Photographs that are measured.")
    parser.add_argument("--out", type=Path, default=UNITS)
    parser.add_argument("--units", type=Path, default=UNITS)
    for kind in (Units, Machines):
        for field in fields(kind):
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=float)
    asked = parser.parse_args()
    if asked.measure:
        units = measure(asked.photographs, asked.clips, asked.count)
        rounded = {k: float(f"{v:.4g}") for k, v in asdict(units).items()}
        asked.out.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(rounded, indent=1))
        return
    known = json.loads(asked.units.read_text(encoding="utf-8"))
    given = {k: v for k, v in vars(asked).items() if v is not None}
    units = Units(**{**known, **{f.name: given[f.name] for f in fields(Units) if f.name in given}})
    own = {f.name: given[f.name] for f in fields(Machines) if f.name in given}
    print(table(units, Machines(**own)))


if __name__ == "__main__":
    main()
