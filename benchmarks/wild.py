"""The bundled model on pictures it was neither trained nor chosen on.

    python benchmarks/wild.py --shared ../shared --out docs/benchmarks/wild.md

Reads the 1,075 press and film faces of muxspace/facial_expressions (one student tagger a picture,
so the labels are noisy). Contempt is left out: the model does not know it. Two ways of framing are
compared: faces found and aligned by a detector (what ``analyze`` does; a picture without a found
face counts as wrong), and the whole picture taken as the face (what ``classify`` does).
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from rich.progress import track

from pyojeong.core.labels import FER7
from pyojeong.evaluate import METRICS, bootstrap, recalls
from pyojeong.image.files import read_image
from pyojeong.runtime.analyzer import Analyzer


def read_legend(folder: Path) -> list[tuple[Path, int]]:
    """Pictures and labels of the seven classes."""
    with (folder / "legend.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        (folder / "images" / row["image"], FER7.index(row["emotion"]))
        for row in rows
        if row["emotion"] != "contempt"
    ]


def main() -> None:
    """Score both framings and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    legend = read_legend(options.shared / "data" / "wild")
    analyzer = Analyzer(options.model, threads=1)
    labels = np.array([label for _, label in legend])
    found = np.zeros(len(legend), bool)
    aligned = np.zeros((len(legend), 7))
    whole = np.zeros((len(legend), 7))
    for i, (path, label) in enumerate(track(legend, "reading")):
        image = read_image(path)
        whole[i] = analyzer.classify([image])[0].scores
        faces = analyzer.analyze(image).faces
        if faces and faces[0].expression is not None:
            found[i] = True
            aligned[i] = faces[0].expression.scores
        else:
            aligned[i, (label + 1) % 7] = 1.0
    result: dict[str, object] = {"model": analyzer.classifier.card.id, "n": len(legend)}
    result["found"] = float(found.mean())
    lines = [
        "# Faces the model was not made for",
        "",
        f"`python benchmarks/wild.py --shared ../shared --out {options.out}`: "
        f"`{analyzer.classifier.card.id}` on {len(legend):,} press and film faces of seven classes "
        "(muxspace/facial_expressions, one tagger a picture). Neither trained nor chosen on them. "
        f"The detector found a face in {found.mean():.1%}; the others count as wrong.",
        "",
        "| framing | accuracy | balanced accuracy | macro-F1 | ECE | "
        + " | ".join(FER7.names) + " |",
        "|---|---|---|--:|--:|" + "--:|" * 7,
    ]  # fmt: skip
    for name, scores in (
        ("found and aligned (`analyze`)", aligned),
        ("whole picture (`classify`)", whole),
    ):
        figures = {m: bootstrap(METRICS[m], scores, labels).to_dict() for m in METRICS}
        recall = recalls(scores, labels)
        result[name] = {**figures, "recall": dict(zip(FER7.names, recall.round(4), strict=True))}
        shown = [
            "{value:.1%} [{low:.1%}, {high:.1%}]".format(**figures[m])
            for m in ("accuracy", "balanced_accuracy")
        ]
        rest = [f"{figures[m]['value']:.3f}" for m in ("macro_f1", "ece")]
        lines.append(f"| {name} | {' | '.join(shown + rest + [f'{r:.0%}' for r in recall])} |")
    lines += ["", "The last seven columns are recalls; intervals are 95 % bootstrap."]
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    options.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
