"""A tiny labelled data set and experiment that train in seconds."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Sample, Split, write_manifest

TOML = """
name = "tiny"
seed = 3
precision = "fp32"

[net]
name = "se_resnet"
stem = 4
widths = [8, 12, 16, 16]
depths = [1, 1, 1, 1]
dropout = 0.2

[preprocess]
size_hw = [24, 24]
color = "gray"
mean = [0.5]
std = [0.25]
center_fraction = 0.9166666666666666

[augment]
rotate_deg = 12.0
scale = 0.2
shift = 0.08
flip = 0.5
brightness = 0.2
contrast = 0.3
tone_p = 0.5
erase_p = 0.4
blur_p = 0.2

[recipe]
epochs = 6
batch_size = 16
lr = 3e-3
vote_weight = 0.5
ema = 0.9
"""

_SPLITS = (Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST)


def png(pixels: np.ndarray) -> bytes:
    """Encode without loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def samples(count: int = 210, *, poison: Split | None = None) -> list[Sample]:
    """Noise images whose brightness tells the class; labels of ``poison`` are all wrong."""
    rng = np.random.default_rng(0)
    out = []
    for i in range(count):
        label = i % 7
        split = _SPLITS[i % 5]
        pixels = np.clip(rng.normal(30 * label + 30, 25, (24, 24)), 0, 255).astype(np.uint8)
        votes = [0] * 10
        votes[i % 8] = 7
        votes[(i + 1) % 8] = 3
        shown = (label + 3) % 7 if split is poison else label
        out.append(
            Sample(
                label=FER7.names[shown],
                split=split,
                image=png(pixels),
                votes=tuple(votes),
                source=str(i),
            )
        )
    return out


def manifest(folder: Path, **options: object) -> Path:
    """The tiny data set as a file."""
    path = folder / "tiny.parquet"
    write_manifest(path, samples(**options), FER7)  # type: ignore[arg-type]
    return path
