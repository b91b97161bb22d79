"""A float32 network as an int8 one: a quarter of the bytes, and faster where the CPU can.

Static quantisation by onnxruntime: 8-bit activations whose ranges are measured on training faces,
weights with one scale per channel and 7 bits, because older x86 CPUs add pairs of 8-bit products in
16 bits and would overflow (onnxruntime's ``reduce_range``). Of two ways to set the ranges the one
is taken whose logits stay nearer to the float network's; labels play no part in it.

One fault is worked around: onnxruntime 1.32 turns an average pooling between two quantised tensors
into a kernel of its own, and that one is wrong where ``ceil_mode`` leaves an incomplete window at
the edge (4 % of a net's answers changed instead of 2). Convolutions behind such a pooling stay
float.
"""

import fnmatch
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from pyojeong.core.errors import ExperimentError
from pyojeong.export.onnx_graph import merge_pads, share_equal, shorten_names, store_half

CalibrationBatch = NDArray[np.float32]

METHODS = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"CalibPercentile": 99.99}),
}
"""How ranges of activations are set from the calibration faces."""

_QUANTISED = ["Conv", "Add", "AveragePool", "GlobalAveragePool", "Relu", "Clip", "MaxPool"]
_PART = 64


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, inputs: CalibrationBatch) -> None:
        size = min(_PART, len(inputs))  # its histograms need parts of one size
        parts = [inputs[i : i + size] for i in range(0, len(inputs) - size + 1, size)]
        self._parts: Iterator[CalibrationBatch] = iter(parts)
        self._name = name

    def get_next(self) -> dict[str, CalibrationBatch] | None:
        part = next(self._parts, None)
        return None if part is None else {self._name: part}


def quantise(
    model: bytes,
    calibration: CalibrationBatch,
    held_out: CalibrationBatch,
    *,
    spared: Sequence[str] = (),
) -> tuple[bytes, dict[str, Any]]:
    """Quantise a network.

    Args:
        model: ONNX; weights float32, or float16 behind a Cast.
        calibration: Inputs (N, C, H, W) that ranges are measured on.
        held_out: Other inputs (M, C, H, W) on which the two methods are compared.
        spared: Names of nodes that stay float, or patterns of names (``"*/blocks.0/*"``).

    Returns:
        The int8 ONNX file, and figures: the mean absolute change of the first output on
        ``held_out`` by method, which was taken, and how many nodes were spared.

    Raises:
        ExperimentError: When a pattern matches no node.
    """
    kept = _matching(onnx.load_from_string(model), spared)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        plain = Path(folder) / "float.onnx"
        _fold(model, plain)
        wanted = _run(plain, held_out)
        made: dict[str, bytes] = {}
        change: dict[str, float] = {}
        for name, (method, extra) in METHODS.items():
            out = Path(folder) / f"{name}.onnx"
            quantize_static(
                str(plain),
                str(out),
                _Reader(_input_name(plain), calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=_QUANTISED,
                nodes_to_exclude=[*kept, *_behind_ceiling_pools(onnx.load(plain))],
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=method,
                extra_options=extra,
            )
            # What stays float came out of a file with float16 weights and loses nothing.
            small = shorten_names(share_equal(store_half(onnx.load(out), lossless=True)))
            made[name] = bytes(small.SerializeToString())
            out.write_bytes(made[name])
            change[name] = round(float(np.abs(_run(out, held_out) - wanted).mean()), 5)
    best = min(change, key=change.__getitem__)
    facts: dict[str, Any] = {"method": best, "mean_change_of_logits": change}
    return made[best], {**facts, "spared": len(kept)} if spared else facts


def _matching(model: onnx.ModelProto, patterns: Sequence[str]) -> list[str]:
    """Return the names of the nodes that the patterns match."""
    names = [node.name for node in model.graph.node]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ExperimentError(
                f"no node of the network is called {pattern!r}; its convolutions are "
                + ", ".join(n.name for n in model.graph.node if n.op_type == "Conv")
            )
    return [n for n in names if any(fnmatch.fnmatchcase(n, pattern) for pattern in patterns)]


def _fold(model: bytes, path: Path) -> None:
    """Write the network with weights unpacked, constants folded and pools as int8 knows them."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    folded = onnx.shape_inference.infer_shapes(merge_pads(onnx.load(path)))
    _plain_pools(folded.graph)
    onnx.save(folded, path)


def _plain_pools(graph: onnx.GraphProto) -> None:
    """Say of pools without incomplete windows that they have none, and of global means as pools.

    The same numbers, said in a way that has an int8 kernel.
    """
    values = [*graph.value_info, *graph.input]
    sides = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim][2:] for v in values}
    for node in graph.node:
        given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "AveragePool" and given.get("ceil_mode"):
            steps = given.get("strides", [])
            whole = steps == given["kernel_shape"] and not any(given.get("pads", ()))
            side = sides.get(node.input[0], [])
            known = side and all(side)  # an unknown side is 0
            if whole and known and not any(a % b for a, b in zip(side, steps, strict=True)):
                next(a for a in node.attribute if a.name == "ceil_mode").i = 0
        over_map = list(given.get("axes", ())) == [2, 3] and given.get("keepdims", 1)
        if node.op_type == "ReduceMean" and over_map:
            node.op_type = "GlobalAveragePool"
            del node.attribute[:]


def _input_name(path: Path) -> str:
    return str(onnx.load(path).graph.input[0].name)


def _run(path: Path, inputs: CalibrationBatch) -> NDArray[np.float32]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [inputs[i : i + _PART] for i in range(0, len(inputs), _PART)]
    return np.concatenate([np.asarray(session.run(None, {name: part})[0]) for part in parts])


def _behind_ceiling_pools(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that read an average pooling with ``ceil_mode``."""
    ceiling: Callable[[Any], bool] = lambda node: any(  # noqa: E731
        a.name == "ceil_mode" and a.i for a in node.attribute
    )
    pools = [n for n in model.graph.node if n.op_type == "AveragePool" and ceiling(n)]
    pooled = {output for node in pools for output in node.output}
    behind = [n.name for n in model.graph.node if pooled & set(n.input)]
    return [*behind, *(n.name for n in pools)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's prints, and its advice to preprocess, which was done."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
