"""Which images of a split are repeated, exactly or nearly, in another split."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from pyojeong.curate.copy_checks import NearCopy
from pyojeong.datasets.samples import Split, read_rows


def copies_across_splits(manifest: Path) -> tuple[dict[Split, frozenset[int]], dict[str, Any]]:
    """Return positions within each split of images that have a copy in another one.

    Exact copies have the same pixels; near copies are those that ``curate``'s check would suggest
    to drop.

    Returns:
        The positions, and counts by kind and pair of splits for the report.
    """
    place: dict[int, tuple[Split, int]] = {}
    sizes: dict[Split, int] = defaultdict(int)
    contents: dict[str, list[int]] = defaultdict(list)
    for row, sample in read_rows(manifest, splits=list(Split), images=False):
        place[row] = (sample.split, sizes[sample.split])
        sizes[sample.split] += 1
        if sample.content_hash:
            contents[sample.content_hash].append(row)
    found: dict[Split, set[int]] = {split: set() for split in Split}
    exact: dict[str, int] = defaultdict(int)
    for rows in contents.values():
        splits = {place[row][0] for row in rows}
        for row in rows:
            split, position = place[row]
            for other in splits - {split}:
                exact[f"{split.value} in {other.value}"] += 1
                found[split].add(position)
    near: dict[str, int] = defaultdict(int)
    check = NearCopy()
    for finding in check.check_table(manifest):
        if finding.score < check.threshold:
            continue
        (one, at), (other, there) = place[finding.row], place[finding.other]
        if one is not other:
            near[f"{one.value} and {other.value}"] += 1
            found[one].add(at)
            found[other].add(there)
    counts = {"exact": dict(sorted(exact.items())), "near_pairs": dict(sorted(near.items()))}
    return {split: frozenset(rows) for split, rows in found.items()}, {
        **counts,
        "pictures": {split.value: len(rows) for split, rows in found.items()},
    }
