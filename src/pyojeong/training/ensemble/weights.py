"""Weights for an ensemble, learned from the answers of its nets on the validation split.

Source: Yu & Zhang, ICMI 2015, which learns non-negative weights that sum to one by either of two
objectives. The paper's margin and ridge are not known to us, nor whether its hinge runs over all
wrong classes or the strongest alone; here it runs over all. NumPy only.

With K nets, N samples and C classes, ``responses`` is float (K, N, C), not negative: every net's
probabilities, averaged over the views of an image where there are several. Fit on Split.VALID.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.calibration import softmax
from pyojeong.core.errors import BadArray, ExperimentError
from pyojeong.metrics import fit_temperature

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Weights = NDArray[np.float64]
Slope = Callable[[Weights], tuple[float, Weights]]

TINY = 1e-12
"""Smallest probability whose logarithm is taken."""

STAGE = 50
"""Steps of one length before the length is halved."""


def project_to_simplex(v: Floats) -> Weights:
    """Return the nearest point (K,) to ``v`` (K,) with entries >= 0 that sum to 1.

    Exact, by sorting: Held, Wolfe & Crowder 1974; Duchi et al., ICML 2008.

    Raises:
        BadArray: Unless ``v`` is a finite vector with at least one entry.
    """
    values = np.asarray(v, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise BadArray("point", expected="a finite vector (K,), K > 0", got=f"{v!r}")
    values = values - values.max()  # the projection does not feel a common shift
    down = np.sort(values)[::-1]
    excess = (np.cumsum(down) - 1) / np.arange(1, values.size + 1)
    kept = np.flatnonzero(down > excess)[-1]
    out = np.maximum(values - excess[kept], 0)
    return np.asarray(out / out.sum(), np.float64)


def combine(responses: Floats, weights: Floats) -> Weights:
    """Return the weighted mean (N, C) of ``responses`` (K, N, C) under ``weights`` (K,).

    Raises:
        BadArray: When the shapes do not belong together.
    """
    _check_one_per_net(responses, weights, "weights")
    return np.asarray(np.einsum("k,knc->nc", weights, responses, dtype=np.float64), np.float64)


def fit_temperatures(responses: Floats, labels: Ints) -> Weights:
    """Return every net's own temperature (K,), that with the greatest likelihood (Guo et al. 2017).

    Nets that were smoothed differently are unequally sure. Weights that are fitted without this
    go to the surest of them, not to those that know what the others do not.

    Raises:
        BadArray: As ``fit_weights``.
    """
    _check(responses, labels)
    return np.array([fit_temperature(_logs(own), labels) for own in responses])


def temper(responses: Floats, temperatures: Floats) -> Weights:
    """Return probabilities (K, N, C) of which net k's are those at its temperature.

    1 changes nothing.

    Raises:
        BadArray: When the shapes do not belong together.
    """
    _check_one_per_net(responses, temperatures, "temperatures")
    pairs = zip(responses, temperatures, strict=True)
    return np.stack([softmax(_logs(own), float(t)) for own, t in pairs])


def fit_weights(
    responses: Floats,
    labels: Ints,
    *,
    objective: str = "log-likelihood",
    ridge: float = 1e-3,
    margin: float = 0.5,
    steps: int = 1000,
) -> Weights:
    """Non-negative weights (K,) that sum to 1 and minimise ``loss_of_weights``.

    Projected (sub)gradient steps of a set length from equal weights; every ``STAGE`` steps the
    length is halved and the search returns to the best point so far. The best point is returned,
    so the result is never worse than equal weights on the objective itself.

    Args:
        responses: (K, N, C), finite and not negative.
        labels: (N,), 0..C-1.
        objective: "log-likelihood" or "hinge".
        ridge: Times the squared length of the weights: draws them together.
        margin: Hinge only: by how much the label should exceed each other class.
        steps: Steps in all; below a few hundred the result is coarse.

    Raises:
        BadArray: For arrays that do not belong together, or values out of range.
        ExperimentError: For an unknown objective.
    """
    slope = _slope(responses, labels, objective=objective, ridge=ridge, margin=margin)
    best: Weights = np.full(len(responses), 1 / len(responses))
    lowest, here = slope(best)[0], best
    for step in range(steps):
        if step % STAGE == 0:
            here = best
        length = 0.5 * 0.5 ** (step // STAGE)
        direction = slope(here)[1]
        # Only the part along the simplex moves the weights; a common part is projected away.
        direction = direction - direction.mean()
        size = float(np.linalg.norm(direction))
        if size == 0:
            break
        here = project_to_simplex(here - length * direction / size)
        value = slope(here)[0]
        if value < lowest:
            lowest, best = value, here
    return best


def loss_of_weights(
    weights: Floats,
    responses: Floats,
    labels: Ints,
    *,
    objective: str = "log-likelihood",
    ridge: float = 1e-3,
    margin: float = 0.5,
) -> float:
    """Return the loss of ``fit_weights``, for q = ``combine(responses, weights)``, w = ``weights``.

    "log-likelihood": the mean of -log q[i, y_i]. "hinge": the mean over samples of the sum over
    wrong classes j of max(0, margin - (q[i, y_i] - q[i, j])). Both plus ``ridge`` times |w|^2.

    Args:
        weights: (K,).
        responses: (K, N, C), finite and not negative.
        labels: (N,), 0..C-1.
        objective: "log-likelihood" or "hinge".
        ridge: Not negative.
        margin: Hinge only.

    Raises:
        BadArray: For arrays that do not belong together, or values out of range.
        ExperimentError: For an unknown objective.
    """
    slope = _slope(responses, labels, objective=objective, ridge=ridge, margin=margin)
    return slope(np.asarray(weights, np.float64))[0]


def _slope(
    responses: Floats, labels: Ints, *, objective: str, ridge: float, margin: float
) -> Slope:
    """Return a function: weights -> (loss, one of its subgradients)."""
    _check(responses, labels)
    p = np.asarray(responses, np.float64)
    right = p[:, np.arange(len(labels)), labels]  # (K, N)

    def likelihood(w: Weights) -> tuple[float, Weights]:
        q = np.maximum(w @ right, TINY)
        gradient = -(right / q).mean(1)
        return float(-np.log(q).mean() + ridge * (w @ w)), gradient + 2 * ridge * w

    gaps = right[:, :, None] - p  # (K, N, C); zero at the label itself
    wrong = np.ones(p.shape[1:], bool)
    wrong[np.arange(len(labels)), labels] = False

    def hinge(w: Weights) -> tuple[float, Weights]:
        short = np.where(wrong, margin - np.einsum("k,knc->nc", w, gaps), 0)
        active = (short > 0).astype(np.float64)
        gradient = -np.einsum("knc,nc->k", gaps, active) / len(labels)
        return float((short * active).sum(1).mean() + ridge * (w @ w)), gradient + 2 * ridge * w

    objectives: dict[str, Slope] = {"log-likelihood": likelihood, "hinge": hinge}
    if objective not in objectives:
        raise ExperimentError(
            f"ensemble: expected objective to be one of {tuple(objectives)}, got {objective!r}"
        )
    return objectives[objective]


def _logs(probabilities: Floats) -> Weights:
    return np.asarray(np.log(np.maximum(probabilities, TINY)), np.float64)


def _check_one_per_net(responses: Floats, values: Floats, what: str) -> None:
    if responses.ndim != 3 or values.shape != responses.shape[:1]:
        raise BadArray(
            "ensemble",
            expected=f"responses (K, N, C) and {what} (K,)",
            got=f"{responses.shape} and {values.shape}",
        )


def _check(responses: Floats, labels: Ints) -> None:
    if responses.ndim != 3 or labels.shape != responses.shape[1:2] or not responses.size:
        raise BadArray(
            "ensemble",
            expected="responses (K, N, C) and labels (N,), none empty",
            got=f"{responses.shape} and {labels.shape}",
        )
    if not (np.isfinite(responses).all() and (responses >= 0).all()):
        raise BadArray(
            "responses of an ensemble",
            expected="finite values >= 0",
            got="others",
            cure="Give probabilities, not logits.",
        )
    if labels.min() < 0 or labels.max() >= responses.shape[2]:
        raise BadArray(
            "labels of an ensemble",
            expected=f"values in 0..{responses.shape[2] - 1}",
            got=f"{labels.min()}..{labels.max()}",
        )
