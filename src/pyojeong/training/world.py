"""The processes of one training: how many there are, and which of them this one is.

torchrun says so in environment variables, and ``--devices`` sets the same ones. All processes hold
the same weights; each computes the gradient of its share of every batch, and the mean of these
gradients is applied everywhere (DistributedDataParallel: Li et al. 2020, arXiv:2006.15704).
"""

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a training.

    Attributes:
        rank: Number of this process, from 0.
        size: How many there are.
        on_machine: How many of them are on this machine.
        rank_on_machine: Number of this process among those.
    """

    rank: int = 0
    size: int = 1
    on_machine: int = 1
    rank_on_machine: int = 0

    def share(self, count: int) -> slice:
        """Return which of so many successive items belong to this process."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)


def world() -> World:
    """Return the processes of this training; one where nothing else is said."""
    try:
        size = int(os.environ["WORLD_SIZE"])
        here = int(os.environ.get("LOCAL_WORLD_SIZE", size))
        rank = int(os.environ["RANK"])
        return World(rank, size, here, int(os.environ.get("LOCAL_RANK", rank)))
    except (KeyError, ValueError):
        return World()


def sums(*values: Tensor) -> list[Tensor]:
    """Return each value summed over all processes."""
    if world().size == 1 or not distributed.is_initialized():
        return list(values)
    joined = torch.stack([value.double() for value in values])
    distributed.all_reduce(joined)
    return list(joined)


def distributed_options() -> dict[str, Any]:
    """Return how Lightning uses the processes: arguments of its trainer."""
    here = world()
    if here.size == 1:
        return {"devices": 1}
    from lightning.pytorch.strategies import DDPStrategy

    # Parts of a net may be frozen at first, and averaged weights get no gradient.
    strategy = DDPStrategy(find_unused_parameters=True)
    nodes = here.size // here.on_machine
    return {
        "devices": here.on_machine,
        "num_nodes": nodes,
        "strategy": strategy,
        "use_distributed_sampler": False,  # the data module divides every batch itself
    }


def distributed_plugins() -> list[Any]:
    """Return what tells Lightning of processes that others have started."""
    if world().size == 1:
        return []
    from lightning.fabric.plugins.environments import TorchElasticEnvironment

    return [TorchElasticEnvironment()]
