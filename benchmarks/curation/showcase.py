"""A tiny data set that may be shown: the astronaut with every fault that the checks know.

python benchmarks/curation/showcase.py runs/showcase.parquet
pyojeong data curate runs/showcase.parquet --checks default,text --report runs/showcase
"""

import io
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pyojeong.core.labels import FER7
from pyojeong.datasets.fingerprint import fingerprinted
from pyojeong.datasets.samples import Sample, Split, write_manifest
from pyojeong.image.files import read_image
from pyojeong.runtime.golden import PICTURES
from research.occlusion_drawing import CANVAS, FacePoints, Painter


def png(pixels: np.ndarray) -> bytes:
    """Encode without loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def variants() -> list[tuple[str, np.ndarray, str, Split]]:
    """(source, picture, label, split)."""
    photo = read_image(PICTURES / "astronaut.jpg")
    coffee = read_image(PICTURES / "coffee.jpg")
    face = cv2.resize(photo[20:212, 130:322], (CANVAS, CANVAS), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    points = FacePoints(
        np.array([73.0, 82.0]), np.array([111.0, 82.0]), np.array([93.0, 122.0]), 24.0, 42.0
    )
    rng = np.random.default_rng(1)
    covers = {}
    for name in ("sunglasses", "mask"):
        painter = Painter(gray, points, rng)
        getattr(painter, name)()
        covers[name] = np.clip(painter.image, 0, 255).astype(np.uint8)
    smiley = np.full((CANVAS, CANVAS, 3), 238, np.uint8)
    cv2.circle(smiley, (96, 96), 76, (252, 212, 92), -1, cv2.LINE_AA)
    cv2.circle(smiley, (96, 96), 76, (30, 30, 30), 4, cv2.LINE_AA)
    for x in (70, 122):
        cv2.circle(smiley, (x, 78), 9, (30, 30, 30), -1, cv2.LINE_AA)
    cv2.ellipse(smiley, (96, 104), (38, 30), 0, 15, 165, (30, 30, 30), 6, cv2.LINE_AA)
    caption = Image.fromarray(face)
    draw = ImageDraw.Draw(caption)
    font = ImageFont.load_default(30)
    draw.text((38, 148), "SAMPLE", font=font, fill="white", stroke_width=2, stroke_fill="black")
    _, jpeg = cv2.imencode(".jpg", face[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 35])
    near = np.roll(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1], 3, 1).copy()
    train, test = Split.TRAIN, Split.TEST
    return [
        ("the photograph", face, "happy", test),
        ("again, in training", face, "happy", train),
        ("recompressed and shifted", near, "happy", train),
        ("mirrored", face[:, ::-1].copy(), "happy", train),
        ("blurred", cv2.GaussianBlur(face, (0, 0), 7), "happy", train),
        ("small", cv2.resize(face, (24, 24), interpolation=cv2.INTER_AREA), "happy", train),
        ("black", (face * 0.06).astype(np.uint8), "happy", train),
        ("fog", (200 + face * 0.06).astype(np.uint8), "happy", train),
        ("sunglasses", covers["sunglasses"], "happy", train),
        ("mask", covers["mask"], "happy", train),
        ("caption", np.asarray(caption), "happy", train),
        ("on its side", np.rot90(face).copy(), "happy", train),
        ("two", np.concatenate([photo[:300], photo[:300, ::-1]], 1), "happy", train),
        ("no face", coffee, "neutral", train),
        ("drawn", smiley, "happy", train),
        ("one tone", np.full((64, 64), 120, np.uint8), "sad", train),
    ]


def main() -> None:
    """Write the manifest; one file is broken on purpose."""
    samples = [
        Sample(label=label, split=split, image=png(picture), source=name)
        for name, picture, label, split in variants()
    ]
    broken = Sample(label="fear", split=Split.TRAIN, image=b"\x89PNG cut short", source="broken")
    votes = (0, 0, 0, 9, 1, 0, 0, 0, 0, 0)
    samples[3] = replace(samples[3], votes=votes)
    write_manifest(Path(sys.argv[1]), fingerprinted([*samples, broken]), FER7)


if __name__ == "__main__":
    main()
