"""What every kind of table promises, checked on all of ``SINKS``."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyojeong.core.errors import DataError, OutputError
from pyojeong.core.eyes import HeadPose
from pyojeong.core.face import Box, Expression, Face, FrameResult
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.output.columns import MEASURES
from pyojeong.output.table_rewriting import remove_tracks
from pyojeong.output.tables import SINKS, TABLE_READERS

pytestmark = pytest.mark.parametrize("kind", SINKS)

EMPTY = FrameResult("a.jpg", 0, 0.0, (4, 3))


def frame(index, count=1):
    scores = np.full(7, 0.1, np.float32)
    scores[3] = 0.4
    face = Face(Box(0.1, 0, 1, 1), 0.9, expression=Expression(scores, FER7, 0.3))
    return FrameResult("clip.mp4", index, index / 30, (640, 480), (face,) * count, ("a", "b"))


def read(kind, path):
    return list(TABLE_READERS[kind](path))


def written(kind, results, labels=FER7, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        with SINKS[kind](path, labels=labels, **options) as sink:
            for result in results:
                sink.write(result)
        return read(kind, path)


def test_has_a_reader_and_a_suffix_of_its_own(kind):
    assert set(TABLE_READERS) == set(SINKS)
    assert len({s.suffix for s in SINKS.values()}) == len(SINKS)


@settings(max_examples=40)
@given(data=st.data())
def test_read_gives_back_what_was_written(kind, frame_results, data):
    labels = data.draw(st.sampled_from([FER7, FERPLUS8]))
    results = data.draw(st.lists(frame_results(labels), max_size=4))
    again = written(kind, results, labels)
    assert again == results
    for a, b in zip(again, results, strict=True):
        for x, y in zip(a.faces, b.faces, strict=True):
            if y.expression is not None:
                assert x.expression.scores.tobytes() == y.expression.scores.tobytes()


@settings(max_examples=60)
@given(data=st.data())
def test_a_timeline_comes_back_as_it_was_written(kind, frame_results, data):
    labels = data.draw(st.sampled_from([FER7, FERPLUS8]))
    results = data.draw(st.lists(frame_results(labels, timeline=True), max_size=3))
    again = written(kind, results, labels, timeline=True, measures=MEASURES)
    assert again == results


def test_taking_a_person_out_keeps_every_frame_and_everybody_else(kind, tmp_path):
    def seen(index, *tracks):
        found = frame(index, len(tracks)).faces
        faces = tuple(replace(f, track_id=t) for f, t in zip(found, tracks, strict=True))
        return replace(frame(index), faces=faces)

    path = tmp_path / "table"
    with SINKS[kind](path, timeline=True) as sink:
        for result in (seen(0, 1, 2), seen(1, 2), seen(2), seen(3, 1, None, 2)):
            sink.write(result)
    remove_tracks(kind, path, {2})
    assert read(kind, path) == [seen(0, 1), seen(1), seen(2), seen(3, 1, None)]


def test_a_table_without_timeline_columns_leaves_them_out(kind):
    face = replace(frame(0).faces[0], pose=HeadPose(0.1, 0.2, 0.3), luma=0.5)
    result = replace(frame(0), faces=(face,))
    (again,) = written(kind, [result])
    assert again.faces[0].expression == face.expression
    assert (again == result) == (kind == "json")


def test_equal_frames_stay_separate(kind):
    results = [EMPTY, EMPTY, frame(0, 2), frame(0, 2), EMPTY]
    assert written(kind, results) == results


def test_a_table_without_frames_is_a_table(kind):
    assert written(kind, []) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_what_was_done_before_an_interruption_is_there_and_whole(kind, tmp_path, stop):
    def work(path):
        with SINKS[kind](path) as sink:
            sink.write(frame(0, 2))
            sink.write(frame(1, 3))
            raise stop

    path = tmp_path / "out"
    with pytest.raises(stop):
        work(path)
    assert read(kind, path) == [frame(0, 2), frame(1, 3)]
    assert list(tmp_path.iterdir()) == [path]


def test_final_name_appears_only_at_the_end(kind, tmp_path):
    path = tmp_path / "out"
    path.write_text("the old table")
    with SINKS[kind](path) as sink:
        sink.write(frame(0))
        assert path.read_text() == "the old table"
        assert len(list(tmp_path.glob(".out.*.part"))) == 1
    assert read(kind, path) == [frame(0)]


def test_missing_folders_are_made(kind, tmp_path):
    path = tmp_path / "새 폴더" / "b" / "out"
    with SINKS[kind](path):
        pass
    assert path.is_file()


def test_a_link_is_written_through(kind, tmp_path):
    path = tmp_path / "link"
    (tmp_path / "real").touch()
    path.symlink_to(tmp_path / "real")
    with SINKS[kind](path) as sink:
        sink.write(frame(0))
    assert path.is_symlink()
    assert read(kind, tmp_path / "real") == [frame(0)]


def test_closing_twice_is_harmless_and_writing_after_is_an_error(kind, tmp_path):
    sink = SINKS[kind](tmp_path / "out")
    sink.write(frame(0))
    sink.close()
    sink.close()
    with pytest.raises(OutputError, match="closed"):
        sink.write(frame(1))
    assert read(kind, tmp_path / "out") == [frame(0)]


@pytest.mark.parametrize("place", ["file/out", ".", "fifo"])
def test_a_place_that_cannot_be_written_is_told_at_once(kind, tmp_path, place):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match="cannot write"):
        SINKS[kind](tmp_path / place)
    assert sorted(tmp_path.iterdir()) == before


def test_reading_what_is_not_there(kind, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read(kind, tmp_path / "nothing")


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe\x00", b"a,b\n1,2\n", b'{"a": 1}\n', b"[]\n", b"PAR1PAR1"]
)
def test_reading_what_is_not_a_table(kind, tmp_path, junk):
    path = tmp_path / "junk"
    path.write_bytes(junk)
    with pytest.raises(DataError, match="junk"):
        read(kind, path)
