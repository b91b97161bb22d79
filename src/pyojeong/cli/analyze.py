"""``pyojeong analyze``: inputs, output files, progress and the table on the console."""

import io
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pyojeong.cli.analyze_request import ANNOTATED, ENDINGS, AnalyzeRequest, make_analyzer
from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup, make_console
from pyojeong.cli.earlier_results import drawings, refuse_vanished, remove_drawings
from pyojeong.cli.face_table import FaceTable
from pyojeong.cli.options import FAST_MISSES
from pyojeong.cli.remote_inputs import find_images
from pyojeong.cli.sums import print_counts
from pyojeong.core.face import FrameResult, Image
from pyojeong.core.file_search import Failure, Found
from pyojeong.core.input_record import (
    Made,
    check_earlier,
    check_foreign,
    earlier_command,
    earlier_outputs,
    write_inputs,
)
from pyojeong.core.inputs import InputCounts, refuse_empty
from pyojeong.core.interrupts import held_interrupts
from pyojeong.core.labels import LabelSet
from pyojeong.core.output_files import remove_others, require_writable
from pyojeong.core.protocols import Sink
from pyojeong.core.unfinished import NOTE, noted, unfinished
from pyojeong.output.layouts.registry import LAYOUTS, default_name, names_of_photographs
from pyojeong.output.layouts.writing import Survey, photograph_sinks
from pyojeong.output.tables import SINKS, require
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.batch import Extra, FileResult, analyze_files, file_results

if TYPE_CHECKING:
    from pyojeong.output.annotated_images import AnnotatedImages

_LAYOUTS = tuple(name for name, layout in LAYOUTS.items() if layout.photographs)
_WRITTEN = (
    *(f"results.{e}" for e in ENDINGS.values()),
    *(file for name in _LAYOUTS for file in names_of_photographs(name)),
    f"{ANNOTATED}/*.annotated.*",
)
_MOST_ROWS = 200
_WIDE = 112


def run(request: AnalyzeRequest, console: Console) -> int:
    """Analyze the images of a request.

    Returns the exit code: 0, 1 when some inputs failed, 130 after Ctrl-C.
    """
    refuse_empty(request.paths)
    require(request.formats)
    again = check_out(request)
    found = find_images(request.paths, out=request.out, remote=request.remote)
    if request.out is not None and not request.overwrite:
        refuse_vanished(request.out, found.files)
    analyzer = make_analyzer(request)
    if again:
        console.print(
            f"this command was stopped before its end: {as_markup(request.out)} is written again",
            soft_wrap=True,
        )
    killed = False
    with ExitStack() as stack:
        if request.out is not None:
            killed = (request.out / NOTE).is_file()
            stack.enter_context(noted(request.out, request.settings(), folders=[ANNOTATED]))
            if not again:  # another command may have written there while inputs were searched
                refuse_loss(request, request.out)
        return _read_and_report(request, found, analyzer, console, killed=killed)


def check_out(request: AnalyzeRequest) -> bool:
    """Refuse a folder in which something would be lost; True when this command was begun there."""
    out, again = request.out, False
    if out is None:
        return False
    if not request.overwrite:
        again = unfinished(out, request.settings())
        if not again:
            refuse_loss(request, out)
        check_earlier(out, "analyze", request.paths)
    require_writable(out)
    return again


def refuse_loss(request: AnalyzeRequest, out: Path) -> None:
    """Refuse a folder with files of others, or with results of other inputs."""
    if request.overwrite:
        return
    written = _WRITTEN if earlier_command(out) is None else request.written
    check_foreign(out, written, "choose another --out folder, or add --overwrite")
    check_earlier(out, "analyze", request.paths)


def _read_and_report(
    request: AnalyzeRequest, found: Found, analyzer: Analyzer, console: Console, *, killed: bool
) -> int:
    shown = make_console()
    faces = FaceTable(analyzer.classifier.label_set, found.files, wide=shown.width >= _WIDE)
    tally = _Tally(faces)
    try:
        _read_all(request, found, analyzer, tally, console)
        code = 1 if tally.failures or tally.unmarked else 0
    except KeyboardInterrupt:
        console.print("[yellow]interrupted[/]: what was read is on disk and whole")
        code = 130
    if request.out is not None or not request.formats:
        _print_table(faces.table, _data_place(request), console=shown)
    where = f" Results in {request.out}" if request.out else ""
    note = f", {tally.noted} with a note" if tally.noted else ""
    note += f", [red]{tally.unmarked} not annotated[/]" if tally.unmarked else ""
    note += f", [red]{len(tally.failures)} failed[/]" if tally.failures else ""
    counts = f"{_count(tally.pictures, 'image')}, {_count(tally.faces, 'face')}{note}."
    if tally.labels:
        labels = ", ".join(f"{label} {n:,}" for label, n in tally.labels.most_common())
        counts += f" {labels}."
    console.print(f"{counts}{as_markup(where)}", soft_wrap=True)
    head = analyzer.classifier.head
    if tally.faces and head.output == "votes":
        meaning = f"share of people who would give the label; base rates: {head.prior}"
        console.print(f"[dim]Scores: {as_markup(meaning)}.[/]", soft_wrap=True)
    for note in (note for name in request.layouts for note in tally.survey.notes(name)):
        console.print(f"[dim]{as_markup(note)}[/]", soft_wrap=True)
    if request.detector == "fast":
        console.print(f"[dim]{FAST_MISSES}[/]", soft_wrap=True)
    counts_of_inputs = tally.counts(found)
    print_counts(counts_of_inputs, "images", console)
    if request.out is not None:
        left = drawings(request.out / ANNOTATED) if killed else []
        _finish(request, request.out, found, analyzer, tally, console, left=left)
    return code


def _finish(
    request: AnalyzeRequest,
    out: Path,
    found: Found,
    analyzer: Analyzer,
    tally: "_Tally",
    console: Console,
    *,
    left: Sequence[Path],
) -> None:
    """Write the record of the output files, and remove outputs of an earlier command."""
    keep = [*tally.outputs, *map(os.path.abspath, found.files)]
    removed, changed = remove_others(out, earlier_outputs(out), keep)
    removed += remove_drawings(out, left, tally.outputs)
    for what, names in (("removed", removed), ("changed since, stays", changed)):
        if names:
            more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
            said = as_markup(f"{', '.join(names[:3])}{more}")
            console.print(f"of an earlier command, {what}: {said}", soft_wrap=True)
    write_inputs(
        out,
        "analyze",
        request.paths,
        tally.counts(found),
        failures=tally.failures,
        left_out=found.left_out,
        made=Made({**request.settings(), **analyzer.settings}, tally.outputs),
    )


@dataclass(slots=True)
class _Tally:
    """Results and counts so far."""

    table: FaceTable
    pictures: int = 0
    faces: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    survey: Survey = field(default_factory=Survey)
    noted: int = 0
    unmarked: int = 0
    failures: list[Failure] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    images: "AnnotatedImages | None" = None

    @property
    def outputs(self) -> list[str]:
        """Names of the files that were written, relative to the folder of results."""
        drawn = () if self.images is None else sorted(self.images.written)
        return [*self.tables, *(f"{ANNOTATED}/{name}" for name in drawn)]

    def counts(self, found: Found) -> InputCounts:
        """Return the counts; inputs that an interrupted run did not reach are not included."""
        left_out = found.reasons()
        left_out["not reached"] = len(found.items) - self.pictures - len(self.failures)
        return InputCounts(read=self.pictures, failed=len(self.failures), left_out=left_out)

    def add(self, outcome: FileResult, console: Console) -> None:
        """Count a file and show it."""
        if outcome.result is None:
            self.failures.append(Failure(outcome.path, str(outcome.error)))
            said = as_markup(outcome.error)
            console.print(f"[red]failed[/] {said}", soft_wrap=True)
            return
        for line in outcome.notes:
            said = as_markup(f"{outcome.path}: {line}")
            console.print(f"[yellow]note[/] {said}", soft_wrap=True)
        if outcome.extra_error:
            why = f"{outcome.path}: could not be annotated: {outcome.extra_error}"
            said = f"{as_markup(why)}; its results are complete"
            console.print(f"[red]failed[/] {said}", soft_wrap=True)
        self.noted += bool(outcome.notes)
        self.unmarked += bool(outcome.extra_error)
        self.pictures += 1
        self.faces += len(outcome.result.faces)
        read = (face.expression for face in outcome.result.faces)
        self.labels.update(expression.label for expression in read if expression is not None)
        self.table.add(outcome.result)


def _read_all(
    request: AnalyzeRequest, found: Found, analyzer: Analyzer, tally: _Tally, console: Console
) -> None:
    inputs = file_results(found)
    tally.images = _annotated(request, found.files)
    extra = None if tally.images is None else _drawing(tally.images)
    with ExitStack() as stack:
        sinks = _sinks(request, analyzer.classifier.label_set, stack)
        tally.tables = request.tables
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        shown = bars(console, *columns, TimeRemainingColumn(), transient=True, few=len(inputs) < 3)
        progress = stack.enter_context(shown)
        task = progress.add_task("reading", total=len(inputs))
        for outcome in analyze_files(
            analyzer, inputs, jobs=request.jobs, extra=extra, remote=request.remote
        ):
            progress.advance(task)
            with held_interrupts():
                for sink in sinks:
                    sink.write(outcome.row)
                tally.survey.add(outcome.row)
            tally.add(outcome, console)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _formats(request: AnalyzeRequest) -> Sequence[str]:
    """Return the formats of the files in ``--out``."""
    return request.formats or ["json"]


def _sinks(request: AnalyzeRequest, labels: LabelSet, stack: ExitStack) -> list[Sink]:
    options = {
        "labels": labels,
        "timeline": request.eyes or bool(request.measures),
        "measures": request.measures,
        "excel": request.excel,
    }
    if request.out is None:
        if request.excel and isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # its mark says so
        targets = [(name, sys.stdout) for name in request.formats]
        return [stack.enter_context(SINKS[name](stream, **options)) for name, stream in targets]
    names = _formats(request)
    tables: list[Sink] = [
        stack.enter_context(SINKS[n](request.out / f"results.{ENDINGS[n]}", **options))
        for n in names
    ]
    for name in request.layouts:
        target = request.out / default_name(name)
        tables += [stack.enter_context(sink) for sink in photograph_sinks(name, target)]
    return tables


def _annotated(request: AnalyzeRequest, sources: list[str]) -> "AnnotatedImages | None":
    if not request.annotate or request.out is None:
        return None
    from pyojeong.output.annotated_images import AnnotatedImages

    return AnnotatedImages(request.out / ANNOTATED, suffix=request.annotate_as, sources=sources)


def _drawing(images: "AnnotatedImages") -> Extra:
    def draw(image: Image, result: FrameResult) -> None:
        images.save(image, result)

    return draw


def _data_place(request: AnalyzeRequest) -> str:
    """Return the place of the rows, or the sinks that write them."""
    if request.out is None:
        return "add --format csv or json, or --out DIR"
    files = (request.out / f"results.{ENDINGS[name]}" for name in _formats(request))
    return f"they are in {', '.join(map(str, files))}"


def _print_table(table: Table, place: str, *, console: Console) -> None:
    if table.row_count > _MOST_ROWS:
        said = f"{table.row_count} rows: too many to show; {place}"
        console.print(as_markup(said), soft_wrap=True)
    elif table.row_count:
        console.print(table)
