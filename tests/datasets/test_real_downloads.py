"""Data sets as people really have them: odd names of splits, codes, numbers, broken tables."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from pyojeong.core.errors import DataError, LabelUnknown
from pyojeong.core.labels import FER7
from pyojeong.datasets.cache import manifest_of
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.label_map import expression, parse_label_map
from pyojeong.datasets.own_pictures import OwnOptions
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.datasets.split_names import split_of


def fill(folder: Path, count: int = 3, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng([seed, *folder.as_posix().encode()])
    for i in range(count):
        cv2.imwrite(str(folder / f"{i}.png"), random.integers(0, 256, (16, 16, 3), np.uint8))


def imported(source: Path, out: Path, *mapped: str) -> tuple[Counter, tuple[str, ...]]:
    own = OwnOptions(label_map=parse_label_map(mapped, FER7))
    done = import_dataset(source, out, ImportOptions(own=own))
    return Counter(
        (s.split, s.label) for s in read_manifest(out, splits=list(Split))
    ), done.warnings


@pytest.mark.parametrize(
    ("names", "unusual"),
    [
        (("train", "valid", "test"), False),
        (("train_set", "val_set", "test_set"), True),
        (("Training", "PublicTest", "PrivateTest"), True),
        (("TrainImages", "validation-data", "Testing"), True),
        (("train", "eval", "test"), True),
    ],
)
def test_every_split_is_imported_under_its_name(
    tmp_path: Path, names: tuple[str, ...], unusual: bool
) -> None:
    for name in names:
        for label in ("happy", "sad"):
            fill(tmp_path / "set" / name / label)
    counts, said = imported(tmp_path / "set", tmp_path / "set.parquet")
    assert counts == {(s, label): 3 for s in Split for label in ("happy", "sad")}
    sentences = [w for w in said if w.startswith("splits: ")]
    assert bool(sentences) is unusual
    assert all(
        f"{n}/ is read as {s.value}" in sentences[0]
        for n, s in zip(names, Split, strict=True)
        if unusual and n not in ("train", "test")
    )


@pytest.mark.parametrize("name", ["train_val", "happy", "set", "testimony", "protest", "", "1"])
def test_other_names_are_no_splits(name: str) -> None:
    assert split_of(name) is None


def test_a_class_folder_beside_splits_is_refused_or_left_out(tmp_path: Path) -> None:
    source = tmp_path / "set"
    for place in ("train/happy", "test/happy", "sad", "extra/sub"):
        fill(source / place)
    with pytest.raises(DataError, match=r"extra/ \(3 images\), sad/ \(3 images\) beside .*train/"):
        imported(source, tmp_path / "set.parquet")
    assert not (tmp_path / "set.parquet").exists()
    counts, _ = imported(source, tmp_path / "set.parquet", "sad=skip,extra=skip")
    assert sum(counts.values()) == 6


def test_several_sets_in_one_folder_are_refused(tmp_path: Path) -> None:
    for place in ("first/happy", "second/happy"):
        fill(tmp_path / "set" / place)
    with pytest.raises(DataError, match="several folders hold class folders: first/, second/"):
        imported(tmp_path / "set", tmp_path / "set.parquet")


def test_what_is_left_out_beside_the_classes_is_told(tmp_path: Path) -> None:
    fill(tmp_path / "set/data/train/happy")
    fill(tmp_path / "set/data/test/happy")
    fill(tmp_path / "set/notes")
    fill(tmp_path / "set/data/train")
    own = ImportOptions()
    done = import_dataset(tmp_path / "set", tmp_path / "set.parquet", own)
    assert "data/ is read; left out beside it: notes/ (3 images)" in done.warnings
    assert done.beside["in no class folder"] == 6
    assert done.rows == 6


def test_the_meaning_of_numbers_is_told_or_asked_for(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        for number in "1234567":
            fill(tmp_path / "raf" / split / number, 2)
    counts, said = imported(tmp_path / "raf", tmp_path / "raf.parquet")
    assert counts[Split.VALID, "surprise"] == counts[Split.TRAIN, "surprise"] == 2
    assert any("numbered classes are read as RAF-DB's: 1 surprise, 2 fear" in w for w in said)
    for split in ("train", "test"):
        for number in "01234567":
            fill(tmp_path / "affectnet" / split / number, 2)
    with pytest.raises(DataError, match="state what the numbers mean") as refused:
        imported(tmp_path / "affectnet", tmp_path / "affectnet.parquet")
    assert "AffectNet: 0=neutral,1=happy,2=sad" in str(refused.value)
    stated = "0=neutral,1=happy,2=sad,3=surprise,4=fear,5=disgust,6=angry,7=skip"
    counts, said = imported(tmp_path / "affectnet", tmp_path / "affectnet.parquet", stated)
    assert not any("rafdb" in w or "RAF-DB" in w for w in said)
    assert counts[Split.TEST, "neutral"] == counts[Split.TEST, "angry"] == 2
    assert sum(counts.values()) == 28


@pytest.mark.parametrize(
    ("name", "label"),
    [
        *(
            ("ANG", "angry"),
            ("HAP", "happy"),
            ("SU", "surprise"),
            ("AF", "fear"),
            ("NEU", "neutral"),
        ),
        *(("0_angry", "angry"), ("3-happy", "happy"), ("05. Sad", "sad"), ("1_행복", "happy")),
        *(("7", None), ("0_", None), ("123_happy", None), ("hat", None)),
    ],
)
def test_codes_and_numbered_names(name: str, label: str | None) -> None:
    assert expression(name) == label


def test_a_comma_in_a_name_divides_nothing() -> None:
    assert parse_label_map(["a, b=happy"], FER7).label("a, b") == "happy"


def raf_list(root: Path, lines: list[str], *, deeper: bool) -> None:
    (root / "EmoLabel").mkdir(parents=True)
    (root / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines), encoding="utf-8")
    folder = root / "Image" / "aligned" / ("aligned" if deeper else "")
    folder.mkdir(parents=True)
    for i, name in enumerate(("train_00001", "test_0001")):
        image = np.full((16, 16, 3), 40 * i, np.uint8)
        cv2.imwrite(str(folder / f"{name}_aligned.jpg"), image)


@pytest.mark.parametrize("deeper", [False, True])
@pytest.mark.parametrize(
    "lines",
    [
        ["train_00001.jpg 5", "test_0001.jpg 4"],
        ["train_00001_aligned.jpg 5", "test_0001_aligned.jpg 4"],
        ["train_00001.jpg 5 0", "test_0001.jpg 4 1"],
    ],
)
def test_variants_of_rafdb(tmp_path: Path, lines: list[str], deeper: bool) -> None:
    raf_list(tmp_path / "down" / "basic", lines, deeper=deeper)
    counts, _ = imported(tmp_path / "down", tmp_path / "raf.parquet")
    assert sum(counts.values()) == 2
    assert counts[Split.TEST, "happy"] == 1


def test_a_set_without_any_of_its_images_is_an_error(tmp_path: Path) -> None:
    raf_list(tmp_path / "raf", ["train_00009.jpg 5", "test_0009.jpg 4"], deeper=False)
    with pytest.raises(DataError, match="2 of 2 images are missing"):
        imported(tmp_path / "raf", tmp_path / "raf.parquet")
    assert not (tmp_path / "raf.parquet").exists()


def test_unknown_classes_in_odd_splits_are_still_named(tmp_path: Path) -> None:
    fill(tmp_path / "set/train_set/happy")
    fill(tmp_path / "set/test_set/cats")
    with pytest.raises(LabelUnknown, match="cats"):
        imported(tmp_path / "set", tmp_path / "set.parquet")


PIXELS = " ".join(["7"] * 48 * 48)
OTHER = " ".join(["9"] * 48 * 48)


@pytest.mark.parametrize(
    "text",
    [
        f"emotion,pixels,Usage\n3,{PIXELS},Training\n\n4,{OTHER},PrivateTest\n\n",
        f"emotion,pixels,Usage\r\r\n3,{PIXELS},Training\r\r\n4,{OTHER},PrivateTest\r\r\n",
        f"\ufeffemotion,pixels,Usage\n3,{PIXELS},Training\n4,{OTHER},PrivateTest\n",
        f",emotion,pixels,Usage\n0,3,{PIXELS},Training\n1,4,{OTHER},PrivateTest\n",
        f"emotion,pixels,Usage\n3,{PIXELS},Training\n,,\n4,{OTHER},PrivateTest\n",
    ],
)
@pytest.mark.parametrize("where", ["fer2013.csv", "inner/fer2013.csv", "inner/fer2013.zip"])
def test_fer2013_as_people_download_it(tmp_path: Path, text: str, where: str) -> None:
    file = tmp_path / "down" / where
    file.parent.mkdir(parents=True)
    if where.endswith(".zip"):
        import zipfile

        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("fer2013/fer2013.csv", text)
    else:
        file.write_bytes(text.encode("utf-8"))
    counts, _ = imported(tmp_path / "down", tmp_path / "fer.parquet")
    assert counts == {(Split.TRAIN, "happy"): 1, (Split.TEST, "sad"): 1}


def test_warnings_of_a_conversion_are_given_every_time(tmp_path: Path) -> None:
    fill(tmp_path / "set/행복", 12)
    fill(tmp_path / "set/happy", 12)
    (tmp_path / "set/happy/torn.png").write_bytes(b"no image")
    said: list[list[str]] = []
    for _ in range(2):
        said.append([])
        manifest_of(tmp_path / "set", folder=tmp_path / "cache", warn=said[-1].append)
    assert said[0] == said[1]
    assert any("are one class: happy" in line for line in said[0])
    assert "could not be decoded: happy/torn.png" in said[0]
