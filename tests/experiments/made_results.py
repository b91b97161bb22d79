"""Results made by hand: what a run folder would hold, without any training."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pyojeong.core.labels import FER7

SPLIT = "ab" * 32
TRUTH = "".join(str(i % 7) for i in range(210))

SETTINGS: dict[str, Any] = {
    "net": "yu_zhang",
    "net_options": {"dropout": 0.2, "pool": "max"},
    "size_hw": [48, 48],
    "color": "gray",
    "feature": None,
    "augmented": True,
    "loss": "cross-entropy",
    "smoothing": 0.1,
    "class_weights": "none",
    "optimizer": "adamw",
    "lr": 0.002,
    "frozen_lr": None,
    "frozen_epochs": 0,
    "schedule": "one-cycle",
    "epochs": 4,
    "batch_size": 64,
    "ema": 0.998,
    "votes": False,
    "teacher": None,
    "pretrained": None,
    "start": None,
    "subset": None,
    "pick": "best",
}


def answers(right: float, seed: int = 0) -> str:
    """Answers to ``TRUTH`` of which about this share is right."""
    rng = np.random.default_rng(seed)
    return "".join(
        t if rng.random() < right else str((int(t) + int(rng.integers(1, 7))) % 7) for t in TRUTH
    )


def figure(value: float) -> dict[str, float]:
    return {"value": round(value, 5), "low": round(value - 0.02, 5), "high": round(value + 0.02, 5)}


def scored(said: str, split: str = "valid") -> dict[str, Any]:
    """What ``score_split`` says of such answers."""
    counts = np.zeros((7, 7), int)
    for label, answer in zip(TRUTH, said, strict=True):
        counts[int(label), int(answer)] += 1
    right = float(np.trace(counts)) / len(TRUTH)
    names = ("accuracy", "balanced_accuracy", "macro_f1")
    return {
        "split": split,
        "split_sha256": SPLIT,
        "views": 1,
        "temperature": 1.25,
        "labels": list(FER7.names),
        "answers": said,
        "n": len(TRUTH),
        **{name: figure(right) for name in names},
        "ece": figure(0.03),
        "nll": figure(1.1),
        "recall": {n: counts[i, i] / int(counts[i].sum()) for i, n in enumerate(FER7.names)},
        "confusion": counts.tolist(),
    }


def curves(epochs: int) -> list[dict[str, Any]]:
    return [
        {
            "epoch": i,
            "train_loss": 1.9 - 0.2 * i,
            "valid_loss": 1.8 - 0.1 * i,
            "valid_accuracy": 0.3 + 0.05 * i,
            "epochs": 4,
            "seconds": 30.0,
        }
        for i in range(epochs)
    ]


def made(
    name: str, right: float = 0.6, *, about: dict[str, Any] | None = None, **changed: Any
) -> dict[str, Any]:
    """A finished run; ``changed`` are settings."""
    seed = int(name.rpartition(".s")[2]) if ".s" in name else 0
    return {
        "version": 1,
        "name": name,
        "seed": seed,
        "about": {"group": name.partition("/")[0], **(about or {})},
        "settings": {**SETTINGS, **changed},
        "test_split_uses": [],
        "status": "finished",
        "reason": None,
        "picked_epoch": 3,
        "train_samples": 28709,
        "valid": scored(answers(right, seed)),
        "test": None,
        "params": 1_234_567,
        "macs": 45_600_000,
        "minutes": 12.34,
        "curves": curves(4),
        "environment": {"manifest": "fer2013.parquet", "python": "3.11", "threads": 1},
    }


def failed(name: str, reason: str) -> dict[str, Any]:
    """A run that failed after an epoch."""
    kept = ("version", "name", "seed", "about", "settings", "test_split_uses", "environment")
    run = made(name)
    return {
        **{key: run[key] for key in kept},
        "status": "failed",
        "reason": reason,
        "curves": curves(1),
        "minutes": 0.5,
    }


def looked(result: dict[str, Any]) -> dict[str, Any]:
    """The same run after its use of the test split."""
    look = {"model": result["name"], "time": "2026-01-02T03:04:05+00:00", "accuracy": 0.6}
    return {**result, "test": scored(result["valid"]["answers"], "test"), "test_split_uses": [look]}


def keep(folder: Path, *results: dict[str, Any]) -> Path:
    """Write results as ``--keep`` does."""
    for result in results:
        file = folder / f"{result['name']}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result, indent=1) + "\n")
    return folder


def keep_truth(folder: Path, *, split: str = SPLIT) -> Path:
    """Write the labels beside results."""
    file = folder / "valid.json"
    file.write_text(json.dumps({"split_sha256": split, "labels": FER7.names, "truth": TRUTH}))
    return file
