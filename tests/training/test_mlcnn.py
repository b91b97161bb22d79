"""The three nets and their stack against the authors' printed summary; the small derivative."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from pyojeong.core.errors import ExperimentError
from pyojeong.export.onnx_graph import fold_batch_norms, round_to_half, to_onnx
from pyojeong.training.nets.mlcnn import (
    Levels,
    build_mlcnn,
    build_mlcnn_lite,
    build_mlcnn_stack,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def count(module: nn.Module, *, trainable: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def parity(net: nn.Module, shape: tuple[int, int, int]) -> float:
    round_to_half(net)
    session = onnxruntime.InferenceSession(to_onnx(net, shape, {}))
    x = torch.randn(3, *shape)
    (theirs,) = session.run(None, {"faces": x.numpy()})
    return float(np.abs(theirs - net(x).detach().numpy()).max())


@pytest.mark.parametrize(
    ("variant", "features", "millions", "whole", "taps"),
    [
        (1, 43_763_520, 43.76, 44_685_639, (73_728, 36_864, 9_216)),
        (2, 26_068_800, 26.07, 26_990_919, (36_864, 9_216, 4_608)),
        (3, 20_760_384, 20.76, 21_682_503, (18_432, 9_216, 2_304)),
    ],
)
def test_counts_and_taps(
    variant: int, features: int, millions: float, whole: int, taps: tuple[int, ...]
) -> None:
    with torch.device("meta"):
        net = build_mlcnn(variant=variant)
        assert net.levels(torch.empty(2, 1, 48, 48)).shape == (2, 1280)
        assert net(torch.empty(2, 1, 48, 48)).shape == (2, 7)
    assert count(net.levels) == features
    assert round(features / 1e6, 2) == millions
    assert count(net) == whole
    assert tuple(branch[0].in_features for branch in net.levels.branches) == taps  # type: ignore[union-attr, index]
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == 17
    assert not [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


def test_the_stack_has_the_counts_of_the_notebook() -> None:
    with torch.device("meta"):
        stack = build_mlcnn_stack()
        assert stack(torch.empty(2, 1, 48, 48)).shape == (2, 7)
    assert count(stack) == 92_825_543
    assert count(stack, trainable=True) == 2_232_839
    assert count(stack.members) == 90_592_704
    assert stack.head[0].in_features == 3840


def test_taps_are_the_maps_they_are_said_to_be() -> None:
    x = torch.randn(1, 1, 32, 32)
    wanted = {1: ((1, 2), (2, 3), (3, 3)), 2: ((2, 1), (3, 1), (4, 1))}  # (block, convolution)
    for variant in (1, 2, 3):
        net = Levels(variant, in_channels=1, size_hw=(32, 32), dropout=0.0).eval()
        maps: dict[tuple[int, int], torch.Tensor] = {}
        y, pooled = x, []
        for i, block in enumerate(net.blocks):
            for j, conv in enumerate(block.children()):
                y = maps[i, j] = conv(y)
            y = nn.functional.max_pool2d(y, 2)
            pooled.append(y)
        taps = pooled[1:4] if variant == 3 else [maps[key] for key in wanted[variant]]
        parts = [
            branch(tap.flatten(1)) for branch, tap in zip(net.branches, taps, strict=True)
        ]  # fmt: skip
        torch.testing.assert_close(net(x), torch.cat([*parts, y.flatten(1)], 1))


def test_one_net_learns_and_exports() -> None:
    net = build_mlcnn(num_classes=5, size_hw=[32, 32], variant=3).train()
    net(torch.randn(4, 1, 32, 32)).square().sum().backward()
    assert not [
        n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    net.eval()
    x = torch.randn(2, 1, 32, 32)
    features = net.forward_features(x)
    assert features.shape == (2, net.num_features)
    torch.testing.assert_close(net(x), net.classifier(features))
    assert parity(net, (1, 32, 32)) < 1e-3


def test_the_stack_stays_frozen_and_adopts() -> None:
    nets = [build_mlcnn(variant=variant, size_hw=(32, 32)) for variant in (1, 2, 3)]
    stack = build_mlcnn_stack(size_hw=(32, 32)).train()
    assert stack.head.training
    assert not any(m.training for m in stack.members.modules())
    stack.adopt(nets)
    x = torch.randn(2, 1, 32, 32)
    stack(x).sum().backward()
    assert all(p.grad is None for p in stack.members.parameters())
    assert all(p.grad is not None for p in stack.head.parameters())
    stack.eval()
    vector = torch.cat([net.levels.eval()(x) for net in nets], 1)
    torch.testing.assert_close(stack.forward_features(x), stack.head(vector))
    torch.testing.assert_close(stack(x), stack.classifier(stack.forward_features(x)))
    with pytest.raises(ExperimentError, match="mlcnn_stack: expected nets"):
        stack.adopt(nets[::-1])


@pytest.mark.parametrize("shape", [(1, 48, 48), (1, 44, 44), (3, 33, 47)])
def test_lite(shape: tuple[int, int, int]) -> None:
    net = build_mlcnn_lite(num_classes=5, in_channels=shape[0]).train()
    net(torch.randn(4, *shape))
    net.eval()
    x = torch.randn(2, *shape)
    features = net.forward_features(x)
    assert features.shape == (2, net.num_features)
    torch.testing.assert_close(net(x), net.classifier(features))
    before = net(x)
    fold_batch_norms(net)
    assert not [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.testing.assert_close(net(x), before, rtol=1e-4, atol=1e-4)
    assert parity(net, shape) < 1e-3


def test_lite_is_small_and_pools_to_quarters() -> None:
    with torch.device("meta"):
        assert count(build_mlcnn_lite()) == 3_606_695
    net = build_mlcnn_lite().eval()
    seen: list[torch.Tensor] = []
    maps: list[torch.Tensor] = []
    net.blocks[2].register_forward_hook(lambda _, __, out: maps.append(out))
    net.branches[1].register_forward_hook(lambda _, given, __: seen.append(given[0]))
    net(torch.randn(2, 1, 44, 60))  # the third block's map is 11 x 15: odd sides
    expected = nn.functional.adaptive_avg_pool2d(maps[0], 2).flatten(1)
    torch.testing.assert_close(seen[0], expected)


def test_refuses_what_cannot_be() -> None:
    with torch.device("meta"):
        with pytest.raises(ExperimentError, match="1, 2 or 3, got 4"):
            build_mlcnn(variant=4)
        with pytest.raises(ExperimentError, match="at least 32 x 32"):
            build_mlcnn(size_hw=(31, 48))
        with pytest.raises(ExperimentError, match=r"\(32, 32\).*got \(48, 32\).*size_hw alike"):
            build_mlcnn(size_hw=(32, 32), variant=3)(torch.empty(1, 1, 48, 32))
        with pytest.raises(ExperimentError, match="at least 32 x 32"):
            build_mlcnn_lite()(torch.empty(1, 1, 24, 24))
