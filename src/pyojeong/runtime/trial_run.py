"""The first run of a network that did not come with this package: in a process of its own, bounded.

A graph of a few hundred bytes can ask for any amount of memory and time, already when it is opened
(constants are folded). The trial ends it in a process that has limits; what passes is opened as
usual. Bundled networks need no trial.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pyojeong.core.errors import ModelCorrupt, ModelError, ModelMismatch

MEMORY = 2**31
"""Bytes that opening and one run may need, besides four times the file's size."""

CPU_SECONDS = 6
WALL_SECONDS = 60  # a machine that does much else gives a process little of its time

_CHILD = Path(__file__).with_name("trial_child.py")


def try_network(path: Path, name: str, shapes: Sequence[Sequence[int | None]]) -> None:
    """Open a network and run it once on one face of noise, within limits.

    Args:
        path: The ONNX file.
        name: The model's id, for messages.
        shapes: Of its inputs where the caller knows them; None = any.

    Raises:
        ModelCorrupt: When onnxruntime does not open it.
        ModelMismatch: When it fails on an input whose shape is known.
        ModelError: When it needs more memory or time than the limits, or ends its process.
    """
    memory = MEMORY + 4 * path.stat().st_size
    command = [sys.executable, "-P", str(_CHILD), str(path), str(memory), str(CPU_SECONDS)]
    command.append(json.dumps([list(shape) for shape in shapes]))
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(_too_long(name, path, f"{WALL_SECONDS} s")) from None
    except OSError as error:
        raise ModelError(
            f"model {name!r}: its first run needs a process of its own, which could not be "
            f"started: {error.strerror or error}"
        ) from error
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    step, _, words = (lines[-1] if lines else "").partition(" ")
    if step == "ok":
        return
    if step == "memory":
        raise ModelError(
            f"model {name!r} ({path}) is refused: its first run needs more than "
            f"{memory / 2**30:.1f} GB of memory for one face"
        )
    if step == "open":
        raise ModelCorrupt(
            f"weight file {path} of model {name!r} could not be opened as an ONNX network by "
            f"onnxruntime: {words}"
        )
    if step == "run":
        if shapes:
            raise ModelMismatch(f"model {name!r} refuses its input: {words}")
        return  # the shape was a guess
    if done.returncode in _CPU_ENDED:
        raise ModelError(_too_long(name, path, f"{CPU_SECONDS} s of computing"))
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    raise ModelError(
        f"model {name!r} ({path}) is refused: its first run ended its process (exit code "
        f"{done.returncode}){': ' if last else ''}{''.join(last)}"
    )


# SIGXCPU at the soft limit; SIGKILL at the hard one (or when the machine has no memory left).
_CPU_ENDED = (-24, -9)


def _too_long(name: str, path: Path, limit: str) -> str:
    return (
        f"model {name!r} ({path}) is refused: opening it and one run on one face took more than "
        f"{limit}"
    )
