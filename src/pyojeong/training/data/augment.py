"""Random changes of training faces, drawn for a whole epoch at once from (seed, epoch).

Because every draw depends on nothing but seed, epoch and the sample's row, a resumed training sees
exactly the images that an uninterrupted one would have seen. Geometry becomes part of the 2x3
matrix that ``image.preprocess`` executes; nothing is resampled twice.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pyojeong.image.preprocess import Matrix, Pixels, to_gray
from pyojeong.training.fields import check_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Strengths of the random changes; all zero = none.

    Attributes:
        rotate_deg: Rotation up to plus or minus this.
        scale: Size changes by up to plus or minus this share.
        shift: Moves by up to this share of the input's side, in x and y.
        flip: Probability of mirroring.
        brightness: Added to the pixels, up to plus or minus this share of 255.
        contrast: Contrast changes by up to plus or minus this share.
        tone_p: Probability of the two changes above.
        erase_p: Probability of one erased rectangle.
        erase_area: Smallest and largest share of the area that is erased.
        blur_p: Probability of losing detail (shrunk to ``blur_share`` and back).
        blur_share: Smallest and largest share of the sides that is left of the detail.
        stretch: Width grows by up to plus or minus this share while height shrinks alike, as
            turning and nodding foreshorten a face.
        shade_p: Probability of light from one side.
        shade: Brightness gained on one edge and lost on the opposite one, up to this share of 255.
        gamma_p: Probability of another exposure.
        gamma: Its exponent lies between 1 / (1 + gamma) and 1 + gamma.
        noise_p: Probability of sensor noise.
        noise: Its standard deviation, up to this share of 255.
        jpeg_p: Probability of one JPEG round at the model's own size.
        jpeg_quality: Least and most of its quality, 1 to 100.
        cast_p: Probability of a colour cast (RGB only).
        cast: Each channel is multiplied by 1 plus or minus up to this.
        gray_p: Probability of losing the colours (RGB only).
        perturb: The random perturbation of Yu & Zhang 2015, section 3.2, instead of rotation,
            scale and shift: rotation by -10, 0 or 10 degrees, skews by -0.1, 0 or 0.1 in x and y,
            and a zoom onto a window that is up to 4 of 48 pixels smaller, anywhere inside. The
            zoom's coupling to the shift is recalled, not read.
    """

    rotate_deg: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    tone_p: float = 0.0
    erase_p: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.15)
    blur_p: float = 0.0
    blur_share: tuple[float, float] = (0.4, 0.9)
    stretch: float = 0.0
    shade_p: float = 0.0
    shade: float = 0.3
    gamma_p: float = 0.0
    gamma: float = 1.0
    noise_p: float = 0.0
    noise: float = 0.08
    jpeg_p: float = 0.0
    jpeg_quality: tuple[int, int] = (20, 90)
    cast_p: float = 0.0
    cast: float = 0.2
    gray_p: float = 0.0
    perturb: bool = False

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES, "[augment]")


_SHARE = (0.0, 1.0)
_RANGES = {
    "rotate_deg": (0, 180),
    "scale": (0, 0.9),
    "shift": _SHARE,
    "flip": _SHARE,
    "brightness": _SHARE,
    "contrast": _SHARE,
    "tone_p": _SHARE,
    "erase_p": _SHARE,
    "erase_area": _SHARE,
    "blur_p": _SHARE,
    "blur_share": (0.01, 1),
    "stretch": (0, 0.9),
    "shade_p": _SHARE,
    "shade": _SHARE,
    "gamma_p": _SHARE,
    "gamma": (0, 10),
    "noise_p": _SHARE,
    "noise": _SHARE,
    "jpeg_p": _SHARE,
    "jpeg_quality": (1, 100),
    "cast_p": _SHARE,
    "cast": _SHARE,
    "gray_p": _SHARE,
}


class Draws:
    """All random numbers of one epoch.

    Attributes:
        order: int64 (N,), the places of the epoch in the order in which they are shown.
        rows: int64 (N,), the sample at each place.

    Args:
        augment: Strengths.
        count: Number of samples N.
        seed: The experiment's seed.
        epoch: Zero-based epoch.
        view: (seed, epoch) whose changes are repeated in this epoch's own order; None = its own.
        rows: The sample at each of ``count`` places; None = each sample once.
    """

    def __init__(
        self,
        augment: Augment,
        count: int,
        *,
        seed: int,
        epoch: int,
        view: tuple[int, int] | None = None,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.augment = augment
        self.rows: NDArray[np.int64] = np.arange(count) if rows is None else rows
        rng = np.random.default_rng([seed, epoch])
        self.order: NDArray[np.int64] = rng.permutation(count)
        if view is not None:
            rng = np.random.default_rng(view)
            rng.permutation(count)
        self._u: NDArray[np.float64] = rng.random((count, 16))
        # Drawn after the others, so that what these give never changed.
        self._v: NDArray[np.float64] = rng.random((count, 11))
        self._w: NDArray[np.float64] = rng.random((count, 5))

    def geometry(self, place: int, base: Matrix, size_hw: tuple[int, int]) -> Matrix:
        """Return ``base`` followed by this place's random rotation, scale, shift and mirror."""
        a, u = self.augment, self._u[place]
        h, w = size_hw
        if a.perturb:
            return _composed(_perturbation(u, a.flip, size_hw), base)
        angle = np.deg2rad(a.rotate_deg) * (2 * u[0] - 1)
        scale = (1 + a.scale) ** (2 * u[1] - 1)
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        mirror = -1.0 if u[4] < a.flip else 1.0
        wider = (1 + a.stretch) ** (2 * self._v[place, 0] - 1)
        turn = np.array([[cos, -sin], [sin, cos]])
        linear = turn @ np.diag([mirror * wider, 1 / wider])
        centre = np.array([w / 2, h / 2])
        moved = centre + np.array([w, h]) * a.shift * (2 * u[2:4] - 1)
        return _composed(np.column_stack([linear, moved - linear @ centre]), base)

    def pixels(self, place: int, patch: Pixels) -> Pixels:
        """Apply this place's blur, light, tone, noise, JPEG and erasing to a copy of a patch."""
        a, u, v = self.augment, self._u[place], self._v[place]
        h, w = patch.shape[:2]
        if u[12] < a.blur_p:
            low, high = a.blur_share
            share = low + (high - low) * u[13]
            small = (max(int(w * share), 4), max(int(h * share), 4))
            shrunk = cv2.resize(patch, small, interpolation=cv2.INTER_AREA)
            patch = np.asarray(cv2.resize(shrunk, (w, h)), np.uint8)
        if patch.ndim == 3:
            patch = self._colors(place, patch)
        if v[1] < a.shade_p:
            patch = _shade(patch, angle=2 * np.pi * v[2], gain=a.shade * v[3])
        if v[4] < a.gamma_p:
            exponent = (1 + a.gamma) ** (2 * v[5] - 1)
            table = 255 * (np.arange(256) / 255) ** exponent
            patch = np.asarray(cv2.LUT(patch, np.rint(table).astype(np.uint8)))
        if u[5] < a.tone_p:
            gain = 1 + a.contrast * (2 * u[6] - 1)
            offset = 255 * a.brightness * (2 * u[7] - 1)
            mean = float(patch.mean())
            table = (np.arange(256) - mean) * gain + mean + offset
            patch = np.asarray(cv2.LUT(patch, np.clip(np.rint(table), 0, 255).astype(np.uint8)))
        if v[6] < a.noise_p:
            rng = np.random.default_rng(int(v[10] * 2**53))
            noisy = patch + rng.normal(0, 255 * a.noise * v[7], patch.shape)
            patch = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        if v[8] < a.jpeg_p:
            low, high = a.jpeg_quality
            patch = _jpeg(patch, round(low + (high - low) * v[9]))
        if u[8] < a.erase_p:
            patch = _erase(patch, u, a.erase_area)
        return patch

    def _colors(self, place: int, patch: Pixels) -> Pixels:
        """Apply this place's colour cast, and take the colours away."""
        a, w = self.augment, self._w[place]
        if w[0] < a.cast_p:
            gains = 1 + a.cast * (2 * w[1:4] - 1)
            patch = np.clip(np.rint(patch * gains), 0, 255).astype(np.uint8)
        if w[4] < a.gray_p:
            patch = np.repeat(to_gray(patch)[..., None], 3, axis=2)
        return patch


def _composed(change: Matrix, base: Matrix) -> Matrix:
    """Return ``base`` followed by ``change``."""
    out = change[:, :2] @ base
    out[:, 2] += change[:, 2]
    return np.asarray(out, np.float64)


def _perturbation(u: NDArray[np.float64], flip: float, size_hw: tuple[int, int]) -> Matrix:
    """Rotation times skew about the centre, then the zoom; see ``Augment.perturb``."""
    h, w = size_hw
    angle = np.deg2rad(10.0) * (int(u[0] * 3) - 1)
    skew_x, skew_y = 0.1 * (int(u[1] * 3) - 1), 0.1 * (int(u[2] * 3) - 1)
    mirror = -1.0 if u[4] < flip else 1.0
    smaller = int(u[3] * 5)
    zoom = 47 / (47 - smaller)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[1.0, skew_x], [skew_y, 1.0]]) @ np.diag([mirror, 1.0])
    centre = np.array([w / 2, h / 2])
    corner = smaller * u[9:11] * np.array([w, h]) / 48
    return np.column_stack([zoom * linear, zoom * (centre - linear @ centre - corner)])


def _shade(patch: Pixels, *, angle: float, gain: float) -> Pixels:
    """Add a ramp of plus to minus ``gain`` * 255 across the patch."""
    h, w = patch.shape[:2]
    x = np.linspace(-1, 1, w) * np.cos(angle)
    y = np.linspace(-1, 1, h) * np.sin(angle)
    ramp = 255 * gain * np.add.outer(y, x)
    lit = patch + (ramp if patch.ndim == 2 else ramp[..., None])
    return np.asarray(np.clip(np.rint(lit), 0, 255), np.uint8)


def _jpeg(patch: Pixels, quality: int) -> Pixels:
    """Return one round through a JPEG file; channel order does not matter to it but for chroma."""
    _, data = cv2.imencode(".jpg", patch, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    return np.asarray(decoded, np.uint8).reshape(patch.shape)


def _erase(patch: Pixels, u: NDArray[np.float64], area: tuple[float, float]) -> Pixels:
    """Overwrite one rectangle with one random gray (Zhong et al. 2020, random erasing)."""
    h, w = patch.shape[:2]
    share = area[0] + (area[1] - area[0]) * u[9]
    aspect = np.exp(np.log(0.4) + np.log(1 / 0.4**2) * u[14])
    eh = int(np.clip(np.sqrt(share * h * w * aspect), 1, h))
    ew = int(np.clip(np.sqrt(share * h * w / aspect), 1, w))
    y, x = int(u[10] * (h - eh + 1)), int(u[11] * (w - ew + 1))
    out = patch.copy()
    out[y : y + eh, x : x + ew] = int(u[15] * 256)
    return out
