"""Which output of a classifier answers, and how its logits become probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.calibration import (
    Prior,
    calibrated,
    log_prior_ratio,
    prior_shares,
    prior_temperature,
)
from pyojeong.core.card import ModelCard, VoteCalibration
from pyojeong.core.errors import InputError, ModelMismatch, PriorInvalid
from pyojeong.core.labels import FER7, LABEL_SETS, LabelSet, label_set

FER2013, LABELS = "fer2013", "labels"
OUTPUTS = ("auto", "votes", FER2013, LABELS)
"""``"votes"``: the share of people who would give each label. ``"labels"``: the label that the
model's own training data would give. ``"fer2013"``: the same, under the name that it has for models
with votes, which learned FER2013's labels beside them. ``"auto"``: votes where the model has them,
else labels."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OutputHead:
    """One output of a classifier with its labels, calibration, base rates and threshold.

    Attributes:
        output: ``"votes"``, ``"fer2013"`` or, of models without votes, ``"labels"``.
        index: Its position among the network's outputs.
        columns: The network's column of each label.
        label_set: The K labels of the answers.
        temperature: Divisor of the logits.
        scale: Factor per label after that, or None for 1.
        offset: Added per label after that, or None for 0; base rates are part of it.
        threshold: Best scores below it are unclear.
        prior: Name of the base rates that answers assume, behind ``"fer2013 "`` or ``"labels "``
            for these outputs, whose natural base rates are others; "" = not known.
        shares: Those base rates (K,); None = not known.
    """

    output: str
    index: int
    columns: tuple[int, ...]
    label_set: LabelSet
    temperature: float
    scale: tuple[float, ...] | None
    offset: NDArray[np.float64] | None
    threshold: float
    prior: str
    shares: NDArray[np.float64] | None

    @classmethod
    def of(
        cls,
        card: ModelCard,
        *,
        output: str = "auto",
        labels: str | None = None,
        prior: Prior | None = None,
        threshold: float | None = None,
    ) -> Self:
        """Choose the output of a card's model that answers.

        Args:
            card: A classifier's card.
            output: One of ``OUTPUTS``.
            labels: Id of the label set of the answers: ``"fer7"``, or ``"ferplus8"`` with contempt
                (votes only); None = the model's own.
            prior: Base rates that answers shall assume, see ``core.calibration.prior_shares``;
                None = the card's default.
            threshold: Best scores below it are unclear, in [0, 1]; None = the card's.

        Raises:
            ModelMismatch: When the model does not have that output or those labels.
            InputError: When the threshold is no number from 0 to 1.
            PriorInvalid: When ``prior`` is no base rates of these labels.
        """
        if not isinstance(output, str) or output not in OUTPUTS:
            raise ModelMismatch(f"unknown output {output!r}: expected {', '.join(OUTPUTS)}")
        if labels is not None and (not isinstance(labels, str) or labels not in LABEL_SETS):
            raise ModelMismatch(f"unknown labels {labels!r}: expected {', '.join(LABEL_SETS)}")
        if threshold is not None:
            return replace(
                cls.of(card, output=output, labels=labels, prior=prior),
                threshold=checked_threshold(threshold),
            )
        votes = card.vote_calibration
        if output == "auto":
            output = LABELS if votes is None else "votes"
        if output in {FER2013, LABELS}:
            return cls._of_labels(card, labels, prior)
        if votes is None:
            raise ModelMismatch(
                f"model {card.id!r} cannot answer with votes: {_why_no_votes(card)}"
            )
        return cls._of_votes(card, votes, labels or _answered(card), prior)

    @classmethod
    def _of_votes(
        cls, card: ModelCard, votes: VoteCalibration, labels: str, prior: Prior | None
    ) -> Self:
        given, wanted = label_set(card.votes or ""), label_set(labels)
        absent = [name for name in wanted.names if name not in given.names]
        if absent:
            raise ModelMismatch(
                f"model {card.id!r} has no votes for {', '.join(absent)}: label set {given.id!r}"
            )
        natural = np.array([votes.prior[name] for name in wanted.names])
        natural /= natural.sum()
        name, shares = prior_shares(
            votes.default_prior if prior is None else prior,
            wanted,
            natural,
            between=votes.between,
        )
        temperature = votes.temperature
        if votes.balanced_temperature is not None:
            temperature = prior_temperature(
                temperature, votes.balanced_temperature, shares, natural
            )
        return cls(
            output="votes",
            index=1,
            columns=tuple(given.names.index(name) for name in wanted.names),
            label_set=wanted,
            temperature=temperature,
            scale=None,
            offset=log_prior_ratio(shares, natural),
            threshold=votes.threshold,
            prior=name,
            shares=shares,
        )

    @classmethod
    def _of_labels(cls, card: ModelCard, labels: str | None, prior: Prior | None) -> Self:
        own = card.label_set
        output = LABELS if card.vote_calibration is None else FER2013
        if labels is not None and labels != own.id:
            has_votes = card.vote_calibration is not None and labels == card.votes
            raise ModelMismatch(
                f"model {card.id!r} answers this output with {own.id!r}, not {labels!r}: "
                + ('leave out output="fer2013"' if has_votes else _why_no_votes(card))
            )
        name, shares = "", None
        offset = None if card.logit_offset is None else np.asarray(card.logit_offset, np.float64)
        if card.prior is not None:
            natural = np.array([card.prior[n] for n in own.names])
            natural /= natural.sum()
            name, shares = prior_shares("natural" if prior is None else prior, own, natural)
            name = f"{output} {name}"
            ratio = log_prior_ratio(shares, natural)
            if ratio is not None:
                offset = ratio if offset is None else offset + ratio
        elif prior is not None:
            raise PriorInvalid(
                f"model {card.id!r} does not say which base rates it was calibrated to, so no "
                "prior can be stated: export it again with this version of pyojeong"
            )
        return cls(
            output=output,
            index=0,
            columns=tuple(range(len(own))),
            label_set=own,
            temperature=card.temperature,
            scale=card.logit_scale,
            offset=offset,
            threshold=card.threshold,
            prior=name,
            shares=shares,
        )

    def probabilities(self, outputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the calibrated scores (N, K) of a network's outputs, rows sum to 1."""
        logits = outputs[self.index]
        if self.columns != tuple(range(logits.shape[1])):
            logits = logits[:, self.columns]
        scores = calibrated(logits, self.temperature, self.scale, self.offset)
        return np.asarray(scores, np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return what decides the answers, as plain JSON types, for reports and resumable work."""
        shares = None
        if self.shares is not None:
            pairs = zip(self.label_set.names, self.shares, strict=True)
            shares = {name: round(float(share), 6) for name, share in pairs}
        return {
            "output": self.output,
            "label_set": self.label_set.id,
            "prior": self.prior,
            "prior_shares": shares,
            "temperature": self.temperature,
            "scale": None if self.scale is None else list(self.scale),
            "offset": None if self.offset is None else [round(float(v), 9) for v in self.offset],
            "threshold": self.threshold,
        }


def checked_threshold(value: float) -> float:
    """Return a threshold as a float.

    Raises:
        InputError: When it is no number from 0 to 1.
    """
    number = isinstance(value, int | float | np.integer | np.floating)
    if isinstance(value, bool) or not number or not 0 <= value <= 1:
        raise InputError(f"threshold: expected a number from 0 to 1, got {value!r}")
    return float(value)


def _answered(card: ModelCard) -> str:
    """Return the default label set of votes: the model's own, or the seven labels."""
    own, voted = card.label_set, label_set(card.votes or "")
    return own.id if set(own.names) <= set(voted.names) else FER7.id


def _why_no_votes(card: ModelCard) -> str:
    if card.votes is None:
        return "it has no vote head; `pyojeong models` lists models, the bundled default has one"
    return "its vote head was never calibrated; export it again with this version of pyojeong"
