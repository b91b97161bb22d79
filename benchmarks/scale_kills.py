"""Kills of workers, drivers and shards: the rows are those of an undisturbed run.

``python -m benchmarks.scale_kills --photographs FOLDER --count 10000 --kills 30 --out FILE.json``

A third of the kills each ends (SIGKILL) a worker of Ray, the command itself (which is given again),
and a command with ``--shard``. A kill comes when two more parts are there than at the last one.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.scale_runs import descendants, manifest_of, parts_of, start

_BETWEEN = 2
_RESTARTS = 5


def wait_for_parts(process: subprocess.Popen[bytes], out: Path, before: int, chance: Any) -> bool:
    """Wait until some more parts are there; False when the command has ended first."""
    while len(parts_of(out)) < before + _BETWEEN:
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    time.sleep(chance.uniform(0, 0.5))
    return process.poll() is None


def ray_kills(manifest: Path, out: Path, kills: dict[str, int], seed: int) -> dict[str, int]:
    """Kill workers and drivers of one command in turns; returns how many of each."""
    chance = random.Random(seed)  # noqa: S311 - moments, no secrets
    words = ("analyze", manifest, "--out", out, "--engine", "ray", "--jobs", 2)
    log = out.with_suffix(".log")
    done = {"worker": 0, "driver": 0}
    failed = 0
    process = start(words, log)
    while sum(done.values()) < sum(kills.values()):
        if not wait_for_parts(process, out, len(parts_of(out)), chance):
            if (out / "results.jsonl").exists() or failed == _RESTARTS:
                break
            failed += 1  # it could not start on a busy machine: a user gives it again
            process = start(words, log)
            continue
        kind = "worker" if done["worker"] <= done["driver"] else "driver"
        kind = kind if done[kind] < kills[kind] else ({*done} - {kind}).pop()
        if kind == "worker":
            workers = [p for p, name in descendants(process.pid).items() if "MapWorker" in name]
            if not workers:
                continue
            os.kill(chance.choice(workers), signal.SIGKILL)
        else:
            process.kill()
            process.wait()
            process = start(words, log)
        done[kind] += 1
        print(kind, done, len(parts_of(out)), flush=True)
    while process.wait() not in {0, 1} and failed < _RESTARTS:
        failed += 1
        process = start(words, log)
    return done


def shard_kills(manifest: Path, folder: Path, kills: int, seed: int) -> tuple[list[Path], int]:
    """Kill commands of two shards; returns their folders, and how many kills there were."""
    chance = random.Random(seed)  # noqa: S311 - as above
    done, outs = 0, []
    for index in (1, 2):
        out = folder / f"shard-{index}"
        outs.append(out)
        words = ("analyze", manifest, "--out", out, "--shard", f"{index}/2", "--jobs", 2)
        process = start(words, out.with_suffix(".log"))
        while done < kills * index // 2 and wait_for_parts(
            process, out, len(parts_of(out)), chance
        ):
            process.kill()
            process.wait()
            process = start(words, out.with_suffix(".log"))
            done += 1
            print("shard", index, done, len(parts_of(out)), flush=True)
        process.wait()
    return outs, done


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    third = asked.kills // 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = manifest_of(asked.photographs, folder, asked.count)
        whole = folder / "undisturbed"
        start(["analyze", manifest, "--out", whole, "--jobs", 2], whole.with_suffix(".log")).wait()
        expected = (whole / "results.jsonl").read_bytes()
        wanted = {"worker": third, "driver": third}
        done: dict[str, int] = ray_kills(manifest, folder / "ray", wanted, asked.seed)
        shards, done["shard"] = shard_kills(manifest, folder, asked.kills - 2 * third, asked.seed)
        merged = folder / "merged"
        start(["merge", *shards, "--out", merged], merged.with_suffix(".log")).wait()
        result = {
            "count": asked.count,
            "kills": done,
            "rows": expected.count(b"\n"),
            "ray_equal": (folder / "ray" / "results.jsonl").read_bytes() == expected,
            "shards_equal": (merged / "results.jsonl").read_bytes() == expected,
        }
    text = json.dumps(result, indent=1)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
