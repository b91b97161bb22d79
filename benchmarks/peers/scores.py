"""Figures from answers: a picture without a face counts as wrong, and apart from that not at all.

Answers become rows (N, 8): a one in the column of the answered label; the eighth column stands
for "no face" and is never a truth. Labels, not scores, are counted, because some peers round.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.answers import SCORES
from pyojeong.core.labels import FER7
from pyojeong.metrics import (
    Floats,
    Ints,
    Metric,
    accuracy,
    balanced_accuracy,
    bootstrap,
    confusion,
    ece,
    recalls,
)

NOTHING = len(FER7)
Rows = Sequence[dict[str, Any]]


def macro_f1(answered: Floats, labels: Ints) -> float:
    """Mean F1 over the seven classes that occur; "no face" costs recall and is no class."""
    counts = confusion(answered, labels)[:, :NOTHING]
    hits = np.diag(counts[:NOTHING])
    both = counts.sum(0) + np.bincount(labels, minlength=NOTHING)[:NOTHING]
    seen = both > 0
    return float((2 * hits[seen] / both[seen]).mean())


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
}


def one_hot(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Answers (N, 8) and truths (N,) of a peer's rows."""
    truths = np.array([FER7.index(r["truth"]) for r in rows])
    at = [FER7.index(r["label"]) if r["found"] else NOTHING for r in rows]
    return np.eye(NOTHING + 1)[at], truths


def figures(rows: Rows, *, rounds: int = 1000) -> dict[str, Any]:
    """Everything the page says of one entrant on one set."""
    answered, truths = one_hot(rows)
    found = np.array([r["found"] for r in rows])
    out: dict[str, Any] = {"n": len(rows), "found": int(found.sum())}
    for name, metric in METRICS.items():
        out[name] = bootstrap(metric, answered, truths, rounds=rounds).to_dict()
    missed = (~found).astype(float)[:, None]
    out["no_face"] = bootstrap(
        lambda p, _: float(p[:, 0].mean()), missed, truths, rounds=rounds
    ).to_dict()
    if found.any():
        out["accuracy_of_found"] = bootstrap(
            accuracy, answered[found], truths[found], rounds=rounds
        ).to_dict()
        out["ece_of_found"] = calibration_error(rows, rounds=rounds)
    per_class = recalls(answered, truths)[:NOTHING]
    out["recall"] = {
        name: None if np.isnan(value) else round(float(value), 4)
        for name, value in zip(FER7.names, per_class, strict=True)
    }
    out["confusion"] = confusion(answered, truths)[:NOTHING].tolist()
    out["errors"] = sum(r["error"] is not None for r in rows)
    return out


def calibration_error(rows: Rows, *, rounds: int) -> dict[str, float]:
    """ECE of the found faces, from the scores brought to sum 1."""
    found = [r for r in rows if r["found"]]
    scores = np.array([[r[name] for name in SCORES] for r in found], np.float64)
    scores /= np.maximum(scores.sum(1, keepdims=True), 1e-9)
    truths = np.array([FER7.index(r["truth"]) for r in found])
    return bootstrap(ece, scores, truths, rounds=rounds).to_dict()


def difference(rows: Rows, reference: Rows, *, rounds: int = 1000) -> dict[str, Any] | None:
    """Peer minus reference on the pictures that both were asked about, resampled in pairs.

    Returns:
        ``n``, ``accuracy`` and ``balanced_accuracy`` with intervals; None when they share nothing.
    """
    ours = {r["picture"]: r for r in reference}
    pairs = [(r, ours[r["picture"]]) for r in rows if r["picture"] in ours]
    if not pairs:
        return None
    one, truths = one_hot([p for p, _ in pairs])
    other, _ = one_hot([q for _, q in pairs])
    both = np.hstack([one, other])
    width = one.shape[1]
    out: dict[str, Any] = {"n": len(pairs)}
    for name in ("accuracy", "balanced_accuracy"):
        metric = METRICS[name]
        out[name] = bootstrap(
            lambda p, y, m=metric: m(p[:, :width], y) - m(p[:, width:], y),  # type: ignore[misc]
            both,
            truths,
            rounds=rounds,
        ).to_dict()
    return out
