"""Sums that add up, and folders of results that are not overwritten by those of other inputs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pyojeong.core.errors import InputError
from pyojeong.core.file_kinds import IMAGES
from pyojeong.core.file_search import REPEATED, Failure, LeftOut
from pyojeong.core.input_record import INPUTS, check_earlier, write_inputs
from pyojeong.core.inputs import InputCounts, find_inputs

COUNTS = InputCounts(read=9, failed=1, left_out={"hidden": 2, "not images": 1200, "none": 0})


def test_sums_add_up_in_text_and_json() -> None:
    assert COUNTS.given == 1212
    assert str(COUNTS) == (
        "1,212 given = 9 read + 1 failed + 1,202 left out (2 hidden, 1,200 not images)"
    )
    assert COUNTS.to_dict() == {
        "given": 1212,
        "read": 9,
        "failed": 1,
        "left_out": {"hidden": 2, "not images": 1200},
    }
    assert str(InputCounts(read=1)) == "1 given = 1 read + 0 failed + 0 left out"


def tree(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "sub" / "@eadir").mkdir()
    for name in ("a.png", "sub/b.png", ".hidden/1.png", ".hidden/2.png", "sub/@eadir/a.png"):
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())
    for name in ("Thumbs.db", "notes.txt", "sub/Thumbs.db", "sub/.DS_Store"):
        (folder / name).write_bytes(b"none of it")
    return folder


@pytest.mark.parametrize(
    ("inputs", "read", "repeated", "left_out"),
    [
        (["t"], 2, 0, 7),
        (["t", "t/.hidden"], 4, 0, 5),
        (["t/.hidden", "t"], 4, 0, 5),
        (["t", "t/.hidden/1.png"], 3, 0, 6),
        (["t", "{}/t/sub"], 2, 1, 7),
        (["t/sub", "{}/t"], 2, 1, 7),
        (["t", "./t", "{}/t"], 2, 4, 7),
        (["t", "t/sub/@eadir"], 3, 0, 6),
        (["t/**/*"], 2, 0, 5),  # hidden names at the top are not matched
        (["t/**/*", "t"], 2, 2, 7),
        (["link", "t/.hidden"], 4, 0, 5),
    ],
)
def test_every_file_is_counted_once_however_it_is_reached(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    inputs: list[str],
    read: int,
    repeated: int,
    left_out: int,
) -> None:
    (tmp_path / "link").symlink_to(tree(tmp_path / "t"))
    monkeypatch.chdir(tmp_path)
    found = find_inputs([each.format(tmp_path) for each in inputs], IMAGES)
    reasons = found.reasons()
    assert (len(found.files), reasons.pop(REPEATED, 0)) == (read, repeated)
    assert reasons.total() == left_out
    assert not found.failures


def test_inputs_are_written_whatever_their_names_are(tmp_path: Path) -> None:
    left_out = [LeftOut(f"{i}.txt", "not images") for i in range(50)]
    failures = [Failure("caf\udce9.jpg", "caf\udce9.jpg: is empty")]
    write_inputs(tmp_path, "analyze", ["a"], COUNTS, failures=failures, left_out=left_out)
    known = json.loads((tmp_path / INPUTS).read_text())
    assert known["failures"] == [{"source": "caf\udce9.jpg", "error": "caf\udce9.jpg: is empty"}]
    assert len(known["left_out_examples"]["not images"]) == 20
    assert known["given"] == known["read"] + known["failed"] + sum(known["left_out"].values())


def test_results_of_other_inputs_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_earlier(tmp_path, "analyze", ["sub-01"])  # nothing is there
    write_inputs(tmp_path, "analyze", ["sub-01", "b.jpg"], COUNTS)
    for same in (["sub-01", "b.jpg"], ["b.jpg", "./sub-01", "c"], [str(tmp_path)], ["."]):
        check_earlier(tmp_path, "analyze", same)
    with pytest.raises(InputError, match=r"holds results of .*/sub-01 and 1 more.*--overwrite"):
        check_earlier(tmp_path, "analyze", ["sub-02"])
    with pytest.raises(InputError, match=r"holds results of .*/b\.jpg, which would be lost"):
        check_earlier(tmp_path, "analyze", ["sub-01"])
    write_inputs(tmp_path, "analyze", ["a", "tpyo"], COUNTS, failures=[Failure("tpyo", "gone")])
    check_earlier(tmp_path, "analyze", ["a"])
    with pytest.raises(InputError, match="holds results of `pyojeong analyze`: choose another"):
        check_earlier(tmp_path, "video")
    write_inputs(tmp_path, "analyze", ["a"], InputCounts(read=0, failed=1))
    check_earlier(tmp_path, "analyze", ["b"])
    (tmp_path / INPUTS).write_text("not JSON")
    check_earlier(tmp_path, "video")


def test_a_pattern_into_a_folder_that_may_be_listed_and_not_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mode r--: names are known, and nothing about them."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"\xff\xd8")

    def refusing(real: Any) -> Any:
        def stat(path: Any, *args: Any, **options: Any) -> Any:
            if not isinstance(path, int) and f"{os.sep}in{os.sep}" in os.fspath(path):
                raise PermissionError(13, "Permission denied")
            return real(path, *args, **options)

        return stat

    monkeypatch.setattr(os, "stat", refusing(os.stat))
    monkeypatch.setattr(os, "lstat", refusing(os.lstat))
    found = find_inputs([str(tmp_path / "in" / "*.jpg")], IMAGES)
    assert [Path(path).name for path in found.files] == ["a.jpg"]  # its reader says what is wrong
