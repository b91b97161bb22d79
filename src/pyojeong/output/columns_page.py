"""Generate docs/columns.md and docs/ko/columns.md: all columns, and the tables in pandas.

``python -m pyojeong.output.columns_page`` prints it, ``--lang ko`` in Korean.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from pyojeong.core.action_units import ACTION_UNITS
from pyojeong.core.labels import FER7
from pyojeong.output.column_spec import ColumnSpec
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


ENGLISH: dict[str, Any] = {
    "title": "Columns of the tables",
    "introduction": [
        "CSV and Parquet tables, `pyojeong.to_records`, `to_dataframe` and `to_arrow` have one row",
        "per face. Frames without a face produce one row with empty face columns. Values that were",
        "not measured are empty, never zero; the columns `unclear` and `smooth_unclear` are then",
        "false. JSON Lines have the same content as one dictionary per frame. Tables of earlier",
        "schemas can be read: old column names are recognised, and missing columns are empty.",
        "Columns that are not in this list are kept when `pyojeong video redact` rewrites a table.",
        "For the columns of OpenFace, py-feat and FaceReader see",
        "[layouts of other tools](layouts.md).",
        "",
        "`{label}`: one column for each label of the table's label set, for example "
        f"`score_{FER7.names[3]}`.",
        "",
        "The parentheses at the end of a description name the tables that have the column. *clips",
        "and `--eyes`*: tables of clips, and of photographs that were analyzed with `--eyes` or",
        "`--action-units`. These tables have all of these columns; the columns of an option that",
        "was not given are empty.",
    ],
    "heads": ["column", "type", "unit", "since schema", "description"],
    "earlier": "Earlier:",
    "groups": {"timeline": " (clips and `--eyes`)", "action_units": " (`--action-units`)"},
    "pandas": [
        "## With pandas",
        "",
        "In a DataFrame of `to_dataframe`, integer columns have the dtype `int64`, or `Int64` if",
        "they can be empty; `unclear` and `smooth_unclear` are `bool`; `head_valid`, `eyes_valid`,",
        "`gaze_valid` and `units_valid` are `boolean`, with `<NA>` if the measurement was not",
        "attempted. Angles are in radians: `numpy.degrees` converts them. `d[~d.unclear]` includes",
        "rows without a face: filter with `face.notna()` first. To read Parquet with these types",
        'in pandas, use `pd.read_parquet(path, dtype_backend="numpy_nullable")`; otherwise flags',
        "with missing values are `object`, and integers with missing values are floats. `d.index`",
        'is the index of pandas; the column `index` is `d["index"]`.',
    ],
}


def korean() -> dict[str, Any]:
    """Return the texts of docs/ko/columns.md; English description -> Korean in `descriptions`."""
    text = files("pyojeong.output").joinpath("columns_page.ko.json").read_text("utf-8")
    texts: dict[str, Any] = json.loads(text)
    return texts


def template_of(column: ColumnSpec) -> str:
    """Return a column's description with `{unit}` in place of an action unit's name."""
    words = ACTION_UNITS.get(column.name.partition("_")[0])
    return column.description if words is None else column.description.replace(words, "{unit}")


def _description(column: ColumnSpec, texts: Mapping[str, Any]) -> str:
    if "descriptions" not in texts:
        return column.description
    words: str = texts["descriptions"][template_of(column)]
    return words.replace("{unit}", texts["units"].get(column.name.partition("_")[0], ""))


def _code(code: str, comments: Mapping[str, str]) -> str:
    for english, other in comments.items():
        code = code.replace(f"# {english}", f"# {other}")
    return code


def to_markdown(lang: str = "en") -> str:
    """Return the page.

    Args:
        lang: ``"en"`` = docs/columns.md, ``"ko"`` = docs/ko/columns.md.
    """
    texts = korean() if lang == "ko" else ENGLISH
    option = " --lang ko" if lang == "ko" else ""
    lines = [
        f"# {texts['title']}",
        "",
        f"<!-- Written by `python -m pyojeong.output.columns_page{option}`; do not edit. -->",
        "",
        *texts["introduction"],
        "",
        f"| {' | '.join(texts['heads'])} |",
        "|---|---|---|---|---|",
    ]
    for each in COLUMNS:
        old = f" {texts['earlier']} `{'`, `'.join(each.old_names)}`." if each.old_names else ""
        words = f"{_description(each, texts)}{texts['groups'].get(each.group, '')}.{old}"
        lines.append(f"| `{each.name}` | {each.dtype} | {each.unit} | {each.since} | {words} |")
    lines += ["", *texts["pandas"]]
    for title, code in SNIPPETS:
        shown = texts.get("snippets", {}).get(title, title)
        lines += ["", f"### {shown}", "", "```python"]
        lines += [_code(code, texts.get("comments", {})), "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="Print the page of the columns.")
    asked.add_argument("--lang", choices=["en", "ko"], default="en")
    sys.stdout.write(to_markdown(asked.parse_args().lang))
