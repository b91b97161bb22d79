"""How large the crops of ``pyojeong data faces`` are, as PNG and as JPEG, shrunk and as they are.

python benchmarks/face_crops.py docs/benchmarks/face_crops.json

Twenty photographs are made of a bundled one, enlarged to 900 to 2,400 pixels with noise of a
sensor, saved as JPEG and as PNG.
"""

import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pyojeong.core.labels import FER7
from pyojeong.curate.extraction import BoxCrop, extract_faces
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.samples import Sample, Split, read_manifest, write_manifest
from pyojeong.image.files import read_image
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.runtime.golden import PICTURES

COUNT = 20
CROPS = {"jpeg_224": (".jpg", 224), "png_224": (".png", 224), "png_unshrunk": (".png", None)}


def photographs(folder: Path) -> None:
    """Save the photographs: the same pixels as JPEG (quality 90, decoded again) and as PNG."""
    photo = read_image(PICTURES / "astronaut.jpg")
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        side = int(rng.integers(900, 2400))
        large = cv2.resize(photo, (side, side), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(large + rng.normal(0, 3, large.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{i:02d}.jpg", quality=90)
        Image.fromarray(read_image(folder / f"{i:02d}.jpg")).save(folder / f"{i:02d}.png")


def crops(folder: Path, ending: str, most_px: int | None) -> list[Sample]:
    """Return the crops of the photographs with an ending."""
    rows = [
        Sample(label="happy", split=Split.TRAIN, path=str(file), source=file.stem)
        for file in sorted(folder.glob(f"*{ending}"))
    ]
    listed, out = folder / "photographs.parquet", folder / "faces.parquet"
    write_manifest(listed, rows, FER7)
    extract_faces(listed, out, build_detector("auto"), framing=BoxCrop(most_px=most_px), jobs=1)
    return list(read_manifest(out, splits=[Split.TRAIN]))


def measure() -> dict[str, float]:
    """Return kilobytes a crop, and what JPEG changes, in gray levels."""
    with tempfile.TemporaryDirectory() as name:
        photographs(Path(name))
        made = {key: crops(Path(name), *how) for key, how in CROPS.items()}
    sizes = {
        f"{key}_kb": round(sum(len(s.image or b"") for s in rows) / len(rows) / 1000, 1)
        for key, rows in made.items()
    }
    pairs = zip(made["jpeg_224"], made["png_224"], strict=True)
    change = [np.abs(pixels_of(a).astype(float) - pixels_of(b)).mean() for a, b in pairs]
    return {"faces": len(change), **sizes, "jpeg_change": round(float(np.mean(change)), 2)}


if __name__ == "__main__":
    result = measure()
    Path(sys.argv[1]).write_text(json.dumps(result, indent=2) + "\n")
    print(result)
