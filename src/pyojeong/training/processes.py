"""Several processes of one training on this machine: started, watched, ended together.

``python -m pyojeong.training.processes JOB`` is one of them; JOB is a JSON file. The first process
writes checkpoints and curves, as a training in one process does, and reports its epochs in lines of
JSON on its standard output.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch

from pyojeong.core.errors import ExperimentError, PyojeongError, one_line
from pyojeong.training.data.portion import Fold, Portion
from pyojeong.training.data.shared_faces import FOLDER
from pyojeong.training.fitting import TrainingCallbacks, build_data, fit_recipe_to_size, fit_run
from pyojeong.training.lightning_module import Diverged
from pyojeong.training.run import Run, write_text
from pyojeong.training.world import world

JOB = "processes.json"
"""File of a run folder while several processes train it: what each of them does."""
_POLL_S = 0.1
_PATIENCE_S = 10.0


def fit_in_processes(run: Run, job: dict[str, Any], devices: int, watch: TrainingCallbacks) -> None:
    """Train a run in several processes, from its last whole epoch on.

    Args:
        run: Its folder, which this process holds.
        job: What ``fit_job`` is given, JSON types.
        devices: How many processes.
        watch: Who gets reports.

    Raises:
        ExperimentError: When one of them failed or was killed; the others are ended.
        Diverged: When the loss is no longer a number.
    """
    file = run.folder / JOB
    write_text(file, json.dumps(job))
    started: list[subprocess.Popen[str]] = []
    shared = tempfile.TemporaryDirectory(prefix="pyojeong-", ignore_cleanup_errors=True)
    try:
        port = _free_port()
        threads = str(max(1, (os.cpu_count() or 1) // devices))
        for rank in range(devices):
            names = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0}
            names |= {"WORLD_SIZE": devices, "LOCAL_WORLD_SIZE": devices, "MASTER_PORT": port}
            own = {"OMP_NUM_THREADS": threads, **os.environ, "MASTER_ADDR": "127.0.0.1"}
            own |= {name: str(value) for name, value in names.items()}
            own[FOLDER] = shared.name
            command = [sys.executable, "-m", "pyojeong.training.processes", str(file)]
            started.append(
                subprocess.Popen(  # noqa: S603
                    command,
                    env=own,
                    # Its end tells a process that this one was killed.
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
        _watch_all(run, started, watch)
    finally:
        _end(started)
        for process in started:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        file.unlink(missing_ok=True)
        shared.cleanup()


class _Reports:
    """What processes say on their standard output, read in threads."""

    def __init__(self, started: Sequence[subprocess.Popen[str]], watch: TrainingCallbacks) -> None:
        self.errors: list[tuple[str, str]] = []
        self._watch = watch
        self._threads = [
            threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
            for process in started
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            try:
                said = json.loads(line)
            except ValueError:  # a library that prints
                continue
            if "error" in said:
                self.errors.append((said["kind"], said["error"]))
            elif self._watch.epoch is not None:
                self._watch.epoch(said["epoch"])

    def end(self) -> None:
        """Wait until the processes, which have ended, have no more to say."""
        for thread in self._threads:
            thread.join(_PATIENCE_S)


def _watch_all(
    run: Run, started: Sequence[subprocess.Popen[str]], watch: TrainingCallbacks
) -> None:
    reports = _Reports(started, watch)
    while True:
        codes = [process.poll() for process in started]
        failed = next((rank for rank, code in enumerate(codes) if code), None)
        if failed is not None or None not in codes:
            break
        time.sleep(_POLL_S)
    _end(started)
    reports.end()
    if failed is None:
        return
    if reports.errors:
        kind, words = reports.errors[0]
        raise (Diverged if kind == Diverged.__name__ else ExperimentError)(words)
    code = codes[failed] or 0
    how = f"was killed (signal {-code})" if code < 0 else "has failed"
    raise ExperimentError(
        f"{run.folder}: process {failed + 1} of {len(started)} {how}; the last whole epoch is "
        "kept: give the same command again"
    )


def _end(started: Sequence[subprocess.Popen[str]]) -> None:
    """End processes that are running; those that do not listen are killed."""
    for process in started:
        if process.poll() is None:
            process.terminate()
    for process in started:
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fit_job(job: dict[str, Any], epoch: Callable[[dict[str, Any]], None]) -> None:
    """Do what one process of a training does.

    Args:
        job: ``run``, ``manifest``, ``runs``: paths; ``limit``, ``fold``, ``min_steps``,
            ``logger``: as ``train`` has them.
        epoch: Called after every epoch in the first process.
    """
    run, manifest, runs = Run(Path(job["run"])), Path(job["manifest"]), Path(job["runs"])
    experiment = run.experiment
    fold = None if job["fold"] is None else Fold(*job["fold"])
    portion = Portion(without=fold, limit=job["limit"], subset=experiment.subset)
    data = build_data(experiment, manifest, portion)
    watch = TrainingCallbacks(epoch=epoch, logger=job["logger"])
    experiment = fit_recipe_to_size(experiment, data, job["min_steps"], TrainingCallbacks())
    fit_run(run, experiment, data, runs, run.environment, watch)


@contextmanager
def all_processes() -> Iterator[None]:
    """Hold the group of the processes that torchrun has started; one process needs none."""
    if world().size == 1:
        yield
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    torch.distributed.init_process_group(backend)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def wait_for_all() -> None:
    """Wait until all processes of the group are here."""
    if world().size > 1:
        torch.distributed.barrier()


def _end_with_parent() -> None:
    """End this process when the one that has started it is gone."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main(file: str) -> int:
    """Be one process of a training; returns the exit code."""
    _end_with_parent()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

    def say(**words: Any) -> None:
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()

    try:
        fit_job(json.loads(Path(file).read_text(encoding="utf-8")), lambda line: say(epoch=line))
    except PyojeongError as error:
        say(kind=type(error).__name__, error=one_line(error))
        return 1
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    ended = main(sys.argv[1])
    sys.stdout.flush()
    os._exit(ended)  # torch takes seconds to end by itself, and everything is on disk
