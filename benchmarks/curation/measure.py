"""Measures the curation checks on real data and writes docs/benchmarks/curation.md.

    python benchmarks/curation/measure.py runs/fer2013.parquet \
        --ferplus ../shared/data/fer2013/fer2013new.csv --wild ../shared/data/wild \
        --predictions runs/curation-folds/predictions.parquet

Truth: byte-identical pixel strings for copies; a list of 100 near copies looked at
(near_pairs.csv); FER+'s annotators for faces and labels; a list of inspected photographs for pose
and covers (wild_labels.csv). Each part's figures go to docs/benchmarks/curation.json, from which
the page is written, so that parts can be measured one at a time (``--only``).
"""

import argparse
import csv
import hashlib
import json
import resource
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from sklearn.metrics import average_precision_score, roc_auc_score

from pyojeong.core.labels import FERPLUS_TO_FER7
from pyojeong.curate.checks import CHECKS, NOT_BY_DEFAULT, build_check, parse_checks
from pyojeong.curate.curation import Plan, curate
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.face_inspection import Examiner
from pyojeong.curate.findings import Store
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_rows

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs" / "benchmarks"


def interval(hits: np.ndarray) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927), which stays honest when all or none are hits."""
    n, z = len(hits), 1.959964
    if not n:
        return (float("nan"), float("nan"))
    share = float(hits.mean())
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return (round(float(middle - half), 4), round(float(middle + half), 4))


def auroc(truth: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """AUROC with interval, average precision, counts."""
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(200):
        pick = rng.integers(0, len(truth), len(truth))
        if 0 < truth[pick].sum() < len(truth):
            draws.append(roc_auc_score(truth[pick], scores[pick]))
    low, high = np.percentile(draws, [2.5, 97.5])
    return {
        "n": len(truth),
        "positive": int(truth.sum()),
        "auroc": round(float(roc_auc_score(truth, scores)), 4),
        "auroc_95": [round(float(low), 4), round(float(high), 4)],
        "average_precision": round(float(average_precision_score(truth, scores)), 4),
    }


def rated(truth: np.ndarray, flagged: np.ndarray) -> dict[str, Any]:
    """Precision, recall and balanced accuracy of a yes/no answer."""
    hit = truth & flagged
    return {
        "n": len(truth),
        "positive": int(truth.sum()),
        "flagged": int(flagged.sum()),
        "precision": round(float(hit.sum() / max(flagged.sum(), 1)), 4),
        "recall": round(float(hit.sum() / max(truth.sum(), 1)), 4),
        "recall_95": interval(flagged[truth].astype(float)),
        "specificity": round(float((~flagged[~truth]).mean()), 4),
        "balanced_accuracy": round(
            float((flagged[truth].mean() + (~flagged[~truth]).mean()) / 2), 4
        ),
    }


def ferplus_votes(path: Path) -> np.ndarray:
    """Ten counts a row, (N, 10); rows without a name too (they have ten votes for "no face")."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([[int(v) for v in row[2:12]] for row in rows])


def measure_copies(store: Store) -> dict[str, Any]:
    """Exact copies against an oracle of their own; near copies against a looked-at list."""
    oracle: dict[bytes, list[tuple[int, Split]]] = {}
    split_of: dict[int, Split] = {}
    for row, sample in read_rows(store.manifest, splits=list(Split)):
        image = DecodedImage(row, sample).gray
        key = hashlib.md5(b"" if image is None else image.tobytes(), usedforsecurity=False)
        oracle.setdefault(key.digest(), []).append((row, sample.split))
        split_of[row] = sample.split
    groups = [g for g in oracle.values() if len(g) > 1]
    truth = {r for g in groups for r, _ in g}
    found = store.flagged("exact-copy")
    said = {f.row for f in found} | {f.other for f in found}
    leaks = sum(len({s for _, s in g}) > 1 for g in groups)
    pairs = Counter(f"{split_of[f.row]} of {split_of[f.other]}" for f in found)
    near = store.flagged("near-copy")
    out = {
        "groups": len(groups),
        "rows_in_groups": len(truth),
        "surplus_rows": len(truth) - len(groups),
        "groups_across_splits": leaks,
        "found_rows_in_groups": len(said & truth),
        "false": len(said - truth),
        "surplus_by_split": dict(sorted(pairs.items())),
        "near_flagged": len(near),
        "near_by_split": dict(
            sorted(Counter(f"{split_of[f.row]} of {split_of[f.other]}" for f in near).items())
        ),
    }
    looked = HERE / "near_pairs.csv"
    if looked.exists():
        with looked.open(newline="", encoding="utf-8") as file:
            verdicts = [row["same"] == "yes" for row in csv.DictReader(file)]
        out["near_looked_at"] = len(verdicts)
        out["near_precision"] = round(float(np.mean(verdicts)), 4)
        out["near_precision_95"] = interval(np.array(verdicts, float))
    return out


def measure_faces(store: Store, votes: np.ndarray) -> dict[str, Any]:
    """no-face against "unknown" or "not a face" having the majority of FER+'s votes."""
    bad = votes[:, 8:].sum(1) * 2 > votes.sum(1)
    scores = store.scores("no-face")
    out = auroc(bad, scores)
    out["named_not_a_face"] = int((votes[:, 9] * 2 > votes.sum(1)).sum())
    flagged = np.zeros(store.size, bool)
    flagged[[f.row for f in store.flagged("no-face")]] = True
    return {**out, "at_threshold": rated(bad, flagged)}


def measure_labels(store: Store, votes: np.ndarray) -> dict[str, Any]:
    """label-issue against FER+ majorities of 8 votes or more."""
    labels = manifest_labels(store.manifest)
    rows = list(read_rows(store.manifest, splits=list(Split), images=False))
    given = np.array([labels.index(s.label) for _, s in rows])
    split = np.array([s.split.value for _, s in rows])
    found = store.findings("label-issue")
    judged = np.zeros(store.size, bool)
    judged[[f.row for f in found]] = True
    scores = store.scores("label-issue")
    best = votes[:, :8].argmax(1)
    clear = (votes[:, :8].max(1) >= 8) & judged
    to = np.array([-1 if m is None else m for m in FERPLUS_TO_FER7])[best]
    wrong = to != given
    out = {"all": auroc(wrong[clear], scores[clear])}
    for name in ("train", "valid"):
        here = clear & (split == name)
        out[name] = auroc(wrong[here], scores[here])
    order = np.argsort(-np.where(clear, scores, -1), kind="stable")[:500]
    out["precision_at_500"] = round(float(wrong[order].mean()), 4)
    out["precision_at_500_95"] = interval(wrong[order].astype(float))
    flagged = [f.row for f in store.flagged("label-issue")]
    mine = np.array([r for r in flagged if clear[r]])
    out["flagged"] = len(flagged)
    out["flagged_with_clear_majority"] = len(mine)
    out["precision_of_flagged"] = round(float(wrong[mine].mean()), 4) if len(mine) else None
    suggested = {f.row: f.label for f in store.flagged("label-issue")}
    right = [labels.names[to[r]] == suggested[r] for r in mine if wrong[r] and to[r] >= 0]
    out["suggested_label_is_the_majority"] = round(float(np.mean(right)), 4) if right else None
    return out


def measure_wild(folder: Path) -> dict[str, Any]:
    """turned, eyes-covered and mouth-covered against looked-at photographs."""
    with (HERE / "wild_labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    examine = Examiner().examine
    checks = {"pose": "turned", "eyes": "eyes-covered", "mouth": "mouth-covered"}
    built = {key: build_check(name, None, {}) for key, name in checks.items()}
    scores: dict[str, list[float]] = {key: [] for key in checks}
    for row in track(rows, "wild", console=Console(stderr=True)):
        path = folder / "images" / row["image"]
        sample = Sample(label="happy", split=Split.TEST, path=str(path), source=row["image"])
        picture = DecodedImage(0, sample, examine)
        for key, check in built.items():
            scores[key].append(check.check_image(picture).score)  # type: ignore[union-attr]
    out: dict[str, Any] = {}
    for key, check in built.items():
        values = np.array(scores[key])
        truth = np.array([row[key] for row in rows])
        for half in ("test", "dev"):
            here = np.array([row["half"] == half for row in rows]) & (truth != "unsure")
            yes = truth[here] == "yes"
            result = rated(yes, values[here] >= check.threshold)
            result["auroc"] = round(float(roc_auc_score(yes, values[here])), 4)
            result["unsure_left_out"] = int(
                sum(row["half"] == half and row[key] == "unsure" for row in rows)
            )
            out[f"{checks[key]} ({half})"] = result
    return out


def measure_time(manifest: Path) -> dict[str, Any]:
    """Seconds and peak memory of all checks but OCR and label issues, in two processes."""
    folder = Path(tempfile.mkdtemp())
    try:
        names = [n for n in CHECKS if n not in NOT_BY_DEFAULT]
        store = Store(folder / "store", manifest)
        began = time.monotonic()
        parts = curate(store, Plan(parse_checks(names), {}, jobs=2))
        total = time.monotonic() - began
    finally:
        shutil.rmtree(folder)
    return {
        "rows": store.size,
        "checks": names,
        "seconds": round(total, 1),
        "seconds_by_part": {k: round(v, 1) for k, v in parts.items()},
        "peak_mb_of_a_worker": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "peak_mb_of_the_parent": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--ferplus", type=Path)
    parser.add_argument("--wild", type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument(
        "--only", action="append", choices=["copies", "faces", "labels", "wild", "time"]
    )
    given = parser.parse_args()
    file = DOCS / "curation.json"
    figures = json.loads(file.read_text()) if file.exists() else {}
    wanted = given.only or ["copies", "faces", "labels", "wild", "time"]
    console = Console(stderr=True)
    store = Store(given.store, given.manifest) if given.store else Store.beside(given.manifest)
    for name in wanted:
        if name == "time":
            figures[name] = measure_time(given.manifest)
        elif name == "wild":
            figures[name] = measure_wild(given.wild)
        elif name == "copies":
            figures[name] = measure_copies(store)
        else:
            votes = ferplus_votes(given.ferplus)
            measure = measure_faces if name == "faces" else measure_labels
            figures[name] = measure(store, votes)
        console.print(name, figures[name])
        file.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
