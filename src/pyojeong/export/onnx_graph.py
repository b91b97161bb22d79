"""A torch net as one ONNX file whose weights are stored as float16.

Batch norms are folded into the convolutions where they follow them in a Sequential, and every
weight is rounded to float16, because that halves the file; arithmetic stays float32.
"""

import io
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pyojeong._version import __version__

OPSET = 17


class _Logits(nn.Module):
    """The classifier, and the vote head beside it when there is one."""

    def __init__(self, net: nn.Module, vote_head: nn.Module | None) -> None:
        super().__init__()
        self.net = net
        self.vote_head = vote_head

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        if self.vote_head is None:
            logits: torch.Tensor = self.net(x)
            return logits
        features = self.net.forward_features(x)  # type: ignore[operator]
        return self.net.classifier(features), self.vote_head(features)  # type: ignore[operator]


def fold_batch_norms(module: nn.Module) -> None:
    """Fold every BatchNorm2d that directly follows a Conv2d in a Sequential into it, in place."""
    for child in module.children():
        fold_batch_norms(child)
    if not isinstance(module, nn.Sequential):
        return
    for i in range(len(module) - 1):
        conv, norm = module[i], module[i + 1]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module[i] = fuse_conv_bn_eval(conv, norm)
            module[i + 1] = nn.Identity()


def round_to_half(module: nn.Module) -> None:
    """Round weights and statistics to the nearest float16, in place; arithmetic stays float32."""
    with torch.no_grad():
        for values in (*module.parameters(), *module.buffers()):
            if values.is_floating_point():
                values.copy_(values.half().float())


def store_half(model: onnx.ModelProto, *, lossless: bool = False) -> onnx.ModelProto:
    """Store float32 initialisers as float16 with a Cast to float32, which is folded on opening.

    Args:
        model: Changed in place and returned.
        lossless: Only those whose values are all float16 numbers already.
    """
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or (lossless and not _is_half(tensor)):
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model


_WORTH_IT = 256
"""Numbers in an initialiser below which a Cast of its own takes more room than it saves."""


def _is_half(tensor: TensorProto) -> bool:
    values = numpy_helper.to_array(tensor)
    if values.size < _WORTH_IT:
        return False
    with np.errstate(over="ignore"):
        return bool((values.astype(np.float16).astype(np.float32) == values).all())


def share_equal(model: onnx.ModelProto) -> onnx.ModelProto:
    """Keep one of the initialisers that are equal, such as the zero points of an int8 graph.

    Args:
        model: Changed in place and returned; without subgraphs.
    """
    graph = model.graph
    first: dict[bytes, str] = {}
    kept_for: dict[str, str] = {}
    kept = []
    for tensor in graph.initializer:
        nameless = TensorProto()
        nameless.CopyFrom(tensor)
        nameless.ClearField("name")
        content = nameless.SerializeToString(deterministic=True)
        kept_for[tensor.name] = first.setdefault(content, tensor.name)
        if kept_for[tensor.name] == tensor.name:
            kept.append(tensor)
    for node in graph.node:
        node.input[:] = [kept_for.get(name, name) for name in node.input]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


def merge_pads(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let convolutions pad with zeros themselves where a Pad node of their own does it for them.

    Torch cannot say of a convolution that it pads more on one side; ONNX can, and a Pad node costs
    as much time as a small convolution.

    Args:
        model: Changed in place and returned; without subgraphs.
    """
    graph = model.graph
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    merged = []
    for pad in graph.node:
        conv = readers.get(pad.output[0], [None])[0]
        if pad.op_type != "Pad" or conv is None or conv.op_type != "Conv":
            continue
        amounts = _zero_pads(pad, values)
        if amounts is None or len(readers[pad.output[0]]) > 1:
            continue
        _pad_more(conv, amounts)
        conv.input[0] = pad.input[0]
        merged.append(pad)
    for pad in merged:
        graph.node.remove(pad)
    used = {name for node in graph.node for name in node.input}
    kept = [t for t in graph.initializer if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


def _zero_pads(pad: onnx.NodeProto, values: dict[str, np.ndarray]) -> list[int] | None:
    """Return top, left, bottom, right of a Pad with zeros over two dimensions; None for others."""
    mode = next((helper.get_attribute_value(a) for a in pad.attribute if a.name == "mode"), b"")
    fill = pad.input[2] if len(pad.input) > 2 else ""
    amounts = values.get(pad.input[1])
    if mode not in (b"", b"constant") or amounts is None or len(amounts) != 8 or len(pad.input) > 3:
        return None
    if fill and (fill not in values or np.any(values[fill] != 0)):
        return None
    before, after = amounts[:4], amounts[4:]
    if any(before[:2]) or any(after[:2]) or amounts.min() < 0:
        return None
    return [int(v) for v in (*before[2:], *after[2:])]


def _pad_more(conv: onnx.NodeProto, amounts: list[int]) -> None:
    """Add to a convolution's padding."""
    for attribute in conv.attribute:
        if attribute.name == "pads":
            attribute.ints[:] = [a + b for a, b in zip(attribute.ints, amounts, strict=True)]
            return
    conv.attribute.append(helper.make_attribute("pads", amounts))


def is_weight(name: str) -> bool:
    """Return whether an initializer holds a weight of the net or of its vote head."""
    plain = name.removesuffix(".half").removesuffix("_quantized")
    return plain.startswith(("net.", "vote_head.")) and plain.endswith((".weight", ".bias"))


def shorten_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace the names of values inside a graph by numbers: up to 200 bytes less a node.

    Inputs and outputs keep their names, and weights the net's own, so that a training can start
    from them; the shapes of inner values, which every runtime infers, and the names of nodes are
    dropped.

    Args:
        model: Changed in place and returned; without subgraphs.
    """
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)} | {""}
    kept |= {t.name for t in graph.initializer if is_weight(t.name)}
    short: dict[str, str] = {}

    def rename(name: str) -> str:
        return name if name in kept else short.setdefault(name, f"{len(short):x}")

    for tensor in graph.initializer:
        tensor.name = rename(tensor.name)
    for node in graph.node:
        node.name = ""
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
    del graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    return model


def to_onnx(
    net: nn.Module,
    shape: tuple[int, int, int],
    metadata: dict[str, str],
    *,
    vote_head: nn.Module | None = None,
) -> bytes:
    """Return one self-contained ONNX file: ``faces`` (N, C, H, W) in, ``logits`` (N, K) out.

    With a vote head, ``votes`` (N, 8) is a second output.
    """
    outputs = ["logits"] if vote_head is None else ["logits", "votes"]
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The TorchScript exporter writes one file and folds constants; its successor writes two.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Logits(net, vote_head).eval(),
            (torch.zeros(2, *shape),),
            buffer,  # type: ignore[arg-type]
            input_names=["faces"],
            output_names=outputs,
            dynamic_axes={name: {0: "N"} for name in ("faces", *outputs)},
            opset_version=OPSET,
            # Else the exporter folds batch norms that were not folded before, and its float32
            # weights would be rounded after the net they are compared with; the runtime folds them.
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
    model = store_half(onnx.load_from_string(buffer.getvalue()))
    model.producer_name, model.producer_version = "pyojeong", __version__
    helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())
