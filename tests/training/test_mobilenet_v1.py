"""TensorFlow's padding, the layout of the weight file, export."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError
from pyojeong.export.onnx_graph import fold_batch_norms, round_to_half, to_onnx
from pyojeong.training.nets.mobilenet_v1 import SameConv2d, build_mobilenet_v1


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Length of the header (8 bytes, little-endian), JSON header, raw numbers."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    out = {}
    for key, entry in json.loads(data[8:start]).items():
        if key == "__metadata__":
            continue
        assert entry["dtype"] == "F32"
        first, end = entry["data_offsets"]
        values = np.frombuffer(data[start + first : start + end], "<f4").reshape(entry["shape"])
        out[key] = torch.from_numpy(values.copy())
    return out


@pytest.mark.parametrize(("in_channels", "parameters"), [(1, 3_213_575), (3, 3_214_151)])
def test_count(in_channels: int, parameters: int) -> None:
    with torch.device("meta"):
        net = build_mobilenet_v1(in_channels=in_channels)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == 27


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "before", "after"),
    [
        (8, 3, 2, 0, 1),  # even side: the odd zero goes to the bottom and the right
        (7, 3, 2, 1, 1),
        (8, 3, 1, 1, 1),
        (7, 3, 1, 1, 1),
        (8, 1, 1, 0, 0),
    ],
)
def test_same_padding(side: int, kernel: int, stride: int, before: int, after: int) -> None:
    conv = SameConv2d(2, 3, kernel, stride)
    x = torch.randn(2, 2, side, side)
    padded = torch.zeros(2, 2, side + before + after, side + before + after)
    padded[:, :, before : before + side, before : before + side] = x
    expected = F.conv2d(padded, conv.weight, conv.bias, stride)
    assert expected.shape[-1] == -(-side // stride)
    torch.testing.assert_close(conv(x), expected)


def test_padding_of_a_picture_that_is_not_square() -> None:
    conv = SameConv2d(1, 1, 3, 2, bias=False)
    x = torch.randn(1, 1, 8, 7)
    torch.testing.assert_close(conv(x), F.conv2d(F.pad(x, (1, 1, 0, 1)), conv.weight, stride=2))


@pytest.mark.parametrize("shape", [(1, 44, 44), (3, 96, 96), (1, 47, 64)])
def test_shapes_and_export(shape: tuple[int, int, int]) -> None:
    net = build_mobilenet_v1(num_classes=5, in_channels=shape[0]).train()
    net(torch.randn(4, *shape))
    net.eval()
    x = torch.randn(3, *shape)
    features = net.forward_features(x)
    assert features.shape == (3, net.num_features)
    assert net.trunk(x).shape == (3, 1024, -(-shape[1] // 32), -(-shape[2] // 32))
    torch.testing.assert_close(net(x), net.classifier(features))
    before = net(x)
    fold_batch_norms(net)
    assert not [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.testing.assert_close(net(x), before, rtol=1e-4, atol=1e-4)
    round_to_half(net)
    session = onnxruntime.InferenceSession(to_onnx(net, shape, {}))
    (theirs,) = session.run(None, {"faces": x.numpy()})
    np.testing.assert_allclose(theirs, net(x).detach().numpy(), atol=1e-3)


@pytest.mark.data
def test_the_weight_file_fits_the_trunk(shared: Path) -> None:
    state = read_safetensors(shared / "weights/vggface2_mobilenet_v1.safetensors")
    net = build_mobilenet_v1(in_channels=3).eval()
    net.trunk.load_state_dict(state, strict=True)
    gray = build_mobilenet_v1(in_channels=1).eval()
    gray.trunk.load_state_dict({**state, "stem.0.weight": state["stem.0.weight"].sum(1, True)})
    x = torch.randn(2, 1, 96, 96) * 60
    torch.testing.assert_close(
        gray.trunk(x), net.trunk(x.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-3
    )
    assert 0 < net.trunk(x.expand(-1, 3, -1, -1)).mean() < 6


@pytest.mark.parametrize("side", [3, 5, 6, 7, 12, 48])
def test_the_faster_way_to_skip_places_is_the_same_convolution(side: int) -> None:
    conv = SameConv2d(8, 8, 3, 2, groups=8, bias=False)
    x = torch.randn(2, 8, side, side)
    plain = conv.eval()(x)
    with torch.autocast("cpu", torch.bfloat16):
        fast = conv.train()(x)
    assert fast.shape == plain.shape
    torch.testing.assert_close(fast.float(), plain, atol=0.03, rtol=0.02)


def test_fixed_blocks_keep_their_weights_and_norms() -> None:
    net = build_mobilenet_v1(depth=4, fixed=2).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    step = torch.optim.SGD(net.parameters(), lr=0.1)
    net(torch.randn(4, 1, 48, 48)).square().mean().backward()
    step.step()
    moved = {k for k, v in net.state_dict().items() if not torch.equal(v, before[k])}
    fixed = ("trunk.stem", *(f"trunk.blocks.{k}." for k in range(4)))
    assert not [k for k in moved if k.startswith(fixed)]
    assert {f"trunk.blocks.{k}.0.weight" for k in range(4, 8)} <= moved


@pytest.mark.parametrize("options", [{"depth": 0}, {"depth": 14}, {"depth": 3, "fixed": 3}])
def test_depths_that_cannot_be_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ExperimentError, match="expected"):
        build_mobilenet_v1(**options)
