"""The one list of columns: documented, named once, and read in every earlier form."""

from pathlib import Path

import pytest

from pyojeong.core.face import SCHEMA_VERSION
from pyojeong.core.labels import FER7
from pyojeong.output.columns import COLUMNS, absent, columns_of, present, to_markdown
from pyojeong.output.rows import FORMATS, PARSERS
from pyojeong.output.tables import CsvSink, read_csv

ROOT = Path(__file__).parents[2]


def test_the_documentation_is_generated() -> None:
    assert (ROOT / "docs" / "columns.md").read_text(encoding="utf-8") == to_markdown()


def test_names_are_unique_and_types_known() -> None:
    names = [n for c in columns_of(FER7) for n in (c.name, *c.old_names)]
    assert len(names) == len(set(names))
    for column in COLUMNS:
        assert column.dtype in FORMATS
        assert column.dtype in PARSERS
        assert bool(column.path) != (column.compute is not None)
        assert 1 <= column.since <= SCHEMA_VERSION
        assert not (column.required and column.since > 1)
        assert column.description


def header() -> list[str]:
    return [column.name for column in columns_of(FER7)]


def without(path: Path, name: str) -> None:
    """Take one column out of a CSV file that has no quoted fields."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    at = lines[0].index(name)
    text = "\n".join(",".join(v for i, v in enumerate(line) if i != at) for line in lines)
    path.write_text(text + "\n")


@pytest.mark.parametrize(
    "column", [c for c in columns_of(FER7) if not c.required], ids=lambda c: c.name
)
def test_a_missing_column_is_empty_and_takes_nothing_else_along(
    column, tmp_path, whole_face_result
) -> None:
    path = tmp_path / "t.csv"
    with CsvSink(path, timeline=True) as sink:
        sink.write(whole_face_result)
    (before,) = read_csv(path)
    assert before == whole_face_result
    without(path, column.name)
    (after,) = read_csv(path)
    lost = [
        name
        for name in ("landmarks", "expression", "track_id", "pose", "eyes", "smoothed",
                     "baseline_delta", "luma")
        if getattr(after.faces[0], name) != getattr(before.faces[0], name)
    ]  # fmt: skip
    part = {"landmarks", "pose", "eyes", "smoothed", "track_id", "baseline_delta", "luma"}
    wanted = {column.path[0]} & part if column.path else set()
    wanted |= {"expression", "smoothed"} if column.name == "prior" else set()
    if column.name == "smooth_unclear":  # follows from scores and threshold
        wanted = set()
    assert set(lost) == wanted


@pytest.mark.parametrize("name", [c.name for c in columns_of(FER7) if c.required])
def test_a_table_without_a_required_column_is_refused(name: str) -> None:
    assert absent([n for n in header() if n != name]) in ([name], []) or name.startswith("score_")
    if not name.startswith("score_"):
        assert absent([n for n in header() if n != name]) == [name]


def test_old_names_are_read_and_unknown_ones_left_out() -> None:
    found = present([*header(), "mine"])
    assert set(found) == set(header())
    old = [n.replace("baseline_delta_", "change_").replace("luma", "light") for n in header()]
    assert {c.name for c in present(old).values()} == set(header())
    assert absent(["source"])
