"""Features on cards: there and back through JSON, and wrong ones refused in one sentence."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.card import ModelCard, Preprocess
from pyojeong.core.errors import ModelMismatch
from pyojeong.core.feature import (
    FEATURES,
    Clahe,
    Equalize,
    Hog,
    HogVector,
    Lbp,
    feature_from_dict,
    feature_to_dict,
)

GRAY = Preprocess(size_hw=(48, 48), color="gray", mean=(0.5,), std=(0.25,))
WHOLE = st.integers(2, 20)
ANY = st.one_of(
    st.builds(Clahe, clip=st.floats(0.01, 50) | st.integers(1, 50), grid=WHOLE),
    st.builds(Hog, orientations=WHOLE, cell=WHOLE),
    st.builds(HogVector, orientations=WHOLE, cell=WHOLE, block=WHOLE),
    st.builds(Lbp, method=st.sampled_from(["default", "ror", "uniform", "var"])),
    st.builds(Equalize),
)


def card(feature):
    return ModelCard(
        id="tiny-48-made.up",
        kind="classifier",
        file="tiny.onnx",
        sha256="ab" * 32,
        description="made up",
        labels="fer7",
        preprocess=dataclasses.replace(GRAY, feature=feature),
    )


def test_the_names():
    assert {name: kind().name for name, kind in FEATURES.items()} == {n: n for n in FEATURES}
    assert set(FEATURES) == {"clahe", "hog", "hog-vector", "lbp", "equalize"}


@given(ANY)
def test_there_and_back(feature):
    data = feature_to_dict(feature)
    assert next(iter(data)) == "name"
    assert FEATURES[data["name"]] is type(feature)
    assert feature_from_dict(json.loads(json.dumps(data))) == feature


@pytest.mark.parametrize("kind", FEATURES.values())
def test_on_a_card(kind):
    written = card(kind())
    assert json.loads(written.to_json())["preprocess"]["feature"]["name"] == kind().name
    again = ModelCard.from_json(written.to_json())
    assert again == written
    assert hash(again.preprocess) == hash(written.preprocess)
    assert again.to_json() == written.to_json()


def test_whole_numbers_are_written_as_they_are_read():
    assert feature_from_dict({"name": "clahe", "clip": 5, "grid": 4}) == Clahe(clip=5.0, grid=4)
    same = feature_to_dict(Clahe(clip=5))
    assert json.dumps(same) == '{"name": "clahe", "clip": 5.0, "grid": 4}'


def test_cards_without_a_feature():
    plain = card(None)
    data = json.loads(plain.to_json())
    assert data["preprocess"]["feature"] is None
    assert ModelCard.from_json(json.dumps(data)) == plain
    del data["preprocess"]["feature"]  # as older versions wrote it
    assert ModelCard.from_json(json.dumps(data)) == plain


def test_defaults_may_be_left_out():
    assert feature_from_dict({"name": "hog"}) == Hog(orientations=8, cell=8)
    assert feature_from_dict({"name": "hog-vector", "cell": 6}) == HogVector(cell=6)


def test_channels():
    assert (GRAY.color_channels, GRAY.channels) == (1, 1)
    for kind in FEATURES.values():
        pre = dataclasses.replace(GRAY, feature=kind())
        assert (pre.color_channels, pre.channels) == (1, 2 if kind is HogVector else 1)
    rgb = Preprocess(size_hw=(48, 48), color="rgb", mean=(0,) * 3, std=(1,) * 3)
    assert (rgb.color_channels, rgb.channels) == (3, 3)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"name": "lpb"}, "unknown feature 'lpb': did you mean 'lbp'"),
        ({"name": "sift"}, "unknown feature 'sift': Known: clahe, hog"),
        ({"name": "clahe", "clipp": 5}, "unknown key 'clipp': did you mean 'clip'"),
        ({"name": "equalize", "clip": 5}, r"unknown key 'clip': Known: none"),
        ({"name": "hog", "block": 2}, "unknown key 'block': .*orientations, cell"),
        ({"clip": 5}, "something like"),
        ({"name": ["lbp"]}, "something like"),
        ("lbp", "something like"),
        ({"name": "clahe", "clip": 0}, "clip must be above 0 and at most 1000, got 0"),
        ({"name": "clahe", "clip": -1.5}, "clip must be above 0"),
        ({"name": "clahe", "clip": float("nan")}, "clip must be above 0"),
        ({"name": "clahe", "clip": float("inf")}, "clip must be above 0"),
        ({"name": "clahe", "clip": True}, "clip must be above 0"),
        ({"name": "clahe", "clip": "5"}, "clip must be above 0 and at most 1000, got '5'"),
        ({"name": "clahe", "grid": 0}, "grid must be a whole number from 1 to 4096, got 0"),
        ({"name": "clahe", "grid": 4.5}, "grid must be a whole number"),
        ({"name": "clahe", "grid": True}, "grid must be a whole number"),
        ({"name": "hog", "cell": 1}, "cell must be a whole number from 2 to 4096"),
        ({"name": "hog", "orientations": 181}, "orientations must be .* from 1 to 180, got 181"),
        ({"name": "hog-vector", "orientations": 0}, "orientations must be"),
        ({"name": "hog-vector", "block": 0}, "block must be"),
        ({"name": "lbp", "method": "unifrom"}, "unknown method 'unifrom': did you mean 'uniform'"),
        ({"name": "lbp", "method": None}, "unknown method None: Known: default, ror"),
        ({"name": "lbp", "points": 16}, "only points = 8 at radius = 1"),
        ({"name": "lbp", "radius": 2}, "only points = 8 at radius = 1"),
    ],
)
def test_wrong_features(data, says):
    with pytest.raises(ModelMismatch, match=says) as caught:
        feature_from_dict(data)
    assert "\n" not in str(caught.value)
    text = json.loads(card(None).to_json())
    text["preprocess"]["feature"] = data
    with pytest.raises(ModelMismatch, match=says):
        ModelCard.from_json(json.dumps(text))


@pytest.mark.parametrize("kind", FEATURES.values())
def test_features_are_of_gray_pictures(kind):
    says = f"feature '{kind().name}' works on gray images: set color = \"gray\""
    with pytest.raises(ModelMismatch, match=says):
        Preprocess(size_hw=(48, 48), color="rgb", mean=(0,) * 3, std=(1,) * 3, feature=kind())


@pytest.mark.parametrize(
    ("feature", "size", "says"),
    [
        (Clahe(grid=25), (24, 30), "25 x 25 tiles need .* 25 x 25 pixels, got 24 x 30"),
        (Hog(cell=16), (48, 12), "cells of 16 x 16 need .* 16 x 16 pixels, got 48 x 12"),
        (HogVector(cell=8, block=2), (15, 48), "2 x 2 cells of 8 x 8 need .* 16 x 16 .* 15 x 48"),
        (HogVector(cell=3), (48, 48), "8100 numbers do not fit into one plane of 48 x 48 = 2304"),
    ],
)
def test_features_that_an_input_cannot_hold(feature, size, says):
    with pytest.raises(ModelMismatch, match=says):
        dataclasses.replace(GRAY, size_hw=size, feature=feature)


def test_lengths_of_vectors():
    assert HogVector().length((48, 48)) == 900
    assert HogVector(orientations=8, block=1).length((48, 48)) == 288
    assert HogVector().length((150, 150)) == 10_404
    assert HogVector(cell=16).length((150, 150)) == 2304
    assert HogVector().length((55, 40)) == 5 * 4 * 4 * 9
    assert HogVector().length((8, 48)) == 0


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Clahe().grid = 2
    with pytest.raises(TypeError):
        Clahe(name="hog")
