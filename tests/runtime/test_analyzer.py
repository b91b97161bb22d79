"""The main door: every kind of image, batches, threads, cut-out faces."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyojeong import Analyzer
from pyojeong.core.errors import BadArray, ImageUnreadable, ModelError, ModelUnknown
from pyojeong.core.face import Box, Face
from pyojeong.image.files import read_image
from pyojeong.runtime.classifier_names import RETIRED, find_classifier
from pyojeong.runtime.golden import GOLDEN_PICTURE, PICTURES, golden_logits, read_golden
from pyojeong.zoo import DEFAULT_MODEL, FER2013_MODEL, find

ASTRONAUT = read_image(GOLDEN_PICTURE)


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(threads=1)


def group() -> np.ndarray:
    """Three faces of different sizes on one canvas."""
    canvas = np.full((600, 900, 3), 120, np.uint8)
    face = Image.fromarray(ASTRONAUT[0:260, 120:340])
    for x, y, w in ((20, 20, 220), (300, 80, 160), (560, 30, 300)):
        h = round(w * 260 / 220)
        canvas[y : y + h, x : x + w] = np.asarray(face.resize((w, h)))
    return canvas


def test_every_kind_of_input_gives_the_same(analyzer: Analyzer) -> None:
    data = GOLDEN_PICTURE.read_bytes()
    kinds = [str(GOLDEN_PICTURE), GOLDEN_PICTURE, data, Image.open(io.BytesIO(data)), ASTRONAUT]
    results = [analyzer.analyze(kind) for kind in kinds]
    assert all(r.faces == results[0].faces for r in results)
    assert results[0].size_wh == (512, 512)
    (face,) = results[0].faces
    assert face.expression is not None
    assert face.expression.top[0] == "happy"
    assert face.landmarks is not None
    assert results[0].source == str(GOLDEN_PICTURE)
    assert results[-1].source == "<array>"


def test_no_face_is_an_answer(analyzer: Analyzer) -> None:
    assert analyzer.analyze(PICTURES / "coffee.jpg").faces == ()


def test_batch_equals_singles(analyzer: Analyzer) -> None:
    images = [ASTRONAUT, group(), PICTURES / "coffee.jpg", ASTRONAUT[:, ::-1], group()[:400]]
    together = analyzer.analyze_batch(images)
    assert [len(r.faces) for r in together][:3] == [1, 3, 0]
    for image, result in zip(images, together, strict=True):
        alone = analyzer.analyze(image)
        assert [f.box for f in alone.faces] == [f.box for f in result.faces]
        for a, b in zip(alone.faces, result.faces, strict=True):
            assert a.expression is not None
            assert b.expression is not None
            np.testing.assert_allclose(a.expression.scores, b.expression.scores, atol=1e-6)


def test_threads_change_nothing(analyzer: Analyzer) -> None:
    images = [ASTRONAUT, group(), ASTRONAUT[::-1], group()[:, ::-1]] * 4
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(analyzer.analyze, images))
    assert threaded == [analyzer.analyze(image) for image in images]


def test_classify_order_and_size_change_nothing(analyzer: Analyzer) -> None:
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (h, w), np.uint8) for h, w in [(48, 48), (90, 70), (20, 20)] * 30]
    together = analyzer.classify(crops)
    reverse = analyzer.classify(crops[::-1])[::-1]
    for crop, a, b in zip(crops, together, reverse, strict=True):
        (alone,) = analyzer.classify([crop])
        np.testing.assert_allclose(alone.scores, a.scores, atol=1e-6)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-6)


def test_classify_gray_equals_gray_as_rgb(analyzer: Analyzer) -> None:
    gray = ASTRONAUT[20:250, 120:330].mean(-1).astype(np.uint8)
    rgb = np.repeat(gray[..., None], 3, 2)
    a, b, c = analyzer.classify([gray, rgb, gray[..., None]])
    assert a == b == c
    array = analyzer.classify(np.stack([gray, gray]))
    assert array == [a, a]


def test_classify_nothing(analyzer: Analyzer) -> None:
    assert analyzer.classify([]) == []
    assert analyzer.analyze_batch([]) == []


def test_mirrored_picture_is_read_almost_the_same(analyzer: Analyzer) -> None:
    a, b = analyzer.analyze(ASTRONAUT).faces[0], analyzer.analyze(ASTRONAUT[:, ::-1]).faces[0]
    assert a.expression is not None
    assert b.expression is not None
    assert np.abs(a.expression.scores - b.expression.scores).max() < 0.25
    assert a.landmarks is not None
    assert b.landmarks is not None
    flipped = (512 - b.landmarks.points[:, 0])[[1, 0, 2, 4, 3]]
    np.testing.assert_allclose(flipped, a.landmarks.points[:, 0], atol=3)


@pytest.mark.parametrize(
    "bad",
    [
        ASTRONAUT.astype(np.float32) / 255,
        np.full((40, 40, 3), np.nan),
        ASTRONAUT[..., :2],
        ASTRONAUT[None],
        np.zeros((0, 5, 3), np.uint8),
        np.zeros(7, np.uint8),
        3,
        None,
    ],
    ids=["float", "nan", "two channels", "batch", "empty", "flat", "number", "none"],
)
def test_wrong_arrays_are_refused_with_the_cure(bad: object, analyzer: Analyzer) -> None:
    with pytest.raises(BadArray, match="expected"):
        analyzer.analyze(bad)


def test_non_contiguous_arrays(analyzer: Analyzer) -> None:
    wide = np.zeros((512, 1024, 3), np.uint8)
    wide[:, ::2] = ASTRONAUT
    assert analyzer.analyze(wide[:, ::2]).faces == analyzer.analyze(ASTRONAUT).faces
    fortran = np.asfortranarray(ASTRONAUT)
    assert analyzer.analyze(fortran).faces == analyzer.analyze(ASTRONAUT).faces


def test_one_crop_gives_one_answer(analyzer: Analyzer) -> None:
    gray = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)
    rgb = np.repeat(gray[..., None], 3, axis=2)
    (wanted,) = analyzer.classify([gray])
    for crop in (gray, gray[..., None], rgb, gray[None], rgb[None], [rgb]):
        assert analyzer.classify(crop) == [wanted]
    assert len(analyzer.classify(np.stack([gray, gray]))) == 2
    with pytest.raises(BadArray, match=r"\(2, 1, 1, 48, 48\)"):
        analyzer.classify(np.zeros((2, 1, 1, 48, 48), np.uint8))


def test_bad_files(analyzer: Analyzer, tmp_path: Path) -> None:
    with pytest.raises(ImageUnreadable):
        analyzer.analyze(tmp_path / "missing.png")
    with pytest.raises(ImageUnreadable):
        analyzer.analyze(b"not an image")


def test_unknown_names_suggest(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match="did you mean"):
        Analyzer("seresnet-s-fer2013-fer7.v44")
    with pytest.raises(ModelUnknown, match="did you mean 'auto'"):
        Analyzer(detector="autos")


def test_own_detector(analyzer: Analyzer) -> None:
    class Whole:
        id = "whole"

        def detect(self, image: np.ndarray, /) -> tuple[Face, ...]:
            return (Face(Box(0, 0, image.shape[1], image.shape[0]), 1.0),)

    result = Analyzer(detector=Whole(), threads=1).analyze(ASTRONAUT[0:260, 120:340])
    assert result.model_ids[0] == "whole"
    assert len(result.faces) == 1


def test_mirrored_pictures_are_read_alike_with_two_views() -> None:
    both = Analyzer(threads=1, views=2).classifier
    face = ASTRONAUT[20:200, 150:330]
    logits = both.crop_logits([face, face[:, ::-1]])
    np.testing.assert_allclose(logits[0], logits[1], atol=2e-3)
    single = Analyzer(threads=1).classifier.crop_logits([face, face[:, ::-1]])
    np.testing.assert_allclose(logits[0], single.mean(0), atol=2e-3)


def test_views_of_found_faces_are_averaged() -> None:
    one, two = Analyzer(threads=1), Analyzer(threads=1, views=2)
    images = [ASTRONAUT, group()]
    found = [(image, one.detector.detect(image)) for image in images]
    flipped = []
    for image, faces in found:
        mirrored = np.ascontiguousarray(image[:, ::-1])
        flipped.append((mirrored, [_mirrored(f, image.shape[1]) for f in faces]))
    expected = (one.classifier.face_logits(found) + one.classifier.face_logits(flipped)) / 2
    np.testing.assert_allclose(two.classifier.face_logits(found), expected, atol=0.05)
    assert two.classifier.views == 2
    assert two.classifier.face_logits([]).shape == (0, 7)


def _mirrored(face: Face, width: int) -> Face:
    box, points = face.box, face.landmarks
    assert points is not None
    swapped = points.points[[1, 0, 2, 4, 3]] * (-1, 1) + (width, 0)
    return Face(
        Box(width - box.x2, box.y1, width - box.x1, box.y2),
        face.score,
        landmarks=type(points)(swapped.astype(np.float32)),
    )


def test_licence_flags_decide_which_models_open() -> None:
    flags = Analyzer(threads=1).classifier.card.license_flags
    assert flags
    Analyzer(threads=1, allow=", ".join(flags))
    Analyzer(threads=1, allow=["*"])
    with pytest.raises(ModelError, match=f"{flags[0]}.*may be used: none"):
        Analyzer(threads=1, allow="")


def test_the_default_says_what_its_backbone_saw_and_the_second_saw_nothing_else() -> None:
    card = find_classifier("default").card
    assert card.id == DEFAULT_MODEL
    assert "VGGFace2" in card.description
    with pytest.raises(ModelError, match=f"pretraining:research-only.*{FER2013_MODEL}"):
        Analyzer(allow="data:*")
    analyzer = Analyzer("default-fer2013", threads=1, allow="data:*")
    (face,) = analyzer.analyze(GOLDEN_PICTURE).faces
    assert face.expression is not None
    assert face.expression.top[0] == "happy"
    assert analyzer.classifier.card.id == FER2013_MODEL


@pytest.mark.parametrize("name", RETIRED)
def test_a_model_of_earlier_versions_is_named_with_what_replaced_it(name: str) -> None:
    with pytest.raises(ModelError, match="no longer part of pyojeong: use 'default'"):
        find_classifier(name)


def test_the_environment_says_what_default_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = find_classifier("default")
    other = replace(used.card, id="other-s-made-fer7.v1")
    (tmp_path / other.file).write_bytes(used.weights.read_bytes())
    path = tmp_path / "other.card.json"
    path.write_text(other.to_json(), encoding="utf-8")
    monkeypatch.setenv("PYOJEONG_MODEL", str(path))
    assert Analyzer(threads=1).model_ids[1] == other.id
    assert Analyzer(used.card.id, threads=1).model_ids[1] == used.card.id
    monkeypatch.setenv("PYOJEONG_MODEL", "")
    assert find_classifier("default").card.id == used.card.id
    monkeypatch.setenv("PYOJEONG_MODEL", "othr")
    with pytest.raises(ModelUnknown):
        find_classifier("default")


def test_golden_answers() -> None:
    entry = find(Analyzer(threads=1).classifier.card.id)
    logits = golden_logits(Analyzer(threads=1).classifier)
    np.testing.assert_allclose(logits, read_golden(entry.folder, entry.card.id), atol=0.02)
