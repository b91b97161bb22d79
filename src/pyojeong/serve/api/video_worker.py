"""The process that reads one clip of ``POST /v1/videos``: it has its own memory, and can be ended.

``python -m pyojeong.serve.api.video_worker`` reads one JSON object from stdin and writes lines of
JSON to stdout: ``facts`` when the clip is open, ``progress`` while it is read, at the end ``done``
or ``error``. It works in the folder of the clip, so that results name the file alone.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from pyojeong.core.errors import InputError, PyojeongError, one_line

RESULTS = "results"
"""Folder of the results, beside the clip."""
_PAUSE_S = 0.25


def _say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def too_long(limits: dict[str, Any], *, seconds: float | None, frames: int | None) -> str:
    """Return why a clip is refused, or "".

    Args:
        limits: ``seconds`` and ``frames``.
        seconds: Length of the clip; None = not known.
        frames: Number of frames; None = not known.
    """
    if seconds is not None and seconds > limits["seconds"]:
        return f"is {seconds:.1f} s long, more than the limit of {limits['seconds']:g} s"
    if frames is not None and frames > limits["frames"]:
        return f"has {frames:,} frames, more than the limit of {limits['frames']:,}"
    return ""


def probe(name: str, limits: dict[str, Any]) -> None:
    """Say length and number of frames, and why the clip is refused."""
    from pyojeong.stream.source import Clip

    with Clip(name) as clip:
        facts, length_s = clip.facts, clip.length_s or None
    why = too_long(limits, seconds=length_s, frames=facts.frames)
    _say(facts={"seconds": length_s, "frames": facts.frames, "refused": why})


def read(order: dict[str, Any]) -> None:
    """Read a clip and write its results, within limits of seconds and frames."""
    from pyojeong.runtime.analyzer import Analyzer
    from pyojeong.stream.segments import Selection
    from pyojeong.video.options import VideoOptions
    from pyojeong.video.process import read_clip

    name, limits = order["name"], order["limits"]
    selection = Selection(**order["selection"])
    options = VideoOptions(
        selection=selection, formats=("json", "csv", "parquet"), workers=1, **order["options"]
    )
    said_s = 0.0

    def progress(time_s: float, frames: int) -> None:
        nonlocal said_s
        why = too_long(limits, seconds=time_s, frames=frames)
        if why:
            raise InputError(f"{name}: {why}")
        if time.monotonic() - said_s >= _PAUSE_S:
            said_s = time.monotonic()
            _say(progress={"time_s": time_s, "frames": frames})

    analyzer = Analyzer(**order["analyzer"])
    done = read_clip(Path(name), Path(RESULTS), analyzer, options, progress=progress)
    _say(
        done={
            "frames": done.frames,
            "people": done.people,
            "error": done.error,
            "notes": [*done.notes, *done.failed],
        }
    )


def main() -> None:
    """Do what the order on stdin says."""
    order = json.loads(sys.stdin.readline())
    os.chdir(order["folder"])
    try:
        if order["task"] == "probe":
            probe(order["name"], order["limits"])
        else:
            read(order)
    except BrokenPipeError:  # the server is gone
        os._exit(1)
    except PyojeongError as error:
        _say(error=one_line(error), kind=type(error).__name__)
    except Exception as error:
        _say(error=f"internal error ({type(error).__name__})", kind="")


if __name__ == "__main__":
    main()
