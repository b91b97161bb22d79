"""Runs checks over a manifest: in several processes, resumable, nothing ever lost.

Checks of single images work through the manifest in pieces of ``PIECE`` rows; a finished piece is
a file, so an interrupted run goes on where it stopped. Checks of the whole table run afterwards.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pyojeong.core.errors import DataError
from pyojeong.core.one_writer import one_writer
from pyojeong.curate.checks import build_check
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.face_inspection import Examiner
from pyojeong.curate.findings import Check, ImageCheck, Store, TableCheck
from pyojeong.datasets.picture_files import is_missing, missing_files
from pyojeong.datasets.samples import read_picked
from pyojeong.distributed.ray_engine import RayOptions, run_tasks

PIECE = 512

Ticker = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which checks run, and how.

    Attributes:
        thresholds: Check -> threshold, None for its own.
        options: What the checks' constructors take: ``detector``, ``predictions``, ``least_px`` ...
        jobs: Processes.
        ray: Checks of single images run on workers of Ray; None = in processes of this machine.
    """

    thresholds: Mapping[str, float | None]
    options: Mapping[str, Any]
    jobs: int = 2
    ray: RayOptions | None = None

    def checks(self) -> list[Check]:
        """Return the checks, built.

        Raises:
            DataError: When one lacks what it needs.
        """
        return [build_check(n, t, self.options) for n, t in self.thresholds.items()]


def curate(store: Store, plan: Plan, *, tick: Ticker | None = None) -> dict[str, float]:
    """Run the checks that are not finished yet.

    Rows whose files are missing are not checked, and a check is not finished before they are.

    Args:
        store: Where findings go; names the manifest.
        plan: Which checks.
        tick: Progress.

    Returns:
        Seconds of work in this call by check; checks of single images share theirs under
        ``"images"``.

    Raises:
        DataError: When a check lacks what it needs.
        OutputBusy: When another process runs checks.
    """
    checks = plan.checks()
    if not checks:
        raise DataError("no check named; see `pyojeong data curate --help`")
    with one_writer(store.folder, folder=True):
        return _curate(store, plan, checks, tick)


def _curate(store: Store, plan: Plan, checks: list[Any], tick: Ticker | None) -> dict[str, float]:
    for check in checks:
        store.start(check)
    seconds: dict[str, float] = {}
    single = [c for c in checks if hasattr(c, "check_image") and store.due(c.name)]
    began = time.monotonic()
    if single:
        _run_single(store, plan, [c.name for c in single], tick)
        seconds["pictures"] = time.monotonic() - began
        for check in single:
            if not store.waits(check.name):
                store.finish(check.name, {"rows": store.size})
    several = [c for c in checks if hasattr(c, "check_table") and store.due(c.name)]
    return seconds | _run_table(store, several, tick)


def _run_table(store: Store, checks: list[Any], tick: Ticker | None) -> dict[str, float]:
    """Run checks of the whole table; returns the seconds of each."""
    seconds: dict[str, float] = {}
    some = bool(missing_files(store.manifest))
    for check in checks:
        table: TableCheck = check
        began = time.monotonic()
        if tick is not None:
            tick(table.name, 0, 1)
        progress = None if tick is None else partial(tick, table.name)
        findings = table.check_table(store.manifest, tick=progress)
        store.add_part(table.name, "all", findings, some=some)
        seconds[table.name] = time.monotonic() - began
        if not some:
            store.finish(table.name, {"rows": store.size})
        if tick is not None:
            tick(table.name, 1, 1)
    return seconds


def _run_single(store: Store, plan: Plan, names: list[str], tick: Ticker | None) -> None:
    pieces = []
    for first in range(0, store.size, PIECE):
        missing = [n for n in names if not store.has_part(n, _part(first))]
        if missing:
            pieces.append((first, min(first + PIECE, store.size), missing))
    todo = sum(last - first for first, last, _ in pieces)
    done = store.size - todo
    if tick is not None:
        tick("pictures", done, store.size)
    for rows in _rows_of_pieces(store, plan, names, pieces):
        done += rows
        if tick is not None:
            tick("pictures", done, store.size)


def _rows_of_pieces(
    store: Store, plan: Plan, names: list[str], pieces: list[tuple[int, int, list[str]]]
) -> Iterator[int]:
    """Yield the rows of each piece as it is finished, in any order."""
    if plan.ray is not None:
        make = _PieceTasks(store.folder.absolute(), store.manifest.absolute(), plan, names)
        tasks = [{"piece": piece} for piece in pieces]
        for answer in run_tasks(make, tasks, plan.ray, notes=store.folder):
            yield answer["rows"]
        return
    context = get_context("spawn")  # forked onnxruntime sessions hang
    args = (store.folder, store.manifest, plan, names)
    pool = ProcessPoolExecutor(plan.jobs, context, initializer=_prepare, initargs=args)
    try:
        yield from _worked(pool, pieces, at_once=2 * plan.jobs)
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process crashed, perhaps out of memory: run the same command again to "
            "resume; --processes 1 needs less memory"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _worked(
    pool: ProcessPoolExecutor, pieces: list[tuple[int, int, list[str]]], *, at_once: int
) -> Iterator[int]:
    """Yield the rows of each piece as it is finished, with only so many waiting in the pool."""
    waiting: set[Future[int]] = set()
    queue = iter(pieces)
    for piece in queue:
        waiting.add(pool.submit(_work, *piece))
        if len(waiting) >= at_once:
            break
    while waiting:
        finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in finished:
            yield future.result()
            following = next(queue, None)
            if following is not None:
                waiting.add(pool.submit(_work, *following))


@dataclass(frozen=True, slots=True)
class _PieceTasks:
    """Makes the function that a worker of Ray calls for each piece."""

    folder: Path
    manifest: Path
    plan: Plan
    names: list[str]

    def __call__(self) -> Callable[[dict[str, Any]], dict[str, Any]]:
        _prepare(self.folder, self.manifest, self.plan, self.names)
        return lambda task: {"rows": _work(*task["piece"])}


def _part(first: int) -> str:
    return f"{first:08d}"


_worker: dict[str, Any] = {}


def _prepare(folder: Path, manifest: Path, plan: Plan, names: list[str]) -> None:
    """Build a worker's checks and networks, once."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import cv2

    cv2.setNumThreads(1)
    checks = [build_check(n, plan.thresholds[n], plan.options) for n in names]
    _worker["store"] = Store(folder, manifest)
    _worker["checks"] = {c.name: c for c in checks}
    needed = any(getattr(c, "needs_faces", False) for c in checks)
    detector = plan.options.get("detector") or "auto"
    _worker["examine"] = Examiner(detector=detector).examine if needed else None


def _work(first: int, last: int, names: list[str]) -> int:
    """Run some checks over some rows and write their parts; returns the number of rows."""
    store: Store = _worker["store"]
    checks: list[ImageCheck] = [_worker["checks"][n] for n in names]
    found: dict[str, list[Any]] = {n: [] for n in names}
    some = False
    for row, sample in read_picked(store.manifest, range(first, last)).items():
        if is_missing(sample):
            some = True
            continue
        picture = DecodedImage(row, sample, _worker["examine"])
        for check in checks:
            found[check.name].append(check.check_image(picture))
    for name, findings in found.items():
        store.add_part(name, _part(first), findings, some=some)
    return last - first
