"""A full disk behind stdout is one line and exit code 1, for every command."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import write_manifest
from tests.training.tiny import samples

FULL = Path("/dev/full")

# A device that is always full exists on Linux only; CI runs there, so these tests always run in it.
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device /dev/full")


@pytest.mark.parametrize(
    "command",
    [
        "models",
        "models --json",
        "data info TABLE --json",
        "data --help",
        "--version",
        "experiments list",
        "analyze DATA --format json",
        "analyze DATA",
    ],
)
def test_a_full_stdout_is_one_line(command: str, tmp_path: Path) -> None:
    for name in ("happy", "sad"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for size in (64, 72, 80):
            Image.new("RGB", (size, 64)).save(tmp_path / "data" / name / f"{size}.png")
    (tmp_path / "experiments").mkdir()
    table = tmp_path / "set.parquet"
    write_manifest(table, samples(7), FER7)
    places = {"DATA": str(tmp_path / "data"), "TABLE": str(table)}
    arguments = [places.get(word, word) for word in command.split()]
    with FULL.open("wb") as full:
        done = subprocess.run(  # noqa: PLW1510
            [sys.executable, "-m", "pyojeong", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.stderr.count("pyojeong: cannot write") == 1, done.stderr


def test_long_output_into_a_full_stdout_is_one_line(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pyojeong.cli import app\n"
        "app.app = lambda *_, **__: print('x' * 10_000_000)\n"
        "app.main([])"
    )
    with FULL.open("wb") as full:
        done = subprocess.run(  # noqa: PLW1510
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.startswith("pyojeong: cannot write to standard output"), done.stderr


def test_other_errors_of_the_system_are_not_those_of_stdout() -> None:
    code = (
        "import errno\nfrom pyojeong.cli import app\n"
        "def fail(*_, **__):\n    raise OSError(errno.ENOSPC, 'of another place')\n"
        "app.app = fail\napp.main([])"
    )
    done = subprocess.run(  # noqa: PLW1510
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "of another place" in done.stderr
    assert "standard output" not in done.stderr
