"""Reading many images."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from pyojeong.core.errors import OutputError
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.batch import analyze_files
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


def test_failed_images_do_not_stay_in_memory(tmp_path):
    """The traceback of an error holds the frames, and these the file and its pixels."""
    image = np.zeros((1500, 2000, 3), np.uint8)
    whole = io.BytesIO()
    PilImage.fromarray(image).save(whole, "PNG", compress_level=0)
    paths = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        path.write_bytes(whole.getvalue()[:-2_000_000])
        paths.append(str(path))
    code = """
import resource, sys
from pyojeong import Analyzer
from pyojeong.runtime.batch import analyze_files
analyzer = Analyzer(threads=1)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
outcomes = list(analyze_files(analyzer, sys.argv[1:3], jobs=2))
before = peak()
outcomes += list(analyze_files(analyzer, sys.argv[1:] * 4, jobs=2))
assert all(outcome.error for outcome in outcomes)
print(peak() - before)
"""
    pytest.importorskip("resource", reason="no such figures on this system")
    command = [sys.executable, "-c", code, *paths]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(done.stdout) < 60
