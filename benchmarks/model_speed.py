"""Two of our models in turns: how much longer the new one takes.

    python -m benchmarks.model_speed --model default --against seresnet-s-fer2013-fer7.v4

The nets alone on made-up faces of their own size, and whole faces through the classifier (crop to
answer). Ratios are of medians of rounds that take turns, because the machine's speed changes from
minute to minute. Writes docs/benchmarks/default_speed.json.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.peers.nets import SETTINGS, TimedNet
from pyojeong.core.atomic_write import atomic_write
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.speed import cpu_name

OUT = Path(__file__).parents[1] / "docs" / "benchmarks" / "default_speed.json"
ROUNDS = 9
say = Console(stderr=True, highlight=False)


def seconds_of_crops(classifier: Classifier, batch: int, runs: int) -> float:
    """Seconds of a batch of cut-out faces, from pixels to answers."""
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (120, 120, 3), np.uint8) for _ in range(batch)]
    started = time.perf_counter()
    for _ in range(runs):
        classifier.probabilities(classifier.crop_outputs(crops))
    return (time.perf_counter() - started) / runs


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--against", default="seresnet-s-fer2013-fer7.v4")
    given = parser.parse_args()
    entries = {name: find_classifier(name) for name in (given.model, given.against)}
    result: dict[str, Any] = {
        "cpu": cpu_name(),
        "rounds": ROUNDS,
        "models": {name: e.card.id for name, e in entries.items()},
        "megabytes": {n: round(e.weights.stat().st_size / 1e6, 2) for n, e in entries.items()},
    }
    for threads, batch, runs in SETTINGS.values():
        nets = {name: TimedNet(e.weights, threads, batch) for name, e in entries.items()}
        whole = {name: Classifier.open(e, threads=threads) for name, e in entries.items()}
        took: dict[str, dict[str, list[float]]] = {"net": {}, "crops": {}}
        for number in range(ROUNDS + 1):
            for name in entries:
                for kind, value in (
                    ("net", nets[name].time(runs)),
                    ("crops", seconds_of_crops(whole[name], batch, max(runs // 4, 2))),
                ):
                    if number:  # the first round warms up
                        took[kind].setdefault(name, []).append(value)
        for kind, values in took.items():
            medians = {name: 1e3 * statistics.median(v) for name, v in values.items()}
            ratio = medians[given.model] / medians[given.against]
            result[f"{kind}, {batch} faces, {threads} threads"] = {
                "ms": {name: round(v, 3) for name, v in medians.items()},
                "ratio": round(ratio, 3),
            }
            say.print(f"{kind}, {batch} faces, {threads} threads: {medians}, {ratio:.2f} times")
    with atomic_write(OUT, "w") as file:
        file.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
