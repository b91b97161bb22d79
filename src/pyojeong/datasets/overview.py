"""What is in a manifest: counts, people, copies, missing files; streams, opens no image."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyojeong.core.inputs import InputCounts
from pyojeong.core.labels import LabelSet
from pyojeong.datasets.importing import Ticker
from pyojeong.datasets.picture_files import (
    MissingFiles,
    changed_pictures,
    missing_files,
    picture_counts,
)
from pyojeong.datasets.samples import Split, manifest_id, manifest_labels, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Figures of a manifest.

    Attributes:
        id: ``manifest_id``.
        labels: The label set.
        rows: Number of samples.
        counts: (split, label) -> rows.
        embedded: Rows with their image inside the table; the others name a file.
        fingerprinted: Rows with a ``content_hash``.
        groups: Number of groups (people, sequences), without rows that stand alone.
        groups_across: Groups with rows in more than one split.
        copies: Rows whose image is in an earlier row already.
        copies_across: Rows whose image is in more than one split.
        copies_contradicting: Rows whose image stands there with more than one label.
        votes: Rows with annotators' votes.
        decided: Rows about which a reviewer decided.
        missing: Files that are not where the table says.
        failed: Rows whose file is missing, or whose image could not be decoded.
        changed: Files with other pictures than those that were imported.
    """

    id: str
    labels: LabelSet
    rows: int
    counts: Mapping[tuple[Split, str], int]
    embedded: int
    fingerprinted: int
    groups: int
    groups_across: int
    copies: int
    copies_across: int
    copies_contradicting: int
    votes: int
    decided: int
    missing: MissingFiles
    failed: int
    changed: Sequence[str] = ()

    @property
    def unreadable(self) -> int:
        """Rows whose image could not be decoded; 0 when the table has no fingerprints at all."""
        return self.rows - self.fingerprinted if self.fingerprinted else 0

    @property
    def sums(self) -> InputCounts:
        """Rows: given = read + failed, as ``datasets.picture_files.picture_counts``."""
        return InputCounts(read=self.rows - self.failed, failed=self.failed)

    def total(self, *, split: Split | None = None, label: str | None = None) -> int:
        """Return the rows of a split, of a class, of both or of all."""
        return sum(
            n
            for (s, name), n in self.counts.items()
            if (split is None or s is split) and (label is None or name == label)
        )

    def as_json(self) -> dict[str, Any]:
        """JSON types only."""
        names = ("rows", "embedded", "fingerprinted", "unreadable", "groups", "groups_across")
        more = ("copies", "copies_across", "copies_contradicting", "votes", "decided")
        return {
            "id": self.id,
            "labels": self.labels.id,
            **{name: getattr(self, name) for name in names + more},
            "missing": len(self.missing.paths),
            "changed": len(self.changed),
            "counts": {
                split.value: {n: self.counts.get((split, n), 0) for n in self.labels.names}
                for split in Split
            },
        }


def overview(manifest: Path, *, tick: Ticker | None = None) -> Overview:
    """Read a manifest's columns except for the images.

    Args:
        manifest: The data set.
        tick: Called after every row.

    Raises:
        ManifestInvalid: When the file is missing, damaged or of another kind.
    """
    counts: Counter[tuple[Split, str]] = Counter()
    said: Counter[str] = Counter()
    pictures: dict[str, list[tuple[Split, str]] | tuple[Split, str]] = {}
    groups: dict[str, set[Split]] = {}
    for _, sample in read_rows(manifest, splits=list(Split), images=False):
        here = (sample.split, sample.label)
        counts[here] += 1
        said["embedded"] += sample.image is not None
        said["votes"] += sample.votes is not None
        said["decided"] += bool(sample.decision)
        if sample.group:
            groups.setdefault(sample.group, set()).add(sample.split)
        if key := sample.content_hash:
            said["fingerprinted"] += 1
            known = pictures.get(key)
            if known is None:
                pictures[key] = here
            elif isinstance(known, list):
                known.append(here)
            else:
                pictures[key] = [known, here]
        if tick is not None:
            tick(1)
    several = [rows for rows in pictures.values() if isinstance(rows, list)]
    return Overview(
        id=manifest_id(manifest),
        labels=manifest_labels(manifest),
        rows=sum(counts.values()),
        counts=dict(counts),
        embedded=said["embedded"],
        fingerprinted=said["fingerprinted"],
        groups=len(groups),
        groups_across=sum(len(splits) > 1 for splits in groups.values()),
        copies=sum(len(rows) - 1 for rows in several),
        copies_across=sum(len(rows) for rows in several if len({s for s, _ in rows}) > 1),
        copies_contradicting=sum(len(rows) for rows in several if len({n for _, n in rows}) > 1),
        votes=said["votes"],
        decided=said["decided"],
        missing=missing_files(manifest),
        failed=picture_counts(manifest)[0].failed,
        changed=changed_pictures(manifest),
    )
