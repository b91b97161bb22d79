"""Pictures of one's own on the command line: the options of ``data import`` with ``--data``."""

import json
import shutil
from pathlib import Path

import pytest
from typer.main import get_command

from pyojeong.cli.app import app, main
from pyojeong.cli.conversion import OwnWords
from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7
from pyojeong.datasets.cache import manifest_of
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.manifest_files import store_of
from pyojeong.datasets.samples import Sample, Split, read_manifest, write_manifest
from tests.datasets import trees

OPTIONS = ("--map", "--groups", "--table", "--image-column", "--label-column")


def run(*args: object) -> int:
    try:
        main([str(a) for a in args])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYOJEONG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def pictures(root: Path, classes: dict[str, int]) -> Path:
    number = 0
    for name, count in classes.items():
        for i in range(count):
            number += 1
            trees.save(number, root / name / f"anna{i}_{i}.png")
    return root


def options_of(*words: str) -> dict[str, str]:
    command = get_command(app)
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    return {p.opts[0]: p.help for p in command.params if p.param_type_name == "option"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "words", [("train",), ("export",), ("evaluate",), ("experiments", "compare")]
)
def test_commands_on_data_take_the_options_of_an_import(words: tuple[str, ...]) -> None:
    theirs, imports = options_of(*words), options_of("data", "import")
    assert {name: theirs.get(name) for name in OPTIONS} == {name: imports[name] for name in OPTIONS}


def rows_of(data: Path, own: OwnWords, tmp_path: Path) -> tuple[Path, set[tuple[str, str]]]:
    table = manifest_of(data, own=own.options(FER7), folder=tmp_path / "cache")
    return table, {(r.label, r.group) for r in read_manifest(table, splits=list(Split))}


def test_another_map_is_another_conversion(tmp_path: Path) -> None:
    data = pictures(tmp_path / "set", {"cats": 3})
    first, rows = rows_of(data, OwnWords(["cats=happy"]), tmp_path)
    assert rows == {("happy", "")}
    other, rows = rows_of(data, OwnWords(["cats=sad"]), tmp_path)
    assert rows == {("sad", "")}
    grouped, rows = rows_of(data, OwnWords(["cats=sad"], r"^(\D+)\d"), tmp_path)
    assert rows == {("sad", "anna")}
    assert len({first, other, grouped}) == 3
    assert rows_of(data, OwnWords(["cats=happy"]), tmp_path)[0] == first


def test_a_changed_table_of_labels_is_another_conversion(tmp_path: Path) -> None:
    data = pictures(tmp_path / "set", {"a": 2})
    table = tmp_path / "t.csv"
    table.write_text("image,label\na/anna0_0.png,happy\na/anna1_1.png,happy\n")
    first, _ = rows_of(data, OwnWords(table=table), tmp_path)
    table.write_text("image,label\na/anna0_0.png,happy\na/anna1_1.png,sad\n")
    second, rows = rows_of(data, OwnWords(table=table), tmp_path)
    assert first != second
    assert rows == {("happy", ""), ("sad", "")}


def test_a_finished_table_takes_no_such_options(tmp_path: Path) -> None:
    data = pictures(tmp_path / "set", {"happy": 2})
    table, _ = rows_of(data, OwnWords(), tmp_path)
    with pytest.raises(DataError, match="leave out --table and --map, or name the folder"):
        manifest_of(table, own=OwnWords(["a=sad"], table=table).options(FER7))


def test_train_reads_a_folder_with_a_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.training.tiny import TOML

    Path("tiny.toml").write_text(TOML)
    pictures(tmp_path / "set", {"cats": 12, "dogs": 12})
    command = ("train", "tiny.toml", "--data", "set", "--epochs", 1)
    assert run(*command) == 2
    assert "--map cats=happy" in said(capsys)
    assert run(*command, "--map", "cats=happy,dogs=sad", "--groups", r"^(.*?)_\d+") == 0
    assert "pictures: 24 given = 24 read" in said(capsys)


def test_a_table_of_labels_as_data_names_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "my pictures" / "images", {"a": 2})
    Path("my pictures/t.csv").write_text("image,label\na/anna0_0.png,happy\n")
    assert run("evaluate", "--data", "my pictures/t.csv") == 2
    given = "'my pictures/images' --table 'my pictures/t.csv'"
    text = said(capsys)
    assert f"`pyojeong train --data {given}`" in text
    assert f"`pyojeong data import {given} --out set.parquet`" in text
    Path("elsewhere.csv").write_text("image,label\nx.png,happy\n")
    assert run("evaluate", "--data", "elsewhere.csv") == 2
    assert "--data FOLDER --table elsewhere.csv" in said(capsys)


def test_a_map_that_lacks_classes_expects_labels_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "set", {"0": 2, "1": 2, "2": 2})
    assert run("data", "import", "set", "--out", "t.parquet", "--map", "0=neutral,1=happy") == 2
    text = said(capsys)
    assert "unknown labels '2' (2 x); expected angry, disgust, fear, happy" in text
    assert "sad, surprise; name them" in text


def test_groups_that_match_nothing_show_what_is_searched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "set" / "train", {"happy": 2, "sad": 2})
    command = ("data", "import", "set", "--out", "t.parquet", "--groups")
    assert run(*command, r"^zzz(.*)_\d+") == 2
    text = said(capsys)
    assert "matches none of 4 images: it is searched in 'anna0_0.png', for example" in text
    assert r"'^(.*?)_\d+' matches all of them and names 'anna0' in the first" in text
    assert run(*command, r"^(anna0)_") == 0
    assert "does not match 2 images; each is a group of its own: anna1_1.png" in said(capsys)


def test_groups_in_the_paths_of_a_table_are_names_of_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "set", {"a": 2, "b": 1})
    Path("t.csv").write_text("image,label\na/anna0_0.png,happy\nb/anna0_0.png,sad\n")
    command = ("data", "import", "set", "--table", "t.csv", "--out", "t.parquet", "--groups")
    assert run(*command, "^zzz(.*)") == 2
    text = said(capsys)
    assert r"'([^/]+?)_\d+[^/]*$' matches all of them and names 'anna0' in the first" in text
    assert run(*command, r"([^/]+?)_\d+[^/]*$") == 0
    assert {r.group for r in read_manifest(Path("t.parquet"), splits=list(Split))} == {"anna0"}
    for person in ("anna", "ben"):
        trees.save(len(person), tmp_path / "people" / "sad" / person / "img_1.png")
    capsys.readouterr()
    assert run("data", "import", "people", "--out", "p.parquet", "--groups", "^zzz(.*)") == 2
    assert "'^([^/]+)/' matches all of them and names 'anna' in the first" in said(capsys)


def test_images_that_no_table_names_are_in_the_sums(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "set", {"a": 3})
    Path("t.csv").write_text("image,label\na/anna0_0.png,happy\n")
    assert run("data", "import", "set", "--table", "t.csv", "--out", "t.parquet") == 0
    sums = "samples: 3 given = 1 read + 0 failed + 2 left out (2 named by no row of t.csv)"
    assert sums in said(capsys)
    root = trees.imagefolder(tmp_path)
    trees.save(99, root / "train" / "unnamed.png")
    assert run("data", "import", root, "--out", "u.parquet") == 0
    text = said(capsys)
    assert "no metadata.csv names 1 image: train/unnamed.png" in text
    assert "1 named by no metadata.csv" in text
    assert "samples: 25 given = 21 read + 0 failed + 4 left out" in text


@pytest.mark.parametrize("command", ["import", "train"])
def test_one_picture_in_two_classes_is_said_again_from_the_cache(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = pictures(tmp_path / "set", {"train/happy": 12, "train/sad": 3, "test/sad": 1})
    shutil.copy(root / "train/happy/anna0_0.png", root / "train/sad/twice.png")
    shutil.copy(root / "train/happy/anna1_1.png", root / "test/happy.png")
    (root / "test/happy").mkdir()
    shutil.move(root / "test/happy.png", root / "test/happy/again.png")
    for _ in range(2):
        if command == "import":
            assert run("data", "import", "set", "--out", "t.parquet") == 0
        else:
            assert run("evaluate", "--data", "set") == 0
        text = said(capsys)
        assert (
            "1 image is under more than one label: train/happy/anna0_0.png (happy) = "
            "train/sad/twice.png (sad); keep each in one class" in text
        )
        assert "1 image is in more than one split: " in text
        assert "train/happy/anna1_1.png (train)" in text or "(valid)" in text


def test_findings_are_not_stranded_by_new_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = pictures(tmp_path / "set", {"happy": 2})
    table = tmp_path / "t.parquet"
    import_dataset(root, table, ImportOptions(jobs=1))
    assert run("data", "curate", table, "--checks", "unreadable") == 0
    import_dataset(root, table, ImportOptions(jobs=1))  # the same rows
    before = table.read_bytes()
    capsys.readouterr()
    trees.save(99, root / "happy" / "new.png")
    assert run("data", "import", root, "--out", table) == 2
    text = said(capsys)
    assert table.read_bytes() == before
    assert f"(--out {tmp_path}/t-2.parquet)" in text
    assert f"mv {store_of(table)} {tmp_path}/t-old.curation; mv {table} " in text
    table.unlink()
    import_dataset(root, table, ImportOptions(jobs=1))
    assert run("data", "curate", table) == 2
    text = said(capsys)
    assert f"`pyojeong data curate {table} --store {tmp_path}/t-2.curation`" in text
    assert "t.parquet, 2 rows, id" in text


def test_a_damaged_store_stops_no_new_table(tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    for words in ("", "[]", json.dumps({"version": 1})):
        store_of(table).mkdir(exist_ok=True)
        (store_of(table) / "store.json").write_text(words)
        sample = Sample(
            label="sad", split=Split.TRAIN, image=trees.png(trees.np.zeros((4, 4), "u1"))
        )
        assert write_manifest(table, [sample], FER7) == 1


def broken_table(tmp_path: Path) -> Path:
    root = pictures(tmp_path / "set", {"train/happy": 12, "train/sad": 12, "test/sad": 3})
    (root / "train/happy/broken.png").write_bytes(b"junk")
    (root / "train/sad/broken.png").write_bytes(b"junk")
    import_dataset(root, tmp_path / "t.parquet", ImportOptions(jobs=1))
    return tmp_path / "t.parquet"


SUMS = "29 given = 27 read + 2 failed + 0 left out"


def test_commands_on_tables_count_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = broken_table(tmp_path)
    commands: list[tuple[object, ...]] = [
        ("data", "import", "set", "--out", "u.parquet"),
        ("data", "info", table),
        ("data", "curate", table, "--checks", "unreadable"),
        ("data", "clean", table, "--out", "clean.parquet"),
        ("data", "split", table, "--out", "split.parquet"),
        ("data", "export", table, "--out", "folders"),
    ]
    for command in commands:
        assert run(*command) == 1, command
        text = said(capsys)
        assert f"samples: {SUMS}" in text, command
        if command[1] in {"curate", "clean", "split"}:
            names = "train/happy/broken.png, train/sad/broken.png"
            assert f"failed: 2 images could not be decoded: {names}" in text
    assert run("data", "merge", table, "split.parquet", "--out", "m.parquet") == 1
    assert "samples: 58 given = 54 read + 4 failed + 0 left out" in said(capsys)
    drop = ("data", "clean", table, "--accept", "unreadable", "--out", "whole.parquet")
    assert run(*drop) == 0
    assert "29 given = 27 read + 0 failed + 2 left out (2 dropped in train)" in said(capsys)
    assert run("data", "info", "whole.parquet", "--json") == 0
    out = capsys.readouterr().out
    assert json.loads(out)["pictures"] == {"given": 27, "read": 27, "failed": 0, "left_out": {}}


@pytest.mark.filterwarnings("ignore::pyojeong.core.errors.PicturesLeftOut")
def test_a_training_with_failed_pictures_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.training.tiny import TOML

    Path("tiny.toml").write_text(TOML)
    table = broken_table(tmp_path)
    assert run("train", "tiny.toml", "--data", table, "--epochs", 1) == 1
    captured = capsys.readouterr()
    assert captured.out.strip() == "runs/tiny"  # the run is whole
    assert "pictures: 26 given = 24 read + 2 failed + 0 left out" in captured.err
    assert run("train", "tiny.toml", "--data", table, "--epochs", 1, "--folds", 2) == 1
    captured = capsys.readouterr()
    assert captured.out.strip() == "runs/tiny-folds/predictions.parquet"
    assert "pictures: 26 given = 24 read + 2 failed + 0 left out" in captured.err


def test_a_split_says_what_became_of_the_test_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = pictures(tmp_path / "set", {"train/happy": 20, "train/sad": 20, "test/sad": 10})
    import_dataset(root, tmp_path / "t.parquet", ImportOptions(jobs=1))
    assert run("data", "split", "t.parquet", "--out", "a.parquet", "--keep-test") == 0
    text = said(capsys)
    assert "test: 10 rows before, 10 after; of those before 10 stayed" in text
    assert "--keep-test leaves them" not in text
    assert run("data", "split", "t.parquet", "--out", "b.parquet", "--test", "0.2") == 0
    text = said(capsys)
    place = {r.source: r.split for r in read_manifest(Path("b.parquet"), splits=list(Split))}
    stayed = sum(s is Split.TEST for name, s in place.items() if name.startswith("test/"))
    after = sum(s is Split.TEST for s in place.values())
    assert f"test: 10 rows before, {after} after; of those before {stayed} stayed" in text
    assert f"warning: {10 - stayed} rows that were test rows are so no longer" in text


def test_what_a_training_starts_from_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYOJEONG_MODELS", raising=False)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "experiment.toml").write_text("")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine-s.v1.onnx").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("")
    wanted = {
        "nope.onnx": f"'nope.onnx': no such file: {tmp_path}/nope.onnx; name the path",
        "runs/nope": f"no such file: {tmp_path}/runs/nope",
        "runs/mine": "`pyojeong export runs/mine --data DATA --id ID --out models`",
        "models": "is a folder; name an ONNX file (there: models/mine-s.v1.onnx)",
        "notes.txt": "is a file, but no model; expected one that ends in .onnx",
        "mine-s.v1": "PYOJEONG_MODELS (not set). A model that `pyojeong export` wrote is named "
        "by its path (models/mine-s.v1.onnx is there), or by its id when PYOJEONG_MODELS names",
    }
    for name, words in wanted.items():
        for command in (("train", "--start"), ("evaluate", "--model")):
            data = ("--data", tmp_path / "t.parquet")
            if command[0] == "evaluate" and not Path("t.parquet").exists():
                broken_table(tmp_path)
            assert run(command[0], *data, command[1], name) == 2
            captured = capsys.readouterr().err
            assert captured.count("\n") == 1
            assert words in captured, name
    monkeypatch.setenv("PYOJEONG_MODELS", str(tmp_path))
    assert run("train", "--data", "t.parquet", "--start", "mine-s.v2") == 2
    assert f"({tmp_path}). A model" in said(capsys)


def test_models_break_no_flag_and_fit_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run("models") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    classifiers = lines[1 : lines.index("")]
    flags = [word for line in classifiers if line.startswith("  ") for word in line.split()]
    assert flags.count("data:research-only,") + flags.count("data:research-only") == 3
    assert all(line.startswith(("  ", "columns-", "seresnet-")) for line in classifiers)


def test_a_missing_experiment_says_where_experiments_come_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", "experiments/foo.toml", "--data", "t.parquet") == 2
    captured = capsys.readouterr().err
    assert captured.count("\n") == 1
    assert "experiments/foo.toml: no such file; experiment files are in the folder" in captured
    assert "`pyojeong train --data DATA`" in captured
    Path("mine.toml").write_text('extends = "_arms.toml"')
    assert run("train", "mine.toml", "--data", "t.parquet") == 2
    assert "_arms.toml: no such file; experiment files are in" in said(capsys)
    assert run("train", "mines.toml", "--data", "t.parquet") == 2
    assert "mines.toml: no such file (did you mean mine.toml?)" in said(capsys)
    assert run("experiments", "list") == 2
    assert "experiments is not a folder of experiments: give one with" in said(capsys)
