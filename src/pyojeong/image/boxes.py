"""Stateless box algebra on arrays of x1, y1, x2, y2 (pixels, x2 and y2 exclusive)."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def area(boxes: Floats) -> Floats:
    """Areas of (N, 4) boxes, in square pixels."""
    wh = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(wh[..., 0] * wh[..., 1])


def iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union of every pair: (N, 4) and (M, 4) -> (N, M); 0 for empty boxes."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    wh = np.maximum(bottom_right - top_left, 0)
    both = wh[..., 0] * wh[..., 1]
    union = area(a)[:, None] + area(b)[None, :] - both
    shares: Floats = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return shares


def nms(
    boxes: Floats, scores: Floats, *, threshold: float, over_smaller: bool = False
) -> list[int]:
    """Greedy non-maximum suppression.

    Args:
        boxes: (N, 4).
        scores: (N,).
        threshold: Boxes that overlap a better one by more than this are dropped.
        over_smaller: Measure overlap as intersection over the smaller box instead of the union.

    Returns:
        Positions of the kept boxes, best first.
    """
    if len(scores) < 2:
        return list(range(len(scores)))
    order = np.argsort(-scores, kind="stable")
    areas = area(boxes)
    keep: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        keep.append(int(best))
        top_left = np.maximum(boxes[best, :2], boxes[rest, :2])
        bottom_right = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        wh = np.maximum(bottom_right - top_left, 0)
        both = wh[:, 0] * wh[:, 1]
        if over_smaller:
            whole = np.minimum(areas[best], areas[rest])
        else:
            whole = areas[best] + areas[rest] - both
        order = rest[both <= threshold * np.maximum(whole, 1e-9)]
    return keep


def square(boxes: Floats, *, scale: float = 1.0) -> Floats:
    """Squares around the centres of (N, 4) boxes; sides: the longer ones, times ``scale``."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.max(boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True) / 2 * scale
    return np.concatenate([centre - half, centre + half], axis=1)


def clip(boxes: Floats, size_wh: tuple[int, int]) -> Floats:
    """Cut (N, 4) boxes at the edges of a frame."""
    limit = np.array([size_wh[0], size_wh[1], size_wh[0], size_wh[1]], boxes.dtype)
    return np.clip(boxes, 0, limit)
