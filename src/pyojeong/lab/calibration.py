"""Choosing how logits become probabilities, on the validation split alone.

Two candidates from Guo et al. 2017 (arXiv 1706.04599), section 4.2: one temperature, or vector
scaling (a factor and an offset per class). Cross-validation within the split decides, by negative
log-likelihood; the winner is then fitted on the whole split.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pyojeong.evaluate import ece, fit_temperature, nll, softmax

RIDGE = 1e-3
"""Pulls the factors of vector scaling towards one another and its offsets towards 0."""

FOLDS, REPEATS = 5, 3


@dataclass(frozen=True, slots=True)
class Calibration:
    """probabilities = softmax(scale * logits / temperature + offset).

    Attributes:
        temperature: One number for all classes.
        scale: Factor per class, or None for 1.
        offset: Added per class, or None for 0.
    """

    temperature: float
    scale: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None

    def __call__(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Logits (N, K) -> probabilities (N, K)."""
        z = np.asarray(logits, np.float64) / self.temperature
        if self.scale is not None and self.offset is not None:
            z = z * np.asarray(self.scale) + np.asarray(self.offset)
        return softmax(z)


Fit = Callable[[NDArray[np.floating], NDArray[np.integer]], Calibration]


def temperature_scaling(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Calibration:
    """The one temperature with the least negative log-likelihood."""
    return Calibration(round(fit_temperature(logits, labels), 4))


def vector_scaling(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Calibration:
    """Factor and offset per class with the least penalised negative log-likelihood (L-BFGS)."""
    z = torch.tensor(np.asarray(logits), dtype=torch.float64)
    y = torch.tensor(np.asarray(labels), dtype=torch.int64)
    scale = torch.ones(z.shape[1], dtype=torch.float64, requires_grad=True)
    offset = torch.zeros(z.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scale, offset], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(z * scale + offset, y)
        loss = loss + RIDGE * ((scale - scale.mean()).square().sum() + offset.square().sum())
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    rounded = [tuple(round(float(v), 4) for v in part.detach()) for part in (scale, offset)]
    return Calibration(1.0, rounded[0], rounded[1])


FITS: dict[str, Fit] = {"temperature": temperature_scaling, "vector": vector_scaling}


def choose_calibration(
    logits: NDArray[np.floating], labels: NDArray[np.integer]
) -> tuple[Calibration, dict[str, dict[str, float]]]:
    """The better of ``FITS``, fitted on everything, and the cross-validated figures of all.

    Args:
        logits: (N, K) of the validation split.
        labels: (N,).
    """
    figures = {name: _cross_validate(fit, logits, labels) for name, fit in FITS.items()}
    best = min(figures, key=lambda name: figures[name]["nll"])
    return FITS[best](logits, labels), figures


def _cross_validate(
    fit: Fit, logits: NDArray[np.floating], labels: NDArray[np.integer]
) -> dict[str, float]:
    scores = []
    for repeat in range(REPEATS):
        fold = np.random.default_rng(repeat).permutation(len(labels)) % FOLDS
        out = np.zeros(logits.shape)
        for k in range(FOLDS):
            held = fold == k
            out[held] = fit(logits[~held], labels[~held])(logits[held])
        right = float((out.argmax(1) == labels).mean())
        scores.append((nll(out, labels), ece(out, labels), right))
    means = np.mean(scores, axis=0)
    return {k: round(float(v), 5) for k, v in zip(("nll", "ece", "accuracy"), means, strict=True)}
