"""``pyojeong data import``, ``info``, ``split``, ``merge``, ``export``: progress and summaries."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup
from pyojeong.cli.conversion import NOTHING_SAID, OwnWords
from pyojeong.cli.sums import print_counts, print_table_counts, saying_what_is_replaced
from pyojeong.core.errors import DataError
from pyojeong.core.inputs import InputCounts
from pyojeong.core.labels import LabelSet, label_set
from pyojeong.core.output_files import require_new
from pyojeong.datasets.exporting import EXPORTERS
from pyojeong.datasets.importing import Imported, ImportOptions, import_dataset
from pyojeong.datasets.label_map import images, some
from pyojeong.datasets.merging import merge
from pyojeong.datasets.overview import Overview, overview
from pyojeong.datasets.picture_files import require_files, require_unchanged
from pyojeong.datasets.samples import Split, manifest_labels, manifest_size
from pyojeong.datasets.splitting import SplitOptions, SplitResult, split

Counts = Mapping[tuple[Split, str], int]


@contextmanager
def _counting(console: Console, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar over ``total`` rows, or a running number where the total is not known."""
    columns = (
        (SpinnerColumn(), TextColumn(f"{what} {{task.completed:,}} samples"), TimeElapsedColumn())
        if total is None
        else (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    )
    with bars(console, *columns, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda n: progress.advance(task, n)


def _table_file(path: Path) -> Path:
    if path.suffix != ".parquet":
        raise DataError(
            f"{path}: not a table; make one with `pyojeong data import '{path}' --out SET.parquet`"
        )
    return path


def _out_file(path: Path) -> Path:
    if path.suffix != ".parquet":
        raise DataError(f"{path}: a data set's table ends in .parquet; name --out so")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """Options of ``pyojeong data import``."""

    source: Path
    out: Path
    layout: str
    votes: Path | None
    labels: str
    embed: bool
    jobs: int
    own: OwnWords = NOTHING_SAID


def run_import(request: ImportRequest, console: Console) -> int:
    """Convert a data set; print the counts, what was left out, and what looks wrong.

    Returns the exit code, as the other commands here: 1 when pictures failed.
    """
    labels = label_set(request.labels)
    options = ImportOptions(
        layout=None if request.layout == "auto" else request.layout,
        votes=request.votes,
        labels=labels,
        embed=request.embed,
        jobs=request.jobs,
        own=request.own.options(labels),
    )
    out = _out_file(request.out)
    with (
        saying_what_is_replaced(out, "import", [request.source], console),
        _counting(console, "reading", None) as tick,
    ):
        done = import_dataset(request.source, out, options, tick=tick)
    console.print(f"layout {done.layout}")
    console.print(_counts_table(done.counts, labels))
    _say_skipped(done.skipped, console)
    if done.unreadable:
        console.print(
            f"[yellow]{images(done.unreadable)} could not be decoded[/] "
            f"({as_markup(some(done.unreadable_names))}): the table keeps them, trainings leave "
            "them out",
            soft_wrap=True,
        )
    if done.missing:
        console.print(
            f"[yellow]{done.missing:,} file{'s are' if done.missing > 1 else ' is'} missing;[/] "
            "the table keeps them, trainings need them",
            soft_wrap=True,
        )
    for warning in done.warnings:
        console.print(f"[yellow]warning:[/] {as_markup(warning)}", soft_wrap=True)
    _say_loose(done, out, console)
    console.print(f"{done.rows:,} rows in {as_markup(request.out)}", soft_wrap=True)
    return print_counts(done.sums, "samples", console)


def _say_loose(done: Imported, table: Path, console: Console) -> None:
    """Warn of photographs whose faces are not cut out; only of pictures of one's own."""
    if done.layout not in {"class-folders", "imagefolder", "table"}:
        return
    from pyojeong.cli.loose_photographs import framing_of, large_enough
    from pyojeong.runtime.detection.registry import build_detector

    photographs = list(large_enough(done.examples))
    if not photographs:
        return
    with console.status("measuring how large the faces are"):
        framing = framing_of(photographs, build_detector("auto"))
    if framing.loose:
        faces = table.with_name(f"{table.stem}-faces.parquet")
        table_words, faces_words = shlex.quote(str(table)), shlex.quote(str(faces))
        cure = f"pyojeong data faces {table_words} --like default --out {faces_words}"
        console.print(f"[yellow]warning:[/] {as_markup(framing.warning(cure))}", soft_wrap=True)


def _say_skipped(skipped: Mapping[str, int], console: Console) -> None:
    for why, count in sorted(skipped.items()):
        console.print(f"skipped {count:,}: {as_markup(why)}", soft_wrap=True)


def _counts_table(counts: Counts, labels: LabelSet) -> Table:
    """Classes against splits, with sums and shares."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("class", no_wrap=True)
    for name in (*(s.value for s in Split), "all", "%"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = sum(counts.values())
    for name in labels.names:
        here = [counts.get((s, name), 0) for s in Split]
        share = f"{100 * sum(here) / max(rows, 1):.1f}"
        table.add_row(name, *(f"{n:,}" for n in here), f"{sum(here):,}", share)
    sums = [sum(n for (s, _), n in counts.items() if s is split_) for split_ in Split]
    table.add_row("[bold]all[/]", *(f"[bold]{n:,}[/]" for n in (*sums, rows)), "", end_section=True)
    return table


def show_info(manifest: Path, *, sheet: Path | None, as_json: bool, console: Console) -> int:
    """Print figures of a table to the console, or as JSON to stdout; and a contact sheet."""
    if sheet is not None:
        require_new(sheet)
    _table_file(manifest)
    with _counting(console, "reading", manifest_size(manifest)) as tick:
        known = overview(manifest, tick=tick)
    known.missing.refuse_all()
    if as_json:
        figures = {**known.as_json(), "pictures": known.sums.to_dict()}
        print(json.dumps(figures, indent=2))  # noqa: T201 - this is the command's data
    else:
        console.print(_counts_table(known.counts, known.labels))
        for what, said in _facts(known):
            console.print(f"{what:>12}: {as_markup(said)}", soft_wrap=True)
    if sheet is not None:
        from pyojeong.cli.contact_sheet import contact_sheet
        from pyojeong.image.files import write_image

        with console.status("drawing"):
            write_image(sheet, contact_sheet(manifest, known))
        console.print(f"contact sheet: {as_markup(sheet)}", soft_wrap=True)
    return max(print_counts(known.sums, "samples", console), int(bool(known.changed)))


def _facts(known: Overview) -> Iterator[tuple[str, str]]:
    yield "labels", f"{known.labels.id}: {', '.join(known.labels.names)}"
    yield "id", known.id
    inside, outside = known.embedded, known.rows - known.embedded
    yield "images", f"{inside:,} in the table, {outside:,} by path"
    if known.missing:
        yield "missing", str(known.missing)
    if known.changed:
        said = f"{images(len(known.changed))} changed after they were imported"
        yield "changed", f"{said}: {some(known.changed)}; import again"
    if known.fingerprinted:
        yield "unreadable", f"{known.unreadable:,}"
        yield (
            "copies",
            f"{known.copies:,} rows repeat an earlier image; {known.copies_across:,} rows have "
            f"their image in more than one split, {known.copies_contradicting:,} under more than "
            "one label",
        )
    else:
        yield "copies", "not known: made by an older pyojeong; import it again"
    yield "groups", _groups(known)
    yield "votes", f"{known.votes:,} rows"
    if known.decided:
        yield "decisions", f"{known.decided:,} rows"


def _groups(known: Overview) -> str:
    if not known.groups:
        return "none named"
    return f"{known.groups:,}, of which {known.groups_across:,} are in more than one split"


def run_split(manifest: Path, out: Path, options: SplitOptions, console: Console) -> int:
    """Deal out the rows again; print the counts of before and after, and which rows moved."""
    _table_file(manifest)
    require_unchanged(manifest)
    with (
        saying_what_is_replaced(out, "split", [manifest], console),
        _counting(console, "splitting", manifest_size(manifest)) as tick,
    ):
        done = split(manifest, _out_file(out), options, tick=tick)
    console.print(_counts_table(done.counts, manifest_labels(out)))
    console.print(f"{done.units:,} units (people, or images that stand alone) were kept whole")
    for line in _moves(done):
        console.print(line, soft_wrap=True)
    moved = sum(n for (here, to), n in done.moves.items() if here is Split.TEST is not to)
    if moved:
        console.print(
            f"[yellow]warning:[/] {moved:,} rows that were test rows are so no longer: earlier "
            "figures of the test split are of other rows; --keep-test leaves them where they are",
            soft_wrap=True,
        )
    if done.dropped:
        console.print(f"left out {done.dropped:,} rows that belong together with test rows")
    rows = sum(done.counts.values())
    console.print(f"{rows:,} rows in {as_markup(out)}", soft_wrap=True)
    leaks = {"belong together with test rows": done.dropped}
    return print_table_counts(out, console, left_out=leaks)


def _moves(done: SplitResult) -> Iterator[str]:
    """Yield a line for each split: rows before and after, and where its rows went."""
    for here in Split:
        went = {to: done.moves.get((here, to), 0) for to in (*Split, None)}
        before = sum(went.values())
        after = sum(n for (_, to), n in done.moves.items() if to is here)
        if not before and not after:
            continue
        left = [f"{n:,} to {to or 'none (left out)'}" for to, n in went.items() if n and to != here]
        words = f"{went[here]:,} stayed" + "".join(f", {word}" for word in left)
        yield f"{here.value}: {before:,} rows before, {after:,} after" + (
            f"; of those before {words}" if before else ""
        )


def run_merge(manifests: Sequence[Path], out: Path, *, labels: str | None, console: Console) -> int:
    """Put tables together; say what came from where, what was left out, and what leaks."""
    total = sum(manifest_size(_table_file(m)) for m in manifests)
    for manifest in manifests:
        require_unchanged(manifest)
    wanted = None if labels is None else label_set(labels)
    with (
        saying_what_is_replaced(out, "merge", manifests, console),
        _counting(console, "merging", total) as tick,
    ):
        done = merge(manifests, _out_file(out), labels=wanted, tick=tick)
    for prefix, count in done.sources.items():
        console.print(f"{count:,} from {as_markup(prefix)}", soft_wrap=True)
    _say_skipped(done.skipped, console)
    if done.leaks:
        console.print(
            f"[yellow]warning:[/] {done.leaks:,} images are in more than one split; "
            "`pyojeong data split` deals them out again",
            soft_wrap=True,
        )
    console.print(f"{done.rows:,} rows in {as_markup(out)}", soft_wrap=True)
    return print_table_counts(out, console, left_out=done.skipped)


def run_export(manifest: Path, out: Path, *, kind: str, console: Console) -> int:
    """Write a table as files that other tools read."""
    _table_file(manifest)
    if kind not in EXPORTERS:
        raise DataError(f"unknown format {kind!r}; known: {', '.join(EXPORTERS)}")
    require_files(manifest)
    require_unchanged(manifest)
    with _counting(console, "exporting", manifest_size(manifest)) as tick:
        done = EXPORTERS[kind](manifest, out, tick=tick)
    if done.unreadable:
        console.print(f"[yellow]left out {done.unreadable:,} images that could not be decoded[/]")
    console.print(f"{done.rows:,} images in {as_markup(out)}", soft_wrap=True)
    counts = InputCounts(read=done.rows, failed=done.unreadable)
    return print_counts(counts, "samples", console)
