"""Made-up images on which a model's answers are stored beside it (``<id>.golden.npz``).

A model that answers them as it did when it was exported is read with the right weights, the right
preprocessing and a runtime that computes correctly.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.array_files import UNREADABLE_ARRAY
from pyojeong.core.errors import ModelCorrupt
from pyojeong.core.face import Box, Face, Image, Landmarks
from pyojeong.image.preprocess import Pixels

PICTURES = Path(__file__).parents[1] / "pictures"
"""Bundled photographs; see NOTICE."""

GOLDEN_PICTURE = PICTURES / "astronaut.jpg"
GOLDEN_ANSWER = PICTURES / "astronaut.golden.json"

_GRAY_SHAPES = ((48, 48), (44, 44), (96, 96), (200, 150), (31, 47), (48, 48))


def golden_crops() -> list[Pixels]:
    """Eight images of several sizes, gray and RGB: arithmetic patterns, the same everywhere."""
    crops: list[Pixels] = []
    for i, (h, w) in enumerate(_GRAY_SHAPES):
        y, x = np.mgrid[0:h, 0:w].astype(np.int64)
        crops.append(((x * (3 + i) + y * (5 + 2 * i) + (x * y) // (7 + i)) % 256).astype(np.uint8))
    y, x = np.mgrid[0:120, 0:100].astype(np.int64)
    crops.append(np.stack([x * 2, y * 2, (x + y) % 256], -1).astype(np.uint8))
    crops.append(np.full((60, 60, 3), 128, np.uint8))
    return crops


def golden_faces() -> tuple[Image, list[Face]]:
    """Return a made-up coloured image and five faces in it: upright, turned, small, cut off, bare.

    The last one has no landmarks. Their answers change when faces are framed another way.
    """
    y, x = np.mgrid[0:240, 0:320].astype(np.int64)
    waves = [
        (x * a + y * b + (x * y) // c) % 256 for a, b, c in ((1, 3, 90), (3, 1, 70), (2, 2, 50))
    ]
    image = np.stack(waves, -1).astype(np.uint8)
    unit = np.array([(-1, 0), (1, 0), (0, 1.1), (-0.8, 2.1), (0.8, 2.1)])
    faces = []
    for cx, cy, half, degrees in (
        (90, 80, 20, 0),
        (210, 90, 24, 25),
        (60, 190, 7, -10),
        (300, 150, 30, 5),
    ):
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        points = unit * half @ np.array([(cos, sin), (-sin, cos)]) + (cx, cy)
        box = Box(cx - 2 * half, cy - 1.6 * half, cx + 2 * half, cy + 3.2 * half)
        faces.append(Face(box, 1.0, landmarks=Landmarks(points.astype(np.float32))))
    faces.append(Face(Box(140, 130, 200, 210), 1.0))
    return image, faces


class OutputsReader(Protocol):
    """What is asked: a ``Classifier``."""

    def crop_outputs(self, crops: Iterable[Pixels]) -> list[NDArray[np.float32]]:
        """Return outputs of the network for cut-out faces."""

    def face_outputs(
        self, images: Sequence[tuple[Image, Sequence[Face]]]
    ) -> list[NDArray[np.float32]]:
        """Return outputs of the network for faces within images."""


def golden_logits(reader: OutputsReader) -> NDArray[np.float32]:
    """Return logits (13, K), and beside them those of the vote head (13, K + V) where there is one.

    Of ``golden_crops`` and then of ``golden_faces``.
    """
    parts = [reader.crop_outputs(golden_crops()), reader.face_outputs([golden_faces()])]
    return np.concatenate([np.concatenate(outputs, axis=1) for outputs in parts])


def golden_path(folder: Path, model_id: str) -> Path:
    """Return where a model's stored answers lie."""
    return folder / f"{model_id}.golden.npz"


def read_golden(folder: Path, model_id: str) -> NDArray[np.float32]:
    """Return stored logits, as ``golden_logits`` gave them.

    Raises:
        ModelCorrupt: When they are missing or could not be read.
    """
    path = golden_path(folder, model_id)
    try:
        with np.load(path, allow_pickle=False) as stored:
            return np.asarray(stored["logits"], np.float32)
    except UNREADABLE_ARRAY as error:
        raise ModelCorrupt(f"golden answers {path} could not be read: {error}") from error
