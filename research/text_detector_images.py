"""Writing in pictures, made up: what the text net learns from.

Backgrounds are FER2013's Training faces, enlarged, and the photographs that scikit-image and
scikit-learn bring along; letters are random strings of Latin, digits and Hangul in the fonts that
are named. Lines, grids, strands and dots are painted too, which are no writing.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pyojeong.image.preprocess import Pixels, to_gray

SIDE = 256
"""Side of the made-up pictures, in pixels."""
STRIDE = 8
"""Pixels per cell of the target."""

_LATIN = string.ascii_letters * 2 + string.digits
_HANGUL = "가나다라마바사아자차카타파하고노도로모보소오조초코토포호구누두루무부수우주한국인사랑행복"


@dataclass(frozen=True, slots=True)
class Makings:
    """What pictures are made of.

    Attributes:
        faces: uint8 (48, 48).
        photographs: uint8 (H, W), larger than 256 pixels each way.
        latin: Font files for Latin and digits.
        hangul: Font files that have Hangul.
    """

    faces: Sequence[Pixels]
    photographs: Sequence[Pixels]
    latin: Sequence[Path]
    hangul: Sequence[Path]


def photographs() -> list[Pixels]:
    """The photographs that come with scikit-image and scikit-learn, gray."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    names = (
        "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "hubble_deep_field",
        "immunohistochemistry", "moon", "retina", "rocket", "astronaut",
    )  # fmt: skip
    images = [getattr(data, n)() for n in names] + list(load_sample_images()["images"])
    out = []
    for image in images:
        gray = to_gray(np.asarray(image, np.uint8))
        scale = max(300 / min(gray.shape), 0.35 if max(gray.shape) > 1200 else 0)
        if scale > 1 or max(gray.shape) > 1200:
            gray = np.asarray(
                cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
            )
        out.append(gray)
    return out


def make(
    makings: Makings, rng: np.random.Generator
) -> tuple[Pixels, NDArray[np.float32], NDArray[np.float32]]:
    """A picture, where writing is in it, and which cells count.

    Returns:
        uint8 (256, 256); float (32, 32) target in {0, 1}; float (32, 32) weight in {0, 1}.
    """
    picture = _background(makings, rng)
    if rng.random() < 0.45:
        _clutter(picture, rng)
    target = np.zeros((SIDE, SIDE), np.float32)
    halo = np.zeros((SIDE, SIDE), np.float32)
    if rng.random() < 0.6:
        for _ in range(int(rng.choice([1, 2, 3], p=[0.75, 0.2, 0.05]))):
            picture = _write(picture, target, halo, makings, rng)
    cells = SIDE // STRIDE
    share = cv2.resize(target, (cells, cells), interpolation=cv2.INTER_AREA)
    near = cv2.resize(halo, (cells, cells), interpolation=cv2.INTER_AREA)
    weight = ((share > 0.7) | (near < 0.01)).astype(np.float32)
    return _degrade(picture, rng), (share > 0.7).astype(np.float32), weight


def _background(makings: Makings, rng: np.random.Generator) -> Pixels:
    if rng.random() < 0.6:
        face = makings.faces[int(rng.integers(len(makings.faces)))]
        size = int(rng.integers(140, 340))
        big = cv2.resize(face, (size, size), interpolation=cv2.INTER_CUBIC)
        if rng.random() < 0.5:
            soft = cv2.GaussianBlur(big, (0, 0), 2.5)
            big = cv2.addWeighted(big, 2.2, soft, -1.2, 0)
        room = max(SIDE - size, 0)
        top, left = int(rng.integers(0, room + 1)), int(rng.integers(0, room + 1))
        border = int(rng.choice([cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT]))
        big = cv2.copyMakeBorder(big, top, room - top, left, room - left, border)
        y, x = (int(rng.integers(0, big.shape[k] - SIDE + 1)) for k in (0, 1))
        picture = big[y : y + SIDE, x : x + SIDE]
    else:
        photo = makings.photographs[int(rng.integers(len(makings.photographs)))]
        size = int(rng.integers(120, min(photo.shape) + 1))
        y, x = (int(rng.integers(0, photo.shape[k] - size + 1)) for k in (0, 1))
        how = cv2.INTER_AREA if size > SIDE else cv2.INTER_CUBIC
        picture = cv2.resize(photo[y : y + size, x : x + size], (SIDE, SIDE), interpolation=how)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture, np.uint8)


def _clutter(picture: Pixels, rng: np.random.Generator) -> None:
    """Strands, lines, grids, dots, rings: sharp, and no letters."""
    kind = rng.random()
    tone = int(rng.integers(0, 256))
    if kind < 0.35:
        start = rng.uniform(0, SIDE, 2)
        for _ in range(int(rng.integers(5, 60))):
            a = start + rng.normal(0, 40, 2)
            b = a + rng.normal(0, 90, 2)
            shade = int(np.clip(tone + rng.normal(0, 30), 0, 255))
            cv2.line(picture, _at(a), _at(b), shade, int(rng.integers(1, 4)), cv2.LINE_AA)
    elif kind < 0.55:
        step, thick = int(rng.integers(6, 40)), int(rng.integers(1, 4))
        for k in range(0, SIDE, step):
            cv2.line(picture, (k, 0), (k, SIDE), tone, thick)
            if rng.random() < 0.6:
                cv2.line(picture, (0, k), (SIDE, k), tone, thick)
    elif kind < 0.8:
        for _ in range(int(rng.integers(3, 30))):
            radius = int(rng.integers(2, 22))
            fill = -1 if rng.random() < 0.5 else int(rng.integers(1, 4))
            cv2.circle(picture, _at(rng.uniform(0, SIDE, 2)), radius, tone, fill, cv2.LINE_AA)
    else:
        for _ in range(int(rng.integers(2, 8))):
            corners = rng.uniform(0, SIDE, (int(rng.integers(3, 6)), 2)).astype(np.int32)
            cv2.polylines(picture, [corners], True, tone, int(rng.integers(1, 5)), cv2.LINE_AA)


def _write(
    picture: Pixels,
    target: NDArray[np.float32],
    halo: NDArray[np.float32],
    makings: Makings,
    rng: np.random.Generator,
) -> Pixels:
    """Write a string somewhere; marks its box in ``target`` and the wider one in ``halo``."""
    hangul = rng.random() < 0.5
    letters, fonts = (_HANGUL, makings.hangul) if hangul else (_LATIN, makings.latin)
    word = "".join(rng.choice(list(letters), int(rng.integers(2, 13))))
    if not hangul and rng.random() < 0.6:
        word = word.upper() if rng.random() < 0.4 else word[:1].upper() + word[1:].lower()
    size = int(np.exp(rng.uniform(np.log(13), np.log(60))))
    path = str(fonts[int(rng.integers(len(fonts)))])
    font = ImageFont.truetype(path, size)
    while font.getlength(word) > 0.95 * SIDE and size > 11:
        size -= 1
        font = ImageFont.truetype(path, size)
    ink = Image.new("L", (SIDE, SIDE), 0)
    edge = Image.new("L", (SIDE, SIDE), 0)
    x = rng.uniform(2, max(SIDE - 2 - font.getlength(word), 3))
    y = rng.uniform(-0.1 * size, SIDE - 1.1 * size)
    ImageDraw.Draw(ink).text((x, y), word, font=font, fill=255)
    style = rng.random()
    draw = ImageDraw.Draw(edge)
    left, top, right, bottom = draw.textbbox((x, y), word, font=font)
    room = max(size // 6, 2)
    wide = (left - room, top - room, right + room, bottom + room)
    if style < 0.35:
        thick = max(size // 14, 1)
        draw.text((x, y), word, font=font, fill=255, stroke_width=thick, stroke_fill=255)
    elif style < 0.55:
        draw.text((x + size / 14 + 0.5, y + size / 14 + 0.5), word, font=font, fill=255)
    elif style < 0.75:
        draw.rectangle(wide, fill=255)
    middle = ((left + right) / 2, (top + bottom) / 2)
    turn = cv2.getRotationMatrix2D(middle, rng.uniform(-9, 9), 1.0)
    flat = np.zeros((SIDE, SIDE), np.float32)
    cv2.rectangle(flat, _at((left, top)), _at((right, bottom)), 1.0, -1)
    around = np.zeros((SIDE, SIDE), np.float32)
    cv2.rectangle(around, _at(wide[:2]), _at(wide[2:]), 1.0, -1)
    ink_, edge_, flat, around = (
        cv2.warpAffine(np.asarray(a, np.float32), turn, (SIDE, SIDE))
        for a in (ink, edge, flat, around)
    )
    np.maximum(target, flat, out=target)
    np.maximum(halo, around, out=halo)
    light = rng.random() < 0.65
    tone = rng.uniform(170, 255) if light else rng.uniform(0, 80)
    other = rng.uniform(0, 60) if light else rng.uniform(195, 255)
    opacity = rng.uniform(0.45, 1.0)
    out = picture.astype(np.float32)
    back = edge_ / 255 * (rng.uniform(0.5, 1.0) if style < 0.75 else 0)
    out = out * (1 - back) + other * back
    front = ink_ / 255 * opacity
    out = out * (1 - front) + tone * front
    return np.asarray(np.clip(out, 0, 255), np.uint8)


def _degrade(picture: Pixels, rng: np.random.Generator) -> Pixels:
    out = picture.astype(np.float64)
    if rng.random() < 0.6:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 1.1)), np.float64)
    out = (out - 128) * rng.uniform(0.6, 1.25) + 128 + rng.normal(0, 15)
    if rng.random() < 0.5:
        out = out + rng.normal(0, rng.uniform(1, 7), out.shape)
    out8 = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = int(rng.integers(35, 96))
        _, data = cv2.imencode(".jpg", out8, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out8 = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.asarray(out8, np.uint8)


def _at(point: "NDArray[np.float64] | tuple[float, float]") -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
