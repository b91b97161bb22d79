"""A shipped model's weights as the start of a training: from its ONNX file back into the net.

In the file every batch norm may be folded into the convolution before it. A net that learns needs
it back: its mean and variance are measured on faces, and its factor and offset are set so that
the net answers as before.
"""

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from pyojeong.core.errors import ExperimentError
from pyojeong.core.labels import FERPLUS8, LabelSet
from pyojeong.runtime.network_check import check_network
from pyojeong.training.lightning_module import HeadedNet
from pyojeong.zoo import Entry, variant_of, verify

Weights = dict[str, NDArray[np.float32]]

_HALF, _INTEGERS = ".half", "_quantized"
_PREFIX, _HEAD = "net.", "classifier."


def start_from_model(model: HeadedNet, entry: Entry, faces: Tensor, *, labels: LabelSet) -> None:
    """Give a net (and its vote head, if both have one) the weights of a shipped model.

    Args:
        model: Its net must be the one that the shipped model was made of.
        entry: The shipped model. Of int8 weights its float16 variant is read where there is one,
            else they are taken as they are, rounded.
        faces: (N, C, H, W) as the net sees them; its batch norms are measured on them.
        labels: Of the data. The classifier takes over the labels that the shipped model knows by
            name, and stays fresh for others. A net without a vote head takes them from the shipped
            model's vote head, if that is what the model answers with.

    Raises:
        ExperimentError: When the model was made of another net, or keeps no float weights.
        ModelCorrupt: When its file is damaged.
    """
    entry = weights_of(entry)
    weights = _initialisers(entry)
    heads = _under("vote_head.", weights)
    own = _under(_PREFIX, weights)
    known, source = entry.card.label_set, _under(_HEAD, own)
    if model.vote_head is None and heads and entry.card.vote_calibration is not None:
        known, source = FERPLUS8, heads
    fresh = {k: v.numpy() for k, v in model.net.state_dict().items() if k.startswith(_HEAD)}
    own = {k: v for k, v in own.items() if not k.startswith(_HEAD)}
    own |= _rows_by_name(fresh, source, known=known, labels=labels)
    offsets = _fill(model.net, own, entry.card.id)
    if model.vote_head is not None and heads:
        model.vote_head.load_state_dict({k: torch.from_numpy(v) for k, v in heads.items()})
    if offsets:
        _unfold(model.net, offsets, faces)


def _rows_by_name(fresh: Weights, source: Weights, *, known: LabelSet, labels: LabelSet) -> Weights:
    """Return a classifier's weight and bias with the rows of all labels that ``source`` knows."""
    pairs = [(i, known.names.index(n)) for i, n in enumerate(labels.names) if n in known.names]
    out = {}
    for key, values in fresh.items():
        rows, theirs = values.copy(), source.get(key.removeprefix(_HEAD))
        if theirs is not None and theirs.shape[1:] == rows.shape[1:]:
            for ours, row in pairs:
                rows[ours] = theirs[row]
        out[key] = rows
    return out


def weights_of(entry: Entry) -> Entry:
    """Return the model that is read: of int8 weights the float16 variant, where there is one."""
    return (variant_of(entry) or entry) if "int8_effect" in entry.card.metrics else entry


def _under(prefix: str, weights: Weights) -> Weights:
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _initialisers(entry: Entry) -> Weights:
    verify(entry)
    check_network(entry.weights, entry.card.id)
    graph = onnx.load(str(entry.weights), load_external_data=False).graph
    values = {t.name: np.asarray(numpy_helper.to_array(t)) for t in graph.initializer}
    weights = {
        name.removesuffix(_HALF): value.astype(np.float32)
        for name, value in values.items()
        if not name.endswith(_INTEGERS)
    }
    for node in graph.node:
        if not node.input or not all(name in values for name in node.input):
            continue  # a Constant has no input
        first = values[node.input[0]]
        if node.op_type == "Cast":
            values[node.output[0]] = first.astype(np.float32)
        elif node.op_type == "DequantizeLinear" and node.input[0].endswith(_INTEGERS):
            weights[node.input[0].removesuffix(_INTEGERS)] = _dequantised(node, values)
    return weights


def _dequantised(node: onnx.NodeProto, values: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return (q - zero point) * scale along the node's axis."""
    q, scale, *zero = (values[name] for name in node.input)
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    shape = [-1 if i == axis % max(q.ndim, 1) else 1 for i in range(q.ndim)]
    offset = zero[0] if zero else np.zeros_like(scale, q.dtype)
    parts = [part.reshape(shape) if part.ndim else part for part in (offset, scale)]
    return np.asarray((q.astype(np.float32) - parts[0].astype(np.float32)) * parts[1], np.float32)


def _fill(net: nn.Module, weights: Weights, name: str) -> Weights:
    """Copy what has a place of its own; returns the offsets of folded norms by the norm's name."""
    state = net.state_dict()
    offsets = {}
    missing = {key for key in state if not key.endswith("num_batches_tracked")}
    for key, values in weights.items():
        if key in state and tuple(state[key].shape) == values.shape:
            state[key] = torch.from_numpy(values.copy())
            missing.discard(key)
        elif key.endswith(".bias") and (norm := _norm_behind(key, state)) is not None:
            offsets[norm] = values
            missing -= {f"{norm}.{part}" for part in _NORM_PARTS}
        else:
            missing.add(key)
            break
    if missing:
        raise ExperimentError(
            f"start = {name!r}: that model was made of another net ({min(missing)} differs); give "
            "[net] the name and the sizes on its card"
        )
    net.load_state_dict(state)
    return offsets


_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def _norm_behind(bias: str, state: dict[str, Tensor]) -> str | None:
    """Return the name of the norm that follows a convolution's bias in one Sequential."""
    parent, _, index = bias.removesuffix(".bias").rpartition(".")
    if not index.isdigit():
        return None
    norm = f"{parent}.{int(index) + 1}"
    return norm if f"{norm}.running_var" in state else None


@torch.no_grad()
def _unfold(net: nn.Module, offsets: Weights, faces: Tensor) -> None:
    """Measure the norms' inputs and let the norms give what went in, plus the offset."""
    norms: dict[str, Any] = {name: net.get_submodule(name) for name in offsets}
    seen: dict[nn.Module, Tensor] = {}
    hooks = []
    for name, norm in norms.items():
        _set(norm, mean=0, variance=1 - norm.eps, factor=1, offset=torch.from_numpy(offsets[name]))
        hooks.append(norm.register_forward_pre_hook(lambda at, x: seen.update({at: x[0].double()})))
    was_training = net.training
    net.eval()(faces)
    net.train(was_training)
    for hook in hooks:
        hook.remove()
    for norm in norms.values():
        mean, variance = seen[norm].mean((0, 2, 3)), seen[norm].var((0, 2, 3))
        factor = (variance + norm.eps).sqrt()
        _set(norm, mean=mean, variance=variance, factor=factor, offset=norm.bias + mean)


def _set(norm: Any, *, mean: Any, variance: Any, factor: Any, offset: Any) -> None:
    for place, values in (
        (norm.running_mean, mean),
        (norm.running_var, variance),
        (norm.weight, factor),
        (norm.bias, offset),
    ):
        place.copy_(torch.as_tensor(values))
