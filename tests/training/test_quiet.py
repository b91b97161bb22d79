"""Trainings show no advice of Lightning's."""

import warnings

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from pyojeong.training.fitting import quiet_lightning


class Frozen(L.LightningModule):
    """A net with a frozen part that stays in eval mode, as finetuned columns have."""

    def __init__(self) -> None:
        super().__init__()
        self.fixed = torch.nn.BatchNorm1d(2).eval()
        self.learns = torch.nn.Linear(2, 1)

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        loss: torch.Tensor = self.learns(self.fixed(batch[0])).square().mean()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_a_frozen_part_gives_no_line() -> None:
    data = DataLoader(TensorDataset(torch.ones(4, 2)), batch_size=2)
    with warnings.catch_warnings(record=True) as seen, quiet_lightning():
        trainer = L.Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Frozen(), data)
    assert [str(w.message) for w in seen] == []


def test_warnings_of_other_parts_are_shown() -> None:
    with pytest.warns(UserWarning, match="a user's matter"), quiet_lightning():
        warnings.warn("a user's matter", stacklevel=1)
