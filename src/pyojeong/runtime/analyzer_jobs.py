"""Methods of ``Analyzer`` for many files and for clips."""

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
"""How to handle an image that could not be read."""


def check_on_error(on_error: str) -> None:
    """Check a value of ``OnError``.

    Raises:
        BadArray: When the value is not one of the two.
    """
    if on_error not in {"raise", "keep"}:
        raise BadArray("on_error", expected="'raise' or 'keep'", got=repr(on_error))


def _input_of(path: Any) -> str | FileResult:
    """Return a path as text, and other values, such as NaN from a table, as a failure."""
    try:
        return os.fsdecode(os.fspath(path))
    except TypeError:
        name = f"<{type(path).__name__}>"
        return FileResult(name, error=ImageUnreadable(f"{name}: expected a path, got {path!r:.60}"))


class AnalyzerJobs(ABC):
    """Methods of ``Analyzer`` for many files and for clips."""

    @abstractmethod
    def analyze_frames(self, frames: Sequence[tuple[Image, str, int, float]]) -> list[FrameResult]:
        """Analyze frames, each given as (image, source, index, time in seconds)."""

    def analyze_files(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        on_error: OnError = "keep",
        jobs: int = 1,
        remote: bool = False,
    ) -> Iterator[FrameResult]:
        """Analyze image files in order, as ``pyojeong analyze`` does.

        Args:
            paths: Paths of the files, also from a generator. Folders are not searched.
            on_error: ``"keep"``: a file that could not be read gives a result without faces whose
                ``error`` is the reason, also in tables. ``"raise"``: raise the first error.
            jobs: Number of threads that process files in parallel. With more than one, use
                ``Analyzer(threads=1)``.
            remote: Read remote addresses (``s3://``, ``gs://``, ``https://`` ...) with fsspec;
                otherwise they are errors.

        Yields:
            One result per path; ``source`` is the path as given. An image that is read with a
            limitation, such as a truncated file, causes an ``ImageWarning``.

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
        """Analyze a clip, with the options and results of ``pyojeong video``.

        The result holds all frames in memory, about 3 kB each. For hours of video use
        ``read_video`` or ``aggregate=True``.

        Args:
            source: Clip: a path, bytes, or a binary file.
            out: Folder for the files of ``pyojeong video``; repeat the same call to resume after
                an interruption. None = write no files.
            stride: Analyze every n-th frame.
            fps: Analyze at most this many frames per second of the clip, instead of a stride.
            start_s: Skip frames before this time, in seconds from the beginning of the clip.
            end_s: Skip frames from this time on; None = read to the end.
            detect_every: Search for faces in every n-th frame and track them in between.
            smooth_s: Standard deviation of the smoothing in seconds; None = no smoothing.
            baseline: Neutral face of the person: (start, end) in seconds, or an image as for
                ``analyze``; sets ``Face.baseline_delta``. None = no baseline.
            eyes: Measure head pose and eyes; None = the setting of this analyzer.
            hold_s: Minimum duration of an event, in seconds.
            events: Coded events to measure in ``epochs``: a BORIS or ELAN file, a table with the
                columns ``label,start,end``, or a list of (start, end, label) in seconds.
            event_window_s: Duration in seconds to use for events without one; None = leave them
                out and add a note.
            observation: Observation to read from a BORIS file; None = the one of this clip.
            formats: With ``out``: tables to write: ``"parquet"``, ``"csv"``, ``"json"``.
            layouts: With ``out``: layouts of other tools to write as well: ``"openface"``,
                ``"pyfeat"``, ``"facereader"``; see ``to_layout``.
            annotate: With ``out``: also write annotated.mp4.
            report: With ``out``: write report.html.
            pictures: Show key frames in the report.
            aggregate: Keep only shares, events and counts, no frames.
            excel: Write CSV tables for spreadsheets; see ``to_csv``.
            lang: Language of report.html, ``"en"`` or ``"ko"``; results do not depend on it.
            jobs: Number of threads that analyze frames, in addition to the decoding thread.
            progress: Called repeatedly with the time in the clip in seconds and the number of
                frames.
            on_truncated: How to handle a truncated or damaged clip: ``"raise"``
                ``VideoTruncated``, ``"warn"`` (``VideoTruncatedWarning``), or ``"ignore"``. The
                attribute ``error`` of the result is set in any case.

        Raises:
            VideoUnreadable: When the clip could not be read, or has no frame in the range.
            VideoTruncated: With ``on_truncated="raise"``, when the clip is truncated or damaged.
            InputError: When an option is out of range, the baseline shows no face, or the events
                could not be used.
            OutputError: When ``out`` contains other results, or could not be written.
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
