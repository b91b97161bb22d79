"""Models of features: one way from image to answer, in training and in service."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pyojeong import Analyzer
from pyojeong.core.card import ModelCard, Preprocess
from pyojeong.core.errors import ModelMismatch
from pyojeong.core.face import Box, Face, Landmarks
from pyojeong.core.feature import Clahe, Equalize, Feature, Hog, HogVector, Lbp
from pyojeong.image import descriptors
from pyojeong.image.files import read_image
from pyojeong.image.preprocess import matrix_for_crop, matrix_for_face, to_gray, warp
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.golden import GOLDEN_PICTURE
from pyojeong.runtime.session import FakeSession
from pyojeong.training.data.augment import Augment, Draws
from pyojeong.training.data.datamodule import FaceData, FaceDataset
from pyojeong.training.data.faces import Faces
from tests.training.tiny import manifest

SIDE, CLASSES = 32, 7
ASTRONAUT = read_image(GOLDEN_PICTURE)
TEMPLATE = ((0.34, 0.4), (0.66, 0.4), (0.5, 0.58), (0.37, 0.76), (0.63, 0.76))
POINTS = np.array([[196, 112], [250, 108], [228, 142], [206, 168], [250, 164]], np.float32)
FACE = Face(Box(170, 60, 280, 200), 0.99, Landmarks(POINTS))
FEATURES: list[Feature | None] = [
    None,
    Clahe(clip=3.0, grid=2),
    Hog(cell=8),
    HogVector(cell=8, block=2),
    Lbp(method="default"),
    Lbp(method="ror"),
    Lbp(method="uniform"),
    Lbp(method="var"),
    Equalize(),
]
each_feature = pytest.mark.parametrize("feature", FEATURES, ids=repr)


class Sees:
    """A detector that finds the same face everywhere."""

    id = "sees"

    def detect(self, image: np.ndarray, /) -> tuple[Face, ...]:
        return (FACE,)


def preprocessing(feature: Feature | None) -> Preprocess:
    return Preprocess(
        size_hw=(SIDE, SIDE),
        color="gray",
        mean=(0.4,),
        std=(0.3,),
        template=TEMPLATE,
        feature=feature,
    )


def weights(channels: int) -> np.ndarray:
    pixels = channels * SIDE * SIDE
    return np.random.default_rng(1).normal(0, 2 / pixels**0.5, (pixels, CLASSES)).astype(np.float32)


def write_model(folder: Path, feature: Feature | None, channels: int) -> Path:
    """A linear classifier as ONNX, and its card."""
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["faces"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["N", channels, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES])],
        [onnx.numpy_helper.from_array(weights(channels), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    data = model.SerializeToString()
    card = ModelCard(
        id="tiny-feature.v1",
        kind="classifier",
        file="tiny.onnx",
        sha256=hashlib.sha256(data).hexdigest(),
        description="A model for tests.",
        labels="fer7",
        preprocess=preprocessing(feature),
    )
    (folder / "tiny.onnx").write_bytes(data)
    path = folder / "tiny-feature.v1.card.json"
    path.write_text(card.to_json(), encoding="utf-8")
    return path


def scores(gray: np.ndarray, feature: Feature | None) -> np.ndarray:
    """The same model without any of the runtime, from the input's gray pixels."""
    if feature is None:
        planes = gray[None].astype(np.float64) / 255
    else:
        planes = descriptors.apply(feature, gray[None])[0].astype(np.float64)
    planes[0] = (planes[0] - 0.4) / 0.3
    z = planes.ravel() @ weights(len(planes)).astype(np.float64)
    z = np.exp(z - z.max())
    return z / z.sum()


@each_feature
def test_the_analyzer_serves_it(feature: Feature | None, tmp_path: Path) -> None:
    pre = preprocessing(feature)
    card = write_model(tmp_path, feature, pre.channels)
    analyzer = Analyzer(str(card), detector=Sees(), threads=1)
    (face,) = analyzer.analyze(ASTRONAUT).faces
    assert face.expression is not None
    gray = warp(ASTRONAUT, matrix_for_face(pre, FACE), (SIDE, SIDE), gray=True)
    np.testing.assert_allclose(face.expression.scores, scores(gray, feature), atol=1e-5)
    if feature is not None and pre.channels == 1:
        assert np.abs(face.expression.scores - scores(gray, None)).max() > 0.01
    # Cut-out faces go the same way.
    crops = [ASTRONAUT[40:220, 150:300], to_gray(ASTRONAUT)[60:200, 170:280]]
    for crop, read in zip(crops, analyzer.classify(crops), strict=True):
        gray = warp(crop, matrix_for_crop(pre, crop.shape[:2]), (SIDE, SIDE), gray=True)
        np.testing.assert_allclose(read.scores, scores(gray, feature), atol=1e-5)


def test_pictures_without_faces(tmp_path: Path) -> None:
    class Blind(Sees):
        def detect(self, image: np.ndarray, /) -> tuple[Face, ...]:
            return ()

    card = write_model(tmp_path, HogVector(), 2)
    analyzer = Analyzer(str(card), detector=Blind(), threads=1)
    assert analyzer.analyze(ASTRONAUT).faces == ()
    assert analyzer.classify([]) == []


def test_a_network_without_room_for_the_vector_is_refused(tmp_path: Path) -> None:
    card = write_model(tmp_path, HogVector(), 1)
    with pytest.raises(ModelMismatch, match=r"expected inputs of shape \(any, 2, 32, 32\)"):
        Analyzer(str(card), detector=Sees(), threads=1)


@each_feature
def test_training_sees_what_the_runtime_shows(feature: Feature | None) -> None:
    pre = preprocessing(feature)
    crops = [to_gray(ASTRONAUT[y : y + 90, 150 : 150 + w]) for y, w in ((40, 90), (80, 70))]
    zeros = np.zeros((2, 8), np.float32)
    x = FaceDataset(Faces(crops, np.zeros(2, np.int64), zeros), pre).__getitems__([0, 1]).inputs
    seen: list[np.ndarray] = []

    def note(feed: np.ndarray) -> list[np.ndarray]:
        seen.append(feed)
        return [np.zeros((len(feed), CLASSES), np.float32)]

    card = ModelCard(
        id="noted.v1", kind="classifier", file="", sha256="", description="", labels="fer7",
        preprocess=pre,
    )  # fmt: skip
    classifier = Classifier(card, FakeSession(note))
    classifier.crop_logits(crops)
    np.testing.assert_array_equal(x.numpy(), seen[0])
    # A face that was found, and whose box is the crop, is framed as the crop is.
    bare = Classifier(replace(card, preprocess=replace(pre, template=None)), FakeSession(note))
    found = [(crop, [Face(Box(0, 0, *crop.shape[::-1]), 1.0)]) for crop in crops]
    np.testing.assert_array_equal(bare.tensors(found), x.numpy())


@each_feature
def test_training_computes_features_of_augmented_faces(
    feature: Feature | None, tmp_path: Path
) -> None:
    pre = preprocessing(feature)
    data = FaceData(manifest(tmp_path), pre, Augment(), batch_size=16, seed=0)
    x = next(iter(data.train_dataloader())).inputs
    assert tuple(x.shape) == (16, pre.channels, SIDE, SIDE)
    faces = Faces(data.train.images[:1], data.train.labels[:1], data.train.votes[:1])
    augment = Augment(rotate_deg=20.0, flip=0.5, contrast=0.3, tone_p=1.0, erase_p=1.0)
    draws = Draws(augment, 1, seed=5, epoch=0)
    augmented = FaceDataset(faces, pre, draws)[0].inputs
    image = faces.images[0]
    matrix = draws.geometry(0, matrix_for_crop(pre, image.shape[:2]), (SIDE, SIDE))
    patch = draws.pixels(0, warp(image, matrix, (SIDE, SIDE)))
    expected = patch[None] / 255 if feature is None else descriptors.apply(feature, patch[None])[0]
    np.testing.assert_allclose(augmented[0, 0], (expected[0] - 0.4) / 0.3, atol=1e-5)
    np.testing.assert_array_equal(augmented[0, 1:], expected[1:])
