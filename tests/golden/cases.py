"""The inputs of the stored preprocessing vectors: made by arithmetic, the same everywhere.

``cases()`` is what ``regen.py`` stores the outputs of and what the tests check them against; a
variant of the executor in another language needs ``waves`` and the numbers in ``preprocess.npz``.
Likewise ``feature_cases()`` and ``features.npz``, which holds the images too.
"""

from dataclasses import dataclass

import numpy as np

from pyojeong.core.card import Preprocess
from pyojeong.core.face import Box, Face, Landmarks
from pyojeong.core.feature import Clahe, Equalize, Hog, HogVector, Lbp
from pyojeong.image.preprocess import matrix_for_crop, matrix_for_face, warp

TEMPLATE = ((0.34, 0.4), (0.66, 0.4), (0.5, 0.58), (0.37, 0.76), (0.63, 0.76))
POINTS = np.array(TEMPLATE, np.float64)


def waves(height, width, channels=3):
    """Triangle waves of several lengths: no slope is steeper than 9 grey levels per pixel.

    So a thirty-second of a pixel, to which some versions of OpenCV round positions, changes no
    value by more than one.
    """
    y, x = np.mgrid[0:height, 0:width]
    slopes = ((3, 5), (7, -2), (-4, 4))[:channels]
    planes = [np.abs((a * x + b * y + 37 * c) % 510 - 255) for c, (a, b) in enumerate(slopes)]
    image = np.stack(planes, axis=2).astype(np.uint8)
    return image[..., 0] if channels == 1 else image


def face_at(x, y, side, degrees):
    """A face whose landmarks are the template turned about (x, y) and scaled to ``side``."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = (POINTS - 0.5) @ turn * side + (x, y)
    box = Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    return Face(box, 0.9, Landmarks(points.astype(np.float32)))


GRAY = Preprocess(size_hw=(48, 48), color="gray", mean=(0.5,), std=(0.25,), center_fraction=44 / 48)
RGB = Preprocess(
    size_hw=(64, 56), color="rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
    template=TEMPLATE, margin=0.2, box_scale=1.3, box_shift_y=0.1,
)  # fmt: skip


@dataclass
class Case:
    """One image, one matrix, and the card's preprocessing."""

    pre: Preprocess
    image: np.ndarray
    matrix: np.ndarray

    @property
    def patch(self):
        return warp(self.image, self.matrix, self.pre.size_hw)


def cases():
    """Name -> case."""
    photo, gray = waves(150, 200), waves(90, 130, 1)

    def bare(face):
        return Face(face.box, face.score)

    def crop(shape_hw, channels):
        image = waves(*shape_hw, channels)
        return Case(GRAY, image, matrix_for_crop(GRAY, shape_hw))

    def found(image, face, pre=RGB):
        return Case(pre, image, matrix_for_face(pre, face))

    return {
        "crop_48_gray": crop((48, 48), 1),
        "crop_enlarged": crop((31, 27), 3),
        "crop_shrunk_by_4": crop((176, 210), 3),
        "crop_shrunk_by_7_gray": crop((330, 250), 1),
        "landmarks_upright": found(photo, face_at(100, 75, 60, 0)),
        "landmarks_turned": found(photo, face_at(90, 80, 70, 33)),
        "landmarks_turned_shrunk": found(waves(500, 640), face_at(300, 240, 310, -20)),
        "landmarks_leaving": found(photo, face_at(10, 140, 90, 15)),
        "box": found(photo, bare(face_at(100, 70, 50, 0))),
        "box_leaving_shrunk": found(waves(400, 400), bare(face_at(380, 20, 330, 0))),
        "box_gray_source": found(gray, bare(face_at(60, 40, 50, 0)), GRAY),
        "landmarks_gray_source": found(gray, face_at(60, 40, 50, 9)),
    }


def steps(height, width):
    """Curved stripes with edges in all directions and a few flat places, uint8 (H, W)."""
    y, x = np.mgrid[0:height, 0:width]
    image = (3 * x + 5 * y + x * y // 7) % 256
    image[height // 3 : height // 2, width // 4 : width // 2] = 200
    return image.astype(np.uint8)


def feature_cases():
    """Name -> (feature, gray image): every feature, and sizes that its cells do not divide."""
    square, odd = steps(48, 48), steps(45, 51)
    return {
        "clahe": (Clahe(clip=5.0, grid=4), square),
        "hog": (Hog(orientations=8, cell=8), square),
        "hog_odd": (Hog(orientations=9, cell=7), odd),
        "hog_vector": (HogVector(orientations=9, cell=8, block=2), square),
        "hog_vector_odd": (HogVector(orientations=7, cell=6, block=3), odd),
        "lbp_default": (Lbp(method="default"), odd),
        "lbp_ror": (Lbp(method="ror"), odd),
        "lbp_uniform": (Lbp(method="uniform"), odd),
        "lbp_var": (Lbp(method="var"), odd),
        "equalize": (Equalize(), odd),
    }
