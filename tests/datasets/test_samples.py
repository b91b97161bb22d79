"""The manifest: what is written is read; splits do not mix."""

from pathlib import Path

import pytest

from pyojeong.core.errors import ManifestInvalid
from pyojeong.core.labels import FER7
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.samples import (
    Sample,
    Split,
    manifest_labels,
    read_manifest,
    split_hash,
    write_manifest,
)
from tests.datasets import trees


def some(count: int = 10) -> list[Sample]:
    return [
        Sample(
            label=FER7.names[i % 7],
            split=list(Split)[i % 3],
            image=bytes([i]) * 5 if i % 2 else None,
            path=None if i % 2 else f"표정 {i}.jpg",
            votes=tuple(range(10)) if i % 3 else None,
            group=f"g{i // 2}",
            source=str(i),
        )
        for i in range(count)
    ]


def test_write_then_read_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    assert write_manifest(path, iter(some()), FER7) == 10
    assert list(read_manifest(path, splits=list(Split))) == some()
    assert manifest_labels(path) == FER7


@pytest.mark.parametrize("split", list(Split))
def test_only_the_asked_split_is_read(split: Split, tmp_path: Path) -> None:
    write_manifest(tmp_path / "set.parquet", some(), FER7)
    found = list(read_manifest(tmp_path / "set.parquet", splits=[split]))
    assert found == [s for s in some() if s.split is split]


def test_many_row_groups_keep_their_order(tmp_path: Path) -> None:
    many = [Sample(label="sad", split=Split.TRAIN, path=str(i), source=str(i)) for i in range(9000)]
    write_manifest(tmp_path / "set.parquet", many, FER7)
    rows = read_manifest(tmp_path / "set.parquet", splits=[Split.TRAIN])
    assert [s.source for s in rows] == [str(i) for i in range(9000)]


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    bad = [*some(3), Sample(label="bored", split=Split.TRAIN, path="x")]
    with pytest.raises(ManifestInvalid, match="row 3"):
        write_manifest(tmp_path / "set.parquet", bad, FER7)
    with pytest.raises(ManifestInvalid, match="no samples"):
        write_manifest(tmp_path / "set.parquet", [], FER7)
    assert not list(tmp_path.iterdir())


def test_a_sample_needs_exactly_one_picture() -> None:
    with pytest.raises(ManifestInvalid):
        Sample(label="sad", split=Split.TRAIN)
    with pytest.raises(ManifestInvalid):
        Sample(label="sad", split=Split.TRAIN, image=b"x", path="y")


def test_unreadable_manifests(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="no such file"):
        list(read_manifest(tmp_path / "no.parquet", splits=[Split.TRAIN]))
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(ManifestInvalid, match="could not be read"):
        list(read_manifest(tmp_path / "text.parquet", splits=[Split.TRAIN]))


def test_split_hash_ignores_order_and_notices_changes() -> None:
    samples = some()
    assert split_hash(samples) == split_hash(samples[::-1])
    assert split_hash(samples) != split_hash(samples[1:])
    relabelled = [Sample(label="happy", split=Split.TRAIN, image=b"x")]
    assert split_hash(relabelled) != split_hash(
        [Sample(label="sad", split=Split.TRAIN, image=b"x")]
    )


def test_split_hash_of_images_by_path_is_that_of_their_pixels(tmp_path: Path) -> None:
    folder = trees.class_folders(tmp_path / "set")
    import_dataset(folder, tmp_path / "one.parquet", ImportOptions(jobs=1))
    before = split_hash(read_manifest(tmp_path / "one.parquet", splits=list(Split)))
    folder.rename(tmp_path / "moved")
    import_dataset(tmp_path / "moved", tmp_path / "two.parquet", ImportOptions(jobs=1))
    assert split_hash(read_manifest(tmp_path / "two.parquet", splits=list(Split))) == before
    for number, file in enumerate(sorted((tmp_path / "moved").rglob("*.png"))):
        trees.save(100 + number, file)  # the names stay
    import_dataset(tmp_path / "moved", tmp_path / "two.parquet", ImportOptions(jobs=1))
    assert split_hash(read_manifest(tmp_path / "two.parquet", splits=list(Split))) != before


def test_split_hash_of_images_inside_stays_what_it_was() -> None:
    inside = [Sample(label="sad", split=Split.TRAIN, image=b"x", content_hash="ab")]
    known = "0bd35faaedae423158a037845c7ccabe260705a797ebeb5dc4e6439f340e5ff2"
    assert split_hash(inside) == split_hash(inside, by_path=True) == known
