"""Measure the detectors and the candidates for the default one.

Run as ``python benchmarks/detectors.py --shared ../shared --out docs/benchmarks/detectors.md``.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import face_scenes
import numpy as np
import onnxruntime
from face_scenes import BINS, Scene
from rich.console import Console
from rich.progress import Progress

from pyojeong.core.face import Face, Image
from pyojeong.core.protocols import Detector
from pyojeong.image.boxes import iou, square
from pyojeong.runtime.detection.blazeface import BlazeFace
from pyojeong.runtime.detection.centerface import CenterFace
from pyojeong.runtime.detection.centerface_onet import CenterFaceOnet
from pyojeong.runtime.detection.mtcnn import Mtcnn, Onet
from pyojeong.runtime.detection.proposals import Candidates
from pyojeong.runtime.detection.registry import DEFAULT, DETECTORS
from pyojeong.speed import cpu_name

FLOAT32 = Path(__file__).parents[1] / "docs" / "benchmarks" / "detectors.float32.json"
"""What this script wrote before CenterFace was int8."""

MATCH_IOU = 0.3
JITTER_STEP = 5
TIMED_RUNS = 60
LARGE_RUNS = 15
CROWDS_PER_SIZE = 13


class BlazeCenterOnet:
    """A candidate that was not chosen: BlazeFace and a small CenterFace propose, O-net decides."""

    id = "blazeface+centerface+onet"

    def __init__(self, size: int) -> None:
        self._blaze = BlazeFace(score_threshold=0.2, second_look=False)
        self._center = CenterFace(score_threshold=0.15, size=size)
        self._onet = Onet()

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Faces, as O-net sees them."""
        a, b = self._blaze.candidates(image), self._center.candidates(image)
        grown = a.boxes + (a.boxes[:, 2:3] - a.boxes[:, :1]) * (0, -0.05, 0, 0.02)
        both = Candidates(
            np.concatenate([grown, b.boxes]),
            np.concatenate([a.scores, b.scores]),
            np.zeros((len(a) + len(b), 0, 2)),
        ).suppress(0.3)
        found: Candidates = self._onet.refine(image, square(both.boxes))
        return found.take(found.scores >= 0.7).suppress(0.4).faces()


_fast = partial(CenterFaceOnet, small_faces=False)

SHIPPED: dict[str, Callable[[], Detector]] = {
    f"**{'auto' if name == DEFAULT else name}**": partial(build)
    for name, build in DETECTORS.items()
}
VARIANTS: dict[str, Callable[[], Detector]] = {
    "auto, min_face=20": partial(CenterFaceOnet, min_face=20),
    "fast at 160": partial(_fast, size=160),
    "fast at 192": partial(_fast, size=192),
    "fast at 224": partial(_fast, size=224),
    "fast at 256": partial(_fast, size=256),
    "fast, proposals >= 0.3": partial(_fast, proposal_threshold=0.3),
    "fast, O-net alone decides": partial(_fast, sure=2.0),
    "fast, sure from 0.5": partial(_fast, sure=0.5),
    "fast, O-net >= 0.9": partial(_fast, score_threshold=0.9),
    "centerface at 192, >= 0.4": partial(CenterFace, size=192, score_threshold=0.4),
    "centerface at 256, >= 0.4": partial(CenterFace, size=256, score_threshold=0.4),
    "centerface at 320, >= 0.4": partial(CenterFace, size=320, score_threshold=0.4),
    "blazeface, one look": partial(BlazeFace, second_look=False),
    "blazeface + centerface at 96 + O-net": partial(BlazeCenterOnet, 96),
    "blazeface + centerface at 128 + O-net": partial(BlazeCenterOnet, 128),
    "mtcnn, min_face=20": partial(Mtcnn, min_face=20),
}


def boxes_of(faces: tuple[Face, ...]) -> np.ndarray:
    """(N, 4) boxes."""
    return np.array([f.box.xyxy for f in faces], float).reshape(-1, 4)


def hits(detector: Detector, scene: Scene) -> tuple[np.ndarray, int]:
    """Which faces of a scene were found, and how many boxes match none of them."""
    boxes = boxes_of(detector.detect(scene.image))
    if not len(boxes):
        return np.zeros(len(scene.boxes), bool), 0
    match = iou(scene.boxes, boxes) >= MATCH_IOU
    return match.any(axis=1), int((~match.any(axis=0)).sum())


def recall_by_size(detector: Detector, scenes: list[Scene]) -> dict[str, Any]:
    """Share found of each bin of sizes, and boxes beside faces."""
    found, total, beside = np.zeros(len(BINS)), np.zeros(len(BINS)), 0
    for scene in scenes:
        hit, extra = hits(detector, scene)
        beside += extra
        for k, (low, high) in enumerate(BINS):
            inside = (scene.sides >= low) & (scene.sides < high)
            found[k] += hit[inside].sum()
            total[k] += inside.sum()
    return {
        "recall": (found / total).round(4).tolist(),
        "faces": total.astype(int).tolist(),
        "beside": beside,
    }


def recall_in_crowds(detector: Detector, shared: Path) -> dict[str, Any]:
    """Share found of the faces of group photographs, and boxes beside faces."""
    # Made again for every detector: all of them together would take two gigabytes.
    scenes = face_scenes.crowds(shared, CROWDS_PER_SIZE, seed=20)
    seen = [hits(detector, scene) for scene in scenes]
    found = np.concatenate([hit for hit, _ in seen])
    return {
        "recall": round(float(found.mean()), 4),
        "faces": len(found),
        "pictures": len(seen),
        "beside": sum(extra for _, extra in seen),
    }


def jitter(detector: Detector, scenes: list[Scene]) -> float | None:
    """Median over faces: how far landmarks move when the picture is cropped a little differently.

    Root mean square over six crops of 94 to 100 % of the picture, in percent of the face's height.
    """
    random = np.random.default_rng(3)
    values = []
    for scene in scenes:
        h, w = scene.image.shape[:2]
        seen = []
        for _ in range(6):
            zoom = random.uniform(0.94, 1.0)
            corner = random.uniform(0, 1 - zoom, 2) * (w, h)
            matrix = np.array([[1 / zoom, 0, -corner[0] / zoom], [0, 1 / zoom, -corner[1] / zoom]])
            moved = cv2.warpAffine(scene.image, matrix, (w, h), borderMode=cv2.BORDER_REPLICATE)
            faces = detector.detect(np.asarray(moved, np.uint8))
            if faces and faces[0].landmarks is None:
                return None
            if faces and faces[0].landmarks is not None:
                seen.append(faces[0].landmarks.points * zoom + corner)
        if len(seen) >= 4:
            values.append(np.sqrt(np.var(seen, axis=0).sum(axis=1)).mean() / scene.sides[0])
    return round(float(np.median(values)) * 100, 3)


def measure(name: str, detector: Detector, data: dict[str, Any]) -> dict[str, Any]:
    """All figures of one detector but its speed; group photographs for those that users choose."""
    wild = [(hits(detector, s), s) for s in data["wild"]]
    anything = sum(bool(hit.any() or extra) for (hit, extra), _ in wild)
    figures = {
        "wild": sum(bool(hit.any()) for (hit, _), _ in wild),
        "wild_any": anything,
        "wild_pictures": len(wild),
        "group": [int(hits(detector, s)[0].sum()) for s in data["groups"]],
        "small": recall_by_size(detector, data["small"]),
        "large": recall_by_size(detector, data["large"]),
        "false_alarms": sum(len(detector.detect(image)) for image in data["faceless"]),
        "faceless_pictures": len(data["faceless"]),
        "jitter": jitter(detector, data["wild"][::JITTER_STEP]),
    }
    if name in SHIPPED:
        figures["crowds"] = recall_in_crowds(detector, data["shared"])
    return figures


def speed(detectors: dict[str, Detector], image: Image, runs: int) -> dict[str, list[float]]:
    """Median and least milliseconds; the detectors take turns, so that all meet the same noise."""
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for k in range(runs + 5):
        for name, detector in detectors.items():
            start = time.perf_counter()
            detector.detect(image)
            if k >= 5:
                times[name].append((time.perf_counter() - start) * 1e3)
    return {n: [round(float(np.median(t)), 2), round(min(t), 2)] for n, t in times.items()}


def row(name: str, figures: dict[str, Any]) -> str:
    """One line of the table."""
    scenes = (figures["small"]["recall"], figures["large"]["recall"])
    percent = [" / ".join(f"{100 * share:.0f}" for share in recall) for recall in scenes]
    beside = figures["small"]["beside"] + figures["large"]["beside"]
    crowds = figures.get("crowds")
    jitters = "-" if figures["jitter"] is None else f"{figures['jitter']:.2f}"
    cells = [
        name,
        f"{100 * figures['wild'] / figures['wild_pictures']:.1f}",
        f"{100 * figures['wild_any'] / figures['wild_pictures']:.1f}",
        " ".join(map(str, figures["group"])),
        *percent,
        f"{100 * crowds['recall']:.1f} ({crowds['beside']})" if crowds else "-",
        str(figures["false_alarms"]),
        str(beside),
        jitters,
        "{:.1f} ({:.1f})".format(*figures["ms_512"]),
        "{:.1f} ({:.1f})".format(*figures["ms_720p"]),
        *(
            f"{figures[key][0] / figures['ms_512'][0]:.1f}" if key in figures else "-"
            for key in ("ms_portrait", "ms_group")
        ),
    ]
    return "| " + " | ".join(cells) + " |"


HEADER = """# Detectors, measured

Detection rate, false alarms, landmark stability and latency of the face detectors. Measured by
`{command}` on {cpu}, one thread, onnxruntime {ort}, OpenCV {cv};
load average of the machine at the end: {load:.1f} on {cores} cores. {times} The columns are
explained below the table.

| detector | tight faces, % | any box, % | group | 512 x 512, % | 1280 x 720, % | crowds, % \
| false alarms | beside faces | jitter, % | ms 512 | ms 720p | portrait, x | group, x |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""

FOOTER = """
- **tight faces**: recall on {wild} photographs filled by one face. A face counts as found when a box overlaps the
  central box (7 to 92 % of the width, 5 to 100 % of the height: the median over the set) with IoU >= {iou}.
  *any box*: at least one box was reported.
- **group**: faces found, of five in a group photograph, at full size (1000 x 667), and reduced to {group} % on a
  512 x 512 canvas (faces of about 55, 44, 33, 28 and 22 px).
- **512 x 512** and **1280 x 720**: recall of wild faces pasted on other pictures, by side in
  pixels: {bins}; {small} and {large} faces.
- **crowds**: recall of {crowd_faces} faces in {crowds} composed group photographs of 2 to 24 megapixels, 10 to 120 faces
  of 40 to 150 px each, and in brackets the number of boxes that match no face; - = not measured. Nothing was chosen on these scenes.
- **false alarms**: boxes in {faceless} pictures without faces (pictures included in
  scikit-image, whole and in quarters, and a landscape). **beside faces**: boxes in the pasted scenes
  that match no face.
- **jitter**: displacement of the landmarks under small changes of the crop, root mean
  square in percent of the height of the face, median over {jitter} tight faces. BlazeFace does not have the five
  landmarks.
- **ms**: median (and minimum) latency of `detect` on scikit-image's astronaut, 512 x 512, one face, and on one
  pasted 1280 x 720 scene, {runs} warm runs, detectors alternating. Other load on the machine increases the
  medians; the minimum is closer to the latency on an idle machine.
- **portrait**, **group**: median latency on a 12-megapixel photograph of one large face and on a 24-megapixel one of forty faces
  of 40 to 150 px, relative to the latency at 512 x 512.

Sizes and thresholds of `auto` were chosen on the same faces and on scenes composed in the same way, so its
figures are slightly optimistic. The network that proposes small faces was trained on other photographs and other backgrounds. The
pasted faces are hard for BlazeFace, which uses hair and shoulders that they lack; the group photograph suits it better. Rows in bold are
detectors of `pyojeong.runtime.detection.registry` with their defaults. The other rows are variants that were compared with `auto`.
CenterFace runs in int8 (`benchmarks/pack_detectors.py`). Its ranges were calibrated on FER2013's training faces pasted on scikit-image's
pictures; some of these pictures are also used here to count false alarms. The earlier result of this script in float32, with copies of
192 to 448 pixels, is below (`{float32}`; columns as above; measured on another machine, so times are not comparable):

{before}

Unrounded figures are in `{json}`, in the same folder.
"""  # noqa: E501


def report(results: dict[str, dict[str, Any]], machine: dict[str, Any], out: Path) -> str:
    """The Markdown page."""
    any_row = next(iter(results.values()))
    text = HEADER.format(**machine)
    text += "\n".join(row(name, figures) for name, figures in results.items()) + "\n"
    return text + FOOTER.format(
        wild=any_row["wild_pictures"],
        iou=MATCH_IOU,
        group=", ".join(f"{100 * s:.0f}" for s in face_scenes.GROUP_SCALES[1:]),
        bins=" / ".join(f"{low} to {high}" for low, high in BINS),
        small=" / ".join(map(str, any_row["small"]["faces"])),
        large=" / ".join(map(str, any_row["large"]["faces"])),
        faceless=any_row["faceless_pictures"],
        crowd_faces=f"{any_row['crowds']['faces']:,}",
        crowds=any_row["crowds"]["pictures"],
        jitter=len(range(0, any_row["wild_pictures"], JITTER_STEP)),
        runs=TIMED_RUNS,
        json=out.with_suffix(".json").name,
        float32=FLOAT32.name,
        before=row("fast, float32", json.loads(FLOAT32.read_text("utf-8"))["detectors"]["auto"]),
    )


def load_data(shared: Path) -> dict[str, Any]:
    """All pictures that detectors are measured on."""
    return {
        "wild": [face_scenes.tight(p) for p in face_scenes.wild_files(shared)],
        "groups": face_scenes.groups(shared),
        "small": list(face_scenes.composed(shared, 90, (512, 512), per_bin=1, seed=8)),
        "large": list(face_scenes.composed(shared, 40, (1280, 720), per_bin=3, seed=7)),
        "shared": shared,
        "faceless": face_scenes.faceless(shared),
    }


def add_speeds(
    results: dict[str, dict[str, Any]], detectors: dict[str, Detector], scene: Image, shared: Path
) -> None:
    """Measure times and put them into the results."""
    for key, image in (("ms_512", face_scenes.shipped("astronaut")), ("ms_720p", scene)):
        for name, times in speed(detectors, image, TIMED_RUNS).items():
            results[name][key] = times
    shipped = {name: detectors[name] for name in SHIPPED}
    large = (("portrait", face_scenes.portrait), ("group", face_scenes.group_of_40))
    for what, make in large:
        for name, times in speed(shipped, make(shared), LARGE_RUNS).items():
            results[name][f"ms_{what}"] = times


def main() -> None:
    """Measure and write the page and its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/detectors.md"))
    parser.add_argument(
        "--speed-only", action="store_true", help="take the other figures from the last run"
    )
    parser.add_argument("--only", nargs="*", help="measure these again, keep the others")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    raw_file = options.out.with_suffix(".json")
    detectors = {name: build() for name, build in (SHIPPED | VARIANTS).items()}
    results: dict[str, dict[str, Any]] = {}
    if options.speed_only:
        last = json.loads(raw_file.read_text(encoding="utf-8"))["detectors"]
        results = {name: last[name.strip("*")] for name in detectors}
        (first,) = face_scenes.composed(options.shared, 1, (1280, 720), per_bin=3, seed=7)
        scene = first.image
    else:
        data = load_data(options.shared)
        last = json.loads(raw_file.read_text(encoding="utf-8"))["detectors"] if options.only else {}
        with Progress(console=Console(stderr=True)) as progress:
            for name in progress.track(detectors, description="measuring"):
                known = name.strip("*")
                old = options.only and known not in options.only
                results[name] = last[known] if old else measure(name, detectors[name], data)
        scene = data["large"][0].image
    add_speeds(results, detectors, scene, options.shared)
    retaken = "The times were taken again later, with `--speed-only`, on a quieter machine."
    machine = {
        "times": retaken if options.speed_only else "",
        "command": f"python benchmarks/detectors.py --shared {options.shared} --out {options.out}",
        "cpu": cpu_name(),
        "ort": onnxruntime.__version__,
        "cv": cv2.__version__,
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(report(results, machine, options.out), encoding="utf-8")
    raw = {"machine": machine, "detectors": {n.strip("*"): f for n, f in results.items()}}
    raw_file.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    Console().print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
