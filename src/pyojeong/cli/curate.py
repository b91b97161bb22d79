"""``pyojeong data curate``, ``clean``: progress and summaries around ``pyojeong.curate``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup
from pyojeong.cli.sums import print_counts, print_table_counts, saying_what_is_replaced
from pyojeong.core.errors import DataError

if TYPE_CHECKING:
    from pyojeong.core.card import Preprocess
    from pyojeong.curate.findings import Store
    from pyojeong.distributed.ray_engine import RayOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class CurateRequest:
    """Options of ``pyojeong data curate``."""

    manifest: Path
    checks: Sequence[str]
    store: Path | None
    predictions: Path | None
    detector: str
    least_px: int
    jobs: int
    report: Path | None
    pictures: int
    lang: str = "en"
    ray: "RayOptions | None" = None


def run_curate(request: CurateRequest, console: Console) -> int:
    """Run checks, print a table of what they found, write the report if asked.

    Returns the exit code.
    """
    from pyojeong.curate.checks import parse_checks
    from pyojeong.curate.curation import Plan, curate
    from pyojeong.datasets.picture_files import missing_files, require_unchanged

    store = open_store(request.manifest, request.store)
    if request.report is not None:
        from pyojeong.curate.report import require_report

        require_report(request.report)  # before checks that take hours
    missing = missing_files(request.manifest)
    missing.refuse_all()
    require_unchanged(request.manifest)
    words = request.checks or ["default", *(["label-issue"] if request.predictions else [])]
    options = {
        "detector": request.detector,
        "predictions": request.predictions,
        "least_px": request.least_px,
    }
    plan = Plan(parse_checks(words), options, request.jobs, request.ray)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with bars(console, *columns, TimeRemainingColumn()) as progress:
        tasks: dict[str, object] = {}

        def tick(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)  # type: ignore[arg-type]

        curate(store, plan, tick=tick)
    console.print(summary(request.manifest, store.folder))
    if missing:
        console.print(
            f"[yellow]warning:[/] {as_markup(missing)}; they were not checked: move them back "
            "and run the same command again",
            soft_wrap=True,
        )
    console.print(f"findings in {as_markup(store.folder)}", soft_wrap=True)
    if request.report is not None:
        from pyojeong.curate.report import write_report

        command = " ".join(["pyojeong", *sys.argv[1:]])
        file = write_report(
            store,
            request.report,
            command=command,
            pictures=request.pictures,
            lang=request.lang,
        )
        console.print(f"report: {as_markup(file)}", soft_wrap=True)
    return print_table_counts(request.manifest, console)


def open_store(manifest: Path, folder: Path | None) -> "Store":
    """Return the store of a manifest, at its usual place or a named one."""
    from pyojeong.curate.findings import Store

    if manifest.suffix != ".parquet":
        raise DataError(
            f"{manifest}: not a table; make one with `pyojeong data import '{manifest}' "
            "--out SET.parquet`"
        )
    return Store.beside(manifest) if folder is None else Store(folder, manifest)


def summary(manifest: Path, folder: Path) -> Table:
    """Return checks and how many rows of each split they flagged."""
    from pyojeong.curate.findings import Store
    from pyojeong.datasets.samples import Split, read_rows

    store = Store(folder, manifest)
    split_of = {r: s.split for r, s in read_rows(manifest, splits=list(Split), images=False)}
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("check")
    for name in ("from", "flagged", *(s.value for s in Split)):
        table.add_column(name, justify="right")
    table.add_column("1 means")
    for name in store.checks():
        flagged = store.flagged(name)
        counts = [sum(split_of[f.row] is split for f in flagged) for split in Split]
        known = store.settings(name)
        mark = "" if store.finished(name) else " (unfinished)"
        table.add_row(
            name + mark,
            f"{known['threshold']:.2f}",
            f"{len(flagged):,}",
            *(f"{c:,}" for c in counts),
            str(known["states"]),
        )
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanRequest:
    """Options of ``pyojeong data clean``."""

    manifest: Path
    store: Path | None
    out: Path
    accept: Sequence[str]
    splits: Sequence[str]
    relabel: bool
    leaks_only: bool


def run_clean(request: CleanRequest, console: Console) -> int:
    """Apply decisions, after accepting suggestions if asked; say what became of the rows.

    Returns the exit code.
    """
    from pyojeong.curate.checks import parse_checks
    from pyojeong.curate.cleaning import accept_suggestions, accepted_against_a_label, clean
    from pyojeong.datasets.label_map import some
    from pyojeong.datasets.picture_files import require_unchanged
    from pyojeong.datasets.samples import Split

    require_unchanged(request.manifest)
    store = open_store(request.manifest, request.store)
    if request.accept:
        count = accept_suggestions(
            store,
            parse_checks(request.accept),
            splits=[Split(s) for s in request.splits],
            relabel=request.relabel,
            leaks_only=request.leaks_only,
        )
        console.print(f"accepted {count:,} suggestions")
        against = accepted_against_a_label(store)
        if against:
            rows = some([str(row) for row in against])
            console.print(
                f"[yellow]warning:[/] {len(against):,} of them drop a copy of an image that stays "
                f"under another label (rows {rows}): decide with `pyojeong data review` which "
                "label is right",
                soft_wrap=True,
            )
    with (
        saying_what_is_replaced(request.out, "clean", [store.manifest], console),
        console.status("writing"),
    ):
        done = clean(store, request.out)
    for words, counts in (("dropped", done.dropped), ("relabelled", done.relabelled)):
        said = ", ".join(f"{n:,} {split}" for split, n in sorted(counts.items())) or "none"
        console.print(f"{words:>10}: {said}")
    if done.conflicts:
        console.print(
            f"[yellow]{done.conflicts} rows stay as they were because reviewers disagree;[/] "
            "settle them with `pyojeong data review`, filter conflicts"
        )
    console.print(f"{done.kept:,} rows in {as_markup(request.out)}", soft_wrap=True)
    dropped = {f"dropped in {split}": n for split, n in done.dropped.items()}
    return print_table_counts(request.out, console, left_out=dropped)


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesRequest:
    """Options of ``pyojeong data faces``."""

    manifest: Path
    out: Path
    detector: str
    margin: float
    size_px: int
    like: str | None
    side_px: int
    every: bool
    min_face: int | None
    jobs: int


def run_faces(request: FacesRequest, console: Console) -> int:
    """Cut faces out; name what had none. Returns the exit code."""
    from pyojeong.curate.extraction import BoxCrop, extract_faces, whole_frame
    from pyojeong.datasets.picture_files import require_files, require_unchanged
    from pyojeong.datasets.samples import manifest_size
    from pyojeong.runtime.classifier_names import find_classifier
    from pyojeong.runtime.detection.registry import build_detector

    require_files(request.manifest)
    require_unchanged(request.manifest)
    framing: BoxCrop | Preprocess = BoxCrop(request.margin, request.size_px)
    if request.like is not None:
        card = find_classifier(request.like).card
        assert card.preprocess is not None  # noqa: S101 - it is a classifier's
        framing = whole_frame(card.preprocess, request.side_px)

    detector = build_detector(request.detector, min_face=request.min_face)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        saying_what_is_replaced(request.out, "faces", [request.manifest], console),
        bars(console, *columns, TimeRemainingColumn()) as progress,
    ):
        task = progress.add_task("images", total=manifest_size(request.manifest))
        done = extract_faces(
            request.manifest,
            request.out,
            detector,
            framing=framing,
            every=request.every,
            jobs=request.jobs,
            tick=lambda n: progress.advance(task, n),
        )
    further = "hold further faces, of which only the largest was taken (--every takes all)"
    for words, sources in (
        ("without a face", done.without),
        ("unreadable", done.unreadable),
        (further, done.crowded),
    ):
        if sources:
            some = as_markup(", ".join(sources[:5])) + (" ..." if len(sources) > 5 else "")
            console.print(f"[yellow]{len(sources):,} images {words}:[/] {some}", soft_wrap=True)
    console.print(f"{done.faces:,} faces in {as_markup(request.out)}", soft_wrap=True)
    return print_counts(done.sums, "images", console)
