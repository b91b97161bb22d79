"""What every registered data-set reader must do; one without a small example here fails."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7
from pyojeong.datasets.readers import READERS, detect_layout
from pyojeong.datasets.samples import Split, read_manifest, write_manifest
from pyojeong.scoring import load_pixels


def fer2013(folder: Path) -> Path:
    path = folder / "fer2013.csv"
    rows = [
        f"{i % 7},{' '.join(['100'] * 2304)},{('Training', 'PublicTest', 'PrivateTest')[i % 3]}"
        for i in range(21)
    ]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return path


def class_folders(folder: Path) -> Path:
    for split in ("train", "valid", "test"):
        for label in FER7.names:
            (folder / "set" / split / label).mkdir(parents=True)
            picture = Image.fromarray(np.full((30, 20), 99, np.uint8))
            picture.save(folder / "set" / split / label / "1.png")
    return folder / "set"


EXAMPLES: dict[str, Callable[[Path], Path]] = {
    "fer2013": fer2013,
    "class-folders": class_folders,
}


@pytest.mark.parametrize("name", READERS)
def test_reader(name: str, tmp_path: Path) -> None:
    source = EXAMPLES[name](tmp_path)
    assert detect_layout(source) == name
    samples = list(READERS[name](source, votes=None))
    assert {s.split for s in samples} == set(Split)
    assert {s.label for s in samples} == set(FER7.names)
    assert len({s.source for s in samples}) == len(samples)
    assert all(load_pixels(s).dtype == np.uint8 for s in samples)
    assert samples == list(READERS[name](source, votes=None))
    write_manifest(tmp_path / "m.parquet", samples, FER7)
    assert list(read_manifest(tmp_path / "m.parquet", splits=list(Split))) == samples


@pytest.mark.parametrize("name", READERS)
def test_reader_says_that_there_is_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        list(READERS[name](tmp_path / "nowhere", votes=None))
