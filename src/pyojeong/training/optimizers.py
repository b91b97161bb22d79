"""Optimizers and schedules as a ``Recipe`` names them, over a head and a trunk."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from pyojeong.training.recipe import Recipe


def parameter_groups(
    model: nn.Module, trunk: nn.Module | None, recipe: Recipe
) -> list[dict[str, Any]]:
    """Parameters by learning rate (trunk, head) and by decay (matrices, vectors)."""
    below = {id(p) for p in trunk.parameters()} if trunk is not None else set()
    fixed = {id(p) for p in model.parameters() if not p.requires_grad}
    groups = []
    for in_trunk, factor in ((True, 1.0), (False, recipe.head_lr_factor if below else 1.0)):
        part = [p for p in model.parameters() if (id(p) in below) is in_trunk]
        part = [p for p in part if id(p) not in fixed]
        for matrices, decay in ((True, recipe.weight_decay), (False, 0.0)):
            chosen = [p for p in part if (p.ndim > 1) is matrices]
            if chosen:
                groups.append({"params": chosen, "weight_decay": decay, "lr": recipe.lr * factor})
    return groups


def build_optimizer(groups: Iterable[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimizer of that name; all but AdamW add the decay to the gradient."""
    groups = list(groups)
    if recipe.optimizer == "sgd":
        nesterov = recipe.nesterov and recipe.momentum > 0
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=nesterov)
    if recipe.optimizer == "rmsprop":
        # Keras' defaults (decay 0.9, epsilon 1e-7), because the students used Keras.
        return torch.optim.RMSprop(
            groups, lr=recipe.lr, alpha=0.9, eps=1e-7, momentum=recipe.momentum
        )
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=recipe.lr)
    return torch.optim.AdamW(groups, lr=recipe.lr)


def build_schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, *, steps: int
) -> LRScheduler | lr_scheduler.ReduceLROnPlateau:
    """Per-step schedule over ``steps`` steps; ``"plateau"`` is stepped per validation instead."""
    frozen = steps * recipe.frozen_epochs // recipe.epochs
    if recipe.schedule == "plateau":
        return lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3)
    if recipe.schedule == "one-cycle" and not frozen:
        peaks = [group["lr"] for group in optimizer.param_groups]
        steps = max(steps, 10)  # fewer leave no room for the way up
        momentum = recipe.optimizer in {"adamw", "adam"}
        return lr_scheduler.OneCycleLR(
            optimizer, peaks, total_steps=steps, pct_start=0.2, cycle_momentum=momentum
        )
    if recipe.schedule == "cosine" and not frozen:
        warm = max(steps * 3 // 100, 1)
        linear = lr_scheduler.LinearLR(optimizer, 0.05, total_iters=warm)
        cosine = lr_scheduler.CosineAnnealingLR(optimizer, max(steps - warm, 1))
        return lr_scheduler.SequentialLR(optimizer, [linear, cosine], [warm])
    return lr_scheduler.LambdaLR(optimizer, _factor(recipe, steps, frozen))


def _factor(recipe: Recipe, steps: int, frozen: int) -> Callable[[int], float]:
    """Multiple of a group's learning rate at a step, for schedules with a frozen phase."""
    rest = max(steps - frozen, 1)

    def factor(step: int) -> float:
        if step < frozen:
            return recipe.frozen_lr / recipe.lr
        done = min((step - frozen) / rest, 1.0)
        if recipe.schedule == "step":
            return 0.01 if done >= 0.85 else 0.1 if done >= 0.6 else 1.0
        if recipe.schedule == "constant":
            return 1.0
        # A warm-up over the first twentieth, then half a cosine.
        warm = 0.05
        if done < warm:
            return 0.05 + 0.95 * done / warm
        return (1 + math.cos(math.pi * (done - warm) / (1 - warm))) / 2

    return factor
