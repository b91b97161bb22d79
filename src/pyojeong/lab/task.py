"""What is optimised: classification with an optional vote head, and averaged weights."""

from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pyojeong.core.labels import FERPLUS8
from pyojeong.lab.losses import smoothed_cross_entropy, vote_cross_entropy

MONITOR = "valid_accuracy"
"""What picks the checkpoint: accuracy of the averaged weights on Split.VALID. There is no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the weights are fitted.

    Attributes:
        epochs: Passes over the training split.
        batch_size: Samples per step.
        lr: Peak learning rate.
        schedule: ``"one-cycle"`` or ``"cosine"`` (with 3 % linear warm-up).
        optimizer: ``"adamw"`` or ``"sgd"`` (Nesterov, momentum 0.9).
        weight_decay: Not applied to biases and norms.
        smoothing: Label smoothing.
        vote_weight: Weight of the FER+ vote head's loss; 0 = no head.
        ema: Decay per step of the averaged weights; 0 = the plain weights.
        clip: Largest norm of the gradient; 0 = unlimited.
    """

    epochs: int
    batch_size: int = 128
    lr: float = 2e-3
    schedule: str = "one-cycle"
    optimizer: str = "adamw"
    weight_decay: float = 0.05
    smoothing: float = 0.1
    vote_weight: float = 0.0
    ema: float = 0.999
    clip: float = 5.0


class HeadedNet(nn.Module):
    """A net and, beside its classifier, an optional head for FER+ votes."""

    def __init__(self, net: nn.Module, *, votes: bool) -> None:
        super().__init__()
        self.net = net
        features = int(net.num_features)  # type: ignore[arg-type]
        self.vote_head = nn.Linear(features, len(FERPLUS8)) if votes else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (N, K), and vote logits (N, 8) or None."""
        features = self.net.forward_features(x)  # type: ignore[operator]
        logits = self.net.classifier(features)  # type: ignore[operator]
        return logits, None if self.vote_head is None else self.vote_head(features)


class Classify(L.LightningModule):  # type: ignore[misc]
    """Fits a net to labels and, if asked, to vote shares.

    Args:
        net: From ``build_net``.
        recipe: How.
        seed: Seed of dropout.
        channels_last: Memory layout of weights and inputs.
    """

    def __init__(
        self, net: nn.Module, recipe: Recipe, *, seed: int, channels_last: bool = False
    ) -> None:
        super().__init__()
        self.model = HeadedNet(net, votes=recipe.vote_weight > 0)
        self.recipe = recipe
        self.seed = seed
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model.to(memory_format=self.layout)  # type: ignore[call-overload]
        average = get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
        self.averaged = AveragedModel(self.model, multi_avg_fn=average, use_buffers=True)
        self._hits: list[Tensor] = []
        self._losses: list[Tensor] = []

    @property
    def scored(self) -> nn.Module:
        """The weights that are validated and exported."""
        return self.averaged.module if self.recipe.ema > 0 else self.model

    def on_train_batch_start(self, *_: Any) -> None:
        """Seed dropout from (seed, step): a repeated epoch repeats exactly.

        Once an epoch is not enough: data loaders draw from the same generator, and after a resume
        they do so at another moment.
        """
        torch.manual_seed((self.seed * 1_000_003 + self.global_step) % 2**31)

    def training_step(self, batch: Any, _: int) -> Tensor:
        """Loss of one batch."""
        x, labels, votes = batch
        logits, vote_logits = self.model(x.contiguous(memory_format=self.layout))
        loss = smoothed_cross_entropy(logits.float(), labels, smoothing=self.recipe.smoothing)
        if vote_logits is not None:
            loss = loss + self.recipe.vote_weight * vote_cross_entropy(vote_logits.float(), votes)
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Update the averaged weights."""
        if self.recipe.ema > 0:
            self.averaged.update_parameters(self.model)

    def validation_step(self, batch: Any, _: int) -> None:
        """Score the averaged weights in full precision."""
        x, labels, _votes = batch
        with torch.autocast("cpu", enabled=False):
            logits, _ = self.scored(x.contiguous(memory_format=self.layout))
        self._hits.append(logits.argmax(1) == labels)
        self._losses.append(nn.functional.cross_entropy(logits, labels, reduction="none"))

    def on_validation_epoch_end(self) -> None:
        """Log accuracy and loss over the whole split."""
        hits, losses = torch.cat(self._hits), torch.cat(self._losses)
        self._hits, self._losses = [], []
        self.log(MONITOR, hits.float().mean(), prog_bar=True)
        self.log("valid_loss", losses.mean())

    def configure_optimizers(self) -> Any:
        """AdamW or SGD; no decay on biases, norms and other vectors."""
        r = self.recipe
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": r.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer: torch.optim.Optimizer
        if r.optimizer == "sgd":
            optimizer = torch.optim.SGD(groups, lr=r.lr, momentum=0.9, nesterov=True)
        else:
            optimizer = torch.optim.AdamW(groups, lr=r.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self._schedule(optimizer, steps), "interval": "step"},
        }

    def _schedule(self, optimizer: torch.optim.Optimizer, steps: int) -> Any:
        r = self.recipe
        if r.schedule == "one-cycle":
            momentum = r.optimizer != "sgd"
            steps = max(steps, 10)  # fewer leave no room for the way up
            return torch.optim.lr_scheduler.OneCycleLR(
                optimizer, r.lr, total_steps=steps, pct_start=0.2, cycle_momentum=momentum
            )
        warm = max(steps * 3 // 100, 1)
        linear = torch.optim.lr_scheduler.LinearLR(optimizer, 0.05, total_iters=warm)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps - warm, 1))
        return torch.optim.lr_scheduler.SequentialLR(optimizer, [linear, cosine], [warm])
