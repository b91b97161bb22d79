"""Data sets on real disks: trash, dead links, closed folders, odd endings; sums add up."""

import os
from pathlib import Path

import pytest

from pyojeong.core.errors import DataError
from pyojeong.datasets.cache import manifest_of
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.importing import Imported, ImportOptions, import_dataset
from pyojeong.datasets.label_map import LabelMap
from pyojeong.datasets.own_pictures import OwnOptions
from pyojeong.datasets.samples import Split, read_manifest
from tests.datasets import trees


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Class folders with two pictures each."""
    for i, label in enumerate(("happy", "happy", "sad", "sad")):
        trees.save(i, tmp_path / "set" / label / f"{i}.png")
    return tmp_path / "set"


def bring(root: Path, **own: object) -> Imported:
    options = ImportOptions(jobs=1, own=OwnOptions(**own))  # type: ignore[arg-type]
    return import_dataset(root, root.parent / "t.parquet", options)


def names(root: Path) -> list[str]:
    rows = read_manifest(root.parent / "t.parquet", splits=list(Split))
    return sorted(Path(row.path or "").name for row in rows)


def test_trash_and_system_files_are_no_samples(root: Path) -> None:
    for name in ("happy/.Trash/x.png", "happy/@eaDir/y.png", "__MACOSX/happy/z.png"):
        trees.save(9, root / name)
    (root / "happy" / "._0.png").write_bytes(b"Mac OS X")
    (root / "happy" / "notes.txt").write_text("words")
    trees.save(8, root / "loose.png")
    done = bring(root)
    assert names(root) == ["0.png", "1.png", "2.png", "3.png"]
    assert done.sums.to_dict() == {
        "given": 10,
        "read": 4,
        "failed": 0,
        "left_out": {
            "hidden": 2,
            "in no class folder": 1,
            "not images": 1,
            "of the operating system": 2,
        },
    }


def test_downloads_of_any_ending_are_samples(root: Path) -> None:
    for source, name in (("0.png", "a.jfif"), ("1.png", "b.jpg_large"), ("2.png", "c")):
        folder = root / ("happy" if source < "2" else "sad")
        (folder / source).rename(folder / name)
    bring(root)
    assert names(root) == ["3.png", "a.jfif", "b.jpg_large", "c"]


def test_dead_links_stay_in_the_table_and_are_counted(root: Path) -> None:
    (root / "sad" / "dead.png").symlink_to("nowhere.png")
    done = bring(root)
    assert (done.rows, done.sums.read, done.sums.failed, done.sums.given) == (5, 4, 1, 5)


def test_class_folders_that_are_links_are_read_and_circles_end(root: Path, tmp_path: Path) -> None:
    trees.save(7, tmp_path / "elsewhere" / "7.png")
    (root / "angry").symlink_to(tmp_path / "elsewhere")
    (root / "sad" / "up").symlink_to("..")
    bring(root)
    assert "7.png" in names(root)


def test_a_closed_folder_stops_the_import_and_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path="."):
        if Path(path).name == "sad":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"set/sad: could not be searched: Permission denied; give"):
        bring(root)
    with pytest.raises(DataError, match="could not be searched"):
        manifest_of(root, folder=root.parent / "cache")


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o600])
def test_rights_of_real_folders(mode: int, root: Path) -> None:
    (root / "sad").chmod(0)
    if os.access(root / "sad", os.R_OK):
        pytest.skip("this user may enter every folder")
    (root / "sad").chmod(mode)
    try:
        with pytest.raises(DataError, match="set/sad: could not be searched"):
            bring(root)
    finally:
        (root / "sad").chmod(0o700)


def test_tables_with_names_that_are_too_long(root: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(f"image,label\nhappy/0.png,happy\n{'k' * 300}.png,sad\n")
    done = bring(root, table=table)
    assert done.rows == 1
    assert done.sums.given == 1 + sum(done.sums.left_out.values())
    assert any("file is missing" in why for why in done.skipped)


def test_left_out_classes_are_in_the_sums(root: Path) -> None:
    trees.save(5, root / "bored" / "5.png")
    done = bring(root, label_map=LabelMap({"bored": None}))
    assert done.sums.given == 5
    assert sum(done.sums.left_out.values()) == 1


def test_the_cache_does_not_stop_at_dead_links_and_pipes(root: Path) -> None:
    (root / "sad" / "dead.png").symlink_to("nowhere.png")
    os.mkfifo(root / "sad" / "pipe")
    cache = root.parent / "cache"
    first = manifest_of(root, folder=cache)
    trees.save(6, root / "happy" / ".hidden.png")
    assert manifest_of(root, folder=cache) == first
    trees.save(6, root / "happy" / "6.png")
    assert manifest_of(root, folder=cache) != first


def test_images_whose_path_is_no_unicode_are_in_the_table(root: Path) -> None:
    odd = root / "happy" / os.fsdecode(b"caf\xe9.png")
    (root / "happy" / "0.png").rename(odd)
    dead = root / "sad" / os.fsdecode(b"\xe9.png")
    dead.symlink_to("nowhere.png")
    done = bring(root)
    assert (done.rows, done.sums.read, done.sums.failed) == (5, 4, 1)
    assert any("2 images are not valid Unicode" in warning for warning in done.warnings)
    rows = list(read_manifest(root.parent / "t.parquet", splits=list(Split)))
    assert [r.source for r in rows if r.image is not None] == ["happy/caf\\udce9.png"]


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.filterwarnings("error::pyojeong.core.errors.ImageWarning")
def test_pictures_that_break_off_are_counted_in_one_line(root: Path, jobs: int) -> None:
    for i in range(4):
        path = root / "sad" / f"torn{i}.jpg"
        trees.save(i, path)
        path.write_bytes(path.read_bytes()[:-20])
    done = import_dataset(root, root.parent / "t.parquet", ImportOptions(jobs=jobs))
    (line,) = [text for text in done.warnings if "remark" in text]
    assert line.startswith("4 images read with a remark: ")
    assert "torn0.jpg, " in line
    assert "torn0.jpg: the file breaks off before its end" in line
    assert (done.sums.read, done.sums.failed) == (8, 0)
    rows = read_manifest(root.parent / "t.parquet", splits=list(Split))
    assert all(pixels_of(row).size for row in rows)
