"""Milliseconds a picture, all entrants in turns, so that a busy minute hits everybody alike."""

import json
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers.answers import read_raw
from benchmarks.peers.asking import AskingError, command, last_line, run_process, write_todo
from benchmarks.peers.entrants import Entrant
from benchmarks.peers.pictures import PictureSet, cut_faces
from pyojeong.core.atomic_write import atomic_write

TIMED = 60
"""Pictures in a round, spread over the set."""

ROUNDS = 5


def time_rounds(
    entrants: list[Entrant], pictures: PictureSet, work: Path, *, say: Callable[[str], None]
) -> None:
    """Ask all entrants about the same pictures in turns; results to ``timing.json``.

    A round's figure is the median over its pictures of the tool's own call, detector and net,
    picture decoded before; the entrant's figure is the median of its rounds.
    """
    times: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    loads = []
    for number in range(ROUNDS):
        loads.append(os.getloadavg()[0])
        for entrant in entrants:
            if entrant.our_crops or not entrant.photographs:
                continue
            try:
                ms, peak = _time_once(entrant, pictures, work)
            except AskingError as error:
                say(f"{entrant.name}: {error}")
                continue
            times.setdefault(entrant.name, []).append(ms)
            peaks[entrant.name] = max(peak, peaks.get(entrant.name, 0))
            say(f"round {number + 1} of {ROUNDS}: {entrant.name} {ms:.1f} ms")
    result: dict[str, Any] = {
        "pictures": len(pictures.pictures),
        "rounds": ROUNDS,
        "threads": 1,
        "load": [round(v, 1) for v in loads],
        "entrants": {
            name: {
                "ms": round(statistics.median(values), 2),
                "rounds": [round(v, 2) for v in values],
                "peak_mb": round(peaks[name]),
            }
            for name, values in times.items()
        },
    }
    with atomic_write(work / "timing.json", "w") as file:
        file.write(json.dumps(result, indent=1) + "\n")


def read_timing(work: Path) -> dict[str, Any] | None:
    """What ``time_rounds`` wrote; None = nothing."""
    file = work / "timing.json"
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _time_once(entrant: Entrant, pictures: PictureSet, work: Path) -> tuple[float, float]:
    shown = cut_faces(pictures, work) if entrant.our_crops else pictures
    todo = work / "raw" / f"{entrant.name}.timing.todo"
    answers = work / "raw" / f"{entrant.name}.timing.jsonl"
    log = work / "logs" / f"{entrant.name}.timing.log"
    answers.unlink(missing_ok=True)
    write_todo(todo, list(shown.pictures))
    ended = run_process(command(entrant, entrant.photographs, work, todo, answers), log)
    found = [a.ms for a in read_raw(answers).answers.values() if a.ms is not None]
    if ended.code or not found:
        raise AskingError(f"could not be timed (exit {ended.code}): {last_line(log)}")
    return statistics.median(found), ended.peak_mb
