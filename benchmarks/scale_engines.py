"""The engine Ray against the local one: the same photographs, in turns.

``python -m benchmarks.scale_engines --photographs FOLDER --count 10000 --out FILE.json``

The rate is that of the parts (from the first finished one to the last): starting Ray takes seconds
and is given apart.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.scale_runs import manifest_of, parts_of, start


def one(engine: str, manifest: Path, out: Path, count: int, jobs: int) -> dict[str, Any]:
    """Run one engine; returns its times."""
    began, clock = time.monotonic(), time.time()
    options = ("--engine", engine, "--jobs", jobs)
    code = start(["analyze", manifest, "--out", out, *options], out.with_suffix(".log")).wait()
    seconds = time.monotonic() - began
    times = sorted(part.stat().st_mtime for part in parts_of(out))
    rows = count - count // len(times)  # all but the first part
    return {
        "engine": engine,
        "code": code,
        "seconds": round(seconds, 1),
        "seconds_to_first_part": round(times[0] - clock, 1),
        "images_per_second": round(rows / (times[-1] - times[0]), 2),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = manifest_of(asked.photographs, folder, asked.count)
        tables = set()
        for turn in range(asked.rounds):
            for engine in ("local", "ray") if turn % 2 == 0 else ("ray", "local"):
                out = folder / f"{engine}-{turn}"
                found.append(one(engine, manifest, out, asked.count, asked.jobs))
                tables.add((out / "results.jsonl").read_bytes())
                print(found[-1], flush=True)
    rates = {
        engine: statistics.median(f["images_per_second"] for f in found if f["engine"] == engine)
        for engine in ("local", "ray")
    }
    ratio = round(rates["ray"] / rates["local"], 3)
    result = {"count": asked.count, "jobs": asked.jobs, "runs": found, "ratio": ratio}
    result["same_rows"] = len(tables) == 1
    text = json.dumps(result, indent=1)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
