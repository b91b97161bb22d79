"""Run verified ONNX models; the only module that imports onnxruntime.

A ``Session`` is built from a model's card. It refuses a file that is not the one the card
describes, and a network whose inputs or outputs differ from what the card (or the caller) says, so
that a swapped file ends in an error and not in wrong numbers.
"""

import ctypes
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from pyojeong.core.card import ModelCard
from pyojeong.core.errors import (
    BadArray,
    DeviceUnavailable,
    DeviceWarning,
    ModelCorrupt,
    ModelMismatch,
)
from pyojeong.core.labels import label_set
from pyojeong.runtime.devices import CPU, CPU_DEVICE, Device, choose_device
from pyojeong.runtime.network_check import check_network
from pyojeong.runtime.trial_run import try_network
from pyojeong.zoo import Entry, verify

Array = NDArray[Any]
Shape = tuple[int | None, ...]
"""Sizes of a tensor's axes; None = any."""

Feed = Array | Mapping[str, Array]
"""What a network is run on: the only input's tensor, or one tensor per input name."""

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(int8)": np.dtype(np.int8),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(int64)": np.dtype(np.int64),
}

_ERRORS_ONLY = 3  # onnxruntime's severity levels: 0 verbose, 1 info, 2 warning, 3 error


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a network.

    Attributes:
        name: Its name in the graph.
        shape: Its axes; None = any size.
        dtype: Type of its elements.
    """

    name: str
    shape: Shape
    dtype: np.dtype[Any] = np.dtype(np.float32)  # noqa: RUF009 - a dtype is immutable

    def takes(self, array: Array) -> bool:
        """Return whether ``array`` has this port's dtype and shape."""
        return array.dtype == self.dtype and _fits(array.shape, self.shape)


class SessionLike(Protocol):
    """What the rest of the runtime needs of a network: ``Session`` or ``FakeSession``."""

    @property
    def id(self) -> str:
        """The model's id."""

    def run(self, feed: Feed, /) -> list[Array]:
        """Return the network's outputs, in the order of its graph."""


class Session:
    """A network ready to run; may be used from many threads at once.

    Args:
        entry: Card and folder, from ``pyojeong.zoo.find``.
        threads: Threads inside one run.
        spin: Let idle worker threads burn a core between runs (onnxruntime's
            ``session.intra_op.allow_spinning``). It shortens runs by a little and slows everything
            else on the machine down, so it is off.
        inputs: Shapes the inputs must be able to take, in the order of the graph. By default a
            card with a ``preprocess`` asks for its (N, C, H, W) and other cards ask for nothing.
        device: Where it runs, from ``find_device``.

    In a process that was forked the network is opened again when it is first used: the threads of
    the parent are not there.

    Raises:
        ModelCorrupt: When the file is missing, is not the card's, or is not an ONNX network.
        ModelMismatch: When inputs or outputs differ from what the card or ``inputs`` say, or the
            file holds what ``network_check`` excludes.
        ModelError: When a network that is not bundled exceeds the limits of ``trial_run``.
    """

    def __init__(
        self,
        entry: Entry,
        *,
        threads: int = 1,
        spin: bool = False,
        inputs: Sequence[Shape] | None = None,
        device: Device = CPU_DEVICE,
    ) -> None:
        if threads < 1:
            raise BadArray("threads", expected="at least 1", got=str(threads))
        self._card = entry.card
        _verify_once(entry, inputs)
        self._open = partial(_open, entry, threads, device, spin=spin)
        self._ort = self._open()
        self._process = os.getpid()
        self._device = device
        self._inputs = tuple(map(_port, self._ort.get_inputs()))
        self._outputs = tuple(map(_port, self._ort.get_outputs()))
        _check_inputs(entry.card, self._inputs, inputs)
        _check_outputs(entry.card, self._outputs)

    @classmethod
    def open(cls, card: ModelCard, path: Path, *, threads: int = 1) -> "Session":
        """Return a session from a card and the path of its weight file, wherever that lies."""
        return cls(Entry(replace(card, file=path.name), path.parent), threads=threads)

    @property
    def id(self) -> str:
        """The model's id."""
        return self._card.id

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._card

    @property
    def device(self) -> Device:
        """Where it runs: the CPU, when a device that was chosen automatically does not start."""
        return self._device if self._ort.get_providers()[0] != CPU else CPU_DEVICE

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The network's inputs."""
        return self._inputs

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The network's outputs."""
        return self._outputs

    @property
    def metadata(self) -> dict[str, str]:
        """What is written inside the ONNX file itself."""
        return dict(self._ort.get_modelmeta().custom_metadata_map)

    def run(self, feed: Feed, /) -> list[Array]:
        """Run the network on a batch.

        Args:
            feed: The tensor of the only input, or input name -> tensor. Tensors must have the
                input's dtype (float32 almost always) and shape; nothing is converted.

        Returns:
            The outputs, in the order of ``outputs``.

        Raises:
            BadArray: When a tensor is missing, unknown, or of another dtype or shape.
            ModelMismatch: When onnxruntime refuses a batch that the declared shapes allow, or
                the network answers with numbers that are not finite.
        """
        tensors = self._named(feed)
        for port in self._inputs:
            array = tensors[port.name]
            if not port.takes(array):
                raise BadArray(
                    f"input {port.name!r} of model {self.id!r}",
                    expected=f"{port.dtype} {_show(port.shape)}",
                    got=f"{array.dtype} {_show(array.shape)}",
                )
        try:
            outputs = [np.asarray(out) for out in self._here().run(None, dict(tensors))]
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise ModelMismatch(f"model {self.id!r} refuses its input: {error}") from error
        for port, out in zip(self._outputs, outputs, strict=True):
            if out.dtype.kind == "f" and not np.isfinite(out).all():
                raise ModelMismatch(
                    f"model {self.id!r} answers with numbers that are not finite (NaN or infinite) "
                    f"in its output {port.name!r}: its weights are damaged, or overflow on this "
                    "input"
                )
        return outputs

    def _here(self) -> ort.InferenceSession:
        """Return the network of this process."""
        if self._process != os.getpid():
            # The parent's is never freed: that would wait for threads that are not here.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._ort))
            self._ort, self._process = self._open(), os.getpid()
        return self._ort

    def _named(self, feed: Feed) -> Mapping[str, Array]:
        names = [port.name for port in self._inputs]
        if isinstance(feed, np.ndarray):
            if len(names) != 1:
                raise BadArray(
                    f"model {self.id!r}", expected=f"tensors for {names}", got="one array"
                )
            return {names[0]: feed}
        if set(feed) != set(names):
            raise BadArray(
                f"model {self.id!r}", expected=f"tensors for {names}", got=f"{sorted(feed)}"
            )
        return feed


class FakeSession:
    """A network made of a function: the seam for tests of everything above.

    Args:
        function: Gets what ``run`` gets and returns the outputs.
        id: What to call it.
    """

    def __init__(
        self,
        function: Callable[[Feed], Sequence[Array]],
        *,
        id: str = "fake",  # noqa: A002
    ) -> None:
        self._function = function
        self._id = id

    @property
    def id(self) -> str:
        """The name given to it."""
        return self._id

    def run(self, feed: Feed, /) -> list[Array]:
        """Return the function's answer."""
        return list(self._function(feed))


_verified: set[tuple[str, str, tuple[int, ...]]] = set()


def _verify_once(entry: Entry, inputs: Sequence[Shape] | None) -> None:
    """Hash a weight file once per process, and again when it has changed.

    Files that did not come with this package are also inspected and tried.
    """
    try:
        stat = entry.weights.stat()
    except OSError:
        verify(entry)  # says what is wrong
        raise
    # Another file may have the same size and the same time of its contents.
    state = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    key = (str(entry.weights.resolve()), entry.card.sha256, state)
    if key not in _verified:
        verify(entry)
        if not entry.bundled:
            check_network(entry.weights, entry.card.id)
            try_network(entry.weights, entry.card.id, _wanted(entry.card, inputs) or ())
        _verified.add(key)


def find_device(wanted: str | Sequence[str]) -> Device:
    """Return the device of a name, or of a list of onnxruntime's providers.

    Raises:
        DeviceUnavailable: When there is no such device, or onnxruntime does not offer it here.
    """
    return choose_device(wanted, ort.get_available_providers())


def _open(entry: Entry, threads: int, device: Device, *, spin: bool) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # Images come in many sizes: a plan and an arena for the largest of them would hold 100 MB
    # after one photograph of 12 megapixels, and save no measurable time.
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
    providers = list(device.providers)
    try:
        session = ort.InferenceSession(str(entry.weights), options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions share no public base class
        raise ModelCorrupt(
            f"weight file {entry.weights} of model {entry.card.id!r} could not be opened as an "
            f"ONNX network by onnxruntime {ort.__version__}: {error}"
        ) from error
    if not device.is_cpu and session.get_providers()[0] != providers[0]:
        _fell_back(device)
    return session


def _fell_back(device: Device) -> None:
    """Say that onnxruntime runs a network on the CPU, because the device does not start.

    Raises:
        DeviceUnavailable: When the device was asked for by name.
    """
    words = f"onnxruntime offers {device.providers[0]} and could not start it"
    if device.chosen:
        raise DeviceUnavailable(
            f"device {device.name!r}: {words}; check its driver and libraries, or use device='cpu'"
        )
    warnings.warn(DeviceWarning(f"{words}: networks run on the CPU"), stacklevel=2)


def _port(node: Any) -> Port:
    dtype = _DTYPES.get(node.type)
    if dtype is None:
        raise ModelMismatch(f"input or output {node.name!r} has the unsupported type {node.type}")
    shape = tuple(d if isinstance(d, int) else None for d in node.shape)
    return Port(node.name, shape, dtype)


def _fits(shape: Sequence[int | None], declared: Shape) -> bool:
    """Return whether two shapes can be the same; None is any size."""
    return len(shape) == len(declared) and all(
        a is None or b is None or a == b for a, b in zip(shape, declared, strict=True)
    )


def _show(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if d is None else str(d) for d in shape) + ")"


def _wanted(card: ModelCard, inputs: Sequence[Shape] | None) -> Sequence[Shape] | None:
    """Return the shapes that the inputs must take; None = nothing is asked."""
    if inputs is not None or card.preprocess is None:
        return inputs
    return [(None, card.preprocess.channels, *card.preprocess.size_hw)]


def _check_inputs(card: ModelCard, ports: tuple[Port, ...], wanted: Sequence[Shape] | None) -> None:
    wanted = _wanted(card, wanted)
    if wanted is None:
        return
    if len(wanted) != len(ports) or not all(
        _fits(shape, port.shape) for shape, port in zip(wanted, ports, strict=True)
    ):
        raise ModelMismatch(
            f"model {card.id!r}: expected inputs of shape {', '.join(map(_show, wanted))}, the "
            f"file has {', '.join(f'{p.name} {_show(p.shape)}' for p in ports)}. Card and weight "
            "file do not belong together."
        )


def _check_outputs(card: ModelCard, ports: tuple[Port, ...]) -> None:
    if card.kind != "classifier" or card.labels is None:
        return
    sets = [card.labels] if card.votes is None else [card.labels, card.votes]
    for place, name in enumerate(sets):
        wanted = (None, len(label_set(name)))
        if len(ports) <= place or not _fits(wanted, ports[place].shape):
            raise ModelMismatch(
                f"model {card.id!r}: label set {name!r} needs a {('first', 'second')[place]} "
                f"output of shape {_show(wanted)}, the file has "
                f"{', '.join(f'{p.name} {_show(p.shape)}' for p in ports) or 'none'}"
            )
