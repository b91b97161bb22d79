"""What cleaning was worth: one experiment on raw and on cleaned training data, same seeds.

    python benchmarks/curation/worth.py train raw 21 runs/fer2013.parquet
    python benchmarks/curation/worth.py train cleaned 21 runs/fer2013-cleaned.parquet
    python benchmarks/curation/worth.py table runs/fer2013.parquet runs/fer2013-cleaned.parquet \
        --ferplus ../shared/data/fer2013/fer2013new.csv

Every arm is trained for the same number of epochs; its last epoch is scored on PublicTest, so that
nothing is chosen on the pictures it is scored on. PrivateTest is not read. ``train`` resumes.
"""

import argparse
import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyojeong.core.labels import FERPLUS_TO_FER7
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_rows
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import load_faces
from pyojeong.training.loop import TrainingCallbacks, train
from pyojeong.training.run import Run, load_last

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "experiments" / "results" / "cleaning.json"
ROUNDS = 2000


def run_of(arm: str, seed: int, runs: Path) -> Run:
    """Folder of an arm."""
    return Run(runs / f"cleaning-{arm}-{seed}")


def fit(arm: str, seed: int, manifest: Path, runs: Path) -> None:
    """Train one arm, or resume it, and keep its answers on PublicTest."""
    text = (ROOT / "experiments" / "cleaning.toml").read_text(encoding="utf-8")
    text = re.sub(r'(?m)^name = "cleaning"$', f'name = "cleaning-{arm}-{seed}"', text)
    text = re.sub(r"(?m)^seed = .*$", f"seed = {seed}", text)
    watch = TrainingCallbacks(epoch=lambda line: print(line, flush=True))
    run = train(text, manifest, runs, watch=watch)
    print(run.folder)


def answers(run: Run, faces: Any, pre: Any) -> np.ndarray:
    """Probabilities of the last epoch, single view, (N, 7)."""
    task = load_last(run, num_classes=7)
    data = FaceDataset(faces, pre)
    out = []
    with torch.inference_mode():
        for start in range(0, len(data), 256):
            x, _, _ = data.__getitems__(list(range(start, min(start + 256, len(data)))))
            out.append(task.scored(x)[0].softmax(1).numpy())
    return np.concatenate(out)


def interval(hits: np.ndarray) -> list[float]:
    """Mean and 95 % bootstrap interval over pictures; ``hits`` is (seeds, N)."""
    rng = np.random.default_rng(0)
    each = hits.mean(0)
    draws = [each[rng.integers(0, len(each), len(each))].mean() for _ in range(ROUNDS)]
    return [round(float(v), 4) for v in (each.mean(), *np.percentile(draws, [2.5, 97.5]))]


def table(raw: Path, cleaned: Path, ferplus: Path, runs: Path) -> None:
    """Score all finished arms on PublicTest: untouched, cleaned, without leaks, by FER+."""
    labels = manifest_labels(raw)
    rows: list[tuple[int, Sample]] = list(read_rows(raw, splits=[Split.VALID]))
    given = np.array([labels.index(s.label) for _, s in rows])
    kept = {
        s.source: labels.index(s.label)
        for _, s in read_rows(cleaned, splits=[Split.VALID], images=False)
    }
    clean_label = np.array([kept.get(s.source, -1) for _, s in rows])
    in_train = {s.content_hash for _, s in read_rows(raw, splits=[Split.TRAIN], images=False)}
    fresh = np.array([s.content_hash not in in_train for _, s in rows])
    with ferplus.open(newline="", encoding="utf-8") as file:
        votes = np.array([[int(v) for v in r[2:12]] for r in list(csv.reader(file))[1:]])
    mine = votes[[i for i, _ in rows]]
    best = mine[:, :8].argmax(1)
    people = np.array([-1 if m is None else m for m in FERPLUS_TO_FER7])[best]
    people = np.where(mine[:, :8].max(1) * 2 > mine.sum(1), people, -1)
    tests = {
        "untouched": (given, np.ones(len(rows), bool)),
        "untouched, without copies of Training": (given, fresh),
        "cleaned": (clean_label, clean_label >= 0),
        "FER+ majority": (people, people >= 0),
    }
    arms: dict[str, list[Run]] = {}
    for folder in sorted(runs.glob("cleaning-*-*"), key=lambda f: ("raw" not in f.name, f.name)):
        if Run(folder).done:
            arm = folder.name.removeprefix("cleaning-").rsplit("-", 1)[0]
            arms.setdefault(arm, []).append(Run(folder))
    faces, pre, out = None, None, {}
    found: dict[str, np.ndarray] = {}
    for arm, finished in arms.items():
        if faces is None:
            pre = finished[0].experiment.preprocess
            faces = load_faces((s for _, s in rows), labels, gray=pre.color == "gray")
        found[arm] = np.stack([answers(run, faces, pre).argmax(1) for run in finished])
        result: dict[str, Any] = {"seeds": [run.experiment.seed for run in finished]}
        for name, (truth, use) in tests.items():
            hits = (found[arm][:, use] == truth[use]).astype(float)
            result[name] = {
                "n": int(use.sum()),
                "accuracy": interval(hits),
                "by_seed": [round(float(h.mean()), 4) for h in hits],
            }
            if arm != "raw" and "raw" in found:
                same = [out["raw"]["seeds"].index(s) for s in result["seeds"]]
                base = (found["raw"][same][:, use] == truth[use]).astype(float)
                gain = hits.mean(0) - base.mean(0)
                result[name]["against_raw"] = interval(gain[None])
        out[arm] = result
    RESULTS.write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(out, indent=2))


def main() -> None:
    """Train an arm or make the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("train")
    one.add_argument("arm")
    one.add_argument("seed", type=int)
    one.add_argument("manifest", type=Path)
    all_ = commands.add_parser("table")
    all_.add_argument("raw", type=Path)
    all_.add_argument("cleaned", type=Path)
    all_.add_argument("--ferplus", type=Path, required=True)
    given = parser.parse_args()
    if given.command == "train":
        fit(given.arm, given.seed, given.manifest, given.runs)
    else:
        table(given.raw, given.cleaned, given.ferplus, given.runs)


if __name__ == "__main__":
    main()
