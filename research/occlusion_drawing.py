"""Things held in front of faces, drawn: what the cover net learns from.

No data set of covered faces with a free licence is at hand, so covers are painted onto FER2013's
Training faces: sunglasses, hands, hair, masks, microphones, cigarettes, and pieces of other
pictures; also things that cover nothing that counts (frames of clear glasses, a cap's shadow, hands
at the chin), so that the net does not learn "something was painted". Everything is painted at four
times the size and shrunk again, so that no cover is sharper than the face behind it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pyojeong.image.preprocess import Pixels

CANVAS = 192
"""Side of the square picture that is painted on, in pixels."""

Points = NDArray[np.float64]
_Mask = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FacePoints:
    """Where things are in the canvas, in its pixels.

    Attributes:
        right_eye: Centre, (2,).
        left_eye: Centre, (2,).
        mouth: Centre, (2,).
        eye_width: Corner to corner.
        mouth_width: Corner to corner.
    """

    right_eye: Points
    left_eye: Points
    mouth: Points
    eye_width: float
    mouth_width: float

    @property
    def across(self) -> Points:
        """Unit vector from the right eye to the left eye."""
        line = self.left_eye - self.right_eye
        return np.asarray(line / (np.linalg.norm(line) + 1e-6))

    @property
    def down(self) -> Points:
        """Unit vector from the eyes to the mouth."""
        return np.array([-self.across[1], self.across[0]])


class Painter:
    """Paints covers on one canvas and keeps what it covered.

    Args:
        face: uint8 (192, 192) gray.
        points: Where eyes and mouth are.
        rng: Random numbers.
    """

    def __init__(self, face: Pixels, points: FacePoints, rng: np.random.Generator) -> None:
        self.image = face.astype(np.float32)
        self.points = points
        self.rng = rng
        self.covered: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
        self.cigarette = False

    def _lay(self, mask: _Mask, fill: "NDArray[np.float32] | float", opacity: float = 1.0) -> None:
        soft = cv2.GaussianBlur(mask, (0, 0), 1.5) * opacity
        self.image = self.image * (1 - soft) + fill * soft
        self.covered = np.maximum(self.covered, mask * opacity)

    def _skin(self) -> float:
        centre = (self.points.right_eye + self.points.left_eye + 2 * self.points.mouth) / 4
        x, y = np.clip(centre, 30, CANVAS - 30).astype(int)
        skin = float(np.median(self.image[y - 25 : y + 25, x - 25 : x + 25]))
        return float(np.clip(skin + self.rng.normal(0, 22), 15, 250))

    def sunglasses(self) -> None:
        """Two dark lenses with a bridge and arms; some let the eyes shine through."""
        p, rng = self.points, self.rng
        distance = float(np.linalg.norm(p.left_eye - p.right_eye))
        mask: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
        half_w = distance * rng.uniform(0.36, 0.52)
        half_h = half_w * rng.uniform(0.5, 0.95)
        angle = float(np.degrees(np.arctan2(p.across[1], p.across[0])))
        for eye in (p.right_eye, p.left_eye):
            centre = eye + p.down * half_h * rng.uniform(-0.05, 0.25)
            _rounded(mask, centre, (half_w, half_h), angle, power=rng.uniform(2, 4))
        frame = mask.copy()
        thick = max(int(distance * rng.uniform(0.03, 0.1)), 2)
        inner = (p.right_eye + p.across * half_w * 0.8, p.left_eye - p.across * half_w * 0.8)
        _line(frame, *inner, thick)
        for eye, side in ((p.right_eye, -1), (p.left_eye, 1)):
            start = eye + side * p.across * half_w * 0.95
            _line(frame, start, start + side * p.across * distance * 0.5, thick)
        tone = rng.uniform(5, 70)
        ramp = np.linspace(rng.uniform(-25, 10), rng.uniform(0, 60), CANVAS, dtype=np.float32)
        fill = tone + np.repeat(ramp[:, None], CANVAS, 1)
        if rng.random() < 0.4:  # a reflection
            shine: _Mask = np.zeros_like(mask)
            at = (p.right_eye, p.left_eye)[int(rng.integers(2))] + rng.normal(0, half_h / 3, 2)
            _rounded(shine, at, (half_w * 0.35, half_h * 0.25), angle + rng.uniform(-40, 40))
            fill = fill + shine * rng.uniform(60, 180)
        self._lay(np.maximum(frame - mask, 0), tone * 0.6)
        self._lay(mask, np.clip(fill, 0, 255).astype(np.float32), rng.uniform(0.62, 1.0))

    def clear_glasses(self) -> None:
        """Frames without dark lenses: cover nothing."""
        p, rng = self.points, self.rng
        distance = float(np.linalg.norm(p.left_eye - p.right_eye))
        half_w = distance * rng.uniform(0.34, 0.48)
        half_h = half_w * rng.uniform(0.5, 0.95)
        angle = float(np.degrees(np.arctan2(p.across[1], p.across[0])))
        mask: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
        power, thick = rng.uniform(2, 4), rng.uniform(0.06, 0.2)
        for eye in (p.right_eye, p.left_eye):
            ring: _Mask = np.zeros_like(mask)
            _rounded(ring, eye, (half_w, half_h), angle, power=power)
            hole: _Mask = np.zeros_like(mask)
            inside = (half_w * (1 - thick), half_h * (1 - thick))
            _rounded(hole, eye, inside, angle, power=power)
            mask = np.maximum(mask, ring - hole)
        inner = (p.right_eye + p.across * half_w * 0.9, p.left_eye - p.across * half_w * 0.9)
        _line(mask, *inner, 3)
        soft = cv2.GaussianBlur(np.clip(mask, 0, 1), (0, 0), 1.2)
        self.image = self.image * (1 - soft) + rng.uniform(0, 200) * soft
        if rng.random() < 0.3:  # lenses that shine a little
            self.image += cv2.GaussianBlur(mask, (0, 0), 9) * rng.uniform(0, 50)

    def hand(self, target: Points) -> None:
        """Fingers (or a fist, or an arm) that reach ``target`` from outside."""
        rng = self.rng
        tone = self._skin()
        width = self.points.eye_width * rng.uniform(0.45, 0.85)
        angle = rng.uniform(0.05, np.pi - 0.05)  # from below, as most hands come
        away = np.array([np.cos(angle), np.sin(angle)])
        if rng.random() < 0.15:
            away = -away
        side = np.array([-away[1], away[0]])
        count = int(rng.integers(1, 5))
        if rng.random() < 0.12:
            count, width = 1, width * 3  # an arm
        for i in range(count):
            offset = side * width * 1.02 * (i - (count - 1) / 2)
            tip = target + offset - away * rng.uniform(0.0, 0.9) * width
            end = target + offset * rng.uniform(0.9, 1.4) + away * CANVAS
            finger: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
            _line(finger, tip, end, int(width))
            distance = cv2.distanceTransform((finger > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
            round_ = np.clip(distance / (width / 2), 0, 1)
            shade = tone * (0.72 + 0.33 * round_) + rng.normal(0, 4)
            if rng.random() < 0.5:  # a nail or a knuckle's line
                at = tip + away * width * rng.uniform(0.3, 2.5)
                cv2.line(
                    shade, _at(at - side * width / 2), _at(at + side * width / 2), tone * 0.75, 2
                )
            self._lay(finger, np.clip(shade, 0, 255).astype(np.float32))
        if count > 1 and rng.random() < 0.6:  # the palm
            palm: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
            centre = target + away * width * rng.uniform(2.5, 5)
            _rounded(palm, centre, (width * 2.2, width * 2.2), float(np.degrees(angle)))
            self._lay(palm, tone * 0.95)

    def hair(self, target: Points) -> None:
        """Strands that hang over ``target``."""
        rng = self.rng
        mask: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
        fill: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
        tone = rng.uniform(10, 200)
        spread = self.points.eye_width * rng.uniform(0.7, 1.3)
        lean = rng.normal(0, 25)
        for _ in range(int(rng.integers(25, 60))):
            x = target[0] + rng.uniform(-spread, spread)
            top, bottom = (x + lean, -5.0), (x - lean + rng.normal(0, 6), CANVAS * 1.1)
            _line(mask, np.array(top), np.array(bottom), 5)
            cv2.line(
                fill, _at(top), _at(bottom), float(np.clip(tone + rng.normal(0, 25), 0, 255)), 5
            )
        self._lay(np.minimum(mask, 1), cv2.GaussianBlur(fill, (0, 0), 1.0))

    def mask(self) -> None:
        """Cloth from the nose to the chin."""
        p, rng = self.points, self.rng
        reach = p.mouth_width * rng.uniform(1.1, 1.7)
        top = p.mouth - p.down * p.mouth_width * rng.uniform(0.4, 0.8)
        low = p.mouth + p.down * p.mouth_width * rng.uniform(0.6, 1.2)
        corners = [
            top - p.across * reach,
            top - p.down * p.mouth_width * rng.uniform(0, 0.35),
            top + p.across * reach,
            low + p.across * reach * 0.7,
            low + p.down * 10,
            low - p.across * reach * 0.7,
        ]
        mask: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
        cv2.fillPoly(mask, [np.array(corners).astype(np.int32)], 1.0)
        rows = np.arange(CANVAS, dtype=np.float32)[:, None]
        folds = np.sin(rows / rng.uniform(4, 12) + rng.uniform(0, 6)) * rng.uniform(0, 14)
        columns = np.arange(CANVAS, dtype=np.float32)[None]
        fill = rng.uniform(20, 245) + folds + (columns - CANVAS / 2) * rng.normal(0, 0.25)
        self._lay(mask, np.clip(fill, 0, 255).astype(np.float32))

    def microphone(self, target: Points) -> None:
        """A dark ball with a stick below it."""
        rng = self.rng
        size = self.points.mouth_width * rng.uniform(0.25, 0.6)
        ball: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
        _rounded(ball, target, (size, size * rng.uniform(0.8, 1.2)), 0.0)
        end = target + np.array([rng.normal(0, 40), CANVAS])
        _line(ball, target, end, max(int(size * rng.uniform(0.4, 1.2)), 3))
        grain = rng.normal(rng.uniform(15, 150), 12, (CANVAS, CANVAS)).astype(np.float32)
        self._lay(np.minimum(ball, 1), np.clip(cv2.GaussianBlur(grain, (0, 0), 1), 0, 255))

    def thing_in_mouth(self) -> None:
        """A cigarette, a spoon, a whistle, a tooth brush: from the lips outwards."""
        p, rng = self.points, self.rng
        self.cigarette = True
        start = p.mouth + p.across * rng.uniform(-0.35, 0.35) * p.mouth_width
        start = start + p.down * rng.uniform(-0.1, 0.3) * p.mouth_width
        angle = rng.uniform(-0.3, np.pi + 0.3)
        end = start + np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(25, 90)
        stick: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
        _line(stick, start, end, int(rng.integers(7, 34)))
        tone = rng.uniform(0, 255)
        grain = cv2.GaussianBlur(rng.normal(0, rng.uniform(0, 60), (CANVAS, CANVAS)), (0, 0), 3)
        self._lay(stick, np.clip(tone + grain, 0, 255).astype(np.float32))

    def piece(self, other: Pixels, target: Points, size: float) -> None:
        """A piece of another picture (a cup, an arm, somebody's back)."""
        rng = self.rng
        mask: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
        axes = (size * rng.uniform(0.6, 1.4), size * rng.uniform(0.6, 1.4))
        _rounded(mask, target, axes, rng.uniform(0, 180), power=rng.uniform(2, 8))
        zoom = cv2.resize(other, None, fx=3.0, fy=3.0, interpolation=cv2.INTER_LINEAR)
        y, x = rng.integers(0, zoom.shape[0] - CANVAS, 2)
        fill = zoom[y : y + CANVAS, x : x + CANVAS].astype(np.float32)
        self._lay(mask, np.clip(fill * rng.uniform(0.5, 1.3), 0, 255))

    def cap_shadow(self) -> None:
        """The upper half in the dark; eyes can still be seen."""
        edge = (self.points.right_eye + self.points.left_eye)[1] / 2 + self.rng.uniform(-20, 25)
        rows = np.arange(CANVAS, dtype=np.float32)[:, None]
        light = 1 - self.rng.uniform(0.3, 0.65) / (1 + np.exp((rows - edge) / 5))
        self.image = self.image * light

    def shares(self) -> tuple[float, float]:
        """How much is covered: of the worse eye, and of the mouth, in [0, 1]."""
        p = self.points
        angle = float(np.degrees(np.arctan2(p.across[1], p.across[0])))
        eyes = []
        for eye in (p.right_eye, p.left_eye):
            region: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
            _rounded(region, eye, (p.eye_width * 0.5, p.eye_width * 0.25), angle)
            eyes.append(float((self.covered * region).sum() / max(region.sum(), 1)))
        lips: _Mask = np.zeros((CANVAS, CANVAS), np.float32)
        _rounded(lips, p.mouth, (p.mouth_width * 0.5, p.mouth_width * 0.28), angle)
        mouth = float((self.covered * lips).sum() / max(lips.sum(), 1))
        return max(eyes), 1.0 if self.cigarette else mouth


def paint(
    face: Pixels, points: FacePoints, other: Pixels, rng: np.random.Generator
) -> tuple[Pixels, float, float]:
    """A face with something in front of it, or not.

    Args:
        face: uint8 (192, 192) gray.
        points: Its eyes and mouth.
        other: Another picture, uint8 (192, 192).
        rng: Random numbers.

    Returns:
        The picture, the covered share of the worse eye, and that of the mouth.
    """
    painter = Painter(face, points, rng)
    p = points
    eye = (p.right_eye, p.left_eye)[int(rng.integers(2))]
    near_eye = eye + rng.normal(0, p.eye_width * 0.25, 2)
    near_mouth = p.mouth + rng.normal(0, p.mouth_width * 0.2, 2)
    elsewhere = rng.uniform(0, CANVAS, 2)
    if rng.random() < 0.25:
        painter.cap_shadow()
    if rng.random() < 0.25:
        painter.clear_glasses()
    kind = rng.random()
    if kind < 0.34:
        _cover_eyes(painter, near_eye, other, rng)
    elif kind < 0.68:
        _cover_mouth(painter, near_mouth, other, rng)
    elif kind < 0.85:
        chin = p.mouth + p.down * p.mouth_width * rng.uniform(0.7, 1.3)
        target = chin + p.across * rng.normal(0, p.mouth_width * 0.6)
        where = elsewhere if rng.random() < 0.5 else target
        pick = rng.random()
        if pick < 0.5:
            painter.hand(where)
        elif pick < 0.75:
            painter.piece(other, where, rng.uniform(20, 50))
        else:
            painter.microphone(target)
    eyes, mouth = painter.shares()
    return np.clip(painter.image, 0, 255).astype(np.uint8), eyes, mouth


def _cover_eyes(painter: Painter, near: Points, other: Pixels, rng: np.random.Generator) -> None:
    pick = rng.random()
    if pick < 0.55:
        painter.sunglasses()
    elif pick < 0.75:
        painter.hand(near)
    elif pick < 0.85:
        painter.hair(near)
    else:
        painter.piece(other, near, painter.points.eye_width * rng.uniform(0.6, 1.6))


def _cover_mouth(painter: Painter, near: Points, other: Pixels, rng: np.random.Generator) -> None:
    pick = rng.random()
    if pick < 0.45:
        painter.hand(near)
    elif pick < 0.55:
        painter.mask()
    elif pick < 0.7:
        low = painter.points.down * painter.points.mouth_width * rng.uniform(0, 0.45)
        painter.microphone(near + low)
    elif pick < 0.8:
        painter.piece(other, near, painter.points.mouth_width * rng.uniform(0.4, 1.2))
    else:
        painter.thing_in_mouth()


def _rounded(
    mask: _Mask, centre: Points, axes: tuple[float, float], angle_deg: float, power: float = 2.0
) -> None:
    """Draw a super-ellipse: power 2 is an ellipse, more is squarer."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    cos, sin = np.cos(turn), np.sin(turn)
    x = np.sign(cos) * np.abs(cos) ** (2 / power) * axes[0]
    y = np.sign(sin) * np.abs(sin) ** (2 / power) * axes[1]
    a = np.radians(angle_deg)
    corners = np.stack([x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)], 1)
    cv2.fillPoly(mask, [np.round(corners + centre).astype(np.int32)], 1.0)


def _line(mask: _Mask, start: Points, end: Points, thickness: int) -> None:
    cv2.line(mask, _at(start), _at(end), 1.0, max(thickness, 1))


def _at(point: "Points | tuple[float, float]") -> tuple[int, int]:
    return int(np.clip(point[0], -999, 999)), int(np.clip(point[1], -999, 999))
