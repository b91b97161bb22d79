"""Packed runs: small, and the same net."""

import shutil
from pathlib import Path

import pytest
import torch

from pyojeong.core.errors import ExperimentError
from pyojeong.distillation.teacher import teach
from pyojeong.training.loop import train
from pyojeong.training.run import Run, load_picked, pack
from tests.training.tiny import TOML, manifest


def test_a_packed_run_is_small_and_answers_and_teaches_like_the_run(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = manifest(tmp_path)
    run = train(TOML, data, tmp_path / "runs")
    packed = Run(pack(run, tmp_path / "packed"))
    size = sum(f.stat().st_size for f in packed.folder.iterdir())
    assert size < run.picked.stat().st_size / 4
    assert packed.done
    assert packed.experiment == run.experiment
    x = torch.randn(4, 1, 24, 24)
    with torch.inference_mode():
        ours, theirs = (load_picked(r, num_classes=7).scored(x)[0] for r in (packed, run))
    assert torch.allclose(ours, theirs, atol=0.02)
    augment = run.experiment.augment
    answers = [teach([r], data, augment, views=1) for r in (packed, run)]
    apart = answers[0].log_probabilities.astype(int) - answers[1].log_probabilities
    assert abs(apart).max() <= 1  # one step of the bytes
    shutil.rmtree(run.folder / "checkpoints")
    with pytest.raises(ExperimentError, match="no checkpoint"):
        load_picked(run, num_classes=7)


def test_an_unfinished_run_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(ExperimentError, match="only finished runs"):
        pack(Run(tmp_path / "run"), tmp_path / "packed")
