"""Both depths, and the plane that carries the HOG vector."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from pyojeong.core.errors import ExperimentError
from pyojeong.export.onnx_graph import fold_batch_norms, round_to_half, to_onnx
from pyojeong.training.nets.alizadeh_fazel import build_alizadeh_fazel

HYBRID = {"hog": True, "in_channels": 2, "size_hw": (32, 32)}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def count(**options: object) -> int:
    with torch.device("meta"):
        net = build_alizadeh_fazel(**options)  # type: ignore[arg-type]
    return sum(p.numel() for p in net.parameters())


def test_counts() -> None:
    assert count() == 4_474_759
    assert count(size_hw=(150, 150)) == 13_911_943
    assert count(depth="shallow") == 18_898_503
    assert count(depth="shallow", size_hw=[150, 150]) == 184_344_135
    stated = {"deep": 4.47, "deep 150": 13.9, "shallow": 18.9}  # millions
    assert round(count() / 1e6, 2) == stated["deep"]
    assert round(count(size_hw=(150, 150)) / 1e6, 1) == stated["deep 150"]
    assert round(count(depth="shallow") / 1e6, 1) == stated["shallow"]


def test_layout_gives_the_count_a_follower_printed() -> None:
    # An unpadded last convolution leaves 2 x 2 of 512; Keras also counts the running statistics.
    unpadded = count() - (3 * 3 - 2 * 2) * 512 * 256
    statistics = 2 * (64 + 128 + 512 + 512 + 256 + 512)
    assert unpadded + statistics == 3_823_367


def test_hog_adds_its_weights() -> None:
    assert count(hog=True, in_channels=2) - count() == 900 * 256
    assert count(hog=True, in_channels=2, hog_join="fc") - count() == 900 * 7
    assert count(hog=True, in_channels=4, hog_size=72) - count(in_channels=3) == 72 * 256


@pytest.mark.parametrize(
    "options",
    [
        {"size_hw": [48, 48]},
        {"depth": "shallow", "size_hw": (16, 20)},
        {**HYBRID, "in_channels": 4},
        {**HYBRID, "hog_join": "fc"},
        {**HYBRID, "hog_join": "fc", "depth": "shallow"},
    ],
    ids=str,
)
def test_shapes_and_export(options: dict) -> None:
    net = build_alizadeh_fazel(num_classes=5, **options).train()
    channels = options.get("in_channels", 1)
    shape = (channels, *options["size_hw"])
    net(torch.randn(4, *shape))  # so that the running statistics are not the ones from the start
    net.eval()
    x = torch.randn(3, *shape)
    features = net.forward_features(x)
    assert features.shape == (3, net.num_features)
    torch.testing.assert_close(net(x), net.classifier(features))
    before = net(x)
    fold_batch_norms(net)
    assert not [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.testing.assert_close(net(x), before, rtol=1e-4, atol=1e-4)
    round_to_half(net)
    session = onnxruntime.InferenceSession(to_onnx(net, shape, {}))
    (theirs,) = session.run(None, {"faces": x.numpy()})
    np.testing.assert_allclose(theirs, net(x).detach().numpy(), atol=1e-3)


@pytest.mark.parametrize("join", ["conv", "fc"])
def test_the_plane_is_read_row_by_row_and_not_convolved(join: str) -> None:
    net = build_alizadeh_fazel(**HYBRID, hog_join=join, hog_size=40).eval()
    seen: list[torch.Tensor] = []
    net.blocks.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    x = torch.randn(2, 2, 32, 32)
    y = net(x)
    torch.testing.assert_close(seen[0], x[:, :1])
    unused = x.clone()
    unused[:, 1, 1, 8:] = 9  # 40 values: the first row and eight of the second
    unused[:, 1, 2:] = 9
    torch.testing.assert_close(net(unused), y)
    used = x.clone()
    used[:, 1, 1, 7] += 1
    assert not torch.allclose(net(used), y)
    if join == "fc":
        torch.testing.assert_close(net.forward_features(x)[:, -40:], x[:, 1].flatten(1)[:, :40])


def test_dropouts_are_where_they_are_said_to_be() -> None:
    rates = [m.p for m in build_alizadeh_fazel().modules() if isinstance(m, nn.Dropout)]
    assert rates == [0.2] * 4 + [0.5] * 2
    net = build_alizadeh_fazel(depth="shallow", size_hw=(8, 8), dropout=0.1, fc_dropout=0.3)
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.1] * 2 + [0.3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": "medium"}, "'deep', 'shallow'.*got 'medium'"),
        ({"size_hw": (15, 48)}, "at least 16 x 16"),
        ({"hog": True, "in_channels": 2, "hog_join": "end"}, "'conv', 'fc'.*got 'end'"),
        ({"hog": True}, "in_channels of at least 2"),
        ({"hog": True, "in_channels": 2, "size_hw": (24, 24)}, r"hog_size in 1\.\.576"),
    ],
)
def test_refuses_what_cannot_be(options: dict, message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        build_alizadeh_fazel(**options)


def test_refuses_another_picture_size() -> None:
    with pytest.raises(ExperimentError, match=r"\(16, 16\).*got \(18, 16\).*size_hw alike"):
        build_alizadeh_fazel(size_hw=(16, 16))(torch.zeros(2, 1, 18, 16))
