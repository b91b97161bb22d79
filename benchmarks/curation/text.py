"""Measures the text check: words written into photographs against the same kind without.

    python benchmarks/curation/text.py --wild ../shared/data/wild

500 photographs get one word each (``written.py``), 500 others stay as they are; all have a shorter
side of 150 pixels or more, and photographs with writing of their own (wild_text.csv) are left out.
The threshold was chosen on other photographs with other random numbers (``--half dev``).
"""

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from written import write_word

from pyojeong.curate.text_check import Text
from pyojeong.image.files import read_image
from pyojeong.image.preprocess import to_gray

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs" / "benchmarks"


def main() -> None:
    """Measure, print, and add to docs/benchmarks/curation.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wild", type=Path, required=True)
    parser.add_argument("--half", choices=["dev", "test"], default="test")
    parser.add_argument("--count", type=int, default=500)
    given = parser.parse_args()
    with (HERE / "wild_labels.csv").open(newline="", encoding="utf-8") as file:
        halves = {row["image"]: row["half"] for row in csv.DictReader(file)}
    with (HERE / "wild_text.csv").open(newline="", encoding="utf-8") as file:
        written_on = {row["image"] for row in csv.DictReader(file)}
    names = [n for n, half in sorted(halves.items()) if half == given.half and n not in written_on]
    rng = np.random.default_rng(2026 if given.half == "test" else 1)
    check = Text()
    clean, marked, words, seconds = [], [], [], []
    order = list(rng.permutation(names))
    console = Console(stderr=True)
    for name in track(order, "photographs", console=console):
        image = read_image(given.wild / "images" / name)
        if min(image.shape[:2]) < 150:
            continue
        if len(clean) < given.count:
            began = time.perf_counter()
            clean.append(check.judge(to_gray(image))[0])
            seconds.append(time.perf_counter() - began)
        if len(marked) < given.count:
            photo, word = write_word(image, rng)
            score, read = check.judge(to_gray(photo))
            marked.append(score)
            words.append((word, None if read is None else read.text))
    no, yes = np.array(clean), np.array(marked)
    korean = np.array(["가" <= w[0] <= "힣" for w, _ in words])
    right = np.array([r is not None and w.lower() in r.lower() for w, r in words])
    out = {
        "half": given.half,
        "with_word": len(yes),
        "without": len(no),
        "threshold": check.threshold,
        "recall": round(float((yes >= check.threshold).mean()), 4),
        "false_alarms": round(float((no >= check.threshold).mean()), 4),
        "recall_korean": round(float((yes[korean] >= check.threshold).mean()), 4),
        "recall_english": round(float((yes[~korean] >= check.threshold).mean()), 4),
        "word_read_whole": round(float(right.mean()), 4),
        "ms_per_picture": round(1e3 * float(np.median(seconds)), 1),
    }
    for t in np.arange(0.2, 0.95, 0.05):
        console.print(f"{t:.2f}: recall {(yes >= t).mean():.3f}, false {(no >= t).mean():.3f}")
    console.print(out)
    if given.half == "test":
        file = DOCS / "curation.json"
        figures = json.loads(file.read_text()) if file.exists() else {}
        figures["text"] = out
        file.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
