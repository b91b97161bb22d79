"""Peak memory of the operations on large manifests: import, overview, split, merge.

Makes pictures of about 6 KB (noise that does not shrink, no repeats) inside tables and runs each
operation in a process of its own, so that each has its own peak. IMPORTED pictures go through the
whole import, which decodes them; the other operations, which open no picture, run on a table of
ROWS rows that is written directly.

    python benchmarks/manifest_memory.py --rows 300000 --folder /tmp/manifest-memory
"""

import argparse
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from pyojeong.core.labels import FER7, LabelSet
from pyojeong.datasets import importing, readers
from pyojeong.datasets.merging import merge
from pyojeong.datasets.overview import overview
from pyojeong.datasets.samples import Sample, Split, write_manifest
from pyojeong.datasets.splitting import SplitOptions, split

SIDE = 76  # gray noise: 76 x 76 bytes do not shrink as PNG


def synthetic(
    path: Path,
    *,
    votes: Path | None = None,  # noqa: ARG001 - a reader's signature
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,  # noqa: ARG001 - same
) -> Iterator[Sample]:
    """Noise pictures; the file holds their number."""
    rng = np.random.default_rng(0)
    for i in range(int(path.read_text())):
        pixels = rng.integers(0, 256, (SIDE, SIDE), np.uint8)
        yield Sample(
            label=labels.names[i % 7],
            split=(Split.VALID, Split.TEST)[i % 10] if i % 10 < 2 else Split.TRAIN,
            image=cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes(),
            votes=(1,) * 10,
            group=f"person {i // 20}",
            source=f"synthetic:{i}",
        )


def bytes_only(count: int) -> Iterator[Sample]:
    """Rows like those of ``synthetic``, with bytes that were never a picture."""
    rng = np.random.default_rng(0)
    for i in range(count):
        yield Sample(
            label=FER7.names[i % 7],
            split=(Split.VALID, Split.TEST)[i % 10] if i % 10 < 2 else Split.TRAIN,
            image=rng.bytes(SIDE * SIDE + 100),
            votes=(1,) * 10,
            group=f"person {i // 20}",
            source=f"synthetic:{i}",
            content_hash=f"{i:032x}",
            phash=i,
        )


def run(step: str, folder: Path, rows: int) -> None:
    """One operation, in this process."""
    table = folder / "set.parquet"
    if step == "import":
        readers.READERS["synthetic"] = synthetic
        (folder / "rows.txt").write_text(str(rows))
        options = importing.ImportOptions(layout="synthetic", jobs=2)
        importing.import_dataset(folder / "rows.txt", folder / "imported.parquet", options)
    elif step == "write":
        write_manifest(table, bytes_only(rows), FER7)
    elif step == "overview":
        overview(table)
    elif step == "split":
        split(table, folder / "split.parquet", SplitOptions())
    else:
        merge([table, folder / "split.parquet"], folder / "merged.parquet")


def main() -> None:
    """Run all steps and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--imported", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--step")
    args = parser.parse_args()
    if args.step:
        began = time.perf_counter()
        run(args.step, args.folder, args.rows)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        wall, cpu = time.perf_counter() - began, time.process_time()
        print(f"{args.step:>10}: {wall:7.1f} s ({cpu:.1f} s CPU), peak {peak:6.0f} MB", flush=True)
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    for step in ("write", "overview", "split", "merge", "import"):
        rows = args.imported if step == "import" else args.rows
        command = [sys.executable, __file__, "--folder", str(args.folder)]
        subprocess.run([*command, "--step", step, "--rows", str(rows)], check=True)
    size = (args.folder / "set.parquet").stat().st_size / 1e9
    print(f"{args.rows:,} rows, {size:.2f} GB")


if __name__ == "__main__":
    main()
