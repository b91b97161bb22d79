"""What a step optimises: blended faces get blended targets, and a cached teacher counts."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pyojeong.training.data.datamodule import Batch
from pyojeong.training.lightning_module import Classify
from pyojeong.training.losses import distillation, smoothed_cross_entropy
from pyojeong.training.recipe import Recipe

RECIPE = Recipe(epochs=1, smoothing=0.0, ema=0.0)


class Linear(nn.Module):
    """Logits are a linear map of the pixels."""

    num_features = 4

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.classifier = nn.Linear(4, 7)

    def forward_features(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.classifier(x.flatten(1))
        return out


def task(**recipe: Any) -> Classify:
    made = Classify(Linear(), replace(RECIPE, **recipe), seed=0)
    made.log = lambda *_, **__: None  # type: ignore[method-assign]
    return made


def batch(*, taught: bool = False) -> Batch:
    torch.manual_seed(1)
    answers = torch.randn(6, 7).log_softmax(1) if taught else torch.zeros(6, 0)
    return Batch(torch.randn(6, 1, 2, 2), torch.arange(6), torch.zeros(6, 8), answers)


@pytest.mark.parametrize("taught", [False, True])
def test_mixup_blends_faces_and_losses_alike(taught: bool) -> None:
    one, data = task(mixup=0.4, mixup_p=1.0, distil_temperature=2.0), batch(taught=taught)
    torch.manual_seed(5)
    share, other = one._blend(6)
    torch.manual_seed(5)
    loss = one.training_step(data, 0)
    assert 0.5 <= share < 1
    assert sorted(other.tolist()) == list(range(6))
    x = share * data.inputs + (1 - share) * data.inputs[other]
    logits = one.model(x)[0]

    def expected(labels: Tensor, answers: Tensor) -> Tensor:
        hard = smoothed_cross_entropy(logits, labels, smoothing=0)
        if not taught:
            return hard
        return 0.3 * hard + 0.7 * distillation(logits, answers, temperature=2.0)

    want = share * expected(data.labels, data.taught)
    want = want + (1 - share) * expected(data.labels[other], data.taught[other])
    torch.testing.assert_close(loss, want)


def test_without_mixup_nothing_is_drawn() -> None:
    one, data = task(), batch()
    torch.manual_seed(3)
    one.training_step(data, 0)
    after = torch.rand(())
    torch.manual_seed(3)
    assert after == torch.rand(())


def test_mixup_happens_as_often_as_asked() -> None:
    one = task(mixup=1.0, mixup_p=0.3)
    blended = sum(one._blend(8)[0] < 1 for _ in range(2000))
    assert 500 < blended < 700


def test_faces_grow_in_equal_steps() -> None:
    recipe = replace(RECIPE, epochs=10, grow_from_px=32, grow_share=0.6)
    assert [recipe.shown_px(e, 48) for e in range(10)] == [32] * 3 + [40] * 3 + [48] * 4
    assert {replace(recipe, grow_share=0.0).shown_px(e, 48) for e in range(10)} == {48}
    assert {RECIPE.shown_px(e, 48) for e in range(10)} == {48}


def test_a_shrunk_face_is_the_same_face() -> None:
    """Smaller, neither shifted nor brighter."""
    one = task(grow_from_px=16, epochs=2, grow_share=1.0)
    ramp = torch.linspace(-1, 1, 32).repeat(32, 1)[None, None]
    small = one._shown(ramp)
    assert small.shape == (1, 1, 16, 16)
    wanted = ramp[0, 0, 0].reshape(16, 2).mean(1)
    torch.testing.assert_close(small[0, 0, 5, 1:-1], wanted[1:-1], atol=1e-3, rtol=0)


def test_sam_steps_from_here_by_the_gradient_uphill() -> None:
    one, data = task(sam=0.5, mixup=0.4, mixup_p=1.0), batch()
    optimizer = torch.optim.SGD(one.parameters(), lr=0.1)

    def whole_pass() -> Tensor:
        optimizer.zero_grad()
        loss = one.training_step(data, 0)
        loss.backward()
        return loss

    one.on_train_batch_start()
    whole_pass()
    start = {n: p.detach().clone() for n, p in one.model.named_parameters()}
    slopes = {n: p.grad for n, p in one.model.named_parameters() if p.grad is not None}
    norm = sum(g.square().sum() for g in slopes.values()) ** 0.5
    uphill = task(mixup=0.4, mixup_p=1.0)
    uphill.model.load_state_dict({n: start[n] + 0.5 * slopes[n] / norm for n in start})
    uphill.on_train_batch_start()
    uphill.training_step(data, 0).backward()

    one.on_train_batch_start()
    one.optimizer_step(0, 0, optimizer, whole_pass)
    for name, parameter in uphill.model.named_parameters():
        torch.testing.assert_close(
            one.model.get_parameter(name), start[name] - 0.1 * parameter.grad
        )


def test_faces_whose_labels_are_not_learnt_teach_votes_alone() -> None:
    made = task(vote_weight=1.0)
    x, votes = torch.randn(4, 1, 2, 2), torch.eye(8)[:4]
    hidden, shown = torch.tensor([3, -1, 5, -1]), torch.tensor([0, 2])
    none = torch.zeros(4, 0)

    def gradient(batch: Batch) -> Tensor:
        made.zero_grad()
        logits, votes_given = made.model(batch.inputs)
        loss = made._loss(logits, votes_given, batch)
        assert torch.isfinite(loss)
        loss.backward()
        head = made.model.net.classifier.weight  # type: ignore[union-attr]
        return head.grad.clone()  # type: ignore[union-attr, operator]

    some = gradient(Batch(x, hidden, votes, none))
    alone = gradient(Batch(x[shown], hidden[shown], votes[shown], none[shown]))
    torch.testing.assert_close(some, alone)
    assert some.abs().sum() > 0
    # A batch without any label is no division by zero, and leaves the classifier as it is.
    assert gradient(Batch(x, torch.full((4,), -1), votes, none)).abs().sum() == 0
