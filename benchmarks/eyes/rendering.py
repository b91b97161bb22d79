"""A small software renderer for heads: subdivision, z-buffer, perspective, lambert light.

Nothing here knows a body model; ``make_rendered.py`` brings the mesh. Camera coordinates are
metres, x to the right in the picture, y down, z away from the camera, the camera at the origin.
Only NumPy is needed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera that looks along z, its axis through the picture's centre.

    Attributes:
        width: Pixels across.
        height: Pixels down.
        view_deg: Horizontal field of view in degrees.
    """

    width: int = 640
    height: int = 480
    view_deg: float = 50.0

    @property
    def focal_px(self) -> float:
        """The focal length in pixels."""
        return self.width / 2 / float(np.tan(np.deg2rad(self.view_deg) / 2))

    def project(self, points: Floats) -> Floats:
        """Pixel coordinates (n, 2) of points (n, 3); the first pixel's centre is (0, 0)."""
        centre = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        return points[:, :2] / points[:, 2:] * self.focal_px + centre

    def rays(self, samples: int) -> Floats:
        """Ray directions with z = 1, (height * samples, width * samples, 3)."""
        across = (np.arange(self.width * samples) + 0.5) / samples - self.width / 2
        down = (np.arange(self.height * samples) + 0.5) / samples - self.height / 2
        x, y = np.meshgrid(across / self.focal_px, down / self.focal_px)
        return np.stack([x, y, np.ones_like(x)], axis=-1)


def turn(yaw_deg: float, pitch_deg: float, roll_deg: float = 0.0) -> Floats:
    """The rotation (3, 3) of a head or an eye that looks at the camera when all angles are zero.

    Pitch turns about the head's own ear-to-ear axis, then yaw about the picture's vertical, then
    roll about the line of sight.

    Args:
        yaw_deg: Positive = towards the subject's left, the picture's right.
        pitch_deg: Positive = down.
        roll_deg: Positive = clockwise in the picture.
    """
    (sy, sp, sr) = np.sin(np.deg2rad([yaw_deg, pitch_deg, roll_deg]))
    (cy, cp, cr) = np.cos(np.deg2rad([yaw_deg, pitch_deg, roll_deg]))
    yaw = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return roll @ yaw @ pitch


class CatmullClark:
    """One step of Catmull and Clark's subdivision of a mesh of quads.

    Attributes:
        faces: The new quads, (4 * old quads, 4).

    Args:
        faces: Quads (n, 4) of vertex numbers.
        count: Number of vertices.
    """

    def __init__(self, faces: Ints, count: int) -> None:
        self._faces, self._count = faces, count
        ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2)
        self._edges, which = np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True)
        self._face_edges = which.reshape(-1, 4)
        edges = len(self._edges)
        self._sharing = np.bincount(which.ravel(), minlength=edges)
        self._valence = np.bincount(faces.ravel(), minlength=count)
        rim = self._edges[self._sharing == 1]
        self._rim_edges, self._rim = rim, np.zeros(count, bool)
        self._rim[rim.ravel()] = True
        corner = faces
        after = count + self._face_edges
        before = np.roll(after, 1, axis=1)
        middle = np.broadcast_to((count + edges + np.arange(len(faces)))[:, None], corner.shape)
        self.faces: Ints = np.stack([corner, after, middle, before], axis=2).reshape(-1, 4)

    def __call__(self, values: Floats) -> Floats:
        """Values at the vertices (n, k) -> values at the new mesh's vertices."""
        faces, edges = self._faces, self._edges
        middles = values[faces].mean(1)
        sums = _scatter(self._face_edges, middles, len(edges))
        ends = values[edges].sum(1)
        inner = (self._sharing >= 2)[:, None]
        halves = np.where(
            inner, (ends + 2 * sums / np.maximum(self._sharing, 1)[:, None]) / 4, ends / 2
        )
        valence = np.maximum(self._valence, 1)[:, None]
        face_mean = _scatter(faces, middles, self._count) / valence
        degree = np.maximum(np.bincount(edges.ravel(), minlength=self._count), 1)[:, None]
        edge_mean = _scatter(edges, ends / 2, self._count) / degree
        moved = (face_mean + 2 * edge_mean + (valence - 3) * values) / valence
        rim_sum = _scatter(self._rim_edges, values[self._rim_edges].sum(1) / 2, self._count)
        kept = np.where(self._rim[:, None], rim_sum / 2 * 0.5 + values * 0.5, moved)
        kept = np.where((self._valence == 0)[:, None], values, kept)
        return np.concatenate([kept, halves, middles])


def _scatter(targets: Ints, values: Floats, count: int) -> Floats:
    """Sums (count, k): row i of ``values`` (n, k) goes to every target of row i (n, m)."""
    flat = targets.ravel()
    spread = np.repeat(values, targets.shape[1], axis=0)
    return np.stack([np.bincount(flat, column, count) for column in spread.T], axis=1)


def triangles(quads: Ints) -> Ints:
    """Two triangles (2n, 3) for each quad (n, 4)."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def normals(points: Floats, faces: Ints) -> Floats:
    """Unit vertex normals (n, 3) of triangles (m, 3), weighted by area."""
    first, second, third = (points[faces[:, i]] for i in range(3))
    summed = _scatter(faces, np.cross(second - first, third - first), len(points))
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def sphere(rings: int = 24) -> tuple[Floats, Ints]:
    """Vertices (n, 3) and triangles (m, 3) of the unit sphere, wound as seen from outside."""
    polar = np.linspace(0, np.pi, rings + 1)
    around = np.arange(2 * rings) * np.pi / rings
    p, a = np.meshgrid(polar, around, indexing="ij")
    points = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1)
    i, j = np.meshgrid(np.arange(rings), np.arange(2 * rings), indexing="ij")
    k = (j + 1) % (2 * rings)
    at = 2 * rings
    quads = np.stack([i * at + j, (i + 1) * at + j, (i + 1) * at + k, i * at + k], -1)
    return points.reshape(-1, 3), triangles(quads.reshape(-1, 4))


@dataclass(frozen=True, slots=True)
class Surface:
    """What each sample of the picture sees.

    Attributes:
        triangle: Number of the nearest triangle, -1 where there is none, (h, w).
        weights: Barycentric weights on that triangle, corrected for perspective, (h, w, 3).
        depth: z in metres, infinite where there is no triangle, (h, w).
    """

    triangle: Ints
    weights: Floats
    depth: Floats

    def mix(self, values: Floats, faces: Ints, where: NDArray[np.bool_]) -> Floats:
        """Vertex values (n, k) interpolated at the samples ``where``, (sum(where), k)."""
        corners = values[faces[self.triangle[where]]]
        return np.einsum("nij,ni->nj", corners, self.weights[where])


def rasterise(
    points: Floats, faces: Ints, camera: Camera, samples: int = 2, *, both: bool = False
) -> Surface:
    """Finds the nearest front-facing triangle at every sample.

    Args:
        points: Vertices (n, 3) in camera coordinates; all must lie in front of the camera.
        faces: Triangles (m, 3), counter-clockwise as seen from outside.
        camera: The camera.
        samples: Samples per pixel along each axis.
        both: Whether triangles are also seen from behind.
    """
    shape = (camera.height * samples, camera.width * samples)
    flat = (camera.project(points) + 0.5) * samples - 0.5
    corners = flat[faces]
    first, second, third = (corners[:, i] for i in range(3))
    area = _cross(second - first, third - first)
    low = np.maximum(np.ceil(corners.min(1)), 0).astype(np.int64)
    high = np.minimum(np.floor(corners.max(1)), [shape[1] - 1, shape[0] - 1]).astype(np.int64)
    span = np.maximum(high - low + 1, 0)
    kept = np.flatnonzero(((area < -1e-9) | (both & (area > 1e-9))) & (span.prod(1) > 0))
    sizes = span[kept].prod(1)
    owner = np.repeat(kept, sizes)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    x = low[owner, 0] + place % span[owner, 0]
    y = low[owner, 1] + place // span[owner, 0]
    at = np.stack([x, y], axis=1).astype(np.float64)
    share = np.stack(
        [
            _cross(second[owner] - at, third[owner] - at),
            _cross(third[owner] - at, first[owner] - at),
            _cross(first[owner] - at, second[owner] - at),
        ],
        axis=1,
    )
    share /= area[owner, None]
    inside = (share >= -1e-9).all(1)
    owner, x, y, share = owner[inside], x[inside], y[inside], share[inside]
    nearness = share / points[faces[owner], 2]
    inverse = nearness.sum(1)
    order = np.argsort(inverse, kind="stable")
    spot = (y * shape[1] + x)[order]
    winner = np.full(shape[0] * shape[1], -1, np.int64)
    winner[spot] = order
    hit = winner >= 0
    triangle = np.full(len(winner), -1, np.int64)
    weights = np.zeros((len(winner), 3))
    depth = np.full(len(winner), np.inf)
    triangle[hit] = owner[winner[hit]]
    weights[hit] = nearness[winner[hit]] / inverse[winner[hit], None]
    depth[hit] = 1 / inverse[winner[hit]]
    return Surface(triangle.reshape(shape), weights.reshape(*shape, 3), depth.reshape(shape))


def _cross(a: Floats, b: Floats) -> Floats:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def shrink(picture: Floats, samples: int) -> NDArray[np.uint8]:
    """Averages the samples of every pixel: linear light in [0, 1] -> sRGB uint8."""
    height, width = picture.shape[0] // samples, picture.shape[1] // samples
    mean = picture.reshape(height, samples, width, samples, 3).mean((1, 3))
    return encode(mean)


def encode(linear: Floats) -> NDArray[np.uint8]:
    """Linear light in [0, 1] -> sRGB uint8."""
    value = np.clip(linear, 0, 1)
    srgb = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.round(srgb * 255).astype(np.uint8)


def decode(srgb: Floats) -> Floats:
    """SRGB in [0, 255] -> linear light in [0, 1]."""
    value = np.asarray(srgb, np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
