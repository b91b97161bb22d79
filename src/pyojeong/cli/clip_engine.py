"""Clips read by this process or by workers of Ray, and shards of clips."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from pyojeong._version import __version__
from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup
from pyojeong.cli.video_request import VideoRequest
from pyojeong.core.errors import InputError, message_of
from pyojeong.core.face import FrameResult
from pyojeong.core.file_search import Found, LeftOut
from pyojeong.core.printable import printable
from pyojeong.core.result_key import plain
from pyojeong.core.shards import OTHER_SHARDS, Shard, content_key
from pyojeong.distributed.clip_shards import ClipShard, digest_of, read_shard
from pyojeong.distributed.clip_tasks import ClipTasks, read_into_own_folder, result_of
from pyojeong.distributed.ray_engine import RayOptions, run_tasks
from pyojeong.output.timeline_svg import clock
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.source import Clip
from pyojeong.video.clip_writing import ClipResult
from pyojeong.video.coded_events.reading import EventSource
from pyojeong.video.options import VideoOptions
from pyojeong.video.process import Progress
from pyojeong.video.result_folders import first_names

_NOT_RESULTS = ("clips", "out", "workers", "shard", "engine", "address", "object_store_mb")


@dataclass(frozen=True, slots=True)
class ClipEngine:
    """Reads clips, each into a folder of its own.

    Attributes:
        out: The folder of all results.
        every: All clips of the command, also those of other shards: they decide names of folders.
        analyzer: Reads frames.
        options: What is done with each clip.
        events: Coded events; None = there are none.
        ray: How Ray is used; None = clips are read here.
    """

    out: Path
    every: Sequence[str]
    analyzer: Analyzer
    options: VideoOptions
    events: EventSource | None
    ray: RayOptions | None

    def outcomes(
        self, clips: Sequence[str], console: Console
    ) -> Iterator[tuple[str, ClipResult | str]]:
        """Yield clips with their results, or with their errors; from Ray in any order."""
        names = first_names(list(map(Path, self.every)))
        first = dict(zip(self.every, names, strict=True))
        if self.ray is not None:
            yield from self._on_ray(self.ray, clips, first, console)
            return

        def say(line: str) -> None:
            console.print(as_markup(line), soft_wrap=True)

        for item in clips:
            clip = Path(item)
            try:
                own = None if self.events is None else self.events.of(clip.name)
                wanted = replace(self.options, events=own)
                with _bar(clip, console) as show:
                    outcome = read_into_own_folder(
                        clip, first[item], self.out, self.analyzer, wanted, progress=show, say=say
                    )
            except Exception as error:  # whatever it is, the next clip is read
                yield item, message_of(item, error)
            else:
                yield item, outcome

    def _on_ray(
        self,
        ray: RayOptions,
        clips: Sequence[str],
        first: Mapping[str, str],
        console: Console,
    ) -> Iterator[tuple[str, ClipResult | str]]:
        options = self.analyzer.options
        make = ClipTasks(self.out.absolute(), options, self.options, self.events, Path.cwd())
        tasks = [{"clip": clip, "first": first[clip]} for clip in clips]
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with bars(console, *columns, TimeRemainingColumn(), transient=True) as progress:
            task = progress.add_task("clips", total=len(tasks))
            for answer in run_tasks(make, tasks, ray, notes=self.out):
                progress.advance(task)
                for line in answer["lines"]:
                    console.print(as_markup(line), soft_wrap=True)
                yield answer["clip"], result_of(answer)


@contextmanager
def _bar(clip: Path, console: Console) -> Iterator[Progress]:
    """Show the bar of one clip; yields what moves it."""
    name = TextColumn("{task.description}", markup=False)
    at = TextColumn("{task.fields[at]}")
    with bars(console, name, BarColumn(), at, TimeRemainingColumn(), transient=True) as progress:
        task = progress.add_task(printable(clip.name), total=_length(clip), at="")

        def tell(time_s: float, frames: int) -> None:
            progress.update(task, completed=time_s, at=f"{clock(time_s)}, {frames:,} frames")

        yield tell


def _length(clip: Path) -> float | None:
    try:
        with Clip(clip) as opened:
            return opened.facts.duration_s
    except Exception:  # said when it is read
        return None


def refuse_other_shard(out: Path, shard: Shard | None) -> None:
    """Refuse a folder that holds another shard, or a shard where all clips are asked for.

    Raises:
        InputError: When it does.
    """
    known = read_shard(out)
    if known is not None and known.shard != shard:
        raise InputError(f"{out} holds shard {known.shard}: choose another --out folder")


def found_of_shard(found: Found, shard: Shard) -> Found:
    """Return what belongs to a shard; the rest is left out, and counted."""
    kept = [item for item in found.items if shard.takes(content_key(_name(item)))]
    others = len(found.items) - len(kept)
    left_out = [*found.left_out]
    if others:
        left_out.append(LeftOut(OTHER_SHARDS, OTHER_SHARDS, others))
    return Found(kept, left_out)


def record_of_shard(
    request: VideoRequest, shard: Shard, every: Found, analyzer: Analyzer
) -> ClipShard:
    """Return the record of a shard before its clips are read."""
    asked = {k: v for k, v in asdict(request).items() if k not in _NOT_RESULTS}
    asked = {k: str(v) if isinstance(v, Path) else v for k, v in asked.items()}
    tables = {
        "formats": [] if request.aggregate else list(dict.fromkeys(request.formats)),
        "labels": analyzer.classifier.label_set.id,
        "measures": list(request.measures),
        "epochs": request.events is not None,
    }
    return ClipShard(
        shard=shard,
        settings=plain({**asked, **analyzer.settings, "version": __version__}),
        total=len(every.items),
        list_digest=digest_of([_name(item) for item in every.items]),
        clips=[],
        left_out=dict(every.reasons()),
        tables=tables,
    )


def finish_record(
    record: ClipShard, out: Path, every: Found, done: Mapping[str, Path | FrameResult]
) -> None:
    """Write the record of a shard of which every clip was read or has failed."""
    clips = []
    for position, item in enumerate(every.items):
        part = done.get(_name(item))
        if isinstance(part, Path):
            clips.append((position, _name(item), part.name, ""))
        elif part is not None:
            clips.append((position, _name(item), "", part.error))
    replace(record, clips=clips, finished=True).write(out)


def _name(item: Any) -> str:
    return item if isinstance(item, str) else str(item.path)
