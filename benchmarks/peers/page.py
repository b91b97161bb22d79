"""The page and its figures, out of the answers of all entrants."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers.answers import read_parquet
from benchmarks.peers.asking import failure_of
from benchmarks.peers.entrants import PEERS, PUBLISHED, Entrant
from benchmarks.peers.environments import read_built, weights_mb
from benchmarks.peers.nets import read_nets
from benchmarks.peers.pictures import read_set
from benchmarks.peers.scores import difference, figures
from benchmarks.peers.timing import read_timing

SETS = {
    "wild": "Press and film photographs with a label on which the annotators agree (a "
    "vision-language model, asked twice). As far as we know, no tool was trained on them. Our "
    "temperature, default prior and threshold were fitted on them; cross-fitted by person, "
    "[accuracy](accuracy.md) is the same within 0.6 points. ECE is the calibration error against "
    "correctness on these pictures. Our scores are shares of people and therefore too low for "
    "pictures on which all annotators agree.",
    "folder": "Photographs of your own folder.",
    "fer2013-public": "Cropped faces of FER2013's PublicTest. Our model was chosen on these "
    "pictures, and so was fer's net (see below).",
    "fer2013-private": "Cropped faces of FER2013's PrivateTest, measured after our model was "
    "published.",
}


def summed_up(entrants: Sequence[Entrant], work: Path, model: str) -> dict[str, Any]:
    """Figures of every entrant that answered, by set; the first one is the reference."""
    answers = {e.name: read_parquet(work / "answers" / f"{e.name}.parquet") for e in entrants}
    sets: dict[str, Any] = {}
    for name in SETS:
        pictures = read_set(work, name)
        if pictures is None:
            continue
        ids = [p.id for p in pictures.pictures]
        truths = json.dumps([[p.id, p.truth] for p in pictures.pictures]).encode()
        found: dict[str, Any] = {
            "n": len(ids),
            "kind": pictures.kind,
            "sha256": hashlib.sha256(truths).hexdigest(),
            "entrants": {},
        }
        reference = [r for r in answers[entrants[0].name] if r["set"] == name]
        for entrant in entrants:
            rows = [r for r in answers[entrant.name] if r["set"] == name]
            check_complete(entrant.name, name, ids, rows)
            if not rows:
                continue
            row = {"version": rows[0]["version"], **figures(rows)}
            if reference and entrant is not entrants[0]:
                row["ours_minus_this"] = difference(reference, rows)
            found["entrants"][entrant.name] = row
        sets[name] = found
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "reference": entrants[0].name,
        "model": model,
        "sets": sets,
        "entrants": {e.name: described(e, work) for e in entrants},
        "timing": read_timing(work),
        "nets": read_nets(work),
        "published": [[p.name, p.figure, p.caveat, p.why_not] for p in PUBLISHED],
    }


def check_complete(
    entrant: str, name: str, ids: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse to compare an entrant that answered other pictures, or only some of them.

    Raises:
        SystemExit: With the cure.
    """
    if rows and [r["picture"] for r in rows] != list(ids):
        raise SystemExit(
            f"{entrant} answered {len(rows)} pictures of {name}, which are not the {len(ids)} of "
            "its list: run `ask` again before `table`"
        )


def described(entrant: Entrant, work: Path) -> dict[str, Any]:
    """How an entrant was run, and what it takes on disk."""
    there = read_built(work, entrant.environment)
    failed = failure_of(work, entrant)
    return {
        "ran": entrant.ran,
        "no_crops": entrant.no_crops,
        "runtime": there.runtime if there else "",
        "installed_mb": there.mb if there else None,
        "not_built": there.reason if there else "its environment was not built",
        "failed": failed.read_text(encoding="utf-8").strip() if failed.exists() else "",
        "weights_mb": weights_mb(entrant, work),
    }


def to_markdown(result: Mapping[str, Any]) -> str:
    """The page."""
    parts = [
        "# Beside other tools\n",
        "<!-- Written by `python -m benchmarks.peers table`; do not edit. -->\n",
        f"Measured {result['date']} with `python -m benchmarks.peers`. Every tool was installed "
        "from its registry with pinned versions ([pins](../../benchmarks/peers/pins)) and received "
        "the same picture files. It used its own detector and net unless the description of the "
        "row differs. A picture without a detected face counts as wrong. With several faces, the "
        "largest is scored. Brackets are 95 % bootstrap intervals. Differences are paired by "
        "picture.\n",
    ]
    for name, found in result["sets"].items():
        parts += [f"## {name} (n = {found['n']:,})\n", f"{SETS[name]}\n", set_table(result, name)]
        parts += ["", recall_table(found), ""]
    if result["timing"]:
        parts += ["## Speed\n", speed_table(result), ""]
    if result["nets"]:
        parts += ["## The nets alone\n", nets_table(result["nets"]), ""]
    parts += ["## What they take\n", size_table(result), "", "## How each was run\n"]
    ran = {e.name: e.ran for e in PEERS}
    parts += [f"- **{n}**: {ran.get(n, e['ran'])}" for n, e in result["entrants"].items()]
    parts += ["", "## Not run\n", _table(("tool", "published figure", "notes", "reason"))]
    parts += [f"| {p.name} | {p.figure} | {p.caveat} | {p.why_not} |" for p in PUBLISHED]
    not_built = {n: e["not_built"] for n, e in result["entrants"].items() if e["not_built"]}
    parts += [f"| {n} | | | could not be installed here: {why} |" for n, why in not_built.items()]
    failed = {n: e["failed"] for n, e in result["entrants"].items() if e["failed"]}
    parts += [f"| {n} | | | was installed, but {why} |" for n, why in failed.items()]
    parts.append(
        "\nfer, PAZ and human use the same net, mini-Xception. Its training script keeps the "
        "checkpoint with the best result on the pictures for which it reports accuracy. Most "
        "published figures for FER2013 are selected in the same way and are therefore too high."
    )
    return "\n".join(parts) + "\n"


def set_table(result: Mapping[str, Any], name: str) -> str:
    """Figures of all entrants on one set; the best balanced accuracy first."""
    found = result["sets"][name]["entrants"]
    order = sorted(found, key=lambda n: -found[n]["balanced_accuracy"]["value"])
    lines = [
        _table(
            (
                "tool",
                "no face, %",
                "accuracy, %",
                "balanced accuracy, %",
                "macro-F1",
                "ECE",
                "balanced accuracy, ours minus this, points",
            )
        )
    ]
    for n in order:
        row = found[n]
        apart = row.get("ours_minus_this")
        cells = (
            f"**{n}**" if n == result["reference"] else n,
            f"{100 * row['no_face']['value']:.1f}",
            percent(row["accuracy"]),
            percent(row["balanced_accuracy"]),
            f"{row['macro_f1']['value']:.3f}",
            f"{row['ece_of_found']['value']:.3f}" if "ece_of_found" in row else "",
            points(apart["balanced_accuracy"]) if apart else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def recall_table(found: Mapping[str, Any]) -> str:
    """Recall of each label."""
    entrants = found["entrants"]
    names = list(next(iter(entrants.values()))["recall"]) if entrants else []
    lines = [_table(("recall, %", *names))]
    for n, row in entrants.items():
        cells = ["" if row["recall"][k] is None else f"{100 * row['recall'][k]:.0f}" for k in names]
        lines.append(f"| {' | '.join([n, *cells])} |")
    return "\n".join(lines)


def speed_table(result: Mapping[str, Any]) -> str:
    """Milliseconds per photograph, also as a multiple of ours."""
    timing = result["timing"]
    ours = timing["entrants"].get(result["reference"])
    lines = [
        f"Latency on {timing['pictures']} of the wild photographs, one thread per tool, "
        f"{timing['rounds']} rounds, tools alternating. Decoding is not included. Load of the "
        "machine at the start of each round: "
        f"{', '.join(f'{v:g}' for v in timing['load'])}.\n",
        _table(
            ("tool", "ms per photograph", "range of the rounds", "times ours", "peak memory, MB")
        ),
    ]
    for n, row in sorted(timing["entrants"].items(), key=lambda item: item[1]["ms"]):
        ratio = f"{row['ms'] / ours['ms']:.1f}" if ours else ""
        rounds = f"{min(row['rounds']):.1f} to {max(row['rounds']):.1f}"
        lines.append(f"| {n} | {row['ms']:.1f} | {rounds} | {ratio} | {row['peak_mb']:,} |")
    return "\n".join(lines)


def nets_table(nets: Mapping[str, Any]) -> str:
    """Latency and throughput of the nets on one runtime."""
    lines = [
        "Classification of cropped faces, without detection: all nets on onnxruntime "
        f"{nets['onnxruntime']}, on an {nets['cpu']}, {nets['rounds']} rounds, nets alternating. "
        "Brackets are the minimum and maximum of the rounds. fer's Keras file was converted to "
        f"ONNX. Load of the machine: {nets['load'][1]:g} to {nets['load'][0]:g}.\n",
        _table(
            ("net", "MB", "one face, one thread, ms", "64 faces, two threads, faces per second")
        ),
    ]
    for name, row in nets["nets"].items():
        ms, rate = row["ms_per_face_rounds"], row["faces_per_s_rounds"]
        cells = (
            name,
            f"{row['mb']:.2f}",
            f"{row['ms_per_face']:.2f} [{min(ms):.2f}, {max(ms):.2f}]",
            f"{row['faces_per_s']:,.0f} [{min(rate):,.0f}, {max(rate):,.0f}]",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def size_table(result: Mapping[str, Any]) -> str:
    """Size of each installation, and of the weight files that the configuration reads."""
    lines = [_table(("tool", "version", "runtime", "installed, MB", "weights, MB"))]
    versions = {
        n: row["version"]
        for found in result["sets"].values()
        for n, row in found["entrants"].items()
    }
    for n, e in result["entrants"].items():
        if e["installed_mb"] is None:
            continue
        weights = "" if e["weights_mb"] is None else f"{e['weights_mb']:.2f}"
        cells = (n, versions.get(n, ""), e["runtime"], f"{e['installed_mb']:.0f}", weights)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _table(header: Sequence[str]) -> str:
    return f"| {' | '.join(header)} |\n|---|{'--:|' * (len(header) - 1)}"


def percent(figure: Mapping[str, float]) -> str:
    """A share with its interval, in percent."""
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * figure[k] for k in ("value", "low", "high")))


def points(figure: Mapping[str, float]) -> str:
    """A difference of shares with its interval, in points."""
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * figure[k] for k in ("value", "low", "high")))
