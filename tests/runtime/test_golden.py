"""The stored answers of every bundled model notice what may go wrong between training and use."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pyojeong.core.card import ModelCard, Preprocess
from pyojeong.core.labels import label_set
from pyojeong.doctor import LOGIT_TOLERANCE
from pyojeong.runtime import classifier as module
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.golden import golden_crops, golden_faces, golden_logits, read_golden
from pyojeong.runtime.session import Session
from pyojeong.zoo import BUNDLED, cards

CLASSIFIERS = {k: e for k, e in cards((BUNDLED,)).items() if e.card.kind == "classifier"}

IMAGE_SUM = 29369554
CROP_SUMS = [290753, 243187, 1172929, 3826156, 184666, 292464, 3924000, 1382400]


def changed(card: ModelCard, **values: object) -> ModelCard:
    assert card.preprocess is not None
    return replace(card, preprocess=replace(card.preprocess, **values))


def moved(pre: Preprocess) -> tuple[tuple[float, float], ...]:
    assert pre.template is not None
    return tuple((x + 0.03, y) for x, y in pre.template)


def shrunk(pre: Preprocess) -> tuple[tuple[float, float], ...]:
    assert pre.template is not None
    return tuple((0.5 + (x - 0.5) * 0.93, 0.5 + (y - 0.5) * 0.93) for x, y in pre.template)


MISTAKES: dict[str, Callable[[ModelCard], ModelCard]] = {
    "pixels in 0..255 instead of 0..1": lambda c: changed(
        c,
        mean=tuple(m / 255 for m in c.preprocess.mean),
        std=tuple(s / 255 for s in c.preprocess.std),
    ),
    "another mean": lambda c: changed(c, mean=tuple(m + 0.1 for m in c.preprocess.mean)),
    "faces 3 % to the right": lambda c: changed(c, template=moved(c.preprocess)),
    "faces 7 % smaller": lambda c: changed(c, template=shrunk(c.preprocess)),
    "no alignment": lambda c: changed(c, template=None),
    "crops 4 % wider": lambda c: changed(c, center_fraction=c.preprocess.center_fraction * 1.04),
}


def distance(name: str, logits: np.ndarray) -> float:
    stored = read_golden(CLASSIFIERS[name].folder, name)
    card = CLASSIFIERS[name].card
    assert card.votes is not None
    assert stored.shape == (13, len(card.label_set) + len(label_set(card.votes)))
    return float(np.abs(stored - logits).max())


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_answers_are_the_stored_ones(name: str) -> None:
    assert distance(name, golden_logits(Classifier.open(CLASSIFIERS[name]))) <= LOGIT_TOLERANCE


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_mistake_on_the_card_is_noticed(name: str, mistake: str) -> None:
    entry = CLASSIFIERS[name]
    wrong = Classifier(MISTAKES[mistake](entry.card), Session(entry))
    assert distance(name, golden_logits(wrong)) > 5 * LOGIT_TOLERANCE


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_another_order_of_labels_is_noticed(name: str) -> None:
    logits = golden_logits(Classifier.open(CLASSIFIERS[name]))
    k = logits.shape[1]
    for i in range(k - 1):
        order = list(range(k))
        order[i], order[i + 1] = i + 1, i
        assert distance(name, logits[:, order]) > 5 * LOGIT_TOLERANCE


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_another_order_of_colours_is_noticed(name: str) -> None:
    class Swapped(Classifier):
        def face_outputs(self, images):  # type: ignore[no-untyped-def]
            return super().face_outputs([(image[..., ::-1].copy(), f) for image, f in images])

    wrong = Swapped.open(CLASSIFIERS[name])
    assert distance(name, golden_logits(wrong)) > 5 * LOGIT_TOLERANCE


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_swapped_eyes_are_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = module.matrix_for_face

    def wrong(pre: Preprocess, face: module.Face) -> np.ndarray:
        if face.landmarks is None:
            return right(pre, face)
        points = face.landmarks.points[[1, 0, 2, 3, 4]]
        return right(pre, replace(face, landmarks=type(face.landmarks)(points)))

    monkeypatch.setattr(module, "matrix_for_face", wrong)
    logits = golden_logits(Classifier.open(CLASSIFIERS[name]))
    assert distance(name, logits) > 5 * LOGIT_TOLERANCE


def test_the_made_up_pictures_are_always_the_same() -> None:
    image, faces = golden_faces()
    assert image.shape == (240, 320, 3)
    assert int(image.astype(np.int64).sum()) == IMAGE_SUM
    assert [int(crop.astype(np.int64).sum()) for crop in golden_crops()] == CROP_SUMS
    assert [f.landmarks is None for f in faces] == [False, False, False, False, True]
