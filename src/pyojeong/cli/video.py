"""``pyojeong video``: clips, options, progress and the table that people see."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pyojeong.cli.bars import bars
from pyojeong.core.errors import InputError
from pyojeong.output.timeline_svg import clock
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.segments import Selection
from pyojeong.stream.source import Clip, find_clips
from pyojeong.video.merge import drop_joined, join
from pyojeong.video.options import VideoOptions
from pyojeong.video.process import ClipResult, read_clip

NOTICE = (
    "pyojeong rates how faces appear; it cannot tell what people feel or intend, and it makes "
    "errors. Inform the people in your clips and ask for their consent; see "
    "docs/responsible-use.md."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    """The options of ``pyojeong video``; see its help."""

    clips: list[str]
    out: Path
    formats: list[str] = field(default_factory=lambda: ["parquet"])
    annotate: bool = False
    report: bool = True
    pictures: bool = True
    aggregate: bool = False
    eyes: bool = True
    stride: int = 1
    fps: float | None = None
    start: str | None = None
    end: str | None = None
    detect_every: int = 5
    smooth: float | None = None
    baseline: str | None = None
    hold: float = 0.5
    detector: str = "auto"
    model: str = "default"
    min_face: int | None = None
    workers: int = 2
    allow: str | None = None
    prior: str | None = None
    labels: str | None = None
    threshold: float | None = None


def seconds_of(text: str) -> float:
    """Seconds of ``12.5``, ``1:02`` or ``1:02:03.5``.

    Raises:
        InputError: When it is none of these.
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text.strip()):
        raise InputError(f"time {text!r}: expected seconds, 1:02 or 1:02:03.5")
    total = 0.0
    for part in text.strip().split(":"):
        total = 60 * total + float(part)
    return total


def run(request: VideoRequest, console: Console) -> int:
    """Do it; returns the exit code: 0, 1 when some clips failed, 130 after Ctrl-C."""
    clips = find_clips(request.clips)
    analyzer = Analyzer(
        request.model,
        detector=request.detector,
        min_face=request.min_face,
        threads=1,
        allow=request.allow,
        eyes=request.eyes,
        prior=request.prior,
        labels=request.labels,
        threshold=request.threshold,
    )
    options = _options(request, analyzer)
    _print_notice(request.out, console)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("clip", "frames", "people", "results", ""):
        table.add_column(name, justify="right" if name in {"frames", "people"} else "left")
    failed = code = 0
    fresh = False
    done: list[Path] = []
    try:
        for clip, folder in zip(clips, folders(clips, request.out), strict=True):
            outcome = _one(clip, folder, analyzer, options, console)
            failed += outcome is None
            if outcome is not None:
                done.append(outcome.folder)
                note = outcome.error or ("there already" if outcome.again else "")
                if outcome.removed:
                    note += f"{'; ' if note else ''}removed of an earlier run: "
                    note += ", ".join(outcome.removed)
                fresh = fresh or not outcome.again
                where = str(outcome.folder)
                cells = (clip.name, f"{outcome.frames:,}", str(outcome.people), where, note)
                table.add_row(*map(escape, cells))
                failed += bool(outcome.error)
        if len(done) < 2 and fresh and (gone := drop_joined(request.out)):
            names = ", ".join(gone)
            console.print(f"removed {names}: of an earlier run; all clips in one command make them")
        if len(done) > 1:
            join(done, request.out, options.formats, analyzer.classifier.label_set)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted[/]: the same command goes on from here")
        code = 130
    if table.row_count:
        Console(highlight=False).print(table)
    return code or (1 if failed else 0)


def folders(clips: list[Path], out: Path) -> list[Path]:
    """Return a folder for every clip, named without the ending where that is unique."""
    stems = [clip.stem for clip in clips]
    names: list[str] = []
    for clip in clips:
        name = clip.stem if stems.count(clip.stem) == 1 else clip.name
        while name in names:
            name += "-2"
        names.append(name)
    return [out / name for name in names]


def _options(request: VideoRequest, analyzer: Analyzer) -> VideoOptions:
    start = 0.0 if request.start is None else seconds_of(request.start)
    selection = Selection(
        stride=request.stride,
        fps=request.fps,
        start_s=start,
        end_s=None if request.end is None else seconds_of(request.end),
        detect_every=request.detect_every,
    )
    span, picture = _baseline(request.baseline, analyzer)
    return VideoOptions(
        selection=selection,
        formats=() if request.aggregate else tuple(dict.fromkeys(request.formats)),
        smooth_s=request.smooth,
        baseline_s=span,
        baseline=picture,
        annotate=request.annotate,
        report=request.report,
        pictures=request.pictures and not request.aggregate,
        aggregate=request.aggregate,
        hold_s=request.hold,
        workers=request.workers,
    )


def _baseline(
    text: str | None, analyzer: Analyzer
) -> tuple[tuple[float, float] | None, tuple[float, ...] | None]:
    """Return a time (``0:00-0:10``), or the scores of an image."""
    if text is None:
        return None, None
    if not Path(text).exists() and "-" in text:
        first, _, last = text.partition("-")
        span = (seconds_of(first), seconds_of(last))
        if span[1] <= span[0]:
            raise InputError(f"baseline {text!r}: its end must lie behind its start")
        return span, None
    faces = analyzer.analyze(text).faces
    if not faces or faces[0].expression is None:
        raise InputError(f"baseline {text}: no face in this image")
    return None, tuple(map(float, faces[0].expression.scores))


def _print_notice(out: Path, console: Console) -> None:
    """Print the notice, once per folder of results."""
    if not out.exists():
        console.print(f"[dim]{NOTICE}[/]", soft_wrap=True)


def _one(
    clip: Path, folder: Path, analyzer: Analyzer, options: VideoOptions, console: Console
) -> ClipResult | None:
    """Return one clip with its bar; None when it could not be read."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[at]}"))
    with bars(console, *columns, TimeRemainingColumn(), transient=True) as progress:
        task = progress.add_task(escape(clip.name), total=_length(clip), at="")

        def tell(time_s: float, frames: int) -> None:
            progress.update(task, completed=time_s, at=f"{clock(time_s)}, {frames:,} frames")

        try:
            return read_clip(clip, folder, analyzer, options, progress=tell)
        except InputError as error:
            console.print(f"[red]failed[/] {escape(str(error))}", soft_wrap=True)
            return None


def _length(clip: Path) -> float | None:
    try:
        with Clip(clip) as opened:
            return opened.facts.duration_s
    except InputError:
        return None
