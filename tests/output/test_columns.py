"""The one list of columns: documented, named once, and read in every earlier form."""

import csv
import re
from pathlib import Path

import pytest

from pyojeong.core.action_units import ACTION_UNITS
from pyojeong.core.errors import DataError
from pyojeong.core.face import SCHEMA_VERSION, FrameResult
from pyojeong.core.labels import FER7
from pyojeong.output.columns import COLUMNS, MEASURES, absent, columns_of, present
from pyojeong.output.columns_page import ENGLISH, SNIPPETS, korean, template_of, to_markdown
from pyojeong.output.rows import FORMATS, PARSERS
from pyojeong.output.tables import CsvSink, read_csv
from pyojeong.runtime.golden import PICTURES
from tests.video.made import make_clip

ROOT = Path(__file__).parents[2]


def test_the_snippets_of_the_documentation_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_clip(tmp_path / "clip.mp4", frames=30)
    (tmp_path / "photo.jpg").write_bytes((PICTURES / "astronaut.jpg").read_bytes())
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    for _, code in SNIPPETS:
        exec(compile(code, "docs/columns.md", "exec"), known)
    said = capsys.readouterr().out
    assert "1 of 1 faces clear, 1 files failed" in said
    assert "(0, 73)" in said


@pytest.mark.parametrize(("page", "lang"), [("columns.md", "en"), ("ko/columns.md", "ko")])
def test_the_documentation_is_generated(page: str, lang: str) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == to_markdown(lang)


def test_every_description_has_its_korean_and_no_other() -> None:
    texts = korean()
    assert set(texts["descriptions"]) == {template_of(column) for column in COLUMNS}
    assert set(texts["units"]) == set(ACTION_UNITS)
    assert set(texts["snippets"]) == {title for title, _ in SNIPPETS}
    assert {*texts} - {*ENGLISH} == {"snippets", "comments", "descriptions", "units"}
    code = "\n".join(code for _, code in SNIPPETS)
    assert sorted(texts["comments"]) == sorted(re.findall("  # (.*)", code))


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
    with CsvSink(path, timeline=True, measures=MEASURES) as sink:
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
    if column.name in {"smooth_unclear", "smooth_label"}:  # follow from scores and threshold
        wanted = set()
    assert set(lost) == wanted


def rewritten(path: Path, change) -> list[FrameResult]:
    """A CSV table after ``change`` of its rows (dictionaries)."""
    with path.open(newline="") as file:
        rows = [change(row) for row in csv.DictReader(file)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return list(read_csv(path))


@pytest.mark.parametrize(
    "change",
    [
        lambda row: dict(reversed(row.items())),
        lambda row: dict(sorted(row.items())),
        lambda row: {**row, "score_total": "1", "smooth_note": "x", "light": "0.9"},
        # As pandas writes them.
        lambda row: {k: v.title() if v in {"true", "false"} else v for k, v in row.items()},
        lambda row: {**row, "track_id": row["track_id"] + ".0", "face": row["face"] + ".0"},
    ],
    ids=["reversed", "sorted", "columns of a user", "True and False", "whole floats"],
)
def test_a_table_that_another_program_saved_reads_the_same(
    change, tmp_path, whole_face_result
) -> None:
    path = tmp_path / "t.csv"
    with CsvSink(path, timeline=True, measures=MEASURES) as sink:
        sink.write(whole_face_result)
    assert rewritten(path, change) == [whole_face_result]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": ""}, "column width is empty"),
        ({"face": ""}, "column face is empty"),
        ({"schema": "0"}, "schema must be at least 1"),
        ({"track_id": "2.5"}, "whole number"),
        ({"unclear": "maybe"}, "true or false"),
    ],
)
def test_impossible_cells_are_named(change, words, tmp_path, whole_face_result) -> None:
    path = tmp_path / "t.csv"
    with CsvSink(path, timeline=True, measures=MEASURES) as sink:
        sink.write(whole_face_result)
    with pytest.raises(DataError, match=words):
        rewritten(path, lambda row: {**row, **change})


@pytest.mark.parametrize("name", [c.name for c in columns_of(FER7) if c.required])
def test_a_table_without_a_required_column_is_refused(name: str) -> None:
    assert absent([n for n in header() if n != name]) == [name]


def test_old_names_are_read_and_unknown_ones_left_out() -> None:
    found = present([*header(), "mine"])
    assert set(found) == set(header())
    old = [n.replace("baseline_delta_", "change_").replace("luma", "light") for n in header()]
    assert {c.name for c in present(old).values()} == set(header())
    assert absent(["source"])
