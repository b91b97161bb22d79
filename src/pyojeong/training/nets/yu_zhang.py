"""The 48-pixel net of Yu & Zhang, ICMI 2015 (EmotiW, SFEW 2.0), with stochastic pooling.

Papers: Yu & Zhang, "Image based static facial expression recognition with multiple deep network
learning", ICMI 2015; stochastic pooling, Zeiler & Fergus, ICLR 2013 (arXiv 1301.3557).

Sure: five convolutions, three 3x3 stride-2 poolings, three fully connected layers, ReLU. Nearly
sure, because two re-implementations agree: widths 64-64-64-128-128, a 5x5 first kernel, 1024-1024.
Unknown, hence options or our choice: the dropout rate (0.5) and the initialisation (He et al.
2015, which a net without batch norm needs). ``pool="max"`` is the student project's variant.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError
from pyojeong.training.input_size import check_input_size

POOLS = ("stochastic", "max")

SMALLEST = 8
"""Smallest height and width: three halvings leave one position."""


class StochasticPool2d(nn.Module):
    """Draws one value of each window in training; in evaluation, the mean that drawing would have.

    A value a_i is drawn with probability p_i = a_i / sum(a), and only the drawn one receives the
    gradient. Evaluation returns sum(p_i a_i) = sum(a_i^2) / sum(a_i). A window of zeros gives 0;
    the zero padding has probability zero. **Inputs must not be negative**: put it after a ReLU.

    The draw is Gumbel-max: the largest log a_i + g_i of a window, where g_i = -log e_i and e_i is
    exponential; a_i / e_i orders alike and needs no logarithm of zero. Each *pixel* has one e_i,
    so overlapping windows share noise: every window is distributed as it should be, neighbours are
    correlated. Independent draws would take nine times the memory. Random numbers come from
    torch's global generator, one per element of the input.

    Args:
        kernel: Side of the window.
        stride: Step between windows.
        padding: Zeros on each side; 3, 2, 1 halves an even side.
    """

    def __init__(self, kernel: int = 3, stride: int = 2, padding: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W), >= 0 -> (N, C, H', W')
        """Pool ``x``; same dtype."""
        if self.training:
            return self._draw(x)
        window = (self.kernel, self.stride, self.padding)
        a = x.float()  # a square and a quotient: too much for bfloat16
        # Both means divide by the same count, so their quotient is the quotient of the sums.
        mean = F.avg_pool2d(a.square(), *window) / (F.avg_pool2d(a, *window) + 1e-12)
        return mean.to(x.dtype)

    def _draw(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            # -log of a uniform number in [0, 1) is exponential and above zero; an exact 0 gives
            # infinity, which is never drawn. Four times as fast as torch's exponential_.
            race = torch.rand_like(x, dtype=torch.float32).log_().neg_()
            _, index = F.max_pool2d(
                x.float() / race, self.kernel, self.stride, self.padding, return_indices=True
            )
        return x.flatten(2).gather(2, index.flatten(2)).view_as(index)

    def extra_repr(self) -> str:
        """Window as shown by ``print``."""
        return f"kernel={self.kernel}, stride={self.stride}, padding={self.padding}"


class YuZhang(nn.Module):
    """Five convolutions in three pooled blocks, two hidden layers of 1024, classifier.

    Args:
        num_classes: Number of logits.
        in_channels: 1 gray, 3 RGB.
        size_hw: Height and width of the input; the fully connected part is made for it.
        pool: "stochastic" or "max".
        dropout: After each hidden layer.

    Raises:
        ExperimentError: For an unknown ``pool`` or an input that is too small.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        size_hw: tuple[int, int],
        pool: str,
        dropout: float,
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise ExperimentError(f"yu_zhang: expected pool to be one of {POOLS}, got {pool!r}")
        if min(size_hw) < SMALLEST:
            raise ExperimentError(
                f"yu_zhang: expected size_hw of at least {SMALLEST} x {SMALLEST}, got {size_hw}: "
                "it is halved three times"
            )
        self.size_hw = size_hw
        h, w = size_hw
        layers: list[nn.Module] = []
        channels = in_channels
        for convolutions in (((64, 5),), ((64, 3), (64, 3)), ((128, 3), (128, 3))):
            for width, kernel in convolutions:
                layers += [nn.Conv2d(channels, width, kernel, padding=kernel // 2), nn.ReLU()]
                channels = width
            layers.append(StochasticPool2d() if pool == "stochastic" else nn.MaxPool2d(3, 2, 1))
            h, w = (h + 1) // 2, (w + 1) // 2
        self.blocks = nn.Sequential(*layers)
        self.num_features = 1024
        self.hidden = nn.Sequential(
            nn.Linear(channels * h * w, 1024),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(1024, self.num_features),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.classifier = nn.Linear(self.num_features, num_classes)
        for module in (*self.blocks, *self.hidden):
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        # Logits start small, so that the first loss is about log(num_classes) with any pooling.
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward_features(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, 1024)
        """Return the second hidden layer, after dropout."""
        check_input_size("yu_zhang", x, self.size_hw)
        features: Tensor = self.hidden(self.blocks(x).flatten(1))
        return features

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, num_classes)
        """Return logits."""
        logits: Tensor = self.classifier(self.forward_features(x))
        return logits


def build_yu_zhang(
    *,
    num_classes: int = 7,
    in_channels: int = 1,
    size_hw: Sequence[int] = (48, 48),
    pool: str = "stochastic",
    dropout: float = 0.5,
) -> YuZhang:
    """Return the paper's net: 6,073,351 parameters, 84 M multiply-adds at 48 x 48."""
    height, width = size_hw
    return YuZhang(
        num_classes=num_classes,
        in_channels=in_channels,
        size_hw=(height, width),
        pool=pool,
        dropout=dropout,
    )
