"""Taking people out of tables leaves everything else as it is in the file."""

import csv
import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyojeong.core.errors import DataError
from pyojeong.core.face import FrameResult
from pyojeong.core.track_edits import TrackEdits
from pyojeong.output.columns import MEASURES
from pyojeong.output.table_rewriting import remove_tracks, rewrite_tracks
from pyojeong.output.tables import SINKS, TABLE_READERS

ENDINGS = {"csv": "csv", "json": "jsonl", "parquet": "parquet"}


@pytest.fixture
def clip(whole_face_result: FrameResult) -> list[FrameResult]:
    """Three frames: people 1 and 2, person 2, nobody."""
    (face,) = whole_face_result.faces[:1]
    one, two = (replace(face, track_id=n) for n in (1, 2))
    return [
        replace(whole_face_result, index=i, time_s=i / 10, faces=faces)
        for i, faces in enumerate([(one, two), (two,), ()])
    ]


def written(kind: str, clip: list[FrameResult], folder: Path) -> Path:
    path = folder / f"results.{ENDINGS[kind]}"
    with (
        SINKS[kind](path, timeline=True, measures=MEASURES)
        if kind != "json"
        else SINKS[kind](path) as sink
    ):
        for frame in clip:
            sink.write(frame)
    return path


@pytest.mark.parametrize("kind", ENDINGS)
def test_exactly_the_faces_of_the_person_go(kind: str, clip, tmp_path: Path) -> None:
    path = written(kind, clip, tmp_path)
    before = path.read_bytes()
    remove_tracks(kind, path, [9])
    assert list(TABLE_READERS[kind](path)) == clip
    assert kind == "parquet" or path.read_bytes() == before
    remove_tracks(kind, path, [2])
    want = [replace(f, faces=tuple(x for x in f.faces if x.track_id != 2)) for f in clip]
    assert list(TABLE_READERS[kind](path)) == want


def test_columns_of_users_keep_their_types(clip, tmp_path: Path) -> None:
    path = written("parquet", clip, tmp_path)
    table = pq.read_table(path)
    own = {
        "when": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 4, pa.timestamp("ns", "UTC")),
        "clock": pa.array([5] * 4, pa.time64("ns")),
        "rating": pa.array([1, 2, 3, 4], pa.int8()),
        "score_total": pa.array([1.0] * 4),
    }
    for name, values in own.items():
        field = pa.field(name, values.type, nullable=name != "rating")
        table = table.append_column(field, values)
    pq.write_table(table, path)
    remove_tracks("parquet", path, [1])
    after = pq.read_table(path)
    assert after.schema.names == table.schema.names
    assert after["rating"].to_pylist() == [2, 3, 4]
    assert [after.schema.field(n).type for n in own] == [v.type for v in own.values()]
    remove_tracks("parquet", path, [2])
    assert pq.read_table(path)["rating"].to_pylist() == [None, None, 4]


def test_a_table_that_pandas_saved(clip, tmp_path: Path) -> None:
    path = written("csv", clip, tmp_path)
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    at = header.index("track_id")
    for row in rows:
        row[at] = row[at] and f"{row[at]}.0"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[*header, "note", "note"], *([*r, "a,b", "c"] for r in rows)])
    remove_tracks("csv", path, [2])
    with path.open(newline="") as file:
        _, *kept = csv.reader(file)
    assert [row[at] for row in kept] == ["1.0", "", ""]
    assert kept[0][-2:] == ["a,b", "c"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_would_go_wrong_is_refused_and_changes_nothing(
    kind: str, clip, tmp_path: Path
) -> None:
    path = written(kind, [clip[0], clip[1], clip[0]], tmp_path)
    before = path.read_bytes()
    with pytest.raises(DataError, match="sort the table by source, index and face"):
        remove_tracks(kind, path, [1])
    assert path.read_bytes() == before


def test_without_track_ids_nobody_is_taken_out(clip, tmp_path: Path) -> None:
    path = written("parquet", clip, tmp_path)
    pq.write_table(pq.read_table(path).drop_columns(["track_id"]), path)
    with pytest.raises(DataError, match="no column track_id"):
        remove_tracks("parquet", path, [1])


def test_file_names_that_are_not_unicode(clip, tmp_path: Path) -> None:
    path = written("json", [replace(f, source="a\udcff.mp4") for f in clip], tmp_path)
    remove_tracks("json", path, [1])
    assert {json.loads(line)["source"] for line in path.read_text().splitlines()} == {"a\udcff.mp4"}


# Windows and macOS refuse file names that are not Unicode, so that there is nothing to test.
@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are Unicode there")
@pytest.mark.parametrize("kind", ENDINGS)
def test_folders_whose_names_are_not_unicode(kind: str, clip, tmp_path: Path) -> None:
    folder = tmp_path / "a\udcff"
    folder.mkdir()
    path = written(kind, clip, folder)
    remove_tracks(kind, path, [2])
    assert [len(frame.faces) for frame in TABLE_READERS[kind](path)] == [1, 0, 0]


@pytest.mark.parametrize("kind", ENDINGS)
def test_people_are_joined_and_times_excluded(kind: str, clip, tmp_path: Path) -> None:
    path = written(kind, [replace(clip[0], faces=clip[0].faces[:1]), *clip[1:]], tmp_path)
    rewrite_tracks(kind, path, TrackEdits(merged={2: 1}))
    found = list(TABLE_READERS[kind](path))
    assert [[f.track_id for f in frame.faces] for frame in found] == [[1], [1], []]
    assert found[1].faces[0] == replace(clip[1].faces[0], track_id=1)
    rewrite_tracks(kind, path, TrackEdits(excluded=((0.1, 0.2),)))
    found = list(TABLE_READERS[kind](path))
    assert [[f.track_id for f in frame.faces] for frame in found] == [[1], [], []]


@pytest.mark.parametrize("kind", ENDINGS)
def test_two_people_in_a_frame_cannot_be_one(kind: str, clip, tmp_path: Path) -> None:
    path = written(kind, clip, tmp_path)
    before = path.read_bytes()
    with pytest.raises(DataError, match="persons 1 and 2 are both in frame 0"):
        rewrite_tracks(kind, path, TrackEdits(merged={2: 1}))
    assert path.read_bytes() == before
    # ... unless the time in which both are there does not count
    rewrite_tracks(kind, path, TrackEdits(merged={2: 1}, excluded=((0.0, 0.05),)))
    found = list(TABLE_READERS[kind](path))
    assert [[f.track_id for f in frame.faces] for frame in found] == [[], [1], []]
