"""What every registered net must do; a new net is tested by being registered."""

import pytest
import torch
from torch import nn

from pyojeong.core.errors import ModelUnknown
from pyojeong.lab.export import fold_batch_norms
from pyojeong.lab.nets.registry import NETS, build_net

SHAPE = (1, 44, 44)


@pytest.fixture(params=sorted(NETS))
def name(request: pytest.FixtureRequest) -> str:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return str(request.param)


def test_forward_shapes_and_features(name: str) -> None:
    net = build_net(name, num_classes=5, in_channels=SHAPE[0]).eval()
    x = torch.randn(3, *SHAPE)
    features = net.forward_features(x)
    assert features.shape == (3, net.num_features)
    torch.testing.assert_close(net(x), net.classifier(features))
    assert net(x).shape == (3, 5)


def test_takes_rgb(name: str) -> None:
    net = build_net(name, num_classes=7, in_channels=3).eval()
    assert net(torch.randn(2, 3, 44, 44)).shape == (2, 7)


def test_every_weight_gets_a_gradient(name: str) -> None:
    net = build_net(name, num_classes=7, in_channels=1).train()
    for module in net.modules():  # residual branches start at zero and would hide gradients
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    net(torch.randn(4, *SHAPE)).square().sum().backward()
    assert not [
        n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]


def test_batch_equals_singles(name: str) -> None:
    net = build_net(name, num_classes=7, in_channels=1).eval()
    x = torch.randn(4, *SHAPE)
    singles = torch.cat([net(row[None]) for row in x])
    torch.testing.assert_close(net(x), singles, rtol=1e-4, atol=1e-5)


def test_overfits_one_batch(name: str) -> None:
    net = build_net(name, num_classes=7, in_channels=1, dropout=0.0).train()
    x, y = torch.randn(28, *SHAPE), torch.arange(28) % 7
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    assert (net(x).argmax(1) == y).float().mean() > 0.95


def test_folding_batch_norms_changes_nothing(name: str) -> None:
    net = build_net(name, num_classes=7, in_channels=1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    x = torch.randn(2, *SHAPE)
    before = net.eval()(x)
    fold_batch_norms(net)
    torch.testing.assert_close(net(x), before, rtol=1e-4, atol=1e-4)


def test_unknown_net_suggests() -> None:
    with pytest.raises(ModelUnknown, match="did you mean 'se_resnet'"):
        build_net("seresnet")


def test_the_default_net_has_the_size_it_states() -> None:
    net = build_net("se_resnet")
    assert sum(p.numel() for p in net.parameters()) == 2_486_817
