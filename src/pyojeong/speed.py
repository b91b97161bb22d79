"""Speed of this installation on this machine: what ``pyojeong bench speed`` prints."""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pyojeong._version import __version__
from pyojeong.image.files import read_image
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.golden import GOLDEN_PICTURE


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: median, least and most of several rounds."""

    what: str
    unit: str
    median: float
    least: float
    most: float
    rounds: int


def _time(
    what: str, unit: str, action: Callable[[], object], rounds: int, per: float = 1.0
) -> Figure:
    """Seconds of ``action`` times ``per``; two warm-up rounds are not counted."""
    values = []
    for i in range(rounds + 2):
        started = time.perf_counter()
        action()
        if i >= 2:
            values.append((time.perf_counter() - started) * per)
    return Figure(what, unit, statistics.median(values), min(values), max(values), rounds)


def _process(*command: str) -> Callable[[], object]:
    def start() -> object:
        return subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, *command], check=True, capture_output=True
        )

    return start


def measure(*, rounds: int = 30) -> list[Figure]:
    """Return all figures: start-up, one photograph on one thread, a batch of crops on two."""
    picture = read_image(GOLDEN_PICTURE)
    one, two = Analyzer(threads=1), Analyzer(threads=2)
    rng = np.random.default_rng(0)
    crops = list(rng.integers(0, 256, (256, 48, 48), np.uint8))
    few = max(rounds // 5, 5)
    batch = _time("", "", lambda: two.classify(crops), few)
    rate = Figure(
        "classify, batch of 256 crops 48x48, two threads",
        "faces/s",
        256 / batch.median,
        256 / batch.most,
        256 / batch.least,
        few,
    )
    bare = _process("-c", "pass")
    return [
        _time("bare Python start (for comparison)", "s", bare, few),
        _time("import pyojeong, whole process", "s", _process("-c", "import pyojeong"), few),
        _time("pyojeong --help, whole process", "s", _process("-m", "pyojeong", "--help"), few),
        _time(
            "analyze a 512x512 photograph, one thread",
            "ms",
            lambda: one.analyze(picture),
            rounds,
            1e3,
        ),
        _time("of it: detect", "ms", lambda: one.detect(picture), rounds, 1e3),
        _time("of it: classify one face", "ms", lambda: one.classify(crops[:1]), rounds, 1e3),
        rate,
    ]


_EXTENSIONS = {
    "amx_int8": "AMX",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
}
"""Flags of the system -> what the fastest arithmetic is called, best first."""


def cpu_name() -> str:
    """Return the name of the processor and its fastest vector instructions."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    name = names[0] if names else platform.machine()
    flags = {f for line in text.splitlines() if line.startswith("flags") for f in line.split()}
    best = next((words for flag, words in _EXTENSIONS.items() if flag in flags), None)
    return name if best is None else f"{name} ({best})"


def to_markdown(figures: list[Figure]) -> str:
    """Return the figures as a table that says where, when and how they were measured."""
    lines = [
        "# Speed",
        "",
        f"`pyojeong bench speed`, pyojeong {__version__}, {datetime.now(UTC).date().isoformat()}, "
        f"{cpu_name()}, {os.cpu_count()} CPUs, Python {platform.python_version()}; models: "
        f"{', '.join(f'`{name}`' for name in Analyzer(threads=1).model_ids)}.",
        "Latency and throughput of warm rounds. They depend on the machine and its load, so",
        "compare only figures of one run.",
        "",
        "| what | median | minimum | maximum | rounds |",
        "|---|--:|--:|--:|--:|",
    ]
    for f in figures:
        digits = 0 if f.median >= 100 else 2
        values = " | ".join(f"{v:.{digits}f} {f.unit}" for v in (f.median, f.least, f.most))
        lines.append(f"| {f.what} | {values} | {f.rounds} |")
    return "\n".join(lines) + "\n"
