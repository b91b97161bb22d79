"""Mean action units of each person, from files in the layouts of OpenFace, py-feat and FaceReader.

    pyojeong video walk.mp4 --out results --action-units --layout openface --layout facereader
    python read_layouts.py results/walk

Layouts that are not in the folder are left out, and named on stderr.
"""

import json
import sys
from pathlib import Path

import pandas as pd

LEVELS = {"NotActive": 0, "A": 1, "B": 2, "C": 3, "D": 4, "E": 5}


def openface(folder: Path) -> pd.DataFrame:
    """Units of OpenFace: intensities 0 to 5."""
    table = pd.read_csv(folder / "openface.csv", skipinitialspace=True)
    seen = table[table.success == 1]
    return seen.groupby("face_id")[[c for c in table if c.endswith("_r")]].mean()


def pyfeat(folder: Path) -> pd.DataFrame:
    """Units of py-feat: 0 to 1."""
    table = pd.read_csv(folder / "pyfeat.csv")
    units = [c for c in table if c.startswith("AU")]
    return table.dropna(subset="FaceScore").groupby("Identity")[units].mean()


def facereader(folder: Path) -> pd.DataFrame:
    """Units of FaceReader: NotActive = 0, A to E = 1 to 5; one file for each person."""
    means = {}
    for file in sorted(folder.glob("facereader_person*.txt")):
        log = pd.read_csv(file, sep="\t", skiprows=8, na_values=["FIT_FAILED", "FIND_FAILED"])
        units = log.filter(like="Action Unit").apply(lambda column: column.map(LEVELS))
        units.columns = [f"AU{name.split()[2]}" for name in units]
        means[int(file.stem.removeprefix("facereader_person"))] = units.mean()
    return pd.DataFrame(means).T


def main() -> None:
    """Print the means of every layout as JSON: layout, person, unit."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: python read_layouts.py FOLDER, the results of one clip")
    folder = Path(sys.argv[1])
    out = {}
    for read in (openface, pyfeat, facereader):
        if not any(folder.glob(f"{read.__name__}*")):
            sys.stderr.write(f"{folder}: has no files in the layout {read.__name__}\n")
            continue
        means = read(folder)
        means.index = means.index.astype(int)
        out[read.__name__] = json.loads(means.to_json(orient="index"))
    sys.stdout.write(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
