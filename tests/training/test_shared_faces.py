"""Processes of one machine decode a split together: what each holds is the whole split."""

import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Sample, Split
from pyojeong.training.data.faces import load_faces
from pyojeong.training.data.shared_faces import FOLDER, load_shared, shared_folder
from pyojeong.training.world import World


def png(shape: tuple[int, ...], seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def samples(count: int) -> list[Sample]:
    """Gray and colour images of several sizes; every seventh is broken."""
    out = []
    for i in range(count):
        data = png((4 + i % 3, 5, 3) if i % 2 else (6, 4 + i % 5), i)
        out.append(
            Sample(
                image=data if i % 7 != 3 else b"no image",
                label=FER7.names[i % 7],
                split=Split.TRAIN,
                source=f"set-{i % 2}/{i}",
                votes=(i % 4 + 2, 0, 0, 0, 0, 0, 0, 0, 0, 0) if i % 3 else None,
            )
        )
    return out


def all_processes(folder: Path, given: list[Sample], count: int, *, gray: bool) -> list[Any]:
    """What each of so many processes gets, in threads."""

    def one(rank: int) -> Any:
        own = World(rank, count, count, rank)
        try:
            return load_shared(
                lambda: iter(given), FER7, gray=gray, folder=folder, name="train", own=own
            )
        except DataError as error:
            return error

    with warnings.catch_warnings(), ThreadPoolExecutor(count) as pool:
        warnings.simplefilter("ignore")
        return list(pool.map(one, range(count)))


@pytest.mark.parametrize("gray", [True, False])
@pytest.mark.parametrize(("count", "number"), [(2, 40), (3, 41), (4, 5), (3, 2)])
def test_every_process_holds_what_one_alone_would(
    tmp_path: Path, count: int, number: int, gray: bool
) -> None:
    given = samples(number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = load_faces(iter(given), FER7, gray=gray)
    for faces in all_processes(tmp_path, given, count, gray=gray):
        assert not isinstance(faces, DataError)
        assert len(faces) == len(whole)
        for name in ("labels", "votes", "kept"):
            np.testing.assert_array_equal(getattr(faces, name), getattr(whole, name))
            assert getattr(faces, name).dtype == getattr(whole, name).dtype
        assert (faces.origins, faces.given) == (whole.origins, whole.given)
        for one, other in zip(faces.images, whole.images, strict=True):
            np.testing.assert_array_equal(one, other)
        part = faces.images[1:3]
        assert [image.shape for image in part] == [image.shape for image in whole.images[1:3]]


def test_each_decodes_its_share_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyojeong.datasets import picture_files

    seen: list[str] = []
    pixels_of = picture_files.pixels_of

    def counted(sample: Sample) -> object:
        seen.append(str(sample.source))
        return pixels_of(sample)

    monkeypatch.setattr(picture_files, "pixels_of", counted)
    all_processes(tmp_path, samples(40), 4, gray=True)
    assert len(seen) == 40
    assert len(set(seen)) == 40


def test_a_split_that_could_not_be_used_is_refused_everywhere(tmp_path: Path) -> None:
    broken = [Sample(image=b"x", label="happy", split=Split.TRAIN, source=str(i)) for i in range(5)]
    for found in all_processes(tmp_path, broken, 2, gray=True):
        assert "none of 5 pictures could be decoded" in str(found)


def test_who_shares_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.delenv("TORCHELASTIC_RESTART_COUNT", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert shared_folder(World()) is None
    assert shared_folder(World(1, 2, 2, 1)) is None  # started by something else
    assert shared_folder(World(1, 2, 1, 0)) is None  # the other one is on another machine
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    first, second = (shared_folder(World(rank, 2, 2, rank)) for rank in (0, 1))
    assert first == second
    assert first is not None
    assert first.parent == tmp_path
    assert first.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(os, "getuid", lambda: first.stat().st_uid + 1)
    assert shared_folder(World(0, 2, 2, 0)) is None  # somebody else made it
    monkeypatch.setenv(FOLDER, str(tmp_path / "own"))
    assert shared_folder(World(0, 2, 2, 0)) == tmp_path / "own"
