"""Where a detector finds the landmarks in a data set's crops: the template that goes on the card.

A net sees faces in the framing of its training images. To show it a photograph's face the same
way, the detector that will be used is run on training images, and the median positions of what
it finds become the template for alignment.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import DataError
from pyojeong.core.protocols import Detector
from pyojeong.datasets.picture_files import decoded
from pyojeong.datasets.samples import Sample, Split, read_manifest
from pyojeong.image.preprocess import Pixels, apply, matrix_for_crop

_SIDE = 192
_PAD = 48
_LEAST_SCORE = 0.6
_FEWEST = 50
"""Faces that the medians of the framing are taken over, at least."""


def _canvas(crop: Pixels) -> Pixels:
    """Return the crop enlarged to 192 px on its longer side, with a replicated border of 48 px."""
    scale = _SIDE / max(crop.shape[:2])
    size = (round(crop.shape[1] * scale), round(crop.shape[0] * scale))
    large = cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC)
    bordered = cv2.copyMakeBorder(large, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REPLICATE)
    return np.asarray(bordered, np.uint8)


def measure_framing(
    pre: Preprocess, manifest: Path, detector: Detector, *, count: int = 2000
) -> tuple[Preprocess, dict[str, float | int]]:
    """``pre`` with template, box_scale and box_shift_y as measured on training crops.

    Args:
        pre: The preprocessing the net was trained with.
        manifest: The data set; only Split.TRAIN is read.
        detector: The detector that will feed the net.
        count: How many crops are searched.

    Returns:
        The completed preprocessing, and how it was measured (for the card).

    Raises:
        DataError: When faces with landmarks were found on fewer than 50 crops.
    """
    points, boxes = _measure(pre, read_manifest(manifest, splits=[Split.TRAIN]), detector, count)
    if len(points) < _FEWEST:
        raise DataError(
            f"{manifest}: {detector.id} found landmarks on only {len(points)} training pictures, "
            f"and how faces are cut out is measured on {_FEWEST} or more: add training pictures, "
            "give --data another data set whose faces are cut out alike, or name another --detector"
        )
    template = np.median(np.array(points), axis=0)
    # The face has no preferred side: average the template with its mirror image.
    mirrored = template[[1, 0, 2, 4, 3]] * (-1, 1) + (1, 0)
    template = (template + mirrored) / 2
    side, shift = np.median(np.array(boxes), axis=0)
    completed = replace(
        pre,
        template=tuple((round(float(x), 4), round(float(y), 4)) for x, y in template),
        box_scale=round(float(side), 4),
        box_shift_y=round(float(shift), 4),
    )
    return completed, {"crops": count, "with_landmarks": len(points), "detector": detector.id}  # type: ignore[dict-item]


def _measure(
    pre: Preprocess, samples: Iterable[Sample], detector: Detector, count: int
) -> tuple[list[np.ndarray], list[tuple[float, float]]]:
    points, boxes = [], []
    h, w = pre.size_hw
    for _, _, crop in decoded(islice(samples, count)):
        faces = detector.detect(_canvas(crop))
        if not faces or faces[0].score < _LEAST_SCORE or faces[0].landmarks is None:
            continue
        scale = max(crop.shape[:2]) / _SIDE
        to_input = matrix_for_crop(pre, crop.shape[:2])
        found = (faces[0].landmarks.points - _PAD) * scale
        points.append(apply(to_input, found) / (w, h))
        box = faces[0].box
        corners = apply(to_input, (np.array([[box.x1, box.y1], [box.x2, box.y2]]) - _PAD) * scale)
        (x1, y1), (x2, y2) = corners / (w, h)
        boxes.append((1 / max(x2 - x1, y2 - y1), (0.5 - (y1 + y2) / 2) / (y2 - y1)))
    return points, boxes
