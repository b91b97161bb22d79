"""Memory of the local engine over a long manifest.

``python -m benchmarks.scale_memory --rows 1000000 --out FILE.json`` lists tiny pictures (links to
a few files) in a Parquet manifest, reads them, and writes the table. The detector finds nothing and
takes no time, so that what is measured is the list, the parts and the tables; networks take the
same memory however long a list is. ``--list-only`` with 10,000,000 rows measures the list alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.scale_runs import parts_of, resident_mb

_CHILD = """
import sys
from pathlib import Path
from benchmarks.scale_memory import work
work(Path(sys.argv[1]), Path(sys.argv[2]), list_only=sys.argv[3] == "list")
"""


class NoFaces:
    """A detector that finds nothing."""

    id = "no-faces"

    def detect(self, _image: Any, /) -> tuple[()]:
        """Return no faces."""
        return ()


def work(manifest: Path, out: Path, *, list_only: bool) -> None:
    """Do what ``pyojeong analyze MANIFEST --out OUT --format parquet`` does."""
    from unittest.mock import patch

    from pyojeong.cli import analyze_parts
    from pyojeong.cli.analyze_request import AnalyzeRequest
    from pyojeong.cli.console import make_console
    from pyojeong.core.shards import Shard
    from pyojeong.distributed.input_list import write_list
    from pyojeong.distributed.manifests import read_manifest_paths
    from pyojeong.runtime.analyzer import Analyzer

    if list_only:
        out.mkdir()
        print(write_list(out / "list.parquet", read_manifest_paths(str(manifest)), Shard(), {}))
        return
    request = AnalyzeRequest(paths=[str(manifest)], out=out, formats=["parquet"], jobs=2)
    analyzer = Analyzer(threads=1, detector=NoFaces())
    with patch.object(analyze_parts, "make_analyzer", lambda _: analyzer):
        analyze_parts.run_in_parts(request, make_console(stderr=True))


def make_manifest(folder: Path, rows: int, *, files: bool) -> Path:
    """Write a manifest of so many tiny pictures; a file has at most 50,000 names."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    pictures = folder / "tiny"
    pictures.mkdir()
    chance = np.random.default_rng(0)
    path = folder / "tiny.parquet"
    with pq.ParquetWriter(path, pa.schema([("path", pa.string())])) as writer:
        for first in range(0, rows, 50_000):
            names = [f"tiny/{first + i:08d}.png" for i in range(min(50_000, rows - first))]
            if files:
                original = pictures / Path(names[0]).name
                Image.fromarray(chance.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(original)
                for name in names[1:]:
                    os.link(original, folder / name)
            writer.write_table(pa.table({"path": names}))
    return path


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--list-only", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = make_manifest(folder, asked.rows, files=not asked.list_only)
        began = time.monotonic()
        words = [str(manifest), str(folder / "out"), "list" if asked.list_only else "all"]
        process = subprocess.Popen([sys.executable, "-c", _CHILD, *words])
        samples: list[tuple[float, float]] = []

        def watch() -> None:
            while process.poll() is None:
                samples.append((round(time.monotonic() - began, 1), resident_mb(process.pid)))
                if len(samples) % 60 == 0:
                    print(samples[-1], len(parts_of(folder / "out")), flush=True)
                time.sleep(0.5)

        thread = threading.Thread(target=watch)
        thread.start()
        code = process.wait()
        thread.join()
    seen = [mb for _, mb in samples]
    tenth = max(1, len(seen) // 10)
    result = {
        "rows": asked.rows,
        "list_only": asked.list_only,
        "code": code,
        "seconds": round(time.monotonic() - began, 1),
        "most_mb": round(max(seen), 1),
        "mb_over_time": [round(max(seen[i : i + tenth]), 1) for i in range(0, len(seen), tenth)],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
