"""The door to onnxruntime: only the right file with the right inputs gets through."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pyojeong.core.card import ModelCard, Preprocess
from pyojeong.core.errors import BadArray, ModelCorrupt, ModelMismatch
from pyojeong.runtime.session import FakeSession, Port, Session
from pyojeong.zoo import Entry


def network(channels=1, side=4, classes=7, elem_type=TensorProto.FLOAT):
    """Mean over pixels times 1, 2, 3 ...: (N, C, side, side) -> (N, classes)."""
    pixels = channels * side * side
    weights = np.tile(np.arange(1, classes + 1, dtype=np.float32) / pixels, (pixels, 1))
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", elem_type, ["N", channels, side, side])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()


def put(folder, data, name="tiny", **changes):
    pre = Preprocess(size_hw=(4, 4), color="gray", mean=(0.5,), std=(0.5,))
    card = ModelCard(
        id=f"{name}.v1",
        kind="classifier",
        file=f"{name}.onnx",
        sha256=hashlib.sha256(data).hexdigest(),
        description="A model for tests.",
        labels="fer7",
        preprocess=pre,
    )
    (folder / f"{name}.onnx").write_bytes(data)
    return Entry(replace(card, **changes), folder)


@pytest.fixture
def entry(tmp_path):
    return put(tmp_path, network())


def test_runs_a_batch_given_as_array_or_by_name(entry):
    session = Session(entry)
    batch = np.stack([np.full((1, 4, 4), v, np.float32) for v in (1, 2, 3)])
    (logits,) = session.run(batch)
    np.testing.assert_allclose(logits, np.outer([1, 2, 3], np.arange(1, 8)), rtol=1e-5)
    np.testing.assert_array_equal(session.run({"image": batch})[0], logits)
    assert session.inputs == (Port("image", (None, 1, 4, 4)),)
    assert session.outputs == (Port("logits", (None, 7)),)
    assert session.id == entry.card.id == session.card.id


def test_opens_a_card_with_a_file_elsewhere(entry, tmp_path):
    moved = tmp_path / "moved.onnx"
    entry.weights.rename(moved)
    assert Session.open(entry.card, moved).run(np.zeros((1, 1, 4, 4), np.float32))


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_truncated_file(entry, cut):
    entry.weights.write_bytes(entry.weights.read_bytes()[:cut])
    with pytest.raises(ModelCorrupt, match="damaged"):
        Session(entry)


def test_flipped_byte(entry):
    data = bytearray(entry.weights.read_bytes())
    data[len(data) // 2] ^= 0xFF
    entry.weights.write_bytes(data)
    with pytest.raises(ModelCorrupt, match="damaged"):
        Session(entry)


def test_damage_after_a_first_session_is_noticed(entry):
    Session(entry)
    data = bytearray(entry.weights.read_bytes())
    data[-1] ^= 0xFF
    entry.weights.write_bytes(data)
    os.utime(entry.weights, ns=(1, 1))
    with pytest.raises(ModelCorrupt, match="damaged"):
        Session(entry)


@pytest.mark.parametrize("renamed", [False, True])
def test_damage_with_the_same_size_and_time_is_noticed(entry, renamed):
    Session(entry)
    before = entry.weights.stat()
    data = bytearray(entry.weights.read_bytes())
    data[-1] ^= 0xFF
    target = entry.weights.with_name("new") if renamed else entry.weights
    target.write_bytes(data)
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    target.replace(entry.weights)
    with pytest.raises(ModelCorrupt, match="damaged"):
        Session(entry)


def test_swapped_file(tmp_path):
    entry = put(tmp_path, network())
    other = put(tmp_path, network(channels=3), "other")
    entry.weights.write_bytes(other.weights.read_bytes())
    with pytest.raises(ModelCorrupt, match="is not the file of model"):
        Session(entry)


def test_missing_file(entry):
    entry.weights.unlink()
    with pytest.raises(ModelCorrupt, match="missing"):
        Session(entry)


def test_a_file_that_is_no_network_although_its_digest_fits(tmp_path):
    with pytest.raises(ModelCorrupt, match="could not be opened as an ONNX network"):
        Session(put(tmp_path, b"not a network"))


def test_a_network_with_other_channels_than_the_card(tmp_path):
    with pytest.raises(ModelMismatch, match=r"expected inputs of shape \(any, 1, 4, 4\).*3, 4, 4"):
        Session(put(tmp_path, network(channels=3)))


def test_a_network_with_other_labels_than_the_card(tmp_path):
    with pytest.raises(ModelMismatch, match="label set 'fer7'"):
        Session(put(tmp_path, network(classes=8)))


def test_a_network_with_other_inputs_than_the_caller_wants(entry):
    with pytest.raises(ModelMismatch, match="do not belong together"):
        Session(entry, inputs=[(None, 3, None, None)])
    with pytest.raises(ModelMismatch, match="do not belong together"):
        Session(entry, inputs=[(None, 1, 4, 4), (None, 1)])


@pytest.mark.parametrize(
    "feed",
    [
        np.zeros((1, 1, 4, 4)),
        np.zeros((1, 1, 4, 4), np.uint8),
        np.zeros((1, 3, 4, 4), np.float32),
        np.zeros((1, 4, 4), np.float32),
        {"picture": np.zeros((1, 1, 4, 4), np.float32)},
        {},
    ],
)
def test_a_bad_feed_says_what_was_expected(entry, feed):
    with pytest.raises(BadArray, match="expected"):
        Session(entry).run(feed)


def test_threads_must_be_positive(entry):
    with pytest.raises(BadArray, match="at least 1"):
        Session(entry, threads=0)


@pytest.mark.parametrize("spin", [False, True])
def test_two_threads_give_what_one_gives(entry, spin):
    batch = np.random.default_rng(0).normal(size=(5, 1, 4, 4)).astype(np.float32)
    (one,) = Session(entry).run(batch)
    (two,) = Session(entry, threads=2, spin=spin).run(batch)
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_one_session_in_many_threads(entry):
    session = Session(entry)
    batches = [np.full((2, 1, 4, 4), v, np.float32) for v in range(20)]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda b: session.run(b)[0], batches))
    for batch, logits in zip(batches, got, strict=True):
        np.testing.assert_array_equal(logits, session.run(batch)[0])


def test_fake_session_answers_with_its_function():
    fake = FakeSession(lambda feed: [feed * 2], id="double")
    assert fake.id == "double"
    np.testing.assert_array_equal(fake.run(np.ones(3))[0], np.full(3, 2.0))
