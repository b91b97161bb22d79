"""Every use of a test split is written down; a run is scored on it once."""

import errno
from dataclasses import replace
from io import FileIO
from pathlib import Path

import pytest

from pyojeong.core import line_files
from pyojeong.core.errors import ExperimentError, OutputError
from pyojeong.core.labels import FER7
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.samples import Sample, Split, read_manifest, split_hash, write_manifest
from pyojeong.datasets.split_uses import RUN_FILE
from pyojeong.evaluation.test_split_guard import (
    copies_file,
    may_show,
    record_use,
    refuse_second_use,
    uses_file,
    uses_of_data,
    uses_of_run,
)
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.verification import verify_path
from tests.datasets import trees


def made(path: Path, train: int = 1, test: bytes = b"test") -> Path:
    rows = [Sample(label="happy", split=Split.TRAIN, image=b"%d" % i) for i in range(train)]
    rows.append(Sample(label="sad", split=Split.TEST, image=test))
    write_manifest(path, rows, FER7)
    return path


FIGURES = {"accuracy": {"value": 0.5}, "ece": {"value": 0.1}}


def test_a_use_is_listed_beside_the_data_and_in_the_run(tmp_path: Path) -> None:
    manifest, run = made(tmp_path / "set.parquet"), tmp_path / "run"
    run.mkdir()
    refuse_second_use(run)
    record_use(manifest, purpose="evaluate", model="a.v1", figures=FIGURES)
    record_use(manifest, purpose="export", model="b.v1", figures=FIGURES, run_folder=run)
    assert uses_file(manifest).name == "set.parquet.test_split.jsonl"
    assert [(u["purpose"], u["model"]) for u in uses_of_data(manifest)] == [
        ("evaluate", "a.v1"),
        ("export", "b.v1"),
    ]
    (use,) = uses_of_run(run)
    assert (use["model"], use["accuracy"], use["ece"]) == ("b.v1", 0.5, 0.1)
    with pytest.raises(ExperimentError, match="was scored on the test split on 20"):
        refuse_second_use(run)


def test_files_of_earlier_versions_count_and_torn_lines_do_not(tmp_path: Path) -> None:
    (tmp_path / "test_looks.jsonl").write_text('{"model": "old", "time": "2025-01-01"}\n{"mod')
    assert [use["model"] for use in uses_of_run(tmp_path)] == ["old"]
    with pytest.raises(ExperimentError, match="2025-01-01"):
        refuse_second_use(tmp_path)


def test_what_is_not_written_down_is_not_shown(tmp_path: Path) -> None:
    manifest = made(tmp_path / "set.parquet")
    uses_file(manifest).mkdir()
    with pytest.raises(OutputError):
        record_use(manifest, purpose="x", model="x", figures=FIGURES)


def test_uses_are_counted_by_the_test_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYOJEONG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "cache").mkdir()
    one = made(tmp_path / "cache" / "one.parquet")
    record_use(one, purpose="evaluate", model="a.v1", figures=FIGURES)
    one.unlink()
    again = made(tmp_path / "cache" / "copy.parquet", train=2)  # the test rows are the same
    assert [use["model"] for use in uses_of_data(again)] == ["a.v1"]
    assert tmp_path / "data" in uses_file(again).parents
    other = made(tmp_path / "cache" / "other.parquet", test=b"another")
    assert uses_of_data(other) == []


def test_copies_of_the_rows_count_as_one_test_split(tmp_path: Path) -> None:
    one = made(tmp_path / "one.parquet")
    record_use(one, purpose="evaluate", model="a.v1", figures=FIGURES)
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "copy.parquet"
    copy.write_bytes(one.read_bytes())
    split_again = made(tmp_path / "again.parquet", train=2)
    record_use(copy, purpose="evaluate", model="b.v1", figures=FIGURES)
    for table in (one, copy, split_again):
        assert [use["model"] for use in uses_of_data(table)] == ["a.v1", "b.v1"]
    assert uses_of_data(made(tmp_path / "other.parquet", test=b"another")) == []


def test_an_import_by_path_and_one_with_the_images_inside_are_copies(tmp_path: Path) -> None:
    root = trees.class_folders(tmp_path)
    by_path, inside = tmp_path / "path.parquet", tmp_path / "inside.parquet"
    import_dataset(root, by_path, ImportOptions(jobs=1))
    import_dataset(root, inside, ImportOptions(jobs=1, embed=True))
    record_use(by_path, purpose="evaluate", model="a.v1", figures=FIGURES)
    assert [use["model"] for use in uses_of_data(inside)] == ["a.v1"]
    assert copies_file(by_path) == copies_file(inside)


def test_a_data_folder_that_is_not_writable_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    manifest = made(tmp_path / "set.parquet")
    with pytest.warns(UserWarning, match="uses in copies of this table are not counted"):
        record_use(manifest, purpose="evaluate", model="a.v1", figures=FIGURES)
    assert [use["model"] for use in uses_of_data(manifest)] == ["a.v1"]


def test_a_card_without_figures_allows_nothing(tmp_path: Path) -> None:
    manifest = made(tmp_path / "set.parquet")
    for metrics in ({}, {"test": 5}, {"test": {}}):
        card = replace(find_classifier("default").card, metrics=metrics)
        assert not may_show(card, manifest, Split.TEST)
        assert may_show(card, manifest, Split.VALID)


def test_uses_that_earlier_versions_listed_by_path_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYOJEONG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    root = trees.class_folders(tmp_path / "set")
    for table in (tmp_path / "set.parquet", tmp_path / "cache" / "set.parquet"):
        table.parent.mkdir(exist_ok=True)
        import_dataset(root, table, ImportOptions(jobs=1))
        digest = split_hash(read_manifest(table, splits=[Split.TEST]), by_path=True)
        assert digest not in str(uses_file(table))
        old = tmp_path / "data" / "pyojeong" / "test_splits" / f"{digest}.jsonl"
        file = old if "cache" in str(table) else uses_file(table)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'{{"model": "old", "split_sha256": "{digest}"}}\n')
        assert [use["model"] for use in uses_of_data(table)] == ["old"]


def used_twice(tmp_path: Path) -> tuple[Path, Path]:
    """Return a table of which two uses are listed, and the folder of the run that used it."""
    manifest, run = made(tmp_path / "set.parquet"), tmp_path / "run"
    run.mkdir()
    for model in ("a.v1", "b.v1"):
        record_use(manifest, purpose="x", model=model, figures=FIGURES, run_folder=run)
    return manifest, run


DAMAGES = {
    "half": lambda line: line[: len(line) // 2],
    "bit": lambda line: line.replace(b"a.v1", b"a.v3"),
    "name of the checksum": lambda line: line.replace(b"crc32", b"crc33"),
    "number": lambda _: b"3",
    "no text": lambda _: b"\xff\xfe",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_line_hides_no_use(tmp_path: Path, name: str) -> None:
    manifest, run = used_twice(tmp_path)
    for file in (uses_file(manifest), run / RUN_FILE, copies_file(manifest)):
        whole = file.read_bytes()
        first, rest = whole.split(b"\n", 1)
        file.write_bytes(DAMAGES[name](first) + b"\n" + rest)
        said = rf"{file.name}: line 1 is damaged .*restore the file from a copy, or write"
        with pytest.raises(ExperimentError, match=said):
            record_use(manifest, purpose="x", model="c.v1", run_folder=run)
        with pytest.raises(ExperimentError, match=said):
            _ = refuse_second_use(run) if file.parent == run else uses_of_data(manifest)
        (found,) = verify_path(file)
        assert (found.ok, "line 1 is damaged" in found.detail) == (False, True)
        file.write_bytes(b'{"model": "unknown"}\n' + rest)
        (found,) = verify_path(file)
        assert (found.ok, found.detail, found.checksum) == (True, "uses of a test split, 2", False)
        file.write_bytes(whole)
        (found,) = verify_path(file)
        assert (found.ok, found.checksum) == (True, True)
    assert [use["model"] for use in uses_of_data(manifest)] == ["a.v1", "b.v1"]


def test_half_a_last_line_is_cut_off_before_the_next_use(tmp_path: Path) -> None:
    manifest, _ = used_twice(tmp_path)
    for file in (uses_file(manifest), copies_file(manifest)):
        file.write_bytes(file.read_bytes() + b'{"purpose": "eva')
    assert len(uses_of_data(manifest)) == 2
    record_use(manifest, purpose="x", model="c.v1")
    assert [use["model"] for use in uses_of_data(manifest)] == ["a.v1", "b.v1", "c.v1"]
    assert uses_file(manifest).read_bytes().count(b"\n") == 3


def test_a_last_line_without_its_end_counts_and_is_kept(tmp_path: Path) -> None:
    manifest, _ = used_twice(tmp_path)
    for file in (uses_file(manifest), copies_file(manifest)):
        file.write_bytes(file.read_bytes()[:-1])
    assert len(uses_of_data(manifest)) == 2
    record_use(manifest, purpose="x", model="c.v1")
    assert len(uses_of_data(manifest)) == 3
    uses_file(manifest).write_bytes(uses_file(manifest).read_bytes()[:-1] + b"\x8a")
    with pytest.raises(ExperimentError, match="line 3 is damaged: its line end"):
        uses_of_data(manifest)


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, _ = used_twice(tmp_path)
    before = uses_file(manifest).read_bytes()

    def write_half(opened: FileIO, data: bytes) -> None:
        opened.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(line_files, "_write_all", write_half)
        with pytest.raises(OutputError, match="No space left"):
            record_use(manifest, purpose="x", model="c.v1")
    assert uses_file(manifest).read_bytes() == before
    record_use(manifest, purpose="x", model="c.v1")
    assert len(uses_of_data(manifest)) == 3


def test_lists_of_earlier_versions_are_read_and_go_on(tmp_path: Path) -> None:
    manifest = made(tmp_path / "set.parquet")
    uses_file(manifest).write_text('{"model": "old"}\n{"model": "older"}\n')
    assert [use["model"] for use in uses_of_data(manifest)] == ["old", "older"]
    record_use(manifest, purpose="x", model="c.v1")
    assert [use["model"] for use in uses_of_data(manifest)] == ["old", "older", "c.v1"]
    with uses_file(manifest).open("a") as file:
        file.write('{"model": "without"}\n')
    with pytest.raises(ExperimentError, match="line 4 is damaged"):
        uses_of_data(manifest)
