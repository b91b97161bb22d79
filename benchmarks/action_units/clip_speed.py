"""Time a clip with and without action units, in turns: docs/benchmarks/action_units_speed.json.

    python benchmarks/action_units/clip_speed.py ../shared/data/clips/crying_to_laughing.mp4

Both runs are ``pyojeong video`` with its defaults, in processes of their own; the first pair warms
the disk and is not counted. The share of frames a second is time without over time with units.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OUT = Path(__file__).parents[2] / "docs" / "benchmarks" / "action_units_speed.json"


def seconds(clip: Path, *options: str) -> float:
    """Return how long a run takes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pyojeong", "video", str(clip), "--out", folder]
        began = time.perf_counter()
        subprocess.run([*command, *options], check=True, capture_output=True)
        return time.perf_counter() - began


def main() -> None:
    """Time pairs of runs and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    seconds(options.clip, "--action-units")
    pairs = [
        (seconds(options.clip), seconds(options.clip, "--action-units"))
        for _ in range(options.pairs)
    ]
    shares = [without / with_units for without, with_units in pairs]
    result = {
        "clip": options.clip.name,
        "seconds_without": [round(a, 2) for a, _ in pairs],
        "seconds_with": [round(b, 2) for _, b in pairs],
        "median_share_of_frames_per_s": round(statistics.median(shares), 3),
    }
    OUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
