"""Cards: the same after a trip through JSON, and never half understood."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.card import CARD_VERSION, ModelCard, Preprocess
from pyojeong.core.errors import ModelMismatch
from pyojeong.core.labels import FER7

TEMPLATE = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
GRAY = Preprocess(size_hw=(48, 48), color="gray", mean=(0.5,), std=(0.25,), template=TEMPLATE)
CARD = ModelCard(
    id="tiny-48-made.up",
    kind="classifier",
    file="tiny.onnx",
    sha256="ab" * 32,
    description="표정, made up",
    labels="fer7",
    preprocess=GRAY,
    temperature=1.5,
    threshold=0.4,
    license="Apache-2.0",
    license_flags=("data:research-only",),
    training={"seed": 1, "splits": ["a", "b"]},
    metrics={"accuracy": 0.7},
    limits=("Children.",),
)


def changed(**values):
    return json.dumps(json.loads(CARD.to_json()) | values)


def with_preprocess(**values):
    data = json.loads(CARD.to_json())
    data["preprocess"] |= values
    return json.dumps(data)


def test_json_round_trip(tmp_path):
    assert ModelCard.from_json(CARD.to_json()) == CARD
    (tmp_path / "c.card.json").write_text(CARD.to_json(), encoding="utf-8")
    assert ModelCard.read(tmp_path / "c.card.json") == CARD
    assert CARD.to_json().endswith("}\n")
    assert "표정" in CARD.to_json()


def test_the_shortest_card():
    text = '{"id": "a", "kind": "detector", "file": "a.onnx", "sha256": "", "description": ""}'
    card = ModelCard.from_json(text)
    assert (card.labels, card.preprocess, card.temperature) == (None, None, 1.0)
    assert ModelCard.from_json(card.to_json()) == card
    with pytest.raises(ModelMismatch, match="detector"):
        _ = card.label_set


def test_label_set():
    assert CARD.label_set is FER7


@given(
    st.tuples(st.integers(1, 500), st.integers(1, 500)),
    st.sampled_from(["gray", "rgb"]),
    st.floats(0, 1),
    st.floats(0.01, 3),
    st.none() | st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=5, max_size=5),
    st.floats(0, 2),
)
def test_preprocess_round_trip(size, color, mean, scale, template, margin):
    n = 1 if color == "gray" else 3
    pre = Preprocess(
        size_hw=size,
        color=color,
        mean=(mean,) * n,
        std=(scale,) * n,
        center_fraction=scale,
        template=None if template is None else tuple(template),
        margin=margin,
        box_scale=scale,
        box_shift_y=-margin,
    )
    assert Preprocess.from_dict(json.loads(json.dumps(dataclasses.asdict(pre)))) == pre
    assert pre.channels == n


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (changed(colour="x"), r"unknown keys \['colour'\]"),
        (with_preprocess(center_fractoin=1), r"unknown keys \['center_fractoin'\]"),
        (changed(card_version=CARD_VERSION + 1), "upgrade"),
        (changed(kind="clasifier"), "kind"),
        (changed(temperature=0), "temperature"),
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "incomplete"),
        (changed(license_flags=None), "incomplete"),
        (with_preprocess(color="bgr"), "color"),
        (with_preprocess(color="rgb"), "3 means"),
        (with_preprocess(std=[0.0]), "positive"),
        (with_preprocess(std=["a"]), "incomplete"),
        (with_preprocess(center_fraction=0), "positive"),
        (with_preprocess(template=[[0, 0]]), "5 points"),
        (with_preprocess(template=[[0, 0, 0]] * 5), "incomplete"),
        (changed(preprocess={"color": "gray"}), "incomplete"),
    ],
)
def test_bad_cards(text, says):
    with pytest.raises(ModelMismatch, match=says):
        ModelCard.from_json(text)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"{}"])
def test_unreadable_files_are_named(tmp_path, content):
    path = tmp_path / "odd.card.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelMismatch, match=r"odd\.card\.json"):
        ModelCard.read(path)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CARD.threshold = 0.1
    with pytest.raises(dataclasses.FrozenInstanceError):
        GRAY.margin = 0.1
