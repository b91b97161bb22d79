"""Names and tables as archives of other systems, spreadsheets and people leave them."""

import os
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyojeong.cli.app import main
from pyojeong.core.errors import DataError, LabelUnknown, ManifestInvalid
from pyojeong.datasets.importing import Imported, ImportOptions, import_dataset
from pyojeong.datasets.layout_ferplus import read_ferplus_votes
from pyojeong.datasets.own_pictures import OwnOptions
from pyojeong.datasets.samples import Sample, Split, read_manifest

KIM = "김민수_1.png"


def nfd(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def picture(path: Path, color: str | int = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(color, int):
        color = f"#{color * 9973 % 2**24:06x}"
    Image.new("RGB", (24, 24), color).save(path)


def taken(source: Path, out: Path, **own: object) -> Imported:
    return import_dataset(source, out, ImportOptions(own=OwnOptions(**own)))  # type: ignore[arg-type]


def pixels_csv(path: Path, rows: int, seed: int, *, labels: bool = True, usage: str = "") -> None:
    rng = np.random.default_rng(seed)
    head = ["emotion"] * labels + ["pixels"] + ["Usage"] * bool(usage)
    lines = [",".join(head)]
    for i in range(rows):
        cells = [str(i % 7)] * labels + [" ".join(map(str, rng.integers(0, 255, 2304)))]
        lines.append(",".join(cells + [usage] * bool(usage)))
    path.write_text("\n".join(lines) + "\n")


def samples(out: Path) -> list[Sample]:
    return list(read_manifest(out, splits=list(Split)))


def splits(out: Path) -> Counter[str]:
    return Counter(sample.split.value for sample in samples(out))


def test_a_table_for_each_split_is_read_whole(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for name, rows, seed in (("train", 20, 0), ("test", 5, 1), ("val", 4, 2)):
        pixels_csv(folder / f"{name}.csv", rows, seed)
    done = taken(folder, tmp_path / "o.parquet")
    assert splits(tmp_path / "o.parquet") == {"train": 20, "valid": 4, "test": 5}
    assert done.rows == 29
    (folder / "val.csv").unlink()
    taken(folder, tmp_path / "o.parquet")
    found = splits(tmp_path / "o.parquet")
    assert found["test"] == 5
    assert found["train"] + found["valid"] == 20


def test_tables_that_are_not_read_are_named_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    pixels_csv(folder / "train.csv", 9, 0)
    pixels_csv(folder / "test.csv", 3, 1, labels=False)  # Kaggle's own has no labels
    done = taken(folder, tmp_path / "o.parquet")
    assert any("test.csv" in line and "no labels" in line for line in done.warnings)
    pixels_csv(folder / "more.csv", 3, 1)
    with pytest.raises(DataError, match=r"several tables of images: train\.csv, more\.csv"):
        taken(folder, tmp_path / "o.parquet")
    pixels_csv(folder / "fer2013.csv", 5, 2, usage="Training")
    done = taken(folder, tmp_path / "o.parquet")
    assert done.rows == 5
    assert any("more.csv, train.csv" in line for line in done.warnings)


def test_further_tables_in_an_archive_are_named(tmp_path: Path) -> None:
    for name in ("train", "val"):
        pixels_csv(tmp_path / f"{name}.csv", 8, len(name))
    archive = tmp_path / "d" / "data.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("train", "val"):
            file.write(tmp_path / f"{name}.csv", f"{name}.csv")
    for source in (archive, archive.parent):
        done = taken(source, tmp_path / "o.parquet")
        assert any("only train.csv is read, not val.csv" in line for line in done.warnings)


def test_two_files_whose_names_differ_by_normal_form_only(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    picture(folder / "é.png", "red")
    picture(folder / nfd("é.png"), "blue")
    picture(folder / "z.png", "green")
    (folder / "t.csv").write_text(f"image,label\n{nfd('é.png')},happy\nz.png,sad\n")
    taken(folder, tmp_path / "o.parquet", table=Path("t.csv"))
    paths = {Path(s.path or "").name for s in samples(tmp_path / "o.parquet")}
    assert paths == {nfd("é.png"), "z.png"}
    (folder / "t.csv").write_text(f"image,label\n{nfd('é.png')},happy\né.png,sad\n")
    assert taken(folder, tmp_path / "o.parquet", table=Path("t.csv")).rows == 2


@pytest.mark.parametrize("named", [KIM, f"sub\\{KIM}", f"./sub/{KIM}"])
def test_imagefolder_finds_names_of_other_systems(tmp_path: Path, named: str) -> None:
    train = tmp_path / "im" / "train"
    picture((train / "sub" if "sub" in named else train) / nfd(KIM))
    picture(train / "b.png", "blue")
    (train / "metadata.csv").write_text(f"file_name,label\n{named},happy\nb.png,sad\n")
    done = taken(tmp_path / "im", tmp_path / "o.parquet")
    assert (done.rows, done.missing, done.warnings) == (2, 0, ()) or done.rows == 2
    assert not any("metadata.csv names" in line for line in done.warnings)


def test_imagefolder_with_one_table_above_its_splits(tmp_path: Path) -> None:
    root = tmp_path / "im"
    for number, name in enumerate(("train/a.png", "train/b.png", "test/c.png", "validation/d.png")):
        picture(root / name, number)
    rows = "\n".join(f"{n},happy" for n in ("train/a.png", "train/b.png", "test/c.png",
                                            "validation/d.png"))  # fmt: skip
    (root / "metadata.csv").write_text(f"\n\nfile_name,label\n{rows}\n")
    taken(root, tmp_path / "o.parquet")
    assert splits(tmp_path / "o.parquet") == {"train": 2, "test": 1, "valid": 1}


def test_voted_photographs_in_the_other_normal_form(tmp_path: Path) -> None:
    labels = "neutral,happy,surprise,sad,angry,disgust,fear,contempt"
    picture(tmp_path / "v" / "images" / nfd(KIM))
    (tmp_path / "v" / "labels.csv").write_text(f"image,{labels}\n{KIM},0,10,0,0,0,0,0,0\n")
    done = taken(tmp_path / "v", tmp_path / "o.parquet")
    assert (done.rows, done.missing) == (1, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file_name;label\na.png;happy\n", "expected commas between the columns"),
        ("name,label\na.png,happy\n", "expected the columns file_name and label, got name, label"),
        ("file_name,label\na.png,happy\n".encode("utf-16"), "not in UTF-8; save it as 'CSV UTF-8'"),
    ],
)
def test_a_metadata_table_that_is_not_read_says_why(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    picture(tmp_path / "im" / "train" / "a.png")
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "im" / "train" / "metadata.csv").write_bytes(data)
    with pytest.raises(DataError, match=words):
        taken(tmp_path / "im", tmp_path / "o.parquet")


def test_a_spreadsheet_of_fer2013(tmp_path: Path) -> None:
    table = tmp_path / "fer2013.csv"
    table.write_text("emotion;pixels;Usage\n")
    with pytest.raises(ManifestInvalid, match="expected commas between the columns"):
        taken(table, tmp_path / "o.parquet")
    table.write_bytes("emotion,pixels,Usage\n".encode("utf-16"))
    with pytest.raises(DataError, match="CSV UTF-8"):
        taken(tmp_path, tmp_path / "o.parquet")


def test_archives_are_to_be_unpacked_first(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as file:
        file.writestr("happy/a.png", b"x")
    for source in (tmp_path, tmp_path / "pictures.zip"):
        with pytest.raises(DataError, match=r"unpack pictures\.zip first") as caught:
            taken(source, tmp_path / "o.parquet")
        assert len(str(caught.value)) < 300


def test_numbers_of_classes_in_other_digits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("01", "２", "3"):
            picture(tmp_path / "d" / split / name / "a.png", f"#0{int(name)}0000")
    taken(tmp_path / "d", tmp_path / "o.parquet")
    labels = {s.label for s in samples(tmp_path / "o.parquet")}
    assert labels == {"surprise", "fear", "disgust"}
    picture(tmp_path / "d" / "train" / "9" / "a.png")
    with pytest.raises(LabelUnknown, match="--map NUMBER=LABEL"):
        taken(tmp_path / "d", tmp_path / "o.parquet")
    for split in ("train", "test"):
        for name in "①②":
            picture(tmp_path / "e" / split / name / "a.png")
    with pytest.raises((DataError, LabelUnknown)):
        taken(tmp_path / "e", tmp_path / "o.parquet")


@pytest.mark.parametrize("number", ["nan", "inf", "1e400"])
def test_boxes_are_finite_numbers(tmp_path: Path, number: str) -> None:
    picture(tmp_path / "e" / "image" / "origin" / "a.jpg")
    (tmp_path / "e" / "label").mkdir()
    (tmp_path / "e" / "label" / "label.lst").write_text(f"a.jpg 0 {number} 10 100 100 50.1 3\n")
    with pytest.raises(ManifestInvalid, match="row 0"):
        taken(tmp_path / "e", tmp_path / "o.parquet")
    folder = tmp_path / "a" / "Manually_Annotated_file_lists"
    folder.mkdir(parents=True)
    head = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,"
    (folder / "training.csv").write_text(
        f"{head}valence,arousal\n1/a.jpg,{number},10,150,150,1;2,1,0,0\n"
    )
    picture(tmp_path / "a" / "Manually_Annotated_Images" / "1" / "a.jpg")
    with pytest.raises(ManifestInvalid, match="four numbers"):
        taken(tmp_path / "a", tmp_path / "o.parquet")


EUC = os.fsdecode("김".encode("euc-kr"))


# Windows refuses such names when a file is made, so that there is nothing to test.
@pytest.mark.skipif(os.name != "posix", reason="other systems have no names that are not Unicode")
def test_names_that_are_not_unicode_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """EUC-KR names of Korean archives: in groups, warnings, tables' paths and stores."""
    monkeypatch.setenv("PYOJEONG_CACHE", str(tmp_path / f"cache{EUC}"))
    root = tmp_path / f"in{EUC}"
    for number in range(12):
        label = ("happy", "sad")[number % 2]
        picture(root / "train" / label / EUC / f"{number}.png", number)
        picture(root / "valid" / label / f"{number}.png", 100 + number)
    table = tmp_path / f"x{EUC}.parquet"
    plain = tmp_path / "plain.parquet"

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        said = capsys.readouterr()
        assert ended.value.code == 0, said.err
        return said.out + said.err

    run("data", "import", str(root), "--out", str(table), "--groups", "^([^/]+)/")
    picture(tmp_path / "plain" / "happy" / "a.png", 77)
    picture(tmp_path / "plain" / "sad" / "b.png", 78)
    run("data", "import", str(tmp_path / "plain"), "--out", str(plain))
    run("evaluate", "--data", str(root), "--split", "valid", "--threads", "1")
    run("data", "curate", str(table), "--checks", "exact-copy")
    run("data", "clean", str(table), "--out", str(tmp_path / f"c{EUC}.parquet"))
    run("data", "merge", str(table), str(plain), "--out", str(tmp_path / f"m{EUC}.parquet"))
    assert splits(tmp_path / f"m{EUC}.parquet")[Split.TRAIN.value] >= 12


def votes_table(path: Path, header: str, order: list[int]) -> None:
    rows = [
        ["Training", f"fer{i:07d}.png", *(str((i + k) % 5) for k in range(10))] for i in range(6)
    ]
    text = "\n".join(",".join(row[k] for k in order) for row in rows)
    path.write_text(f"{header}\n{text}\n\n")


NAMES = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def test_votes_are_read_by_the_names_of_their_columns(tmp_path: Path) -> None:
    usual = list(range(12))
    votes_table(tmp_path / "usual.csv", NAMES, usual)
    wanted = read_ferplus_votes(tmp_path / "usual.csv")
    assert len(wanted) == 6
    other = [11, 0, 5, 4, 3, 2, 1, 6, 7, 8, 9, 10]
    header = ",".join(NAMES.split(",")[k] for k in other)
    votes_table(tmp_path / "other.csv", header, other)
    assert read_ferplus_votes(tmp_path / "other.csv") == wanted
    votes_table(tmp_path / "words.csv", "a,b,c,d,e,f,g,h,i,j,k,l", usual)
    assert read_ferplus_votes(tmp_path / "words.csv") == wanted
    votes_table(tmp_path / "short.csv", NAMES.replace("sadness,", ""), usual)
    with pytest.raises(ManifestInvalid, match="no column sadness"):
        read_ferplus_votes(tmp_path / "short.csv")


def test_replacing_the_table_of_another_data_set_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(("A/happy", "A/sad", "B/happy", "B/sad")):
        for i in range(3):
            picture(tmp_path / name / f"{i}.png", 10 * number + i)
    out, other = tmp_path / "a.parquet", tmp_path / "b.parquet"

    def said(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["data", *words, "--out", str(out)])
        assert ended.value.code == 0
        lines = capsys.readouterr().err.splitlines()
        return "".join(line for line in lines if line.startswith("replaces"))

    taken(tmp_path / "B", other)
    assert said("import", str(tmp_path / "A")) == ""
    assert said("import", str(tmp_path / "A")) == ""
    assert said("import", str(tmp_path / "B")).endswith(
        f"made by `pyojeong data import {tmp_path}/A`"
    )
    assert f"data import {tmp_path}/B" in said("split", str(other))
    main_table = tmp_path / "c.parquet"
    taken(tmp_path / "A", main_table)
    assert f"data split {other}" in said("merge", str(other), str(main_table))
    assert f"data merge {other} {main_table}" in said("clean", str(other))
