"""What every registered data-set reader must do; one without a small example in trees.py fails."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.readers import MARKERS, READERS, detect_layout
from pyojeong.datasets.samples import Split, read_manifest, write_manifest
from tests.datasets.trees import TREES, shard

SPLITS = {
    "affectnet": {Split.TRAIN, Split.VALID},
    "affectnet8": {Split.TRAIN, Split.VALID},
    "expw": {Split.TRAIN, Split.VALID},
    "ck48": {Split.TRAIN, Split.VALID},
    "ckplus": {Split.TRAIN, Split.VALID},
    "jaffe": {Split.TRAIN, Split.VALID},
    "voted-photographs": {Split.TRAIN, Split.VALID},
}
NO_NEUTRAL = {"ck48", "ckplus"}
WITH_CONTEMPT = {"affectnet", "affectnet8", "ck48", "ckplus", "ferplus", "voted-photographs"}
# Where a label is in the tree, and a way to spoil it.
SPOILT = {
    "fer2013": lambda root: replace_in(root, "\n3,", "\n9,"),
    "class-folders": lambda root: (root / "train" / "happy").rename(root / "train" / "bored"),
    "fer2013-folders": lambda root: (root / "train" / "happy").rename(root / "train" / "bored"),
    "ferplus": lambda root: replace_in(root / "data" / "FER2013Train" / "label.csv", ",10,", ",x,"),
    "rafdb": lambda root: replace_in(root / "EmoLabel/list_patition_label.txt", "jpg 3", "jpg 9"),
    "rafdb-kaggle": lambda root: (root / "DATASET/train/3").rename(root / "DATASET/train/9"),
    "affectnet": lambda root: replace_in(
        root / "Manually_Annotated_file_lists" / "training.csv", ",3,-2", ",11,-2"
    ),
    "affectnet8": lambda root: np.save(root / "val_set/annotations/7_exp.npy", np.array("12")),
    "expw": lambda root: replace_in(root / "label" / "label.lst", ".5 3", ".5 8"),
    "ck48": lambda root: (root / "happy").rename(root / "bored"),
    "ckplus": lambda root: (root / "Emotion/S003/002/S003_002_00000003_emotion.txt").write_text(
        "8.0"
    ),
    "jaffe": lambda root: next(root.glob("KA.HA*")).rename(root / "KA.XX1.4.tiff"),
    "voted-photographs": lambda root: replace_in(
        root / "labels.csv", "Nobody_0001.jpg,happiness", "Nobody_0001.jpg,bored"
    ),
    "datasets": lambda root: shard(
        root / "data" / "train-00000-of-00001.parquet", 0, ("bored", "sad")
    ),
    "imagefolder": lambda root: replace_in(root / "train" / "metadata.csv", ",happy", ",bored"),
}


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_every_layout_can_be_detected() -> None:
    assert set(MARKERS) == set(READERS)


@pytest.mark.parametrize("name", READERS)
def test_reader(name: str, tmp_path: Path) -> None:
    source = TREES[name](tmp_path)
    assert detect_layout(source) == name
    samples = list(READERS[name](source))
    assert {s.split for s in samples} == SPLITS.get(name, set(Split))
    assert {s.label for s in samples} == set(FER7.names) - (
        {"neutral"} if name in NO_NEUTRAL else set()
    )
    assert len({s.source for s in samples}) == len(samples)
    assert all(pixels_of(s).dtype == np.uint8 for s in samples)
    assert samples == list(READERS[name](source))
    write_manifest(tmp_path / "m.parquet", samples, FER7)
    assert list(read_manifest(tmp_path / "m.parquet", splits=list(Split))) == samples


@pytest.mark.parametrize("name", READERS)
def test_folder_above_is_understood_too(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    assert detect_layout(tmp_path) == name
    assert list(READERS[name](tmp_path))


@pytest.mark.parametrize("name", READERS)
def test_groups_are_on_one_side(name: str, tmp_path: Path) -> None:
    splits: dict[str, set[Split]] = {}
    for sample in READERS[name](TREES[name](tmp_path)):
        if sample.group:
            splits.setdefault(sample.group, set()).add(sample.split)
    assert all(len(found) == 1 for found in splits.values())


@pytest.mark.parametrize("name", sorted(WITH_CONTEMPT))
def test_contempt_is_counted_or_kept(name: str, tmp_path: Path) -> None:
    source = TREES[name](tmp_path)
    skipped: Counter[str] = Counter()
    seven = list(READERS[name](source, skipped=skipped))
    left_out = skipped["contempt (not in fer7)"]
    eight = list(READERS[name](source, labels=FERPLUS8))
    assert left_out == sum(s.label == "contempt" for s in eight) > 0
    assert len(eight) == len(seven) + left_out


@pytest.mark.parametrize("name", READERS)
def test_unknown_label_is_an_error_of_one_line(name: str, tmp_path: Path) -> None:
    source = TREES[name](tmp_path)
    SPOILT[name](source)
    with pytest.raises(DataError) as caught:
        list(READERS[name](source))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", READERS)
def test_reader_says_that_there_is_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        list(READERS[name](tmp_path / "nowhere"))


@pytest.mark.parametrize("name", sorted(set(READERS) - {"fer2013"}))
def test_votes_belong_to_the_table_only(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="votes"):
        list(READERS[name](TREES[name](tmp_path), votes=tmp_path / "fer2013new.csv"))
