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


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_extra_that_fails_is_told_and_the_results_are_kept(jobs: int) -> None:
    errors = iter([OutputError("disk\nfull"), None, ValueError("odd"), None])

    def extra(*_: object) -> None:
        error = next(errors)
        if error is not None:
            raise error

    inputs = [str(GOLDEN_PICTURE)] * 4
    outcomes = list(analyze_files(Analyzer(threads=1), inputs, jobs=jobs, extra=extra))
    assert all(o.result is not None and o.error is None for o in outcomes)
    assert sorted(o.extra_error for o in outcomes) == ["", "", "ValueError: odd", "disk full"]
