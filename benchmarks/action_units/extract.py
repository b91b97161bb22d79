"""Read the points and blendshapes of many faces once, for ``fit.py`` and ``measure.py``.

    cd benchmarks/action_units
    python extract.py rendered --out features/rendered.npz
    python extract.py ../../../shared/data/photographs/images --out features/photographs.npz
    python extract.py ../../runs/fer2013.parquet --out features/fer2013.npz

Each face is read as it is and mirrored, as ``FaceMeasures`` reads photographs, and its aligned gray
face is kept. FER2013's faces fill their pictures; of its training split, all that have votes for an
expression are read.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from patch_net import CHIP_MARGIN
from rich.progress import track

from pyojeong.core.face import Box, Face, Image
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.image.files import read_image
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.runtime.eyes import roll_of
from pyojeong.runtime.face_measures import BLENDSHAPE_MODEL
from pyojeong.runtime.facemesh import FaceMesh
from pyojeong.runtime.session import Session
from pyojeong.runtime.unit_features import BLENDSHAPE_POINTS
from pyojeong.runtime.unit_patches import chip_of
from pyojeong.zoo import find

SIDE, MARGIN, INSET = 192, 64, 10
"""FER2013's pictures are enlarged to SIDE and framed by MARGIN pixels; the face's box lies INSET
inside them."""


def from_folder(folder: Path) -> Iterator[tuple[str, Image, Face]]:
    """Yield the largest face of each image of a folder."""
    detector = build_detector("auto", threads=1)
    files = [f for f in sorted(folder.iterdir()) if f.suffix.lower() in {".jpg", ".png"}]
    for file in track(files, description=folder.name):
        image = read_image(file)
        faces = detector.detect(image)
        if faces:
            yield file.name, image, faces[0]


def from_fer2013(manifest: Path) -> Iterator[tuple[str, Image, Face]]:
    """Yield the faces of FER2013's training split that have votes for an expression."""
    samples = list(read_manifest(manifest, splits=[Split.TRAIN]))
    # without "unknown" and "no face"
    chosen = [n for n, sample in enumerate(samples) if sum((sample.votes or ())[:8]) > 0]
    box = Box(*(MARGIN + INSET,) * 2, *(MARGIN + SIDE - INSET,) * 2)
    for number in track(chosen, description=manifest.name):
        pixels = np.squeeze(pixels_of(samples[number]))
        rgb = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)
        large = cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        framed = cv2.copyMakeBorder(large, *(MARGIN,) * 4, cv2.BORDER_REPLICATE)
        yield str(number), np.asarray(framed, np.uint8), Face(box, 1.0)


def extract(faces: Iterator[tuple[str, Image, Face]]) -> dict[str, Any]:
    """Return points (n, 2, 478, 3), blendshapes (n, 2, 52), chips (n, 112, 112) and presence."""
    mesh = FaceMesh(threads=1, irises=True)
    shapes = Session(find(BLENDSHAPE_MODEL), threads=1, inputs=[(1, len(BLENDSHAPE_POINTS), 2)])
    names, points, scores, chips, presence = [], [], [], [], []
    for name, image, face in faces:
        meshes = mesh.fit_with_mirror(image, face.box, roll_rad=roll_of(face))
        names.append(name)
        points.append([m.crop for m in meshes])
        chips.append(np.rint(chip_of(meshes[0].pixels, meshes[0].crop, margin=CHIP_MARGIN)))
        read = [m.crop[None, list(BLENDSHAPE_POINTS), :2] for m in meshes]
        scores.append([shapes.run(r)[0].reshape(-1) for r in read])
        presence.append(min(m.presence for m in meshes))
    return {
        "names": np.array(names),
        "points": np.array(points, np.float32),
        "blendshapes": np.array(scores, np.float32),
        "chips": np.array(chips, np.uint8),
        "presence": np.array(presence, np.float32),
    }


def main() -> None:
    """Read one source."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("source", type=Path, help="folder of images, or FER2013 as .parquet")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    parquet = options.source.suffix == ".parquet"
    faces = from_fer2013(options.source) if parquet else from_folder(options.source)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(options.out, **extract(faces))


if __name__ == "__main__":
    main()
