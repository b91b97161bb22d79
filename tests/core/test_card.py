"""Cards: the same after a trip through JSON, and never half understood."""

import dataclasses
import json
import random
from pathlib import Path
from typing import get_type_hints

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.card import CARD_VERSION, ModelCard, Preprocess, VoteCalibration, card_schema
from pyojeong.core.errors import ModelMismatch
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.zoo import BUNDLED, DEFAULT_MODEL

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


def votes(**values):
    prior = dict.fromkeys(FERPLUS8.names, 0.125)
    return {"temperature": 1.2, "threshold": 0.5, "prior": prior} | values


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


def test_facts_of_earlier_versions_may_hold_nan():
    card = ModelCard.from_json(changed(metrics={"answered": {"accuracy": float("nan")}}))
    assert card.temperature == CARD.temperature


def test_cards_of_earlier_versions_are_read():
    data = json.loads(CARD.to_json()) | {"twin": "other"}
    del data["variant"]
    assert ModelCard.from_json(json.dumps(data)).variant == "other"


def test_a_card_with_votes_comes_back():
    text = changed(votes="ferplus8", vote_calibration=votes())
    card = ModelCard.from_json(text)
    assert card.vote_calibration.default_prior == "natural"
    assert ModelCard.from_json(card.to_json()) == card


def test_the_documented_schema_is_generated_and_every_bundled_card_fits():
    stored = Path(__file__).parents[2] / "docs" / "card.schema.json"
    assert json.loads(stored.read_text()) == card_schema()
    for path in BUNDLED.glob("*.card.json"):
        jsonschema.validate(json.loads(path.read_text()), card_schema())
    wrong = json.loads(changed(temperature="high"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, card_schema())


def test_the_shortest_card():
    text = '{"id": "a", "kind": "detector", "file": "a.onnx", "sha256": "", "description": ""}'
    card = ModelCard.from_json(text)
    assert (card.labels, card.preprocess, card.temperature) == (None, None, 1.0)
    assert ModelCard.from_json(card.to_json()) == card
    with pytest.raises(ModelMismatch, match="detector"):
        _ = card.label_set


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("margin", -1.0), ("margin", 1e308), ("mean", [1e308]), ("std", [1e-300]),
        ("center_fraction", 1e9), ("box_scale", 0.0), ("box_shift_y", -1e9),
        ("template", [[0.5, 0.5]] * 5), ("template", [[1e9, 0], [0, 1], [1, 0], [1, 1], [2, 2]]),
    ],
)  # fmt: skip
def test_impossible_preprocessing_is_refused(key, value):
    data = json.loads(changed())
    data["preprocess"][key] = value
    with pytest.raises(ModelMismatch, match=key):
        ModelCard.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("logit_scale", [-1.0] * 7), ("logit_scale", [1e308] * 7), ("logit_offset", [1e308] * 7),
        ("card_version", 0), ("id", ""),
        ("id", "a\x1b[2J"), ("id", "x" * 300), ("id", "a\0"),
        ("id", "a;b"), ("id", "a\nb"), ("labels", "fer9"),
        ("votes", "fer9"), ("temperature", "\ud800"), ("twin", "another"),
    ],
)  # fmt: skip
def test_impossible_cards_are_refused(key, value):
    with pytest.raises(ModelMismatch, match=key):
        ModelCard.from_json(changed(**{key: value}))


def test_errors_of_a_card_name_its_file(tmp_path):
    path = tmp_path / "mine.card.json"
    for text in (changed(labels="fer9"), "[" * 100_000, "{}"):
        path.write_text(text)
        with pytest.raises(ModelMismatch, match=r"mine\.card\.json"):
            ModelCard.read(path)


def test_label_set():
    assert CARD.label_set is FER7


@given(
    st.tuples(st.integers(1, 500), st.integers(1, 500)),
    st.sampled_from(["gray", "rgb"]),
    st.floats(0, 1),
    st.floats(0.01, 3),
    st.none() | st.permutations([(0.0, 0.1), (0.2, 0.9), (0.5, 0.5), (0.7, 0.3), (1.0, 1.0)]),
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
        ("{}", "lacks"),
        (changed(license_flags=None), "license_flags: Expected `array`, got `null`"),
        (with_preprocess(color="bgr"), "color"),
        (with_preprocess(color="rgb"), "3 means"),
        (with_preprocess(std=[0.0]), "positive"),
        (with_preprocess(std=["a"]), "std: Expected `float`, got `str`"),
        (with_preprocess(center_fraction=0), "positive"),
        (with_preprocess(template=[[0, 0]]), "5 points"),
        (with_preprocess(template=[[0, 0, 0]] * 5), "template: Expected `array` of length 2"),
        (changed(preprocess={"color": "gray"}), "lacks"),
        (with_preprocess(size_hw=["a", -2]), "size_hw: Expected `int`, got `str`"),
        (with_preprocess(size_hw=[48, -2]), "size_hw must be 1 to 4096"),
        (with_preprocess(size_hw=[48]), "size_hw"),
        (with_preprocess(margin=True), "margin: Expected `float`, got `bool`"),
        (changed(threshold="high"), "threshold: Expected `float`, got `str`"),
        (changed(threshold=1.5), r"threshold must lie in \[0, 1\]"),
        (changed(temperature=1e-320), "temperature must be positive"),
        (CARD.to_json().replace("1.5", "NaN"), "temperature: numbers must be finite"),
        (CARD.to_json().replace("1.5", "1e999"), "temperature: numbers must be finite"),
        (CARD.to_json().replace("1.5", "9" * 400), "temperature"),
        (changed(prior=[1]), "prior: Expected `object | null`, got `array`"),
        (changed(prior={"happy": 1.0}), "a positive share for each of angry"),
        (changed(vote_calibration={}), "vote_calibration lacks"),
        (changed(vote_calibration=5), "vote_calibration is not a JSON object"),
        (changed(votes="ferplus8", vote_calibration=votes(temperature=0)), "temperature must be"),
        (changed(votes="ferplus8", vote_calibration=votes(threshold=2)), "threshold must lie"),
        (changed(votes="ferplus8", vote_calibration=votes(prior=[1])), "prior: Expected `object`"),
        (changed(votes="ferplus8", vote_calibration=votes(prior={})), "a positive share for each"),
        (changed(votes="ferplus8", vote_calibration=votes(default_prior="x")), "default_prior"),
        (changed(vote_calibration=votes()), "vote_calibration without votes"),
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


def edited(text, key, value):
    data = json.loads(text)
    data[key] = value
    return json.dumps(data)


def test_a_card_that_was_edited_says_how_to_accept_it(tmp_path):
    text = CARD.to_file_text()
    assert ModelCard.from_json(text) == CARD
    path = tmp_path / "mine.card.json"
    path.write_text(edited(text, "temperature", 1.25), encoding="utf-8")
    with pytest.raises(ModelMismatch, match=r'mine\.card\.json.*edited.*remove.*"checksum"'):
        ModelCard.read(path)
    data = json.loads(path.read_text(encoding="utf-8"))
    del data["checksum"]
    path.write_text(json.dumps(data), encoding="utf-8")
    assert ModelCard.read(path).temperature == 1.25
    with pytest.raises(ModelMismatch, match="damaged"):
        ModelCard.from_json(edited(text, "checksum", 5))


NUMBERS = [
    (), ("temperature",), ("threshold",), ("card_version",), ("logit_scale", 0),
    ("logit_offset", 0), ("prior", "happy"), ("preprocess", "mean", 0), ("preprocess", "std", 0),
    ("preprocess", "size_hw", 0), ("preprocess", "center_fraction"), ("preprocess", "margin"),
    ("preprocess", "box_scale"), ("preprocess", "box_shift_y"), ("preprocess", "template", 0, 0),
    ("preprocess", "feature", "clip"), ("preprocess", "feature", "grid"),
    ("vote_calibration", "temperature"), ("vote_calibration", "threshold"),
    ("vote_calibration", "balanced_temperature"), ("vote_calibration", "between"),
    ("vote_calibration", "prior", "happy"),
][1:]  # fmt: skip


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "huge", "text", "true", "negative"])
@pytest.mark.parametrize("place", NUMBERS, ids=lambda p: ".".join(map(str, p)))
def test_every_number_of_a_card_is_typed_finite_and_in_range(place, value):
    wrong = {"huge": 1e300, "text": "1", "true": True, "negative": -1e6}
    data = json.loads(CARD.to_json())
    data["logit_scale"], data["logit_offset"] = [1.0] * 7, [0.0] * 7
    data["prior"] = dict.fromkeys(FER7.names, 1 / 7)
    data["votes"] = FERPLUS8.id
    data["vote_calibration"] = votes(balanced_temperature=1.0, between=0.5)
    data["preprocess"]["feature"] = {"name": "clahe", "clip": 5.0, "grid": 4}
    ModelCard.from_json(json.dumps(data))
    target = data
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = wrong[value] if value in wrong else float(value)
    name = next(part for part in reversed(place) if isinstance(part, str) and part != "happy")
    with pytest.raises(ModelMismatch, match=name):
        ModelCard.from_json(json.dumps(data))


def test_the_numbers_of_the_test_above_are_all_numbers_of_a_card():
    """A new field with a number belongs into ``NUMBERS``."""
    known = {part for place in NUMBERS for part in place if isinstance(part, str)}
    for kind in (ModelCard, Preprocess, VoteCalibration):
        for name, hint in get_type_hints(kind).items():
            if "float" in str(hint) or "int" in str(hint):
                assert name in known, f"{kind.__name__}.{name}"


def test_no_flipped_bit_of_a_bundled_card_changes_it():
    path = BUNDLED / f"{DEFAULT_MODEL}.card.json"
    data, whole = path.read_bytes(), ModelCard.read(path)
    draw = random.Random(0)
    refused = 0
    for _ in range(500):
        flipped = bytearray(data)
        flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        try:
            card = ModelCard.from_json(flipped.decode())
        except (ModelMismatch, UnicodeDecodeError):
            refused += 1
        else:
            assert card == whole
    assert refused > 250


def test_every_bundled_card_has_its_checksum():
    for path in BUNDLED.glob("*.card.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["checksum"], path.name
