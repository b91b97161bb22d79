"""Choosing number format and memory layout by a short measurement on the machine at hand.

Which one wins differs by an order of magnitude between CPUs and nets: ordinary 3x3 convolutions
gain from bfloat16 in the plain layout on CPUs that have it; depthwise ones lose. On CUDA float16
is tried where bfloat16 is emulated; on other devices there is float32 only.
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
        autocast: Type that autocast computes in; None = float32 throughout.
        channels_last: NHWC in memory.
    """

    lightning: str
    autocast: torch.dtype | None
    channels_last: bool


PRECISIONS = {
    "fp32": Precision("32-true", autocast=None, channels_last=False),
    "fp32-channels-last": Precision("32-true", autocast=None, channels_last=True),
    "bf16": Precision("bf16-mixed", autocast=torch.bfloat16, channels_last=False),
    "bf16-channels-last": Precision("bf16-mixed", autocast=torch.bfloat16, channels_last=True),
    "fp16": Precision("16-mixed", autocast=torch.float16, channels_last=False),
    "fp16-channels-last": Precision("16-mixed", autocast=torch.float16, channels_last=True),
}


def precisions_of(device: str) -> dict[str, Precision]:
    """Return the entries of ``PRECISIONS`` that are worth trying on a device."""
    types: set[torch.dtype | None] = {None}
    if device == "cpu":
        types.add(torch.bfloat16)
    elif device == "cuda":
        emulated = not torch.cuda.is_bf16_supported(including_emulation=False)
        types.add(torch.float16 if emulated else torch.bfloat16)
    return {name: each for name, each in PRECISIONS.items() if each.autocast in types}


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
    device: str = "cpu",
) -> float:
    """Median milliseconds of a forward and backward pass (first pass not counted).

    A pass that takes ``_HOPELESS`` times ``best_ms`` is the last one and its time the answer:
    bfloat16 on a CPU without it takes ten times as long as float32.
    """
    layout = torch.channels_last if precision.channels_last else torch.contiguous_format
    net = net.to(device).to(memory_format=layout).train()
    x = torch.randn(batch_size, *shape).to(device).contiguous(memory_format=layout)
    seconds = []
    for _ in range(steps + 1):
        started = time.perf_counter()
        with torch.autocast(device, precision.autocast, enabled=precision.autocast is not None):
            loss = net(x).float().square().mean()
        loss.backward()
        net.zero_grad()
        _wait(device)
        seconds.append(time.perf_counter() - started)
        if seconds[-1] * 1e3 > _HOPELESS * best_ms:
            return seconds[-1] * 1e3
    return statistics.median(seconds[1:]) * 1e3


def _wait(device: str) -> None:
    """Let work that was queued on a device come to its end."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def choose_precision(
    net: nn.Module, shape: tuple[int, ...], *, batch_size: int, device: str = "cpu"
) -> tuple[str, dict[str, float]]:
    """Return the fastest entry of ``PRECISIONS`` here, and milliseconds per step of all.

    Args:
        net: Its weights' running statistics are disturbed; build it again afterwards.
        shape: (C, H, W) of the input.
        batch_size: Samples per step.
        device: Where it is trained.
    """
    timings: dict[str, float] = {}
    for name, precision in precisions_of(device).items():
        best = min(timings.values(), default=math.inf)
        size = {"batch_size": batch_size}
        ms = time_steps(net, shape, precision, **size, best_ms=best, device=device)
        timings[name] = round(ms, 1)
    return min(timings, key=timings.__getitem__), timings
