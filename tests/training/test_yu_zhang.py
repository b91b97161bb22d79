"""Stochastic pooling against its definition, and the net around it."""

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError
from pyojeong.export.onnx_graph import round_to_half, to_onnx
from pyojeong.training.nets.yu_zhang import StochasticPool2d, build_yu_zhang


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def windows(x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, C, 9, H', W')
    n, c, h, w = x.shape
    return F.unfold(x, 3, padding=1, stride=2).view(n, c, 9, (h + 1) // 2, (w + 1) // 2)


def expectation(x: Tensor) -> Tensor:
    a = windows(x.double())
    total = a.sum(2)
    return torch.where(total > 0, (a * a).sum(2) / total.clamp(min=1e-300), 0)


def maps(*shape: int) -> Tensor:
    return torch.randn(shape).relu()  # about half zeros, as after a ReLU


@pytest.mark.parametrize("side", [6, 7])
def test_evaluation_is_the_definition(side: int) -> None:
    x = maps(3, 4, side, side + 2)
    x[0, 0] = 0
    y = StochasticPool2d().eval()(x)
    torch.testing.assert_close(y, expectation(x).float(), rtol=1e-5, atol=1e-6)
    assert not y[0, 0].any()


def test_training_draws_with_the_stated_probabilities() -> None:
    x = maps(1, 2, 6, 6)
    x = x / x.max()
    repeated = x.expand(40_000, -1, -1, -1)
    drawn = StochasticPool2d().train()(repeated)
    assert (drawn.double().mean(0) - expectation(x)[0]).abs().max() < 0.01
    # Not the mean alone: the share of each value of one window.
    window = windows(x)[0, 0, :, 1, 1]
    shares = torch.stack([(drawn[:, 0, 1, 1] == value).double().mean() for value in window])
    positive = window > 0
    assert positive.sum() > 2
    expected = (window / window.sum()).double()
    assert (shares - expected)[positive].abs().max() < 0.01


def test_only_the_drawn_value_gets_the_gradient() -> None:
    x = (torch.rand(2, 3, 8, 8) + 0.1).requires_grad_()
    y = StochasticPool2d().train()(x)
    weights = torch.rand_like(y) + 1
    (y * weights).sum().backward()
    assert x.grad is not None
    expected = torch.zeros_like(x)
    for n, c, i, j in np.ndindex(*y.shape):  # all values of x differ: the drawn one is found by it
        row, column = (x[n, c] == y[n, c, i, j]).nonzero()[0]
        assert abs(row - 2 * i) <= 1
        assert abs(column - 2 * j) <= 1
        expected[n, c, row, column] += weights[n, c, i, j]
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.parametrize("training", [True, False])
def test_windows_of_zeros(training: bool) -> None:
    x = torch.zeros(2, 3, 9, 9, requires_grad=True)
    y = StochasticPool2d().train(training)(x)
    y.sum().backward()
    assert x.grad is not None
    assert not y.any()
    assert x.grad.isfinite().all()


def test_draws_follow_the_global_seed() -> None:
    pool, x = StochasticPool2d().train(), maps(4, 8, 12, 12)
    torch.manual_seed(5)
    first, second = pool(x), pool(x)
    torch.manual_seed(5)
    assert torch.equal(pool(x), first)
    assert not torch.equal(first, second)


def test_non_negative_inputs_are_a_documented_condition() -> None:
    assert "must not be negative" in str(StochasticPool2d.__doc__)


def test_bfloat16_is_pooled_in_float32() -> None:
    x = maps(2, 4, 12, 12).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        drawn = StochasticPool2d().train()(x)
        mean = StochasticPool2d().eval()(x)
    assert drawn.dtype == mean.dtype == torch.bfloat16
    assert torch.equal(mean, expectation(x.float()).bfloat16())
    assert ((windows(x.float()) == drawn.float()[:, :, None]).any(2)).all()


def test_count() -> None:
    with torch.device("meta"):
        net = build_yu_zhang()
        other = build_yu_zhang(pool="max")
    assert sum(p.numel() for p in net.parameters()) == 6_073_351  # the sources say 6.07 M
    assert sum(p.numel() for p in other.parameters()) == 6_073_351


@pytest.mark.parametrize("pool", ["stochastic", "max"])
@pytest.mark.parametrize("size_hw", [[48, 48], (44, 37)])
def test_shapes(pool: str, size_hw: tuple[int, int]) -> None:
    net = build_yu_zhang(num_classes=5, in_channels=3, size_hw=size_hw, pool=pool).eval()
    x = torch.randn(2, 3, *size_hw)
    features = net.forward_features(x)
    assert features.shape == (2, net.num_features)
    assert net(x).shape == (2, 5)
    torch.testing.assert_close(net(x), net.classifier(features))


def test_refuses_what_cannot_be() -> None:
    with pytest.raises(ExperimentError, match=r"stochastic.*got 'mean'"):
        build_yu_zhang(pool="mean")
    with pytest.raises(ExperimentError, match="at least 8 x 8"):
        build_yu_zhang(size_hw=(7, 48))
    with pytest.raises(ExperimentError, match=r"\(16, 16\).*got \(48, 48\).*size_hw alike"):
        build_yu_zhang(size_hw=(16, 16))(torch.zeros(1, 1, 48, 48))


@pytest.mark.parametrize("pool", ["stochastic", "max"])
def test_learns_one_batch_without_batch_norm(pool: str) -> None:
    net = build_yu_zhang(size_hw=(16, 16), pool=pool, dropout=0.0).train()
    # Smooth images: in white noise a pixel drawn at random says next to nothing.
    x = F.interpolate(torch.randn(14, 1, 6, 6), (16, 16), mode="bilinear")
    y = torch.arange(14) % 7
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for _ in range(50):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    assert (net(x).argmax(1) == y).float().mean() > 0.95
    assert (net.eval()(x).argmax(1) == y).float().mean() > 0.95


def test_exports_and_zeros_stay_zeros() -> None:
    net = build_yu_zhang(size_hw=(24, 24)).eval()
    round_to_half(net)
    session = onnxruntime.InferenceSession(to_onnx(net, (1, 24, 24), {}))
    blank = torch.zeros(1, 1, 24, 24)  # every window of every pooling is zero
    for x in (torch.randn(3, 1, 24, 24), blank):
        (theirs,) = session.run(None, {"faces": x.numpy()})
        assert np.isfinite(theirs).all()
        np.testing.assert_allclose(theirs, net(x).detach().numpy(), atol=1e-3)
