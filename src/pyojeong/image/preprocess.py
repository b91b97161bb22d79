"""The one executor of a card's ``Preprocess``: face -> 2x3 matrix -> bilinear warp -> tensor.

When the card names a feature, ``image.descriptors`` computes it between warp and normalisation.

Training, inference and curation all call it, so that a network never meets pixels that were made
another way. A matrix maps frame coordinates to input-pixel coordinates, both with the origin at
the top-left *corner* of the top-left pixel (OpenCV's own origin is that pixel's centre; the half
pixel is added and taken away in ``warp`` alone).

The warp is bilinear with replicated borders. When it shrinks more than twofold, the source is
first averaged over k x k pixels (a box filter), k being the shrink factor rounded down: bilinear
sampling alone would skip pixels and alias. What shall end as gray is made gray before.
"""

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import BadArray
from pyojeong.core.face import Box, Face
from pyojeong.core.feature import Feature
from pyojeong.image import descriptors

Matrix = NDArray[np.float64]
"""float64 (2, 3): frame (x, y, 1) -> input pixels (x, y)."""

Pixels = NDArray[np.uint8]
"""uint8, (H, W) gray or (H, W, 3) RGB."""

_MAX_SIDE = 32_000  # OpenCV's remap cannot address sources of 32,768 pixels or more


def matrix_for_crop(pre: Preprocess, shape_hw: tuple[int, int]) -> Matrix:
    """Matrix for a face that is already cut out, of any size.

    The crop is completed to a square on its longer side (aspect ratio kept) and the central
    ``pre.center_fraction`` of that square fills the input.

    Args:
        pre: The card's preprocessing.
        shape_hw: Height and width of the crop in pixels.
    """
    height, width = shape_hw
    side = max(height, width) * pre.center_fraction
    return _square_matrix(pre, width / 2, height / 2, side)


def matrix_for_box(pre: Preprocess, box: Box) -> Matrix:
    """Matrix for a detected face without landmarks: a square around the box's centre."""
    side = max(box.width, box.height, 1.0) * pre.box_scale
    cy = (box.y1 + box.y2) / 2 + pre.box_shift_y * box.height
    return _square_matrix(pre, (box.x1 + box.x2) / 2, cy, side)


def _square_matrix(pre: Preprocess, cx: float, cy: float, side: float) -> Matrix:
    h, w = pre.size_hw
    sx, sy = w / side, h / side
    return np.array([[sx, 0, w / 2 - sx * cx], [0, sy, h / 2 - sy * cy]], np.float64)


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> Matrix:
    """Least-squares rotation, uniform scale and shift that takes ``source`` to ``target``.

    Closed form for two dimensions (Umeyama 1991, without reflection).

    Args:
        source: (N, 2) points.
        target: (N, 2) points.

    Raises:
        BadArray: When all source points coincide.
    """
    return _similarity(
        np.asarray(source, np.float64).tolist(), np.asarray(target, np.float64).tolist()
    )[0]


def _similarity(s: list[list[float]], t: list[list[float]]) -> tuple[Matrix, bool]:
    """Return the similarity, and whether a mirror image would fit better."""
    count = len(s)  # a handful: plain numbers are several times faster than arrays
    sx, sy = (sum(p[k] for p in s) / count for k in (0, 1))
    tx, ty = (sum(p[k] for p in t) / count for k in (0, 1))
    norm = up = vq = uq = vp = 0.0
    for (x1, y1), (x2, y2) in zip(s, t, strict=True):
        u, v, p, q = x1 - sx, y1 - sy, x2 - tx, y2 - ty
        norm += u * u + v * v
        up += u * p
        vq += v * q
        uq += u * q
        vp += v * p
    if norm < 1e-9:
        raise BadArray("similarity", expected="points that differ", got="all at one place")
    a, b = (up + vq) / norm, (uq - vp) / norm
    matrix = np.array([[a, -b, tx - a * sx + b * sy], [b, a, ty - b * sx - a * sy]])
    return matrix, up * vq < uq * vp


def matrix_for_face(pre: Preprocess, face: Face) -> Matrix:
    """Matrix for a detected face: by landmarks where there are any, else by its box.

    Landmarks that lie closer together than a pixel, or that would need a mirror image, fall back
    to the box.
    """
    if pre.template is None or face.landmarks is None:
        return matrix_for_box(pre, face.box)
    points = face.landmarks.points.tolist()
    if all(max(side) - min(side) < 1.0 for side in zip(*points, strict=True)):
        return matrix_for_box(pre, face.box)
    matrix, mirrored = _similarity(points, _template(pre.template, pre.margin, pre.size_hw))
    if mirrored or math.hypot(matrix[0, 0], matrix[1, 0]) <= 1e-4:
        return matrix_for_box(pre, face.box)
    return matrix


@lru_cache(maxsize=64)
def _template(
    template: tuple[tuple[float, float], ...], margin: float, size_hw: tuple[int, int]
) -> list[list[float]]:
    """Return where the landmarks belong, in input pixels."""
    h, w = size_hw
    return [[((x - 0.5) / (1 + margin) + 0.5) * w, ((y - 0.5) / (1 + margin) + 0.5) * h]
            for x, y in template]  # fmt: skip


def _determinant(matrix: NDArray[np.floating]) -> float:
    """Return the determinant of the left 2x2 part."""
    (a, b, *_), (c, d, *_) = matrix.tolist()
    return float(a * d - b * c)


def invert(matrix: Matrix) -> Matrix:
    """Return the inverse of a 2x3 matrix: input pixels -> frame."""
    inverse = np.linalg.inv(matrix[:, :2])
    return np.column_stack([inverse, -inverse @ matrix[:, 2]])


def apply(matrix: Matrix, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map (N, 2) points."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def warp(image: Pixels, matrix: Matrix, size_hw: tuple[int, int], *, gray: bool = False) -> Pixels:
    """Sample ``image`` through ``matrix`` into an image of ``size_hw`` (see the module text).

    Args:
        image: uint8 (H, W) or (H, W, C).
        matrix: Frame -> output, corner origin.
        size_hw: Height and width of the output.
        gray: Give the luma of an RGB image.

    Returns:
        uint8 (h, w) or (h, w, C).
    """
    h, w = size_hw
    scale = math.sqrt(abs(_determinant(matrix)))
    if scale < 0.5:
        # An image shrunk to a few pixels needs no larger boxes, and they would not fit in memory.
        most = max(min(image.shape[:2]) // 8, 64)
        # Exact shrink factors may come out a hair too small.
        k = int(min(1 / scale + 1e-6, most))
        image, matrix = _box_filter(image, matrix, (h, w), k, gray=gray)
    elif max(image.shape[:2]) > _MAX_SIDE:
        image, matrix = _box_filter(image, matrix, (h, w), 1, gray=gray)
    half = np.array([0.5, 0.5])
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ half - half
    out = cv2.warpAffine(
        image, centred, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    out = np.asarray(out, np.uint8)
    return to_gray(out) if gray else out


def _box_filter(
    image: Pixels, matrix: Matrix, size_hw: tuple[int, int], k: int, *, gray: bool
) -> tuple[Pixels, Matrix]:
    """Cut out what the output needs, average it over k x k pixels, and rescale the matrix."""
    h, w = size_hw
    (a, b, dx), (c, d, dy) = matrix.tolist()
    area = a * d - b * c
    corners = [(x - dx, y - dy) for x in (0, w) for y in (0, h)]
    across = [(d * x - b * y) / area for x, y in corners]
    down = [(a * y - c * x) / area for x, y in corners]
    height, width = image.shape[:2]
    # The window starts and ends on multiples of k, with two output pixels to spare.
    x1, y1 = (math.floor(min(side) / k - 2) * k for side in (across, down))
    x2, y2 = (math.ceil(max(side) / k + 2) * k for side in (across, down))
    # Boxes outside the frame repeat its edge, so one row of them is enough.
    x1, y1 = max(x1, -k), max(y1, -k)
    x2, y2 = min(x2, width + k), min(y2, height + k)
    x1, y1 = min(x1, width - 1), min(y1, height - 1)
    x2, y2 = max(x2, x1 + k, 1), max(y2, y1 + k, 1)
    x2 += -(x2 - x1) % k
    y2 += -(y2 - y1) % k
    part = image[max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
    edges = (max(-y1, 0), max(y2 - height, 0), max(-x1, 0), max(x2 - width, 0))
    if gray:
        part = to_gray(part)
    if any(edges):
        part = cv2.copyMakeBorder(part, *edges, cv2.BORDER_REPLICATE)
    if k > 1:
        part = cv2.resize(
            part, (part.shape[1] // k, part.shape[0] // k), interpolation=cv2.INTER_AREA
        )
    moved = matrix.copy()
    moved[:, 2] += (a * x1 + b * y1, c * x1 + d * y1)
    moved[:, :2] *= k
    return np.asarray(part, np.uint8), moved


def to_gray(image: Pixels) -> Pixels:
    """(H, W) luma of a gray or RGB image: 0.299 R + 0.587 G + 0.114 B."""
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def to_tensor(pre: Preprocess, patches: list[Pixels]) -> NDArray[np.float32]:
    """Patches of the input's size -> normalised float32 (N, C, H, W), C = ``pre.channels``."""
    if pre.feature is not None:
        return _feature_tensor(pre, pre.feature, patches)
    if pre.color == "gray":
        stack = np.stack([to_gray(p) for p in patches])[:, None]  # (N, 1, H, W)
    else:
        rgb = [p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in patches]
        stack = np.stack(rgb).transpose(0, 3, 1, 2)  # (N, 3, H, W)
    scale = np.array([1 / (255 * s) for s in pre.std], np.float32).reshape(1, -1, 1, 1)
    shift = np.array([m / s for m, s in zip(pre.mean, pre.std, strict=True)], np.float32)
    return np.ascontiguousarray(stack.astype(np.float32) * scale - shift.reshape(1, -1, 1, 1))


def _feature_tensor(
    pre: Preprocess, feature: Feature, patches: list[Pixels]
) -> NDArray[np.float32]:  # (N, C, H, W)
    """Gray -> feature -> (x - mean) / std on the image; a vector's plane stays as it is."""
    planes = descriptors.apply(feature, np.stack([to_gray(p) for p in patches]))
    picture = planes[:, : pre.color_channels]
    picture -= np.array(pre.mean, np.float32).reshape(1, -1, 1, 1)
    picture /= np.array(pre.std, np.float32).reshape(1, -1, 1, 1)
    return planes


def preprocess(
    pre: Preprocess, image: Pixels, matrices: list[Matrix]
) -> NDArray[np.float32]:  # (N, C, H, W)
    """Cut N faces out of one image: the whole of a card's preprocessing.

    Args:
        pre: The card's preprocessing.
        image: uint8 (H, W) or (H, W, 3) RGB.
        matrices: One per face, from ``matrix_for_face``, ``matrix_for_box`` or ``matrix_for_crop``.

    Returns:
        float32 (N, C, H, W), C-contiguous.
    """
    if not matrices:
        return np.zeros((0, pre.channels, *pre.size_hw), np.float32)
    gray = pre.color == "gray"
    return to_tensor(pre, [warp(image, m, pre.size_hw, gray=gray) for m in matrices])
