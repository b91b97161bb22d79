"""docs/columns.md: every column, and how the tables are used with pandas.

``python -m pyojeong.output.columns_page`` prints it.
"""

import sys
from collections.abc import Mapping

from pyojeong.core.labels import FER7
from pyojeong.output.columns import COLUMNS

SNIPPETS = (
    (
        "From images to a table",
        """import pyojeong

analyzer = pyojeong.Analyzer(threads=1)
d = pyojeong.to_dataframe(analyzer.analyze_files(["photo.jpg", "missing.jpg"]))
print(d[["source", "label", "top_score", "error"]])""",
    ),
    (
        "Answers that are clear, and files that could not be read",
        """faces = d[d.face.notna()]  # rows without a face have empty face columns
clear = faces[~faces.unclear]  # unclear is a boolean without gaps
failed = d[d.error.notna()]
print(f"{len(clear)} of {len(faces)} faces clear, {len(failed)} files failed")""",
    ),
    (
        "A clip: mean scores of each person in steps of a second",
        """video = analyzer.analyze_video("clip.mp4", smooth_s=0.5)
v = pyojeong.to_dataframe(video)
scores = [name for name in v.columns if name.startswith("score_")]
print(v.groupby(["track_id", v.time_s.astype(int)])[scores].mean().round(2))""",
    ),
    (
        "Tables that a command wrote",
        """pyojeong.to_csv(video, "results.csv")
again = pyojeong.to_dataframe(pyojeong.read_table("results.csv"))
assert again.equals(v)  # numbers come back exactly""",
    ),
    (
        "Without this package: pandas alone",
        """import pandas as pd

flags = dict.fromkeys(["head_valid", "eyes_valid", "gaze_valid", "units_valid"], "boolean")
t = pd.read_csv("results.csv", dtype=flags)
print(t[t.unclear].shape, (t.time_s.max() - t.time_s.min()), "s")""",
    ),
)
"""Title and code; tests run them in this order, in a folder with photo.jpg and clip.mp4."""


def to_markdown() -> str:
    """Return docs/columns.md."""
    lines = [
        "# Columns of the tables",
        "",
        "<!-- Written by `python -m pyojeong.output.columns_page`; do not edit. -->",
        "",
        "CSV and Parquet have one row for each face, and so have `pyojeong.to_records`,",
        "`to_dataframe` and `to_arrow`. Frames without a face produce one row with",
        "empty face columns. What was not measured is empty, never zero; the two columns of",
        "answers that are unclear are false there. JSON lines hold the same",
        "as one dictionary for each frame. Tables of earlier schemas are read: their old names",
        "count, and columns that they lack are empty. Columns that are not in this list stay where",
        "they are when `pyojeong video redact` rewrites a table. Tables with the columns of",
        "OpenFace, py-feat and FaceReader: [layouts of other tools](layouts.md).",
        "",
        "`{label}`: one column for each label of the table's label set, for example "
        f"`score_{FER7.names[3]}`.",
        "",
        "Brackets at the end of a line say which tables have the column: *clips and `--eyes`* are",
        "those of clips, and of photographs that were read with `--eyes` or `--action-units`. Such",
        "a table has all of these columns; those of an option that was not given are empty.",
        "",
        "| column | type | unit | since schema | what it holds |",
        "|---|---|---|---|---|",
    ]
    groups: Mapping[str, str] = {
        "timeline": " (clips and `--eyes`)",
        "action_units": " (`--action-units`)",
    }
    for each in COLUMNS:
        old = f" Earlier: `{'`, `'.join(each.old_names)}`." if each.old_names else ""
        words = f"{each.description}{groups.get(each.group, '')}.{old}"
        lines.append(f"| `{each.name}` | {each.dtype} | {each.unit} | {each.since} | {words} |")
    lines += [
        "",
        "## With pandas",
        "",
        "In a DataFrame of `to_dataframe`, columns of type int are `int64`, or `Int64` where they",
        "can be empty; `unclear` and `smooth_unclear` are `bool`; `head_valid`, `eyes_valid`,",
        "`gaze_valid` and `units_valid` are `boolean`, with `<NA>` where nothing was tried. Angles",
        "are radians: `numpy.degrees` converts them. `d[~d.unclear]` also holds rows without a",
        "face: filter by `face.notna()` first. pandas reads Parquet with the same types by",
        '`pd.read_parquet(path, dtype_backend="numpy_nullable")`; without it, flags with gaps are',
        "`object`, and whole numbers with gaps are floats. `d.index` is that of pandas: the column",
        '`index` is `d["index"]`.',
    ]
    for title, code in SNIPPETS:
        lines += ["", f"### {title}", "", "```python", code, "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(to_markdown())
