"""A network for browsers: float32 arithmetic, weights of few bits that gzip packs well.

Browsers have no fast int8 convolutions, but a page is downloaded: of an int8 network the rounding
of activations is taken out, and every large weight is stored as whole numbers of ``bits`` bits with
one scale per output channel. They are int8 in the file, so that onnxruntime folds them to float32
when it opens it; the server's gzip finds the unused bits.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

LEAST_WEIGHTS = 2048
"""Smaller tensors (depthwise kernels, biases) keep their own precision."""
_CLIPPED = np.linspace(0.7, 1.0, 16)
"""Shares of a channel's largest weight at which rounding begins to clip; the best is taken."""


def float_network(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a network in plain float32.

    Args:
        model: Not changed. With float weights, float16 ones behind a Cast, or QDQ int8.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    _fold_constants(model)
    _drop_activation_rounding(model)
    _drop_unused(model)
    return model


def web_variant(model: onnx.ModelProto, *, bits: int | Mapping[str, int] = 6) -> onnx.ModelProto:
    """Return a network whose activations are float32 and whose weights have few bits.

    Args:
        model: Not changed. With float weights, float16 ones behind a Cast, or QDQ int8.
        bits: Of each large weight, 2 to 8; or name of the weight -> its bits.
    """
    model = float_network(model)
    _join_prelu(model)
    _round_weights(model, bits)
    _drop_unused(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def large_weights(model: onnx.ModelProto) -> dict[str, int]:
    """Return the name of each weight that ``web_variant`` rounds -> its number of values.

    Args:
        model: From ``float_network``.
    """
    sizes = {name: value.size for name, value in _values(model).items() if _rounds(value)}
    return {name: sizes[name] for name, _ in _weights(model) if name in sizes}


def rounded_weight(
    model: onnx.ModelProto, name: str, bits: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return the whole numbers and the scale that ``web_variant`` stores for one weight."""
    return rounded(_values(model)[name], dict(_weights(model))[name], bits)


def _rounds(value: NDArray[Any]) -> bool:
    return value.dtype == np.float32 and value.size >= LEAST_WEIGHTS


def _values(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def _fold_constants(model: onnx.ModelProto) -> None:
    """Replace Cast and DequantizeLinear of constants by float32 constants."""
    known = _values(model)
    kept = []
    for node in model.graph.node:
        if node.op_type not in {"Cast", "DequantizeLinear"} or node.input[0] not in known:
            kept.append(node)
            continue
        value = known[node.input[0]]
        if node.op_type == "Cast":
            value = value.astype(helper.tensor_dtype_to_np_dtype(_attribute(node, "to", 1)))
        else:
            value = _dequantized(value, known, node)
        known[node.output[0]] = value
        model.graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
    _set_nodes(model, kept)


def _dequantized(
    value: NDArray[Any], known: dict[str, NDArray[Any]], node: onnx.NodeProto
) -> NDArray[np.float32]:
    scale = np.asarray(known[node.input[1]], np.float32)
    zero = np.asarray(known[node.input[2]], np.float32) if len(node.input) > 2 else np.float32(0)
    if scale.ndim:
        shape = [1] * value.ndim
        shape[_attribute(node, "axis", 1)] = -1
        scale, zero = scale.reshape(shape), np.asarray(zero).reshape(shape)
    return np.asarray((value.astype(np.float32) - zero) * scale, np.float32)


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    found = [a.i for a in node.attribute if a.name == name]
    return int(found[0]) if found else default


def _drop_activation_rounding(model: onnx.ModelProto) -> None:
    """Take QuantizeLinear and its DequantizeLinear out.

    The quantiser removes ReLU and ReLU6 where rounding clips to the same range: they come back as
    a Clip wherever the lowest step is zero.
    """
    known = _values(model)
    rounded = {n.output[0]: n for n in model.graph.node if n.op_type == "QuantizeLinear"}
    kept = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in rounded:
            kept.append(_unrounded(rounded[node.input[0]], node.output[0], known, model))
        elif node.op_type != "QuantizeLinear":
            kept.append(node)
    _set_nodes(model, kept)


def _unrounded(
    node: onnx.NodeProto, output: str, known: dict[str, NDArray[Any]], model: onnx.ModelProto
) -> onnx.NodeProto:
    scale, zero = known[node.input[1]], known[node.input[2]]
    steps = np.iinfo(zero.dtype)
    if int(zero) != steps.min:
        return helper.make_node("Identity", [node.input[0]], [output])
    limits = {
        f"{output}.least": np.float32(0),
        f"{output}.most": np.float32(float(scale) * (steps.max - steps.min)),
    }
    for name, value in limits.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return helper.make_node("Clip", [node.input[0], *limits], [output])


def _join_prelu(model: onnx.ModelProto) -> None:
    """Write PReLU as one operation again.

    The bundled networks have it as products and sums, which native runtimes run faster; in
    WebAssembly each of them reads and writes the whole tensor.
    """
    known = _values(model)
    makers = {name: node for node in model.graph.node for name in node.output}
    kept = []
    for node in model.graph.node:
        found = _prelu_of(node, makers, known) if node.op_type == "Add" else None
        if found is None:
            kept.append(node)
        else:
            kept.append(helper.make_node("PRelu", list(found), list(node.output)))
    _set_nodes(model, _needed(kept, {out.name for out in model.graph.output}))


def _prelu_of(
    node: onnx.NodeProto, makers: dict[str, onnx.NodeProto], known: dict[str, NDArray[Any]]
) -> tuple[str, str] | None:
    """Return input and slope when x * slope + (1 - slope) * relu(x) is added here."""

    def product(name: str) -> tuple[str, str] | None:
        made = makers.get(name)
        if made is None or made.op_type != "Mul" or made.input[1] not in known:
            return None
        return made.input[0], made.input[1]

    for low, high in (node.input, reversed(node.input)):
        below = product(low)
        maker = makers.get(high)
        if below is None or maker is None:
            continue
        if maker.op_type == "Relu":  # relu(x * rest)
            above = product(maker.input[0])
        else:  # relu(x) * rest
            above = product(high)
            inner = makers.get(above[0]) if above else None
            if above is None or inner is None or inner.op_type != "Relu":
                continue
            above = (inner.input[0], above[1])
        if above is None or above[0] != below[0]:
            continue
        slope, rest = known[below[1]], known[above[1]]
        if slope.shape == rest.shape and np.allclose(slope + rest, 1, atol=1e-3):
            return below
    return None


def _needed(nodes: list[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    """Return the nodes without those whose results nobody uses."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    return kept[::-1]


def _round_weights(model: onnx.ModelProto, bits: int | Mapping[str, int]) -> None:
    known = _values(model)
    made = []
    for name, axis in _weights(model):
        values = known.pop(name, None)
        if values is None or not _rounds(values):
            continue
        steps, scale = rounded(values, axis, bits if isinstance(bits, int) else bits[name])
        initializer = next(t for t in model.graph.initializer if t.name == name)
        initializer.CopyFrom(numpy_helper.from_array(steps, f"{name}.steps"))
        model.graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        whole = f"{name}.float"
        made += [
            helper.make_node("Cast", [f"{name}.steps"], [whole], to=TensorProto.FLOAT),
            helper.make_node("Mul", [whole, f"{name}.scale"], [name]),
        ]
    _set_nodes(model, [*made, *model.graph.node])


def _weights(model: onnx.ModelProto) -> Iterator[tuple[str, int]]:
    """Yield names of weights and their axis of output channels."""
    for node in model.graph.node:
        if node.op_type == "Conv":
            yield node.input[1], 0
        elif node.op_type == "Gemm":
            yield node.input[1], 0 if _attribute(node, "transB", 0) else 1
        elif node.op_type == "MatMul":
            yield node.input[1], 1


def rounded(
    values: NDArray[np.float32], axis: int, bits: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return whole numbers and a scale per channel whose product is nearest to the values.

    Args:
        values: Weights.
        axis: Of the output channels.
        bits: Of each whole number, 2 to 8.

    Returns:
        int8 steps of the values' shape, and the float32 scale that broadcasts to it.
    """
    most = 2 ** (bits - 1) - 1
    others = tuple(i for i in range(values.ndim) if i != axis)
    largest = np.maximum(np.abs(values).max(axis=others, keepdims=True), 1e-12)
    best = np.full(largest.shape, np.inf, np.float32)
    chosen = largest / most
    for share in _CLIPPED:
        scale = share * largest / most
        steps = np.clip(np.round(values / scale), -most, most)
        error = ((steps * scale - values) ** 2).sum(axis=others, keepdims=True)
        better = error < best
        best, chosen = np.where(better, error, best), np.where(better, scale, chosen)
    chosen = chosen.astype(np.float32)
    steps = np.clip(np.round(values / chosen), -most, most)
    return steps.astype(np.int8), chosen


def _set_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _drop_unused(model: onnx.ModelProto) -> None:
    used = {name for node in model.graph.node for name in node.input}
    used |= {out.name for out in model.graph.output}
    kept = [t for t in model.graph.initializer if t.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    del model.graph.value_info[:]
