"""What a net costs: weights and multiply-adds."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, slots=True)
class Cost:
    """What a net costs.

    Attributes:
        params: Weights and biases, frozen ones included.
        macs: Multiply-adds of convolutions and matrix products for one picture; norms, activations
            and pooling are not counted.
    """

    params: int
    macs: int


def measure_cost(net: nn.Module, shape: tuple[int, int, int]) -> Cost:
    """Cost of a net for an input (C, H, W); the net is left in evaluation mode."""
    net.eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net(torch.zeros(1, *shape))
    params = sum(p.numel() for p in net.parameters())
    return Cost(params, int(counter.get_total_flops()) // 2)
