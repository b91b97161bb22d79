"""What is optimised: classification with an optional vote head, and averaged weights."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel

from pyojeong.core.errors import ExperimentError
from pyojeong.core.labels import FERPLUS8
from pyojeong.training.data.datamodule import Batch
from pyojeong.training.losses import distillation, label_loss, vote_cross_entropy
from pyojeong.training.optimizers import build_optimizer, build_schedule, parameter_groups
from pyojeong.training.recipe import Recipe
from pyojeong.training.world import sums, world

MONITOR = "valid_accuracy"
"""What picks the checkpoint: accuracy of the averaged weights on Split.VALID. There is no other."""


class Diverged(ExperimentError):  # noqa: N818
    """The loss is no longer a number. The last checkpoint is of the epoch before."""


class HeadedNet(nn.Module):
    """A net and, beside its classifier, an optional head for FER+ votes."""

    def __init__(self, net: nn.Module, *, votes: bool) -> None:
        super().__init__()
        self.net = net
        features = int(net.num_features)  # type: ignore[arg-type]
        self.vote_head = nn.Linear(features, len(FERPLUS8)) if votes else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits (N, K), and vote logits (N, 8) or None."""
        features = self.net.forward_features(x)  # type: ignore[operator]
        logits = self.net.classifier(features)  # type: ignore[operator]
        return logits, None if self.vote_head is None else self.vote_head(features)


class Classify(L.LightningModule):  # type: ignore[misc]
    """Fits a net to labels and, if asked, to vote shares and to a teacher's answers.

    Args:
        net: From ``build_net``.
        recipe: How.
        seed: Seed of dropout.
        channels_last: Memory layout of weights and inputs.
        class_weights: (K,) weight per class, or None.
    """

    def __init__(
        self,
        net: nn.Module,
        recipe: Recipe,
        *,
        seed: int,
        channels_last: bool = False,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.model = HeadedNet(net, votes=recipe.vote_weight > 0)
        self.recipe = recipe
        self.seed = seed
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model.to(memory_format=self.layout)
        self.averaged: AveragedModel | None = None
        if recipe.ema > 0:
            average = partial(_average, recipe.ema)
            self.averaged = AveragedModel(self.model, multi_avg_fn=average, use_buffers=True)
        self.register_buffer("class_weights", class_weights, persistent=False)
        # What a net itself never trains stays so.
        self._fixed = {id(p) for p in self.model.parameters() if not p.requires_grad}
        # A list hides the teacher from the state that is saved and from the optimizer.
        self._teacher: list[nn.Module] = []
        self._hits: list[Tensor] = []
        self._losses: list[Tensor] = []
        if recipe.frozen_epochs and self.trunk is None:
            raise ExperimentError(
                "[recipe] frozen_epochs needs a net with a trunk to freeze (a backbone); this net "
                "has none: set frozen_epochs = 0"
            )

    @property
    def trunk(self) -> nn.Module | None:
        """The part of the net that fine-tuning freezes first, if it has one."""
        return getattr(self.model.net, "trunk", None)

    @property
    def scored(self) -> nn.Module:
        """The weights that are validated and exported."""
        return self.model if self.averaged is None else self.averaged.module

    def learn_from(self, teacher: nn.Module) -> None:
        """Distil this net: (N, C, H, W) -> logits (N, K)."""
        self._teacher = [teacher.eval().requires_grad_(False)]

    def on_fit_start(self) -> None:
        """Bring the teacher, which Lightning does not know, to the device of the net."""
        for teacher in self._teacher:
            teacher.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Freeze or unfreeze the trunk, as the epoch demands."""
        trunk = self.trunk
        if trunk is None:
            return
        trunk.train()
        frozen = self.current_epoch < self.recipe.frozen_epochs
        learning = _top_share(trunk, 0.0 if frozen else self.recipe.unfrozen)
        for parameter in trunk.parameters():
            if id(parameter) not in self._fixed:
                parameter.requires_grad_(id(parameter) in learning)
        if frozen or self.recipe.freeze_norms:
            for module in trunk.modules():
                if frozen or isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001
                    module.training = False

    def on_train_batch_start(self, *_: Any) -> None:
        """Seed dropout from (seed, step): a repeated epoch repeats exactly.

        Once an epoch is not enough: data loaders draw from the same generator, and after a resume
        they do so at another moment.
        """
        own = world().rank * 7_368_787  # other pictures, other dropout
        torch.manual_seed((self.seed * 1_000_003 + self.global_step + own) % 2**31)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Loss of one batch.

        Raises:
            Diverged: When it is not a finite number.
        """
        r = self.recipe
        x = self._shown(batch.inputs).contiguous(memory_format=self.layout)
        share, other = self._blend(len(x))
        if share < 1:
            x = torch.lerp(x[other], x, share)
        logits, vote_logits = self.model(x)
        if self._teacher:
            with torch.no_grad():  # it sees the blended faces and needs no blending itself
                batch = batch._replace(taught=self._teacher[0](x).float())
        answers = (logits.float(), None if vote_logits is None else vote_logits.float())
        loss = self._loss(*answers, batch)
        if share < 1:
            taught = batch.taught if self._teacher else batch.taught[other]
            mate = Batch(x, batch.labels[other], batch.votes[other], taught)
            loss = share * loss + (1 - share) * self._loss(*answers, mate)
        if not torch.isfinite(loss):
            raise Diverged(
                f"the loss became {loss.item()} in epoch {self.current_epoch + 1}, step "
                f"{index + 1}: lower lr ({r.lr:g}) or set clip; the checkpoint of the last whole "
                "epoch is kept"
            )
        several = world().size > 1
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=several)
        return loss

    def _shown(self, x: Tensor) -> Tensor:
        """Return faces at the size of this epoch."""
        size = self.recipe.shown_px(self.current_epoch, x.shape[-1])
        if size == x.shape[-1]:
            return x
        return nn.functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True)

    def _blend(self, count: int) -> tuple[float, Tensor]:
        """Return the share of each face in its mixup and the mate that gives the rest.

        Share 1 = none.
        """
        r = self.recipe
        if not r.mixup or torch.rand(()).item() >= r.mixup_p:
            return 1.0, torch.arange(0)
        strength = torch.tensor(r.mixup)
        share = torch.distributions.Beta(strength, strength).sample().item()
        return max(share, 1 - share), torch.randperm(count)

    def _loss(self, logits: Tensor, vote_logits: Tensor | None, batch: Batch) -> Tensor:
        """Labels, teacher and votes together; ``batch.taught`` are logits or log-probabilities."""
        r = self.recipe
        learnt = batch.labels >= 0
        labelled = bool(learnt.all())
        rows = logits if labelled else logits[learnt]
        loss = label_loss(
            rows,
            batch.labels if labelled else batch.labels[learnt],
            kind=r.loss,
            smoothing=r.smoothing,
            gamma=r.focal_gamma,
            weights=self.class_weights,
        )
        if not len(rows):
            loss = logits.sum() * 0.0
        if batch.taught.shape[1]:
            soft = distillation(logits, batch.taught, temperature=r.distil_temperature)
            loss = (1 - r.distil_weight) * loss + r.distil_weight * soft
        if vote_logits is not None:
            loss = loss + r.vote_weight * vote_cross_entropy(vote_logits, batch.votes)
        return loss

    def optimizer_step(self, *args: Any, **named: Any) -> None:
        """Take one step; with ``sam``, by the gradient where the loss nearby is worst."""
        if not self.recipe.sam:
            super().optimizer_step(*args, **named)
            return
        _, _, optimizer, whole_pass = args
        whole_pass()
        here = _climb(self.model, self.recipe.sam)

        def there() -> Any:
            self.on_train_batch_start()  # the same dropout and blending
            loss = whole_pass()
            with torch.no_grad():
                for parameter, value in here:
                    parameter.copy_(value)
            return loss

        optimizer.step(closure=there)

    def on_train_batch_end(self, *_: Any) -> None:
        """Update the averaged weights."""
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Score the averaged weights in full precision."""
        x, labels = batch.inputs, batch.labels
        with torch.autocast(x.device.type, enabled=False):
            logits, _ = self.scored(x.contiguous(memory_format=self.layout))
        self._hits.append(logits.argmax(1) == labels)
        self._losses.append(nn.functional.cross_entropy(logits, labels, reduction="none"))

    def on_validation_epoch_end(self) -> None:
        """Log accuracy and loss over the whole split, of which each process has read a share."""
        hits, losses = torch.cat(self._hits), torch.cat(self._losses)
        self._hits, self._losses = [], []
        if world().size > 1:
            counts = torch.tensor(len(hits), device=hits.device)
            hit, lost, count = sums(hits.sum(), losses.sum(), counts)
            self.log(MONITOR, (hit / count).float(), prog_bar=True)
            self.log("valid_loss", (lost / count).float())
            return
        self.log(MONITOR, hits.float().mean(), prog_bar=True)
        self.log("valid_loss", losses.mean())

    def configure_optimizers(self) -> Any:
        """As the recipe says; no decay on biases, norms and other vectors."""
        optimizer = build_optimizer(
            parameter_groups(self.model, self.trunk, self.recipe), self.recipe
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = build_schedule(optimizer, self.recipe, steps=steps)
        when: dict[str, Any] = {"scheduler": schedule, "interval": "step"}
        if isinstance(schedule, ReduceLROnPlateau):
            every = self.recipe.validate_every
            when |= {"interval": "epoch", "frequency": every, "monitor": "valid_loss"}
        return {"optimizer": optimizer, "lr_scheduler": when}


@torch.no_grad()
def _average(
    decay: float, averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int
) -> None:
    """Move averaged weights towards the current ones by 1 - min(decay, (1 + t) / (10 + t)).

    The warm-up lets a short training leave its start behind; TensorFlow's
    ``ExponentialMovingAverage`` has the same one (its ``num_updates``).

    Args:
        decay: Of a long training; 1 = the first weights are kept.
        averaged: Changed in place.
        current: The weights after this step.
        count: Steps t before this one.
    """
    t = float(count)
    kept = decay if decay >= 1 else min(decay, (1 + t) / (10 + t))
    if averaged[0].is_floating_point():
        torch._foreach_lerp_(list(averaged), list(current), 1 - kept)
    else:
        for old, new in zip(averaged, current, strict=True):
            old.copy_(new)


@torch.no_grad()
def _climb(model: nn.Module, radius: float) -> list[tuple[nn.Parameter, Tensor]]:
    """Move the weights by ``radius`` along their gradient; returns what they were."""
    moved = [p for p in model.parameters() if p.grad is not None]
    norm = torch.stack([p.grad.norm() for p in moved]).norm()  # type: ignore[union-attr]
    here = [(p, p.clone()) for p in moved]
    for parameter in moved:
        parameter.add_(parameter.grad * (radius / (norm + 1e-12)))
    return here


def _top_share(trunk: nn.Module, share: float) -> set[int]:
    """Ids of the last parameters of ``trunk`` that hold ``share`` of its weights."""
    parameters = list(trunk.parameters())
    left = share * sum(p.numel() for p in parameters)
    chosen = set()
    for parameter in reversed(parameters):
        if left <= 0:
            break
        chosen.add(id(parameter))
        left -= parameter.numel()
    return chosen
