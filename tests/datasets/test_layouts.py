"""What is particular to each layout: boxes, groups, splits, skipped rows, and bad input."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyojeong.core.errors import DataError, LabelUnknown, ManifestInvalid
from pyojeong.core.labels import FERPLUS8
from pyojeong.datasets.census import KNOWN, check_counts
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.layout_affectnet import MOST_SIDE, read_affectnet, read_affectnet8
from pyojeong.datasets.layout_ckplus import read_ck48, read_ckplus
from pyojeong.datasets.layout_expw import read_expw
from pyojeong.datasets.layout_fer2013 import read_fer2013
from pyojeong.datasets.layout_ferplus import majority, read_ferplus_folders
from pyojeong.datasets.layout_folders import read_class_folders
from pyojeong.datasets.layout_jaffe import read_jaffe
from pyojeong.datasets.layout_rafdb import read_rafdb
from pyojeong.datasets.layout_voted import read_voted
from pyojeong.datasets.readers import detect_layout
from pyojeong.datasets.samples import Split, read_manifest
from tests.datasets import trees


def test_kaggles_train_csv_has_no_usage(tmp_path: Path) -> None:
    path = trees.fer2013_csv(tmp_path, rows=150, usage=False).rename(tmp_path / "train.csv")
    samples = list(read_fer2013(path))
    splits = Counter(s.split for s in samples)
    assert set(splits) == {Split.TRAIN, Split.VALID}
    assert 5 <= splits[Split.VALID] <= 30
    assert [s.split for s in samples] == [s.split for s in read_fer2013(path)]
    assert detect_layout(tmp_path) == "fer2013"


def test_kaggles_test_csv_has_no_labels(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("pixels\n1 2 3\n")
    with pytest.raises(ManifestInvalid, match=r"has no labels.*test\.csv"):
        list(read_fer2013(tmp_path / "test.csv"))


def test_votes_given_as_data_are_recognised(tmp_path: Path) -> None:
    header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt"
    (tmp_path / "fer2013new.csv").write_text(f"{header},unknown,NF\n")
    with pytest.raises(ManifestInvalid, match="--votes"):
        list(read_fer2013(tmp_path / "fer2013new.csv"))


def test_ragged_pixels_are_named(tmp_path: Path) -> None:
    path = trees.fer2013_csv(tmp_path, rows=3)
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace(" ", "", 1)
    path.write_text("\n".join(lines))
    with pytest.raises(ManifestInvalid, match=r"row 1.*2,304 pixels.*got 2,303"):
        list(read_fer2013(path))


def test_jonathanoheix_and_telemoji_are_class_folders(tmp_path: Path) -> None:
    for part in ("train", "validation"):
        trees.save(1, tmp_path / "a" / "images" / part / "happy" / "1.jpg")
    assert detect_layout(tmp_path / "a") == "class-folders"
    assert Counter(s.split for s in read_class_folders(tmp_path / "a")) == {
        Split.TRAIN: 1,
        Split.VALID: 1,
    }
    for i, label in enumerate(("Angry", "Disgust", "Fears", "Happy", "Neutral", "Sad", "Suprise")):
        trees.save(i, tmp_path / "b" / "Train" / label / "x.jpeg", color=True)
        trees.save(10 + i, tmp_path / "b" / "Test" / label / "x.jpeg", color=True)
    assert detect_layout(tmp_path / "b") == "class-folders"
    assert Counter(s.label for s in read_class_folders(tmp_path / "b")) == dict.fromkeys(
        trees.FER7_NAMES, 2
    )


@pytest.mark.parametrize(
    ("votes", "label"),
    [
        ((4, 0, 0, 1, 3, 2, 0, 0, 0, 0), "no majority of votes"),  # 4 of 9 that are left
        ((5, 1, 1, 1, 1, 1, 0, 0, 0, 0), "neutral"),  # single votes do not count
        ((0, 6, 4, 0, 0, 0, 0, 0, 0, 0), "happy"),
        ((0, 5, 5, 0, 0, 0, 0, 0, 0, 0), "no majority of votes"),  # exactly half is too little
        ((1, 0, 0, 0, 0, 0, 0, 0, 8, 1), "unknown"),
        ((1, 0, 0, 0, 0, 0, 0, 0, 0, 9), "not a face"),
        ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), "no majority of votes"),
    ],
)
def test_majority_of_ferplus(votes: tuple[int, ...], label: str) -> None:
    assert majority(votes) == label


def test_ferplus_folders_count_what_they_skip(tmp_path: Path) -> None:
    skipped: Counter[str] = Counter()
    samples = list(read_ferplus_folders(trees.ferplus(tmp_path), skipped=skipped))
    assert skipped == {
        "contempt (not in fer7)": 3,
        "unknown": 3,
        "not a face": 3,
        "no majority of votes": 3,
    }
    assert len(samples) == 21
    assert all(s.votes is not None and max(s.votes) == 10 for s in samples)


def test_rafdb_prefers_aligned_pictures(tmp_path: Path) -> None:
    both = list(read_rafdb(trees.rafdb(tmp_path / "a")))
    assert all((s.path or "").endswith("_aligned.jpg") for s in both)
    original = list(read_rafdb(trees.rafdb(tmp_path / "b", aligned=False)))
    assert all("original" in (s.path or "") for s in original)
    assert [s.label for s in both[:14:2]] == [
        "surprise", "fear", "disgust", "happy", "sad", "angry", "neutral",
    ]  # fmt: skip
    root = tmp_path / "b" / "basic"
    (root / "Image").rename(root / "Pictures")
    with pytest.raises(DataError, match="Image/aligned"):
        list(read_rafdb(root))


def test_affectnet_cuts_clipped_boxes_and_counts(tmp_path: Path) -> None:
    root = trees.affectnet(tmp_path)
    skipped: Counter[str] = Counter()
    samples = list(read_affectnet(root, skipped=skipped))
    assert skipped == {
        "contempt (not in fer7)": 2, "no expression": 2, "uncertain": 2, "no face": 2,
    }  # fmt: skip
    assert [s.label for s in samples[:7]] == [
        "neutral", "happy", "sad", "surprise", "fear", "disgust", "angry",
    ]  # fmt: skip
    whole = np.asarray(Image.open(root / "Manually_Annotated_Images/100/training0.jpg"))
    np.testing.assert_array_equal(pixels_of(samples[0]), whole[0:35, 10:40])


def test_affectnet_large_faces_are_shrunk(tmp_path: Path) -> None:
    root = trees.affectnet(tmp_path)
    table = root / "Manually_Annotated_file_lists" / "training.csv"
    table.write_text(table.read_text().replace("10,-5,30,40", "0,0,800,600"))
    trees.face(1, (600, 800), color=True).save(root / "Manually_Annotated_Images/100/training0.jpg")
    first = next(read_affectnet(root))
    assert pixels_of(first).shape == (MOST_SIDE * 3 // 4, MOST_SIDE, 3)


def test_affectnet_bad_lists(tmp_path: Path) -> None:
    root = trees.affectnet(tmp_path)
    table = root / "Manually_Annotated_file_lists" / "training.csv"
    good = table.read_text()
    table.write_text(good.replace("10,-5,30,40", "NULL,-5,30,40", 1))
    with pytest.raises(ManifestInvalid, match=r"row 0.*four numbers"):
        list(read_affectnet(root))
    table.write_text(good.replace("face_width", "width", 1))
    with pytest.raises(ManifestInvalid, match="face_width"):
        list(read_affectnet(root))
    table.write_text(good.replace(",0,-2", ",77,-2").replace(",1,-2", ",78,-2"))
    with pytest.raises(LabelUnknown, match=r"'77' \(1 x\), '78' \(1 x\)"):
        list(read_affectnet(root))


def test_affectnet8_reads_strings_and_numbers(tmp_path: Path) -> None:
    root = trees.affectnet8(tmp_path)
    labels = {Path(s.path or "").stem: s.label for s in read_affectnet8(root)}
    assert labels == {
        "7": "neutral", "8": "happy", "9": "sad", "10": "surprise", "11": "fear",
        "12": "disgust", "13": "angry",
    }  # fmt: skip
    (root / "train_set" / "annotations" / "9_exp.npy").write_bytes(b"broken")
    with pytest.raises(DataError, match="9_exp"):
        list(read_affectnet8(root))
    (root / "train_set" / "annotations" / "9_exp.npy").unlink()
    with pytest.raises(DataError, match="no such file"):
        list(read_affectnet8(root))


def test_expw_cuts_top_left_right_bottom(tmp_path: Path) -> None:
    root = trees.expw(tmp_path)
    samples = list(read_expw(root))
    whole = np.asarray(Image.open(root / "image/origin/who_0.jpg"))
    np.testing.assert_array_equal(pixels_of(samples[0]), whole[5:25, 10:40])
    np.testing.assert_array_equal(pixels_of(samples[1]), whole[40:50, 70:90])  # clipped
    assert [s.source for s in samples[:2]] == ["who_0.jpg:0", "who_0.jpg:1"]
    assert samples[0].group == samples[1].group == "who_0.jpg"
    assert samples[0].split == samples[1].split


def test_expw_bad_lines_and_boxes(tmp_path: Path) -> None:
    root = trees.expw(tmp_path)
    table = root / "label" / "label.lst"
    good = table.read_text()
    table.write_text(good.replace("40 70 120 80", "60 70 120 80", 1))
    skipped: Counter[str] = Counter()
    assert len(list(read_expw(root, skipped=skipped))) == 119
    assert skipped == {"face box outside the image": 1}
    table.write_text(good.replace("who_1.jpg 0 5 10", "who_1.jpg 5 10", 1))
    with pytest.raises(ManifestInvalid, match=r"row 2.*top left right bottom"):
        list(read_expw(root))


def test_ck_groups_are_subjects_and_the_peak_is_the_last_frame(tmp_path: Path) -> None:
    skipped: Counter[str] = Counter()
    samples = list(read_ckplus(trees.ckplus(tmp_path / "o"), skipped=skipped))
    assert skipped == {"sequence without a label": 20, "contempt (not in fer7)": 20}
    assert all((s.path or "").endswith("_00000003.png") for s in samples)
    assert {s.group for s in samples} == {f"S{i:03d}" for i in range(20)}
    assert len({s.group for s in samples if s.split is Split.VALID}) == 2
    cut = list(read_ck48(trees.ck48(tmp_path / "c")))
    assert {s.group: s.split for s in cut} == {s.group: s.split for s in samples}


def test_ckplus_without_frames(tmp_path: Path) -> None:
    root = trees.ckplus(tmp_path)
    for frame in (root / "cohn-kanade-images" / "S001" / "002").iterdir():
        frame.unlink()
    with pytest.raises(DataError, match="no frames"):
        list(read_ckplus(root))


def test_jaffe_keeps_people_apart(tmp_path: Path) -> None:
    root = trees.jaffe(tmp_path)
    trees.save(0, root / "KA.AN1.tiff")
    skipped: Counter[str] = Counter()
    samples = list(read_jaffe(root, skipped=skipped))
    assert skipped == {"image with another name": 1}
    assert len(samples) == 70
    assert len({s.group for s in samples if s.split is Split.VALID}) == 1


def test_voted_photographs_keep_people_apart_and_votes(tmp_path: Path) -> None:
    samples = list(read_voted(trees.voted(tmp_path), labels=FERPLUS8))
    assert len(samples) == 41
    first = samples[0]
    assert (first.source, first.group) == ("Somebody_00_0001.jpg", "Somebody_00")
    assert first.label == "neutral"
    assert first.votes == (17, 3, 0, 0, 0, 0, 0, 0, 0, 0)
    assert (samples[-1].label, samples[-1].votes) == ("happy", None)
    by_split = {split: {s.group for s in samples if s.split is split} for split in Split}
    assert len(by_split[Split.VALID]) == 2
    assert not by_split[Split.VALID] & by_split[Split.TRAIN]


def test_divided_votes_give_the_publishers_label_or_none(tmp_path: Path) -> None:
    root = trees.voted(tmp_path)
    table = root / "labels.csv"
    lines = table.read_text().splitlines()
    lines[1] = "Somebody_00_0001.jpg,happiness,1.0,0,1.0,0,0,0,0,0,0"
    lines[2] = "Somebody_00_0002.jpg,,1.0,0,1.0,0,0,0,0,0,0"
    lines[3] = "Somebody_01_0001.jpg,sadness,0,0,0,0,0,0,0,0,2.0"
    table.write_text("\n".join(lines))
    skipped: Counter[str] = Counter()
    samples = {s.source: s for s in read_voted(root, skipped=skipped)}
    assert samples["Somebody_00_0001.jpg"].label == "happy"
    assert "Somebody_00_0002.jpg" not in samples
    assert skipped["no label: votes are divided or for unknown"] == 1
    assert samples["Somebody_01_0001.jpg"].label == "sad"
    assert samples["Somebody_01_0001.jpg"].votes == (0,) * 8 + (20, 0)


@pytest.mark.parametrize("bad", ["x", "-1", "inf", "nan"])
def test_votes_that_are_no_numbers_are_named(bad: str, tmp_path: Path) -> None:
    root = trees.voted(tmp_path)
    table = root / "labels.csv"
    table.write_text(table.read_text().replace("1.7", bad, 1))
    with pytest.raises(ManifestInvalid, match="votes"):
        list(read_voted(root))


def test_unknown_layout_lists_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"list_patition_label.*label\.lst.*KA\.AN1"):
        detect_layout(tmp_path)


@pytest.mark.parametrize("embed", [False, True])
def test_corrupt_pictures_do_not_stop_an_import(embed: bool, tmp_path: Path) -> None:
    root = trees.class_folders(tmp_path)
    (root / "train" / "happy" / "1.png").write_bytes(b"not an image")
    (root / "train" / "sad" / "1.png").write_bytes(b"")
    done = import_dataset(root, tmp_path / "m.parquet", ImportOptions(embed=embed))
    assert (done.rows, done.unreadable, done.layout) == (21, 2, "class-folders")
    bad = [
        s for s in read_manifest(tmp_path / "m.parquet", splits=list(Split)) if not s.content_hash
    ]
    assert {s.source for s in bad} == {"train/happy/1.png", "train/sad/1.png"}
    assert all(s.phash is None for s in bad)


def test_empty_classes_and_missing_rows_are_warned_of(tmp_path: Path) -> None:
    root = trees.class_folders(tmp_path)
    (root / "valid" / "fear" / "1.png").unlink()
    for part in ("train", "valid", "test"):
        (root / part / "sad" / "1.png").unlink()
    done = import_dataset(root, tmp_path / "m.parquet", ImportOptions())
    assert done.warnings == (
        "class-folders: class 'fear' has no validation samples",
        "class-folders: no samples of sad",
    )


def test_official_counts() -> None:
    full = {(Split(s), n): k for (s, n), k in KNOWN["fer2013"].items() if n}
    assert sum(full.values()) == 35887
    assert check_counts("fer2013", full) == []
    less = {**full, (Split.TRAIN, "sad"): full[Split.TRAIN, "sad"] - 1}
    assert check_counts("fer2013", less) == [
        "fer2013: 28,708 training samples, the official set has 28,709"
    ]
    moved = {**less, (Split.TRAIN, "fear"): full[Split.TRAIN, "fear"] + 1}
    assert check_counts("fer2013", moved) == [
        "fer2013: 4,098 training samples of 'fear', the official set has 4,097",
        "fer2013: 4,829 training samples of 'sad', the official set has 4,830",
    ]


def test_held_out_samples_count_as_training_samples() -> None:
    raf = {(split, name): 100 for split in Split for name in trees.FER7_NAMES}
    raf[Split.TRAIN, "happy"] = 12271 - 600 - 700
    raf[Split.TEST, "happy"] = 3068 - 600
    assert check_counts("rafdb", raf) == []
    raf[Split.VALID, "sad"] -= 1
    assert check_counts("rafdb", raf) == [
        "rafdb: 12,270 training samples, the official set has 12,271"
    ]


@pytest.mark.parametrize(("layout", "total"), [("ck48", 981 - 54), ("jaffe", 213)])
def test_official_totals(layout: str, total: int) -> None:
    assert KNOWN[layout]["", ""] == total
    assert KNOWN["affectnet8"]["train", ""] + 3750 == 287651


def test_text_that_is_no_csv_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text('emotion,pixels,Usage\n0,"1 2\n')
    with pytest.raises(ManifestInvalid, match="row 0"):
        list(read_fer2013(path))
    path.write_bytes(b"emotion,pixels,Usage\n0,\xff\xfe,Training\n")
    with pytest.raises(DataError, match="not in UTF-8"):
        list(read_fer2013(path))
