"""The executors of a card's ``feature``: contrast, gradients and local patterns of gray images.

HOG and LBP are written here and not taken from scikit-image, whose results they reproduce (a test
compares them). Inference then runs without scikit-image and SciPy, which together are larger than
everything else it needs; and a training, which computes a feature again for every augmented face,
needs thousands per second.

All functions take a stack of gray images, uint8 (N, H, W). No result depends on which other
images are in the stack.
"""

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import BadArray
from pyojeong.core.feature import Clahe, Equalize, Feature, Hog, HogVector, Lbp, LbpMethod

Stack = NDArray[np.uint8]
"""uint8 (N, H, W): gray images of one size."""

Planes = NDArray[np.float32]
"""float32 (N, H, W)."""

_CHUNK_PIXELS = 1 << 15  # intermediate results of that many pixels stay in the CPU's cache
_HOG_WHITE = 10.0
_EPS = 1e-5  # added to the norm of a block, as in scikit-image
_DIAGONAL = 0.70711  # scikit-image rounds positions to five digits
_FLAT = 1e-6


def apply(feature: Feature, stack: Stack) -> NDArray[np.float32]:
    """Return what a network with this feature receives, before mean and deviation of its card.

    Args:
        feature: The card's feature.
        stack: uint8 (N, H, W).

    Returns:
        float32 (N, C, H, W), a new array. C = 1: an image in [0, 1], or with mean 0 and variance
        1 for ``Equalize``. C = 2 for ``HogVector``: plane 0 holds the pixels in [0, 1], and plane
        1, read row by row, holds the vector in its first values and zeros after them. The vector
        travels inside the image's array so that a network has one input whatever its feature:
        session, export and server stay the same. A network takes it out again with
        ``x[:, 1].flatten(1)[:, :length]``.

    Raises:
        BadArray: When ``stack`` is not uint8 (N, H, W).
    """
    if stack.dtype != np.uint8 or stack.ndim != 3:
        raise BadArray("stack", expected="uint8 (N, H, W)", got=f"{stack.dtype} {stack.shape}")
    n, h, w = stack.shape
    out = np.zeros((n, 2 if isinstance(feature, HogVector) else 1, h, w), np.float32)
    step = max(_CHUNK_PIXELS // max(h * w, 1), 1)
    for i in range(0, n, step):
        part = stack[i : i + step]
        if isinstance(feature, HogVector):
            bins, cell, block = feature.orientations, feature.cell, feature.block
            vector = hog_vector(part, orientations=bins, cell=cell, block=block)
            out[i : i + step, 0] = _unit(part)
            out[i : i + step, 1].reshape(len(part), -1)[:, : vector.shape[1]] = vector
        else:
            out[i : i + step, 0] = _picture(feature, part)
    return out


def _picture(feature: Clahe | Hog | Lbp | Equalize, stack: Stack) -> Planes:
    if isinstance(feature, Clahe):
        return clahe(stack, clip=feature.clip, grid=feature.grid)
    if isinstance(feature, Hog):
        return hog_image(stack, orientations=feature.orientations, cell=feature.cell)
    if isinstance(feature, Lbp):
        return lbp_image(stack, feature.method)
    return equalize_and_level(stack)


def _unit(stack: Stack) -> Planes:
    return stack.astype(np.float32) / np.float32(255)


# --- contrast ---


def clahe(stack: Stack, *, clip: float, grid: int) -> Planes:
    """Contrast-limited adaptive histogram equalisation by OpenCV.

    The true limit is a count of pixels, max(floor(clip * pixels of a tile / 256), 1): the same
    ``clip`` means less and less as tiles shrink. A clip of 5 allows 28 pixels per level at 150
    pixels and a 4 x 4 grid, but 2 at 48 pixels, and 1, the least there is, on an 8 x 8 grid. At
    48 pixels a grid of 2 to 4 is sensible.

    Args:
        stack: uint8 (N, H, W).
        clip: Contrast limit, above 0.
        grid: Tiles per side. When they do not divide the image, OpenCV reflects its edge.

    Returns:
        float32 (N, H, W) in [0, 1].
    """
    worker = cv2.createCLAHE(clipLimit=clip, tileGridSize=(grid, grid))
    out = np.empty(stack.shape, np.uint8)
    for plane, picture in zip(out, stack, strict=True):
        plane[:] = worker.apply(np.ascontiguousarray(picture))
    return _unit(out)


def equalize_and_level(stack: Stack) -> Planes:
    """Apply the face preprocessing of Yu & Zhang (ICMI 2015), published with FER+.

    Every level becomes twice the share of pixels that are not brighter, minus one, which lies in
    (-1, 1]; the least-squares plane over (x, y) is subtracted, and with it lighting from one side;
    the rest is divided by its standard deviation.

    Args:
        stack: uint8 (N, H, W).

    Returns:
        float32 (N, H, W), of mean 0 and variance 1; all but 0 for an image without contrast.
    """
    n, h, w = stack.shape
    levels = stack.reshape(n, -1).astype(np.intp) + np.arange(n)[:, None] * 256
    counts = np.bincount(levels.ravel(), minlength=n * 256).reshape(n, 256)
    table = counts.cumsum(1) * (2.0 / (h * w)) - 1.0
    value = table.ravel()[levels].reshape(stack.shape)
    # On a whole grid, constant, x and y are orthogonal: each coefficient stands alone.
    y, x = np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2
    rows, cols = value.sum(2), value.sum(1)  # (N, H), (N, W)
    by_y = (rows * y).sum(1) / max(float((y * y).sum()) * w, 1.0)
    by_x = (cols * x).sum(1) / max(float((x * x).sum()) * h, 1.0)
    mean = rows.sum(1) / (h * w)
    value -= (mean[:, None] + by_y[:, None] * y)[:, :, None] + (by_x[:, None] * x)[:, None]
    deviation = np.sqrt((value * value).reshape(n, -1).mean(1))
    value /= np.where(deviation > _FLAT, deviation, 1.0)[:, None, None]
    return np.asarray(value, np.float32)


# --- histograms of oriented gradients ---


def hog_cells(
    stack: Stack, *, orientations: int, cell: int
) -> NDArray[np.float64]:  # (N, rows, columns, orientations)
    """Gradient magnitude per cell and orientation, divided by the cell's area.

    Gradients are central differences, zero at the image's edge; angles run over the half
    circle without interpolation between bins. Pixels beyond the last whole cell are left out. All
    as in scikit-image 0.26.

    Args:
        stack: uint8 (N, H, W).
        orientations: Number of bins.
        cell: Side of a cell in pixels.

    Returns:
        float64 (N, H // cell, W // cell, orientations), grey levels.
    """
    n, h, w = stack.shape
    rows, cols = h // cell, w // cell
    x = stack.astype(np.intp)
    across, down = np.zeros_like(x), np.zeros_like(x)
    across[:, :, 1:-1] = x[:, :, 2:] - x[:, :, :-2]
    down[:, 1:-1] = x[:, 2:] - x[:, :-2]
    across = across[:, : rows * cell, : cols * cell]
    down = down[:, : rows * cell, : cols * cell]
    magnitude = np.sqrt((across * across + down * down).astype(np.float64))
    index = _bins(orientations)[down * 511 + across + 255 * 512] + _first_bins(
        rows, cols, cell, orientations
    )
    size = rows * cols * orientations
    index += np.arange(n)[:, None, None] * size
    sums = np.bincount(index.ravel(), magnitude.ravel(), minlength=n * size)
    return sums.reshape(n, rows, cols, orientations) / cell**2


@lru_cache(maxsize=8)
def _bins(orientations: int) -> NDArray[np.uint8]:
    """Bin of every possible gradient: uint8 (511 * 511,), from (down + 255) * 511 + across + 255.

    The edges between bins are rounded to float32, as in scikit-image: angles on an edge, such as
    45 degrees with 8 bins, then fall on the same side.
    """
    step = np.arange(-255, 256, dtype=np.float64)
    angle = np.arctan2(step[:, None], step) * (180 / np.pi) % 180
    edges = (180.0 / orientations * np.arange(1, orientations)).astype(np.float32)
    return np.searchsorted(edges.astype(np.float64), angle.ravel(), side="right").astype(np.uint8)


@lru_cache(maxsize=32)
def _first_bins(rows: int, cols: int, cell: int, orientations: int) -> NDArray[np.intp]:
    """Per pixel the position of its cell's first bin: (rows * cell, cols * cell)."""
    y, x = np.arange(rows * cell) // cell, np.arange(cols * cell) // cell
    return np.asarray((y[:, None] * cols + x) * orientations, np.intp)


def hog_vector(stack: Stack, *, orientations: int, cell: int, block: int) -> NDArray[np.float32]:
    """Histograms of all blocks, each normalised by "L2-Hys": unit length, cut at 0.2, again.

    Args:
        stack: uint8 (N, H, W); must hold at least one block.
        orientations: Number of bins.
        cell: Side of a cell in pixels.
        block: Side of a block in cells.

    Returns:
        float32 (N, L) in [0, 1], in the order (block row, block column, cell row, cell column,
        orientation): what scikit-image's ``hog`` returns.
    """
    cells = hog_cells(stack, orientations=orientations, cell=cell)
    windows = np.lib.stride_tricks.sliding_window_view(cells, (block, block), axis=(1, 2))
    blocks = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, block * block * orientations)
    blocks = blocks / np.sqrt((blocks * blocks).sum(1, keepdims=True) + _EPS**2)
    blocks = np.minimum(blocks, 0.2)
    blocks /= np.sqrt((blocks * blocks).sum(1, keepdims=True) + _EPS**2)
    return np.asarray(blocks.reshape(len(stack), -1), np.float32)


def hog_drawing(stack: Stack, *, orientations: int, cell: int) -> NDArray[np.float64]:  # (N, H, W)
    """Histograms drawn as in scikit-image: per bin a line along the edge, as bright as the bin.

    Args:
        stack: uint8 (N, H, W).
        orientations: Number of bins.
        cell: Side of a cell in pixels.

    Returns:
        float64 (N, H, W), grey levels: mostly 0 to 120.
    """
    n, h, w = stack.shape
    cells = hog_cells(stack, orientations=orientations, cell=cell).reshape(n, -1)
    pixels, source = _strokes(h, w, cell, orientations)
    index = pixels + np.arange(n)[:, None] * (h * w)
    sums = np.bincount(index.ravel(), cells[:, source].ravel(), minlength=n * h * w)
    return np.asarray(sums.reshape(n, h, w), np.float64)


def hog_image(stack: Stack, *, orientations: int, cell: int) -> Planes:
    """``hog_drawing``, cut at 10 grey levels (scikit-image's own gallery) and scaled to [0, 1].

    Args:
        stack: uint8 (N, H, W).
        orientations: Number of bins.
        cell: Side of a cell in pixels.

    Returns:
        float32 (N, H, W) in [0, 1].
    """
    drawing = hog_drawing(stack, orientations=orientations, cell=cell)
    return (np.minimum(drawing, _HOG_WHITE) / _HOG_WHITE).astype(np.float32)


@lru_cache(maxsize=8)
def _strokes(
    height: int, width: int, cell: int, orientations: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which pixel gets which bin added: positions in (H, W) and in (rows, columns, bins).

    Ends are rounded at their place in the image and not once per cell, because scikit-image
    does so and the last digit of a coordinate may decide.
    """
    reach = cell // 2 - 1
    angles = [np.pi * (o + 0.5) / orientations for o in range(orientations)]
    ends = [(reach * float(np.sin(a)), reach * float(np.cos(a))) for a in angles]
    pixels: list[int] = []
    source: list[int] = []
    rows, cols = height // cell, width // cell
    for number in range(rows * cols):
        cy = number // cols * cell + cell // 2
        cx = number % cols * cell + cell // 2
        for bin_, (dy, dx) in enumerate(ends):
            line = _line(int(cy - dx), int(cx + dy), int(cy + dx), int(cx - dy))
            pixels += [y * width + x for y, x in line]
            source += [number * orientations + bin_] * len(line)
    return np.array(pixels, np.intp), np.array(source, np.intp)


def _line(y: int, x: int, to_y: int, to_x: int) -> list[tuple[int, int]]:
    """Pixels (y, x) of a line, both ends included (Bresenham 1965)."""
    rise, run = abs(to_y - y), abs(to_x - x)
    step_y, step_x = 1 if to_y > y else -1, 1 if to_x > x else -1
    steep = rise > run
    long, short = max(rise, run), min(rise, run)
    excess = 2 * short - long
    out: list[tuple[int, int]] = []
    for _ in range(long):
        out.append((y, x))
        while excess >= 0:
            y, x = (y, x + step_x) if steep else (y + step_y, x)
            excess -= 2 * long
        y, x = (y + step_y, x) if steep else (y, x + step_x)
        excess += 2 * short
    return [*out, (to_y, to_x)]


# --- local binary patterns ---


def local_binary_pattern(
    stack: Stack, method: LbpMethod = "default"
) -> NDArray[np.float64]:  # (N, H, W)
    """Codes of scikit-image's ``local_binary_pattern`` with 8 points at radius 1.

    Bit i is set when the neighbour at 45 i degrees, counted from the right against the clock, is
    at least as bright as the pixel. Neighbours outside the image are 0.

    Args:
        stack: uint8 (N, H, W).
        method: ``"default"``: 0 to 255. ``"ror"``: the least code of all rotations. ``"uniform"``:
            the number of set bits, 0 to 8, of patterns with at most two changes, 9 for all others.
            ``"var"``: variance of the neighbours, 0 (scikit-image: NaN) when they are equal.

    Returns:
        float64 (N, H, W).
    """
    if method == "var":
        total, squares = np.zeros(stack.shape), np.zeros(stack.shape)
        for neighbour in _ring(stack):
            total += neighbour
            squares += neighbour * neighbour
        # Summed one after the other, as in scikit-image: flat places give exactly zero.
        return np.asarray((squares - total * total / 8) / 8, np.float64)
    return np.take(_codes(method), _bits(stack))


def _bits(stack: Stack) -> NDArray[np.uint8]:
    """Return the plain codes, uint8 (N, H, W)."""
    center, code = stack.astype(np.float64), np.zeros_like(stack)  # mixed types compare slowly
    for i, neighbour in enumerate(_ring(stack)):
        code |= (neighbour >= center).view(np.uint8) << np.uint8(i)
    return code


def _ring(stack: Stack) -> list[NDArray[np.float64]]:
    """Return the eight neighbours of every pixel, each float64 (N, H, W).

    Diagonal ones are interpolated in the order in which scikit-image computes, from positions
    that it rounds to five digits: equal neighbours decide a bit by the last digit.
    """
    n, h, w = stack.shape
    padded = np.zeros((n, h + 2, w + 2))
    padded[:, 1:-1, 1:-1] = stack
    y, x = np.arange(h)[:, None], np.arange(w)
    (up, down), (left, right) = (
        (_fraction(v - _DIAGONAL), _fraction(v + _DIAGONAL)) for v in (y, x)
    )
    to_left = (1 - left) * padded[:, :, :-2] + left * padded[:, :, 1:-1]  # (N, H + 2, W)
    to_right = (1 - right) * padded[:, :, 1:-1] + right * padded[:, :, 2:]
    return [
        padded[:, 1:-1, 2:],
        (1 - up) * to_right[:, :-2] + up * to_right[:, 1:-1],
        padded[:, :-2, 1:-1],
        (1 - up) * to_left[:, :-2] + up * to_left[:, 1:-1],
        padded[:, 1:-1, :-2],
        (1 - down) * to_left[:, 1:-1] + down * to_left[:, 2:],
        padded[:, 2:, 1:-1],
        (1 - down) * to_right[:, 1:-1] + down * to_right[:, 2:],
    ]


def _fraction(position: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(position - np.floor(position), np.float64)


@lru_cache(maxsize=3)
def _codes(method: Literal["default", "ror", "uniform"]) -> NDArray[np.float64]:
    """Return what each of the 256 patterns is called: float64 (256,)."""
    out = np.arange(256)
    if method == "ror":
        out = np.min([(out >> i) | (out << (8 - i)) & 255 for i in range(8)], axis=0)
    elif method == "uniform":
        bits = out[:, None] >> np.arange(8) & 1
        # The change from the last to the first bit is not counted, as in scikit-image.
        changes = np.abs(np.diff(bits, axis=1)).sum(1)
        out = np.where(changes <= 2, bits.sum(1), 9)
    return out.astype(np.float64)


def lbp_image(stack: Stack, method: LbpMethod = "default") -> Planes:
    """``local_binary_pattern`` in [0, 1].

    Codes are divided by the largest one (255, or 9 for ``"uniform"``). A variance v becomes
    log(1 + v), divided by the 99th percentile of the image and cut at 1; unscaled it spans four
    orders of magnitude.

    Args:
        stack: uint8 (N, H, W).
        method: See ``local_binary_pattern``.

    Returns:
        float32 (N, H, W) in [0, 1].
    """
    if method != "var":
        shades = _codes(method) / (9 if method == "uniform" else 255)
        return np.take(shades.astype(np.float32), _bits(stack))
    value = np.log1p(np.maximum(local_binary_pattern(stack, method), 0))
    top = np.percentile(value.reshape(len(stack), -1), 99, axis=1)
    value /= np.maximum(top, _FLAT)[:, None, None]
    return np.minimum(value, 1).astype(np.float32)
