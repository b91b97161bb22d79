"""The number format is chosen by measurement, and a hopeless one is given up after one pass."""

import time

import torch
from torch import Tensor, nn

from pyojeong.training.precision import choose_precision, precisions_of


class SlowInBfloat16(nn.Module):
    """Like a CPU without bfloat16: ten times slower there."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.passes = {True: 0, False: 0}

    def forward(self, x: Tensor) -> Tensor:
        """One value; counts itself."""
        half = torch.is_autocast_enabled("cpu")
        self.passes[half] += 1
        time.sleep(0.3 if half else 0.01)
        return x.mean() * self.weight


def test_a_hopeless_format_is_given_up_after_one_pass() -> None:
    net = SlowInBfloat16()
    name, timings = choose_precision(net, (1, 8, 8), batch_size=2)
    assert name in {"fp32", "fp32-channels-last"}
    assert set(timings) == set(precisions_of("cpu"))
    assert timings["bf16"] > 3 * timings[name]
    assert net.passes[True] == 2  # one for each of the two layouts
    assert net.passes[False] == 8
