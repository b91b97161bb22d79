"""Recipes that fit the data's size, and averaged weights that leave their start behind."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pyojeong.core.errors import DataError
from pyojeong.datasets.samples import Split
from pyojeong.training.data_size import MIN_STEPS, SMALLEST_BATCH, fit_to_size, require_classes
from pyojeong.training.lightning_module import Classify
from pyojeong.training.recipe import Recipe
from tests.curate.made import noise, sample, write
from tests.training.tiny import TOML

RECIPE = Recipe(epochs=45, batch_size=128, lr=2e-3)


@pytest.mark.parametrize("samples", [9, 60, 300, 700, 1_200, 2_700])
def test_small_data_get_enough_steps(samples: int) -> None:
    fitted = fit_to_size(RECIPE, samples, min_steps=MIN_STEPS)
    steps = max(samples // fitted.batch_size, 1)
    assert MIN_STEPS <= fitted.epochs * steps < MIN_STEPS + steps + RECIPE.epochs * steps
    assert fitted.batch_size == RECIPE.batch_size or fitted.batch_size <= max(
        samples // 16, SMALLEST_BATCH
    )
    assert fitted.lr == pytest.approx(RECIPE.lr * math.sqrt(fitted.batch_size / 128))


def test_a_recipe_with_enough_steps_stays_as_it_is() -> None:
    assert fit_to_size(RECIPE, 28_709, min_steps=MIN_STEPS) is RECIPE
    assert fit_to_size(RECIPE, 300, min_steps=0) is RECIPE


def test_phases_and_validations_grow_along() -> None:
    recipe = Recipe(
        epochs=10, batch_size=64, lr=0.1, optimizer="sgd", frozen_epochs=2, validate_every=5
    )
    fitted = fit_to_size(recipe, 300, min_steps=1000)
    assert fitted.epochs % 5 == 0
    assert fitted.frozen_epochs == round(fitted.epochs / 5)
    assert fitted.lr == pytest.approx(0.1 * fitted.batch_size / 64)  # in proportion with SGD


def test_averaged_weights_leave_their_start_behind() -> None:
    from pyojeong.training.experiment import Experiment

    text = TOML.replace("ema = 0.9", "ema = 0.999")
    task: Classify = Experiment.from_toml(text).build_task(num_classes=7)
    assert task.averaged is not None
    for parameter in task.model.parameters():
        nn.init.zeros_(parameter)
    task.on_train_batch_end()
    for parameter in task.model.parameters():
        nn.init.ones_(parameter)
    for _ in range(270):
        task.on_train_batch_end()
    values = torch.cat([p.detach().flatten() for p in task.averaged.module.parameters()])
    # Without a warm-up 0.999^270 = 76 % of the start would be left.
    assert float(values.min()) > 0.99
    assert float(values.max()) <= 1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (
            [("happy", Split.TRAIN)] * 3 + [("sad", Split.VALID)],
            "all 3 training images are 'happy'",
        ),
        ([("happy", Split.TRAIN), ("sad", Split.TRAIN)], "2 training and 0 validation images"),
        ([("happy", Split.VALID), ("sad", Split.TEST)], "0 training and 1 validation images"),
    ],
)
def test_data_from_which_nothing_can_be_learned_are_refused(
    tmp_path: Path, labels: list[tuple[str, Split]], expected: str
) -> None:
    rows = [sample(noise(i), label, split) for i, (label, split) in enumerate(labels)]
    with pytest.raises(DataError, match=expected):
        require_classes(write(tmp_path / "set.parquet", rows))


def test_two_classes_are_enough(tmp_path: Path) -> None:
    rows = [sample(np.full((48, 48), i, np.uint8), n) for i, n in enumerate(("happy", "sad"))]
    rows.append(sample(noise(1), "sad", Split.VALID))
    require_classes(write(tmp_path / "set.parquet", rows))
