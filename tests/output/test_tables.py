"""The exact form of the tables, streams, and full disks."""

import builtins
import contextlib
import csv
import errno
import io
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyojeong.core.errors import DataError, LabelUnknown, MissingExtra, OutputError
from pyojeong.core.face import Box, Expression, Face, FrameResult, Landmarks
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.output import rows, tables
from pyojeong.output.tables import CsvSink, JsonSink, ParquetSink, read_csv, read_json, read_parquet

HEADER = (
    "source,index,time_s,width,height,face,track_id,box_x1,box_y1,box_x2,box_y2,score,"
    "right_eye_x,right_eye_y,left_eye_x,left_eye_y,nose_x,nose_y,right_mouth_x,right_mouth_y,"
    "left_mouth_x,left_mouth_y,label,unclear,top,top_score,score_angry,score_disgust,score_fear,"
    "score_happy,score_neutral,score_sad,score_surprise,valence,threshold,prior,label_set,error,"
    "model_ids,schema"
)
SCORES = np.array([0.05, 0.0, 0.05, 0.6, 0.1, 0.1, 0.1], np.float32)
POINTS = np.array([[1.5, 2], [3, 2], [2, 3], [1, 4], [3, 4]], np.float32)
FULL = Face(
    Box(0.5, 1, 4, 5.25),
    0.875,
    Landmarks(POINTS),
    Expression(SCORES, FER7, 0.7, "between"),
    track_id=3,
)
RESULT = FrameResult("a,b.jpg", 2, 0.1, (8, 6), (FULL, Face(Box(0, 0, 1, 1), 0.5)), ("det", "cls"))
NO_FACE = FrameResult('say "hi"\n.png', 3, 0.125, (8, 6))
FULL_ROW = (
    '"a,b.jpg",2,0.1,8,6,0,3,0.5,1.0,4.0,5.25,0.875,1.5,2.0,3.0,2.0,2.0,3.0,1.0,4.0,3.0,4.0,'
    "unclear,true,happy,0.6,0.05,0.0,0.05,0.6,0.1,0.1,0.1,0.5,0.7,between,fer7,,det;cls,4"
)
LINES = [
    HEADER,
    FULL_ROW,
    '"a,b.jpg",2,0.1,8,6,1,,0.0,0.0,1.0,1.0,0.5,' + "," * 11 + "false" + "," * 15 + "det;cls,4",
    '"say ""hi""\n.png",3,0.125,8,6,' + "," * 18 + "false" + "," * 16 + "4",
]


def as_csv(*results, labels=FER7):
    stream = io.StringIO()
    with CsvSink(stream, labels=labels) as sink:
        for result in results:
            sink.write(result)
    return stream.getvalue()


def test_csv_golden():
    assert as_csv(RESULT, NO_FACE) == "\n".join(LINES) + "\n"


def test_csv_is_what_the_standard_module_reads():
    table = list(csv.DictReader(io.StringIO(as_csv(RESULT, NO_FACE), newline="")))
    assert [row["source"] for row in table] == ["a,b.jpg", "a,b.jpg", 'say "hi"\n.png']
    assert {len(row) for row in table} == {len(HEADER.split(","))}
    assert table[2]["face"] == ""


def test_csv_edited_in_a_spreadsheet_is_still_read(tmp_path):
    path = tmp_path / "t.csv"
    text = as_csv(RESULT, FrameResult("x", 0, 0.0, (1, 1))).replace("true", "TRUE")
    text = "\r\n".join(line + ",note" for line in text.splitlines()) + "\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert list(read_csv(path)) == [RESULT, FrameResult("x", 0, 0.0, (1, 1))]


def test_every_float32_survives_its_short_text():
    seeded = np.random.default_rng(7)
    bits = seeded.integers(0, 0x7F800000, 20_000, dtype=np.uint32)
    for value in bits.view(np.float32):
        text = rows.FORMATS["float32"](float(value))
        assert np.float32(float(text)) == value
    assert rows.FORMATS["float32"](float(np.float32(0.1))) == "0.1"


def test_json_golden(tmp_path):
    path = tmp_path / "t.jsonl"
    with JsonSink(path) as sink:
        sink.write(RESULT)
        sink.write(FrameResult("표정", 0, 0.0, (1, 1)))
    first, second = path.read_text("utf-8").splitlines()
    assert json.loads(first) == RESULT.to_dict()
    assert second == (
        '{"schema": 4, "source": "표정", "index": 0, "time_s": 0.0, "size_wh": [1, 1], '
        '"model_ids": [], "faces": []}'
    )


def test_parquet_columns_and_types(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    with ParquetSink(tmp_path / "t.parquet") as sink:
        sink.write(RESULT)
        sink.write(NO_FACE)
    table = pq.read_table(tmp_path / "t.parquet")
    assert ",".join(table.column_names) == HEADER
    assert table.num_rows == 3
    assert table.schema.field("score_happy").type == pa.float32()
    assert table.schema.field("time_s").type == pa.float64()
    assert table.schema.field("unclear").type == pa.bool_()
    assert table["face"].to_pylist() == [0, 1, None]


def test_parquet_in_several_groups(tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 5)
    path = tmp_path / "t.parquet"
    results = [FrameResult("c", i, i / 25, (8, 6), RESULT.faces) for i in range(8)]
    with ParquetSink(path) as sink:
        for result in results:
            sink.write(result)
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == 3
    assert list(read_parquet(path)) == results


def test_other_label_sets_get_their_own_columns():
    text = as_csv(labels=FERPLUS8)
    assert "top_score,score_neutral,score_happy,score_surprise" in text
    assert "score_contempt,valence,threshold" in text
    with pytest.raises(LabelUnknown, match=r"fer7.*ferplus8"):
        as_csv(RESULT, labels=FERPLUS8)


@pytest.mark.parametrize("kind", [CsvSink, ParquetSink])
@pytest.mark.parametrize("ids", [("a;b",), ("",)])
def test_model_ids_that_could_not_be_told_apart_are_refused(tmp_path, kind, ids):
    with pytest.raises(DataError, match="semicolon"), kind(tmp_path / "t") as sink:
        sink.write(FrameResult("a", 0, 0.0, (1, 1), (), ids))


def test_names_that_are_not_unicode(tmp_path):
    odd = FrameResult("a\udcff.jpg", 0, 0.0, (1, 1))
    with (
        JsonSink(tmp_path / "j") as j,
        CsvSink(tmp_path / "c") as c,
        ParquetSink(tmp_path / "p") as p,
    ):
        for sink in (j, c, p):
            sink.write(odd)
    assert list(read_json(tmp_path / "j")) == [odd]
    for again in (*read_csv(tmp_path / "c"), *read_parquet(tmp_path / "p")):
        assert again.source == r"a\udcff.jpg"


@pytest.mark.parametrize("kind", [JsonSink, CsvSink])
def test_streams_in_a_small_encoding_and_not_closed(kind):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="")
    with kind(stream) as sink:
        sink.write(FrameResult("표", 0, 0.0, (1, 1)))
        assert rb"\ud45c" in raw.getvalue(), "every frame is flushed"
    assert not stream.closed


# The full disk itself is tested below with ``Disk``, everywhere; this is the real thing.
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device /dev/full")
def test_full_stream():
    # Unbuffered underneath, so that closing the stream does not fail a second time.
    raw = open("/dev/full", "wb", buffering=0)  # noqa: SIM115, PTH123
    stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    with raw:
        with pytest.raises(OutputError, match=r"No space left.*Free some space"):
            CsvSink(stream)
        stream.detach()


class Disk:
    """A raw file that takes a few bytes at a time and is full after ``room`` of them."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, data):
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = bytes(data)[: min(50, self._room)]
        self._room -= len(part)
        return self._file.write(part)

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize(("kind", "read"), [(JsonSink, read_json), (CsvSink, read_csv)])
def test_disk_full_in_the_middle_of_a_frame_leaves_whole_frames(tmp_path, kind, read):
    def write_until_full(path):
        with kind(path) as sink:
            sink.write(RESULT)
            sink._out._file = Disk(sink._out._file, 1000)
            for _ in range(20):
                sink.write(RESULT)

    path = tmp_path / "t"
    with pytest.raises(OutputError, match="Free some space"):
        write_until_full(path)
    again = list(read(path))
    assert 1 <= len(again) < 20
    assert set(again) == {RESULT}


@pytest.mark.parametrize("step", ["write_table", "close"])
def test_disk_full_under_parquet_leaves_nothing(tmp_path, monkeypatch, step):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    sink = ParquetSink(tmp_path / "t")
    sink.write(RESULT)
    monkeypatch.setattr(sink._writer, step, full)
    with pytest.raises(OutputError, match="Free some space"):
        sink.close()
    assert list(tmp_path.iterdir()) == []
    sink.close()


def test_parquet_needs_a_file():
    with pytest.raises(OutputError, match="name a file"):
        ParquetSink(io.StringIO())


def test_parquet_without_its_library(tmp_path, monkeypatch):
    true_import = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pyojeong\[tables\]"):
        ParquetSink(tmp_path / "t")
    with pytest.raises(MissingExtra, match=r"pyojeong\[tables\]"):
        list(read_parquet(tmp_path / "t"))
    assert list(tmp_path.iterdir()) == []


def test_what_a_table_needs_is_loaded_before_the_first_row(tmp_path):
    """pyarrow loads pandas, where there is one, with its first array: 40 MB in mid-clip."""
    code = f"""
import sys
from pyojeong.output.tables import ParquetSink, require
from pyojeong.core.face import FrameResult
require(["parquet"])
with ParquetSink({str(tmp_path / "t.parquet")!r}) as sink:
    before = set(sys.modules)
    for i in range(5000):
        sink.write(FrameResult("a", i, i / 25, (8, 6)))
print(sorted(name for name in set(sys.modules) - before if "." not in name))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pandas" not in done.stdout


def test_newer_schema_is_refused(tmp_path):
    data = RESULT.to_dict() | {"schema": 99}
    (tmp_path / "j").write_text(json.dumps(data))
    (tmp_path / "c").write_text(as_csv(RESULT).replace(",4\n", ",99\n"))
    for table in (read_json(tmp_path / "j"), read_csv(tmp_path / "c")):
        with pytest.raises(DataError, match="newer"):
            list(table)


def test_errors_name_the_row_and_the_column(tmp_path):
    lines = as_csv(replace(RESULT, faces=RESULT.faces[:1])).splitlines(keepends=True)
    head = lines[0].rstrip("\n").split(",")
    after = [lines[1]] * 2

    def says(column, cell):
        cells = next(csv.reader([lines[1]]))
        cells[head.index(column)] = cell
        row = io.StringIO()
        csv.writer(row, lineterminator="\n").writerow(cells)
        (tmp_path / "c").write_text("".join([*lines, row.getvalue(), *after]))
        with pytest.raises(DataError) as error:
            list(read_csv(tmp_path / "c"))
        return str(error.value)

    assert "row 2 is not of this table (score: could not convert" in says("score", "x")
    assert "row 2 is not a face of a frame (" in says("score_happy", "-1")  # it was said of row 3
    assert "row 2 is not of this table (unclear: expected true" in says("unclear", "maybe")


def test_tables_that_another_program_saved_are_named_as_what_they_are(tmp_path):
    text = as_csv(RESULT)
    path = tmp_path / "t.csv"
    for data, words in (
        (text.replace(",", ";").encode(), "its cells are separated by ';': save it with commas"),
        (text.replace(",", "\t").encode(), "its cells are separated by '\\\\t'"),
        (text.encode("utf-16"), "is not UTF-8: save it as UTF-8"),
        (text.replace("box_y2", "score", 1).encode(), "no column box_y2"),
        (text.replace("threshold", "score", 1).encode(), "no column threshold"),
        (text.replace("\n", ",1\n").replace(",1", ",score", 1).encode(), "has two columns score"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=words):
            list(read_csv(path))
    path.write_text("[" * 100_000)
    with pytest.raises(DataError, match="line 1 is not a frame"):
        list(read_json(path))


def test_sorted_tables_are_refused_not_misread(tmp_path):
    lines = as_csv(RESULT).splitlines(keepends=True)
    (tmp_path / "c").write_text("".join([lines[0], lines[2], lines[1]]))
    with pytest.raises(DataError, match="row 1"):
        list(read_csv(tmp_path / "c"))


@pytest.mark.parametrize(("kind", "read"), [(JsonSink, read_json), (CsvSink, read_csv)])
def test_damaged_tables_raise_one_kind_of_error(tmp_path, kind, read):
    path = tmp_path / "t"
    with kind(path) as sink:
        sink.write(RESULT)
        sink.write(NO_FACE)
    good, chance = path.read_bytes(), random.Random(5)
    for _ in range(300):
        data = bytearray(good)
        data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(bytes(data[: chance.randrange(len(data))]))
        with contextlib.suppress(DataError):  # nothing else may come out
            list(read(path))


def test_tables_of_schema_1_are_read_without_base_rates(tmp_path):
    rows = list(csv.DictReader(io.StringIO(as_csv(RESULT))))
    kept = [name for name in rows[0] if name not in {"prior", "valence"}]
    with (tmp_path / "old.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, kept, extrasaction="ignore")
        table.writeheader()
        table.writerows({**row, "schema": "1"} for row in rows)
    (read,) = read_csv(tmp_path / "old.csv")
    assert read.faces[0].expression == Expression(SCORES, FER7, 0.7)
    data = RESULT.to_dict() | {"schema": 1}
    del data["faces"][0]["expression"]["prior"]
    (tmp_path / "old.jsonl").write_text(json.dumps(data) + "\n")
    (read,) = read_json(tmp_path / "old.jsonl")
    assert read.faces[0].expression == Expression(SCORES, FER7, 0.7)


@pytest.mark.parametrize("kind", ["json", "csv", "parquet"])
def test_files_that_failed_are_rows_with_their_error(kind, tmp_path):
    failed = FrameResult("a/표정.jpg", 0, 0.0, (0, 0), error='a/표정.jpg: "empty",\n0 bytes')
    with tables.SINKS[kind](tmp_path / "t") as sink:
        for each in (RESULT, failed, NO_FACE):
            sink.write(each)
    assert list(tables.TABLE_READERS[kind](tmp_path / "t")) == [RESULT, failed, NO_FACE]


def test_what_was_not_measured_is_empty_in_failed_rows():
    (row,) = csv.DictReader(io.StringIO(as_csv(FrameResult("a", 0, 0.0, (0, 0), error="gone"))))
    assert (row["width"], row["height"], row["face"], row["error"]) == ("", "", "", "gone")


@pytest.mark.parametrize(("cut", "word"), [(-1, "fewer"), (-3, "fewer"), (None, "more")])
def test_a_row_of_another_length_is_no_row(tmp_path, cut, word):
    """Cells that are missing at the end were read as the text ``None``."""
    path = tmp_path / "t.csv"
    cells = FULL_ROW.rstrip("\n").rsplit(",", 3)
    row = ",".join(cells) + ",x" if cut is None else ",".join(cells[:cut])
    path.write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(DataError, match=f"row 1 .* {word} cells than its header"):
        list(read_csv(path))
