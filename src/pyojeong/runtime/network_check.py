"""What an ONNX file may hold, read from its bytes without onnx or onnxruntime.

A network of the project computes its answer from its own file in a bounded number of steps. So
tensors in other files, which no digest covers, control flow (``Loop``, ``If``, ``Scan``), functions
and operators of other domains are refused before onnxruntime sees the file. So are sizes that
follow from pixel values: how much memory a run needs could not be known from a trial then.

Numbers of fields are those of onnx.proto3.
"""

from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.errors import ModelCorrupt, ModelMismatch

DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
"""ONNX's own operators, and those that onnxruntime brings along."""

CONTROL = frozenset({"Loop", "If", "Scan", "SequenceMap"})

_MOST_NODES = 100_000
_MOST_NUMBERS = 2**28  # of one declared input: 1 GB as float32

# Inputs of operators that say how large the result is.
_SIZES = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "Tile": (1,),
    "Pad": (1,),
    "Range": (0, 1, 2),
    "Resize": (2, 3),
    "Upsample": (1,),
    "OneHot": (1,),
    "CenterCropPad": (1,),
    "AffineGrid": (1,),
    "Reshape": (1,),
}
_SHAPES = frozenset({"Shape", "Size"})  # their results do not depend on values

Field = tuple[int, int, int, memoryview]
"""Number, wire type, value of a varint (else 0), and bytes."""


def check_network(path: Path, name: str) -> None:
    """Refuse an ONNX file that reads other files, or whose run has no bound.

    Args:
        path: The file.
        name: The model's id, for messages.

    Raises:
        ModelMismatch: When it holds what the module's text excludes; the part is named.
        ModelCorrupt: When it could not be read, or is not an ONNX network.
    """
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise ModelCorrupt(f"weight file {path} could not be read: {error.strerror}") from error
    try:
        _check_model(data)
    except _Refused as reason:
        raise ModelMismatch(f"model {name!r} ({path}) is refused: {reason}") from None
    except (IndexError, ValueError, RecursionError):
        raise ModelCorrupt(
            f"weight file {path} of model {name!r} could not be opened as an ONNX network: it is "
            "damaged or of another kind"
        ) from None


class _Refused(Exception):  # noqa: N818 - a reason, turned into a ModelMismatch above
    """What the file may not hold."""


def _check_model(data: memoryview) -> None:
    graphs = 0
    for number, _, _, value in _fields(data):
        if number == 25:
            raise _Refused(
                "it defines functions of its own; export it with plain operators (inlined)"
            )
        if number == 20:
            raise _Refused("it holds training graphs; export it for inference")
        if number == 7:
            graphs += 1
            _check_graph(value)
    if graphs != 1:
        raise ValueError


def _check_graph(graph: memoryview) -> None:
    nodes: list[memoryview] = []
    inputs: set[str] = set()
    constants: set[str] = set()
    for number, _, _, value in _fields(graph):
        if number == 1:
            nodes.append(value)
        elif number == 5:
            constants.add(_check_tensor(value))
        elif number == 15:
            raise _Refused("it holds sparse tensors; export it with dense ones")
        elif number == 11:
            inputs.add(_check_input(value))
    if len(nodes) > _MOST_NODES:
        raise _Refused(f"it has {len(nodes)} nodes, more than {_MOST_NODES}")
    values = inputs - constants  # names whose values follow from the pixels
    for node in nodes:
        _check_node(node, values)


def _check_node(node: memoryview, values: set[str]) -> None:
    """Check a node, and add its results to ``values`` when they follow from the pixels."""
    parts: dict[int, list[memoryview]] = {}
    for number, _, _, value in _fields(node):
        parts.setdefault(number, []).append(value)
    given, made = ([_text(v) for v in parts.get(number, ())] for number in (1, 2))
    # Of a field that is not a list, the last one counts.
    kind, domain = (_text(parts[number][-1]) if number in parts else "" for number in (4, 7))
    if domain not in DOMAINS:
        raise _Refused(
            f"its operator {kind!r} is of the domain {domain!r}; only ONNX's own operators run"
        )
    if kind in CONTROL:
        raise _Refused(
            f"it holds the control-flow operator {kind!r}, whose run has no bound; export it "
            "without branches and loops"
        )
    for attribute in parts.get(5, ()):
        _check_attribute(attribute, kind)
    sizes = [given[place] for place in _SIZES.get(kind, ()) if place < len(given)]
    if any(name in values for name in sizes):
        raise _Refused(
            f"the size of what its operator {kind!r} makes follows from pixel values; export it "
            "with sizes that follow from shapes"
        )
    if kind not in _SHAPES and any(name in values for name in given):
        values.update(made)


def _check_attribute(attribute: memoryview, kind: str) -> None:
    for number, _, _, value in _fields(attribute):
        if number in {6, 11}:
            raise _Refused(f"its operator {kind!r} holds a graph; export it without subgraphs")
        if number in {22, 23}:
            raise _Refused("it holds sparse tensors; export it with dense ones")
        if number in {5, 10}:
            _check_tensor(value)


def _check_tensor(tensor: memoryview) -> str:
    """Return a tensor's name; refuse one that lies in another file."""
    name, elsewhere = "", False
    for number, _, amount, value in _fields(tensor):
        if number == 8:
            name = _text(value)
        elif number == 13 or (number == 14 and amount == 1):
            elsewhere = True
    if elsewhere:
        raise _Refused(
            f"its tensor {name!r} lies in another file, which the card's digest does not cover; "
            "save it as one file (onnx.save with save_as_external_data=False)"
        )
    return name


def _check_input(info: memoryview) -> str:
    """Return an input's name; refuse a size that no face needs."""
    name, numbers = "", 1
    for number, _, _, value in _fields(info):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for size in _sizes(value):
                if size < 0:
                    raise _Refused(f"its input {name!r} has a side of {size}")
                numbers *= size or 1
    if numbers > _MOST_NUMBERS:
        raise _Refused(f"its input {name!r} has {numbers} numbers, more than {_MOST_NUMBERS}")
    return name


def _sizes(kind: memoryview) -> Iterator[int]:
    """Yield the declared sizes of a TypeProto: tensor_type 1, shape 2, dim 1, dim_value 1."""
    for tensor in _inside(kind, 1):
        for shape in _inside(tensor, 2):
            for dim in _inside(shape, 1):
                for number, wire, amount, _ in _fields(dim):
                    if (number, wire) == (1, 0):
                        yield amount - 2**64 if amount >= 2**63 else amount


def _inside(data: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, wire, _, value in _fields(data):
        if (number, wire) == (wanted, 2):
            yield value


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8", "backslashreplace")


def _fields(data: memoryview) -> Iterator[Field]:
    """Yield the fields of a protobuf message.

    Raises:
        ValueError: When it is none.
        IndexError: When it ends too early.
    """
    at, end = 0, len(data)
    empty = data[:0]
    while at < end:
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        amount, value = 0, empty
        if wire == 0:
            amount, at = _varint(data, at)
        elif wire in {1, 5}:
            at += 8 if wire == 1 else 4
        elif wire == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError
        if at > end or number == 0:
            raise IndexError
        yield number, wire, amount, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value & (2**64 - 1), at
        shift += 7
        if shift > 63:
            raise ValueError
