"""One image of a data set: a row per class with its name, its size and some of its faces."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from pyojeong.core.errors import ImageUnreadable
from pyojeong.core.face import Image
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.overview import Overview
from pyojeong.datasets.samples import Split, read_picked, read_rows
from pyojeong.output.drawing import Color, fill, mix, text_width, write
from pyojeong.output.media import COLORS

_FACES = 10
_CELL = 64
_GAP = 6
_MARGIN = 36
_HEAD = 128
_ROW = 84
_AT_BAR = 190
_BAR = 250
_BAR_HEIGHT = 22
_AT_FACES = _AT_BAR + _BAR + 44
_WIDTH = _AT_FACES + _FACES * (_CELL + _GAP) - _GAP + _MARGIN
_WHITE: Color = (255, 255, 255)
_INK: Color = (28, 31, 36)
_DIM: Color = (112, 118, 126)
_RULE: Color = (226, 229, 233)
_EMPTY: Color = (244, 245, 247)
_OTHER: Color = (150, 150, 150)
_PALER = {Split.TRAIN: 0.0, Split.VALID: 0.45, Split.TEST: 0.72}


def contact_sheet(manifest: Path, overview: Overview, *, seed: int = 0) -> Image:
    """Draw the contact sheet of a data set.

    Args:
        manifest: The data set.
        overview: Its figures.
        seed: Picks the faces.

    Returns:
        uint8 (H, W, 3) RGB on white.
    """
    faces = _faces(manifest, overview.labels.names, seed)
    names = overview.labels.names
    height = _HEAD + len(names) * _ROW + _MARGIN
    sheet = np.full((height, _WIDTH, 3), 255, np.uint8)
    _headline(sheet, manifest, overview)
    most = max(overview.total(label=name) for name in names)
    for i, name in enumerate(names):
        top = _HEAD + i * _ROW
        fill(sheet, (_MARGIN, top, _WIDTH - _MARGIN, top + 1), _RULE)
        _class_row(sheet, top, name, overview, most)
        for k, face in enumerate(faces[name]):
            x, y = _AT_FACES + k * (_CELL + _GAP), top + (_ROW - _CELL) // 2
            sheet[y : y + _CELL, x : x + _CELL] = _fitted(face)
    bottom = height - _MARGIN
    fill(sheet, (_MARGIN, bottom, _WIDTH - _MARGIN, bottom + 1), _RULE)
    return sheet


def _headline(sheet: Image, manifest: Path, overview: Overview) -> None:
    write(sheet, (_MARGIN, 56), manifest.stem[:60], _INK, size=24, bold=True)
    parts = [f"{overview.rows:,} images"]
    parts += [f"{s.value} {n:,}" for s in Split if (n := overview.total(split=s))]
    write(sheet, (_MARGIN, 82), ",  ".join(parts), _DIM, size=15)
    x = float(_AT_BAR)
    for split in Split:
        fill(sheet, (x, 105, x + 11, 116), mix(_DIM, _WHITE, _PALER[split]), radius=2)
        write(sheet, (x + 17, 115), split.value, _DIM, size=13)
        x += 17 + text_width(split.value, 13) + 18
    write(sheet, (_MARGIN, 115), "class", _DIM, size=13)
    write(sheet, (_AT_FACES, 115), "drawn at random from all splits", _DIM, size=13)


def _class_row(sheet: Image, top: int, name: str, overview: Overview, most: int) -> None:
    middle = top + _ROW / 2
    count = overview.total(label=name)
    share = 100 * count / max(overview.rows, 1)
    write(sheet, (_MARGIN, middle - 3), name, _INK, size=18, bold=True)
    write(sheet, (_MARGIN, middle + 17), f"{count:,}  ({share:.1f} %)", _DIM, size=13)
    y1, y2 = middle - _BAR_HEIGHT / 2, middle + _BAR_HEIGHT / 2
    fill(sheet, (_AT_BAR, y1, _AT_BAR + _BAR, y2), _EMPTY)
    color = COLORS.get(name, _OTHER)
    x = float(_AT_BAR)
    for split in Split:
        width = _BAR * overview.total(split=split, label=name) / max(most, 1)
        fill(sheet, (x, y1, x + width, y2), mix(color, _WHITE, _PALER[split]))
        x += width
    if not count:
        write(sheet, (_AT_FACES, middle + 5), "no samples", _DIM, size=14)


def _faces(manifest: Path, names: Sequence[str], seed: int) -> Mapping[str, list[Image]]:
    """Return some readable images per class, picked with equal chances in one pass."""
    rng = np.random.default_rng(seed)
    picked: dict[str, list[int]] = {name: [] for name in names}
    seen = dict.fromkeys(names, 0)
    for row, sample in read_rows(manifest, splits=list(Split), images=False):
        seen[sample.label] += 1
        rows = picked[sample.label]
        if len(rows) < _FACES:
            rows.append(row)
        elif (at := int(rng.integers(seen[sample.label]))) < _FACES:
            rows[at] = row
    samples = read_picked(manifest, [row for rows in picked.values() for row in rows])
    out: dict[str, list[Image]] = {name: [] for name in names}
    for name, rows in picked.items():
        for row in sorted(rows):
            try:
                out[name].append(pixels_of(samples[row]))
            except ImageUnreadable:
                continue
    return out


def _fitted(face: Image) -> Image:
    """Return the whole image in a square cell, its proportions kept."""
    height, width = face.shape[:2]
    scale = _CELL / max(height, width)
    size_wh = (max(round(width * scale), 1), max(round(height * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(face, size_wh, interpolation=how)
    cell = np.full((_CELL, _CELL, 3), _EMPTY, np.uint8)
    y, x = (_CELL - size_wh[1]) // 2, (_CELL - size_wh[0]) // 2
    cell[y : y + size_wh[1], x : x + size_wh[0]] = small
    return cell
