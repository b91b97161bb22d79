"""What every registered net must do; a new net is tested by being registered.

A net that cannot take 48-pixel gray images says so in ``SHAPES``, and one whose default is too
large for a test in ``SMALL``; nothing else is asked of a new net.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import pyojeong
from pyojeong import Analyzer
from pyojeong.core.card import Preprocess
from pyojeong.core.errors import ModelUnknown
from pyojeong.core.labels import FER7
from pyojeong.experiments.cost import measure_cost
from pyojeong.export.exporter import PARITY
from pyojeong.export.files import open_unmeasured
from pyojeong.export.onnx_graph import fold_batch_norms, round_to_half
from pyojeong.training.experiment import build_sized
from pyojeong.training.nets.backbones import SMALLEST, TIMM
from pyojeong.training.nets.registry import NETS, build_net
from tests.training.fake_device import move_to_fake_cuda

SIDES = {**{name: max(SMALLEST.get(name, 32), 48) for name in TIMM}, "mobilenet_v1_face": 64}
"""Smallest convenient side per net; 48 for all others."""

HUGE = {"mlcnn", "mlcnn_stack", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7"}
"""Nets of more than 25 million weights, of which the tests take fewer images."""


@pytest.fixture(params=sorted(NETS))
def name(request: pytest.FixtureRequest) -> str:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return str(request.param)


def side(name: str) -> int:
    return SIDES.get(name, 48)


def build(name: str, *, channels: int = 1, classes: int = 7, **options: object) -> nn.Module:
    torch.manual_seed(0)
    size = (side(name), side(name))
    return build_sized(name, size, num_classes=classes, in_channels=channels, **options)


def pictures(name: str, count: int, channels: int = 1) -> torch.Tensor:
    return torch.randn(count, channels, side(name), side(name))


def stir(net: nn.Module) -> None:
    """Give every batch norm other numbers than those it starts with."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.running_mean, std=0.05)
            nn.init.uniform_(module.running_var, 0.8, 1.2)


def test_computes_on_another_device(name: str) -> None:
    net = build(name)
    with FakeTensorMode():
        move_to_fake_cuda(net)
        x = torch.randn(4, 1, side(name), side(name), device="cuda")
        for mode in (net.train(), net.eval()):
            assert mode(x).device.type == "cuda"
            assert mode.forward_features(x).device.type == "cuda"  # type: ignore[operator]


def test_forward_shapes_and_features(name: str) -> None:
    net = build(name, classes=5).eval()
    x = pictures(name, 2)
    with torch.no_grad():
        features = net.forward_features(x)
        logits = net(x)
        assert features.shape == (2, net.num_features)
        torch.testing.assert_close(logits, net.classifier(features), rtol=1e-4, atol=1e-5)
    assert logits.shape == (2, 5)
    assert torch.isfinite(logits).all()


def test_takes_rgb(name: str) -> None:
    with torch.no_grad():
        assert build(name, channels=3).eval()(pictures(name, 1, 3)).shape == (1, 7)


def test_every_weight_that_learns_gets_a_gradient(name: str) -> None:
    net = build(name).train()
    for module in net.modules():  # residual branches start at zero and would hide gradients
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    net(pictures(name, 4)).square().sum().backward()
    learning = [(n, p) for n, p in net.named_parameters() if p.requires_grad]
    assert learning
    assert not [n for n, p in learning if p.grad is None or not p.grad.abs().sum() > 0]


def test_batch_equals_singles(name: str) -> None:
    net = build(name).eval()
    stir(net)
    x = pictures(name, 3)
    with torch.no_grad():
        singles = torch.cat([net(row[None]) for row in x])
        torch.testing.assert_close(net(x), singles, rtol=1e-3, atol=1e-4)


def without_dropout(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


def test_overfits_one_batch(name: str) -> None:
    net = without_dropout(build(name)).train()
    count = 14 if name in HUGE else 21
    x, y = pictures(name, count), torch.arange(count) % 7
    x += (y.float() - 3)[:, None, None, None] / 3
    learning = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=1e-3 if name not in HUGE else 5e-4)
    right = 0.0
    for _ in range(150):
        optimizer.zero_grad()
        logits = net(x)
        right = float((logits.argmax(1) == y).float().mean())
        if right > 0.95:
            break
        nn.functional.cross_entropy(logits, y).backward()
        optimizer.step()
    assert right > 0.95


def test_served_by_the_analyzer_as_torch_answers(name: str, tmp_path: Path) -> None:
    net = build(name).eval()
    stir(net)
    size = (side(name), side(name))
    pre = Preprocess(size_hw=size, color="gray", mean=(0.5,), std=(0.25,))
    classifier = open_unmeasured(net, pre, FER7, tmp_path, name=f"{name}-test")
    x = pictures(name, 3)
    with torch.no_grad():
        ours = net(x).numpy()  # folded and rounded by now, like the file
    assert np.abs(classifier.logits(x.numpy()) - ours).max() <= PARITY
    picture = cv2.imread(str(Path(pyojeong.__file__).parent / "pictures" / "astronaut.jpg"))
    analyzer = Analyzer(model=str(tmp_path / f"{name}-test.card.json"))
    (face, *_) = analyzer.analyze(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).faces
    assert face.expression is not None
    assert face.expression.scores.sum() == pytest.approx(1, abs=1e-5)


def test_folding_and_rounding_change_little(name: str) -> None:
    net = build(name).eval()
    stir(net)
    x = pictures(name, 2)
    with torch.no_grad():
        before = net(x)
        fold_batch_norms(net)
        torch.testing.assert_close(net(x), before, rtol=1e-3, atol=1e-3)
        round_to_half(net)
        scale = max(float(before.abs().max()), 1.0)
        assert float((net(x) - before).abs().max()) < 0.05 * scale


def test_unknown_net_suggests() -> None:
    with pytest.raises(ModelUnknown, match="did you mean 'se_resnet'"):
        build_net("seresnet")


def test_the_default_net_has_the_size_it_states() -> None:
    net = build_net("se_resnet")
    assert sum(p.numel() for p in net.parameters()) == 2_486_817


@pytest.mark.parametrize(
    ("name", "millions", "mmacs"),
    [
        ("mobilenet_v1", 3.21, 104),
        ("mobilenet_v2", 2.23, 55),
        ("mobilenet_v3_large", 4.21, 42),
        ("mobilenet_v3_small", 1.53, 11),
        ("efficientnet_b0", 4.02, 71),
        ("efficientnet_b1", 6.52, 105),
        ("efficientnet_b2", 7.71, 122),
        ("efficientnet_b3", 10.71, 178),
        ("efficientnet_b4", 17.56, 278),
        ("efficientnet_b5", 28.36, 437),
        ("efficientnet_b6", 40.75, 623),
        ("efficientnet_b7", 63.81, 959),
        ("inception_resnet_v2", 54.32, 732),
    ],
)
def test_backbones_cost_what_is_published(name: str, millions: float, mmacs: float) -> None:
    cost = measure_cost(build_net(name, in_channels=3), (3, 96, 96))
    assert cost.params / 1e6 == pytest.approx(millions, abs=0.006)
    assert cost.macs / 1e6 == pytest.approx(mmacs, rel=0.02)
