"""Scores on arrays: accuracy, macro-F1, confusion, calibration, intervals. NumPy only.

N samples, K classes; ``probabilities`` is float (N, K) with rows that sum to 1, ``labels`` is int
(N,) with values in 0..K-1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.calibration import calibrated, softmax
from pyojeong.core.errors import BadArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Metric = Callable[[Floats, NDArray[Any]], float]


def _check(probabilities: Floats, labels: Ints) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not labels.size:
        raise BadArray(
            "scores",
            expected="probabilities (N, K) and labels (N,), N > 0",
            got=f"{probabilities.shape} and {labels.shape}",
        )


def accuracy(probabilities: Floats, labels: Ints) -> float:
    """Return the share of samples whose best class is the label, in [0, 1]."""
    _check(probabilities, labels)
    return float((probabilities.argmax(1) == labels).mean())


def confusion(probabilities: Floats, labels: Ints) -> NDArray[np.int64]:
    """Return counts (K, K): row = label, column = best class."""
    _check(probabilities, labels)
    k = probabilities.shape[1]
    out = np.zeros((k, k), np.int64)
    np.add.at(out, (labels, probabilities.argmax(1)), 1)
    return out


def recalls(probabilities: Floats, labels: Ints) -> NDArray[np.float64]:
    """Recall of every class (K,); NaN where a class has no sample."""
    counts = confusion(probabilities, labels)
    total = counts.sum(1)
    return np.where(total > 0, np.diag(counts) / np.maximum(total, 1), np.nan)


def balanced_accuracy(probabilities: Floats, labels: Ints) -> float:
    """Return mean recall over the classes that occur, in [0, 1]."""
    return float(np.nanmean(recalls(probabilities, labels)))


def macro_f1(probabilities: Floats, labels: Ints) -> float:
    """Return mean F1 over the classes that occur among labels or answers, in [0, 1]."""
    counts = confusion(probabilities, labels)
    both = counts.sum(0) + counts.sum(1)
    seen = both > 0
    return float((2 * np.diag(counts)[seen] / both[seen]).mean())


def ece(probabilities: Floats, labels: Ints, *, bins: int = 15) -> float:
    """Return the expected calibration error of the best class (Guo et al. 2017, eq. 3).

    Returns:
        Mean over bins, weighted by their share of samples, of |accuracy - confidence|, in [0, 1].
    """
    _check(probabilities, labels)
    confidence = probabilities.max(1)
    hit = probabilities.argmax(1) == labels
    at = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(at, hit - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def vote_ece(probabilities: Floats, shares: Floats, *, bins: int = 15) -> float:
    """Calibration error of shares: how far scores of the best label are from the votes for it.

    As ``ece``, with the share of annotators who gave the best label in the place of right or wrong.

    Args:
        probabilities: (N, K).
        shares: Votes (N, K), rows sum to 1.
        bins: Of equal width.
    """
    confidence, best = probabilities.max(1), probabilities.argmax(1)
    at = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(at, shares[np.arange(len(best)), best] - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(best))


def macro_auroc(probabilities: Floats, labels: Ints) -> float:
    """Return the mean one-against-rest area under the ROC curve, over labels that occur."""
    _check(probabilities, labels)
    areas = []
    for k in range(probabilities.shape[1]):
        yes = labels == k
        if 0 < yes.sum() < len(yes):
            _, at, counts = np.unique(probabilities[:, k], return_inverse=True, return_counts=True)
            ranks = (np.cumsum(counts) - (counts - 1) / 2)[at]  # ties share their mean rank
            n = int(yes.sum())
            areas.append((ranks[yes].sum() - n * (n + 1) / 2) / (n * (len(yes) - n)))
    return float(np.mean(areas)) if areas else float("nan")


def ece_by_chance(probabilities: Floats, *, rounds: int = 400, seed: int = 0) -> dict[str, float]:
    """Return the ECE that chance alone gives a perfectly calibrated model with these answers.

    Labels are drawn from the answers themselves. A finite sample never fits exactly: no model can
    be expected to stay below ``mean``, and one above ``high`` is most likely not calibrated.

    Args:
        probabilities: (N, K).
        rounds: Sets of labels.
        seed: Of the draws.

    Returns:
        ``mean`` and ``high`` (95th percentile), rounded to five decimals.
    """
    rng = np.random.default_rng(seed)
    upto = np.cumsum(probabilities, axis=1, dtype=np.float64)
    last = probabilities.shape[1] - 1
    found = []
    for _ in range(rounds):
        labels = (rng.random((len(upto), 1)) > upto).sum(1).clip(max=last)
        found.append(ece(probabilities, labels))
    return {
        "mean": round(float(np.mean(found)), 5),
        "high": round(float(np.percentile(found, 95)), 5),
    }


def nll(probabilities: Floats, labels: Ints) -> float:
    """Return mean negative log-likelihood of the label, in nats."""
    _check(probabilities, labels)
    p = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(p, 1e-12)).mean())


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "ece": ece,
    "nll": nll,
}


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % percentile-bootstrap interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return rounded to five decimals."""
        return {k: round(float(getattr(self, k)), 5) for k in ("value", "low", "high")}


def bootstrap(
    metric: Metric,
    probabilities: Floats,
    labels: NDArray[Any],
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return a metric with its 95 % interval from resampling the samples (Efron 1979, percentiles).

    ECE is larger on every resampled set than on the set itself, because each bin's noise counts as
    error; its interval is the basic one, which reflects the percentiles at the value (Davison and
    Hinkley 1997, eq. 5.6), does not go below 0, and reaches up to the value at least: of an error
    that is nothing but noise the reflection alone would end below it.
    """
    rng = np.random.default_rng(seed)
    n = len(labels)
    values = []
    for _ in range(rounds):
        rows = rng.integers(0, n, n)
        values.append(metric(probabilities[rows], labels[rows]))
    value = metric(probabilities, labels)
    low, high = np.nanpercentile(values, [2.5, 97.5])
    if metric in {ece, vote_ece}:
        low, high = max(2 * value - high, 0.0), max(2 * value - low, value)
    return Interval(value, float(low), float(high))


def fit_temperature(logits: Floats, labels: Ints) -> float:
    """Return the temperature with the least negative log-likelihood (Guo et al. 2017, section 4.2).

    The loss is convex in 1/T.
    """
    return best_temperature(lambda t: nll(softmax(logits, t), labels))


def fit_vote_temperature(sets: Sequence[tuple[Floats, Floats, Floats | None]]) -> float:
    """Return the temperature with the least cross-entropy to the votes of several data sets.

    Args:
        sets: Of each data set, which all weigh the same: logits (N, K), the votes' shares (N, K)
            with rows that sum to 1, and what is added after the division (K,): the logarithm of
            its base rates over those that the result shall be calibrated to, or None for 0.
    """

    def loss(temperature: float) -> float:
        return sum(
            cross_entropy(calibrated(logits, temperature, None, offset), shares)
            for logits, shares, offset in sets
        )

    return best_temperature(loss)


def best_temperature(loss_of: Callable[[float], float]) -> float:
    """Return the T with the least loss: golden-section search over log T between 0.05 and 20."""
    low, high = np.log(0.05), np.log(20.0)
    ratio = (np.sqrt(5) - 1) / 2

    def loss(log_t: float) -> float:
        return loss_of(float(np.exp(log_t)))

    a, b = high - ratio * (high - low), low + ratio * (high - low)
    fa, fb = loss(a), loss(b)
    for _ in range(50):
        if fa < fb:
            high, b, fb = b, a, fa
            a = high - ratio * (high - low)
            fa = loss(a)
        else:
            low, a, fa = a, b, fb
            b = low + ratio * (high - low)
            fb = loss(b)
    return float(np.exp((low + high) / 2))


def fit_threshold(probabilities: Floats, labels: Ints, *, target: float, risk: float) -> float:
    """Return the smallest confidence above which ``target`` of the answers are right, and stay so.

    That it holds on other samples of the same kind too is tested, from the most confident answers
    to all of them, until a test fails: fixed-sequence testing (Angelopoulos et al. 2021,
    arXiv 2110.01052, section 2) of exact binomial hypotheses. Taking the share that looks good
    enough on these samples instead would miss the target on every second other set.

    Args:
        probabilities: (N, K).
        labels: (N,).
        target: Share of the given answers that shall be right.
        risk: Probability that it does not hold, between 0 and 1.

    Returns:
        A threshold in [0, 1]; 0 when all answers together reach the target, and that of the tenth
        of the answers which is the most confident when no test succeeds.
    """
    _check(probabilities, labels)
    confidence = probabilities.max(1)
    order = np.argsort(-confidence, kind="stable")
    hits = np.cumsum((probabilities.argmax(1) == labels)[order])
    counts = np.unique(np.ceil(len(hits) * np.arange(10, 101) / 100).astype(int))
    last = counts[0]
    for count in counts:
        if _chance(int(count), int(hits[count - 1]), target) > risk:
            break
        last = count
    return 0.0 if last == len(hits) else float(confidence[order][last - 1])


def _chance(count: int, hits: int, target: float) -> float:
    """Probability of so many hits or more among ``count`` whose chance is ``target`` each."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    k = np.arange(hits, count + 1)
    terms = logs[count] - logs[k] - logs[count - k]
    terms += k * np.log(target) + (count - k) * np.log1p(-target)
    return float(np.exp(terms).sum())


def widest_threshold(probabilities: Floats, labels: Ints, *, target: float) -> float:
    """Return the lowest confidence above which at least ``target`` of the answers are right.

    It says what was seen on these samples; unlike ``fit_threshold`` it promises nothing of others.

    Returns:
        A threshold in [0, 1]; 1 when even the most confident answers fall short (those with a
        confidence of exactly 1 are answered all the same).
    """
    _check(probabilities, labels)
    confidence = probabilities.max(1)
    order = np.argsort(-confidence, kind="stable")
    hits = np.cumsum((probabilities.argmax(1) == labels)[order])
    sure = confidence[order]
    # Equal confidences are answered together: only the last of them can be a threshold.
    last = np.append(sure[1:] < sure[:-1], True)
    enough = np.flatnonzero(last & (hits >= target * np.arange(1, len(hits) + 1) - 1e-9))
    return float(sure[enough[-1]]) if len(enough) else 1.0


def answered(probabilities: Floats, labels: Ints, *, threshold: float) -> tuple[float, float]:
    """Return the share of samples at or above the threshold, and accuracy among them, or NaN."""
    _check(probabilities, labels)
    keep = probabilities.max(1) >= threshold
    if not keep.any():
        return 0.0, float("nan")
    return float(keep.mean()), accuracy(probabilities[keep], labels[keep])


def reliability(probabilities: Floats, labels: Ints, *, bins: int = 15) -> list[dict[str, Any]]:
    """Return what ``ece`` sums up, bin by bin, for a reliability plot; empty bins are left out.

    Returns:
        ``n``, mean ``confidence`` and ``accuracy`` of each bin, confidence rising.
    """
    _check(probabilities, labels)
    confidence = probabilities.max(1)
    hit = probabilities.argmax(1) == labels
    at = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    out = []
    for b in range(bins):
        here = at == b
        if here.any():
            row = {"confidence": confidence[here].mean(), "accuracy": hit[here].mean()}
            out.append({"n": int(here.sum()), **{k: round(float(v), 5) for k, v in row.items()}})
    return out


def risk_coverage(probabilities: Floats, labels: Ints) -> dict[str, Any]:
    """Error among the surest answers, by the share that is answered (Geifman and El-Yaniv 2017).

    Returns:
        ``points``: share answered (0.05 to 1) -> error rate; ``area``: mean error over all shares.
    """
    _check(probabilities, labels)
    order = np.argsort(-probabilities.max(1), kind="stable")
    wrong = (probabilities.argmax(1) != labels)[order]
    risk = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    shares = np.arange(1, 21) / 20
    at = np.maximum(np.ceil(shares * len(wrong)).astype(int), 1) - 1
    points = [
        [round(float(s), 2), round(float(risk[i]), 5)] for s, i in zip(shares, at, strict=True)
    ]
    return {"area": round(float(risk.mean()), 5), "points": points}


def cross_entropy(probabilities: Floats, targets: Floats) -> float:
    """Return mean cross-entropy of scores from target distributions (N, K), in nats."""
    q = np.maximum(np.asarray(probabilities, np.float64), 1e-12)
    return float(-(np.asarray(targets, np.float64) * np.log(q)).sum(1).mean())


def divergence(probabilities: Floats, targets: Floats) -> float:
    """Return the mean Kullback-Leibler divergence from target distributions (N, K), in nats."""
    p = np.asarray(targets, np.float64)
    q = np.maximum(np.asarray(probabilities, np.float64), 1e-12)
    return float(np.where(p > 0, p * np.log(np.maximum(p, 1e-12) / q), 0).sum(1).mean())


def summary(
    probabilities: Floats,
    labels: Ints,
    names: tuple[str, ...],
    *,
    threshold: float,
    rounds: int = 1000,
) -> dict[str, Any]:
    """Return everything a card or report says of one split, as JSON types.

    Args:
        probabilities: (N, K).
        labels: (N,).
        names: The K class names.
        threshold: Below it an answer counts as unclear.
        rounds: Bootstrap rounds.
    """
    out: dict[str, Any] = {"n": len(labels)}
    for name, metric in METRICS.items():
        out[name] = bootstrap(metric, probabilities, labels, rounds=rounds).to_dict()
    share, right = answered(probabilities, labels, threshold=threshold)
    right_share = None if np.isnan(right) else round(right, 5)  # JSON has no NaN
    out["answered"] = {"share": round(share, 5), "accuracy": right_share}
    per_class = recalls(probabilities, labels)
    out["recall"] = {
        n: None if np.isnan(r) else round(float(r), 5)
        for n, r in zip(names, per_class, strict=True)
    }
    out["confusion"] = confusion(probabilities, labels).tolist()
    return out
