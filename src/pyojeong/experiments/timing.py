"""What a face costs in milliseconds: every net as ONNX on one thread, all in one go.

Time on a busy machine says little, so all nets are timed in turns, round after round, together
with the bundled model. A net's figure is its fastest round; what travels is the ratio of the two.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.card import Preprocess
from pyojeong.core.feature import HogVector
from pyojeong.core.labels import FER7
from pyojeong.experiments.results import cost_key
from pyojeong.export.files import open_unmeasured
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.training.experiment import build_sized

Say = Callable[[str], None]


def time_nets(
    results: list[dict[str, Any]], *, rounds: int = 20, say: Say = lambda _: None
) -> dict[str, Any]:
    """Milliseconds per face of every net among the results, batch 1, preprocessing not counted.

    Args:
        results: From ``read_results``; each net is timed once, with fresh weights.
        rounds: Repetitions; every round runs every net a few times.
        say: Called with what is being prepared.

    Returns:
        The content of ``costs.json``.
    """
    bundled = Classifier.open(find_classifier("default"), threads=1)
    with tempfile.TemporaryDirectory() as folder:
        nets: dict[str, tuple[Classifier, int]] = {}
        for result in results:
            key = cost_key(result["settings"])
            if key not in nets and result["status"] == "finished":
                say(f"preparing {result['name']}")
                nets[key] = _prepare(result["settings"], Path(folder) / str(len(nets)))
        contestants = [(bundled, _face(bundled)), *((c, _face(c)) for c, _ in nets.values())]
        best = [float("inf")] * len(contestants)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for i, (classifier, face) in enumerate(contestants):
                best[i] = min(best[i], _fastest(classifier, face))
    own, *others = best
    return {
        "version": 1,
        "unit": "ms per face, one thread, batch 1",
        "reference": {"model": bundled.card.id, "ms": round(own, 3)},
        "nets": {
            key: {"ms": round(ms, 3), "ratio": round(ms / own, 3), "params": params}
            for (key, (_, params)), ms in zip(nets.items(), others, strict=True)
        },
    }


def _prepare(settings: dict[str, Any], folder: Path) -> tuple[Classifier, int]:
    gray = settings["color"] == "gray"
    vector = str(settings["feature"] or "").startswith("hog-vector")
    size = (int(settings["size_hw"][0]), int(settings["size_hw"][1]))
    pre = Preprocess(
        size_hw=size,
        color="gray" if gray else "rgb",
        mean=(0.5,) * (1 if gray else 3),
        std=(0.25,) * (1 if gray else 3),
        feature=HogVector() if vector else None,  # the other features change no channel
    )
    options = settings["net_options"]
    net = build_sized(settings["net"], size, in_channels=pre.channels, **options).eval()
    classifier = open_unmeasured(net, pre, FER7, folder)
    return classifier, sum(p.numel() for p in net.parameters())


def _face(classifier: Classifier) -> NDArray[np.float32]:
    pre = classifier.pre
    shape = (1, pre.channels, *pre.size_hw)
    return np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)


def _fastest(classifier: Classifier, face: NDArray[np.float32]) -> float:
    """Milliseconds of the faster of two runs after one that warms the caches."""
    classifier.logits(face)
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        classifier.logits(face)
        seconds.append(time.perf_counter() - started)
    return min(seconds) * 1e3
