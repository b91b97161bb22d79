"""Importing does nothing: no heavy module, no output, no warning; and it is quick."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pyojeong

HEAVY = ("torch", "pandas", "matplotlib", "lightning", "pyarrow", "scipy", "skimage")
SURFACE = Path(__file__).parent / "api_surface.json"


def python(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "code",
    [
        "import pyojeong",
        "import pyojeong; pyojeong.Analyzer; pyojeong.annotate; pyojeong.FrameResult",
        "import sys; sys.argv = ['pyojeong', '--help']; import pyojeong.cli.app as a\n"
        "try: a.main()\nexcept SystemExit: pass",
    ],
    ids=["import", "analyzer", "help"],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    heavy = f"[m for m in {HEAVY!r} if m in sys.modules]"
    done = python(f"{code}\nimport sys; print('loaded:', {heavy})")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("loaded: []")


def test_import_alone_loads_not_even_numpy() -> None:
    done = python("import pyojeong, sys; print('numpy' in sys.modules, 'cv2' in sys.modules)")
    assert done.stdout.strip() == "False False"


def test_import_is_silent_and_warns_of_nothing() -> None:
    done = python("import pyojeong; pyojeong.Analyzer", "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_public_names_are_those_that_were_promised() -> None:
    assert sorted(pyojeong.__all__) == json.loads(SURFACE.read_text())
    for name in pyojeong.__all__:
        assert getattr(pyojeong, name) is not None


def test_stub_and_module_promise_the_same() -> None:
    stub = Path(pyojeong.__file__).with_suffix(".pyi").read_text()
    for name in pyojeong.__all__:
        assert f'"{name}"' in stub


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Analyser"):
        _ = pyojeong.Analyser
