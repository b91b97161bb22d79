"""Attacks what is stored and read, and writes docs/robustness.md.

    python -m benchmarks.robustness --out docs/robustness.md
    python -m benchmarks.robustness --share 0.05 --parts pictures flips

Seeded: the same command tries the same. Each part runs in a process of its own, of which the peak
of memory is measured. Exit code 1 when there was a fault.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.robustness import files, processes
from benchmarks.robustness.campaign import Campaign
from pyojeong._version import __version__
from pyojeong.core.atomic_write import atomic_write

PARTS = {**files.PARTS, **processes.PARTS}
say = Console(stderr=True, highlight=False)


def run_part(name: str, count: int, seed: int) -> dict[str, Any]:
    """Run one part in this process."""
    import resource

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rng = random.Random(zlib.crc32(name.encode()) + seed)  # noqa: S311 - no secrets
        campaign = Campaign(rng, Path(folder))
        PARTS[name][0](campaign, count)
    return {
        "counts": dict(campaign.counts),
        "faults": campaign.faults,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "seconds": round(time.monotonic() - began),
    }


def page(results: dict[str, dict[str, Any]], command: str) -> str:
    """Return the Markdown page."""
    lines = [
        "# Robustness",
        "",
        f"Measured by `{command}` with pyojeong {__version__}.",
        "The cases are seeded: the same command repeats them. Files are damaged (single and",
        "several bits; parts truncated, removed, repeated or overwritten; unusual numbers in JSON",
        "and TOML) and read. Commands are killed at any moment and repeated, run twice at the",
        "same time on one output, and run with a limit on file sizes, which acts like a full",
        "disk.",
        "",
        "| part | cases | rejected with a one-line error | read | faults | peak, MB | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    faults: list[str] = []
    for name, found in results.items():
        counts = found["counts"]
        listed = found["faults"]
        faults += [f"{name}: {line}" for line in listed]
        cells = [counts.get(key, 0) for key in ("tried", "refused", "read")]
        row = [name, *(f"{n:,}" for n in cells), str(len(listed))]
        lines.append(f"| {' | '.join([*row, str(found['peak_mb']), str(found['seconds'])])} |")
    lines += [
        "",
        "A fault is a traceback, a silent change, a message of several lines, a wait of more than",
        "ten seconds, a wrong result after a kill or with a second process, or an incomplete file.",
        "*read* includes damage without effect, such as noise in a picture. For kills, pairs and",
        "full disks, *read* is the number of correct results.",
        "",
    ]
    if faults:
        lines += ["## Faults", "", *(f"- {line}" for line in faults[:60]), ""]
    return "\n".join(lines)


def main() -> None:
    """Run the parts and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--share", type=float, default=1.0, help="of the whole campaign")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        (name,) = given.parts
        count = max(round(PARTS[name][1] * given.share), 1)
        print(json.dumps(run_part(name, count, given.seed)))
        return
    results = {}
    options = ["--share", str(given.share), "--seed", str(given.seed), "--inside"]
    for name in given.parts:
        say.print(f"{name} ...")
        command = [sys.executable, "-m", "benchmarks.robustness", "--parts", name, *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        results[name] = json.loads(done.stdout.splitlines()[-1])
        say.print(f"{name}: {results[name]}", soft_wrap=True)
    if given.out:
        text = page(results, f"python -m benchmarks.robustness --out {given.out}")
        with atomic_write(given.out, "w") as file:
            file.write(text)
    sys.exit(1 if any(found["faults"] for found in results.values()) else 0)


if __name__ == "__main__":
    main()
