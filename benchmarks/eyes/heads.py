"""Paints a head: a mesh, two eyeballs, brows, lips, hair, lashes, and where the eyes are.

The head's own frame has its origin inside the skull, half-way from nose to nape at the height of
the eyes; metres, x towards the subject's left, y down, z towards the back of the head, so that a
head that looks straight at the camera needs no turn. What is painted is looked up in the
template's coordinates (the same vertex numbers before anybody's own shape), so brows and lips
move with the skin.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rendering import (
    Camera,
    CatmullClark,
    Floats,
    Ints,
    Surface,
    decode,
    normals,
    rasterise,
    shrink,
    sphere,
    triangles,
    turn,
)

GLOBE_M = 0.0120
"""Radius of the eyeball that turns."""
IRIS_M = 0.0117
"""Diameter of the iris."""
SIDES = ("right", "left")
"""The subject's own sides, in the order of every pair below."""

_FOLLOW_DEG = {"Out": 20.5, "In": 20.9, "Up": 10.4, "Down": 17.1}
"""By how much the mesh's own eyes turn in each eyeLook action."""
_SKIN_CLEAR_M = 0.0003
_HAIR_M = 0.010
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Look:
    """The colours of one person, sRGB in [0, 255].

    Attributes:
        skin: Skin without blush.
        hair: Hair and brows.
        iris: Iris.
        shirt: Shirt.
        wall: Background.
        pupil_m: Diameter of the pupil in metres.
        brow: Strength of the brows in [0, 1].
        hairline_m: How much higher than usual the hair begins, in metres.
        lips: Strength of the lips' colour in [0, 1].
        lamp: Where the light comes from, (x, y, z) towards the head.
        fill: Light from everywhere, as a share of the usual.
        mouth: Paint the inside of the mouth: dark, with a row of teeth. Off in the pictures that
            eyes are measured on, in which mouths are closed.
    """

    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    iris: tuple[int, int, int]
    shirt: tuple[int, int, int]
    wall: tuple[int, int, int]
    pupil_m: float = 0.0036
    brow: float = 0.8
    hairline_m: float = 0.0
    lips: float = 0.6
    lamp: tuple[float, float, float] = (-0.45, -0.55, -0.70)
    fill: float = 1.0
    mouth: bool = False

    @property
    def light(self) -> Floats:
        """The direction towards the lamp, a unit vector (3,)."""
        return np.array(self.lamp) / np.linalg.norm(self.lamp)


class Topology:
    """What all persons share.

    Attributes:
        subdivide: Vertices -> finer vertices.
        skin: Triangles (n, 3) of the skin, by finer vertex.
        lashes: Triangles (n, 3) of the lashes, by finer vertex.
        template: The template's finer vertices (n, 3) in metres.
        mouth: 1 for vertices inside the mouth, else 0, (n,).

    Args:
        template: The template's vertices (n, 3) in the head's frame.
        skin: Quads (m, 4) of head, neck and shoulders.
        lashes: Quads (k, 4) of the lashes.
        turning: How far each vertex follows the head's turn, (n,) in [0, 1].
    """

    def __init__(self, template: Floats, skin: Ints, lashes: Ints, turning: Floats) -> None:
        self.subdivide = CatmullClark(np.concatenate([skin, lashes]), len(template))
        faces = self.subdivide.faces
        self.skin: Ints = triangles(faces[: 4 * len(skin)])
        self.lashes: Ints = triangles(faces[4 * len(skin) :])
        self.template: Floats = self.subdivide(template)
        self.turning = turning
        edges = np.concatenate([self.skin[:, [0, 1]], self.skin[:, [1, 2]], self.skin[:, [2, 0]]])
        self._edges = np.concatenate([edges, edges[:, ::-1]])
        self._degree = np.maximum(np.bincount(self._edges[:, 0], minlength=len(self.template)), 1)
        self.mouth: Floats = self._inside_mouth()

    def _inside_mouth(self) -> Floats:
        """Vertices that are reached from the middle of the mouth without crossing the lips."""
        across, up = np.abs(self.template[:, 0]), 67.8 - self.template[:, 1] * 1000
        behind = self.template[:, 2] + 0.0925 - 20 * across**2
        lips = (across < 0.034) & (np.abs(up) < 14) & (behind > -0.010) & (behind < 0.004)
        first, second = self._edges[~lips[self._edges].any(1)].T
        inside = (across < 0.01) & (up > -20) & (up < 36) & (behind > 0.02) & (behind < 0.06)
        while True:
            grown = inside.copy()
            grown[second[inside[first]]] = True
            if (grown == inside).all():
                return grown.astype(np.float64)
            inside = grown

    def neighbours(self, values: Floats) -> Floats:
        """The mean of every finer vertex's neighbours, (n, k) -> (n, k)."""
        first, second = self._edges.T
        count = len(self.template)
        summed = [np.bincount(first, column[second], count) for column in values.T]
        return np.stack(summed, axis=1) / self._degree[:, None]


@dataclass(frozen=True, slots=True)
class Person:
    """One identity.

    Attributes:
        vertices: Neutral vertices (n, 3) in the head's frame.
        actions: Offsets (n, 3) of face actions at full strength, by name.
        sockets: Centres (2, 3) of the mesh's eyes, right then left.
        socket_m: Radius of the mesh's eyes.
        look: Colours.
        distance_m: From the camera to the middle of the skull.
    """

    vertices: Floats
    actions: Mapping[str, Floats]
    sockets: Floats
    socket_m: float
    look: Look
    distance_m: float = 0.72

    @property
    def globes(self) -> Floats:
        """Centres (2, 3) of the eyeballs that turn: as far forward as the mesh's eyes reach."""
        return self.sockets - [0, 0, self.socket_m - GLOBE_M]


@dataclass(frozen=True, slots=True)
class Pose:
    """What the head, the eyes and the lids do; angles in degrees, signs as in ``turn``.

    Attributes:
        yaw_deg: Head, positive = towards the subject's left.
        pitch_deg: Head, positive = down.
        roll_deg: Head, positive = clockwise in the picture.
        gaze_yaw_deg: Eyes in the head, positive = towards the subject's left.
        gaze_pitch_deg: Eyes in the head, positive = down.
        closure: Of the right and the left lids, 0 = as neutral, 1 = shut.
        actions: Strengths of further face actions, by name.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    gaze_yaw_deg: float = 0.0
    gaze_pitch_deg: float = 0.0
    closure: tuple[float, float] = (0.0, 0.0)
    actions: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Eyes:
    """Where the eyes are in the picture, right then left.

    Attributes:
        centres: Iris centres (2, 2) in pixels, also where a lid hides them.
        iris_px: Iris diameters (2,) in pixels: the longer axis of its ellipse.
        seen_px: How much eyeball the lids leave to be seen, (2,) in square pixels.
        open_px: The tallest column of it, (2,) in pixels.
    """

    centres: Floats
    iris_px: Floats
    seen_px: Floats
    open_px: Floats


def paint(
    topology: Topology, person: Person, pose: Pose, camera: Camera, samples: int = 2
) -> tuple[NDArray[np.uint8], Eyes]:
    """Renders one picture.

    Args:
        topology: The mesh.
        person: The identity.
        pose: Head, eyes and lids.
        camera: The camera.
        samples: Samples per pixel along each axis.

    Returns:
        uint8 (height, width, 3) RGB, and the eyes' truth.
    """
    rotation = turn(pose.yaw_deg, pose.pitch_deg, pose.roll_deg)
    gaze = turn(pose.gaze_yaw_deg, pose.gaze_pitch_deg)
    away = np.array([0, 0, person.distance_m])
    fine = topology.subdivide(_shape(person, pose))
    fine = _clear(fine, topology, person)
    shell = normals(fine, topology.skin)
    fine = fine + shell * (_hair(topology.template, person.look) * _HAIR_M)[:, None]
    part = topology.subdivide(topology.turning[:, None])
    turned = _follow(fine, rotation, part) + away
    ball, ball_faces = sphere()
    socket_m = person.socket_m
    eyes = [(centre + socket_m * ball) @ rotation.T + away for centre in person.sockets]
    points = np.concatenate([turned, *eyes])
    faces = np.concatenate(
        [topology.skin, ball_faces + len(fine), ball_faces + len(fine) + len(ball)]
    )
    surface = rasterise(points, faces, camera, samples)
    rays = camera.rays(samples)
    picture = _wall(person.look, surface.depth.shape)
    skin = (surface.triangle >= 0) & (surface.triangle < len(topology.skin))
    picture[skin] = _skin(topology, person, turned, surface, skin)
    seen, tallest = [], []
    for side in range(2):
        start = len(topology.skin) + side * len(ball_faces)
        where = (surface.triangle >= start) & (surface.triangle < start + len(ball_faces))
        picture[where] = _eye(person, side, rotation, gaze, rays[where], surface.depth[where])
        seen.append(where.sum() / samples**2)
        tallest.append(where.sum(0).max() / samples)
    _lay_lashes(picture, topology, person, turned, surface.depth, camera, samples)
    centre, size = _irises(person, rotation, gaze, camera)
    return shrink(picture, samples), Eyes(centre, size, np.array(seen), np.array(tallest))


def _shape(person: Person, pose: Pose) -> Floats:
    """Vertices with the lids where gaze and blink put them."""
    shape = person.vertices.copy()
    for side, closure, outward in (("Right", pose.closure[0], -1), ("Left", pose.closure[1], 1)):
        shape += closure * person.actions[f"eyeBlink{side}"]
        across = pose.gaze_yaw_deg * outward
        for name, angle in (
            ("Out", across),
            ("In", -across),
            ("Down", pose.gaze_pitch_deg),
            ("Up", -pose.gaze_pitch_deg),
        ):
            if angle > 0:
                strength = (1 - closure) * angle / _FOLLOW_DEG[name]
                shape += strength * person.actions[f"eyeLook{name}{side}"]
    for name, strength in pose.actions.items():
        shape += strength * person.actions[name]
    return shape


def _clear(fine: Floats, topology: Topology, person: Person) -> Floats:
    """Lifts lids off the eyeballs they would cut into."""
    moved = fine.copy()
    front = topology.template[:, 2] < topology.template[:, 2].min() + 0.06
    for centre in person.sockets:
        outward = moved - centre
        far = np.linalg.norm(outward, axis=1)
        floor = person.socket_m + _SKIN_CLEAR_M
        low = front & (far < floor) & (far > floor - 0.004) & (outward[:, 2] < 0)
        moved[low] = centre + outward[low] / far[low, None] * floor
    return moved


def _follow(points: Floats, rotation: Floats, part: Floats) -> Floats:
    """Turns points (n, 3) about the origin by the share ``part`` (n, 1) of a rotation."""
    angle = np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))
    if angle < _TINY:
        return points
    skew = (rotation - rotation.T) / (2 * np.sin(angle))
    axis = np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
    share = np.clip(part, 0, 1) * angle
    along = (points @ axis)[:, None] * axis
    beside = np.cross(axis, points)
    turned: Floats = points * np.cos(share) + beside * np.sin(share) + along * (1 - np.cos(share))
    return turned


def _noise(at: Floats, scale_m: float, seed: int) -> Floats:
    """Smooth noise in about [-1, 1] at points (n, 3)."""
    rng = np.random.default_rng(seed)
    waves = (rng.normal(size=(3, 7)) * 2 * np.pi / scale_m / 1.7).astype(np.float32)
    shift = rng.uniform(0, 2 * np.pi, 7).astype(np.float32)
    return np.sin(at.astype(np.float32) @ waves + shift).sum(1).astype(np.float64) / 3.5


def _ramp(value: Floats, low: float, high: float) -> Floats:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


_HAIRLINE = np.array(
    [  # degrees from the face's middle round the skull, metres above the eyes
        [0, 0.067],
        [25, 0.068],
        [42, 0.060],
        [55, 0.040],
        [62, 0.012],
        [74, 0.002],
        [80, 0.016],
        [100, 0.016],
        [112, -0.012],
        [130, -0.052],
        [180, -0.066],
    ]
)


def _hair(at: Floats, look: Look) -> Floats:
    """How much hair covers the template's points (n, 3), in [0, 1]."""
    round_deg = np.rad2deg(np.arctan2(np.abs(at[:, 0]), -at[:, 2] - 0.005))
    line = np.interp(round_deg, _HAIRLINE[:, 0], _HAIRLINE[:, 1])
    line += look.hairline_m * _ramp(-round_deg, -60, -40) + 0.0012 * _noise(at, 0.007, 5)
    up = -at[:, 1] - line
    ear = _ramp(np.abs(at[:, 0]), 0.071, 0.074) * _ramp(-np.abs(at[:, 1] - 0.015), -0.04, -0.03)
    return _ramp(up, 0.0, 0.010) * (1 - ear)


def _wall(look: Look, shape: tuple[int, ...]) -> Floats:
    """A wall that darkens to one side and to the floor."""
    down, across = np.mgrid[0 : shape[0], 0 : shape[1]]
    shade = 1.05 - 0.45 * across / shape[1] - 0.2 * down / shape[0]
    return decode(np.array(look.wall))[None, None] * shade[..., None]


def _lit(facing: Floats, look: Look, *, wrap: float = 0.0) -> Floats:
    """Light on surfaces with unit normals (n, 3): one lamp, sky from above, a bounce."""
    lamp = np.clip((facing @ look.light + wrap) / (1 + wrap), 0, None)
    return 0.80 * lamp + look.fill * (0.30 - 0.10 * facing[:, 1] - 0.08 * facing[:, 2])


def _brows(at: Floats, look: Look) -> Floats:
    """How much brow covers the template's points (n, 3), in [0, 1]."""
    across = np.abs(at[:, 0])
    up = -at[:, 1]
    middle = np.interp(across, [0.010, 0.020, 0.036, 0.044, 0.052], [15, 17.5, 20.5, 19, 14.5])
    half = np.interp(across, [0.008, 0.013, 0.034, 0.053], [1.5, 3.6, 2.9, 0.7])
    off = np.abs(up * 1000 - middle) / half
    ends = _ramp(across, 0.008, 0.013) * _ramp(-across, -0.053, -0.049)
    strands = 0.85 + 0.15 * np.sin(across * 9000 + up * 5000 + 3 * _noise(at, 0.004, 3))
    return look.brow * ends * _ramp(-off, -1.25, -0.6) * strands * (at[:, 2] < 0)


def _lips(at: Floats, look: Look) -> Floats:
    """How much lip colour covers the template's points (n, 3), in [0, 1]."""
    across = np.minimum(np.abs(at[:, 0]) / 0.0235, 1)
    up = -at[:, 1] * 1000
    seam = -67.8 + 0.6 * across
    top = np.interp(across, [0, 0.2, 0.6, 1], [9.2, 10.6, 7.0, 0.2])
    bottom = 12.5 * (1 - across**2) ** 0.75
    over = np.where(up > seam, (up - seam) / np.maximum(top, 0.1), (seam - up) / (bottom + 0.1))
    return look.lips * _ramp(-over, -1.12, -0.92) * (across < 1) * (at[:, 2] < -0.05)


def _paint_mouth(colour: Floats, at: Floats, inner: Floats) -> Floats:
    """Darken the inside of the mouth, and paint teeth below the upper lip."""
    across, up = np.abs(at[:, 0]), 67.8 - at[:, 1] * 1000
    behind = at[:, 2] + 0.0925 - 20 * across**2  # metres behind the line where the lips meet
    near = _ramp(behind, 0.0, 0.001) * (up > -12) * (up < 14.5) * (across < 0.03)
    inside = np.maximum(near, _ramp(inner, 0.2, 0.8))
    teeth = inside * _ramp(-behind, -0.007, -0.005) * _ramp(up, 0.5, 2) * (across < 0.019)
    colour = _blend(colour, np.broadcast_to(decode(np.array([70, 26, 26])), at.shape), inside)
    return _blend(colour, np.broadcast_to(decode(np.array([214, 206, 192])), at.shape), teeth)


def _skin(
    topology: Topology, person: Person, turned: Floats, surface: Surface, where: NDArray[np.bool_]
) -> Floats:
    """Linear colours (n, 3) of the samples that see skin, hair or shirt."""
    look = person.look
    facing = normals(turned, topology.skin)
    hollow = _hollow(topology, turned, facing)
    inner = topology.mouth[:, None]
    values = np.concatenate([facing, topology.template, hollow[:, None], turned, inner], axis=1)
    mixed = surface.mix(values, topology.skin, where)
    facing = mixed[:, :3] / np.maximum(np.linalg.norm(mixed[:, :3], axis=1, keepdims=True), _TINY)
    at, open_sky, position = mixed[:, 3:6], 1 - mixed[:, 6:7], mixed[:, 7:10]

    colour = np.broadcast_to(decode(np.array(look.skin)), at.shape).copy()
    colour *= 1 + 0.05 * _noise(at, 0.018, 1)[:, None] + 0.03 * _noise(at, 0.004, 2)[:, None]
    blush = 0.5 * np.exp(-(((at - [0, 0.038, -0.11]) / [0.012, 0.012, 0.03]) ** 2).sum(1))
    cheeks = (np.abs(at[:, :1]) - 0.043, at[:, 1:2] - 0.036)
    blush += 0.45 * np.exp(-sum((c[:, 0] / 0.017) ** 2 for c in cheeks)) * (at[:, 2] < 0)
    colour *= 1 - blush[:, None] * [0.0, 0.22, 0.20]
    colour = _blend(colour, colour * [0.80, 0.42, 0.42], _lips(at, look))
    if look.mouth:
        colour = _paint_mouth(colour, at, mixed[:, 10])
    hair = decode(np.array(look.hair))
    colour = _blend(colour, hair * 0.9, _brows(at, look))
    strands = 1 + 0.22 * _noise(at * [1, 0.15, 0.4], 0.0025, 4) + 0.2 * _noise(at, 0.02, 6)
    covered = _ramp(_hair(at, look), 0.02, 0.35)
    colour = _blend(colour, hair * np.clip(strands, 0.3, 2)[:, None], covered)
    neck = _ramp(at[:, 1] + 0.25 * np.maximum(at[:, 2], -0.12), 0.150, 0.152)
    colour = _blend(colour, np.broadcast_to(decode(np.array(look.shirt)), at.shape), neck)

    light = np.stack([_lit(facing, look, wrap=w) for w in (0.25, 0.12, 0.10)], axis=1)
    view = -position / np.linalg.norm(position, axis=1, keepdims=True)
    half = view + look.light
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    gloss = np.clip((facing * half).sum(1), 0, 1)[:, None] ** 22 * 0.07 * (1 - neck[:, None])
    return (colour * light + gloss) * np.clip(open_sky, 0.25, 1)


def _hollow(topology: Topology, points: Floats, facing: Floats) -> Floats:
    """How much of the sky a vertex loses to its surroundings, (n,) in [0, 0.75]."""
    near = topology.neighbours(points) - points
    reach = np.sqrt((near**2).sum(1)) + 0.0015
    bend = np.clip((near * facing).sum(1) / reach, -0.3, 1)
    for _ in range(2):
        bend = 0.5 * bend + 0.5 * topology.neighbours(bend[:, None])[:, 0]
    return np.clip(1.1 * bend, 0, 0.75)


def _blend(under: Floats, over: Floats, amount: Floats) -> Floats:
    return under + (over - under) * amount[:, None]


def _eye(
    person: Person, side: int, rotation: Floats, gaze: Floats, rays: Floats, depth: Floats
) -> Floats:
    """Linear colours (n, 3) of the samples that see one eyeball.

    The mesh's eye is larger than a true one, so that it fills the lids. Its white is painted on
    it; the iris is a flat disc inside a ball of true size, found along each ray.
    """
    look = person.look
    away = np.array([0, 0, person.distance_m])
    turned_gaze = rotation @ gaze
    globe = rotation @ person.globes[side] + away
    axis = turned_gaze @ [0.0, 0.0, -1.0]
    point = rays * depth[:, None]
    local = (point - away) @ rotation - person.sockets[side]
    inward = local[:, 0] * (1 if side == 0 else -1) / person.socket_m
    height = -local[:, 1] / person.socket_m

    white = np.broadcast_to(decode(np.array([226, 216, 210])), point.shape).copy()
    white = _blend(white, decode(np.array([196, 120, 112])), _ramp(inward, 0.60, 0.74))
    white *= (1 - 0.35 * _ramp(np.abs(inward), 0.35, 0.8))[:, None]
    facing = (local / person.socket_m) @ rotation.T
    white *= _lit(facing, look, wrap=0.4)[:, None] * 0.92

    disc = globe + np.sqrt(GLOBE_M**2 - IRIS_M**2 / 4) * axis
    reach = (disc @ axis) / (rays @ axis)
    off = rays * reach[:, None] - disc
    far = np.linalg.norm(off, axis=1) / (IRIS_M / 2)
    spoke = np.arctan2(off @ turned_gaze[:, 1], off @ turned_gaze[:, 0])
    fibre = 1 + 0.16 * np.sin(23 * spoke + 3 * np.sin(5 * spoke)) + 0.10 * np.sin(41 * spoke)
    iris = decode(np.array(look.iris))[None] * (fibre * (0.75 + 0.35 * far))[:, None]
    iris = _blend(iris, iris * 0.25, _ramp(far, 0.80, 1.0))
    pupil = look.pupil_m / IRIS_M
    iris = _blend(iris, np.full(3, 0.004), _ramp(-far, -pupil - 0.03, -pupil + 0.03))
    iris *= 0.95
    colour = _blend(white, iris, _ramp(-far, -1.04, -0.96) * (rays @ axis < 0))

    shade = 1 - 0.55 * _ramp(height, 0.02, 0.34)
    colour *= shade[:, None]
    return colour + _glint(globe, axis, rays, look)[:, None]


def _glint(globe: Floats, axis: Floats, rays: Floats, look: Look) -> Floats:
    """The lamp mirrored in the cornea, a ball of 7.8 mm that bulges 1.5 mm, (n,)."""
    radius = 0.0078
    centre = globe + (GLOBE_M + 0.0012 - radius) * axis
    unit = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    along = unit @ centre
    under = along**2 - centre @ centre + radius**2
    hit = under > 0
    spot = unit * (along - np.sqrt(np.maximum(under, 0)))[:, None]
    facing = (spot - centre) / radius
    mirrored = unit - 2 * (unit * facing).sum(1)[:, None] * facing
    lamp = look.light * [0.8, 0.8, 1]
    bright = _ramp(mirrored @ (lamp / np.linalg.norm(lamp)), 0.975, 0.99)
    return np.where(hit & (facing @ axis > 0.72), 0.8 * bright, 0)


def _lay_lashes(
    picture: Floats,
    topology: Topology,
    person: Person,
    turned: Floats,
    depth: Floats,
    camera: Camera,
    samples: int,
) -> None:
    """Darkens the picture where lashes lie in front."""
    surface = rasterise(turned, topology.lashes, camera, samples, both=True)
    where = surface.depth < depth - 0.0002
    if not where.any():
        return
    neutral = topology.subdivide(person.vertices)
    length = np.min([np.linalg.norm(neutral - c, axis=1) for c in person.sockets], axis=0)
    values = np.concatenate([topology.template, (length - person.socket_m)[:, None]], axis=1)
    mixed = surface.mix(values, topology.lashes, where)
    upper = mixed[:, 1] < 0.002
    cover = np.where(upper, 0.9, 0.4) * _ramp(-mixed[:, 3], -0.0095, -0.0015)
    hair = decode(np.array(person.look.hair)) * 0.3
    picture[where] = _blend(picture[where], np.broadcast_to(hair, (len(cover), 3)), cover)


def _irises(
    person: Person, rotation: Floats, gaze: Floats, camera: Camera
) -> tuple[Floats, Floats]:
    """Projected centres (2, 2) and diameters (2,) of the irises, in pixels."""
    ahead = np.sqrt(GLOBE_M**2 - IRIS_M**2 / 4) * (gaze @ [0.0, 0.0, -1.0])
    discs = (person.globes + ahead) @ rotation.T + [0, 0, person.distance_m]
    return camera.project(discs), IRIS_M * camera.focal_px / discs[:, 2]
