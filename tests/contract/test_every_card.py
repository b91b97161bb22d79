"""What every bundled model must be: its file's own, complete, licensed, small, measured."""

import numpy as np
import pytest

from pyojeong.core.card import ModelCard
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.session import Session
from pyojeong.zoo import BUNDLED, DEFAULT_MODEL, cards, verify

ENTRIES = cards((BUNDLED,))
CLASSIFIERS = {k: e for k, e in ENTRIES.items() if e.card.kind == "classifier"}


@pytest.mark.parametrize("name", ENTRIES)
def test_card_and_file_belong_together(name: str) -> None:
    entry = ENTRIES[name]
    verify(entry)
    card = entry.card
    assert ModelCard.from_json(card.to_json()) == card
    assert card.description
    assert card.license
    assert card.source
    assert card.limits
    assert Session(entry).id == name
    notice = (BUNDLED.parents[2] / "NOTICE").read_text(encoding="utf-8")
    assert card.file in notice


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_cards_are_measured(name: str) -> None:
    card = CLASSIFIERS[name].card
    # One published model: of its two forms the default one has used the test split.
    splits = ("valid",) if name.endswith("-float16") else ("valid", "test")
    if len(splits) == 1:
        assert CLASSIFIERS[card.variant].card.variant == name
        assert "test" not in card.metrics
    for split in splits:
        figures = card.metrics[split]
        for metric in ("accuracy", "macro_f1", "ece"):
            assert figures[metric]["low"] <= figures[metric]["value"] <= figures[metric]["high"]
        assert figures["views"] == 1
        assert len(figures["split_sha256"]) == 64
        counts = np.array(figures["confusion"])
        assert counts.sum() == figures["n"]
        assert np.trace(counts) / counts.sum() == pytest.approx(
            figures["accuracy"]["value"], abs=1e-4
        )
    assert card.metrics["onnx_parity"] <= 1e-3
    if "test" in splits:
        assert card.metrics["test"]["deduplicated"]["n"] < card.metrics["test"]["n"]
    assert card.training["chosen_on"] == "valid"
    assert len(card.training["commit"]) == 40
    assert card.license_flags
    assert 0 < card.threshold < 1
    assert card.preprocess is not None
    assert card.preprocess.template is not None


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_files_are_small_and_speak_for_themselves(name: str) -> None:
    entry = CLASSIFIERS[name]
    assert entry.weights.stat().st_size <= (4_000_000 if name == DEFAULT_MODEL else 6_000_000)
    metadata = Session(entry).metadata
    assert metadata["pyojeong.id"] == name
    assert metadata["pyojeong.labels"].split(",") == list(entry.card.label_set.names)
    assert float(metadata["pyojeong.temperature"]) == entry.card.temperature


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_template_is_a_face(name: str) -> None:
    pre = Classifier.open(CLASSIFIERS[name]).pre
    assert pre.template is not None
    right_eye, left_eye, nose, right_mouth, left_mouth = pre.template
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert right_eye[1] < nose[1] < right_mouth[1]
    mirrored = np.array(pre.template)[[1, 0, 2, 4, 3]] * (-1, 1) + (1, 0)
    np.testing.assert_allclose(mirrored, pre.template, atol=1e-3)


def test_total_size() -> None:
    sizes = {name: entry.weights.stat().st_size for name, entry in ENTRIES.items()}
    assert sum(sizes.values()) < 24_500_000
