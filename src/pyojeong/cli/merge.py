"""``pyojeong merge``: merge the results of shards."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from pyojeong.cli.analyze_parts import print_totals, write_tables
from pyojeong.cli.clip_engine import refuse_other_shard
from pyojeong.cli.console import as_markup
from pyojeong.cli.sums import print_counts
from pyojeong.core.errors import DataError, InputError
from pyojeong.core.file_search import Failure
from pyojeong.core.input_record import Made, check_earlier, check_foreign, write_inputs
from pyojeong.core.inputs import InputCounts
from pyojeong.core.labels import label_set
from pyojeong.core.one_writer import one_writer
from pyojeong.core.output_files import require_writable
from pyojeong.core.unfinished import noted, refuse_unfinished, unfinished
from pyojeong.distributed.clip_shards import ClipShard, copy_clips, read_shard
from pyojeong.distributed.merging import check_shards, merged_results
from pyojeong.distributed.parts import PartStore, RunFacts
from pyojeong.video.merge import JOINED, PEOPLE, join
from pyojeong.video.options import ENDINGS, EPOCHS


def merge_shards(
    folders: Sequence[Path], out: Path, console: Console, *, overwrite: bool = False
) -> int:
    """Join shards; returns the exit code: 0, 1 when inputs of the shards had failed.

    Args:
        folders: Of results of all shards.
        out: Gets the results.
        console: Gets progress and sums.
        overwrite: Replace results that ``out`` has of other shards.

    Raises:
        DataError: When a shard is missing, doubled, unfinished, or of another run.
        InputError: When something in ``out`` would be lost.
        OutputBusy: When another process writes into ``out``.
    """
    named = {folder.resolve() for folder in folders}
    if out.resolve() in named:
        raise InputError(f"{out}: is one of the shards: choose another --out folder")
    clips = [(folder, read_shard(folder)) for folder in folders]
    if any(facts is not None for _, facts in clips):
        return _merge_clips([(folder, _clip_facts(folder, f)) for folder, f in clips], out, console)
    shards = check_shards([(folder, _facts(folder)) for folder in folders])
    settings: dict[str, Any] = {"inputs": [str(folder.resolve()) for folder, _ in shards]}
    files = [f"results.{ending}" for ending in ("jsonl", "csv", "parquet")]
    if not overwrite and not unfinished(out, settings):
        check_foreign(out, files, "choose another --out folder, or add --overwrite")
        check_earlier(out, "merge", [str(folder) for folder in folders])
    require_writable(out)
    with noted(out, settings):
        return _merge_photographs(shards, out, console)


def _facts(folder: Path) -> RunFacts:
    store = PartStore(folder)
    if not store.begun:
        raise DataError(
            f"{folder}: holds no shard: name the --out folders of `pyojeong analyze --shard` or "
            "`pyojeong video --shard`"
        )
    return store.facts()


def _merge_photographs(shards: Sequence[tuple[Path, RunFacts]], out: Path, console: Console) -> int:
    facts = shards[0][1]
    totals, tables = write_tables(out, facts, merged_results(shards), facts.inputs.total, console)
    counts = InputCounts(read=totals.read, failed=totals.failed, left_out=facts.inputs.left_out)
    write_inputs(
        out,
        "merge",
        [str(folder) for folder, _ in shards],
        counts,
        failures=[Failure(*each) for each in totals.failures],
        made=Made({**facts.settings, "inputs": [str(f) for f, _ in shards]}, tables),
    )
    print_totals(totals, out, console)
    return print_counts(counts, "images", console)


def _clip_facts(folder: Path, facts: ClipShard | None) -> ClipShard:
    if facts is None:
        raise DataError(f"{folder}: holds no shard of clips, and another of these folders does")
    return facts


def _merge_clips(folders: Sequence[tuple[Path, ClipShard]], out: Path, console: Console) -> int:
    shards = check_shards(folders)
    facts = shards[0][1]
    refuse_unfinished(out)
    refuse_other_shard(out, None)
    check_foreign(out, JOINED, "choose another --out folder")
    check_earlier(out, "video")
    require_writable(out)
    clips = sorted(clip for _, each in shards for clip in each.clips)
    with one_writer(out, folder=True), console.status("copying results of clips"):
        parts = copy_clips(shards, out)
        tables = facts.tables
        names = [f"results.{ENDINGS[name]}" for name in tables["formats"]]
        names += [PEOPLE, *([EPOCHS] if tables["epochs"] else [])]
        several = len(parts) > 1 and any(isinstance(part, Path) for part in parts)
        failures = [Failure(source, error) for _, source, name, error in clips if not name]
        counts = InputCounts(
            read=len(parts) - len(failures), failed=len(failures), left_out=facts.left_out
        )

        def note(made: Made) -> None:
            sources = [source for _, source, _, _ in clips]
            write_inputs(out, "video", sources, counts, failures=failures, made=made)

        note(Made({}, (), names if several else ()))
        if several:
            join(
                parts,
                out,
                tables["formats"],
                label_set(tables["labels"]),
                measures=tables["measures"],
                epochs=tables["epochs"],
            )
        note(Made({}, names if several else ()))
    console.print(f"{counts.read:,} clips. Results in {as_markup(out)}", soft_wrap=True)
    return print_counts(counts, "clips", console)
