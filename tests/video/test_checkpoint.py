"""The checkpoint keeps whole lines, goes on after any cut, and forgets other runs."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyojeong.core.errors import OutputError
from pyojeong.stream.pipeline import Chunk
from pyojeong.video.checkpoint import Checkpoint, Ending, FolderTaken, fingerprint
from tests.video.made import face, frames

ABOUT = {"clip": {"name": "a.mp4"}, "models": ["x"]}


def chunks():
    results = frames(12, lambda i: [face("happy", x=float(i))] if i % 3 else [])
    return [Chunk(tuple(results[i : i + 4]), i, {"next": i, "tracks": []}) for i in (0, 4, 8)]


def test_what_was_added_comes_back(tmp_path):
    with Checkpoint(tmp_path / "l", ABOUT) as checkpoint:
        for chunk in chunks():
            checkpoint.add(chunk)
        assert list(checkpoint.results()) == [r for c in chunks() for r in c.results]
        assert checkpoint.last() == (8, {"next": 8, "tracks": []}, None)
        checkpoint.finish(Ending(12, "breaks off"))
        assert checkpoint.last()[2] == Ending(12, "breaks off")
        assert len(list(checkpoint.results())) == 12


def test_an_empty_ledger_begins_at_the_beginning(tmp_path):
    with Checkpoint(tmp_path / "l", ABOUT) as checkpoint:
        assert checkpoint.last() == (None, None, None)


@settings(max_examples=60)
@given(data=st.data())
def test_cut_anywhere_it_goes_on_without_a_lost_or_doubled_frame(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("l") / "l"
    with Checkpoint(path, ABOUT) as checkpoint:
        for chunk in chunks():
            checkpoint.add(chunk)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    with Checkpoint(path, ABOUT) as again:
        key, state, ending = again.last()
        assert ending is None
        left = [c for c in chunks() if key is None or c.key > key]
        assert state is None or state["next"] == key
        for chunk in left:
            again.add(chunk)
    assert path.read_bytes() == whole


def test_another_run_is_forgotten(tmp_path):
    with Checkpoint(tmp_path / "l", ABOUT) as checkpoint:
        checkpoint.add(chunks()[0])
    with Checkpoint(tmp_path / "l", {**ABOUT, "models": ["y"]}) as other:
        assert list(other.results()) == []
        assert other.last() == (None, None, None)


def test_a_moved_clip_goes_on_and_that_of_another_clip_is_refused(tmp_path):
    here, other = tmp_path / "a.mp4", tmp_path / "b.mp4"
    other.touch()
    with Checkpoint(tmp_path / "l", ABOUT, clip=str(here)) as checkpoint:
        checkpoint.add(chunks()[0])
    before = (tmp_path / "l").read_bytes()
    with Checkpoint(tmp_path / "l", ABOUT, clip=str(other)) as moved:  # a.mp4 is gone
        assert moved.last()[0] == 0
    here.touch()
    with pytest.raises(FolderTaken, match=r"holds results of .*a\.mp4; choose another --out"):
        Checkpoint(tmp_path / "l", {**ABOUT, "models": ["y"]}, clip=str(other))
    assert (tmp_path / "l").read_bytes() == before


def test_two_processes_never_write_one_file(tmp_path):
    with Checkpoint(tmp_path / "l", ABOUT, clip="a") as checkpoint:
        checkpoint.add(chunks()[0])
        with pytest.raises(FolderTaken, match="another process writes results into it"):
            Checkpoint(tmp_path / "l", ABOUT, clip="a")
        assert checkpoint.last()[0] == 0


def test_garbage_is_forgotten(tmp_path):
    (tmp_path / "l").write_bytes(b"\xff\x00 not a checkpoint\n{}\n")
    with Checkpoint(tmp_path / "l", ABOUT) as checkpoint:
        assert list(checkpoint.results()) == []


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*Choose another"):
        Checkpoint(tmp_path / "file" / "l", ABOUT)


def test_fingerprints_tell_clips_apart(tmp_path):
    one, two = tmp_path / "a", tmp_path / "b"
    one.write_bytes(b"1")
    two.write_bytes(b"22")
    assert fingerprint(one) == fingerprint(one)
    assert fingerprint(one) != fingerprint(two)
    same_name = tmp_path / "other" / "a"
    same_name.parent.mkdir()
    same_name.write_bytes(b"2")
    for path in (one, same_name):
        os.utime(path, (1e9, 1e9))
    assert fingerprint(one) != fingerprint(same_name)  # of equal name, size and time
    assert json.dumps(fingerprint(one))
