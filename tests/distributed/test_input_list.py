"""Lists of inputs: each once, in order, in parts; manifests as streams."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyojeong.core.errors import DataError, InputError
from pyojeong.core.file_search import REPEATED, Failure
from pyojeong.core.shards import Shard, content_key
from pyojeong.distributed import input_list
from pyojeong.distributed.input_list import Entry, read_part, read_parts, write_list
from pyojeong.distributed.manifests import read_manifest_paths

ODD = [os.fsdecode(b"\xff.jpg"), "표정.jpg", "a,b.jpg", "s3://b/x y.jpg"]


def entries(path: Path, parts: int) -> list[Entry]:
    return [entry for _, part in read_parts(path, range(parts)) for entry in part]


@pytest.mark.parametrize("at_once", [10, 1_000_000])
def test_each_once_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Also when keys are compared a range at a time."""
    monkeypatch.setattr(input_list, "_KEYS_AT_ONCE", at_once)
    names = [f"f/{i}.jpg" for i in range(100)] + ODD
    given = [*names, *names[:30], "f/./5.jpg", Failure("z", "why")]
    facts = write_list(tmp_path / "l.parquet", iter(given), Shard(), {"hidden": 2})
    found = entries(tmp_path / "l.parquet", facts.parts)
    assert [e.source for e in found] == [*names, "z"]
    assert [e.position for e in found] == list(range(105))
    assert found[-1].error == "why"
    assert (facts.rows, facts.total) == (105, 105)
    assert facts.left_out == {"hidden": 2, REPEATED: 31}
    assert len(read_part(tmp_path / "l.parquet", 0)) == facts.part_rows == 32


def test_shards_divide_one_list(tmp_path: Path) -> None:
    names = [f"f/{i}.jpg" for i in range(200)]
    found: list[Entry] = []
    digests = set()
    for index in (1, 2, 3):
        path = tmp_path / f"{index}.parquet"
        facts = write_list(path, [*names, names[0]], Shard(index, 3), {})
        found += entries(path, facts.parts)
        digests.add((facts.digest, facts.total))
        assert facts.rows == len(entries(path, facts.parts))
    assert [e.source for e in sorted(found)] == names
    assert len(digests) == 1
    other = write_list(tmp_path / "o.parquet", names[::-1], Shard(), {})
    assert other.digest not in {digest for digest, _ in digests}


def test_the_state_of_files_is_noticed(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"1")
    before = write_list(tmp_path / "l.parquet", [str(picture)], Shard(), {})
    assert write_list(tmp_path / "l.parquet", [str(picture)], Shard(), {}) == before
    picture.write_bytes(b"22")
    after = write_list(tmp_path / "l.parquet", [str(picture)], Shard(), {})
    assert (after.digest, after.state != before.state) == (before.digest, True)


def test_a_damaged_list_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "l.parquet"
    write_list(path, ["a.jpg"], Shard(), {})
    with pytest.raises(DataError, match="list of inputs is damaged"):
        read_part(path, 7)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="list of inputs is damaged"):
        read_part(path, 0)


def test_manifests(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"label": ["x"] * 3, "path": ["a.jpg", None, "https://h/b.jpg"]}), path)
    first, empty, last = read_manifest_paths(str(path))
    assert first == str(tmp_path / "a.jpg")
    assert isinstance(empty, Failure)
    assert empty.message.endswith("row 2: has no path")
    assert last == "https://h/b.jpg"


def test_what_is_no_manifest_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    with pytest.raises(DataError, match="could not be read as a manifest"):
        list(read_manifest_paths(str(path)))
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="could not be read as a manifest"):
        list(read_manifest_paths(str(path)))
    pq.write_table(pa.table({"path": [1, 2]}), path)
    with pytest.raises(DataError, match=r"no column of paths: .* it has path \(int64\)"):
        list(read_manifest_paths(str(path)))
    with pytest.raises(InputError, match="add --remote"):
        list(read_manifest_paths("memory://b/m.parquet"))


def test_keys_of_a_list_are_those_of_its_names(tmp_path: Path) -> None:
    write_list(tmp_path / "l.parquet", ODD, Shard(), {})
    keys = pq.read_table(tmp_path / "l.parquet")["key"].to_pylist()
    assert keys == [content_key(name) for name in ODD]
