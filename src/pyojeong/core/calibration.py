"""From logits to probabilities, and from one set of base rates to another. NumPy only.

N faces, K labels. Base rates (priors) are the shares with which labels occur where a model is
used: (K,) numbers that sum to 1. Rows of probabilities sum to 1.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import LabelUnknown, PriorInvalid
from pyojeong.core.labels import LabelSet

Floats = NDArray[np.floating]
Prior = str | Mapping[str, float]
"""A name of ``PRIORS``, ``"angry=0.1,happy=0.3,..."``, or label -> share."""

PRIORS = ("natural", "between", "balanced")
"""Named base rates: those a model was calibrated to, a weighted geometric mean of them and equal
shares, and equal shares."""

BETWEEN = 0.5
"""Weight of equal shares in ``"between"``, unless a model's card states another one."""

_SUM_TOLERANCE = 0.02
"""Shares that were rounded to whole percents are taken."""

MIN_FACES = 50
"""Base rates are not estimated from fewer faces."""


def softmax(logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the rows of exp(logits / temperature), normalised to sum 1."""
    z = np.asarray(logits, np.float64) / temperature
    z = np.exp(z - z.max(-1, keepdims=True, initial=-np.inf))
    return np.asarray(z / z.sum(-1, keepdims=True), np.float64)


def calibrated(
    logits: Floats,
    temperature: float = 1.0,
    scale: Sequence[float] | None = None,
    offset: Sequence[float] | Floats | None = None,
) -> NDArray[np.float64]:
    """Return softmax(scale * logits / temperature + offset) as float64 (N, K).

    Temperature and vector scaling of Guo et al. 2017 (arXiv 1706.04599, section 4.2).

    Args:
        logits: (N, K).
        temperature: One divisor for all classes.
        scale: Factor per class, or None for 1.
        offset: Added per class, or None for 0.
    """
    z = np.asarray(logits, np.float64) / temperature
    if scale is not None:
        z = z * np.asarray(scale)
    if offset is not None:
        z = z + np.asarray(offset)
    return softmax(z)


def prior_shares(
    prior: Prior, labels: LabelSet, natural: Floats, *, between: float = BETWEEN
) -> tuple[str, NDArray[np.float64]]:
    """Return the name and the shares (K,) of base rates.

    Args:
        prior: See ``Prior``. Synonyms of labels are folded; every label needs a share.
        labels: The K labels.
        natural: Shares (K,) that the model was calibrated to, all positive.
        between: Weight of equal shares in ``"between"``, in [0, 1].

    Returns:
        The name that results carry (``"balanced"``, or ``"angry=0.1 happy=0.3 ..."``), and the
        shares, normalised to sum 1 exactly.

    Raises:
        PriorInvalid: When a name or label is unknown, a label is missing or named twice, a share
            is negative or not finite, or the shares do not sum to 1 (within 0.02).
    """
    equal = np.full(len(labels), 1 / len(labels))
    if isinstance(prior, str):
        prior = prior.strip()
    if isinstance(prior, str) and "=" not in prior and not prior.startswith("{"):
        prior = prior.lower()
        named = {
            "natural": np.asarray(natural, np.float64),
            "between": np.asarray(natural, np.float64) ** (1 - between),
            "balanced": equal,
        }
        if prior not in named:
            raise PriorInvalid(
                f"unknown prior {prior!r}: expected {', '.join(PRIORS)}, or a share for each "
                f"label ({'=..., '.join(labels.names)}=...)"
            )
        return prior, named[prior] / named[prior].sum()
    stated = parse_prior(prior) if isinstance(prior, str) else prior
    if not isinstance(stated, Mapping):
        raise PriorInvalid(
            f"prior: expected {', '.join(PRIORS)} or label -> share, got a {type(prior).__name__}"
        )
    shares = _shares(stated, labels)
    name = " ".join(f"{n}={s:.6g}" for n, s in zip(labels.names, shares, strict=True))
    return name, shares


def parse_prior(text: str) -> dict[str, float]:
    """Return label -> share of ``"angry=0.1,happy=0.3"`` (commas or spaces), or of a JSON object.

    Raises:
        PriorInvalid: When a part is not ``label=number``, or a label is named twice.
    """
    found: dict[str, float] = {}
    if text.lstrip().startswith("{"):
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise PriorInvalid(f"prior: not a JSON object ({error})") from None
    for part in text.replace(",", " ").split():
        name, sign, value = part.partition("=")
        try:
            share = float(value)
        except ValueError:
            share = float("nan")
        if not sign or not name or np.isnan(share):
            raise PriorInvalid(f"prior: expected label=share, for example happy=0.3, got {part!r}")
        if name in found:
            raise PriorInvalid(f"prior: label {name!r} is named twice")
        found[name] = share
    return found


def _shares(prior: Mapping[str, float], labels: LabelSet) -> NDArray[np.float64]:
    given: dict[int, float] = {}
    for name, value in prior.items():
        try:
            at = labels.index(str(name))
        except LabelUnknown as error:
            raise PriorInvalid(f"prior: {error}") from None
        if at in given:
            raise PriorInvalid(f"prior: label {labels.names[at]!r} is named twice")
        try:
            share = float(value)
        except (TypeError, ValueError, OverflowError):
            share = float("nan")
        if not (np.isfinite(share) and share >= 0):
            raise PriorInvalid(
                f"prior: the share of {name!r} must be a number of at least 0, got {value!r}"
            )
        given[at] = share
    missing = [n for i, n in enumerate(labels.names) if i not in given]
    if missing:
        raise PriorInvalid(
            f"prior: no share for {', '.join(missing)}; every label needs one (0 = never occurs)"
        )
    shares = np.array([given[i] for i in range(len(labels))], np.float64)
    total = float(shares.sum())
    if abs(total - 1) > _SUM_TOLERANCE:
        raise PriorInvalid(
            f"prior: the shares must sum to 1, they sum to {total:.6g}. Divide each by {total:.6g}."
            if total > 0
            else "prior: at least one share must be above 0"
        )
    return np.asarray(shares / total, np.float64)


def log_prior_ratio(stated: Floats, calibrated_to: Floats) -> NDArray[np.float64] | None:
    """Return log(stated / calibrated_to) (K,); None when they are equal: nothing to adjust.

    A label with a stated share of 0 gets minus infinity, that is, probability 0.
    """
    stated, known = np.asarray(stated, np.float64), np.asarray(calibrated_to, np.float64)
    if np.allclose(stated, known, rtol=0, atol=1e-12):
        return None
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(stated) - np.log(known), np.float64)


def prior_temperature(
    natural_temperature: float, balanced_temperature: float, stated: Floats, natural: Floats
) -> float:
    """Return the temperature for stated base rates, between those for natural and equal ones.

    Adjusting shares of votes by a ratio of base rates is right for labels only: it flattens shares,
    the more the farther the base rates are from the natural ones. A lower temperature makes up for
    that. It is interpolated geometrically by how far the stated base rates lie on the way from
    natural (0) to equal ones (1): 0.5 for their geometric mean. Labels without a share do not
    count.

    Args:
        natural_temperature: For natural base rates.
        balanced_temperature: For equal base rates.
        stated: Base rates (K,) of the data at hand.
        natural: Base rates (K,) that the shares are calibrated to, all positive.
    """
    there = np.asarray(stated) > 0
    known = np.log(np.asarray(natural, np.float64)[there])
    moved = np.log(np.asarray(stated, np.float64)[there]) - known
    way, moved = known.mean() - known, moved - moved.mean()
    length = float(way @ way)
    share = float(np.clip(moved @ way / length, 0, 1)) if length > 1e-12 else 0.0
    return float(natural_temperature ** (1 - share) * balanced_temperature**share)


def adjust_prior(probabilities: Floats, calibrated_to: Floats, stated: Floats) -> Floats:
    """Return probabilities (N, K) for other base rates: p * stated / calibrated_to, sum 1.

    Bayes' rule when the faces of each label look alike under both (Saerens et al. 2002, eq. 2.4).

    Args:
        probabilities: (N, K).
        calibrated_to: Base rates (K,) that they were calibrated to, all positive.
        stated: Base rates (K,) of the data at hand.
    """
    out = np.asarray(probabilities, np.float64) * (np.asarray(stated) / np.asarray(calibrated_to))
    return np.asarray(out / out.sum(-1, keepdims=True), np.float64)


def estimate_prior(
    probabilities: Floats, prior: Floats, *, rounds: int = 1000, tolerance: float = 1e-7
) -> NDArray[np.float64]:
    """Return the base rates (K,) under which unlabelled answers fit themselves.

    Expectation maximisation of Saerens, Latinne and Decaestecker 2002 (Neural Computation 14(1),
    section 2.2): answers are adjusted to the mean of the adjusted answers until that mean stays.
    It needs calibrated answers and different faces: a face that appears in many frames counts as
    often. No share falls below half a face, so that no label is ruled out by its absence here.

    Args:
        probabilities: (N, K), at least ``MIN_FACES`` rows, under the base rates ``prior``.
        prior: (K,), all positive.
        rounds: Most iterations.
        tolerance: Stop when no share changes by more.

    Raises:
        PriorInvalid: When there are too few faces, or ``prior`` holds a share of 0.
    """
    p = np.asarray(probabilities, np.float64)
    known = np.asarray(prior, np.float64)
    if p.ndim != 2 or known.shape != p.shape[1:]:
        raise PriorInvalid(
            f"estimating base rates needs probabilities (N, K) and K shares, got {p.shape} and "
            f"{known.shape}"
        )
    if len(p) < MIN_FACES:
        raise PriorInvalid(
            f"estimating base rates needs at least {MIN_FACES} faces, better some hundred "
            f"different ones; got {len(p)}"
        )
    if not (known > 0).all():
        raise PriorInvalid("estimating base rates needs answers under a prior without zero shares")
    shares = known.copy()
    for _ in range(rounds):
        new = adjust_prior(p, known, shares).mean(0)
        done = float(np.abs(new - shares).max()) < tolerance
        shares = new
        if done:
            break
    shares = np.maximum(shares, 0.5 / len(p))
    return np.asarray(shares / shares.sum(), np.float64)
