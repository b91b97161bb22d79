"""Reading an image leaves nothing in the temporary folder, onnxruntime's session id among it."""

import os
import subprocess
import sys
from pathlib import Path

from pyojeong.runtime.golden import PICTURES


def test_reading_leaves_nothing_in_the_temporary_folder(tmp_path: Path) -> None:
    code = "import sys; from pyojeong import Analyzer; Analyzer(threads=1).analyze(sys.argv[1])"
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-c", code, str(PICTURES / "astronaut.jpg")],
        env={**environment, "TMPDIR": str(tmp_path)},
        check=True,
    )
    assert sorted(path.name for path in tmp_path.rglob("*")) == []
