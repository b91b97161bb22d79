"""Trainings that start from a shipped model's weights."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from pyojeong.core.errors import ExperimentError
from pyojeong.core.labels import FER7, FERPLUS8, LabelSet
from pyojeong.runtime.classifier import Classifier
from pyojeong.training.lightning_module import HeadedNet
from pyojeong.training.nets.registry import build_net
from pyojeong.training.onnx_warm_start import _initialisers, start_from_model
from pyojeong.zoo import DEFAULT_MODEL, FER2013_MODEL, Entry, find

MODEL = f"{FER2013_MODEL}-float16"


def fitting(*, votes: bool, classes: int = 7, model: str = MODEL) -> HeadedNet:
    """The net that a bundled model was made of, with fresh weights."""
    made_of = find(model).card.training["experiment"]
    options = {"in_channels": 1} if made_of["net"] == "columns" else {}
    net = build_net(made_of["net"], num_classes=classes, **made_of["net_options"], **options)
    return HeadedNet(net, votes=votes)


@pytest.fixture
def faces() -> torch.Tensor:
    return noise(MODEL)


def noise(model: str) -> torch.Tensor:
    """Smooth noise as a model's net sees faces."""
    pre = find(model).card.preprocess
    assert pre is not None
    shape = (64, pre.channels, *pre.size_hw)
    values = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    return torch.nn.functional.avg_pool2d(torch.from_numpy(values), 5, 1, 2) * 4


def test_the_net_answers_as_the_model_does(faces: torch.Tensor) -> None:
    entry = find(MODEL)
    model = fitting(votes=True).eval()
    start_from_model(model, entry, faces, labels=FER7)
    wanted = Classifier.open(entry).logits(faces.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(model(faces)[0].numpy(), wanted, atol=2e-3)
        # and nearly so in training, whose norms use the batch's own statistics: they are restored
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout | torch.nn.Dropout2d):
                module.p = 0.0
        again = model(faces)[0].numpy()
    assert (again.argmax(1) == wanted.argmax(1)).mean() > 0.9
    np.testing.assert_allclose(again, wanted, atol=0.2)


def test_int8_weights_are_read_from_their_twin(faces: torch.Tensor) -> None:
    nets = []
    for name in (MODEL, FER2013_MODEL):
        model = fitting(votes=True)
        start_from_model(model, find(name), faces, labels=FER7)
        nets.append(model.state_dict())
    for key, values in nets[0].items():
        torch.testing.assert_close(nets[1][key], values, msg=key)


def test_int8_weights_without_a_variant_are_taken_as_they_are() -> None:
    entry, inputs = find(DEFAULT_MODEL), noise(DEFAULT_MODEL)
    assert not entry.card.variant
    model = fitting(votes=True, model=DEFAULT_MODEL).eval()
    start_from_model(model, entry, inputs, labels=FER7)
    wanted = Classifier.open(entry).outputs(inputs.numpy())
    with torch.no_grad():
        found = [part.numpy() for part in model(inputs)]
    for ours, theirs in zip(found, wanted, strict=True):
        # What differs is the rounding of activations, which the net does not have.
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98
        assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.9


def test_without_a_vote_head_the_classifier_takes_what_the_model_answers_with(
    faces: torch.Tensor,
) -> None:
    entry, labels = find(MODEL), LabelSet("some", ("sad", "bored", "happy"))
    model = fitting(votes=False, classes=3).eval()
    fresh = model.net.classifier.weight[1].clone()
    start_from_model(model, entry, faces, labels=labels)
    wanted = Classifier.open(entry).outputs(faces.numpy())[1]
    columns = [FERPLUS8.names.index("sad"), FERPLUS8.names.index("happy")]
    with torch.no_grad():
        found = model(faces)[0].numpy()[:, [0, 2]]
    np.testing.assert_allclose(found, wanted[:, columns], atol=2e-3)
    torch.testing.assert_close(model.net.classifier.weight[1], fresh)  # a label of its own


def test_other_labels_get_a_fresh_classifier(faces: torch.Tensor) -> None:
    labels = LabelSet("two", ("calm", "loud"))
    model = fitting(votes=False, classes=2)
    fresh = model.net.classifier.weight.clone()
    start_from_model(model, find(MODEL), faces, labels=labels)
    torch.testing.assert_close(model.net.classifier.weight, fresh)


def test_another_net_is_refused_in_a_sentence(faces: torch.Tensor) -> None:
    model = HeadedNet(build_net("se_resnet", widths=(48, 96, 192, 384)), votes=False)
    with pytest.raises(ExperimentError, match=r"made of another net .*sizes on its card"):
        start_from_model(model, find(MODEL), faces, labels=FER7)


def test_constants_of_a_graph_are_no_weights(tmp_path: Path) -> None:
    """Exports with constants in their graph ended in an IndexError."""
    constant = helper.make_node(
        "Constant", [], ["c"], value=numpy_helper.from_array(np.ones(3, np.float32))
    )
    add = helper.make_node("Add", ["x", "c"], ["y"])
    kind = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [3]) for n in ("x", "y")]
    weight = numpy_helper.from_array(np.full(2, 7, np.float32), "w")
    file = tmp_path / "m.onnx"
    onnx.save(
        helper.make_model(helper.make_graph([constant, add], "g", kind[:1], kind[1:], [weight])),
        file,
    )
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    card = replace(find(MODEL).card, file="m.onnx", sha256=digest)
    assert set(_initialisers(Entry(card, tmp_path))) == {"w"}
