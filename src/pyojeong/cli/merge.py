"""``pyojeong merge``: the results of shards as those of one run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from pyojeong.cli.analyze_parts import print_totals, write_tables
from pyojeong.cli.sums import print_counts
from pyojeong.core.errors import DataError, InputError
from pyojeong.core.file_search import Failure
from pyojeong.core.input_record import Made, check_earlier, check_foreign, write_inputs
from pyojeong.core.inputs import InputCounts
from pyojeong.core.output_files import require_writable
from pyojeong.core.unfinished import noted, unfinished
from pyojeong.distributed.merging import check_shards, merged_results
from pyojeong.distributed.parts import PartStore, RunFacts


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
