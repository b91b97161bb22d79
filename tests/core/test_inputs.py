"""Sums that add up, and folders of results that are not overwritten by those of other inputs."""

import json
from pathlib import Path

import pytest

from pyojeong.core.errors import InputError
from pyojeong.core.file_search import Failure, LeftOut
from pyojeong.core.input_record import INPUTS, check_earlier, write_inputs
from pyojeong.core.inputs import InputCounts

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
