"""Devices that networks are trained on, by the names that torch has for them."""

from collections.abc import Callable, Mapping

import torch

from pyojeong.core.errors import DeviceUnavailable

AVAILABLE: Mapping[str, Callable[[], bool]] = {
    "cuda": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
    "cpu": lambda: True,
}
"""Device -> whether this torch can use it here; the order is that of ``"auto"``."""

DEVICES = ("auto", *AVAILABLE)

_CURES = {
    "cuda": "install a torch that was built for the GPU's CUDA or ROCm",
    "mps": "torch has it on Apple silicon only",
}


def choose_training_device(wanted: str) -> str:
    """Return the device for a name; ``"auto"`` is the first of ``AVAILABLE`` that is there.

    Raises:
        DeviceUnavailable: When there is no such device, or torch cannot use it here.
    """
    if wanted == "auto":
        return next(name for name, available in AVAILABLE.items() if available())
    if wanted not in AVAILABLE:
        raise DeviceUnavailable(f"device {wanted!r}: expected one of {', '.join(DEVICES)}")
    if not AVAILABLE[wanted]():
        raise DeviceUnavailable(
            f"device {wanted!r} is not offered by this torch ({torch.__version__}): "
            f"{_CURES[wanted]}, or use device 'auto'"
        )
    return wanted
