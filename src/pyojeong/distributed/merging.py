"""Shards joined: checks that all of them are there once and belong together, then one order."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pyojeong.core.errors import DataError
from pyojeong.core.face import FrameResult
from pyojeong.core.result_key import differences, summary
from pyojeong.core.shards import Shard
from pyojeong.distributed.parts import PartStore, RunFacts

_OF_ONE_SHARD = frozenset({"inputs", "--shard"})
"""Settings that differ between shards of one run."""


class ShardFacts(Protocol):
    """What the record of a shard says."""

    @property
    def shard(self) -> Shard:
        """Which share it is."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that decides the results."""

    @property
    def schema(self) -> int:
        """Version of the columns."""

    @property
    def finished(self) -> bool:
        """Whether all inputs of the shard were read."""

    @property
    def list_digest(self) -> str:
        """Digest of the list of inputs of all shards."""


Facts = TypeVar("Facts", bound=ShardFacts)


def check_shards(shards: Sequence[tuple[Path, Facts]]) -> list[tuple[Path, Facts]]:
    """Return shards in order of their index, when all of one run are there once.

    Args:
        shards: Folder and record of each.

    Raises:
        DataError: When one is missing, doubled, unfinished, or of another run; with the cure.
    """
    first_folder, first = shards[0]
    for folder, facts in shards:
        if not facts.finished:
            raise DataError(
                f"{folder}: shard {facts.shard} was stopped before its end: give its command "
                "again, then merge"
            )
        if facts.schema != first.schema:
            raise DataError(
                f"{folder} has columns of schema {facts.schema}, {first_folder} of schema "
                f"{first.schema}: read all shards with one version of pyojeong"
            )
        if facts.shard.count != first.shard.count:
            raise DataError(
                f"{folder} is shard {facts.shard}, {first_folder} is shard {first.shard}: these "
                "are of different divisions; name the shards of one"
            )
        lines = differences(_common(first.settings), _common(facts.settings))
        if lines:
            raise DataError(
                f"{folder} was made with other settings than {first_folder} ({summary(lines)}): "
                "read all shards with the same ones"
            )
        if facts.list_digest != first.list_digest:
            raise DataError(
                f"{folder} was made from another list of inputs than {first_folder}: files came or "
                "went between their commands. Give all shards one manifest, and read them again"
            )
    by_index: dict[int, tuple[Path, Facts]] = {}
    for folder, facts in shards:
        other = by_index.setdefault(facts.shard.index, (folder, facts))[0]
        if other is not folder:
            raise DataError(
                f"shard {facts.shard} is there twice: {other} and {folder}; name one of them"
            )
    missing = [i for i in range(1, first.shard.count + 1) if i not in by_index]
    if missing:
        names = ", ".join(f"{index}/{first.shard.count}" for index in missing[:5])
        more = f" and {len(missing) - 5:,} more" if len(missing) > 5 else ""
        raise DataError(
            f"shard {names}{more} is missing: name its folder too, or read it with --shard "
            f"{missing[0]}/{first.shard.count}"
        )
    return [by_index[index] for index in sorted(by_index)]


def _common(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in _OF_ONE_SHARD}


def merged_results(shards: Sequence[tuple[Path, RunFacts]]) -> Iterator[FrameResult]:
    """Yield the results of all shards in the order of the list that they share.

    Args:
        shards: From ``check_shards``.

    Raises:
        DataError: When an input has no result, or two.
    """
    each = [PartStore(folder).results(facts) for folder, facts in shards]
    total = shards[0][1].inputs.total
    expected = 0
    for position, result in heapq.merge(*each, key=itemgetter(0)):
        if position != expected:
            how = "missing" if position > expected else "there twice"
            raise DataError(
                f"input {expected + 1:,} of the list is {how}: a shard is damaged; `pyojeong "
                "doctor FOLDER` names its file"
            )
        expected += 1
        yield result
    if expected != total:
        raise DataError(
            f"{total - expected:,} inputs at the end of the list are missing: a shard is damaged; "
            "`pyojeong doctor FOLDER` names its file"
        )
