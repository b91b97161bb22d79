"""Optimizers, schedules and the two phases of fine-tuning do what the recipe says."""

import pytest
import torch
from torch import nn

from pyojeong.core.errors import ExperimentError
from pyojeong.training.lightning_module import Classify
from pyojeong.training.optimizers import build_optimizer, build_schedule, parameter_groups
from pyojeong.training.recipe import Recipe


class Small(nn.Module):
    num_features = 4

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3)
        )
        self.classifier = nn.Linear(4, 7)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        return self.trunk(x).mean((2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.forward_features(x))


def rates(recipe: Recipe, steps: int) -> list[float]:
    weight = nn.Parameter(torch.ones(1))
    group = [{"params": [weight], "weight_decay": 0.0, "lr": recipe.lr}]
    optimizer = build_optimizer(group, recipe)
    schedule = build_schedule(optimizer, recipe, steps=steps)
    out = []
    for _ in range(steps):
        out.append(optimizer.param_groups[0]["lr"])
        weight.grad = torch.ones(1)
        optimizer.step()
        schedule.step()
    return out


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adamw", torch.optim.AdamW),
        ("adam", torch.optim.Adam),
        ("rmsprop", torch.optim.RMSprop),
        ("sgd", torch.optim.SGD),
    ],
)
def test_optimizers_by_name(name: str, kind: type) -> None:
    net = Small()
    recipe = Recipe(epochs=1, optimizer=name, weight_decay=0.1, lr=1e-2, head_lr_factor=3.0)
    groups = parameter_groups(net, net.trunk, recipe)
    optimizer = build_optimizer(groups, recipe)
    assert type(optimizer) is kind
    by_id = {id(p): g for g in optimizer.param_groups for p in g["params"]}
    assert len(by_id) == len(list(net.parameters()))
    assert by_id[id(net.trunk[0].weight)]["weight_decay"] == 0.1
    assert by_id[id(net.trunk[1].weight)]["weight_decay"] == 0
    assert by_id[id(net.trunk[0].weight)]["lr"] == 1e-2
    assert by_id[id(net.classifier.weight)]["lr"] == pytest.approx(3e-2)
    for p in net.parameters():
        p.grad = torch.randn_like(p)
    before = net.classifier.weight.detach().clone()
    optimizer.step()
    assert not torch.equal(before, net.classifier.weight)


def test_schedules() -> None:
    constant = rates(Recipe(epochs=10, lr=0.5, schedule="constant"), 50)
    assert set(constant) == {0.5}
    step = rates(Recipe(epochs=10, lr=1.0, schedule="step"), 100)
    assert step[0] == step[59] == 1
    assert step[60] == step[84] == pytest.approx(0.1)
    assert step[85] == step[-1] == pytest.approx(0.01)
    for name in ("one-cycle", "cosine"):
        values = rates(Recipe(epochs=10, lr=1.0, schedule=name), 100)
        assert max(values) == pytest.approx(1, abs=1e-3)
        assert values[0] < 0.1
        assert values[-1] < 0.01
        assert sorted(values[30:], reverse=True) == values[30:]


def test_a_frozen_phase_has_its_own_rate() -> None:
    recipe = Recipe(epochs=4, lr=1e-5, schedule="constant", frozen_epochs=2, frozen_lr=1e-4)
    values = rates(recipe, 40)
    assert values[:20] == pytest.approx([1e-4] * 20)
    assert values[20:] == pytest.approx([1e-5] * 20)


def test_the_trunk_is_frozen_then_its_top_learns() -> None:
    recipe = Recipe(
        epochs=4, frozen_epochs=2, unfrozen=0.5, freeze_norms=True, ema=0, lr=0.1, weight_decay=0.1
    )
    task = Classify(Small(), recipe, seed=0)
    trunk = task.trunk
    assert trunk is not None

    class Trainer:
        current_epoch = 0

    task._trainer = Trainer()  # type: ignore[assignment]
    task.train()
    task.on_train_epoch_start()
    assert not any(p.requires_grad for p in trunk.parameters())
    assert not any(m.training for m in trunk.modules())
    assert task.model.net.classifier.weight.requires_grad
    before = [b.clone() for b in trunk.buffers()]
    task.model(torch.randn(4, 1, 8, 8))
    assert all(torch.equal(a, b) for a, b in zip(before, trunk.buffers(), strict=True))
    Trainer.current_epoch = 2
    task.on_train_epoch_start()
    learning = [p.requires_grad for p in trunk.parameters()]
    assert learning == [False, False, False, False, True, True]
    assert not trunk[1].training  # type: ignore[index]
    assert trunk[3].training  # type: ignore[index]


def test_freezing_needs_a_trunk() -> None:
    net = Small()
    del net.trunk
    with pytest.raises(ExperimentError, match="trunk"):
        Classify(net, Recipe(epochs=2, frozen_epochs=1), seed=0)
