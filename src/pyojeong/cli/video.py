"""``pyojeong video``: clips, options, progress and the table on the console."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pyojeong.cli.clip_engine import (
    ClipEngine,
    finish_record,
    found_of_shard,
    record_of_shard,
    refuse_other_shard,
)
from pyojeong.cli.console import as_markup, make_console
from pyojeong.cli.ray_options import ray_options
from pyojeong.cli.sums import print_counts, short_paths
from pyojeong.cli.video_request import (
    VideoRequest,
    event_source,
    make_analyzer,
    make_options,
)
from pyojeong.core.errors import message_of
from pyojeong.core.face import FrameResult
from pyojeong.core.file_kinds import CLIPS
from pyojeong.core.file_search import Failure, Found
from pyojeong.core.input_record import (
    Made,
    check_earlier,
    check_foreign,
    earlier_command,
    earlier_outputs,
    read_earlier,
    write_inputs,
)
from pyojeong.core.inputs import InputCounts, find_inputs
from pyojeong.core.one_writer import claimed, waiting_lock
from pyojeong.core.output_files import remove_others
from pyojeong.core.output_names import as_unicode
from pyojeong.core.shards import Shard
from pyojeong.core.unfinished import refuse_unfinished
from pyojeong.output.tables import require
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.opening import import_av
from pyojeong.video.clip_writing import ClipResult
from pyojeong.video.merge import JOINED, PEOPLE, join, joined_clips
from pyojeong.video.options import ENDINGS, EPOCHS

NOTICE = (
    "pyojeong rates how faces appear; it cannot tell what people feel or intend, and it makes "
    "errors. Inform the people in your clips and ask for their consent; see "
    "docs/responsible-use.md."
)


def run(request: VideoRequest, console: Console) -> int:
    """Analyze the clips of a request.

    Returns the exit code: 0, 1 when some clips failed, 130 after Ctrl-C.
    """
    refuse_unfinished(request.out)
    shard = None if request.shard is None else Shard.from_text(request.shard)
    refuse_other_shard(request.out, shard)
    named = [name for name in JOINED if name != EPOCHS or request.events is not None]
    written = named if earlier_command(request.out) is None else _joined(request)
    check_foreign(request.out, written, "choose another --out folder")
    check_earlier(request.out, "video")
    if not request.aggregate:
        require(request.formats)  # what every clip would lack is said once
    import_av()
    ray = ray_options(request.engine, request.workers, request.address, request.object_store_mb)
    events = event_source(request)
    every = find_inputs(request.clips, CLIPS, out=request.out)
    found = every if shard is None else found_of_shard(every, shard)
    analyzer = make_analyzer(request)
    options = make_options(request, analyzer)
    engine = ClipEngine(request.out, every.files, analyzer, options, events, ray)
    record = None if shard is None else record_of_shard(request, shard, every, analyzer)
    _print_notice(request.out, console)
    tally = _Tally([item if isinstance(item, str) else item.path for item in found.items])
    code = 0
    with claimed(request.out, [os.path.realpath(path) for path in found.files]):
        try:
            if record is not None:
                record.write(request.out)
            _read_all(found, engine.outcomes(found.files, console), tally, console)
            _write_joined(request, found, tally, analyzer, console, several=record is None)
            if record is not None:
                finish_record(record, request.out, every, tally.done)
        except KeyboardInterrupt:
            _write_inputs(request, found, tally, console)
            console.print("[yellow]interrupted[/]: the same command goes on from here")
            code = 130
    if tally.table.row_count:
        make_console().print(tally.table)
    print_counts(tally.counts(found), "clips", console)
    return code or (1 if tally.failures or tally.broken else 0)


def _write_joined(
    request: VideoRequest,
    found: Found,
    tally: "_Tally",
    analyzer: Analyzer,
    console: Console,
    *,
    several: bool,
) -> None:
    """Write the tables of several clips, which a shard has none of, and what was made."""
    with waiting_lock(request.out):
        joined = _joined(request) if several and len(tally.parts) > 1 else []
        # Another command, or the user, may have written there meanwhile.
        check_foreign(request.out, joined, "choose another --out folder")
        earlier = {n: f for n, f in earlier_outputs(request.out).items() if joined}
        # First: it tells the tables from files of users.
        _write_inputs(request, found, tally, console, writing=joined)
        if several:
            formats = () if request.aggregate else tuple(dict.fromkeys(request.formats))
            _join(tally, request.out, formats, analyzer, console, epochs=EPOCHS in joined)
        _say_removed(remove_others(request.out, earlier, joined), console)
        _write_inputs(request, found, tally, console, outputs=joined)


def _say_removed(names: tuple[list[str], list[str]], console: Console) -> None:
    """Say which tables of several clips went with the settings that they were made with."""
    for what, found in zip(("removed", "changed since, stays"), names, strict=True):
        if found:
            said = as_markup(", ".join(found))
            console.print(f"tables of several clips, of an earlier command, {what}: {said}")


def _joined(request: VideoRequest) -> list[str]:
    """Return the names of the tables of several clips that a request asks for."""
    tables = [] if request.aggregate else [f"results.{ENDINGS[name]}" for name in request.formats]
    return [PEOPLE, *tables, *([] if request.events is None else [EPOCHS])]


def _write_inputs(
    request: VideoRequest,
    found: Found,
    tally: "_Tally",
    console: Console,
    *,
    outputs: Sequence[str] = (),
    writing: Sequence[str] = (),
) -> None:
    """Write ``inputs.json``; an earlier file is kept if no clip was read."""
    if not tally.folders and read_earlier(request.out):
        if not tally.said:
            tally.said = True
            console.print(
                f"nothing was read: the results in {as_markup(request.out)} are those of an "
                "earlier command, and stay",
                soft_wrap=True,
            )
    elif tally.folders or request.out.is_dir():
        write_inputs(
            request.out,
            "video",
            request.clips,
            tally.counts(found),
            failures=tally.failures,
            left_out=found.left_out,
            # Tables of an earlier command stay beside the results of a single clip.
            made=Made({}, {*outputs, *earlier_outputs(request.out)}, writing),
        )


def _table() -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("clip", "frames", "people", "results", ""):
        table.add_column(name, justify="right" if name in {"frames", "people"} else "left")
    return table


@dataclass(slots=True)
class _Tally:
    """What became of the clips so far.

    Attributes:
        inputs: Paths of all clips, in order.
        done: Clip -> its folder, or a row with its error.
        failures: Clips that could not be read.
        broken: Number of clips that were read up to where they break off, of clips of which
            something beside the results failed, and of joined tables that could not be written.
        fresh: Results that were not there already were written.
        said: That nothing was read was said.
        table: What is shown.
    """

    inputs: list[str]
    done: dict[str, Path | FrameResult] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    broken: int = 0
    fresh: bool = False
    said: bool = False
    table: Table = field(default_factory=_table)

    @property
    def parts(self) -> list[Path | FrameResult]:
        """For every clip that was reached, in order, its folder, or a row with its error."""
        return [self.done[name] for name in self.inputs if name in self.done]

    @property
    def folders(self) -> list[Path]:
        """Folders of the clips that were read."""
        return [part for part in self.parts if isinstance(part, Path)]

    def fail(self, failure: Failure, console: Console) -> None:
        """Count a clip that could not be read, and say so."""
        self.failures.append(failure)
        row = FrameResult(failure.path, 0, 0.0, (0, 0), error=failure.message)
        self.done[failure.path] = row
        _print_failure(failure.message, console)

    def add(self, clip: str, shown: str, outcome: ClipResult) -> None:
        """Count a clip that was read."""
        self.done[clip] = outcome.folder
        self.broken += bool(outcome.error or outcome.failed)
        self.fresh = self.fresh or not outcome.again
        numbers = (f"{outcome.frames:,}", str(outcome.people))
        cells = (shown, *numbers, str(outcome.folder), _remark(outcome))
        self.table.add_row(*(as_markup(cell) for cell in cells))

    def counts(self, found: Found) -> InputCounts:
        """Return the counts; clips that an interrupted run did not reach are not included."""
        left_out = found.reasons()
        left_out["not reached"] = len(found.items) - len(self.parts)
        return InputCounts(read=len(self.folders), failed=len(self.failures), left_out=left_out)


def _read_all(
    found: Found,
    outcomes: Iterable[tuple[str, ClipResult | str]],
    tally: "_Tally",
    console: Console,
) -> None:
    """Count the clips as they are read, in any order."""
    names = short_paths(found.files)
    for failure in found.failures:
        tally.fail(failure, console)
    for item, outcome in outcomes:
        if isinstance(outcome, str):
            tally.fail(Failure(item, outcome), console)
        else:
            tally.add(item, names[item], outcome)
            _print_lines(Path(item), outcome, console)


def _join(
    tally: _Tally,
    out: Path,
    formats: Sequence[str],
    analyzer: Analyzer,
    console: Console,
    *,
    epochs: bool,
) -> None:
    """Write the tables of several clips; for a single clip, earlier tables are kept."""
    done = tally.folders
    if len(tally.parts) > 1 and done:
        lost = joined_clips(out) - {as_unicode(folder.name) for folder in done}
        if lost:
            names = as_markup(", ".join(sorted(lost)))
            console.print(
                f"the tables of several clips in {as_markup(out)} no longer hold {names}: of an "
                "earlier run; their own folders stay",
                soft_wrap=True,
            )
        try:
            labels = analyzer.classifier.label_set
            join(tally.parts, out, formats, labels, measures=analyzer.measures, epochs=epochs)
        except Exception as error:  # the results of every clip are there
            tally.broken += 1
            _print_failure(message_of("the tables of several clips", error), console)
    elif tally.fresh and (out / PEOPLE).exists():
        names = as_markup(", ".join(as_unicode(folder.name) for folder in done))
        console.print(
            f"the tables of several clips in {as_markup(out)} stay as an earlier command made them "
            f"and do not hold {names} as read now: name all clips in one command",
            soft_wrap=True,
        )


def _remark(outcome: ClipResult) -> str:
    """Return the last cell of a clip's row."""
    note = outcome.error or ("there already" if outcome.again else "")
    if outcome.removed:
        note += f"{'; ' if note else ''}removed of an earlier run: "
        note += ", ".join(outcome.removed)
    return note


def _print_lines(clip: Path, outcome: ClipResult, console: Console) -> None:
    """Print what has no room in the table: choices that were made, and extras that failed."""
    for line in outcome.notes:
        words = as_markup(f"{clip}: {line}")
        console.print(f"[yellow]note[/] {words}", soft_wrap=True)
    for line in outcome.failed:
        _print_failure(f"{clip}: {line}; tables and summary are complete", console)


def _print_notice(out: Path, console: Console) -> None:
    """Print the notice, once per folder of results."""
    if not out.exists():
        console.print(f"[dim]{NOTICE}[/]", soft_wrap=True)


def _print_failure(message: str, console: Console) -> None:
    console.print(f"[red]failed[/] {as_markup(message)}", soft_wrap=True)
