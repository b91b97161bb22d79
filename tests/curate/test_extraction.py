"""Faces cut out of photographs."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pyojeong.core.errors import DataError
from pyojeong.core.face import Box, Face
from pyojeong.curate.extraction import BoxCrop, extract_faces, whole_frame
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.samples import Sample, Split, read_manifest
from pyojeong.image.features import content_hash
from pyojeong.image.files import decode_image
from pyojeong.image.preprocess import matrix_for_crop, matrix_for_face, to_gray, warp
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.zoo import DEFAULT_MODEL, find
from tests.curate.made import ASTRONAUT, COFFEE, sample, write


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    beside = np.full((512, 1024, 3), 90, np.uint8)
    beside[:, :512] = ASTRONAUT
    beside[100:356, 600:856] = cv2.resize(ASTRONAUT, (256, 256), interpolation=cv2.INTER_AREA)
    rows = [
        sample(ASTRONAUT, "happy", Split.TEST),
        sample(COFFEE, "sad"),
        sample(b"broken", "sad"),
        sample(beside, "neutral", group="pair"),
    ]
    return write(tmp_path / "m.parquet", rows)


@pytest.mark.parametrize("detector", ["auto", "mtcnn"])
def test_the_largest_face_is_cut_and_the_rest_is_listed(
    pictures: Path, tmp_path: Path, detector: str
) -> None:
    out = tmp_path / "faces.parquet"
    done = extract_faces(pictures, out, build_detector(detector))
    rows = list(read_manifest(out, splits=list(Split)))
    assert done.faces == len(rows) == 2
    assert (done.without, done.unreadable) == (("made:1",), ("made:2",))
    assert done.crowded == ("made:3",)
    assert [(r.source, r.label, r.split) for r in rows] == [
        ("made:0#0", "happy", Split.TEST),
        ("made:3#0", "neutral", Split.TRAIN),
    ]
    assert [r.group for r in rows] == ["made:0", "pair"]
    face = decode_image(rows[0].image or b"")
    assert face.shape[0] == face.shape[1]
    assert 90 < face.shape[0] < 260
    again = build_detector("auto").detect(face)
    assert len(again) == 1


def test_every_face_shares_the_pictures_group(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces.parquet"
    assert extract_faces(pictures, out, build_detector("auto"), every=True).crowded == ()
    rows = [r for r in read_manifest(out, splits=list(Split)) if r.source.startswith("made:3")]
    assert [r.source for r in rows] == ["made:3#0", "made:3#1"]
    assert {r.group for r in rows} == {"pair"}
    first, second = (decode_image(r.image or b"").shape[0] for r in rows)
    assert first > second


def test_threads_change_nothing(pictures: Path, tmp_path: Path) -> None:
    for jobs in (1, 3):
        extract_faces(pictures, tmp_path / f"{jobs}.parquet", build_detector("auto"), jobs=jobs)
    one, three = (
        list(read_manifest(tmp_path / f"{j}.parquet", splits=list(Split))) for j in (1, 3)
    )
    assert one == three


def test_a_set_without_any_face_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", [sample(COFFEE)])
    with pytest.raises(DataError, match=r"no face that is large enough in 1 image: .*--detector"):
        extract_faces(path, tmp_path / "out.parquet", build_detector("auto"))
    assert not (tmp_path / "out.parquet").exists()
    with pytest.raises(DataError, match="never overwritten"):
        extract_faces(path, path, build_detector("auto"))


def test_no_face_that_is_large_enough_is_said_with_a_cure(pictures: Path, tmp_path: Path) -> None:
    detector = build_detector("auto", min_face=2000)
    said = r"no face that is large enough in 3 images \(1 more could not be decoded\).*--min-face"
    with pytest.raises(DataError, match=said):
        extract_faces(pictures, tmp_path / "faces.parquet", detector)
    assert not (tmp_path / "faces.parquet").exists()


def test_faces_are_aligned_as_a_model_sees_them(pictures: Path, tmp_path: Path) -> None:
    pre = find(DEFAULT_MODEL, kind="classifier").card.preprocess
    assert pre is not None
    detector = build_detector("auto")
    out = tmp_path / "faces.parquet"
    extract_faces(pictures, out, detector, framing=whole_frame(pre, 96))
    crop = decode_image(next(read_manifest(out, splits=list(Split))).image or b"")
    assert crop.shape == (96, 96, 3)
    face = detector.detect(ASTRONAUT)[0]
    seen = warp(to_gray(ASTRONAUT), matrix_for_face(pre, face), pre.size_hw)
    again = warp(to_gray(crop), matrix_for_crop(pre, crop.shape[:2]), pre.size_hw)
    # Resampled twice instead of once: the same face, to within a small difference.
    assert np.abs(seen.astype(float) - again).mean() < 6
    assert np.corrcoef(seen.ravel(), again.ravel())[0, 1] > 0.98


class Fixed:
    """A detector that always finds the astronaut's face at the same place."""

    id = "fixed"

    def detect(self, image: np.ndarray, /) -> tuple[Face, ...]:
        return (Face(Box(165, 35, 285, 185), 1.0),)


def cut(tmp_path: Path, crop: BoxCrop, name: str, **how: object) -> Sample:
    """Save the photograph under a name and return the sample of its face."""
    Image.fromarray(ASTRONAUT).save(tmp_path / name, **how)
    photograph = Sample(label="sad", split=Split.TRAIN, path=str(tmp_path / name), source=name)
    path = write(tmp_path / "photographs.parquet", [photograph])
    out = tmp_path / "faces.parquet"
    extract_faces(path, out, Fixed(), framing=crop)
    (row,) = read_manifest(out, splits=list(Split))
    return row


def test_crops_of_jpegs_are_jpegs_whose_hash_is_that_of_their_pixels(tmp_path: Path) -> None:
    crop = BoxCrop(most_px=None)
    exact = cut(tmp_path, crop, "a.png")
    close = cut(tmp_path, crop, "a.jpg", quality=100, subsampling=0)
    assert (exact.image or b"").startswith(b"\x89PNG")
    assert (close.image or b"").startswith(b"\xff\xd8")
    assert len(close.image or b"") < len(exact.image or b"") / 2
    assert close.content_hash == content_hash(pixels_of(close)) != exact.content_hash
    assert np.abs(pixels_of(exact).astype(float) - pixels_of(close)).mean() < 2


def test_large_crops_are_shrunk_and_small_ones_are_not(tmp_path: Path) -> None:
    assert pixels_of(cut(tmp_path, BoxCrop(most_px=None), "a.png")).shape == (195, 195, 3)
    assert pixels_of(cut(tmp_path, BoxCrop(), "a.png")).shape == (195, 195, 3)
    assert pixels_of(cut(tmp_path, BoxCrop(margin=0.5), "a.png")).shape == (224, 224, 3)
    assert pixels_of(cut(tmp_path, BoxCrop(most_px=100), "a.png")).shape == (100, 100, 3)


def test_crops_below_64_pixels_stay_without_loss(tmp_path: Path) -> None:
    row = cut(tmp_path, BoxCrop(most_px=48), "a.jpg", quality=95)
    assert (row.image or b"").startswith(b"\x89PNG")
    assert pixels_of(row).shape == (48, 48, 3)
