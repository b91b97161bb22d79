"""Training: resumable after a kill at any moment, chosen on VALID alone, reproducible."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from pyojeong.core.errors import ExperimentError
from pyojeong.datasets.samples import Split
from pyojeong.training.experiment import Experiment
from pyojeong.training.loop import TrainingCallbacks, train
from pyojeong.training.run import Run, load_best, read_curves
from tests.training.tiny import TOML, manifest

SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from pyojeong.training.loop import train
train(Path(sys.argv[1]).read_text(), Path(sys.argv[2]), Path(sys.argv[3]))
"""


def weights(run: Run) -> dict[str, torch.Tensor]:
    return torch.load(run.last, weights_only=False)["state_dict"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One uninterrupted run, shared by the tests of this file."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole")
    return train(TOML, manifest(folder), folder / "runs")


def start(folder: Path, toml: Path, data: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, toml, data, folder / "runs"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        list(map(str, command)),
        stdout=quiet,
        stderr=quiet,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_killed_training_resumes_to_the_same_result(tmp_path: Path, finished: Run) -> None:
    toml = tmp_path / "tiny.toml"
    toml.write_text(TOML)
    data = manifest(tmp_path)
    curves = tmp_path / "runs" / "tiny" / "curves.jsonl"
    for epochs in (1, 3, 4):  # killed in the middle of epochs 2, 4 and 5
        process = start(tmp_path, toml, data)
        deadline = time.monotonic() + 120
        while len(read_curves(curves)) < epochs and time.monotonic() < deadline:
            assert process.poll() is None, "the training ended by itself before it was killed"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not Run(curves.parent).done
    assert start(tmp_path, toml, data).wait(timeout=300) == 0
    run = Run(curves.parent)
    assert run.done
    ours, whole = weights(run), weights(finished)
    assert ours.keys() == whole.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(ours[name], tensor, rtol=0, atol=0, msg=name)
    strip = [{k: v for k, v in row.items() if "seconds" not in k} for row in read_curves(curves)]
    expected = read_curves(finished.folder / "curves.jsonl")
    assert strip == [{k: v for k, v in row.items() if "seconds" not in k} for row in expected]


def test_last_checkpoint_is_the_last_epoch_even_when_accuracy_fell(finished: Run) -> None:
    state = torch.load(finished.last, weights_only=False)
    assert state["epoch"] == 5
    rows = read_curves(finished.folder / "curves.jsonl")
    best = torch.load(finished.best, weights_only=False)["epoch"]
    top = max(row["valid_accuracy"] for row in rows)
    assert rows[best]["valid_accuracy"] == top


def test_test_split_cannot_influence_a_training(tmp_path: Path, finished: Run) -> None:
    run = train(TOML, manifest(tmp_path, poison=Split.TEST), tmp_path / "runs")
    for name, tensor in weights(finished).items():
        torch.testing.assert_close(weights(run)[name], tensor, rtol=0, atol=0, msg=name)
    assert (run.folder / "curves.jsonl").read_text() != ""
    assert [r["valid_accuracy"] for r in read_curves(run.folder / "curves.jsonl")] == [
        r["valid_accuracy"] for r in read_curves(finished.folder / "curves.jsonl")
    ]


def test_validation_labels_do_influence_the_choice(tmp_path: Path, finished: Run) -> None:
    """The oracle of the test above: poisoning VALID must show."""
    run = train(TOML, manifest(tmp_path, poison=Split.VALID), tmp_path / "runs")
    ours = [r["valid_accuracy"] for r in read_curves(run.folder / "curves.jsonl")]
    theirs = [r["valid_accuracy"] for r in read_curves(finished.folder / "curves.jsonl")]
    assert ours != theirs


def test_it_learns(tmp_path: Path) -> None:
    """The class is the brightness, so without changes of tone it can be learnt almost fully."""
    text = TOML.replace("epochs = 6", "epochs = 16").replace("tone_p = 0.5", "tone_p = 0.0")
    run = train(text.replace("lr = 3e-3", "lr = 1e-2"), manifest(tmp_path), tmp_path / "runs")
    rows = read_curves(run.folder / "curves.jsonl")
    assert max(row["valid_accuracy"] for row in rows) > 0.9  # chance is 0.14


def test_finished_run_is_not_trained_again(finished: Run) -> None:
    before = finished.last.stat().st_mtime_ns
    again = train(TOML, finished.folder.parent.parent / "tiny.parquet", finished.folder.parent)
    assert again.done
    assert again.last.stat().st_mtime_ns == before


def test_another_experiment_of_the_same_name_is_refused(finished: Run) -> None:
    data = finished.folder.parent.parent / "tiny.parquet"
    with pytest.raises(ExperimentError, match="another run of that name"):
        train(TOML.replace("lr = 3e-3", "lr = 1e-3"), data, finished.folder.parent)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "se_resnet"', 'name = "se_resnot"', "unknown net 'se_resnot'"),
        ("epochs = 6", "epoch = 6", "did you mean 'epochs'"),
        ("std = [0.25]", "std = [0.25, 0.25]", "1 means"),
        ('precision = "fp32"', 'precision = "fp8"', "unknown precision 'fp8'"),
        ("[recipe]", "[recipes]", "did you mean 'recipe'"),
        ("seed = 3", "seed = ", "not valid TOML"),
        ("lr = 3e-3", "optimizer = 'adamwx'", "did you mean 'adamw'"),
        ("lr = 3e-3", "loss = 'hinge'", "set smoothing = 0"),
        ("lr = 3e-3", "frozen_epochs = 7", "exceeds epochs"),
        ("lr = 3e-3", "validate_every = 4", "multiple of validate_every"),
        ("lr = 3e-3", "lr = 0", "expected 1e-12 to 1000"),
        ("lr = 3e-3", "nesterov = 1", "expected true or false"),
        ("epochs = 6", "epochs = 6.5", "expected a whole number"),
        ("lr = 3e-3", "grow_from_px = 24", "square faces of more than 24"),
    ],
)
def test_wrong_experiments_are_refused_with_the_reason(old: str, new: str, message: str) -> None:
    with pytest.raises(Exception, match=message):
        Experiment.from_toml(TOML.replace(old, new))


def test_unfinished_run_has_no_best(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError):
        load_best(Run(tmp_path), num_classes=7)


def test_a_start_hands_its_averaged_weights_over(tmp_path: Path, finished: Run) -> None:
    data = finished.folder.parent.parent / "tiny.parquet"
    text = TOML.replace('name = "tiny"', 'name = "second"\nstart = "tiny"').replace(
        "epochs = 6", "epochs = 1"
    )
    still = text.replace("lr = 3e-3", "lr = 1e-12").replace("dropout = 0.2", "dropout = 0.0")
    run = train(still, data, finished.folder.parent)
    given = load_best(finished, num_classes=7).scored
    kept = load_best(run, num_classes=7).scored
    for (name, a), b in zip(given.named_parameters(), kept.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6, msg=name)
    with pytest.raises(ExperimentError, match=r"start = 'none': .* is not a finished run"):
        train(text.replace('start = "tiny"', 'start = "none"'), data, tmp_path)


def test_a_net_of_one_size_does_not_grow() -> None:
    text = TOML.replace("lr = 3e-3", "grow_from_px = 16")
    assert Experiment.from_toml(text).recipe.shown_px(0, 24) == 16
    begin, end = text.index("[net]"), text.index("[preprocess]")
    with pytest.raises(ExperimentError, match="seed_baseline is made for one input size"):
        Experiment.from_toml(text[:begin] + '[net]\nname = "seed_baseline"\n' + text[end:])


def test_a_growing_training_resumes_to_the_same_result(tmp_path: Path) -> None:
    text = TOML.replace("lr = 3e-3", "grow_from_px = 8")
    data = manifest(tmp_path)
    whole = train(text, data, tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop(line: dict[str, object]) -> None:
        if line["epoch"] == 2:
            raise Stop

    with contextlib.suppress(Stop):
        train(text, data, tmp_path / "cut", watch=TrainingCallbacks(epoch=stop))
    cut = train(text, data, tmp_path / "cut")
    theirs, ours = weights(whole), weights(cut)
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
