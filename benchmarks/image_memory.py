"""Memory and time that large photographs take: docs/benchmarks/image_memory.json.

Run as ``python benchmarks/image_memory.py``. A bundled photograph is enlarged to 24 and to 196
megapixels; each file is analysed in a process of its own, one thread. Then 120 photographs of 12
megapixels with 48 faces, which break off after 30 to 99 % of their bytes, are analysed by
``pyojeong analyze --jobs 4``.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from pyojeong.runtime.golden import PICTURES

OUT = Path(__file__).parents[1] / "docs" / "benchmarks" / "image_memory.json"
SIZES = {"24 MP": (6000, 4000), "196 MP": (14_000, 14_000)}
TORN = 120


def _mosaic() -> Image.Image:
    face = Image.open(PICTURES / "astronaut.jpg").convert("RGB").resize((500, 500))
    mosaic = Image.new("RGB", (4000, 3000))
    for at in range(48):
        mosaic.paste(face, (at % 8 * 500, at // 8 * 500))
    return mosaic


def make(kind: str, target: Path) -> None:
    """Write one enlarged photograph, or a folder of torn ones."""
    name, ending = kind.rsplit(" ", 1)
    file_format = {"jpg": "JPEG", "png": "PNG"}[ending]
    if name in SIZES:
        whole = Image.open(PICTURES / "astronaut.jpg").resize(SIZES[name])
        whole.save(target, file_format, compress_level=1)
        return
    target.mkdir()
    encoded = io.BytesIO()
    _mosaic().save(encoded, file_format, compress_level=1)
    data = encoded.getvalue()
    for at in range(TORN):
        share = 0.3 + 0.69 * at / TORN
        (target / f"{at:03}.{ending}").write_bytes(data[: int(share * len(data))])


def measure(kind: str, target: Path) -> dict[str, float]:
    """Return seconds and peak memory of a process that analyses a file or folder."""
    analyze = [sys.executable, "-m", "pyojeong", "analyze", str(target), "--threads", "1"]
    analyze += ["--out", f"{target}.out", "--jobs", "1" if kind.rsplit(" ", 1)[0] in SIZES else "4"]
    began = time.monotonic()
    process = subprocess.Popen(
        analyze,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    _, _, usage = os.wait4(process.pid, 0)
    return {
        "seconds": round(time.monotonic() - began, 1),
        "peak_mb": usage.ru_maxrss // 1024,
    }


def main() -> None:
    """Measure all sizes and kinds of files; a process that made one would pass on its peak."""
    if len(sys.argv) > 1:
        make(sys.argv[1], Path(sys.argv[2]))
        return
    kinds = [
        f"{name} {ending}"
        for name in [*SIZES, f"{TORN} torn of 12 MP"]
        for ending in ("jpg", "png")
    ]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            target = Path(folder) / f"{kind.rsplit(' ', 1)[0]}.{kind.rsplit(' ', 1)[1]}"
            subprocess.run([sys.executable, __file__, kind, str(target)], check=True)
            found[kind] = measure(kind, target)
            print(kind, found[kind], file=sys.stderr)
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
