"""The student project's plain net: the counts its layout must have, sizes, export."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from pyojeong.core.errors import ExperimentError
from pyojeong.export.onnx_graph import round_to_half, to_onnx
from pyojeong.training.nets.seed_baseline import build_seed_baseline


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("in_channels", "hidden_fc", "parameters"),
    [(3, 512, 3_456_199), (3, None, 284_743), (1, 512, 3_455_623), (1, None, 284_167)],
)
def test_counts(in_channels: int, hidden_fc: int | None, parameters: int) -> None:
    with torch.device("meta"):
        net = build_seed_baseline(in_channels=in_channels, hidden_fc=hidden_fc)
    assert count(net) == parameters
    assert net.num_features == (hidden_fc or 7 * 7 * 128)


def test_maps_shrink_as_the_slides_imply() -> None:
    net, x, sides = build_seed_baseline().eval(), torch.rand(1, 1, 150, 150), []
    for layer in net.blocks:
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            sides.append(x.shape[-1])
    assert sides == [74, 36, 17, 7]


@pytest.mark.parametrize("hidden_fc", [None, 512])
@pytest.mark.parametrize("size_hw", [[48, 48], (46, 46), (64, 50)])
def test_small_pictures(size_hw: tuple[int, int], hidden_fc: int | None) -> None:
    net = build_seed_baseline(num_classes=5, size_hw=size_hw, hidden_fc=hidden_fc).eval()
    x = torch.rand(2, 1, *size_hw)
    features = net.forward_features(x)
    assert features.shape == (2, net.num_features)
    assert net(x).shape == (2, 5)
    torch.testing.assert_close(net(x), net.classifier(features))


def test_refuses_what_cannot_be() -> None:
    with pytest.raises(ExperimentError, match="at least 46 x 46, got"):
        build_seed_baseline(size_hw=(48, 45))
    with pytest.raises(ExperimentError, match=r"\(48, 48\).*got \(50, 48\).*size_hw alike"):
        build_seed_baseline(size_hw=(48, 48))(torch.zeros(1, 1, 50, 48))


def test_dropout_acts_before_the_classifier() -> None:
    net = build_seed_baseline(size_hw=(48, 48), dropout=1.0).train()
    assert not net.forward_features(torch.rand(2, 1, 48, 48)).any()


def test_exports() -> None:
    net = build_seed_baseline(size_hw=(48, 48), hidden_fc=512).eval()
    round_to_half(net)
    session = onnxruntime.InferenceSession(to_onnx(net, (1, 48, 48), {}))
    for count_of_faces in (1, 3):
        x = torch.randn(count_of_faces, 1, 48, 48)
        (theirs,) = session.run(None, {"faces": x.numpy()})
        np.testing.assert_allclose(theirs, net(x).detach().numpy(), atol=1e-3)
