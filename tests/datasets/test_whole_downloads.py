"""Published data sets with splits in folders, copies, mixtures, images beside: all is counted."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from pyojeong.core.errors import DataError
from pyojeong.datasets.importing import Imported, ImportOptions, import_dataset
from pyojeong.datasets.samples import Sample, Split, read_manifest
from tests.datasets import trees


def bring(
    root: Path, *, layout: str | None = None, out: Path | None = None
) -> tuple[Imported, list[Sample]]:
    """Import; return the outcome and the rows."""
    out = out or root.parent / "out.parquet"
    done = import_dataset(root, out, ImportOptions(layout=layout, jobs=1))
    return done, list(read_manifest(out, splits=list(Split)))


def images_in(root: Path) -> int:
    return sum(f.suffix in {".png", ".jpg", ".tiff"} for f in root.rglob("*"))


def splits(rows: list[Sample]) -> dict[str, int]:
    return dict(Counter(row.split.value for row in rows))


def ck(root: Path, *, first: int = 0, people: range = range(100, 110)) -> Path:
    for k, label in enumerate(("anger", "happy", "sadness")):
        for person in people:
            number = first + 100 * k + person
            trees.save(number, root / label / f"S{person}_001_{number:08d}.png")
    return root


def jaffe(root: Path, *, sort: bool = False, first: int = 0) -> Path:
    labels = {"AN": "angry", "HA": "happy", "SA": "sad"}
    number = first
    for subject in ("KA", "KL", "KM", "KR"):
        for code, label in labels.items():
            number += 1
            folder = root / label if sort else root
            trees.save(number, folder / f"{subject}.{code}1.{number}.tiff")
    return root


def own(root: Path, label: str, count: int = 12) -> None:
    for i in range(count):
        trees.save(5000 + i, root / label / f"own_{i}.png")


@pytest.mark.parametrize("inside", ["", "CK_dataset"])
@pytest.mark.parametrize("names", [("Train", "Val", "Test"), ("train", "test")])
def test_splits_of_ck48(tmp_path: Path, names: tuple[str, ...], inside: str) -> None:
    root = tmp_path / "set"
    for n, name in enumerate(names):
        ck(root / inside / name, first=1000 * n, people=range(100 + 20 * n, 110 + 20 * n))
    done, rows = bring(root)
    assert done.layout == "ck48"
    assert splits(rows) == (
        {"train": 30, "valid": 30, "test": 30}
        if len(names) == 3
        else {"train": 27, "valid": 3, "test": 30}
    )
    assert ("splits: Val/ is read as valid" in done.warnings) is (len(names) == 3)
    assert done.sums.given == images_in(root)
    assert {row.group for row in rows if row.split is Split.TEST} == {
        f"S{p + 20 * (len(names) - 1)}" for p in range(100, 110)
    }


def test_people_of_ck48_in_several_splits_are_a_warning(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for n, name in enumerate(("train", "valid")):
        ck(root / name, first=1000 * n, people=range(100 + 8 * n, 110 + 8 * n))
    done, _ = bring(root)
    assert any("2 people are in more than one split (S108, S109)" in w for w in done.warnings)


@pytest.mark.parametrize("names", [("a", "b"), ("train", "more"), ("a/train", "b/test")])
def test_copies_of_ck48_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    root = tmp_path / "set"
    for n, name in enumerate(names):
        ck(root / name, first=1000 * n)
    with pytest.raises(DataError, match="several data sets in one folder") as info:
        bring(root)
    assert all(f"{name}/" in str(info.value) for name in names)
    assert "--layout class-folders" in str(info.value)


def test_nested_and_loose_images_of_ck48_are_counted(tmp_path: Path) -> None:
    root = ck(tmp_path / "set")
    trees.save(900, root / "happy" / "more" / "S133_001_00000013.png")
    trees.save(901, root / "loose.png")
    done, rows = bring(root)
    assert (done.layout, len(rows)) == ("ck48", 31)
    assert done.sums.left_out == {"not read by ck48 (loose.png)": 1}
    (root / "happy" / "more").rename(root / "happy" / "sad")
    with pytest.raises(DataError, match="class folders inside class folders of another label"):
        bring(root)


@pytest.mark.parametrize("kind", ["ck48", "jaffe"])
@pytest.mark.parametrize("inside", ["", "train"])
def test_own_pictures_among_published_ones_are_read_too(
    tmp_path: Path, kind: str, inside: str
) -> None:
    root = tmp_path / "set"
    if kind == "ck48":
        ck(root / inside)
        own(root / inside, "happy", 3)
    else:
        jaffe(root / inside, sort=True)
        shutil.rmtree(root / inside / "sad")
        own(root / inside, "sad")
    done, rows = bring(root)
    assert done.layout == "class-folders"
    assert len(rows) == done.sums.given == images_in(root)
    stated, some_rows = bring(root, layout=kind)
    assert stated.sums.given == images_in(root)
    assert stated.skipped == {"image with another name": len(rows) - len(some_rows)}


def test_jaffe_in_class_folders(tmp_path: Path) -> None:
    root = jaffe(tmp_path / "set", sort=True)
    done, rows = bring(root)
    assert (done.layout, len(rows), done.sums.given) == ("jaffe", 12, 12)
    assert {row.group for row in rows} == {"KA", "KL", "KM", "KR"}
    file = next((root / "sad").iterdir())
    file.rename(root / "happy" / file.name)
    with pytest.raises(DataError, match=rf"1 image contradict.*happy/{file.name} is sad"):
        bring(root)


@pytest.mark.parametrize("sort", [False, True])
def test_splits_of_jaffe(tmp_path: Path, sort: bool) -> None:
    root = tmp_path / "set"
    for n, name in enumerate(("train", "validation", "test")):
        jaffe(root / name, sort=sort, first=100 * n)
    done, rows = bring(root)
    assert done.layout == "jaffe"
    assert splits(rows) == {"train": 12, "valid": 12, "test": 12}
    assert "splits: validation/ is read as valid" in done.warnings
    assert any("4 people are in more than one split" in w for w in done.warnings)


@pytest.mark.parametrize("names", [("a", "b"), ("train", ".")])
def test_copies_of_jaffe_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    root = tmp_path / "set"
    for n, name in enumerate(names):
        jaffe(root / name, first=100 * n)
    with pytest.raises(DataError, match="several data sets in one folder"):
        bring(root)


@pytest.mark.parametrize("places", [("train_set", "val_set"), ("a", "b")])
def test_splits_of_affectnet8_in_folders_of_their_own(
    tmp_path: Path, places: tuple[str, str]
) -> None:
    whole = trees.affectnet8(tmp_path / "whole")
    root = tmp_path / "set"
    for place, part in zip(places, ("train_set", "val_set"), strict=True):
        shutil.copytree(whole / part, root / place / part)
    done, rows = bring(root)
    assert (done.layout, splits(rows)) == ("affectnet8", {"train": 7, "valid": 7})
    assert done.sums.given == images_in(root) == 16
    shutil.copytree(whole / "val_set", root / places[0] / "val_set")
    with pytest.raises(DataError, match=rf"several data sets.*{places[0]}/, {places[1]}/"):
        bring(root)


def test_a_split_of_ferplus_without_its_table(tmp_path: Path) -> None:
    root = trees.ferplus(tmp_path)
    (root / "data" / "FER2013Valid" / "label.csv").unlink()
    done, rows = bring(root)
    assert splits(rows) == {"train": 7, "test": 7}
    assert "FER2013Valid/ has no label.csv: none of its images is read" in done.warnings
    assert done.sums.given == images_in(root)
    other = tmp_path / "set"
    for place in ("a", "b"):
        shutil.copytree(root / "data", other / place)
    with pytest.raises(DataError, match=r"several data sets.*a/, b/"):
        bring(other)


def test_several_tables_of_fer2013_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        trees.fer2013_csv(tmp_path / "set" / name)
    with pytest.raises(DataError, match=r"several data sets.*fer2013\.csv.*: a/, b/; name one"):
        bring(tmp_path / "set")


def test_a_table_beside_class_folders_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "set"
    own(root / "train", "happy")
    (root / "old").mkdir()
    trees.fer2013_csv(root / "old")
    with pytest.raises(DataError, match=r"class folders with images \(train/happy/\).*--layout"):
        bring(root)
    assert len(bring(root, layout="class-folders")[1]) == 12
    done, rows = bring(root, layout="fer2013")
    assert len(rows) == 21
    (why,) = done.sums.left_out
    assert why.startswith("not read by fer2013 (train/happy/own_0.png")
    assert done.sums.left_out[why] == 12


def test_nested_and_loose_images_of_rafdb_on_kaggle_are_counted(tmp_path: Path) -> None:
    root = trees.rafdb_kaggle(tmp_path)
    trees.save(900, root / "DATASET" / "train" / "1" / "more" / "nested.jpg")
    trees.save(901, root / "DATASET" / "train" / "loose.jpg")
    done, rows = bring(root)
    assert (done.layout, len(rows)) == ("rafdb-kaggle", 71)
    assert done.sums.given == images_in(root) == 72


@pytest.mark.parametrize("kind", ["ferplus", "rafdb", "voted-photographs"])
def test_repeated_rows_of_published_lists_count_once(tmp_path: Path, kind: str) -> None:
    root = trees.TREES[kind](tmp_path)
    before, _ = bring(root)
    lists = {
        "ferplus": root / "data" / "FER2013Train" / "label.csv",
        "rafdb": root / "EmoLabel" / "list_patition_label.txt",
        "voted-photographs": root / "labels.csv",
    }
    lines = lists[kind].read_text().splitlines()
    lists[kind].write_text("\n".join([*lines, lines[1]]) + "\n")
    done, _ = bring(root)
    assert done.rows == before.rows
    assert done.skipped["repeated row"] == 1


EVERY = sorted(set(trees.TREES) - {"fer2013"})


@pytest.mark.parametrize("kind", EVERY)
def test_sums_cover_every_image_of_the_folder(tmp_path: Path, kind: str) -> None:
    """Images beside a data set, at any depth, are left out by reason."""
    whole = tmp_path / "whole"
    root = trees.TREES[kind](whole)
    place = whole / "far" / "below" / "all" / "of" / "it"
    before, _ = bring(root, out=tmp_path / "before.parquet")
    trees.save(7000, place / "beside.png")
    trees.save(7001, whole / "alone.png")
    done, rows = bring(whole)
    assert done.sums.given - before.sums.given == 2
    second_faces = len(rows) // 2 if kind == "expw" else 0
    if kind == "datasets":  # its images are no files
        second_faces = len(rows)
    others = done.sums.left_out.get("not images", 0)
    assert done.sums.given - second_faces - others == images_in(whole)
