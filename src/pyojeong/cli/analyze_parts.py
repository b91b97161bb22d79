"""``pyojeong analyze`` in parts: manifests, ``--shard`` and ``--engine ray``.

The list of inputs is written first, then its parts are read, by this process or by workers of Ray.
The same command goes on after an interruption. Tables are made from the parts at the end.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from pyojeong.cli.analyze import check_out, refuse_loss
from pyojeong.cli.analyze_request import ENDINGS, AnalyzeRequest, make_analyzer
from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup
from pyojeong.cli.ray_options import ray_options
from pyojeong.cli.remote_inputs import find_images
from pyojeong.cli.sums import print_counts
from pyojeong.core.atomic_write import output_errors, work_folder
from pyojeong.core.errors import DataError, InputError, PyojeongError
from pyojeong.core.face import FrameResult
from pyojeong.core.file_search import Failure, LeftOut
from pyojeong.core.input_record import Made, earlier_outputs, write_inputs
from pyojeong.core.inputs import InputCounts, refuse_empty
from pyojeong.core.output_files import remove_others
from pyojeong.core.result_key import differences, summary
from pyojeong.core.shards import OTHER_SHARDS, Shard
from pyojeong.core.unfinished import noted
from pyojeong.distributed.image_parts import ImageTasks, analyze_parts, tasks_of
from pyojeong.distributed.input_list import write_list
from pyojeong.distributed.manifests import is_manifest, read_manifest_paths
from pyojeong.distributed.parts import FOLDER, LIST, RUN, PartStore, RunFacts, Totals
from pyojeong.distributed.ray_engine import RayOptions, run_tasks
from pyojeong.output.tables import SINKS, require
from pyojeong.runtime.analyzer import Analyzer

_MOST_LINES = 20


def run_in_parts(request: AnalyzeRequest, console: Console) -> int:
    """Analyze the inputs of a request in parts.

    Returns the exit code: 0, 1 when some inputs failed, 130 after Ctrl-C.
    """
    refuse_empty(request.paths)
    require(["parquet", *request.formats])
    shard = Shard() if request.shard is None else Shard.from_text(request.shard)
    engine = ray_options(request.engine, request.jobs, request.address, request.object_store_mb)
    out = request.out
    if out is None:
        raise InputError("manifests, --shard and --engine ray write parts: add --out DIR")
    if request.annotate or request.layouts:
        raise InputError(
            "--annotate and --layout: not with manifests, --shard or --engine ray; make layouts of "
            "the finished table with `pyojeong table convert`"
        )
    again = check_out(request)
    analyzer = make_analyzer(request)
    refused: PyojeongError | None = None
    try:
        with noted(out, request.settings(), folders=[FOLDER]):
            if not again:
                refuse_loss(request, out)
            work = _Work(request, PartStore(out), analyzer, shard, console)
            try:
                facts = work.begin()
            except (InputError, DataError) as error:
                if again:
                    raise
                refused = error  # nothing was begun: the note goes
            else:
                facts = facts if facts.finished else work.read_all(facts, engine)
                return work.finish(facts)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted[/]: the same command goes on from here")
        return 130
    raise refused


@dataclass(slots=True)
class _Work:
    request: AnalyzeRequest
    store: PartStore
    analyzer: Analyzer
    shard: Shard
    console: Console
    left_out: list[LeftOut] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.console.print(as_markup(text), soft_wrap=True)

    def begin(self) -> RunFacts:
        """Return the parts to read; existing parts of the same command are kept."""
        request = self.request
        settings = {**request.settings(), **self.analyzer.settings}
        before = self.store.facts() if self.store.begun else None
        lines = [] if before is None else differences(before.settings, settings)
        if before is not None and not before.finished and not lines:
            there = before.inputs.parts - len(self.store.missing(before.inputs.parts))
            self.say(
                f"this command was stopped before its end: {there:,} of {before.inputs.parts:,} "
                "parts are there"
            )
            return before
        if not request.overwrite:
            self._refuse_other_results(before)
        with work_folder(self.store.folder) as folder, self.console.status("listing inputs"):
            left_out: dict[str, int] = {}
            listed = write_list(folder / LIST, self._items(left_out), self.shard, left_out)
            facts = RunFacts(
                settings=settings,
                shard=self.shard,
                inputs=listed,
                labels=self.analyzer.classifier.label_set.id,
                timeline=request.eyes or bool(request.measures),
                measures=request.measures,
                formats=tuple(request.formats or ["json"]),
                excel=request.excel,
            )
            if before is not None and before.finished:
                if before.inputs == listed and not lines and self._whole(before):
                    self.say("read already, with the same settings; nothing has changed since")
                    return before
                if before.inputs.digest != listed.digest and not request.overwrite:
                    raise InputError(
                        f"{request.out} holds results of {before.inputs.total:,} inputs, and this "
                        f"command finds other ones ({listed.total:,}): choose another --out "
                        "folder, or add --overwrite"
                    )
                gone = "files have changed since" if self._whole(before) else "parts are gone"
                why = summary(lines) if lines else gone
                self.say(f"read again: {why}")
            if not listed.total:
                raise InputError("no inputs: the manifests have no rows")
            with output_errors(self.store.folder):
                self.store.folder.mkdir(exist_ok=True)
                self.store.clear()
                (folder / LIST).replace(self.store.list)
        self.store.write_facts(facts)
        return facts

    def _refuse_other_results(self, before: RunFacts | None) -> None:
        """Refuse a folder with results that this shard would not write again."""
        out = self.request.out
        if before is not None and before.finished and before.shard != self.shard:
            raise InputError(
                f"{out} holds shard {before.shard}: choose another --out folder for shard "
                f"{self.shard}, or add --overwrite"
            )
        if before is None and self.shard.count > 1 and earlier_outputs(self.store.out):
            raise InputError(
                f"{out} holds results of all inputs, of which shard {self.shard} would leave a "
                "share: choose another --out folder, or add --overwrite"
            )

    def _whole(self, facts: RunFacts) -> bool:
        return self.store.list.is_file() and not self.store.missing(facts.inputs.parts)

    def _items(self, left_out: dict[str, int]) -> Iterator[str | Failure]:
        """Yield all inputs, and count files in folders that are left out."""
        request = self.request
        named: list[str] = []
        for path in [*request.paths, None]:
            if path is not None and not is_manifest(path):
                named.append(path)
                continue
            if named:
                found = find_images(named, out=request.out, remote=request.remote)
                yield from found.items
                self.left_out += found.left_out
                for reason, count in found.reasons().items():
                    left_out[reason] = left_out.get(reason, 0) + count
                named = []
            if path is not None:
                yield from read_manifest_paths(path, remote=request.remote)

    def read_all(self, facts: RunFacts, engine: RayOptions | None) -> RunFacts:
        """Read the missing parts."""
        missing = self.store.missing(facts.inputs.parts)
        size, rows = facts.inputs.part_rows, facts.inputs.rows
        todo = sum(min(size, rows - part * size) for part in missing)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        lines = 0
        with bars(self.console, *columns, TimeRemainingColumn(), transient=True) as progress:
            task = progress.add_task("reading", total=rows, completed=rows - todo)
            for done in self._outcomes(facts, missing, engine):
                progress.advance(task, done["rows"])
                for line in done["lines"]:
                    lines += 1
                    if lines <= _MOST_LINES:
                        self.say(line)
                    if lines == _MOST_LINES:
                        self.say("further failures and notes are not shown; see the column error")
        facts = replace(facts, finished=True)
        self.store.write_facts(facts)
        return facts

    def _outcomes(
        self, facts: RunFacts, missing: list[int], engine: RayOptions | None
    ) -> Iterator[dict[str, Any]]:
        remote, jobs = self.request.remote, self.request.jobs
        if engine is not None:
            folder = Path.cwd()
            make = ImageTasks(self.store.out.absolute(), self.analyzer.options, folder, remote)
            yield from run_tasks(make, tasks_of(missing), engine, notes=self.store.folder)
            return
        for done in analyze_parts(
            self.analyzer, self.store, facts, missing, jobs=jobs, remote=remote
        ):
            yield asdict(done)

    def finish(self, facts: RunFacts) -> int:
        """Write the tables and their record, and print the counts."""
        request, out = self.request, self.store.out
        whole = self.shard.count == 1
        rows = (result for _, result in self.store.results(facts))
        totals, tables = write_tables(
            out, facts if whole else None, rows, facts.inputs.rows, self.console
        )
        parts = [self.store.path(part).name for part in range(facts.inputs.parts)]
        outputs = [*tables, *(f"{FOLDER}/{name}" for name in (LIST, RUN, *parts))]
        left_out = dict(facts.inputs.left_out)
        if not whole:
            left_out[OTHER_SHARDS] = facts.inputs.total - facts.inputs.rows
        removed, changed = remove_others(out, earlier_outputs(out), outputs)
        for what, names in (("removed", removed), ("changed since, stays", changed)):
            if names:
                self.say(f"of an earlier command, {what}: {', '.join(names[:3])} ({len(names):,})")
        counts = InputCounts(read=totals.read, failed=totals.failed, left_out=left_out)
        write_inputs(
            out,
            "analyze",
            request.paths,
            counts,
            failures=[Failure(*each) for each in totals.failures],
            left_out=self.left_out,
            made=Made(facts.settings, outputs),
        )
        print_totals(totals, out if whole else self.store.folder, self.console)
        return print_counts(counts, "images", self.console)


def write_tables(
    out: Path,
    facts: RunFacts | None,
    results: Iterator[FrameResult],
    count: int,
    console: Console,
) -> tuple[Totals, list[str]]:
    """Write the tables of results, all of them or none.

    Args:
        out: The folder of results.
        facts: Say which tables; None = none, the results are counted only.
        results: In order.
        count: How many there are.
        console: Shows progress.

    Returns:
        The sums, and the names of the tables.
    """
    totals = Totals()
    names = [] if facts is None else [f"results.{ENDINGS[name]}" for name in facts.formats]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with ExitStack() as stack:
        folder = stack.enter_context(work_folder(out / "results"))
        progress = stack.enter_context(bars(console, *columns, transient=True))
        task = progress.add_task("writing tables" if names else "counting", total=count)
        with ExitStack() as open_sinks:
            sinks = (
                []
                if facts is None
                else [
                    open_sinks.enter_context(SINKS[kind](folder / name, **facts.table_options))
                    for kind, name in zip(facts.formats, names, strict=True)
                ]
            )
            for result in results:
                progress.advance(task)
                totals.add(result)
                for sink in sinks:
                    sink.write(result)
        for name in names:
            with output_errors(out / name):
                (folder / name).replace(out / name)
    return totals, names


def print_totals(totals: Totals, place: Path, console: Console) -> None:
    """Print how many images and faces there are, and where."""
    labels = ", ".join(
        f"{label} {n:,}" for label, n in sorted(totals.labels.items(), key=lambda each: -each[1])
    )
    failed = f", [red]{totals.failed:,} failed[/]" if totals.failed else ""
    images = f"{totals.read:,} image{'' if totals.read == 1 else 's'}"
    faces = f"{totals.faces:,} face{'' if totals.faces == 1 else 's'}"
    said = f" {labels}." if labels else ""
    console.print(f"{images}, {faces}{failed}.{said} Results in {as_markup(place)}", soft_wrap=True)
