"""Results as records, data frames and Arrow tables: the same rows as the files."""

import csv
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyojeong
from pyojeong import Box, Expression, Face, FrameResult
from pyojeong.core.errors import BadArray, DataError, LabelUnknown, MissingExtra
from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.output.columns import MEASURES, columns_of
from pyojeong.output.records import to_arrow, to_dataframe, to_records
from pyojeong.output.rows import column_values, rows


def expression(threshold: float = 0.0) -> Expression:
    return Expression(np.array([0, 0, 0, 0.7, 0.1, 0.2, 0], np.float32), FER7, threshold, "between")


ONE = Face(Box(1, 2, 30, 40), 0.9, expression=expression())
RESULTS = [
    FrameResult("a.jpg", 0, 0.0, (64, 48), (ONE, replace(ONE, expression=expression(0.9)))),
    FrameResult("b.jpg", 0, 0.0, (64, 48)),
    FrameResult("c.jpg", 0, 0.0, (0, 0), error="c.jpg: no such file"),
]


def test_records_are_the_rows_of_the_csv(tmp_path: Path) -> None:
    records = to_records(RESULTS)
    with pyojeong.to_csv(RESULTS, tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [list(record) for record in records] == [list(row) for row in rows]
    assert [record["face"] for record in records] == [0, 1, None, None]
    assert [record["unclear"] for record in records] == [False, True, False, False]
    assert [row["unclear"] for row in rows] == ["false", "true", "false", "false"]
    assert RESULTS[0].to_records() == records[:2]


def test_a_frame_selects_by_its_booleans() -> None:
    d = to_dataframe(RESULTS)
    assert d[d.unclear].label.tolist() == ["unclear"]
    assert len(d[~d.unclear]) == 3
    assert d.unclear.dtype == bool
    assert d[d.face.notna()].width.tolist() == [64, 64]
    assert d.error[3] == "c.jpg: no such file"
    assert d.error[:3].isna().all()
    assert str(d.width.dtype) == "Int64"
    assert d.score_happy.dtype == np.float32


@pytest.mark.parametrize("read", [pd.read_csv, pd.read_parquet])
def test_tables_read_by_pandas_select_too(read, tmp_path: Path) -> None:
    smooth = [replace(r, faces=tuple(replace(f, smoothed=f.expression) for f in r.faces))
              for r in RESULTS]  # fmt: skip
    write = pyojeong.to_csv if read is pd.read_csv else pyojeong.to_parquet
    d = read(write(smooth, tmp_path / "t"))
    assert d[d.unclear].face.tolist() == [1]
    assert d[d.smooth_unclear].face.tolist() == [1]


def test_the_columns_of_clips_come_when_a_face_has_some() -> None:
    plain = list(to_records(RESULTS)[0])
    seen = replace(ONE, pose=HeadPose(0.1, 0.2, 0.3), eyes=EyeSignals(openness=(0.5, 0.5)))
    measured = FrameResult("v.mp4", 1, 0.5, (64, 48), (seen, ONE))
    more = to_records(measured)
    assert set(plain) < set(more[0])
    assert [r["eyes_valid"] for r in more] == [True, None]
    d = to_dataframe([measured, *RESULTS])
    assert str(d.eyes_valid.dtype) == "boolean"
    assert len(d[d.eyes_valid]) == 1
    assert list(to_records(RESULTS, timeline=True)[0]) == list(more[0])
    assert list(to_records(measured, timeline=False)[0]) == plain


def test_nothing_at_all_is_a_table_without_rows() -> None:
    d = to_dataframe([])
    assert list(d.columns) == list(to_records(RESULTS[1])[0])
    assert len(d) == 0
    assert d[d.unclear].empty
    assert to_arrow([]).num_rows == 0


def test_arrow_is_what_the_parquet_file_holds(tmp_path: Path) -> None:
    path = pyojeong.to_parquet(RESULTS, tmp_path / "t.parquet")
    assert pq.read_table(path).equals(to_arrow(RESULTS))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_written_and_read_again(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.{ending}"
    getattr(pyojeong, f"to_{ending}")(RESULTS, path)
    assert list(pyojeong.read_table(path)) == RESULTS
    assert to_dataframe(pyojeong.read_table(path)).equals(to_dataframe(RESULTS))


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadArray, match="got dict"):
        to_records([{}])  # type: ignore[list-item]
    eight = Expression(np.full(8, 1 / 8, np.float32), FERPLUS8)
    other = FrameResult("d.jpg", 0, 0.0, (8, 8), (replace(ONE, expression=eight),))
    with pytest.raises(LabelUnknown, match="ferplus8"):
        to_dataframe([*RESULTS, other])
    assert "score_contempt" in to_dataframe(other)
    with pytest.raises(DataError, match=r"\.csv"):
        pyojeong.read_table(tmp_path / "t.xlsx")
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"pyojeong\[pandas\]"):
        to_dataframe(RESULTS)


def seconds_of(job: Callable[[], object]) -> float:
    """Return the shortest CPU time of seven runs: other processes do not count."""
    times = []
    for _ in range(7):
        began = time.process_time()
        job()
        times.append(time.process_time() - began)
    return min(times)


def test_a_data_frame_costs_less_than_its_records() -> None:
    """Its columns are gathered at once: 1,000 results take 50 ms on an idle core."""
    many = [RESULTS[0]] * 500 + [RESULTS[1]] * 500
    assert len(to_dataframe(many)) == 1500
    assert seconds_of(lambda: to_dataframe(many)) < 1.2 * seconds_of(lambda: to_records(many))


@settings(max_examples=40)
@given(data=st.data())
def test_column_values_are_the_rows_transposed(frame_results, data) -> None:
    results = data.draw(st.lists(frame_results(timeline=True), max_size=4))
    columns = columns_of(FER7, timeline=data.draw(st.booleans()), measures=MEASURES)
    table = [row for result in results for row in rows(result, columns, FER7)]
    values = column_values(results, columns, FER7)
    assert len(values) == len(columns)
    assert [list(row) for row in zip(*values, strict=True)] == table


def test_results_of_two_models_leave_the_file_as_it_was(tmp_path: Path) -> None:
    eight = Expression(np.full(8, 1 / 8, np.float32), FERPLUS8)
    other = FrameResult("d.jpg", 0, 0.0, (8, 8), (replace(ONE, expression=eight),))
    for name in ("csv", "parquet"):
        write = getattr(pyojeong, f"to_{name}")
        path = write(RESULTS, tmp_path / f"t.{name}")
        before = path.read_bytes()
        with pytest.raises(LabelUnknown, match="read the images with one model"):
            write([RESULTS[0], other, *RESULTS[1:]], path)
        assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.csv", "t.parquet"]
    mixed = pyojeong.to_jsonl([*RESULTS, other], tmp_path / "t.jsonl")
    assert list(pyojeong.read_table(mixed)) == [*RESULTS, other]


def test_several_clips_are_one_table() -> None:
    clips = [pyojeong.VideoResult(name, tuple(RESULTS)) for name in ("a", "b")]
    assert len(to_dataframe(clips)) == len(to_dataframe([*RESULTS, *RESULTS])) == 8
    assert len(to_dataframe([clips[0], RESULTS[0]])) == 6
    for wrong in (to_dataframe(RESULTS), "results.csv", 3):
        with pytest.raises(BadArray, match=r"got (DataFrame|str|int)"):
            to_records(wrong)  # type: ignore[arg-type]
