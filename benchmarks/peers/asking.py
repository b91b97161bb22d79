"""Runs adapters: one process per entrant and set, resumed where an earlier one was ended."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.answers import mend_raw, read_raw
from benchmarks.peers.entrants import ADAPTERS, ENVIRONMENTS, Entrant
from benchmarks.peers.environments import python_of
from benchmarks.peers.pictures import Picture, PictureSet

MAX_CRASHES = 5
ONE_THREAD = {
    **dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "TF_NUM_INTRAOP_THREADS",
            "TF_NUM_INTEROP_THREADS",
        ),
        "1",
    ),
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "CUDA_VISIBLE_DEVICES": "",
}
"""What every adapter finds in its environment; the adapters set what has no variable."""


class AskingError(Exception):
    """An adapter could not do its work; the message says why."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code; below 0 = the signal that ended it.
        wall_s: Seconds from start to end.
        cpu_s: Seconds of CPU, user and system.
        peak_mb: Largest resident memory.
    """

    code: int
    wall_s: float
    cpu_s: float
    peak_mb: float


def command(entrant: Entrant, how: str, work: Path, todo: Path, answers: Path) -> list[str]:
    """The adapter's command line."""
    folder = work / "environments" / entrant.environment
    adapter = str(ADAPTERS / entrant.adapter)
    if ENVIRONMENTS[entrant.environment].kind == "node":
        start = ["node", adapter, "--env", str(folder)]
    else:
        start = [str(python_of(folder)), adapter]
    given = ["--pictures", str(todo), "--answers", str(answers), "--how", how]
    return [*start, *given, *entrant.arguments]


def run_process(line: list[str], log: Path) -> Ended:
    """Run a command to its end, its words into a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(line)}\n")
        file.flush()
        process = subprocess.Popen(
            line, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **ONE_THREAD}
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        process.returncode,
        time.perf_counter() - began,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,  # Linux counts in KiB
    )


def write_todo(file: Path, pictures: list[Picture]) -> None:
    """The list that an adapter reads."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": p.id, "path": p.path}) + "\n" for p in pictures]
    file.write_text("".join(lines), encoding="utf-8")


def failure_of(work: Path, entrant: Entrant) -> Path:
    """Where it is written down why an entrant gave no answers."""
    return work / "answers" / f"{entrant.name}.failed.txt"


def raw_file(work: Path, entrant: str, set_name: str) -> Path:
    """Where an adapter's answers are kept."""
    return work / "raw" / f"{entrant}.{set_name}.jsonl"


def ask_all(entrant: Entrant, pictures: PictureSet, work: Path) -> Path:
    """Have every picture of a set answered; what was answered before is not asked again.

    A picture at which the process dies by itself is answered with that as its error, and the rest
    goes on; a process that was killed from outside only has to be started again.

    Raises:
        AskingError: When the adapter does not get ready, was killed, or dies too often.
    """
    how = entrant.how(pictures.kind)
    answers = raw_file(work, entrant.name, pictures.name)
    answers.parent.mkdir(parents=True, exist_ok=True)
    todo = work / "raw" / f"{entrant.name}.{pictures.name}.todo"
    log = work / "logs" / f"{entrant.name}.{pictures.name}.log"
    crashes = 0
    while True:
        mend_raw(answers)
        before = read_raw(answers)
        left = [p for p in pictures.pictures if p.path and p.id not in before.answers]
        if not left:
            todo.unlink(missing_ok=True)
            return answers
        write_todo(todo, left)
        ended = run_process(command(entrant, how, work, todo, answers), log)
        mend_raw(answers)
        after = read_raw(answers)
        if ended.code in {-2, -9, -15}:
            raise AskingError(f"was killed (signal {-ended.code}); run again to go on")
        if after.starts == before.starts:
            raise AskingError(f"does not start (exit {ended.code}): {last_line(log)}")
        missing = [p for p in left if p.id not in after.answers]
        if ended.code == 0 and missing:
            raise AskingError(f"ended without answering {len(missing)} pictures")
        if missing:
            crashes += 1
            if crashes > MAX_CRASHES:
                raise AskingError(f"died {crashes} times, the last time with {ended.code}")
            error = f"the process died here (exit {ended.code})"
            row = {"id": missing[0].id, "faces": 0, "scores": None, "ms": None, "error": error}
            with answers.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def last_line(log: Path) -> str:
    """The last words of a log: the last line that names an error, else the last line."""
    lines = [s.strip() for s in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    lines = [s for s in lines if s and not s.startswith("$ ")]
    named = [s for s in lines if "Error" in s or "error:" in s]
    return (named or lines or ["no words"])[-1][:300]
