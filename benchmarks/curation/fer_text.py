"""The text check on FER2013's 48-pixel pictures: 200 drawn at random and looked at (fer_text.csv).

python benchmarks/curation/fer_text.py runs/fer2013.parquet
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.text_check import Text
from pyojeong.datasets.samples import read_picked

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs" / "benchmarks"


def main() -> None:
    """Measure, print, and add to docs/benchmarks/curation.json."""
    with (HERE / "fer_text.csv").open(newline="", encoding="utf-8") as file:
        looked = {int(row["row"]): row["writing"] for row in csv.DictReader(file)}
    picked = read_picked(Path(sys.argv[1]), looked)
    check = Text()
    scores = {
        row: check.check_image(DecodedImage(row, sample)).score for row, sample in picked.items()
    }
    yes = np.array([scores[r] for r, w in looked.items() if w == "yes"])
    no = np.array([scores[r] for r, w in looked.items() if w == "no"])
    for t in (0.3, 0.4, 0.5, 0.55, 0.6):
        print(f"{t}: recall {(yes >= t).mean():.3f}, false alarms {(no >= t).mean():.3f}")
    out = {
        "looked_at": len(looked),
        "writing": len(yes),
        "unsure": sum(w == "unsure" for w in looked.values()),
        "recall": round(float((yes >= check.threshold).mean()), 4),
        "false_alarms": round(float((no >= check.threshold).mean()), 4),
    }
    print(out)
    file = DOCS / "curation.json"
    figures = json.loads(file.read_text()) if file.exists() else {}
    figures["fer_text"] = out
    file.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
