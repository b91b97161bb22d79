"""Files that were moved are an error; broken pictures are left out and counted."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pyojeong.cli.app import main
from pyojeong.core.errors import DataError, PicturesLeftOut
from pyojeong.core.labels import FER7
from pyojeong.datasets import fingerprint, picture_files
from pyojeong.datasets.cache import manifest_of
from pyojeong.datasets.exporting import EXPORTERS
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.manifest_files import file_state, same_file_state
from pyojeong.datasets.overview import overview
from pyojeong.datasets.picture_files import (
    decoded,
    missing_files,
    picture_counts,
    require_files,
    require_unchanged,
)
from pyojeong.datasets.samples import (
    Sample,
    Split,
    read_manifest,
    read_states,
    write_manifest,
)
from pyojeong.datasets.splitting import SplitOptions, split
from pyojeong.verification import verify_path
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


def test_a_dead_link_is_a_missing_file(tmp_path: Path) -> None:
    for i in range(4):
        trees.save(i, tmp_path / "set" / "happy" / f"{i}.png")
        trees.save(10 + i, tmp_path / "set" / "sad" / f"{i}.png")
    (tmp_path / "set" / "sad" / "gone.png").symlink_to("nowhere.png")
    done = import_dataset(tmp_path / "set", tmp_path / "t.parquet", ImportOptions(jobs=1))
    assert (done.rows, done.missing, done.unreadable) == (9, 1, 0)
    assert len(missing_files(tmp_path / "t.parquet").paths) == 1
    assert picture_counts(tmp_path / "t.parquet")[1].startswith("1 image missing")


def test_a_picture_that_was_closed_at_the_import_counts_as_what_it_is_now(tmp_path: Path) -> None:
    for i in range(4):
        trees.save(i, tmp_path / "set" / "happy" / f"{i}.png")
        trees.save(10 + i, tmp_path / "set" / "sad" / f"{i}.png")
    late = tmp_path / "set" / "sad" / "0.png"
    whole = late.read_bytes()
    late.write_bytes(b"not yet")
    out = tmp_path / "t.parquet"
    assert import_dataset(tmp_path / "set", out, ImportOptions(jobs=1)).unreadable == 1
    assert overview(out).failed == 1
    late.write_bytes(whole)
    exported = EXPORTERS["folders"](out, tmp_path / "files")
    assert (overview(out).failed, exported.unreadable, exported.rows) == (0, 0, 8)


def test_broken_pictures_are_left_out_with_one_warning(rows: list[Sample]) -> None:
    Path(rows[1].path or "").write_bytes(b"not an image")
    Path(rows[3].path or "").write_bytes(b"")
    with pytest.warns(PicturesLeftOut, match=r"left out 2 of 7 pictures .*: 1\.png, 3\.png$") as w:
        got = list(decoded(rows))
    assert len(w) == 1
    assert [position for position, _, _ in got] == [0, 2, 4, 5, 6]
    with pytest.raises(DataError, match=r"none of 2 pictures could be decoded: 1\.png, 3\.png"):
        list(decoded([rows[1], rows[3]]))


def test_pictures_that_changed_after_the_import_are_refused(tmp_path: Path) -> None:
    folder = trees.class_folders(tmp_path / "set")
    out = tmp_path / "set.parquet"
    import_dataset(folder, out, ImportOptions())
    require_unchanged(out)
    first, second = sorted(folder.rglob("*.png"))[:2]
    os.utime(first)  # touched, not changed
    require_unchanged(out)
    stat = first.stat()
    trees.save(99, first)  # another picture under the old name, of the old time
    os.utime(first, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(DataError, match=rf"1 image changed after .*{first.name}.*import again"):
        require_unchanged(out)
    second.write_bytes(b"broken")
    with pytest.raises(DataError, match="2 images changed after"):
        require_unchanged(out)


def test_a_picture_that_was_replaced_makes_a_new_conversion(tmp_path: Path) -> None:
    folder = trees.class_folders(tmp_path / "set")
    cached = manifest_of(folder, folder=tmp_path / "cache")
    assert manifest_of(folder, folder=tmp_path / "cache") == cached
    first = min(folder.rglob("*.png"))
    stat = first.stat()
    first.write_bytes(first.read_bytes())
    os.utime(first, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert first.stat().st_size == stat.st_size
    assert manifest_of(folder, folder=tmp_path / "cache") != cached


def test_a_damaged_or_unfinished_conversion_is_made_again(tmp_path: Path) -> None:
    folder = trees.class_folders(tmp_path / "set")
    cached = manifest_of(folder, folder=tmp_path / "cache")
    whole = cached.read_bytes()
    cached.write_bytes(whole[:-30])
    assert manifest_of(folder, folder=tmp_path / "cache").read_bytes() == whole
    cached.with_suffix(".warnings.json").unlink()
    manifest_of(folder, folder=tmp_path / "cache")
    assert cached.with_suffix(".warnings.json").exists()
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_two_processes_convert_one_folder_once(tmp_path: Path) -> None:
    folder = trees.class_folders(tmp_path / "set")
    code = """
import sys
from pathlib import Path
from pyojeong.datasets import cache
made = []
convert = cache.import_dataset
def counted(*arguments, **options):
    made.append(1)
    return convert(*arguments, **options)
cache.import_dataset = counted
print(cache.manifest_of(Path(sys.argv[1]), folder=Path(sys.argv[2])), len(made))
"""
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate(timeout=120)[0].split() for process in processes]
    assert len({name for name, _ in said}) == 1
    assert sorted(count for _, count in said) == ["0", "0", "0", "1"]
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_date_in_the_future_does_not_hide_a_changed_picture(tmp_path: Path) -> None:
    folder = trees.class_folders(tmp_path / "set")
    first, *_, last = sorted(folder.rglob("*.png"))
    os.utime(last, (2**31, 2**31))
    out = tmp_path / "set.parquet"
    import_dataset(folder, out, ImportOptions())
    require_unchanged(out)
    trees.save(99, first)
    with pytest.raises(DataError, match="1 image changed after"):
        require_unchanged(out)


def two_classes(folder: Path, first: int = 0) -> Path:
    """Make pictures of the same names in two class folders."""
    for i in range(3):
        trees.save(first + i, folder / "happy" / f"{i}.png")
        trees.save(first + 10 + i, folder / "sad" / f"{i}.png")
    return folder


def settled(folder: Path) -> Path:
    """Make the pictures older than the table, as those that a swap brings back are."""
    time.sleep(0.03)
    return folder


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


@pytest.fixture
def imported(tmp_path: Path) -> tuple[Path, Path]:
    """A folder, its table, and beside it a folder with the same names that is as old."""
    two_classes(tmp_path / "orig", 50)
    folder = settled(two_classes(tmp_path / "set"))
    import_dataset(folder, tmp_path / "set.parquet", ImportOptions(jobs=1))
    return folder, tmp_path / "set.parquet"


def test_a_folder_of_the_same_names_is_noticed(imported: tuple[Path, Path]) -> None:
    folder, table = imported
    swap(folder, folder.with_name("orig"))
    with pytest.raises(DataError, match=r"6 images changed after .*import again"):
        require_unchanged(table)


def test_class_folders_that_were_exchanged_are_noticed(imported: tuple[Path, Path]) -> None:
    folder, table = imported
    swap(folder / "happy", folder / "sad")
    with pytest.raises(DataError, match="6 images changed after"):
        require_unchanged(table)


def test_a_link_that_leads_elsewhere_is_noticed(tmp_path: Path) -> None:
    two_classes(tmp_path / "a")
    settled(two_classes(tmp_path / "b", 50))
    link = tmp_path / "set"
    link.symlink_to("a")
    import_dataset(link, tmp_path / "set.parquet", ImportOptions(jobs=1))
    require_unchanged(tmp_path / "set.parquet")
    link.unlink()
    link.symlink_to("b")
    with pytest.raises(DataError, match="6 images changed after"):
        require_unchanged(tmp_path / "set.parquet")


def test_a_copy_of_the_folder_is_accepted(imported: tuple[Path, Path]) -> None:
    folder, table = imported
    shutil.copytree(folder, folder.with_name("copy"))
    swap(folder, folder.with_name("copy"))
    require_unchanged(table)


def test_unchanged_files_are_not_opened(
    imported: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(picture_files, "_differs", lambda path, _: bool(opened.append(path)))
    require_unchanged(imported[1])
    assert not opened


def test_tables_made_from_a_table_keep_what_the_import_saw(imported: tuple[Path, Path]) -> None:
    folder, table = imported
    again = table.with_name("again.parquet")
    split(table, again, SplitOptions())
    require_unchanged(again)
    swap(folder, folder.with_name("orig"))
    with pytest.raises(DataError, match="6 images changed after"):
        require_unchanged(again)


def test_a_picture_that_changes_during_the_import_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settled(two_classes(tmp_path / "set"))
    decode = fingerprint.decode_image

    def decoded_and_changed(data: bytes, *, name: str, notes: list[str]) -> object:
        found = decode(data, name=name, notes=notes)
        if data == first:
            trees.save(99, folder / "happy" / "0.png")
        return found

    first = (folder / "happy" / "0.png").read_bytes()
    monkeypatch.setattr(fingerprint, "decode_image", decoded_and_changed)
    import_dataset(folder, tmp_path / "set.parquet", ImportOptions(jobs=1))
    with pytest.raises(DataError, match=r"1 image changed after .*happy/0\.png"):
        require_unchanged(tmp_path / "set.parquet")


def test_a_file_that_was_just_written_is_compared_by_its_contents(tmp_path: Path) -> None:
    path = str(tmp_path / "x.png")
    trees.save(1, Path(path))
    assert file_state(path) == 0  # its next state may have the same time of change
    assert same_file_state(path, 0) is False
    settled(tmp_path)
    assert same_file_state(path, file_state(path) or 0) is True
    assert file_state(path + "x") is same_file_state(path + "x", 0) is None


def test_tables_of_earlier_versions_are_checked_by_time_and_by_doctor(
    imported: tuple[Path, Path],
) -> None:
    folder, table = imported
    old = table.with_name("old.parquet")
    rows = [replace(s, file_state=None) for s in read_manifest(table, splits=list(Split))]
    write_manifest(old, rows, FER7)
    without = pq.read_table(old).drop_columns("file_state")
    pq.write_table(without, old)
    assert list(read_states(old)) == [(s.path, s.content_hash, None) for s in rows]
    require_unchanged(old)
    swap(folder, folder.with_name("orig"))
    require_unchanged(old)  # what earlier versions noticed, no more
    with pytest.raises(DataError, match="6 images changed after"):
        require_unchanged(old, thorough=True)
    (said,) = verify_path(old)
    assert not said.ok
    assert "6 images changed" in said.detail


def test_data_info_counts_and_names_them(
    imported: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, table = imported
    assert overview(table).as_json()["changed"] == 0
    swap(folder, folder.with_name("orig"))
    assert overview(table).as_json()["changed"] == 6
    with pytest.raises(SystemExit) as end:
        main(["data", "info", str(table)])
    assert end.value.code == 1
    said = capsys.readouterr()
    assert "6 images changed after they were imported" in said.out + said.err
