"""Render heads whose action units are known, to learn from them and to measure on others.

The heads come from Anny, as in ``benchmarks/eyes/make_rendered.py``, which names the environment
that this needs::

    python benchmarks/action_units/make_rendered.py --out rendered --identities 0 120
    python benchmarks/action_units/make_rendered.py --out rendered --plan leak --identities 120 132

``--plan mixed`` draws single units, expressions, mixtures and speech for each identity at random;
``--plan leak`` moves one unit at a time on a head that looks straight ahead. Identity ``i`` is the
same whatever else is rendered. Each identity gets a file of truths, written when all of its
pictures are there: a run that was stopped goes on with the next one.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "eyes"))

from heads import Look, Person, Pose, paint
from make_rendered import Model, Recipe
from rendering import Camera, Floats
from truth import PROTOTYPES, SIDED, UNITS, actions_of, lip_gap_unit

SIDE = 288
FACE = ("head", "forehead", "eyebrows", "nose", "mouth", "chin", "cheek", "ear", "eye")
"""First words of the local changes that shape a face."""
SKINS = ((96, 62, 46), (128, 84, 62), (172, 122, 92), (208, 166, 132), (232, 190, 165))
HAIRS = ((20, 17, 16), (52, 38, 28), (92, 58, 34), (150, 110, 66), (176, 172, 168))
IRISES = ((52, 32, 22), (66, 42, 28), (96, 112, 74), (92, 128, 150), (104, 74, 46))
OTHERS = ("mouthUpperUp", "mouthLowerDown", "cheekPuff", "mouthPucker", "mouthFunnel", "mouthLeft",
          "mouthRight", "jawLeft", "jawRight")  # fmt: skip
"""Actions that no unit stands for: units have to stay silent when these move."""


def recipe_of(identity: int, labels: list[str]) -> Recipe:
    """Return a random person."""
    rng = np.random.default_rng([26, identity])
    origin = rng.dirichlet([0.5, 0.5, 0.5])
    shape = {"african": origin[0], "asian": origin[1], "caucasian": origin[2]}
    shape |= {"gender": rng.random(), "age": rng.uniform(0.4, 1), "weight": rng.uniform(0.25, 0.8)}
    shape |= {"muscle": rng.uniform(0.3, 0.7)}
    kinds = sorted({_kind(name) for name in labels})
    details: dict[str, float] = {}
    for kind in rng.permutation(kinds)[:30]:
        strength = rng.normal(0, 0.25)
        for name in (name for name in labels if _kind(name) == kind):
            details[name] = float(np.clip(strength + rng.normal(0, 0.05), -0.8, 0.8))
    place = rng.uniform(0, len(SKINS) - 1)
    skin = _between(SKINS, np.clip(place, 0, len(SKINS) - 1)) + rng.normal(0, 6, 3)
    look = Look(
        skin=_colour(skin),
        hair=_colour(np.array(HAIRS[rng.integers(len(HAIRS))]) * rng.uniform(0.8, 1.2)),
        iris=_colour(np.array(IRISES[rng.integers(len(IRISES))])),
        shirt=_colour(rng.uniform(20, 230, 3)),
        wall=_colour(rng.uniform(30, 220, 3)),
        brow=float(rng.uniform(0.65, 1)),
        hairline_m=float(rng.uniform(0, 0.012)),
        lips=float(rng.uniform(0.2, 0.8)),
        pupil_m=float(rng.uniform(0.0026, 0.0045)),
        mouth=True,
    )
    return Recipe(shape, look, details, float(rng.uniform(0.5, 1.0)))


def _kind(label: str) -> str:
    """Return the name of a local change without its side."""
    return label.removeprefix("l-").removeprefix("r-")


def _between(table: tuple[tuple[int, ...], ...], place: float) -> Floats:
    rows = np.array(table, float)
    return np.array([np.interp(place, range(len(rows)), column) for column in rows.T])


def _colour(values: Floats) -> tuple[int, int, int]:
    red, green, blue = np.clip(values, 4, 250).astype(int)
    return int(red), int(green), int(blue)


Units = dict[str, tuple[float, float]]
"""Unit -> strengths of the right and of the left side."""


def mixed(rng: np.random.Generator) -> tuple[Units, dict[str, float]]:
    """Return random units, and strengths of actions that are no unit."""
    units: Units = {}
    others: dict[str, float] = {}
    kind = rng.choice(["rest", "single", "prototype", "mixture", "speech"],
                      p=[0.10, 0.30, 0.25, 0.25, 0.10])  # fmt: skip
    if kind == "single":
        units = {str(rng.choice(UNITS)): _sides(rng, rng.uniform(0.15, 1))}
    elif kind == "prototype":
        whole = rng.uniform(0.2, 1)
        for name in PROTOTYPES[rng.integers(len(PROTOTYPES))]:
            if rng.random() < 0.85:
                units[name] = _sides(rng, float(np.clip(whole * rng.uniform(0.5, 1.2), 0, 1)))
    elif kind == "mixture":
        for name in rng.choice(UNITS, rng.integers(2, 6), replace=False):
            units[str(name)] = _sides(rng, rng.beta(1.2, 1.4))
    elif kind == "speech":
        units["AU26"] = (rng.uniform(0, 0.9),) * 2
        others = {"mouthFunnel": rng.uniform(0, 0.7), "mouthPucker": rng.uniform(0, 0.6)}
        others |= {"mouthLowerDown": rng.uniform(0, 0.5), "mouthUpperUp": rng.uniform(0, 0.3)}
    if rng.random() < 0.2:
        others[str(rng.choice(OTHERS))] = float(rng.uniform(0.1, 0.7))
    if "AU26" in units and "AU27" in units:
        units.pop("AU26")  # a mouth that is stretched open has dropped its jaw
    return units, others


def _sides(rng: np.random.Generator, strength: float) -> tuple[float, float]:
    if rng.random() < 0.7:
        near = float(np.clip(strength + rng.normal(0, 0.04), 0, 1))
        return float(strength), near
    pair = [float(strength), float(strength * rng.uniform(0, 0.7))]
    rng.shuffle(pair)
    return pair[0], pair[1]


def leaks() -> Iterator[tuple[Units, dict[str, float]]]:
    """Yield one unit at a time, half and full, and the head at rest."""
    for _ in range(4):
        yield {}, {}
    for name in UNITS:
        for level in (0.5, 1.0):
            yield {name: (level, level)}, {}
    for name in SIDED:
        yield {name: (1.0, 0.0)}, {}
        yield {name: (0.0, 1.0)}, {}


def pose_of(
    rng: np.random.Generator, units: Units, others: dict[str, float], *, straight: bool
) -> Pose:
    """Return the head with its units; straight heads are within 3 degrees."""
    turn = 0.12 if straight else 1.0
    actions = actions_of(units) | {
        name if name.endswith(("Left", "Right", "Puff", "Pucker", "Funnel")) else f"{name}{side}": v
        for name, v in others.items()
        for side in ("Left", "Right")
    }
    closure = units.get("AU43", (0.0, 0.0))
    looking = 0.0 if straight else 1.0
    return Pose(
        yaw_deg=float(rng.uniform(-32, 32) * turn),
        pitch_deg=float(rng.uniform(-18, 18) * turn),
        roll_deg=float(rng.uniform(-12, 12) * turn),
        gaze_yaw_deg=float(rng.normal(0, 9) * looking),
        gaze_pitch_deg=float(np.clip(rng.normal(2, 6), -14, 16) * looking),
        closure=closure,
        actions=actions,
    )


def lit(rng: np.random.Generator, look: Look) -> Look:
    """Return the person in another light and before another wall."""
    values = {name: getattr(look, name) for name in Look.__dataclass_fields__}
    values["lamp"] = (rng.uniform(-1, 1), rng.uniform(-1.0, 0.3), rng.uniform(-1.0, -0.4))
    values["fill"] = float(rng.uniform(0.6, 1.8))
    values["wall"] = _colour(rng.uniform(20, 230, 3))
    return Look(**values)


def render(model: Model, person: Person, pose: Pose, look: Look) -> Floats:
    """Return uint8 (SIDE, SIDE, 3): the head as a camera sees it that is turned to it."""
    view = np.rad2deg(2 * np.arctan(0.19 / person.distance_m))
    seen = Person(person.vertices, person.actions, person.sockets, person.socket_m, look,
                  person.distance_m)  # fmt: skip
    picture, _ = paint(model.topology, seen, pose, Camera(SIDE, SIDE, float(view)), 1)
    return picture


def degrade(rng: np.random.Generator, picture: Floats) -> Floats:
    """Return the picture with the noise, blur and size of a real one."""
    side = int(rng.uniform(150, SIDE + 150))
    small = cv2.resize(picture, (min(side, SIDE),) * 2, interpolation=cv2.INTER_AREA)
    noisy = small.astype(float) * rng.uniform(0.75, 1.15) + rng.normal(
        0, rng.uniform(1, 4), small.shape
    )
    return np.clip(noisy, 0, 255).astype(np.uint8)


def main() -> None:
    """Render the identities that are missing."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to fill")
    parser.add_argument("--plan", choices=("mixed", "leak"), default="mixed")
    parser.add_argument("--identities", type=int, nargs=2, default=(0, 120), help="first, and end")
    parser.add_argument("--pictures", type=int, default=40, help="of each identity, with mixed")
    parser.add_argument(
        "--step", type=int, default=1, help="every n-th identity, to share the work"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    model = Model()
    for identity in range(*options.identities, options.step):
        target = options.out / f"{options.plan}_{identity:04d}.csv"
        if target.exists():
            continue
        person = model.expressive(recipe_of(identity, model.local_changes(FACE)))
        rng = np.random.default_rng([27, identity])
        straight = options.plan == "leak"
        plan = list(leaks()) if straight else [mixed(rng) for _ in range(options.pictures)]
        lines = []
        for number, (units, others) in enumerate(plan):
            pose = pose_of(rng, units, others, straight=straight)
            picture = degrade(rng, render(model, person, pose, lit(rng, person.look)))
            file = f"{options.plan}_{identity:04d}_{number:03d}.jpg"
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(70, 96))]
            cv2.imwrite(str(options.out / file), np.ascontiguousarray(picture[:, :, ::-1]), quality)
            lines.append(row(file, identity, pose, units, person))
        part = target.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(lines[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)
        part.replace(target)
        print(identity, len(lines), flush=True)


def row(file: str, identity: int, pose: Pose, units: Units, person: Person) -> dict[str, object]:
    """Return one line of truths."""
    line: dict[str, object] = {
        "file": file,
        "identity": identity,
        "yaw_deg": round(pose.yaw_deg, 2),
    }
    line |= {"pitch_deg": round(pose.pitch_deg, 2), "roll_deg": round(pose.roll_deg, 2)}
    truth = {name: units.get(name, (0.0, 0.0)) for name in UNITS}
    truth["AU25"] = (lip_gap_unit(person, pose.actions),) * 2
    if "AU27" in units:
        truth["AU26"] = (1.0, 1.0)
    for name, (right, left) in truth.items():
        line |= {f"{name}_right": round(right, 4), f"{name}_left": round(left, 4)}
    return line


if __name__ == "__main__":
    main()
