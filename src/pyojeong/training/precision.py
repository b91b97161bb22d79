"""Choosing number format and memory layout by a short measurement on the machine at hand.

Which one wins differs by an order of magnitude between CPUs and nets: ordinary 3x3 convolutions
gain from bfloat16 in the plain layout on CPUs that have it; depthwise ones lose.
"""

import math
import statistics
import time
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class Precision:
    """A number format and memory layout.

    Attributes:
        lightning: Lightning's name of the format.
        bfloat16: Autocast to bfloat16.
        channels_last: NHWC in memory.
    """

    lightning: str
    bfloat16: bool
    channels_last: bool


PRECISIONS = {
    "fp32": Precision("32-true", bfloat16=False, channels_last=False),
    "fp32-channels-last": Precision("32-true", bfloat16=False, channels_last=True),
    "bf16": Precision("bf16-mixed", bfloat16=True, channels_last=False),
    "bf16-channels-last": Precision("bf16-mixed", bfloat16=True, channels_last=True),
}


_HOPELESS = 3.0
"""So many times slower than the best so far: no second pass is needed to know."""


def time_steps(
    net: nn.Module,
    shape: tuple[int, ...],
    precision: Precision,
    *,
    batch_size: int,
    steps: int = 3,
    best_ms: float = math.inf,
) -> float:
    """Median milliseconds of a forward and backward pass (first pass not counted).

    A pass that takes ``_HOPELESS`` times ``best_ms`` is the last one and its time the answer:
    bfloat16 on a CPU without it takes ten times as long as float32.
    """
    layout = torch.channels_last if precision.channels_last else torch.contiguous_format
    net = net.to(memory_format=layout).train()
    x = torch.randn(batch_size, *shape).contiguous(memory_format=layout)
    seconds = []
    for _ in range(steps + 1):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision.bfloat16):
            loss = net(x).float().square().mean()
        loss.backward()
        net.zero_grad()
        seconds.append(time.perf_counter() - started)
        if seconds[-1] * 1e3 > _HOPELESS * best_ms:
            return seconds[-1] * 1e3
    return statistics.median(seconds[1:]) * 1e3


def choose_precision(
    net: nn.Module, shape: tuple[int, ...], *, batch_size: int
) -> tuple[str, dict[str, float]]:
    """Return the fastest entry of ``PRECISIONS`` here, and milliseconds per step of all.

    Args:
        net: Its weights' running statistics are disturbed; build it again afterwards.
        shape: (C, H, W) of the input.
        batch_size: Samples per step.
    """
    timings: dict[str, float] = {}
    for name, precision in PRECISIONS.items():
        best = min(timings.values(), default=math.inf)
        ms = time_steps(net, shape, precision, batch_size=batch_size, best_ms=best)
        timings[name] = round(ms, 1)
    return min(timings, key=timings.__getitem__), timings
