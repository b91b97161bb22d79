"""Jobs of an ``Analyzer``: many files, whole clips."""

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, Literal

from pyojeong.core.errors import BadArray, ImageUnreadable, ImageWarning
from pyojeong.core.face import FrameResult, Image
from pyojeong.core.video_result import VideoResult
from pyojeong.runtime.batch import FileResult, analyze_files

OnError = Literal["raise", "keep"]
"""What becomes of an image that could not be read."""


def check_on_error(on_error: str) -> None:
    """Refuse what is no ``OnError``.

    Raises:
        BadArray: When it is something else.
    """
    if on_error not in {"raise", "keep"}:
        raise BadArray("on_error", expected="'raise' or 'keep'", got=repr(on_error))


def _input_of(path: Any) -> str | FileResult:
    """Return a path as text; what is none, such as NaN of a table, as a failure."""
    try:
        return os.fsdecode(os.fspath(path))
    except TypeError:
        name = f"<{type(path).__name__}>"
        return FileResult(name, error=ImageUnreadable(f"{name}: expected a path, got {path!r:.60}"))


class AnalyzerJobs(ABC):
    """What an ``Analyzer`` can do with many files and with clips."""

    @abstractmethod
    def analyze_frames(self, frames: Sequence[tuple[Image, str, int, float]]) -> list[FrameResult]:
        """Read (image, source, index, time in seconds) of each."""

    def analyze_files(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        on_error: OnError = "keep",
        jobs: int = 1,
        remote: bool = False,
    ) -> Iterator[FrameResult]:
        """Read image files, one result per path, in order; the rows of ``pyojeong analyze``.

        Args:
            paths: The files; they may come from a generator. Folders are not searched.
            on_error: ``"keep"``: a file that could not be read gives a result without faces whose
                ``error`` says why, also in tables. ``"raise"`` the first error.
            jobs: Files that are read at once, in threads. With more than one, use
                ``Analyzer(threads=1)``.
            remote: Read addresses (``s3://``, ``gs://``, ``https://`` ...) through fsspec; without
                it they are errors.

        Yields:
            One result for each path; ``source`` is the path as it was given. What is doubtful in
            an image that was read is an ``ImageWarning``.

        Raises:
            ImageUnreadable: With ``"raise"``, when a file could not be read.
            BadArray: When an option is out of range, or ``paths`` is a single path.

        Example:
            >>> from pyojeong import Analyzer, to_dataframe
            >>> analyzer = Analyzer(threads=1)
            >>> table = to_dataframe(analyzer.analyze_files(["photo.jpg", "missing.jpg"]))
            >>> table.error.tolist()[1]
            'missing.jpg: no such file'
        """
        check_on_error(on_error)
        if isinstance(paths, str | os.PathLike):
            raise BadArray(
                "paths",
                expected="several paths",
                got=f"one: {os.fspath(paths)!r}",
                cure="Wrap it in a list, or use analyze.",
            )
        if hasattr(paths, "columns"):
            raise BadArray(
                "paths",
                expected="several paths",
                got=f"a {type(paths).__name__}",
                cure="Pass its column of paths.",
            )
        if jobs < 1:
            raise BadArray("jobs", expected="at least 1", got=str(jobs))
        return self._read_files(paths, on_error, jobs, remote=remote)

    def _read_files(
        self,
        paths: Iterable[str | os.PathLike[str]],
        on_error: OnError,
        jobs: int,
        *,
        remote: bool,
    ) -> Iterator[FrameResult]:
        for outcome in analyze_files(self, map(_input_of, paths), jobs=jobs, remote=remote):
            if outcome.error is not None and on_error == "raise":
                raise outcome.error
            for note in outcome.notes:
                warnings.warn(ImageWarning(f"{outcome.path}: {note}"), stacklevel=2)
            yield outcome.row

    def analyze_video(  # noqa: PLR0913 - the options of `pyojeong video`, all keyword-only
        self,
        source: Any,
        *,
        out: str | os.PathLike[str] | None = None,
        stride: int = 1,
        fps: float | None = None,
        start_s: float = 0.0,
        end_s: float | None = None,
        detect_every: int = 5,
        smooth_s: float | None = None,
        baseline: Any = None,
        eyes: bool | None = None,
        hold_s: float = 0.5,
        events: Any = None,
        event_window_s: float | None = None,
        observation: str | None = None,
        formats: Sequence[str] = ("parquet",),
        layouts: Sequence[str] = (),
        annotate: bool = False,
        report: bool = True,
        pictures: bool = True,
        aggregate: bool = False,
        excel: bool = False,
        lang: str = "en",
        jobs: int = 2,
        progress: Callable[[float, int], None] | None = None,
        on_truncated: Literal["raise", "warn", "ignore"] = "warn",
    ) -> VideoResult:
        """Read a clip, with people numbered, smoothing, baseline and everything of the command.

        All frames are in memory at the end, some 3 kB each: for hours of video use
        ``read_video``, or ``aggregate=True``.

        Args:
            source: The clip: a path, bytes, or a binary file.
            out: Folder for the clip's results, the files of ``pyojeong video``; the same call
                goes on after an interruption. None = nothing is written.
            stride: Every so many frames.
            fps: At most so many frames per second of the clip, instead of a stride.
            start_s: Frames before this time are left out; times count from the clip's beginning.
            end_s: Frames from this time on are left out; None = none.
            detect_every: Search for faces every so many frames, else follow them.
            smooth_s: Standard deviation of the smoothing in seconds; None = none.
            baseline: The person's own neutral face: (start, end) in seconds, or an image as
                ``analyze`` takes it; gives ``Face.baseline_delta``. None = none.
            eyes: Measure heads and eyes; None = as this analyzer was made.
            hold_s: Shortest event, in seconds.
            events: Coded events, measured in ``epochs``: a file of BORIS or ELAN, a table
                ``label,start,end``, or a list of (start, end, label) in seconds. None = none.
            event_window_s: Events without a length become epochs of so many seconds; None = they
                are left out, and a note says so.
            observation: The observation of a BORIS file; None = that of this clip.
            formats: With ``out``: tables to write: ``"parquet"``, ``"csv"``, ``"json"``.
            layouts: With ``out``: layouts of other tools to write beside the tables:
                ``"openface"``, ``"pyfeat"``, ``"facereader"``; see ``to_layout``.
            annotate: With ``out``: also write annotated.mp4.
            report: With ``out``: write report.html.
            pictures: Show key frames in the report.
            aggregate: Keep shares, events and counts only: no frames.
            excel: CSV tables for spreadsheets.
            lang: Language of report.html, ``"en"`` or ``"ko"``; results are the same in both.
            jobs: Threads that read beside the one that decodes.
            progress: Called now and then with the clip's time in seconds and the number of frames.
            on_truncated: What to do when the clip breaks off or is damaged: raise
                ``VideoTruncated``, warn (``VideoTruncatedWarning``), or nothing; ``error`` says
                it in any case.

        Raises:
            VideoUnreadable: When the clip could not be read, or has no frame in the range.
            VideoTruncated: With ``on_truncated="raise"``.
            InputError: When an option is out of range, the baseline shows no face, or the events
                could not be used.
            OutputError: When ``out`` has other results, or could not be written.
            MissingExtra: When PyAV is not installed.

        Example:
            >>> from pyojeong import Analyzer
            >>> video = Analyzer(threads=1).analyze_video("clip.mp4", fps=5, smooth_s=0.5)
            >>> len(video) > 0
            True
        """
        options = {k: v for k, v in locals().items() if k not in {"self", "source"}}
        # Imported by name: clips are above this package.
        analysis = import_module("pyojeong.video.analysis")
        video: VideoResult = analysis.analyze_video(self, source, **options)
        return video
