"""Tasks on the workers of Ray: the only module that imports it.

``map_batches`` of Ray Data hands tasks to actors, restarts those that die and gives their tasks to
others. Tasks write their own results, whole or not at all, and return a few numbers: no image and
no table goes through Ray's object store.
"""

import hashlib
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pyojeong.core.errors import DataError, InputError, MissingExtra, PyojeongError, one_line

RAY_VERSION = "2.60.0"
"""The version that the extra installs and that this module was tested with."""
STORE_MB = 256
"""Default size of Ray's object store on this machine."""
_LEAST_STORE_MB = 80
_ATTEMPTS = 20
"""How often a task is begun whose process dies."""
_NOTES = ".attempts-"
_STARTS = 3
_PATIENCE_S = 10.0
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_agent_register_timeout_ms": "120000",
}
"""Quiet, and without usage statistics, unless a user has said otherwise."""

Worker = Callable[[dict[str, Any]], dict[str, Any]]
"""Does a task; both are JSON types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayOptions:
    """How Ray is used.

    Attributes:
        workers: Actors, one CPU each.
        address: Of a cluster that is running; None = processes of this machine, for this command.
        object_store_mb: Size of the object store of this machine, in megabytes; not with an
            address.
    """

    workers: int = 2
    address: str | None = None
    object_store_mb: int = STORE_MB


def _check_address(address: str) -> None:
    """Refuse an address where nothing answers: Ray itself would try for minutes.

    Raises:
        InputError: When nothing does.
    """
    host, colon, port = address.rpartition(":")
    if "/" in address or not colon or not port.isdigit():
        return  # auto, or a form that Ray judges
    try:
        with socket.create_connection((host, int(port)), timeout=_PATIENCE_S):
            return
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--address {address}: nothing answers there ({one_line(error)}): start the cluster "
            f"with `ray start --head`, Ray {RAY_VERSION}, and check the address"
        ) from None


def require_ray(options: RayOptions) -> None:
    """Refuse to begin without Ray, with another version of it, or with options that it refuses.

    Raises:
        MissingExtra: When Ray is not installed, or another version than ``RAY_VERSION``.
        InputError: When an option is out of range.
    """
    try:
        found = version("ray")
    except PackageNotFoundError:
        raise MissingExtra("--engine ray", "ray") from None
    if found != RAY_VERSION:
        raise MissingExtra(
            f"--engine ray: Ray {found} is installed, Ray {RAY_VERSION} is what was tested; it",
            "ray",
        )
    if options.address is None and options.object_store_mb < _LEAST_STORE_MB:
        raise InputError(
            f"--object-store-mb {options.object_store_mb}: Ray needs at least {_LEAST_STORE_MB}"
        )
    if options.address is not None:
        _check_address(options.address)


class _Actor:
    """What each actor of Ray Data holds: one worker."""

    def __init__(self, make: Callable[[], Worker], notes: Path) -> None:
        # Before networks are opened: one thread each.
        os.environ["OMP_NUM_THREADS"] = "1"
        import cv2

        cv2.setNumThreads(1)
        self._make = make
        self._notes = notes
        self._worker: Worker | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        answers = []
        for text in map(str, batch["task"]):
            try:
                self._worker = self._worker or self._make()
                with noted_attempt(self._notes, text):
                    answers.append(json.dumps({"done": self._worker(json.loads(text))}))
            except PyojeongError as error:  # Ray would show a traceback
                answers.append(json.dumps({"error": one_line(error)}))
        return {"answer": answers}


@contextmanager
def noted_attempt(folder: Path, task: str) -> Iterator[None]:
    """Count how often a task was begun and did not end: Ray itself would repeat it for ever.

    Raises:
        DataError: When it ended its process too often.
    """
    file = folder / f"{_NOTES}{hashlib.sha256(task.encode()).hexdigest()[:16]}"
    try:
        before = file.stat().st_size
    except FileNotFoundError:
        before = 0
    if before >= _ATTEMPTS:
        raise DataError(
            f"the process that worked on {task[:200]} ended {before} times without a result, "
            "perhaps for lack of memory: use fewer --jobs, or leave --engine ray out"
        )
    with file.open("ab") as notes:
        notes.write(b".")
    yield
    file.unlink(missing_ok=True)


def run_tasks(
    make: Callable[[], Worker],
    tasks: Sequence[dict[str, Any]],
    options: RayOptions,
    *,
    notes: Path,
) -> Iterator[dict[str, Any]]:
    """Do tasks on the actors of Ray.

    Args:
        make: Called in each actor, makes what does the tasks; must be picklable.
        tasks: JSON types.
        options: How.
        notes: A folder that every machine sees; holds a small file for each task in work.

    Yields:
        What the worker returned for each task, as tasks end, in any order.

    Raises:
        DataError: When a task failed for a reason that its worker named, when its process died
            again and again, or the cluster is gone. Tasks that ended are not undone.
        MissingExtra: As ``require_ray``.
    """
    require_ray(options)
    if not tasks:
        return
    for file in notes.glob(f"{_NOTES}*"):
        file.unlink(missing_ok=True)
    with connected(options) as ray:
        rows = [{"task": json.dumps(task)} for task in tasks]
        data = ray.data.from_items(rows, override_num_blocks=len(rows))
        answers = data.map_batches(
            _Actor,
            fn_constructor_args=(make, notes),
            batch_size=1,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=min(options.workers, len(rows))),
            num_cpus=1,
        )
        try:
            for row in answers.iter_rows():
                answer = json.loads(row["answer"])
                if "error" in answer:
                    raise DataError(answer["error"])
                yield answer["done"]
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise DataError(
                f"Ray gave up: {_reason(error)}. What was finished is kept: give the same command "
                "again, or leave --engine ray out to see which input ends its process"
            ) from error


def enter_folder(folder: Path) -> None:
    """Make a folder the working folder of a worker.

    Raises:
        DataError: When the worker's machine does not have it.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise DataError(
            f"a worker has no folder {folder}: give the command in a folder that every machine of "
            "the cluster has under the same name"
        ) from error


@contextmanager
def connected(options: RayOptions) -> Iterator[Any]:
    """Yield the module of Ray while it is connected; quiet, and without its usage statistics."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray
    import ray.data

    own = not ray.is_initialized()
    if own:
        _start(ray, options)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield ray
    finally:
        if own:
            ray.shutdown()


def _start(ray: Any, options: RayOptions) -> None:
    """Start Ray on this machine, or reach a cluster.

    Raises:
        InputError: When neither is possible.
    """
    local: dict[str, Any] = {
        "address": "local",
        "num_cpus": options.workers,
        "object_store_memory": options.object_store_mb * 1_000_000,
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",  # nothing listens to other machines
    }
    where = local if options.address is None else {"address": options.address}
    for left in reversed(range(_STARTS)):
        try:
            with _silent_stderr():  # a line about its own log level
                ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # of many kinds, Exception itself among them
            ray.shutdown()
            if left and options.address is None:  # it gives up after 30 seconds on a busy machine
                continue
            raise InputError(
                f"--engine ray: could not be started or reached: {_reason(error)}. Give the "
                f"command again when the machine is less busy; with --address: start the cluster "
                f"with Ray {RAY_VERSION} and the same Python, and check the address"
            ) from error
        return


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what native code writes to the standard error stream."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _reason(error: BaseException) -> str:
    """Return the last line of an error of Ray, whose text is a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
