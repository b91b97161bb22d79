"""New splits for a manifest, without leaks: people and equal images stay on one side.

Samples that share a group or an image (``content_hash``) belong together, directly or through
others. Such a unit goes to one split as a whole. Units are dealt out, largest first and otherwise
in an order drawn from the seed, each to the split that lacks its classes most.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pyojeong.core.errors import DataError
from pyojeong.datasets.importing import Ticker
from pyojeong.datasets.manifest_files import made_by
from pyojeong.datasets.samples import (
    Sample,
    Split,
    manifest_labels,
    read_rows,
    write_manifest,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOptions:
    """How to split.

    Attributes:
        valid: Share of the samples for Split.VALID, in [0, 1).
        test: Share for Split.TEST, in [0, 1); not used with ``keep_test``.
        seed: Draws the order; the same seed gives the same splits.
        keep_test: Leave the rows of Split.TEST where they are and split the others; ``valid`` is
            then a share of the others.
        drop_leaks: With ``keep_test``: leave out rows that belong together with a test row,
            instead of refusing.
    """

    valid: float = 0.1
    test: float = 0.1
    seed: int = 0
    keep_test: bool = False
    drop_leaks: bool = False

    def __post_init__(self) -> None:
        test = 0.0 if self.keep_test else self.test
        if not (self.valid >= 0 and test >= 0 and 0 < self.valid + test < 1):
            raise DataError(
                f"shares must be 0 or more and sum to less than 1, got valid {self.valid} and "
                f"test {test}; try 0.1 and 0.1"
            )


@dataclass(frozen=True, slots=True)
class SplitResult:
    """Outcome of splitting a data set.

    Attributes:
        counts: (split, label) -> rows.
        units: Number of things that could be placed freely (people, images).
        dropped: Rows left out because they belong together with a test row.
        moves: (split before, split after) -> rows; after = None: left out.
    """

    counts: Mapping[tuple[Split, str], int]
    units: int
    dropped: int
    moves: Mapping[tuple[Split, Split | None], int] = field(default_factory=dict)


def split(
    manifest: Path, out: Path, options: SplitOptions, *, tick: Ticker | None = None
) -> SplitResult:
    """Write the manifest with new splits; rows keep their order.

    Args:
        manifest: The data set.
        out: The new manifest.
        options: Shares, seed, what to do with the test split.
        tick: Called after every row, while the new table is written.

    Raises:
        DataError: When ``out`` is the manifest itself, or a test row that is to stay shares a
            group or an image with other rows.
    """
    refuse_overwriting(out, [manifest])
    labels = manifest_labels(manifest)
    rows = _Rows(manifest)
    units = _units(rows)
    place: list[Split | None] = [None] * len(rows.labels)
    free = units
    if options.keep_test:
        free = _keep_test(rows, units, place, options)
    shares = {Split.TRAIN: 0.0, Split.VALID: options.valid, Split.TEST: options.test}
    if options.keep_test:
        shares[Split.TEST] = 0.0
    shares[Split.TRAIN] = 1 - sum(shares.values())
    _deal(free, [labels.index(name) for name in rows.labels], shares, place, options.seed)
    counts: Counter[tuple[Split, str]] = Counter()

    def moved() -> Iterator[Sample]:
        for row, sample in read_rows(manifest, splits=list(Split)):
            to = place[row]
            if to is not None:
                counts[to, sample.label] += 1
                yield replace(sample, split=to)
            if tick is not None:
                tick(1)

    write_manifest(out, moved(), labels, made=made_by("split", [manifest]))
    moves = Counter(zip(rows.splits, place, strict=True))
    return SplitResult(dict(counts), len(units), place.count(None), dict(moves))


def refuse_overwriting(out: Path, sources: list[Path]) -> None:
    """Refuse to write onto a manifest that is being read.

    Raises:
        DataError: When ``out`` is one of the sources.
    """
    for source in sources:
        if out.resolve() == source.resolve():
            raise DataError(f"{out}: the original is never overwritten; name another file")


class _Rows:
    """What splitting needs of every row: label, split, group, key of the image."""

    def __init__(self, manifest: Path) -> None:
        self.labels: list[str] = []
        self.splits: list[Split] = []
        self.groups: list[str] = []
        self.pictures: list[str] = []
        bare = False
        for _, sample in read_rows(manifest, splits=list(Split), images=False):
            self.labels.append(sample.label)
            self.splits.append(sample.split)
            self.groups.append(sample.group)
            self.pictures.append(sample.content_hash or sample.path or "")
            bare |= not self.pictures[-1]
        if bare:  # a table without fingerprints: equal bytes are equal images
            for row, sample in read_rows(manifest, splits=list(Split)):
                if not self.pictures[row]:
                    self.pictures[row] = hashlib.sha256(sample.image or b"").hexdigest()


def _units(rows: _Rows) -> list[list[int]]:
    """Row numbers that belong together, in order of their first rows (union by smallest row)."""
    parent = list(range(len(rows.labels)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for keys in (rows.groups, rows.pictures):
        first: dict[str, int] = {}
        for row, key in enumerate(keys):
            if not key:
                continue
            a, b = root(first.setdefault(key, row)), root(row)
            parent[max(a, b)] = min(a, b)
    units: dict[int, list[int]] = {}
    for row in range(len(parent)):
        units.setdefault(root(row), []).append(row)
    return list(units.values())


def _keep_test(
    rows: _Rows, units: list[list[int]], place: list[Split | None], options: SplitOptions
) -> list[list[int]]:
    """Place the test rows; the units without one are left to be dealt out."""
    free, leaks = [], []
    for unit in units:
        test = [row for row in unit if rows.splits[row] is Split.TEST]
        for row in test:
            place[row] = Split.TEST
        if not test:
            free.append(unit)
        elif len(test) < len(unit):
            leaks += [row for row in unit if rows.splits[row] is not Split.TEST]
    if leaks and not options.drop_leaks:
        shown = ", ".join(map(str, sorted(leaks)[:5])) + (" ..." if len(leaks) > 5 else "")
        raise DataError(
            f"{len(leaks):,} rows outside the test split share a group or an image with a test "
            f"row (rows {shown}); leave them out with --drop-leaks, or split without --keep-test"
        )
    if not free:
        raise DataError("no rows are left outside the test split; split without --keep-test")
    return free


def _deal(
    units: list[list[int]],
    labels: list[int],
    shares: Mapping[Split, float],
    place: list[Split | None],
    seed: int,
) -> None:
    totals = Counter(labels[row] for unit in units for row in unit)
    splits = [s for s, share in shares.items() if share > 0]
    lacking = {s: {c: shares[s] * n for c, n in totals.items()} for s in splits}
    order = np.random.default_rng(seed).permutation(len(units)).tolist()
    order.sort(key=lambda i: -len(units[i]))
    for i in order:
        held = Counter(labels[row] for row in units[i])
        # A class counts in proportion to its rarity, so that rare ones are shared out evenly too.
        to = max(splits, key=lambda s: sum(n * lacking[s][c] / totals[c] for c, n in held.items()))
        for c, n in held.items():
            lacking[to][c] -= n
        for row in units[i]:
            place[row] = to
