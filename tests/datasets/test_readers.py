"""Readers on small trees made here, in the exact layouts."""

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyojeong.core.errors import DataError, LabelUnknown, ManifestInvalid
from pyojeong.datasets.cache import manifest_of
from pyojeong.datasets.readers import detect_layout, read_class_folders, read_fer2013
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.image.files import decode_image

FER_ORDER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGES = ("Training", "PublicTest", "PrivateTest")


def pixels(i: int) -> np.ndarray:
    return ((np.arange(48 * 48) * (i + 3)) % 256).astype(np.uint8).reshape(48, 48)


def fer_csv(rows: int = 14) -> str:
    lines = ["emotion,pixels,Usage"]
    for i in range(rows):
        lines.append(f"{i % 7},{' '.join(map(str, pixels(i).ravel()))},{USAGES[i % 3]}")
    return "\n".join(lines) + "\n"


def icml_csv(rows: int = 14) -> str:
    lines = ["emotion, Usage, pixels"]
    for i in range(rows):
        lines.append(f"{i % 7},{USAGES[i % 3]},{' '.join(map(str, pixels(i).ravel()))}")
    return "\n".join(lines) + "\n"


def check_rows(path: Path, rows: int = 14) -> None:
    samples = list(read_fer2013(path))
    assert len(samples) == rows
    for i, sample in enumerate(samples):
        assert sample.label == FER_ORDER[i % 7]
        assert sample.split == (Split.TRAIN, Split.VALID, Split.TEST)[i % 3]
        decoded = decode_image(sample.image or b"")
        np.testing.assert_array_equal(decoded, np.repeat(pixels(i)[..., None], 3, 2))


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".bz2"])
def test_fer2013_plain_and_compressed(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"fer2013.csv{suffix}"
    opener = {"": open, ".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}[suffix]
    with opener(path, "wt") as file:
        file.write(fer_csv())
    assert detect_layout(path) == "fer2013"
    check_rows(path)


def test_icml_face_data_has_spaces_and_another_order(tmp_path: Path) -> None:
    path = tmp_path / "icml_face_data.csv"
    path.write_text(icml_csv())
    check_rows(path)


def test_votes_are_joined_by_row(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(fer_csv(3))
    votes = "Usage,Image name,and,ten,more,columns\n"
    votes += "Training,fer0.png,4,0,0,1,3,2,0,0,0,0\nPublicTest,,0,0,0,0,0,0,0,0,0,0\n"
    votes += "PrivateTest,fer2.png,0,10,0,0,0,0,0,0,0,0\n"
    (tmp_path / "votes.csv").write_text(votes)
    samples = list(read_fer2013(tmp_path / "fer2013.csv", votes=tmp_path / "votes.csv"))
    assert [s.votes for s in samples] == [
        (4, 0, 0, 1, 3, 2, 0, 0, 0, 0),
        None,
        (0, 10, 0, 0, 0, 0, 0, 0, 0, 0),
    ]


@pytest.mark.parametrize("rows", [2, 4])
def test_votes_of_another_length_are_refused(rows: int, tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(fer_csv(rows))
    line = "Training,fer0.png,4,0,0,1,3,2,0,0,0,0\n"
    (tmp_path / "votes.csv").write_text("header\n" + line * 3)
    with pytest.raises(DataError, match="has 3 rows"):
        list(read_fer2013(tmp_path / "fer2013.csv", votes=tmp_path / "votes.csv"))


FERPLUS_ORDER = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear")


def votes_csv(labels: list[str], usages: list[str]) -> str:
    lines = ["Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,u,NF"]
    for i, (label, usage) in enumerate(zip(labels, usages, strict=True)):
        counts = ["9" if name == label else "0" for name in FERPLUS_ORDER]
        lines.append(f"{usage},fer{i}.png,{','.join(counts)},1,0,0")
    return "\n".join(lines) + "\n"


def test_votes_of_rows_in_another_order_are_refused(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(fer_csv(6))
    labels = [FER_ORDER[i % 7] for i in range(6)]
    usages = [USAGES[i % 3] for i in range(6)]
    (tmp_path / "good.csv").write_text(votes_csv(labels, usages))
    assert len(list(read_fer2013(tmp_path / "fer2013.csv", votes=tmp_path / "good.csv"))) == 6
    (tmp_path / "other.csv").write_text(votes_csv(labels[::-1], usages[::-1]))
    with pytest.raises(
        DataError, match=r"in 4 of 6 rows: row 0 is Training, with the votes PrivateTest; .*order"
    ):
        list(read_fer2013(tmp_path / "fer2013.csv", votes=tmp_path / "other.csv"))


@pytest.mark.parametrize("usage", [True, False])
def test_votes_that_agree_with_few_labels_are_refused(usage: bool, tmp_path: Path) -> None:
    text = fer_csv(210)
    if not usage:  # Kaggle's train.csv
        text = "\n".join(line.rpartition(",")[0] for line in text.splitlines())
    (tmp_path / "fer2013.csv").write_text(text)
    usages = [USAGES[i % 3] for i in range(210)]
    labels = [FER_ORDER[(i + (i % 10 > 3)) % 7] for i in range(210)]
    (tmp_path / "votes.csv").write_text(votes_csv(labels, usages))
    assert len(list(read_fer2013(tmp_path / "fer2013.csv", votes=tmp_path / "votes.csv"))) == 210
    labels[0] = "happy"
    (tmp_path / "votes.csv").write_text(votes_csv(labels, usages))
    with pytest.raises(DataError, match=r"in only 83 of 210 rows .*sorted, shuffled"):
        list(read_fer2013(tmp_path / "fer2013.csv", votes=tmp_path / "votes.csv"))


@pytest.mark.parametrize(
    ("old", "new"),
    [("0,", "7,"), ("0,", "-1,"), ("0,", "x,"), ("Training", "Train"), (" 9", " 999"), (" 9", "")],
)
def test_bad_row_is_named(old: str, new: str, tmp_path: Path) -> None:
    header, row = fer_csv(1).splitlines()
    path = tmp_path / "fer2013.csv"
    path.write_text(f"{header}\n{row.replace(old, new, 1)}\n")
    with pytest.raises(ManifestInvalid, match="row 0"):
        list(read_fer2013(path))


def test_missing_column_and_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("emotion,Usage\n0,Training\n")
    with pytest.raises(ManifestInvalid, match="'pixels' missing"):
        list(read_fer2013(tmp_path / "a.csv"))
    (tmp_path / "b.csv.xz").write_bytes(lzma.compress(fer_csv().encode())[:500])
    with pytest.raises(DataError, match="could not be read"):
        list(read_fer2013(tmp_path / "b.csv.xz"))


def folders(root: Path, names: dict[str, int]) -> None:
    for name, count in names.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(pixels(hash((name, i)) % 97)).save(root / name / f"{i}.png")


def test_class_folders_with_synonyms_and_splits(tmp_path: Path) -> None:
    folders(tmp_path, {"Train/Anger": 2, "Train/suprise": 1, "TEST/neutal": 3, "validation/Joy": 1})
    found = [(s.split.value, s.label) for s in read_class_folders(tmp_path)]
    assert sorted(found) == [
        ("test", "neutral"), ("test", "neutral"), ("test", "neutral"),
        ("train", "angry"), ("train", "angry"), ("train", "surprise"), ("valid", "happy"),
    ]  # fmt: skip


def test_official_file_names_give_the_official_split_back(tmp_path: Path) -> None:
    """Kaggle's folders mix PublicTest and PrivateTest; only the names tell them apart."""
    for split, prefix, count in (
        ("train", "Training", 40),
        ("test", "PublicTest", 3),
        ("test", "PrivateTest", 2),
    ):
        folder = tmp_path / split / "happy"
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.fromarray(pixels(i)).save(folder / f"{prefix}_{10000000 + i}.jpg")
    splits = [s.split.value for s in read_class_folders(tmp_path)]
    assert {s: splits.count(s) for s in splits} == {"train": 40, "valid": 3, "test": 2}


def test_missing_validation_is_held_out_by_content(tmp_path: Path) -> None:
    for i in range(200):
        for label in ("happy", "sad"):
            folder = tmp_path / label
            folder.mkdir(exist_ok=True)
            Image.fromarray(pixels(i)).save(folder / f"{i}.png")
    splits: dict[str, set[str]] = {}
    for sample in read_class_folders(tmp_path):
        splits.setdefault(Path(sample.path or "").name, set()).add(sample.split.value)
    # Identical images (same name here) are never on both sides; about a tenth is held out.
    assert all(len(s) == 1 for s in splits.values())
    assert 5 < sum(s == {"valid"} for s in splits.values()) < 40


def test_unknown_class_folders_are_listed(tmp_path: Path) -> None:
    folders(tmp_path, {"train/happy": 1, "train/sleepy": 1, "train/bored": 1})
    with pytest.raises(LabelUnknown, match=r"'bored' \(1 x\), 'sleepy' \(1 x\)"):
        list(read_class_folders(tmp_path))


def test_cache_converts_once_and_again_when_the_source_changes(tmp_path: Path) -> None:
    source = tmp_path / "fer2013.csv"
    source.write_text(fer_csv(6))
    ticks: list[int] = []
    first = manifest_of(source, folder=tmp_path / "cache", tick=ticks.append)
    assert sum(ticks) == 6
    again = manifest_of(source, folder=tmp_path / "cache", tick=ticks.append)
    assert (again, sum(ticks)) == (first, 6)
    source.write_text(fer_csv(9))
    other = manifest_of(source, folder=tmp_path / "cache")
    assert other != first
    assert len(list(read_manifest(other, splits=list(Split)))) == 9
    assert manifest_of(other) == other


def test_cache_of_a_wrong_source(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        manifest_of(tmp_path / "nowhere.csv")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="known layout"):
        manifest_of(tmp_path / "notes.txt")


@pytest.mark.data
@pytest.mark.slow
def test_the_real_fer2013(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "fer2013"
    votes = folder / "fer2013new.csv"
    path = manifest_of(folder / "fer2013.csv.xz", votes=votes, folder=tmp_path)
    counts: dict[str, int] = {}
    labels: dict[str, int] = {}
    unnamed = 0
    for sample in read_manifest(path, splits=list(Split)):
        counts[sample.split.value] = counts.get(sample.split.value, 0) + 1
        labels[sample.label] = labels.get(sample.label, 0) + 1
        unnamed += sample.votes is None
        if sample.source == "fer2013.csv.xz:0":
            assert sample.label == "angry"
            assert decode_image(sample.image or b"")[0, :4, 0].tolist() == [70, 80, 82, 72]
    assert counts == {"train": 28709, "valid": 3589, "test": 3589}
    assert labels == {
        "angry": 4953, "disgust": 547, "fear": 5121, "happy": 8989, "sad": 6077,
        "surprise": 4002, "neutral": 6198,
    }  # fmt: skip
    assert unnamed == 173
