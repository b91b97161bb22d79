"""The size check of nets that are built for one size of input."""

from torch import Tensor

from pyojeong.core.errors import ExperimentError


def check_input_size(net: str, x: Tensor, size_hw: tuple[int, int]) -> None:
    """Say what a net was built for when it meets another size.

    Args:
        net: Its name.
        x: (N, C, H, W).
        size_hw: What it was built for.

    Raises:
        ExperimentError: When H and W differ from it.
    """
    if tuple(x.shape[2:]) != size_hw:
        raise ExperimentError(
            f"{net}: expected images of {size_hw} (height, width), got {tuple(x.shape[2:])}: "
            "set [preprocess] size_hw and the net's size_hw alike"
        )
