"""Training in several processes: shares of batches, and the same end after one was killed."""

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from pyojeong.core.errors import ExperimentError
from pyojeong.training import processes
from pyojeong.training.data.augment import Augment
from pyojeong.training.data.datamodule import FaceData
from pyojeong.training.fitting import TrainingCallbacks
from pyojeong.training.loop import train
from pyojeong.training.run import Run, read_curves
from pyojeong.training.world import World, world
from tests.training.test_datamodule import PRE
from tests.training.tiny import TOML, manifest


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [5, 16, 17])
def test_shares_are_all_of_it(size: int, count: int) -> None:
    found = [i for rank in range(size) for i in range(count)[World(rank, size, size).share(count)]]
    assert found == list(range(count))


def be(monkeypatch: pytest.MonkeyPatch, rank: int, size: int) -> None:
    for name, value in (("RANK", rank), ("WORLD_SIZE", size)):
        monkeypatch.setenv(name, str(value))


def test_one_process_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert world() == World()
    monkeypatch.setenv("WORLD_SIZE", "many")
    assert world() == World()


def test_batches_of_all_processes_are_those_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels too: augmentation belongs to the picture's place in the epoch."""
    data = FaceData(manifest(tmp_path), PRE, Augment(rotate_deg=9.0), batch_size=8, seed=0)
    for loader in (data.train_dataloader, data.val_dataloader):
        whole = [batch.inputs for batch in loader()]
        parts = []
        for rank in (0, 1):
            with monkeypatch.context() as patch:
                be(patch, rank, 2)
                parts.append([batch.inputs for batch in loader()])
        if loader == data.train_dataloader:
            joined = [torch.cat(pair) for pair in zip(*parts, strict=True)]
            assert all(map(torch.equal, joined, whole))
        else:
            assert torch.equal(torch.cat(parts[0] + parts[1]), torch.cat(whole))


def test_what_could_not_be_divided_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ExperimentError, match="torchrun has started 2 processes; leave it out"):
        train(TOML, manifest(tmp_path), tmp_path / "runs", devices=3)


@pytest.mark.slow
def test_a_killed_process_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a run that was begun with two processes finished by one."""
    data = manifest(tmp_path)
    text = TOML.replace("epochs = 6", "epochs = 3")
    whole = train(text, data, tmp_path / "whole", device="cpu", devices=2)
    started: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def start(*given: Any, **named: Any) -> Any:
        started.append(popen(*given, **named))
        return started[-1]

    def kill(line: dict[str, Any]) -> None:
        if line["epoch"] == 1:
            started[1].kill()

    with monkeypatch.context() as patch:
        patch.setattr(processes.subprocess, "Popen", start)
        with pytest.raises(ExperimentError, match=r"process 2 of 2 was killed \(signal 9\)"):
            train(
                text,
                data,
                tmp_path / "runs",
                device="cpu",
                devices=2,
                watch=TrainingCallbacks(epoch=kill),
            )
    assert all(process.poll() is not None for process in started)
    assert not (tmp_path / "runs" / "tiny" / processes.JOB).exists()
    with pytest.raises(ExperimentError, match="devices was 2, is 1"):
        train(text, data, tmp_path / "runs", device="cpu", devices=1)
    run = train(text, data, tmp_path / "runs", device="cpu")
    assert run.environment["devices"] == 2
    rows = [read_curves(each.folder / "curves.jsonl") for each in (run, whole)]
    kept = [[{k: v for k, v in r.items() if "seconds" not in k} for r in each] for each in rows]
    assert kept[0] == kept[1]
    weights = [Run(each.folder).last for each in (run, whole)]
    states = [torch.load(file, weights_only=True)["state_dict"] for file in weights]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_an_error_in_a_process_is_raised_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended:
        """A process that has said what is wrong, and ended."""

        def __init__(self) -> None:
            self.stdout = io.StringIO('a library\n{"kind": "Diverged", "error": "lower lr"}\n')
            self.stdin = None

        def poll(self) -> int:
            return 1

        def wait(self, _timeout: float | None = None) -> int:
            return 1

    monkeypatch.setattr(processes.subprocess, "Popen", lambda *_, **__: Ended())
    (tmp_path / "run").mkdir()
    with pytest.raises(processes.Diverged, match="lower lr"):
        processes.fit_in_processes(Run(tmp_path / "run"), {}, 2, TrainingCallbacks())
