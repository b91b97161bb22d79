"""A clip in, a result for every selected frame out: decoding and reading overlap.

One thread decodes; ``workers`` threads search key frames, follow faces and read them, a segment at
a time; results come in the clip's order, with track numbers. At most a few segments are in memory,
however long the clip is.
"""

import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

from pyojeong.core.errors import VideoTruncated, VideoTruncatedWarning, VideoUnreadable
from pyojeong.core.face import Face, FrameResult
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.clip_input import clip_on_disk
from pyojeong.stream.frame_reader import Descriptor, FrameReader, nearest
from pyojeong.stream.segments import Segment, Selection, segments
from pyojeong.stream.source import Clip, Frame
from pyojeong.stream.track import Tracker


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame that was read; ``parents`` are positions among the key frame's faces, or None."""

    index: int
    time_s: float
    size_wh: tuple[int, int]
    faces: tuple[Face, ...]
    parents: tuple[int | None, ...]
    looks: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """A segment that was read."""

    segment_index: int
    time_s: float
    cut: bool
    found: tuple[Face, ...]
    looks: tuple[Descriptor, ...]
    frames: tuple[_Seen, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The results of one segment.

    Attributes:
        results: One per selected frame, in order.
        key: Number of the segment's key frame.
        tracker: State of the tracker after it: a run that goes on behind this segment starts from
            it.
    """

    results: tuple[FrameResult, ...]
    key: int
    tracker: dict[str, Any]


def read_segment(reader: FrameReader, segment: Segment) -> _Read:
    """Search the key frame and read the selected frames; depends on nothing else."""
    found = reader.detect(segment.key).faces
    looks = reader.describe(segment.key, found)
    frames = []
    for index, time_s, pixels in segment.frames:
        faces, parents = found, tuple[int | None, ...](range(len(found)))
        if index != segment.index:
            seen = reader.follow(pixels, found)
            faces, parents = seen.faces, seen.parents
        shown = reader.describe(pixels, faces)
        size = (pixels.shape[1], pixels.shape[0])
        done = reader.read(pixels, faces, shown)
        frames.append(_Seen(index, time_s, size, done, parents, shown))
    return _Read(segment.index, segment.time_s, segment.cut, found, looks, tuple(frames))


def read_frames(
    frames: Iterable[Frame],
    analyzer: Analyzer,
    source: str,
    *,
    selection: Selection | None = None,
    workers: int = 2,
    tracker: Tracker | None = None,
    after: int | None = None,
) -> Iterator[Chunk]:
    """Read the selected frames of a clip.

    Args:
        frames: All frames of the clip, from the first.
        analyzer: Shared by all workers.
        source: Name of the clip in the results.
        selection: Which frames are read; None = all.
        workers: Threads that read; decoding has one more.
        tracker: Goes on from its state; None = a fresh one.
        after: Key frame of the last segment that was already read; results begin behind it.

    Yields:
        One chunk per segment, in order.
    """
    tracker = tracker or Tracker()
    waiting: tuple[_Read, list[int], dict[str, Any]] | None = None
    first = 0 if after is None else after + 1
    for read in _in_order(
        analyzer, segments(frames, selection or Selection(), first=first), workers
    ):
        if waiting is not None:
            before = tracker.to_dict()
        ids = tracker.update(read.found, read.looks, read.time_s, cut=read.cut)
        if waiting is not None:
            following = None if read.cut else (read.found, ids)
            yield _chunk(waiting, following, source, analyzer.model_ids, before)
        waiting = (read, ids, tracker.to_dict())
    if waiting is not None:
        yield _chunk(waiting, None, source, analyzer.model_ids, tracker.to_dict())


def _in_order(analyzer: Analyzer, parts: Iterator[Segment], workers: int) -> Iterator[_Read]:
    """Segments read by several threads; the decoder runs ahead by at most two per thread."""
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    waiting: deque[Future[_Read]] = deque()
    reader = FrameReader(analyzer)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pyojeong-read")
    try:
        for segment in parts:
            waiting.append(pool.submit(read_segment, reader, segment))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _chunk(
    waiting: tuple[_Read, list[int], dict[str, Any]],
    following: tuple[Sequence[Face], list[int]] | None,
    source: str,
    model_ids: tuple[str, ...],
    before: dict[str, Any],
) -> Chunk:
    """Return a segment's results, once it is known who is there at the next key frame."""
    read, ids, state = waiting
    tracker = Tracker.from_dict(state)
    results = []
    for seen in read.frames:
        numbers = [None if parent is None else ids[parent] for parent in seen.parents]
        for place, number in enumerate(numbers):
            if number is None:
                numbers[place] = _track_of(seen, place, numbers, tracker, following)
        faces = tuple(
            replace(face, track_id=number) for face, number in zip(seen.faces, numbers, strict=True)
        )
        results.append(FrameResult(source, seen.index, seen.time_s, seen.size_wh, faces, model_ids))
    return Chunk(tuple(results), read.segment_index, before)


def _track_of(
    seen: _Seen,
    place: int,
    taken: Sequence[int | None],
    tracker: Tracker,
    following: tuple[Sequence[Face], list[int]] | None,
) -> int | None:
    """Return the track id of a face that is new in a key frame: a lost track's, or the next one."""
    number = tracker.known(seen.faces[place], seen.looks[place], seen.time_s)
    if number is not None and number not in taken:
        return number
    if following is not None:
        faces, ids = following
        (match,) = nearest([seen.faces[place]], faces)
        if match is not None and ids[match] not in taken:
            return ids[match]
    return None


def no_frames(clip: Clip, selection: Selection) -> VideoUnreadable:
    """Return the error for a range in which no frame was selected; it names the clip's length.

    Args:
        clip: After its frames were read.
        selection: What was asked for.
    """
    s = selection
    span = f"between {s.start_s:g} s and " + ("the end" if s.end_s is None else f"{s.end_s:g} s")
    if s.stride > 1:
        span += f" at a stride of {s.stride}"
    damage = f"; it {clip.error}" if clip.error else ""
    late = f"; its first image comes at {clip.first_s:.2f} s" if clip.first_s else ""
    return VideoUnreadable(
        f"{clip.name}: no frame {span}: the clip is {clip.length_s:.2f} s long, counted from its "
        f"beginning{late}{damage}; choose --start and --end within it"
    )


def read_video(  # noqa: PLR0913 - options, all but one keyword-only
    path: Any,
    *,
    analyzer: Analyzer | None = None,
    stride: int = 1,
    fps: float | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    workers: int = 2,
    on_truncated: Literal["raise", "warn", "ignore"] = "raise",
) -> Iterator[FrameResult]:
    """Analyze a clip frame by frame and number the people in it.

    Memory use does not depend on the length of the clip.

    Args:
        path: Clip: a path, bytes, or a binary file.
        analyzer: Analyzer to use; None = ``Analyzer(threads=1)``. With ``eyes=True``, head pose,
            eyes and gaze are measured as well.
        stride: Analyze every n-th frame.
        fps: Analyze at most this many frames per second of the clip, instead of a stride.
        start_s: Skip frames before this time, in seconds from the beginning of the clip.
        end_s: Skip frames from this time on; None = read to the end.
        workers: Number of threads that analyze frames, in addition to the decoding thread.
        on_truncated: How to handle a truncated or damaged clip after its last intact frame:
            ``"raise"`` ``VideoTruncated``, ``"warn"`` (``VideoTruncatedWarning``), or ``"ignore"``.

    Yields:
        One result per selected frame, in order; ``faces`` is empty if no face was found.

    Raises:
        VideoTruncated: With ``on_truncated="raise"``, after the last intact frame, when the clip is
            truncated or damaged within the range.
        VideoUnreadable: When the file is missing or not a clip, or no frame could be decoded or is
            within the range.
        MissingExtra: When PyAV is not installed.
        BadArray: When an option is out of range.

    Example:
        >>> from pyojeong import read_video
        >>> frames = list(read_video("clip.mp4", fps=5))
        >>> frames[0].time_s
        0.0
    """
    selection = Selection(stride=stride, fps=fps, start_s=start_s, end_s=end_s)
    reader = analyzer or Analyzer(threads=1)
    empty = True
    with clip_on_disk(path) as (file, name), Clip(file, name=name) as clip:
        for chunk in read_frames(clip, reader, name, selection=selection, workers=workers):
            empty = empty and not chunk.results
            yield from chunk.results
    if empty:
        raise no_frames(clip, selection)
    if clip.error and on_truncated != "ignore":
        words = f"{clip.name}: {clip.error}"
        if on_truncated == "raise":
            raise VideoTruncated(words, frames=clip.decoded)
        warnings.warn(VideoTruncatedWarning(words), stacklevel=2)
