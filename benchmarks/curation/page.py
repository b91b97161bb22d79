"""Writes docs/benchmarks/curation.md from the measured figures: python benchmarks/curation/page.py."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "benchmarks"
RESULTS = ROOT / "experiments" / "results"


def share(value: float | None) -> str:
    """0.9312 -> 93.1 %."""
    return "" if value is None else f"{100 * value:.1f} %"


def span(pair: list[float]) -> str:
    """[0.91, 0.95] -> [91.0, 95.0]."""
    return f"[{100 * pair[0]:.1f}, {100 * pair[1]:.1f}]"


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return [*lines, *("| " + " | ".join(r) + " |" for r in rows), ""]


def copies(f: dict[str, Any]) -> list[str]:
    """Copies and leaks."""
    lines = [
        "## Copies and leaks in FER2013",
        "",
        "Reference: a digest of the pixels of each picture, computed independently of the check. "
        f"{f['groups']:,} pictures occur more than once ({f['rows_in_groups']:,} rows, {f['surplus_rows']:,} of "
        f"them surplus); {f['groups_across_splits']:,} of these pictures are in more than one split. The check "
        f"found {f['found_rows_in_groups']:,} of {f['rows_in_groups']:,} rows and {f['false']} others.",
        "",
    ]
    rows = [
        (name, f"{f['surplus_by_split'].get(name, 0):,}", f"{f['near_by_split'].get(name, 0):,}")
        for name in sorted({*f["surplus_by_split"], *f["near_by_split"]})
    ]
    lines += table(("split of the row, split of its copy", "exact", "near, not exact"), rows)
    if "near_precision" in f:
        lines += [
            f"Near copies: of {f['near_looked_at']} pairs drawn at random and inspected by eye, "
            f"{share(f['near_precision'])} {span(f['near_precision_95'])} show the same photograph "
            "(labels in benchmarks/curation/near_pairs.csv).",
            "",
        ]
    return lines


def faces(f: dict[str, Any]) -> list[str]:
    """No face."""
    at = f["at_threshold"]
    return [
        "## Not a face, against FER+",
        "",
        f'Reference: "unknown" and "not a face" have the majority of FER+\'s ten votes ({f["positive"]} of '
        f'{f["n"]:,} pictures; {f["named_not_a_face"]} by "not a face" alone). `no-face`: **AUROC '
        f"{f['auroc']:.3f}** [{f['auroc_95'][0]:.3f}, {f['auroc_95'][1]:.3f}], average precision "
        f"{f['average_precision']:.3f}. At its threshold it flags {at['flagged']:,} pictures: precision "
        f"{share(at['precision'])}, recall {share(at['recall'])} {span(at['recall_95'])}. Its false alarms "
        "against FER+ include drawings of faces and faces behind hands.",
        "",
    ]


def labels(f: dict[str, Any]) -> list[str]:
    """Label issues."""
    rows = [
        (
            name,
            f"{f[name]['n']:,}",
            f"{f[name]['positive']:,}",
            f"{f[name]['auroc']:.3f} [{f[name]['auroc_95'][0]:.3f}, {f[name]['auroc_95'][1]:.3f}]",
            f"{f[name]['average_precision']:.3f}",
        )
        for name in ("all", "train", "valid")
    ]
    return [
        "## Label issues, against FER+ majorities",
        "",
        "Reference: among pictures on which at least 8 of 10 FER+ annotators agree, those with a different "
        "FER2013 label. The nets used by the check were trained neither on FER+ nor on the pictures they "
        "check (`experiments/curation-folds.toml`, five folds, last epoch; 61 % on PublicTest each).",
        "",
        *table(("rows", "checked", "wrong labels", "AUROC", "average precision"), rows),
        f"Precision among the 500 highest scores: **{share(f['precision_at_500'])}** "
        f"{span(f['precision_at_500_95'])}. At its threshold the check flags {f['flagged']:,} rows "
        f"({f['flagged_with_clear_majority']:,} with a clear majority: "
        f"{share(f['precision_of_flagged'])} of these labels are wrong, and the suggested label is the label "
        f"of the majority in {share(f['suggested_label_is_the_majority'])} of them).",
        "",
    ]


def text(f: dict[str, Any]) -> list[str]:
    """Writing."""
    return [
        "## Writing in the picture",
        "",
        f"Test set: {f['with_word']} wild photographs of at least 150 pixels with one word of 2 to 12 letters "
        f"written into each (`benchmarks/curation/written.py`), and {f['without']} of them without a word. **Recall "
        f"{share(f['recall'])} at {share(f['false_alarms'])} false alarms** (Korean "
        f"{share(f['recall_korean'])}, English {share(f['recall_english'])}). Tesseract read the whole word in "
        f"{share(f['word_read_whole'])} of the photographs. Latency: {f['ms_per_picture']:.0f} ms per picture. "
        "Threshold and net were developed with other photographs, other fonts and other random numbers.",
        "",
    ]


def fer_text(f: dict[str, Any]) -> list[str]:
    """Watermarks on 48 pixels."""
    return [
        f"Of FER2013's own 48-pixel pictures, {f['looked_at']} drawn at random were inspected by eye. "
        f"{f['writing']} have visible writing (mostly watermarks of picture agencies; {f['unsure']} "
        f"unsure). The check finds {share(f['recall'])} of them at {share(f['false_alarms'])} false alarms: "
        "it misses most letters of three or four pixels.",
        "",
    ]


def wild(f: dict[str, Any]) -> list[str]:
    """Pose and covers."""
    rows = [
        (
            name,
            f"{v['positive']} of {v['n']}",
            share(v["precision"]),
            f"{share(v['recall'])} {span(v['recall_95'])}",
            share(v["specificity"]),
            f"**{share(v['balanced_accuracy'])}**"
            if "test" in name
            else share(v["balanced_accuracy"]),
            f"{v['auroc']:.3f}",
            str(v["unsure_left_out"]),
        )
        for name, v in f.items()
    ]
    header = (
        "check (half)",
        "positives",
        "precision",
        "recall",
        "specificity",
        "balanced accuracy",
        "AUROC",
        "unsure",
    )
    return [
        "## Pose and covers on wild photographs",
        "",
        "All 1,075 photographs were labelled by eye (benchmarks/curation/wild_labels.csv). Thresholds were "
        "chosen on the half dev; the half test was scored once afterwards. Undecided photographs are "
        '"unsure" and excluded. Covers are rare, so the intervals (95 %, Wilson) are wide.',
        "",
        *table(header, rows),
    ]


def speed(f: dict[str, Any]) -> list[str]:
    """Time and memory."""
    parts = ", ".join(f"{k} {v:.0f} s" for k, v in f["seconds_by_part"].items())
    return [
        "## Time and memory",
        "",
        f"All checks but OCR and label issues ({len(f['checks'])}) over {f['rows']:,} pictures with two "
        f"processes on two cores: **{f['seconds'] / 60:.1f} minutes** ({parts}). Largest resident memory: "
        f"{f['peak_mb_of_a_worker']} MB for a worker, {f['peak_mb_of_the_parent']} MB for the parent. "
        "Measured before `near-copy` compared fine detail, which takes minutes, and before `blurred` "
        "took the size of the face into account.",
        "",
    ]


def worth(arms: dict[str, Any]) -> list[str]:
    """Effect of cleaning on accuracy."""
    tests = [k for k in next(iter(arms.values())) if k != "seeds"]
    rows = []
    for arm, result in arms.items():
        cells = []
        for test in tests:
            r = result[test]
            cell = f"{100 * r['accuracy'][0]:.1f} {span(r['accuracy'][1:])}"
            if "against_raw" in r:
                gain = r["against_raw"]
                cell += f" ({100 * gain[0]:+.1f} {span(gain[1:])})"
            cells.append(cell)
        rows.append((f"{arm} (seeds {', '.join(map(str, result['seeds']))})", *cells))
    sizes = [f"{t}, n = {next(iter(arms.values()))[t]['n']:,}" for t in tests]
    return [
        "## What cleaning was worth",
        "",
        "One experiment (`experiments/cleaning.toml`) trained on differently cleaned data; last epoch, single "
        "view, on PublicTest. Accuracy in % with 95 % intervals over pictures; in parentheses the difference "
        "to raw on the same pictures (same seeds). `noleaks` drops training pictures that are exact or near "
        "copies of PublicTest or PrivateTest pictures. `labels` drops pictures without a face and applies the "
        "new labels suggested by `label-issue`. `cleaned` does both and also drops copies within training. All "
        "suggestions were accepted without review by a person. Runs with fewer pictures took fewer steps in "
        "the same number of epochs.",
        "",
        *table(("trained on", *sizes), rows),
    ]


def main() -> None:
    """Write the page."""
    figures = json.loads((DOCS / "curation.json").read_text(encoding="utf-8"))
    makers = {
        "copies": copies,
        "faces": faces,
        "labels": labels,
        "text": text,
        "fer_text": fer_text,
        "wild": wild,
        "time": speed,
    }
    lines = [
        "# Curation, measured",
        "",
        "Written by `python benchmarks/curation/page.py` from the results of `measure.py`, `text.py` and "
        "`worth.py` in the same folder. Their docstrings have the commands.",
        "",
    ]
    for name, make in makers.items():
        if name in figures:
            lines += make(figures[name])
    cleaning = RESULTS / "cleaning.json"
    if cleaning.exists():
        lines += worth(json.loads(cleaning.read_text(encoding="utf-8")))
    notes = DOCS / "curation.notes.md"
    if notes.exists():
        lines += notes.read_text(encoding="utf-8").splitlines()
    (DOCS / "curation.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
