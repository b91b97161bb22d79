"""What a net costs: weights, multiply-adds, time in torch."""

import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, slots=True)
class Cost:
    """What a net costs.

    Attributes:
        params: Weights and biases, frozen ones included.
        macs: Multiply-adds of convolutions and matrix products for one image; norms, activations
            and pooling are not counted.
    """

    params: int
    macs: int


def milliseconds(net: nn.Module, shape: tuple[int, int, int], *, rounds: int = 7) -> float:
    """Fastest of several passes of one image (C, H, W) in torch, as fast as the machine was then.

    ``pyojeong experiments time`` gives figures that can be compared: it times all nets in turns.
    """
    net.eval()
    x = torch.zeros(1, *shape)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(rounds):
            started = time.perf_counter()
            net(x)
            best = min(best, time.perf_counter() - started)
    return best * 1e3


def measure_cost(net: nn.Module, shape: tuple[int, int, int]) -> Cost:
    """Cost of a net for an input (C, H, W); the net is left in evaluation mode."""
    net.eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net(torch.zeros(1, *shape))
    params = sum(p.numel() for p in net.parameters())
    return Cost(params, int(counter.get_total_flops()) // 2)
