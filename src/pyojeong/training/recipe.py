"""How weights are fitted: loss, optimizer, schedule, phases. Data only; no torch."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pyojeong.core.errors import ExperimentError
from pyojeong.training.fields import check_path, check_ranges, check_run_name

LOSSES = ("cross-entropy", "hinge", "softmax-hinge", "focal")
OPTIMIZERS = ("adamw", "adam", "rmsprop", "sgd")
SCHEDULES = ("one-cycle", "cosine", "constant", "step", "plateau")
PICKS = ("best", "last")
CLASS_WEIGHTS = ("none", "balanced")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the weights are fitted.

    Attributes:
        epochs: Passes over the training split.
        batch_size: Samples per step.
        lr: Peak learning rate.
        schedule: ``"one-cycle"``, ``"cosine"`` (with 3 % linear warm-up), ``"constant"``,
            ``"step"`` (times 0.1 after 60 and 85 % of the epochs) or ``"plateau"`` (halved when
            ``valid_loss`` has not fallen for 3 validations).
        optimizer: ``"adamw"``, ``"adam"``, ``"rmsprop"`` or ``"sgd"``.
        momentum: Of SGD and RMSprop.
        nesterov: Nesterov's form of SGD's momentum.
        weight_decay: Not applied to biases and norms.
        loss: ``"cross-entropy"``, ``"hinge"`` (categorical hinge on logits), ``"softmax-hinge"``
            (the same on probabilities, as the students had it) or ``"focal"``.
        focal_gamma: Exponent of the focal loss.
        class_weights: ``"balanced"`` weights classes by the inverse of their frequency.
        smoothing: Label smoothing (cross-entropy only).
        vote_weight: Weight of the FER+ vote head's loss; 0 = no head.
        teacher: Name of a finished run in the same folder that is distilled; None = none. It sees
            the same images, so its preprocessing must be the same.
        soft_labels: File of cached answers (``pyojeong experiments distill``) that are distilled,
            from the working folder; training then repeats the views that it was made of. None =
            none.
        distil_weight: Share of the distillation in the loss, in [0, 1].
        distil_temperature: Temperature of the distillation.
        distil_votes: Share, in [0, 1], of the teachers' votes in ``soft_labels`` in what the vote
            head learns; the rest are the annotators'.
        mixup: Strength alpha of mixup (Zhang et al. 2018, arXiv 1710.09412): two faces and their
            targets are blended by a share from Beta(alpha, alpha); 0 = none.
        mixup_p: Probability that a batch is blended.
        grow_from_px: Training begins with faces shrunk to so many pixels and ends with whole ones,
            which saves time (progressive resizing; Tan & Le 2021, arXiv 2104.00298, section 4.2);
            0 = whole from the start. Faces are square then, and larger than this.
        grow_share: Share of the epochs in which they grow, in equal steps of 8 pixels.
        ema: Decay per step of the averaged weights; 0 = the plain weights.
        clip: Largest norm of the gradient; 0 = unlimited.
        sam: Radius of sharpness-aware minimisation (Foret et al. 2021, arXiv 2010.01412): the
            gradient is taken where the loss is worst within it, at twice the time; 0 = off.
        frozen_epochs: First epochs in which only the head learns (nets with a ``trunk``).
        frozen_lr: Learning rate of those epochs, constant.
        unfrozen: Share of the trunk's weights, counted from the top, that learn afterwards.
        freeze_norms: Keep the trunk's batch norms at their running statistics throughout.
        head_lr_factor: The head's learning rate as a multiple of ``lr``.
        validate_every: Epochs between two validations; a divisor of ``epochs``.
        pick: Which epoch is kept as the run's result: ``"best"`` on Split.VALID, or ``"last"``.
    """

    epochs: int
    batch_size: int = 128
    lr: float = 2e-3
    schedule: str = "one-cycle"
    optimizer: str = "adamw"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 0.05
    loss: str = "cross-entropy"
    focal_gamma: float = 2.0
    class_weights: str = "none"
    smoothing: float = 0.1
    vote_weight: float = 0.0
    teacher: str | None = None
    soft_labels: str | None = None
    distil_weight: float = 0.7
    distil_temperature: float = 3.0
    distil_votes: float = 0.0
    mixup: float = 0.0
    mixup_p: float = 0.5
    grow_from_px: int = 0
    grow_share: float = 0.6
    ema: float = 0.999
    clip: float = 5.0
    sam: float = 0.0
    frozen_epochs: int = 0
    frozen_lr: float = 1e-3
    unfrozen: float = 1.0
    freeze_norms: bool = False
    head_lr_factor: float = 1.0
    validate_every: int = 1
    pick: str = "best"

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                raise ExperimentError(f"[recipe] {name}: {_unknown(value, known)}")
        check_ranges(self, _RANGES, "[recipe]")
        if self.teacher is not None:
            check_run_name(self.teacher, "[recipe] teacher")
        if self.soft_labels is not None:
            check_path(self.soft_labels, "[recipe] soft_labels")
        if self.smoothing and self.loss != "cross-entropy":
            raise ExperimentError(
                f"[recipe] smoothing belongs to the cross-entropy: set smoothing = 0 with "
                f"{self.loss!r}"
            )
        if self.epochs % self.validate_every:
            raise ExperimentError(
                f"[recipe] epochs ({self.epochs}) must be a multiple of validate_every "
                f"({self.validate_every}), so that the last epoch is validated"
            )
        self._check_teaching()
        if self.frozen_epochs > self.epochs:
            raise ExperimentError(
                f"[recipe] frozen_epochs ({self.frozen_epochs}) exceeds epochs ({self.epochs})"
            )

    def _check_teaching(self) -> None:
        if self.teacher is not None and self.soft_labels is not None:
            raise ExperimentError("[recipe] teacher and soft_labels: give one of the two")
        if self.distil_votes and (self.soft_labels is None or not self.vote_weight):
            raise ExperimentError(
                "[recipe] distil_votes needs soft_labels with votes, and a vote_weight above 0"
            )

    def shown_px(self, epoch: int, full_px: int) -> int:
        """Pixels of a side at which an epoch, counted from 0, shows faces of ``full_px``."""
        sizes = list(range(self.grow_from_px, full_px, _GROWTH_PX)) if self.grow_from_px else []
        past = epoch / (self.grow_share * self.epochs) if self.grow_share else 1.0
        stage = int(past * len(sizes))
        return sizes[stage] if stage < len(sizes) else full_px


_GROWTH_PX = 8
_CHOICES = {
    "schedule": SCHEDULES,
    "optimizer": OPTIMIZERS,
    "loss": LOSSES,
    "class_weights": CLASS_WEIGHTS,
    "pick": PICKS,
}

_MANY = 1_000_000
_RANGES = {
    "epochs": (1, _MANY),
    "batch_size": (1, 65_536),
    "lr": (1e-12, 1e3),
    "momentum": (0, 1),
    "weight_decay": (0, 1e3),
    "focal_gamma": (0, 100),
    "smoothing": (0, 0.999),
    "vote_weight": (0, 1e3),
    "distil_weight": (0, 1),
    "distil_temperature": (1e-3, 1e3),
    "distil_votes": (0, 1),
    "mixup": (0, 100),
    "mixup_p": (0, 1),
    "grow_from_px": (0, 1024),
    "grow_share": (0, 1),
    "ema": (0, 1),
    "clip": (0, 1e9),
    "sam": (0, 10),
    "frozen_epochs": (0, _MANY),
    "frozen_lr": (1e-12, 1e3),
    "unfrozen": (0, 1),
    "head_lr_factor": (0, 1e6),
    "validate_every": (1, _MANY),
}


def _unknown(value: Any, known: tuple[str, ...]) -> str:
    near = get_close_matches(str(value), known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown value {value!r}: {hint}Known: {', '.join(known)}."
