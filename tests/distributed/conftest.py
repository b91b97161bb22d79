"""A folder of small photographs with names that break things, and one Ray for all tests."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from pyojeong.distributed.ray_engine import RayOptions, connected
from pyojeong.runtime.golden import PICTURES


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve files: five with a face, six without, one that is no image."""
    folder = tmp_path_factory.mktemp("photographs")
    with Image.open(PICTURES / "astronaut.jpg") as picture:
        face = picture.convert("RGB").resize((256, 256))
    names = ["a.jpg", 'b,"c".jpg', "표정.jpg", "=1+1.jpg", os.fsdecode(b"\xff\xfe.jpg")]
    for turn, name in enumerate(names):
        face.rotate(3 * turn).save(folder / name, quality=90)
    for turn in range(6):
        Image.new("RGB", (64, 48), (40 * turn, 90, 30)).save(folder / f"plain-{turn}.png")
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="session")
def ray() -> Iterator[RayOptions]:
    """Two workers of a Ray that all tests share: starting one takes seconds."""
    options = RayOptions(workers=2, object_store_mb=80)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with connected(options):
            yield options
