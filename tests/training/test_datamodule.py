"""What training sees is what the runtime will show."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import DataError, PicturesLeftOut
from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Sample, Split, read_manifest
from pyojeong.image.files import decode_image
from pyojeong.image.preprocess import matrix_for_crop, preprocess, to_gray
from pyojeong.training.data.augment import Augment
from pyojeong.training.data.datamodule import FaceData
from pyojeong.training.data.faces import load_faces, vote_shares
from pyojeong.training.data.portion import Portion
from tests.training.tiny import manifest

PRE = Preprocess(size_hw=(22, 22), color="gray", mean=(0.5,), std=(0.25,), center_fraction=22 / 24)


def test_validation_pixels_are_those_of_the_runtime(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    data = FaceData(path, PRE, Augment(), batch_size=8, seed=0)
    seen = np.concatenate([batch.inputs.numpy() for batch in data.val_dataloader()])
    samples = list(read_manifest(path, splits=[Split.VALID]))
    assert len(seen) == len(samples) == 42
    for x, sample in zip(seen, samples, strict=True):
        image = to_gray(decode_image(sample.image or b""))
        runtime = preprocess(PRE, image, [matrix_for_crop(PRE, image.shape[:2])])[0]
        np.testing.assert_array_equal(x, runtime)


def test_training_without_augmentation_shows_every_sample_once(tmp_path: Path) -> None:
    data = FaceData(manifest(tmp_path), PRE, Augment(), batch_size=1000, seed=0)
    ((x, labels, votes, _),) = list(data.train_dataloader())
    assert x.shape == (126, 1, 22, 22)
    assert sorted(labels.tolist()) == sorted(data.train.labels.tolist())
    np.testing.assert_allclose(votes.sum(1), 1, atol=1e-6)


def test_limit(tmp_path: Path) -> None:
    data = FaceData(
        manifest(tmp_path), PRE, Augment(), batch_size=8, seed=0, portion=Portion(limit=20)
    )
    assert len(data.train) == 20
    assert len(data.valid) == 42


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        (None, [0] * 8),
        ((10, 0, 0, 0, 0, 0, 0, 0, 0, 0), [1, 0, 0, 0, 0, 0, 0, 0]),
        ((6, 0, 3, 1, 0, 0, 0, 0, 0, 0), [6 / 9, 0, 3 / 9, 0, 0, 0, 0, 0]),  # single votes go
        ((4, 0, 0, 1, 0, 0, 0, 0, 5, 0), [0] * 8),  # half say unknown
        ((0, 0, 0, 0, 0, 0, 0, 0, 0, 10), [0] * 8),  # not a face
        ((1, 1, 1, 1, 1, 1, 0, 0, 4, 0), [1 / 6] * 6 + [0, 0]),  # nothing but single votes
    ],
)
def test_vote_shares(votes: tuple[int, ...] | None, expected: list[float]) -> None:
    np.testing.assert_allclose(vote_shares(votes), expected, atol=1e-6)


def test_broken_and_missing_pictures_are_left_out(tmp_path: Path) -> None:
    samples = list(read_manifest(manifest(tmp_path), splits=[Split.VALID]))[:4]
    broken = Sample(label="sad", split=Split.VALID, image=b"junk", source="junk")
    with pytest.warns(PicturesLeftOut, match="left out 1 of 5 .*: junk"):
        faces = load_faces([samples[0], broken, *samples[1:]], FER7, gray=True)
    assert faces.kept.tolist() == [0, 2, 3, 4]
    assert faces.labels.tolist() == [FER7.index(s.label) for s in samples]
    whole = load_faces(samples, FER7, gray=True)
    assert whole.kept.tolist() == [0, 1, 2, 3]
    for one, other in zip(faces.images, whole.images, strict=True):
        np.testing.assert_array_equal(one, other)
    gone = Sample(label="sad", split=Split.VALID, path=str(tmp_path / "gone.png"), source="gone")
    there = Sample(label="sad", split=Split.VALID, path=str(tmp_path / "there.png"), source="there")
    (tmp_path / "there.png").write_bytes(samples[0].image or b"")
    with pytest.warns(PicturesLeftOut, match=r"left out 1 of 6 pictures whose files are missing"):
        faces = load_faces([gone, *samples, there], FER7, gray=True)
    assert faces.kept.tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(DataError, match=r"1 of 1 file is missing under .*: move"):
        load_faces([*samples, gone], FER7, gray=True)
    gone = replace(gone, path=str(tmp_path / "no" / "gone.png"))
    with pytest.raises(DataError, match=r"1 of 2 files are missing under .*: move"):
        load_faces([*samples, gone, there], FER7, gray=True)
