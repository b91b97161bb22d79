"""Training on other devices: which one is taken, with which number formats; no GPU is needed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from pyojeong.cli.options import TrainingDevice
from pyojeong.core.errors import DeviceUnavailable, ExperimentError
from pyojeong.experiments.catalogue import Planned
from pyojeong.experiments.runner import RunOptions, run_all
from pyojeong.training import devices, fitting, loop
from pyojeong.training.devices import DEVICES, choose_training_device
from pyojeong.training.lightning_module import Classify
from pyojeong.training.losses import distillation, label_loss, vote_cross_entropy
from pyojeong.training.precision import precisions_of
from pyojeong.training.recipe import LOSSES, Recipe
from pyojeong.training.run import Run
from pyojeong.training.run_identity import check_same_run
from tests.training.fake_device import move_to_fake_cuda
from tests.training.tiny import TOML, manifest


def offer(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    here = {name: (lambda name=name: name in names) for name in ("cuda", "mps", "cpu")}
    monkeypatch.setattr(devices, "AVAILABLE", here)


@pytest.mark.parametrize(
    ("there", "taken"),
    [(("cpu",), "cpu"), (("cuda", "cpu"), "cuda"), (("mps", "cpu"), "mps")],
)
def test_auto_takes_the_best_that_torch_has(
    monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], taken: str
) -> None:
    offer(monkeypatch, *there)
    assert choose_training_device("auto") == taken
    assert choose_training_device("cpu") == "cpu"


def test_an_absent_device_is_an_error_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "cpu")
    with pytest.raises(DeviceUnavailable, match=r"'cuda' is not offered by this torch .*CUDA"):
        choose_training_device("cuda")
    with pytest.raises(DeviceUnavailable, match="expected one of auto, cuda, mps, cpu"):
        choose_training_device("tpu")


def test_the_command_has_the_same_names() -> None:
    assert {each.value for each in TrainingDevice} == set(DEVICES)


@pytest.mark.parametrize(
    ("device", "native", "formats"),
    [
        ("cpu", True, {"fp32", "fp32-channels-last", "bf16", "bf16-channels-last"}),
        ("cuda", True, {"fp32", "fp32-channels-last", "bf16", "bf16-channels-last"}),
        ("cuda", False, {"fp32", "fp32-channels-last", "fp16", "fp16-channels-last"}),
        ("mps", True, {"fp32", "fp32-channels-last"}),
    ],
)
def test_number_formats_of_a_device(
    monkeypatch: pytest.MonkeyPatch, device: str, native: bool, formats: set[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: native)
    assert set(precisions_of(device)) == formats


def test_a_run_keeps_the_device_that_it_was_begun_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = manifest(tmp_path)
    run = loop.train(TOML, data, tmp_path / "runs", limit=32, device="cpu")
    assert run.environment["device"] == "cpu"
    offer(monkeypatch, "cuda", "cpu")
    assert loop.train(TOML, data, tmp_path / "runs", limit=32).done  # auto: as it was begun
    with pytest.raises(ExperimentError, match="device was cpu, is cuda"):
        loop.train(TOML, data, tmp_path / "runs", limit=32, device="cuda")


def test_a_run_is_not_resumed_where_its_device_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = manifest(tmp_path)

    class Stopped(Exception):
        """Ends the training before its first step."""

    def stop(*_: Any, **__: Any) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        offer(patch, "cuda", "cpu")
        patch.setattr(fitting, "build_trainer", stop)
        with pytest.raises(Stopped):
            loop.train(TOML, data, tmp_path / "runs", limit=32)
    run = Run(tmp_path / "runs" / "tiny")
    assert run.environment["device"] == "cuda"
    offer(monkeypatch, "cpu")
    with pytest.raises(DeviceUnavailable, match="'cuda' is not offered"):
        loop.train(TOML, data, tmp_path / "runs", limit=32)
    check_same_run(run, run.experiment, data, runs=tmp_path / "runs", limit=32)


def test_lightning_is_asked_for_the_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(fitting.L, "Trainer", lambda **given: asked.append(given))
    experiment = fitting.Experiment.from_toml(TOML)
    for device, precision in (("cpu", "fp32"), ("cuda", "fp16-channels-last"), ("mps", "fp32")):
        environment = {"device": device, "precision": precision}
        fitting.build_trainer(Run(tmp_path), experiment, environment, fitting.TrainingCallbacks())
    assert [(a["accelerator"], a["precision"], a["deterministic"]) for a in asked] == [
        ("cpu", "32-true", True),
        ("cuda", "16-mixed", "warn"),
        ("mps", "32-true", "warn"),
    ]


def test_float16_is_refused_where_it_would_become_another_format(tmp_path: Path) -> None:
    text = TOML.replace('precision = "fp32"', 'precision = "fp16"')
    with pytest.raises(ExperimentError, match="precision 'fp16' needs a CUDA device"):
        loop.train(text, manifest(tmp_path), tmp_path / "runs", limit=32, device="cpu")


def test_experiments_are_not_failed_for_an_absent_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, "cpu")
    planned = [Planned(name="tiny", experiment="tiny", seed=3, text=TOML)]
    options = RunOptions(device="cuda")
    with pytest.raises(DeviceUnavailable):
        run_all(planned, manifest(tmp_path), tmp_path / "runs", options=options)
    assert not list((tmp_path / "runs").rglob("result.json"))


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_stay_on_their_device(kind: str, weighted: bool) -> None:
    with FakeTensorMode():
        logits = torch.randn(4, 7, device="cuda")
        labels = torch.zeros(4, dtype=torch.long, device="cuda")
        weights = torch.ones(7, device="cuda") if weighted else None
        assert label_loss(logits, labels, kind=kind, weights=weights).device.type == "cuda"
        votes = torch.rand(4, 7, device="cuda")
        assert vote_cross_entropy(logits, votes).device.type == "cuda"
        assert distillation(logits, votes, temperature=2.0).device.type == "cuda"


def test_a_teacher_follows_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    class Net(nn.Module):
        num_features = 4

        def __init__(self) -> None:
            super().__init__()
            self.classifier = nn.Linear(4, 7)

        def forward_features(self, x: Tensor) -> Tensor:
            return x.flatten(1)

    task = Classify(Net(), Recipe(epochs=1, teacher="x", distil_weight=0.5), seed=0)
    task.learn_from(nn.Linear(4, 7))
    monkeypatch.setattr(Classify, "device", SimpleNamespace(type="meta"))
    moved: list[Any] = []
    monkeypatch.setattr(nn.Module, "to", lambda self, device: moved.append(device))
    task.on_fit_start()
    assert [device.type for device in moved] == ["meta"]


def test_fake_cuda_notices_a_tensor_that_stays_behind() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))
            self.shift = torch.ones(3)  # not a buffer: ``to()`` does not move it

        def forward(self, x: Tensor) -> Tensor:
            return x * self.scale + self.shift

    net = Forgetful()
    with FakeTensorMode(allow_non_fake_inputs=True):
        move_to_fake_cuda(net)
        with pytest.raises(RuntimeError, match=r"device"):
            net(torch.ones(2, 3, device="cuda"))
