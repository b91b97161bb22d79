"""Teach the network that sees the pixels of each half of a face, for ``fit.py``.

    cd benchmarks/action_units
    python appearance.py --rendered features/rendered.npz --truth rendered \
        --photographs features/photographs.npz --fer2013 features/fer2013.npz \
        --photograph-votes ../../../shared/data/photographs/labels.csv \
        --manifest ../../runs/fer2013.parquet --out features/appearance.pt

Four regions of a half (brows, lids, nose, mouth) are seen apart: no unit of the forehead learns
from a mouth. Each region learns two things at once:

- on rendered heads, the units that move it, whose strengths are known;
- on real faces, how people voted on the whole face's expression, as far as this region shows it.

A checkpoint is written after each epoch; a run that was stopped goes on from there.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fit import FIRST_TEST, UNITS, fer_votes, photograph_votes, read_truth, rendered_targets
from numpy.typing import NDArray
from patch_net import CHIP_MARGIN, REGION_UNITS, Teacher
from torch import Tensor, nn
from torch.nn import functional

from pyojeong.runtime.unit_patches import CHIP, HALF


@dataclass(frozen=True)
class Chips:
    """Aligned faces uint8 (n, 112, 112), with votes (n, 8) or units (n, 2 sides, 18)."""

    pixels: NDArray[np.uint8]
    wanted: NDArray[np.float32]

    def batch(self, at: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return random halves, disturbed, and what is wanted of them."""
        side = rng.integers(0, 2, len(at))
        pixels = torch.tensor(self.pixels[at], dtype=torch.float32)[:, None]
        halves = disturbed(sampled(pixels, torch.tensor(side, dtype=torch.float32), rng), rng)
        wanted = self.wanted[at]
        if wanted.ndim == 3:
            wanted = wanted[np.arange(len(at)), side]
        return halves, torch.tensor(wanted)


def sampled(chips: Tensor, side: Tensor, rng: np.random.Generator, jitter: float = 1.0) -> Tensor:
    """Return halves (n, 1, 96, 64) of chips, a little shifted, scaled and turned."""
    n = len(chips)
    draw = torch.tensor(rng.normal(0, 1, (4, n)).clip(-2, 2) * jitter, dtype=torch.float32)
    scale, turn = 1 + 0.035 * draw[0], 0.04 * draw[1]
    rows, columns = torch.meshgrid(
        torch.arange(CHIP) + 0.5, torch.arange(HALF) + 0.5, indexing="ij"
    )
    x, y = columns - CHIP / 2, rows - CHIP / 2
    flip = torch.where(side > 0, -1.0, 1.0)[:, None, None]
    x = x * flip
    cos, sin = (f(turn)[:, None, None] * scale[:, None, None] for f in (torch.cos, torch.sin))
    placed_x = cos * x - sin * y + 1.3 * draw[2][:, None, None]
    placed_y = sin * x + cos * y + 1.3 * draw[3][:, None, None]
    full = CHIP + 2 * CHIP_MARGIN
    grid = torch.stack([placed_x, placed_y], -1) * 2 / full
    return functional.grid_sample(chips, grid, align_corners=False, padding_mode="border")


def disturbed(halves: Tensor, rng: np.random.Generator) -> Tensor:
    """Return halves with another light, blur, noise, and a covered spot."""
    n = len(halves)
    if rng.random() < 0.5:
        size = float(rng.uniform(0.4, 0.9))
        small = functional.interpolate(halves, scale_factor=size, mode="area")
        halves = functional.interpolate(
            small, size=(CHIP, HALF), mode="bilinear", align_corners=False
        )
    gain = torch.tensor(rng.uniform(-0.35, 0.35, (n, 1, 1, 1)), dtype=torch.float32).exp()
    bent = torch.tensor(rng.uniform(-0.4, 0.4, (n, 1, 1, 1)), dtype=torch.float32).exp()
    halves = 255 * (halves.clamp(0, 255) / 255) ** bent * gain
    slope = torch.tensor(rng.normal(0, 25, (2, n, 1, 1, 1)), dtype=torch.float32)
    rows = torch.linspace(-1, 1, CHIP).reshape(1, 1, CHIP, 1)
    columns = torch.linspace(-1, 1, HALF).reshape(1, 1, 1, HALF)
    halves = halves + slope[0] * rows + slope[1] * columns
    halves = halves + torch.randn_like(halves) * float(rng.uniform(0, 5))
    for i in np.flatnonzero(rng.random(n) < 0.15):
        y, x = int(rng.integers(0, CHIP - 20)), int(rng.integers(0, HALF - 20))
        halves[i, :, y : y + int(rng.integers(8, 28)), x : x + int(rng.integers(8, 28))] = float(
            rng.uniform(0, 255)
        )
    return halves


def read_chips(file: Path) -> tuple[NDArray[np.str_], NDArray[np.uint8]]:
    """Return names and chips of faces that are faces."""
    with np.load(file, allow_pickle=False) as stored:
        seen = stored["presence"] >= 0.5
        return stored["names"][seen], stored["chips"][seen]


def loss_of(
    model: Teacher, real: tuple[Tensor, Tensor], made: tuple[Tensor, Tensor], weights: Tensor
) -> tuple[Tensor, float, float]:
    """Return the loss, and its parts of real and of rendered halves."""
    n = len(real[0])
    votes, units = model(torch.cat([real[0], made[0]]))
    chance = torch.log_softmax(votes[:n], -1)
    share = real[1] / real[1].sum(1, keepdim=True)
    seen = -(share[:, None] * chance * weights).sum(-1).mean()
    moved = torch.zeros(())
    for name, of in REGION_UNITS.items():
        columns = [UNITS.index(u) for u in of]
        moved = moved + ((units[name][n:] - made[1][:, columns]) ** 2).mean()
    return seen + 10 * moved, float(seen.detach()), float(moved.detach())


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    for name in ("rendered", "truth", "photographs", "photograph-votes", "fer2013", "manifest"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint")
    parser.add_argument("--epochs", type=int, default=13)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    names, pixels = read_chips(options.photographs)
    votes = [photograph_votes(options.photograph_votes, list(names))]
    small_names, small = read_chips(options.fer2013)
    votes.append(fer_votes(options.manifest, list(small_names)))
    truth = read_truth(options.truth)
    made_names, made_pixels = read_chips(options.rendered)
    known = np.array([n in truth and int(truth[n]["identity"]) < FIRST_TEST for n in made_names])
    targets = rendered_targets([truth[n] for n in made_names[known]]).astype(np.float32)
    made = Chips(made_pixels[known], targets)
    real = Chips(np.concatenate([pixels, small]), np.concatenate(votes).astype(np.float32))
    share = real.wanted / real.wanted.sum(1, keepdims=True)
    weights = torch.tensor((share.mean(0) + 0.01) ** -0.5, dtype=torch.float32)
    weights = weights / (weights * torch.tensor(share.mean(0))).sum()
    train(options.out, real, made, weights, options.epochs)


def train(out: Path, real: Chips, made: Chips, weights: Tensor, epochs: int) -> None:
    """Train, writing a checkpoint after each epoch."""
    model = Teacher()
    size, half = 144, 176
    steps = len(real.pixels) // size
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=epochs * steps)
    begun = 0
    if out.exists():
        state = torch.load(out, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        begun = state["epoch"]
    for epoch in range(begun, epochs):
        model.train()
        rng = np.random.default_rng([epoch, 3])
        order = rng.permutation(len(real.pixels))
        sums = np.zeros(2)
        for step in range(steps):
            at = order[step * size : (step + 1) * size]
            loss, seen, moved = loss_of(
                model,
                real.batch(at, rng),
                made.batch(rng.integers(0, len(made.pixels), half), rng),
                weights,
            )
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            sums += seen, moved
        votes, units = sums / steps
        print(f"epoch {epoch + 1}/{epochs}: votes {votes:.4f}, units {units:.4f}", flush=True)
        part = out.with_suffix(".part")
        torch.save(
            {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "epoch": epoch + 1,
            },
            part,
        )
        part.replace(out)


if __name__ == "__main__":
    main()
