"""Nets made of others: columns give the mean of answers, soups the mean of weights."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pyojeong.core.errors import ExperimentError
from pyojeong.datasets.samples import Split, manifest_labels, read_manifest
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import load_faces
from pyojeong.training.experiment import Experiment
from pyojeong.training.loop import train
from pyojeong.training.nets.registry import build_net
from pyojeong.training.packing import pack
from pyojeong.training.run import Run, load_last, load_picked
from tests.training.tiny import TOML, manifest

SMALL = {"name": "se_resnet", "stem": 4, "widths": [8, 12, 16, 16], "depths": [1, 1, 1, 1]}
NARROW = {"name": "vgg", "widths": [4, 8, 8], "convolutions": 1}


def text(name: str, net: str, **recipe: object) -> str:
    head, rest = TOML.split("[net]", 1)
    tail = rest[rest.index("[preprocess]") :]
    lines = "".join(f"{k} = {v}\n" for k, v in recipe.items())
    return head.replace('"tiny"', f'"{name}"') + net + "\n" + tail + lines


VGG = '[net]\nname = "vgg"\nwidths = [4, 8, 8]\nconvolutions = 1\n'
COLUMNS = """[net]
name = "columns"
[[net.columns]]
name = "se_resnet"
stem = 4
widths = [8, 12, 16, 16]
depths = [1, 1, 1, 1]
[[net.columns]]
name = "vgg"
widths = [4, 8, 8]
convolutions = 1
"""


def small_and_narrow() -> list[torch.nn.Module]:
    torch.manual_seed(0)
    return [
        build_net(str(o["name"]), **{k: v for k, v in o.items() if k != "name"}).eval()
        for o in (SMALL, NARROW)
    ]


def test_joined_nets_give_the_mean_of_their_logits() -> None:
    nets = small_and_narrow()
    joined = build_net("columns", columns=[SMALL, NARROW]).eval()
    joined.adopt(nets)  # type: ignore[operator]
    x = torch.randn(3, 1, 44, 44)
    with torch.no_grad():
        wanted = (nets[0](x) + nets[1](x)) / 2
        torch.testing.assert_close(joined(x), wanted)


def test_each_column_sees_the_input_through_its_lens() -> None:
    nets = small_and_narrow()
    lenses = [{"window": 44}, {"enlarge": 2, "scale": 3.0, "shift": -1.5}]
    columns = [{**net, **lens} for net, lens in zip((SMALL, NARROW), lenses, strict=True)]
    joined = build_net("columns", columns=columns).eval()
    joined.adopt(nets)  # type: ignore[operator]
    x = torch.randn(3, 1, 48, 48)
    large = torch.from_numpy(
        np.stack([cv2.resize(plane[0], (96, 96)) for plane in x.numpy()])[:, None]
    )
    with torch.no_grad():
        wanted = (nets[0](x[:, :, 2:46, 2:46]) + nets[1](large * 3 - 1.5)) / 2
        torch.testing.assert_close(joined(x), wanted, rtol=1e-4, atol=1e-4)
        with pytest.raises(ExperimentError, match="window of 44 pixels does not fit into 40 x 48"):
            joined(x[:, :, :40])
    with pytest.raises(ExperimentError, match="enlarge and shrink of 1 or more"):
        build_net("columns", columns=[{**SMALL, "enlarge": 0}])


def test_a_lens_can_shrink_to_the_size_a_column_was_made_for() -> None:
    torch.manual_seed(0)
    alone = build_net("vgg", widths=[4, 8, 8], convolutions=1).eval()
    joined = build_net("columns", columns=[{**NARROW, "window": 88, "shrink": 2}]).eval()
    joined.adopt([alone])  # type: ignore[operator]
    x = torch.randn(2, 1, 96, 96)
    small = x[:, :, 4:92, 4:92].reshape(2, 1, 44, 2, 44, 2).mean((3, 5))
    with torch.no_grad():
        torch.testing.assert_close(joined(x), alone(small), rtol=1e-4, atol=1e-4)


def test_a_shallower_column_starts_with_its_members_blocks_and_a_silent_head() -> None:
    torch.manual_seed(0)
    deep = build_net("mobilenet_v1_face", depth=4).eval()
    other = build_net("vgg", widths=[4, 8, 8], convolutions=1).eval()
    shallow = {"name": "mobilenet_v1_face", "depth": 3}
    joined = build_net("columns", columns=[shallow, NARROW]).eval()
    joined.adopt([deep, other])  # type: ignore[operator]
    x = torch.randn(2, 1, 48, 48)
    with torch.no_grad():
        wanted = (deep.classifier.bias + other(x)) / 2
        torch.testing.assert_close(joined(x), wanted, rtol=1e-4, atol=1e-4)
    for name, value in joined.columns[0].trunk.state_dict().items():
        torch.testing.assert_close(value, deep.trunk.state_dict()[name])


def test_a_column_answers_alone_as_it_did_within() -> None:
    nets = small_and_narrow()
    joined = build_net("columns", columns=[SMALL, NARROW]).eval()
    joined.adopt(nets)  # type: ignore[operator]
    x = torch.randn(3, 1, 44, 44)
    with torch.no_grad():
        alone = [joined.column(k)(x) for k in range(2)]  # type: ignore[operator]
        torch.testing.assert_close((alone[0] + alone[1]) / 2, joined(x), rtol=1e-4, atol=1e-4)


def test_other_nets_are_refused() -> None:
    joined = build_net("columns", columns=[SMALL, NARROW])
    nets = [build_net("vgg"), build_net("vgg")]
    with pytest.raises(ExperimentError, match="expected 2 members, got 1"):
        joined.adopt(nets[:1])  # type: ignore[operator]
    with pytest.raises(ExperimentError, match="another net than its column"):
        joined.adopt(nets)  # type: ignore[operator]
    with pytest.raises(ExperimentError, match="at least one"):
        build_net("columns", columns=[])
    with pytest.raises(ExperimentError, match="needs the name"):
        build_net("columns", columns=[{"widths": [8, 8]}])


def test_trained_columns_go_on_together_with_both_heads(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = manifest(tmp_path)
    runs = tmp_path / "runs"
    first = train(TOML, data, runs)
    second = train(text("narrow", VGG), data, runs)
    both = 'members = ["tiny", "narrow"]\n' + text("both", COLUMNS)
    still = both.replace("epochs = 6", "epochs = 1").replace("lr = 3e-3", "lr = 1e-12")
    still = still.replace("ema = 0.9", "ema = 1.0")  # the averaged weights stay as they were
    joined = train(still, data, runs)
    labels = manifest_labels(data)
    faces = load_faces(read_manifest(data, splits=[Split.VALID]), labels, gray=True)
    pre = Experiment.from_toml(still).preprocess
    x = FaceDataset(faces, pre).__getitems__(list(range(len(faces)))).inputs
    packed = Run(pack(joined, tmp_path / "packed"))

    def answers(run: Run) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            logits, votes = load_picked(run, num_classes=7).scored(x)
        return logits, votes

    for got, a, b in zip(answers(joined), answers(first), answers(second), strict=True):
        wanted = (a + b) / 2  # but for one step of the norms' statistics
        assert (got - wanted).abs().mean() < 0.1 * wanted.std()
        assert (got - a).abs().mean() > 0.2 * wanted.std()
    for got, again in zip(answers(joined), answers(packed), strict=True):
        torch.testing.assert_close(got, again, rtol=1e-2, atol=2e-2)
    alone = still.replace('members = ["tiny", "narrow"]', 'start = "both"')
    onward = train(alone.replace('name = "both"', 'name = "onward"'), data, runs)
    for got, before in zip(answers(onward), answers(joined), strict=True):
        assert (got - before).abs().mean() < 0.1 * before.std()


def test_a_column_of_a_finished_run_can_be_a_member(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = manifest(tmp_path)
    runs = tmp_path / "runs"
    train(TOML, data, runs)
    train(text("narrow", VGG), data, runs)
    train('members = ["tiny", "narrow"]\n' + text("both", COLUMNS), data, runs)
    again = 'members = ["both#1", "both#2"]\n' + text("again", COLUMNS)
    still = again.replace("lr = 3e-3", "lr = 1e-12").replace("ema = 0.9", "ema = 1.0")
    run = train(still.replace("epochs = 6", "epochs = 1"), data, runs)
    x = torch.randn(4, 1, 24, 24)
    with torch.no_grad():
        before, after = (load_picked(r, num_classes=7).scored(x) for r in (Run(runs / "both"), run))
    for a, b in zip(before, after, strict=True):
        assert (a - b).abs().mean() < 0.2 * a.std()  # one step changes the norms a little
    states = [load_picked(r, num_classes=7).scored.state_dict() for r in (Run(runs / "both"), run)]
    for key, value in states[0].items():
        if key.endswith("weight"):  # the columns and both heads come back as they were
            torch.testing.assert_close(states[1][key], value, rtol=1e-4, atol=1e-5, msg=key)
    for number, wrong in enumerate(("both#3", "both#x", "tiny#1")):
        bad = still.replace("both#2", wrong).replace('"again"', f'"bad{number}"')
        with pytest.raises(ExperimentError, match="names a column"):
            train(bad, data, runs)


def test_columns_of_one_shape_are_averaged_and_runs_start_from_the_picked_epoch(
    tmp_path: Path,
) -> None:
    torch.set_num_threads(1)
    data = manifest(tmp_path)
    runs = tmp_path / "runs"
    train(TOML, data, runs)
    train(text("narrow", VGG), data, runs)
    both = 'members = ["tiny", "narrow"]\n' + text("both", COLUMNS, pick='"last"')
    first = train(both, data, runs)
    onward = text("onward", COLUMNS, pick='"last"').replace("seed = 3", "seed = 4")
    second = train('start = "both"\n' + onward, data, runs)
    soup = 'members = ["both", "onward"]\n' + text("soup", COLUMNS, pick='"last"')
    still = soup.replace("epochs = 6", "epochs = 1").replace("lr = 3e-3", "lr = 1e-12")
    run = train(still.replace("ema = 0.9", "ema = 1.0"), data, runs)
    states = [load_last(r, num_classes=7).scored.state_dict() for r in (first, second, run)]
    for key, value in states[2].items():
        if key.endswith("weight"):
            mean = (states[0][key] + states[1][key]) / 2
            torch.testing.assert_close(value, mean, rtol=1e-4, atol=1e-5)
    again = 'start = "both"\n' + text("again", COLUMNS, pick='"last"')
    again = again.replace("epochs = 6", "epochs = 1").replace("lr = 3e-3", "lr = 1e-12")
    same = train(again.replace("ema = 0.9", "ema = 1.0"), data, runs)
    begun = load_last(same, num_classes=7).scored.state_dict()
    for key, value in states[0].items():
        if key.endswith("weight"):
            torch.testing.assert_close(begun[key], value, rtol=1e-4, atol=1e-5)


def test_a_soup_starts_from_the_mean_of_its_members_weights(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = manifest(tmp_path)
    runs = tmp_path / "runs"
    members = [train(TOML, data, runs)]
    for name, seed in (("left", 5), ("right", 6)):
        text_of = TOML.replace('"tiny"', f'"{name}"').replace("seed = 3", f"seed = {seed}")
        short = text_of.replace("epochs = 6", "epochs = 2")
        members.append(train('start = "tiny"\n' + short, data, runs))
    soup = 'members = ["left", "right"]\n' + TOML.replace('"tiny"', '"soup"')
    soup = soup.replace("epochs = 6", "epochs = 1").replace("lr = 3e-3", "lr = 1e-12")
    made = load_last(train(soup, data, runs), num_classes=7).scored.state_dict()
    states = [load_last(run, num_classes=7).scored.state_dict() for run in members[1:]]
    for key in ("net.classifier.weight", "vote_head.weight", "net.stem.0.0.weight"):
        wanted = (states[0][key] + states[1][key]) / 2
        torch.testing.assert_close(made[key], wanted, rtol=1e-4, atol=1e-6)
        assert not torch.allclose(states[0][key], states[1][key])
    other = soup.replace('"soup"', '"odd"').replace("stem = 4", "stem = 6")
    with pytest.raises(ExperimentError, match="could not be averaged"):
        train(other, data, runs)
