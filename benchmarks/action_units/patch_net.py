"""The network that sees the pixels of half a face, and what it is taught by."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from teachers import VOTES
from torch import Tensor, nn

from pyojeong.runtime.unit_patches import CHIP, HALF, halves_of

CHIP_MARGIN = 8
"""Pixels around the aligned faces that are kept, to shift them by in training."""
REGION_UNITS = {
    "brows": ("AU1", "AU2", "AU4"),
    "lids": ("AU5", "AU6", "AU7", "AU43"),
    "nose": ("AU4", "AU6", "AU9"),
    "mouth": ("AU12", "AU14", "AU15", "AU17", "AU20", "AU23", "AU24", "AU25", "AU26", "AU27"),
}
ROWS = {"brows": (0, 4), "lids": (2, 6), "nose": (3, 7), "mouth": (6, 12)}
"""Rows of the 12 x 8 feature map; each is 8 pixels, and sees 10 more on every side."""
WIDTH = 24
"""Numbers that a region is summed up in."""
EMBEDDING = WIDTH * len(ROWS)


class PatchNet(nn.Module):
    """Half a face (n, 1, 96, 64), 0 to 255 -> what each region shows (n, 4 x 24)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width, stride, kernel in ((16, 2, 3), (32, 2, 3), (48, 1, 3), (64, 2, 3), (64, 1, 1)):
            layers += [
                nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        self.trunk = nn.Sequential(*layers)
        self.narrow = nn.ModuleDict()
        self.sum_up = nn.ModuleDict()
        for name, (first, end) in ROWS.items():
            self.narrow[name] = nn.Sequential(nn.Conv2d(channels, 16, 1), nn.ReLU(inplace=True))
            self.sum_up[name] = nn.Linear(16 * (end - first) * (HALF // 8), WIDTH)
        self.drop = nn.Dropout(0.15)

    def forward(self, half: Tensor) -> Tensor:
        """(n, 1, 96, 64) -> (n, 96)."""
        mean = half.mean((2, 3), keepdim=True)
        centred = half - mean
        spread = (centred * centred).mean((2, 3), keepdim=True).sqrt() + 6.0
        maps = self.trunk(centred / spread)
        out = []
        for name, (first, end) in ROWS.items():
            region = self.narrow[name](maps[:, :, first:end]).flatten(1)
            out.append(torch.relu(self.sum_up[name](self.drop(region))))
        return torch.cat(out, 1)


class Teacher(nn.Module):
    """The network with what it is taught by: votes (n, 4, 8) and units of each region."""

    def __init__(self) -> None:
        super().__init__()
        self.net = PatchNet()
        self.votes = nn.ModuleDict({n: nn.Linear(WIDTH, len(VOTES)) for n in ROWS})
        self.units = nn.ModuleDict({n: nn.Linear(WIDTH, len(u)) for n, u in REGION_UNITS.items()})

    def forward(self, half: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(n, 1, 96, 64) -> logits of votes, and units by region."""
        parts = dict(zip(ROWS, self.net(half).split(WIDTH, 1), strict=True))
        votes = torch.stack([self.votes[n](parts[n]) for n in ROWS], 1)
        return votes, {n: self.units[n](parts[n]) for n in ROWS}


def read_teacher(file: Path) -> Teacher:
    """Return the network of a checkpoint of ``appearance.py``, ready to be used."""
    model = Teacher()
    model.load_state_dict(torch.load(file, weights_only=True)["model"])
    return model.eval()


def look_at(model: Teacher, chips: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what chips (n, 112, 112) show: (n, 2, 96), and logits of votes (n, 2, 4, 8)."""
    inside = slice(CHIP_MARGIN, CHIP_MARGIN + CHIP)
    seen, votes = [], []
    with torch.no_grad():
        for at in range(0, len(chips), 256):
            few = chips[at : at + 256, inside, inside]
            parts = model.net(torch.tensor(np.concatenate([halves_of(chip) for chip in few])))
            seen.append(parts.reshape(len(few), 2, -1).numpy())
            regions = zip(ROWS, parts.split(WIDTH, 1), strict=True)
            logits = torch.stack([model.votes[n](p) for n, p in regions], 1)
            votes.append(logits.reshape(len(few), 2, len(ROWS), -1).numpy())
    return np.concatenate(seen), np.concatenate(votes)
