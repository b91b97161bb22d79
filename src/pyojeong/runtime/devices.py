"""Devices by the names people use, mapped to what onnxruntime calls execution providers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyojeong.core.errors import DeviceUnavailable

CPU = "CPUExecutionProvider"

PROVIDERS: dict[str, tuple[str, ...]] = {
    "cuda": ("CUDAExecutionProvider", "ROCMExecutionProvider", "MIGraphXExecutionProvider"),
    "coreml": ("CoreMLExecutionProvider",),
    "directml": ("DmlExecutionProvider",),
    "cpu": (CPU,),
}
"""Device -> its providers, the first that is there is taken; the order is that of ``"auto"``."""

_PACKAGES = {
    "cuda": "pip install onnxruntime-gpu, in place of onnxruntime",
    "coreml": "onnxruntime has it on macOS only",
    "directml": "pip install onnxruntime-directml, in place of onnxruntime (Windows)",
}

DEVICES = ("auto", *PROVIDERS)
"""Names that ``Analyzer(device=...)`` takes, beside lists of providers."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where networks run.

    Attributes:
        name: ``"cpu"``, ``"cuda"``, ``"coreml"``, ``"directml"``, or ``"custom"`` for a list.
        providers: What onnxruntime is asked for, in order; the CPU comes last.
        chosen: Asked for by name; False = ``"auto"`` chose it, and may fall back to the CPU.
    """

    name: str = "cpu"
    providers: tuple[str, ...] = (CPU,)
    chosen: bool = field(default=True, compare=False)

    @property
    def is_cpu(self) -> bool:
        """Whether only the CPU computes: answers are then the same to the last bit."""
        return self.providers == (CPU,)

    @property
    def id(self) -> str:
        """Device and provider, as ``model_ids`` and reports name them: ``"cuda:CUDA"``."""
        return f"{self.name}:{self.providers[0].removesuffix('ExecutionProvider')}"


CPU_DEVICE = Device()


def choose_device(wanted: str | Sequence[str], available: Sequence[str]) -> Device:
    """Return the device for a name, or for a list of providers.

    Args:
        wanted: ``"auto"``, the name of a device, or names of providers in order of preference.
        available: The providers of the installed onnxruntime.

    Raises:
        DeviceUnavailable: When there is no such device, or onnxruntime does not offer it here.
    """
    if not isinstance(wanted, str):
        return _listed(tuple(wanted), available)
    if wanted == "auto":
        for name, providers in PROVIDERS.items():
            for provider in providers:
                if provider in available:
                    return CPU_DEVICE if provider == CPU else Device(name, (provider, CPU), False)
        return CPU_DEVICE
    if wanted not in PROVIDERS:
        raise DeviceUnavailable(
            f"device {wanted!r}: expected one of {', '.join(DEVICES)}, or a list of onnxruntime's "
            f"providers: {', '.join(available)}"
        )
    found = next((p for p in PROVIDERS[wanted] if p in available), None)
    if found is None:
        raise DeviceUnavailable(
            f"device {wanted!r} is not offered by this onnxruntime, which has "
            f"{', '.join(available)}; {_PACKAGES[wanted]}, or use device='auto'"
        )
    return CPU_DEVICE if found == CPU else Device(wanted, (found, CPU))


def _listed(wanted: tuple[str, ...], available: Sequence[str]) -> Device:
    absent = [str(name) for name in wanted if name not in available]
    if absent or not wanted:
        raise DeviceUnavailable(
            f"providers {', '.join(absent) or '(none)'}: this onnxruntime has "
            f"{', '.join(available)}"
        )
    if wanted == (CPU,):
        return CPU_DEVICE
    return Device("custom", wanted if CPU in wanted else (*wanted, CPU))
