"""Photographs of a list, part by part: what the local engine and each worker of Ray do."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyojeong.core.addresses import is_address
from pyojeong.core.errors import ImageUnreadable, StoreUnavailable, without_frames
from pyojeong.core.face import FrameResult
from pyojeong.distributed.input_list import Entry, read_parts
from pyojeong.distributed.parts import PartStore, RunFacts
from pyojeong.distributed.ray_engine import enter_folder
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.batch import FileResult, analyze_files

MOST_LINES = 3
"""Lines about failures and doubtful images that are kept of a part."""
_UNANSWERED = 8
"""Reads in a row that a store leaves without an answer before the work stops."""


@dataclass(slots=True)
class PartDone:
    """What became of a part.

    Attributes:
        part: Its number.
        rows: Its inputs.
        failed: How many of them could not be read.
        noted: How many were read with a note.
        lines: The first failures and notes.
    """

    part: int
    rows: int = 0
    failed: int = 0
    noted: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, outcome: FileResult) -> None:
        """Count one input."""
        self.rows += 1
        self.failed += outcome.error is not None
        self.noted += bool(outcome.notes)
        lines = [] if outcome.error is None else [f"failed {outcome.error}"]
        lines += [f"note {outcome.path}: {note}" for note in outcome.notes]
        self.lines += lines[: MOST_LINES - len(self.lines)]


def analyze_parts(
    analyzer: Analyzer,
    store: PartStore,
    facts: RunFacts,
    parts: Iterable[int],
    *,
    jobs: int = 1,
    remote: bool = False,
) -> Iterator[PartDone]:
    """Read the inputs of parts and write each part when its last input is read.

    Args:
        analyzer: Reads images.
        store: Gets the parts.
        facts: What they are results of.
        parts: Numbers of parts.
        jobs: Images in work at once, in threads.
        remote: Read addresses.

    Yields:
        What became of each part, after it was written.

    Raises:
        StoreUnavailable: When a store stops answering; finished parts are kept.
        OutputError: When a part could not be written.
    """
    begun: deque[tuple[int, list[Entry]]] = deque()

    def inputs() -> Iterator[str | FileResult]:
        for part, entries in read_parts(store.list, parts):
            begun.append((part, entries))
            for entry in entries:
                yield _input_of(entry)

    watch = _StoreWatch()
    results: list[tuple[Entry, FrameResult]] = []
    done: PartDone | None = None
    for outcome in analyze_files(analyzer, inputs(), jobs=jobs, remote=remote):
        watch.add(outcome)
        part, entries = begun[0]
        done = done or PartDone(part)
        done.add(outcome)
        results.append((entries[len(results)], outcome.row))
        if len(results) == len(entries):
            store.write(
                part,
                results,
                labels=facts.label_set,
                timeline=facts.timeline,
                measures=facts.measures,
            )
            yield done
            begun.popleft()
            results, done = [], None


def _input_of(entry: Entry) -> str | FileResult:
    if entry.error:
        return FileResult(entry.source, error=ImageUnreadable(entry.error))
    return entry.source


class _StoreWatch:
    """Stops the work when a store leaves one read after the other without an answer.

    Else every image behind it would become a row with an error, for good.
    """

    def __init__(self) -> None:
        self._host = ""
        self._unanswered = 0

    def add(self, outcome: FileResult) -> None:
        if not is_address(outcome.path):
            return
        host = urlsplit(outcome.path).netloc
        failed = isinstance(outcome.error, StoreUnavailable)
        self._unanswered = self._unanswered + 1 if failed and host == self._host else int(failed)
        self._host = host
        if self._unanswered == _UNANSWERED:
            error = StoreUnavailable(
                f"the store does not answer: {_UNANSWERED} images in a row failed, the last one: "
                f"{outcome.error}. What was read is kept: give the same command again when it does"
            )
            raise without_frames(error)


@dataclass(frozen=True, slots=True)
class ImageTasks:
    """Makes the function that a worker process calls for each part.

    Attributes:
        out: The folder of results, which every machine sees.
        options: Of the analyzer, for ``Analyzer``.
        working_folder: What paths of inputs are relative to.
        remote: Read addresses.
    """

    out: Path
    options: dict[str, Any]
    working_folder: Path
    remote: bool = False

    def __call__(self) -> "ImageWorker":
        """Return what does the tasks, in the process of a worker."""
        return ImageWorker(self)


class ImageWorker:
    """Holds one analyzer, with one thread in each network.

    Raises:
        DataError: When the worker's machine lacks the folder of results or the working folder.
    """

    def __init__(self, tasks: ImageTasks) -> None:
        enter_folder(tasks.working_folder)
        self._tasks = tasks
        self._store = PartStore(tasks.out)
        self._facts = self._store.facts()
        self._analyzer = Analyzer(**{**tasks.options, "threads": 1})

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        """Make the part that a task names."""
        remote = self._tasks.remote
        # While one image is read, the next one is on its way from the store.
        jobs = 2 if remote else 1
        (done,) = analyze_parts(
            self._analyzer, self._store, self._facts, [task["part"]], jobs=jobs, remote=remote
        )
        return {
            "part": done.part,
            "rows": done.rows,
            "failed": done.failed,
            "noted": done.noted,
            "lines": done.lines,
        }


def tasks_of(parts: Sequence[int]) -> list[dict[str, Any]]:
    """Return the tasks of parts, as workers take them."""
    return [{"part": part} for part in parts]
