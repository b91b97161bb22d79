"""Files that were moved are an error; broken pictures are left out and counted."""

from pathlib import Path

import numpy as np
import pytest

from pyojeong.core.errors import DataError, PicturesLeftOut
from pyojeong.core.labels import FER7
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.overview import overview
from pyojeong.datasets.picture_files import decoded, missing_files, require_files
from pyojeong.datasets.samples import Sample, Split, write_manifest
from tests.datasets import trees


@pytest.fixture
def rows(tmp_path: Path) -> list[Sample]:
    """Six files in two folders, and a picture inside the table."""
    out = []
    for i in range(6):
        path = tmp_path / "set" / "ab"[i % 2] / f"{i}.png"
        trees.save(i, path)
        out.append(Sample(label="sad", split=Split.TRAIN, path=str(path), source=path.name))
    inside = trees.png(np.asarray(trees.face(9)))
    return [*out, Sample(label="happy", split=Split.VALID, image=inside, source="inside")]


def table(tmp_path: Path, rows: list[Sample]) -> Path:
    write_manifest(tmp_path / "t.parquet", rows, FER7)
    return tmp_path / "t.parquet"


def test_intact_files_are_decoded_in_order(tmp_path: Path, rows: list[Sample]) -> None:
    got = list(decoded(rows))
    assert [position for position, _, _ in got] == list(range(7))
    assert [sample for _, sample, _ in got] == rows
    for sample, (_, _, pixels) in zip(rows, got, strict=True):
        np.testing.assert_array_equal(pixels, pixels_of(sample))
    require_files(table(tmp_path, rows))
    assert not missing_files(table(tmp_path, rows))


def test_moved_folders_are_one_error(tmp_path: Path, rows: list[Sample]) -> None:
    (tmp_path / "set").rename(tmp_path / "elsewhere")
    said = rf"6 of 6 files are missing under {tmp_path}/set: move them back or import again"
    with pytest.raises(DataError, match=said):
        require_files(table(tmp_path, rows))
    with pytest.raises(DataError, match=said):
        list(decoded(rows))
    with pytest.raises(DataError, match=said):
        overview(table(tmp_path, rows)).missing.refuse_all()


def test_some_missing_files_are_counted_and_named(tmp_path: Path, rows: list[Sample]) -> None:
    for i in (0, 2, 4, 5):
        Path(rows[i].path or "").unlink()
    path = table(tmp_path, rows)
    names = r"4 of 6 files are missing under .*/set \(a/0\.png, a/2\.png, a/4\.png, \.\.\.\)"
    with pytest.raises(DataError, match=names):
        require_files(path)
    said = r"left out 4 of 7 pictures whose files are missing: .*/a/0\.png.*\(move them back"
    with pytest.warns(PicturesLeftOut, match=said):
        assert [position for position, _, _ in decoded(rows)] == [1, 3, 6]
    missing_files(path).refuse_folders()
    known = overview(path)
    known.missing.refuse_all()
    assert known.as_json()["missing"] == 4


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path, rows: list[Sample]) -> None:
    Path(rows[0].path or "").unlink()
    (tmp_path / "set" / "b").rename(tmp_path / "b")
    said = r"4 of 6 files are missing under .*/set \(a/0\.png, b/1\.png, b/3\.png, \.\.\.\)"
    with pytest.raises(DataError, match=said):
        list(decoded(rows))
    with pytest.raises(DataError, match=said):
        missing_files(table(tmp_path, rows)).refuse_folders()


def test_missing_and_broken_pictures_are_one_warning(rows: list[Sample]) -> None:
    Path(rows[0].path or "").unlink()
    Path(rows[1].path or "").write_bytes(b"not an image")
    said = "1 of 7 pictures whose files are missing.*; 1 of 7 pictures that could not be decoded"
    with pytest.warns(PicturesLeftOut, match=said):
        assert [position for position, _, _ in decoded(rows)] == [2, 3, 4, 5, 6]


def test_broken_pictures_are_left_out_with_one_warning(rows: list[Sample]) -> None:
    Path(rows[1].path or "").write_bytes(b"not an image")
    Path(rows[3].path or "").write_bytes(b"")
    with pytest.warns(PicturesLeftOut, match=r"left out 2 of 7 pictures .*: 1\.png, 3\.png$") as w:
        got = list(decoded(rows))
    assert len(w) == 1
    assert [position for position, _, _ in got] == [0, 2, 4, 5, 6]
    with pytest.raises(DataError, match=r"none of 2 pictures could be decoded: 1\.png, 3\.png"):
        list(decoded([rows[1], rows[3]]))
