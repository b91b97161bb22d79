"""Reading many images."""

from pathlib import Path

import pytest

from pyojeong.batch import analyze_files
from pyojeong.core.errors import OutputError
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.golden import GOLDEN_PICTURE, PICTURES


@pytest.mark.parametrize("jobs", [1, 3])
def test_order_and_errors(jobs: int, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no")
    inputs = [str(GOLDEN_PICTURE), str(tmp_path / "bad.jpg"), str(PICTURES / "coffee.jpg")] * 4
    outcomes = list(analyze_files(Analyzer(threads=1), inputs, jobs=jobs))
    assert [o.path for o in outcomes] == inputs
    assert [o.result is None for o in outcomes] == [False, True, False] * 4
    assert [o.row.source for o in outcomes] == inputs
    assert [bool(o.row.error) for o in outcomes] == [False, True, False] * 4


def test_what_the_extra_raises_is_not_swallowed() -> None:
    def full(*_: object) -> None:
        raise OutputError("disk full")

    with pytest.raises(OutputError, match="disk full"):
        list(analyze_files(Analyzer(threads=1), [str(GOLDEN_PICTURE)] * 5, jobs=2, extra=full))
