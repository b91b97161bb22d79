"""Memory and time that reading a large photograph takes: docs/benchmarks/image_memory.json.

Run as ``python benchmarks/image_memory.py``. A bundled photograph is enlarged to 24 and to 196
megapixels; each file is analysed in a process of its own, one thread.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pyojeong import Analyzer
from pyojeong.runtime.golden import PICTURES

OUT = Path(__file__).parents[1] / "docs" / "benchmarks" / "image_memory.json"
SIZES = {"24 MP": (6000, 4000), "196 MP": (14_000, 14_000)}


def measure(file: str) -> dict[str, float]:
    """Analyse one file in this process."""
    analyzer = Analyzer(threads=1)
    began = time.perf_counter()
    analyzer.analyze(file)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": round(time.perf_counter() - began, 1), "peak_mb": peak // 1024}


def main() -> None:
    """Measure all sizes and kinds of files."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            for ending in ("jpg", "png"):
                file = Path(folder) / f"large.{ending}"
                # A process that held the enlarged image would pass its peak on to its children.
                code = (
                    "from PIL import Image; "
                    f"Image.open({str(PICTURES / 'astronaut.jpg')!r}).resize({size})"
                    f".save({str(file)!r}, compress_level=1)"
                )
                subprocess.run([sys.executable, "-c", code], check=True)
                done = subprocess.run(
                    [sys.executable, __file__, str(file)],
                    check=True, capture_output=True, text=True,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )  # fmt: skip
                found[f"{name} {ending}"] = json.loads(done.stdout)
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
