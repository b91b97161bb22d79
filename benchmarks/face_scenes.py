"""Pictures with known faces, and pictures without any, for measuring detectors.

Everything is made from the wild faces of the shared data folder and the pictures that ship inside
scikit-image, with fixed seeds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from pyojeong.core.face import Image
from pyojeong.image.files import read_image

BINS = ((24, 40), (40, 80), (80, 200))
BACKGROUNDS = (
    "coffee",
    "rocket",
    "chelsea",
    "brick",
    "grass",
    "gravel",
    "moon",
    "motorcycle_left",
    "hubble_deep_field",
)
FACELESS = (
    "brick",
    "cell",
    "chelsea",
    "chessboard_GRAY",
    "clock_motion",
    "coffee",
    "coins",
    "color",
    "grass",
    "gravel",
    "horse",
    "hubble_deep_field",
    "ihc",
    "logo",
    "microaneurysms",
    "moon",
    "motorcycle_left",
    "motorcycle_right",
    "page",
    "phantom",
    "retina",
    "rocket",
    "text",
)
CENTRAL = np.array([0.07, 0.05, 0.92, 1.0])
"""Where the face lies in a wild picture, as fractions: the median over the set."""

GROUP_SCALES = (1.0, 0.5, 0.4, 0.3, 0.25, 0.2)
_GROUP = np.array(
    [(540, 305, 630, 435), (222, 70, 305, 175), (318, 245, 412, 360), (688, 295, 792, 420),
     (440, 220, 518, 310)], float,
)  # fmt: skip
"""The five faces of clips/multi_face.jpg (1000 x 667), marked by hand."""


@dataclass(frozen=True)
class Scene:
    """A picture and its faces: (N, 4) boxes, and the side of each in pixels."""

    image: Image
    boxes: NDArray[np.float64]
    sides: NDArray[np.float64]


def shipped(name: str) -> Image:
    """A picture that lies inside the scikit-image package."""
    folder = Path(skimage.data.__file__).parent
    return read_image(next(p for p in sorted(folder.glob(f"{name}.*")) if p.suffix != ".npz"))


def faceless(shared: Path) -> list[Image]:
    """Pictures without faces: whole ones, and their quarters."""
    pictures = [read_image(shared / "data/clips/free-mountain-vector-01.jpg")]
    for name in FACELESS:
        image = shipped(name)
        h, w = image.shape[0] // 2, image.shape[1] // 2
        quarters = [image[y : y + h, x : x + w].copy() for y in (0, h) for x in (0, w)]
        pictures += [image, *quarters]
    return pictures


def wild_files(shared: Path) -> list[Path]:
    """The wild faces, in a fixed order."""
    return sorted((shared / "data/wild/images").iterdir())


def tight(path: Path) -> Scene:
    """A wild picture with its one face."""
    image = read_image(path)
    h, w = image.shape[:2]
    box = CENTRAL * (w, h, w, h)
    return Scene(image, box[None], np.array([box[3] - box[1]]))


def groups(shared: Path) -> list[Scene]:
    """The group photograph, whole and shrunk into the corner of a 512 x 512 canvas."""
    photo = read_image(shared / "data/clips/multi_face.jpg")
    scenes = []
    for scale in GROUP_SCALES:
        size_wh = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
        image = photo
        if scale < 1:
            image = np.full((512, 512, 3), 128, np.uint8)
            small = cv2.resize(photo, size_wh, interpolation=cv2.INTER_AREA)
            image[: size_wh[1], : size_wh[0]] = small
        boxes = _GROUP * scale
        scenes.append(Scene(image, boxes, boxes[:, 3] - boxes[:, 1]))
    return scenes


def composed(
    shared: Path, count: int, size_wh: tuple[int, int], *, per_bin: int, seed: int
) -> Iterator[Scene]:
    """Wild faces of 24 to 200 px pasted, with soft round edges, on pictures without faces.

    Args:
        shared: The shared data folder.
        count: Number of scenes.
        size_wh: Size of the scenes.
        per_bin: Faces per scene from each of ``BINS``.
        seed: Of the random numbers.
    """
    random = np.random.default_rng(seed)
    faces = [f for f in map(read_image, wild_files(shared)) if min(f.shape[:2]) >= 150]
    for k in range(count):
        image = _background(k % len(BACKGROUNDS), size_wh)
        ranges = [(low, min(high, min(size_wh) // 3)) for low, high in reversed(BINS)]
        yield _with_faces(image, faces, [r for r in ranges for _ in range(per_bin)], random)


def _with_faces(
    image: NDArray[np.uint8],
    faces: list[Image],
    ranges: list[tuple[int, int]],
    random: np.random.Generator,
) -> Scene:
    """Paste one face for each range of sides, where there is room, and return the scene."""
    placed: list[tuple[int, int, int]] = []
    for low, high in ranges:
        side = int(random.integers(low, high))
        spot = _free_spot(random, placed, side, (image.shape[1], image.shape[0]))
        if spot is not None:
            _paste(image, faces[int(random.integers(len(faces)))], *spot, side)
            placed.append((*spot, side))
    corners = np.array(placed, float)
    boxes = corners[:, [0, 1, 0, 1]] + CENTRAL * corners[:, 2:]
    return Scene(image, boxes, corners[:, 2])


def _background(number: int, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture of ``BACKGROUNDS``, enlarged to a size."""
    back = shipped(BACKGROUNDS[number])
    scale = max(size_wh[0] / back.shape[1], size_wh[1] / back.shape[0])
    grown = (int(np.ceil(back.shape[1] * scale)), int(np.ceil(back.shape[0] * scale)))
    return np.asarray(cv2.resize(back, grown)[: size_wh[1], : size_wh[0]], np.uint8).copy()


CROWDS = ((1600, 1250), (3000, 2000), (4000, 3000), (6000, 4000))
"""Sizes of group photographs, width and height in pixels: 2, 6, 12 and 24 megapixels."""


def crowds(shared: Path, each: int, *, seed: int) -> Iterator[Scene]:
    """Group photographs of 10 to 120 wild faces of 40 to 150 px, pasted as in ``composed``.

    Args:
        shared: The shared data folder.
        each: Scenes of each size of ``CROWDS``.
        seed: Of the random numbers.
    """
    random = np.random.default_rng(seed)
    faces = [f for f in map(read_image, wild_files(shared)) if min(f.shape[:2]) >= 150]
    for _ in range(each):
        for size_wh in CROWDS:
            image = _background(int(random.integers(len(BACKGROUNDS))), size_wh)
            yield _with_faces(image, faces, [(40, 151)] * int(random.integers(10, 121)), random)


def portrait(shared: Path) -> Image:
    """A photograph of 12 megapixels with one large face."""
    random = np.random.default_rng(9)
    faces = [f for f in map(read_image, wild_files(shared)[:60]) if min(f.shape[:2]) >= 150]
    return _with_faces(_background(0, (4000, 3000)), faces, [(1800, 1801)], random).image


def group_of_40(shared: Path) -> Image:
    """A photograph of 24 megapixels with forty faces of 40 to 150 px."""
    random = np.random.default_rng(10)
    faces = [f for f in map(read_image, wild_files(shared)[:200]) if min(f.shape[:2]) >= 150]
    return _with_faces(_background(1, (6000, 4000)), faces, [(40, 151)] * 40, random).image


def _free_spot(
    random: np.random.Generator,
    placed: list[tuple[int, int, int]],
    side: int,
    size_wh: tuple[int, int],
) -> tuple[int, int] | None:
    for _ in range(200):
        x, y = (int(random.integers(0, limit - side)) for limit in size_wh)
        if all(
            x + side + 8 < px or x > px + ps + 8 or y + side + 8 < py or y > py + ps + 8
            for px, py, ps in placed
        ):
            return x, y
    return None


def _paste(image: NDArray[np.integer], face: Image, x: int, y: int, side: int) -> None:
    h, w = face.shape[:2]
    m = min(h, w)
    centre = face[(h - m) // 2 : (h - m) // 2 + m, (w - m) // 2 : (w - m) // 2 + m]
    how = cv2.INTER_AREA if side < m else cv2.INTER_LINEAR
    tile = cv2.resize(centre, (side, side), interpolation=how).astype(float)
    grid = (np.arange(side) + 0.5) / side * 2 - 1
    radius = np.hypot(grid[None], grid[:, None] / 1.1)
    alpha = np.clip((1.08 - radius) / 0.12, 0, 1)[..., None]
    part = image[y : y + side, x : x + side]
    image[y : y + side, x : x + side] = np.rint(alpha * tile + (1 - alpha) * part)
