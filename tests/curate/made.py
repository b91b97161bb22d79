"""A small manifest with planted faults, made from the bundled photographs and drawn shapes."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Sample, Split, write_manifest
from pyojeong.image.features import content_hash, perceptual_hash
from pyojeong.image.files import decode_image, read_image
from pyojeong.runtime.golden import PICTURES

ASTRONAUT = read_image(PICTURES / "astronaut.jpg")
COFFEE = read_image(PICTURES / "coffee.jpg")
FACE_XYXY = (165, 35, 285, 185)
"""Where the astronaut's face is, with some room."""


def png(pixels: np.ndarray) -> bytes:
    """Encode without loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def face(side: int = 96) -> np.ndarray:
    """The astronaut's face, uint8 (side, side, 3)."""
    x1, y1, x2, y2 = FACE_XYXY
    return cv2.resize(ASTRONAUT[y1:y2, x1:x2], (side, side), interpolation=cv2.INTER_AREA)


def noise(seed: int, side: int = 64) -> np.ndarray:
    """Blobs that look like nothing, uint8 (side, side)."""
    rng = np.random.default_rng(seed)
    blobs = cv2.GaussianBlur(rng.normal(128, 200, (side, side)), (0, 0), 4)
    return np.clip((blobs - blobs.mean()) * 4 + 128, 0, 255).astype(np.uint8)


def sample(
    pixels: np.ndarray | bytes, label: str = "happy", split: Split = Split.TRAIN, **more: object
) -> Sample:
    """A row with its hashes; bytes are taken as they are."""
    data = pixels if isinstance(pixels, bytes) else png(pixels)
    made = Sample(label=label, split=split, image=data, **more)  # type: ignore[arg-type]
    if isinstance(pixels, bytes):
        return made
    image = decode_image(data)
    return replace(made, content_hash=content_hash(image), phash=perceptual_hash(image))


def write(path: Path, samples: list[Sample]) -> Path:
    """A manifest; sources are numbered."""
    numbered = [replace(s, source=s.source or f"made:{i}") for i, s in enumerate(samples)]
    write_manifest(path, numbered, FER7)
    return path
