"""ONNX files from elsewhere: one file, bounded, and finite answers, or one clear error."""

import random
import time
from contextlib import suppress
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pyojeong.core.errors import ModelCorrupt, ModelError, ModelMismatch
from pyojeong.runtime import trial_run
from pyojeong.runtime.network_check import check_network
from pyojeong.runtime.session import Session
from pyojeong.zoo import BUNDLED
from tests.runtime.test_session import network, put

node = helper.make_node


def const(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def model(nodes, constants=(), *, domains=(), functions=(), shape=("N", 1, 4, 4)):
    """(N, 1, 4, 4) -> (N, 7); the nodes add "more" to what is the answer otherwise."""
    base = [
        node("Flatten", ["image"], ["flat"]),
        node("MatMul", ["flat", "weights"], ["plain"]),
        *nodes,
        node("Add", ["plain", "more"], ["logits"]),
    ]
    graph = helper.make_graph(
        base,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 7])],
        [const("weights", np.ones((16, 7), np.float32)), *constants],
    )
    opsets = [helper.make_opsetid("", 13), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))


def f(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def loop():
    true = const("true", True)
    body = helper.make_graph(
        [node("Identity", ["c"], ["c2"]), node("Add", ["v", "v"], ["v2"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            f("v", 7),
        ],
        [helper.make_tensor_value_info("c2", TensorProto.BOOL, []), f("v2", 7)],
    )
    start = const("start", np.zeros(7, np.float32))
    return model([node("Loop", ["", "true", "start"], ["more"], body=body)], [true, start])


def branch():
    zeros = helper.make_tensor("z", TensorProto.FLOAT, [7], [0] * 7)
    bodies = [
        helper.make_graph([node("Constant", [], ["o"], value=zeros)], "b", [], [f("o", 7)])
        for _ in range(2)
    ]
    return model(
        [node("If", ["true"], ["more"], then_branch=bodies[0], else_branch=bodies[1])],
        [const("true", True)],
    )


def foreign():
    return model([node("Evil", ["plain"], ["more"], domain="com.example")], domains=["com.example"])


def hidden_graph():
    body = helper.make_graph([node("Identity", ["a"], ["b"])], "b", [f("a", 7)], [f("b", 7)])
    made = node("Sampling", ["plain"], ["more"], domain="com.microsoft", decoder=body)
    return model([made], domains=["com.microsoft"])


def functions():
    own = helper.make_function(
        "own", "f", ["a"], ["b"], [node("Identity", ["a"], ["b"])], [helper.make_opsetid("", 13)]
    )
    return model([node("f", ["plain"], ["more"], domain="own")], domains=["own"], functions=[own])


def sparse():
    made = model([node("Identity", ["plain"], ["more"])])
    values = helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0])
    where = helper.make_tensor("i", TensorProto.INT64, [1], [1])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, where, [10**9]))
    return made


def size_from_pixels():
    return model(
        [
            node("ReduceMax", ["image"], ["most"], keepdims=0),
            node("Cast", ["most"], ["count"], to=TensorProto.INT64),
            node("Reshape", ["count", "one"], ["size"]),
            node("ConstantOfShape", ["size"], ["zeros"]),
            node("ReduceMax", ["zeros"], ["more"], keepdims=0),
        ],
        [const("one", np.array([1], np.int64))],
    )


def elsewhere(attribute):
    made = model([node("Identity", ["plain"], ["more"])])
    tensor = made.graph.initializer[0]
    if attribute:
        tensor = (
            made.graph.node.add(op_type="Constant", output=["unused"])
            .attribute.add(name="value", type=onnx.AttributeProto.TENSOR)
            .t
        )
        tensor.CopyFrom(const("far", np.ones(4, np.float32)))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (loop, "Loop"), (branch, "If"), (foreign, r"com\.example"), (hidden_graph, "subgraphs"),
        (functions, "functions|own"), (sparse, "sparse"), (size_from_pixels, "pixel values"),
        (partial(elsewhere, attribute=False), "another file"),
        (partial(elsewhere, attribute=True), "another file"),
        (partial(model, [node("Identity", ["plain"], ["more"])], shape=("N", 1, 4, 2**40)), "numb"),
    ],
)  # fmt: skip
def test_what_is_not_one_bounded_file_is_refused(tmp_path, made, words):
    (tmp_path / "weights.bin").write_bytes(bytes(448))
    with pytest.raises(ModelMismatch, match=rf"tiny\.v1.*refused.*{words}"):
        Session(put(tmp_path, made().SerializeToString()))


def huge_constant():
    size = const("size", np.array([50_000, 50_000], np.int64))
    return model(
        [
            node("ConstantOfShape", ["size"], ["big"]),
            node("ReduceMax", ["big"], ["more"], keepdims=0),
        ],
        [size],
    )


def doubling():
    """Return a network that doubles 16 numbers 29 times: 34 GB."""
    nodes = [node("Concat", ["flat", "flat"], ["d0"], axis=1)]
    nodes += [node("Concat", [f"d{i}", f"d{i}"], [f"d{i + 1}"], axis=1) for i in range(28)]
    return model([*nodes, node("ReduceMax", ["d28"], ["more"], keepdims=0)])


def outer_product():
    size = const("size", np.array([1, 60_000], np.int64))
    return model(
        [
            node("ReduceMax", ["image"], ["most"], keepdims=0),
            node("Expand", ["most", "size"], ["row"]),
            node("Transpose", ["row"], ["column"], perm=[1, 0]),
            node("Mul", ["row", "column"], ["all"]),
            node("ReduceMax", ["all"], ["more"], keepdims=0),
        ],
        [size],
    )


@pytest.mark.parametrize("made", [huge_constant, doubling, outer_product])
def test_gigabytes_end_in_an_error(tmp_path, made):
    with pytest.raises(ModelError, match=r"tiny\.v1.*refused.*GB of memory"):
        Session(put(tmp_path, made().SerializeToString()))


@pytest.mark.slow
def test_work_without_end_is_ended(tmp_path):
    size = const("size", np.array([3000, 3000], np.int64))
    nodes = [
        node("ReduceMax", ["image"], ["most"], keepdims=0),
        node("Expand", ["most", "size"], ["m0"]),
        *(node("MatMul", [f"m{i}", "m0"], [f"m{i + 1}"]) for i in range(500)),
        node("ReduceMax", ["m500"], ["more"], keepdims=0),
    ]
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"tiny\.v1.*refused.*6 s"):
        Session(put(tmp_path, model(nodes, [size]).SerializeToString()))
    assert time.monotonic() - began < trial_run.WALL_SECONDS


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_is_an_error(tmp_path, wrong):
    more = const("more", np.full(7, wrong, np.float32))
    session = Session(put(tmp_path, model([], [more]).SerializeToString()))
    with pytest.raises(ModelMismatch, match=r"tiny\.v1.*not finite"):
        session.run(np.zeros((1, 1, 4, 4), np.float32))


def test_a_network_of_another_kind_of_run_is_still_opened(tmp_path):
    session = Session(put(tmp_path, network()))
    assert session.run(np.ones((2, 1, 4, 4), np.float32))[0].shape == (2, 7)


def test_bundled_networks_are_not_tried(monkeypatch):
    from pyojeong.runtime import session as sessions
    from pyojeong.zoo import find

    monkeypatch.setattr(sessions, "try_network", None)
    monkeypatch.setattr(sessions, "_verified", set())
    Session(find(BUNDLED / "seresnet-s-fer2013-fer7.v4.onnx"))


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_are_refused_without_a_crash(tmp_path, seed):
    data = network()
    draw = random.Random(seed)
    for _ in range(100):
        changed = bytearray(data)
        for _ in range(draw.randint(1, 8)):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        file = tmp_path / "x.onnx"
        file.write_bytes(changed[: draw.randint(0, len(changed))])
        with suppress(ModelMismatch, ModelCorrupt):
            check_network(file, "x")
