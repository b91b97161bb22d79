"""Label sets and mappings, against tables written down independently of the code."""

import unicodedata

import pytest

from pyojeong.core.errors import LabelUnknown
from pyojeong.core.labels import (
    AFFECTNET_TO_FER7,
    CKPLUS_TO_FER7,
    EXPW_TO_FER7,
    FER7,
    FER2013_TO_FER7,
    FERPLUS8,
    FERPLUS_TO_FER7,
    JAFFE_TO_FER7,
    LABEL_SETS,
    RAFDB_TO_FER7,
    SYNONYMS,
    LabelSet,
    folded,
    label_set,
)

# The "emotion" column of fer2013.csv, from the description of the Kaggle competition (2013).
FER2013 = {0: "angry", 1: "disgust", 2: "fear", 3: "happy", 4: "sad", 5: "surprise", 6: "neutral"}
# The columns of fer2013new.csv, from the read-me of Microsoft's FERPlus.
FERPLUS = "neutral happiness surprise sadness anger disgust fear contempt".split()  # noqa: SIM905

# From the read-me files of the other sets, each in the order of its own numbers.
ORDERS = {
    "rafdb": (RAFDB_TO_FER7, "surprise fear disgust happiness sadness anger neutral"),
    "affectnet": (AFFECTNET_TO_FER7, "neutral happy sad surprise fear disgust anger contempt"),
    "ckplus": (CKPLUS_TO_FER7, "neutral anger contempt disgust fear happy sadness surprise"),
    "expw": (EXPW_TO_FER7, "angry disgust fear happy sad surprise neutral"),
}


@pytest.mark.parametrize("name", ORDERS)
def test_orders_of_other_sets(name):
    table, written = ORDERS[name]
    for word, to in zip(written.split(), table, strict=True):
        assert to == (None if word == "contempt" else FER7.index(word))


def test_jaffe_codes():
    words = {"AN": "angry", "DI": "disgust", "FE": "fear", "HA": "happy", "NE": "neutral"}
    words |= {"SA": "sad", "SU": "surprise"}
    assert {code: FER7.names[to] for code, to in JAFFE_TO_FER7.items()} == words


def test_fer7_is_alphabetical():
    assert FER7.names == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert list(FER7.names) == sorted(FER7.names)


def test_fer2013_order():
    assert {old: FER7.names[new] for old, new in enumerate(FER2013_TO_FER7)} == FER2013


def test_ferplus_order():
    assert [FERPLUS8.index(name) for name in FERPLUS] == list(range(8))
    assert len(FERPLUS_TO_FER7) == 8
    for name, new in zip(FERPLUS, FERPLUS_TO_FER7, strict=True):
        assert new == (None if name == "contempt" else FER7.index(name))


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("Angry", "angry"),
        (" HAPPY\n", "happy"),
        ("anger", "angry"),
        ("happiness", "happy"),
        ("sadness", "sad"),
        ("surprised", "surprise"),
        ("Suprise", "surprise"),
        ("fearful", "fear"),
        ("disgusted", "disgust"),
        ("neutal", "neutral"),
        ("natural", "neutral"),
        ("분노", "angry"), ("혐오", "disgust"), ("공포", "fear"), ("기쁨", "happy"),
        ("중립", "neutral"), ("슬픔", "sad"), ("놀람", "surprise"),
        ("행복", "happy"), ("무표정", "neutral"), ("화남", "angry"), ("역겨움", "disgust"),
        ("두려움", "fear"), ("무서운", "fear"), ("놀라움", "surprise"), ("즐거움", "happy"),
        (unicodedata.normalize("NFD", "역겨운"), "disgust"),
        (unicodedata.normalize("NFD", " 기쁨 "), "happy"),
        ("기쁨\u200b", "happy"), ("\ufeff슬픔 ", "sad"), ("중\u200d립", "neutral"),
        (" \u200bhappy\u200b ", "happy"),
    ],
)  # fmt: skip
def test_synonyms(written, label):
    assert FER7.names[FER7.index(written)] == label


def test_synonyms_lead_to_labels_and_hide_none():
    names = {name for labels in LABEL_SETS.values() for name in labels.names}
    assert set(SYNONYMS.values()) <= names
    assert not set(SYNONYMS) & names
    assert all(folded(name) == name for name in SYNONYMS)


@pytest.mark.parametrize(
    "label", ["contempt", "경멸", "", "unclear", "happpy", "당황", "불안", "상처"]
)
def test_unknown_labels(label):
    with pytest.raises(LabelUnknown, match="fer7"):
        FER7.index(label)


def test_sets_by_id():
    assert label_set("fer7") is FER7
    assert label_set("ferplus8") is FERPLUS8
    with pytest.raises(LabelUnknown, match=r"fer8.*fer7"):
        label_set("fer8")


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_impossible_sets(names):
    with pytest.raises(LabelUnknown):
        LabelSet("x", names)


def test_length():
    assert (len(FER7), len(FERPLUS8)) == (7, 8)
