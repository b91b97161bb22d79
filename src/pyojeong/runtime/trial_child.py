"""The process in which a network is opened and run once, within limits; see ``trial_run``.

It is started by its path and imports nothing of this package, so that it starts quickly. Arguments:
the file, the limits (bytes, seconds), and the shapes that the inputs are given. It prints one line:
``ok``, ``memory``, or ``open`` or ``run`` with what onnxruntime said.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

_TYPES = {
    "tensor(float)": "f4", "tensor(double)": "f8", "tensor(float16)": "f2", "tensor(uint8)": "u1",
    "tensor(int8)": "i1", "tensor(int32)": "i4", "tensor(int64)": "i8",
}  # fmt: skip
_FREE_SIDE = 64  # of axes that neither the file nor the card states
_NO_MEMORY = ("allocat", "bad_alloc", "memory")


def limit(extra_bytes: int, seconds: int) -> None:
    """Bound this process's memory beyond what it has, and its time on the CPU."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock alone
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # not Linux
        return
    size = pages * resource.getpagesize() + extra_bytes
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    size = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_AS, (size, hard))


def shape_of(declared: list[Any], wanted: list[int | None] | None) -> list[int]:
    """Return the shape to run with: the file's, then the caller's, then a guess."""
    if wanted is None or len(wanted) != len(declared):
        wanted = [None] * len(declared)
    guesses = [1, *[_FREE_SIDE] * len(declared)]
    return [
        side if isinstance(side, int) and side > 0 else asked or guess
        for side, asked, guess in zip(declared, wanted, guesses, strict=False)
    ]


def main(path: str, extra_bytes: str, seconds: str, shapes: str) -> str:
    """Return what happened, as the module's text says."""
    wanted = json.loads(shapes)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    limit(int(extra_bytes), int(seconds))
    step = "open"
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        step = "run"
        feed, noise = {}, np.random.default_rng(0)
        for place, port in enumerate(session.get_inputs()):
            shape = shape_of(port.shape, wanted[place] if place < len(wanted) else None)
            kind = np.dtype(_TYPES.get(port.type, "f4"))
            feed[port.name] = noise.uniform(0, 2, shape).astype(kind)
        session.run(None, feed)
    except MemoryError:
        return "memory"
    except Exception as error:  # onnxruntime's exceptions share no base class
        words = " ".join(str(error).split())
        return "memory" if any(w in words.lower() for w in _NO_MEMORY) else f"{step} {words[:500]}"
    return "ok"


if __name__ == "__main__":
    print(main(*sys.argv[1:]), flush=True)  # noqa: T201 - the answer to the parent
