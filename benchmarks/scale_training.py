"""Training in two processes against one: accuracy over seeds, and speed.

``python -m benchmarks.scale_training --data fer2013.parquet --subset 8000 --out FILE.json``
trains ``experiments/se-resnet-fer2013.toml`` for a few epochs, each seed once in one process and
once in two (gloo, one thread each), on a fixed, stratified subset of the training split. The
validation split is read whole.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
EXPERIMENT = ROOT / "experiments" / "se-resnet-fer2013.toml"


SMALL: dict[str, Any] = {"stem": 8, "widths": [16, 32, 48, 64], "depths": [1, 1, 1, 1]}
"""A narrow se_resnet, for machines that are busy with other work."""


def measure(
    data: Path, runs: Path, *, seeds: int, epochs: int, subset: int, small: bool
) -> dict[str, Any]:
    """Return accuracy and seconds of every run, and how far one and two processes differ."""
    import tomli_w
    import torch

    from pyojeong.training.loop import train

    torch.set_num_threads(1)
    found: list[dict[str, Any]] = []
    for seed in range(1, seeds + 1):
        for devices in (1, 2):
            table = tomllib.loads(EXPERIMENT.read_text(encoding="utf-8"))
            table |= {"name": f"ddp-{devices}.s{seed}", "seed": seed, "precision": "fp32"}
            if subset:
                table["subset"] = subset
            table["recipe"]["epochs"] = epochs
            if small:  # more steps, too: a batch of 128 gives a small subset few of them
                table["net"] |= SMALL
                table["recipe"]["batch_size"] = 32
            began = time.monotonic()
            run = train(tomli_w.dumps(table), data, runs, devices=devices, device="cpu")
            rows = [json.loads(r) for r in (run.folder / "curves.jsonl").read_text().splitlines()]
            found.append(
                {
                    "seed": seed,
                    "processes": devices,
                    "valid_accuracy": rows[-1]["valid_accuracy"],
                    "valid_loss": rows[-1]["valid_loss"],
                    "seconds_of_epochs": [row["seconds"] for row in rows],
                    "seconds": round(time.monotonic() - began, 1),
                    "load": os.getloadavg()[0],
                }
            )
            print(found[-1], flush=True)
    return {
        "runs": found,
        **summary(found),
        "subset": subset or "all",
        "epochs": epochs,
        "small": small,
    }


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means over seeds, and the difference beside the spread of seeds."""
    by = {n: [r for r in found if r["processes"] == n] for n in (1, 2)}
    accuracy = {n: [r["valid_accuracy"] for r in runs] for n, runs in by.items()}
    speed = {n: [s for r in runs for s in r["seconds_of_epochs"]] for n, runs in by.items()}
    spread = statistics.stdev([*accuracy[1]]) if len(accuracy[1]) > 1 else 0.0
    return {
        "mean_accuracy": {n: round(statistics.mean(a), 4) for n, a in accuracy.items()},
        "standard_deviation_of_seeds_in_one_process": round(spread, 4),
        "difference_of_means": round(
            statistics.mean(accuracy[2]) - statistics.mean(accuracy[1]), 4
        ),
        "median_seconds_of_an_epoch": {n: statistics.median(s) for n, s in speed.items()},
        "speed_of_two_processes": round(
            statistics.median(speed[1]) / statistics.median(speed[2]), 2
        ),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--subset", type=int, default=8000, help="0: the whole training split.")
    parser.add_argument("--small", action="store_true", help="Narrow net, batches of 32.")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as runs:
        sizes = {"seeds": asked.seeds, "epochs": asked.epochs, "subset": asked.subset}
        found = measure(asked.data, Path(runs), **sizes, small=asked.small)
    text = json.dumps(found, indent=1)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
