"""Clips of ``POST /v1/videos``: one is read at a time, in a process of its own; results expire."""

import asyncio
import json
import logging
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyojeong.core.errors import OutputError
from pyojeong.core.file_kinds import HEAD_BYTES, is_clip
from pyojeong.core.one_writer import FileLock, try_lock
from pyojeong.core.output_names import shortened
from pyojeong.core.printable import printable
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.api.errors import ApiError, busy
from pyojeong.serve.api.metrics import Metrics
from pyojeong.serve.api.request_log import LOGGER
from pyojeong.serve.api.settings import ServerSettings
from pyojeong.serve.api.uploads import Upload
from pyojeong.serve.api.video_worker import RESULTS
from pyojeong.video.options import OUTPUTS

STATES = ("waiting", "running", "done", "failed", "cancelled")
_PREFIX = "pyojeong-serve-"
_LOCK = ".lock"
_PROBE_SECONDS = 30.0
_LONGEST_LINE = 1 << 20


@dataclass(slots=True)
class VideoJob:
    """One clip.

    Attributes:
        id: Unguessable.
        folder: Holds the clip, and afterwards the results.
        state: One of ``STATES``; "" while it is received.
        analyzer: Options of the analyzer that reads it.
        selection: Which frames are read.
        options: What else is done.
        expires: When it is deleted, ``time.time()``; None while it waits or runs.
    """

    id: str
    folder: Path
    state: str = ""
    name: str = "clip"
    analyzer: dict[str, Any] = field(default_factory=dict)
    selection: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    expires: float | None = None
    seconds: float | None = None
    frames: int = 0
    time_s: float = 0.0
    people: int | None = None
    error: str = ""
    notes: list[str] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None

    @property
    def ended(self) -> bool:
        """Whether it neither waits nor runs."""
        return self.state in {"done", "failed", "cancelled"}

    def files(self) -> dict[str, Path]:
        """Return the results by name."""
        if self.state != "done":
            return {}
        found = {name: self.folder / RESULTS / name for name in OUTPUTS}
        return {name: path for name, path in sorted(found.items()) if path.is_file()}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        share = None
        if self.state == "done":
            share = 1.0
        elif self.seconds:
            share = min(self.time_s / self.seconds, 1.0)
        return {
            "id": self.id,
            "state": self.state,
            "progress": {"frames": self.frames, "time_s": self.time_s, "share": share},
            "created": _utc(self.created),
            "expires": self.expires and _utc(self.expires),
            "error": self.error,
            "notes": self.notes,
            "people": self.people,
            "results": {name: f"/v1/videos/{self.id}/results/{name}" for name in self.files()},
        }


def _utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class VideoJobs:
    """Keeps clips until they expire.

    Args:
        settings: Limits.
        metrics: Counts clips by state.
        root: Folder for temporary folders; None = that of the system.
    """

    def __init__(
        self, settings: ServerSettings, metrics: Metrics, *, root: Path | None = None
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._root = Path(tempfile.gettempdir() if root is None else root)
        self._jobs: dict[str, VideoJob] = {}
        self._queue: asyncio.Queue[VideoJob] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._folder: Path | None = None
        self._lock: FileLock | None = None

    async def start(self) -> None:
        """Make the folder, remove those of killed servers, and begin to read.

        Raises:
            OutputError: When the folder could not be made.
        """
        remove_abandoned(self._root)
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._root))
            self._lock = try_lock(self._folder / _LOCK)
        except OSError as error:
            raise OutputError(
                f"{self._root}: clips need a folder that can be written: {error.strerror}; set "
                "TMPDIR, or --max-videos 0"
            ) from None
        self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._sweep())]

    async def close(self) -> None:
        """Stop reading, and delete clips and results."""
        for task in self._tasks:
            task.cancel()
        for job in list(self._jobs.values()):
            await self._stop(job)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._lock is not None:
            self._lock.release()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def new(self) -> VideoJob:
        """Reserve a place for a clip that is about to come; ``submit`` or ``drop`` follows.

        Raises:
            ApiError: 429, when there are as many clips as may be.
        """
        if len(self._jobs) >= self._settings.max_videos:
            ends = [j.expires - time.time() for j in self._jobs.values() if j.expires]
            words = f"the server keeps {len(self._jobs)} clips, which is the limit"
            error = busy(f"{words}; delete one, or try again later")
            error.headers = {"retry-after": str(max(round(min(ends, default=10.0)), 1))}
            raise error
        assert self._folder is not None  # noqa: S101 - start() has made it
        job = VideoJob(secrets.token_urlsafe(16), Path())
        job.folder = self._folder / job.id
        job.folder.mkdir(mode=0o700)
        self._jobs[job.id] = job
        return job

    def drop(self, job: VideoJob) -> None:
        """Forget a clip with everything of it."""
        self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)
        self._count()

    async def submit(self, job: VideoJob, upload: Upload, analyzer: Analyzer) -> None:
        """Check a clip that has come, and let it wait for its turn.

        Args:
            job: From ``new``; its file is ``job.folder / "clip"``.
            upload: Its name and size.
            analyzer: Reads it.

        Raises:
            ApiError: 413 or 422, when it is too long or no clip.
        """
        job.name = file_name(upload.name)
        if not upload.size:
            raise ApiError(422, f"{job.name}: the file is empty (0 bytes)")
        (job.folder / "clip").rename(job.folder / job.name)
        with (job.folder / job.name).open("rb") as file:
            head = file.read(HEAD_BYTES)
        if not is_clip(head):  # FFmpeg opens playlists too, which name other files
            raise ApiError(422, f"{job.name}: is no clip that is read; convert it to MP4 or WebM")
        job.analyzer = analyzer.options
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                line = [line async for line in self._lines(job, "probe")][-1:]
        except TimeoutError:
            await self._kill(job)
            raise ApiError(422, f"{job.name}: opening it takes too long") from None
        facts = line[0].get("facts") if line else None
        if facts is None:
            words = line[0].get("error") if line else None
            raise ApiError(422, words or f"{job.name}: the process that opens it ended")
        if facts["refused"]:
            raise ApiError(413, f"{job.name}: {facts['refused']}", reason="video")
        job.seconds = facts["seconds"]
        if job.id in self._jobs:
            job.state = "waiting"
            self._queue.put_nowait(job)
            self._count()

    def find(self, job_id: str) -> VideoJob:
        """Return a clip.

        Raises:
            ApiError: 404, when there is none.
        """
        job = self._jobs.get(job_id)
        if job is None or not job.state:
            raise ApiError(404, "no such clip: it was deleted, or never was")
        return job

    async def cancel(self, job: VideoJob) -> None:
        """Stop reading a clip.

        Raises:
            ApiError: 409, when it has ended.
        """
        if job.ended:
            raise ApiError(409, f"the clip has ended: {job.state}")
        await self._stop(job)

    async def delete(self, job: VideoJob) -> None:
        """Stop reading a clip and delete everything of it."""
        if not job.ended:
            await self._stop(job)
        self.drop(job)

    async def _stop(self, job: VideoJob) -> None:
        if not job.ended:
            self._end(job, "cancelled")
            await self._kill(job)
            shutil.rmtree(job.folder, ignore_errors=True)

    def _end(self, job: VideoJob, state: str) -> None:
        with suppress(OSError):
            (job.folder / job.name).unlink()  # results are kept, the clip is not
        job.state = state
        job.expires = time.time() + self._settings.keep_seconds
        self._count()
        fields = {"id": job.id[:4], "state": state, "frames": job.frames}
        logging.getLogger(LOGGER).info("video", extra={"fields": fields})

    def _count(self) -> None:
        for state in STATES:
            count = sum(job.state == state for job in self._jobs.values())
            self._metrics.videos.labels(state).set(count)

    async def _work(self) -> None:
        """Read clips one after the other."""
        while True:
            job = await self._queue.get()
            if job.state != "waiting" or job.id not in self._jobs:
                continue
            try:
                await self._read(job)
            except Exception as error:  # whatever it is, the next clip is read
                self._fail(job, f"could not be read ({type(error).__name__})")
                await self._kill(job)

    async def _read(self, job: VideoJob) -> None:
        job.state = "running"
        self._count()
        limit_s = 60 + 20 * self._settings.max_video_seconds
        try:
            async with asyncio.timeout(limit_s):
                async for line in self._lines(job, "read"):
                    self._take(job, line)
        except TimeoutError:
            await self._kill(job)
            self._fail(job, f"reading it took more than {limit_s:.0f} s")
        if job.state == "running":
            self._fail(job, "the process that read it ended: it needed more memory than there is?")

    def _take(self, job: VideoJob, line: dict[str, Any]) -> None:
        if job.state != "running":  # it was cancelled
            return
        if (progress := line.get("progress")) is not None:
            job.time_s, job.frames = progress["time_s"], progress["frames"]
        elif (done := line.get("done")) is not None:
            job.frames, job.people = done["frames"], done["people"]
            job.error, job.notes = done["error"], done["notes"]
            self._end(job, "done")
        elif "error" in line:
            self._fail(job, line["error"])

    def _fail(self, job: VideoJob, words: str) -> None:
        if not job.ended:
            job.error = words if words.startswith(job.name) else f"{job.name}: {words}"
            self._end(job, "failed")

    async def _lines(self, job: VideoJob, task: str) -> AsyncIterator[dict[str, Any]]:
        """Yield what the process of a clip says."""
        limits = {
            "seconds": self._settings.max_video_seconds,
            "frames": self._settings.max_video_frames,
        }
        order = {"task": task, "folder": str(job.folder), "name": job.name, "limits": limits}
        order |= {"analyzer": job.analyzer, "selection": job.selection, "options": job.options}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "pyojeong.serve.api.video_worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST_LINE,
            start_new_session=True,  # Ctrl-C is the server's alone
        )
        job.process = process
        assert process.stdin is not None  # noqa: S101 - a pipe
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.close()
            async for line in process.stdout:
                yield json.loads(line)
            await process.wait()
        finally:
            await self._kill(job)

    async def _kill(self, job: VideoJob) -> None:
        process, job.process = job.process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _sweep(self) -> None:
        """Delete what has expired."""
        while True:
            await asyncio.sleep(min(self._settings.keep_seconds / 10, 5.0))
            for job in list(self._jobs.values()):
                if job.expires is not None and job.expires <= time.time():
                    self.drop(job)


def file_name(name: str) -> str:
    """Return the name that a clip of a client gets on disk: its last part, without odd characters.

    The ending stays: FFmpeg tells some formats by it alone.
    """
    last = printable(name.replace("\\", "/").rpartition("/")[2]).lstrip(".-").replace("\\", "_")
    last = shortened(last, 120)
    return last if last and last != RESULTS else "clip"


def remove_abandoned(root: Path) -> None:
    """Remove the folders of servers that were killed: nobody holds their lock."""
    for folder in root.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            own = not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid()
            if folder.is_symlink() or not own:
                continue
            lock = try_lock(folder / _LOCK)
            if lock is not None:
                lock.release()
                shutil.rmtree(folder, ignore_errors=True)
