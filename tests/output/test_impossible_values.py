"""Values that no face or frame can have are refused, in every kind of table.

Each of them was once read as if it were right: seconds before the clip, per cent, degrees, NaN.
"""

import csv
import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyojeong import read_table, to_csv, to_jsonl, to_parquet
from pyojeong.core.errors import DataError
from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.face import Box, Expression, Face, FrameResult
from pyojeong.core.labels import FER7

RESULT = FrameResult(
    "a.mp4",
    3,
    0.125,
    (640, 480),
    (
        Face(
            Box(8, 8, 80, 80),
            0.875,
            expression=Expression(np.full(7, 1 / 7, np.float32), FER7, 0.5),
            track_id=2,
            pose=HeadPose(0.25, 0.5, 0.75),
            eyes=EyeSignals((0.5, 0.5), (0.25, 0.5), iris_diameter=(6.0, 6.0)),
            baseline_delta=(0.25, -0.25, 0.0, 0.0, 0.0, 0.0, 0.0),
            luma=0.5,
        ),
    ),
    ("detector", "classifier"),
)

CASES = [
    ("time_s", ("time_s",), -2.0, "FrameResult.time_s"),
    ("time_s", ("time_s",), math.nan, "FrameResult.time_s"),
    ("time_s", ("time_s",), math.inf, "FrameResult.time_s"),
    ("index", ("index",), -1, "FrameResult.index"),
    ("width", ("size_wh", 0), -640, "FrameResult.size_wh"),
    ("score", ("faces", 0, "score"), 99.5, "Face.score"),
    ("score", ("faces", 0, "score"), math.nan, "Face.score"),
    ("track_id", ("faces", 0, "track_id"), -3, "Face.track_id"),
    ("luma", ("faces", 0, "luma"), 128.0, "Face.luma"),
    ("threshold", ("faces", 0, "expression", "threshold"), 60.0, "Expression.threshold"),
    ("baseline_delta_angry", ("faces", 0, "baseline_delta", 0), -40.0, "Face.baseline_delta"),
    ("head_yaw_rad", ("faces", 0, "pose", "yaw_rad"), 30.0, "HeadPose.yaw_rad"),
    ("gaze_pitch_rad", ("faces", 0, "eyes", "gaze_rad", 1), -12.0, "EyeSignals.gaze_rad"),
    ("right_iris_diameter", ("faces", 0, "eyes", "iris_diameter", 0), -1.0, "iris_diameter"),
]
EACH = pytest.mark.parametrize(("column", "path", "value", "names"), CASES)


def assert_refused(table, place, names):
    with pytest.raises(DataError) as error:
        list(read_table(table))
    assert place in str(error.value)
    assert f"{names}: expected " in str(error.value)


def test_the_table_without_them_is_read(tmp_path):
    assert list(read_table(to_csv(RESULT, tmp_path / "t.csv"))) == [RESULT]


@EACH
def test_csv(tmp_path, column, path, value, names):
    table = to_csv(RESULT, tmp_path / "t.csv")
    with table.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row[column]
    row[column] = repr(value)
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    assert_refused(table, "row 1 is not a face of a frame", names)


@EACH
def test_json_lines(tmp_path, column, path, value, names):
    table = to_jsonl(RESULT, tmp_path / "t.jsonl")
    tree = json.loads(table.read_text())
    node = tree
    for key in path[:-1]:
        node = node[key]
    assert isinstance(node[path[-1]], int | float)
    node[path[-1]] = value
    table.write_text(json.dumps(tree) + "\n")
    assert_refused(table, "line 1 is not a frame", names)


@EACH
def test_parquet(tmp_path, column, path, value, names):
    file = to_parquet(RESULT, tmp_path / "t.parquet")
    table = pq.read_table(file)
    at = table.column_names.index(column)
    field = table.schema.field(at)
    pq.write_table(table.set_column(at, field, pa.array([value], field.type)), file)
    assert_refused(file, "row 1 is not a face of a frame", names)
