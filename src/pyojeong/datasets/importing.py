"""Any data set on disk -> manifest: detected, read, fingerprinted, counted, checked, written."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7, LabelSet
from pyojeong.datasets.census import check_counts
from pyojeong.datasets.fingerprint import fingerprinted
from pyojeong.datasets.readers import READERS, detect_layout
from pyojeong.datasets.samples import Sample, Split, write_manifest

Ticker = Callable[[int], None]
"""Called with the number of samples that were just finished."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import.

    Attributes:
        layout: Key of ``READERS`` that was used.
        rows: Rows in the manifest.
        counts: (split, label) -> rows.
        skipped: Why samples were left out on purpose -> how many.
        unreadable: Rows whose image could not be decoded.
        warnings: What is unlike the official data set, one sentence each.
    """

    layout: str
    rows: int
    counts: Mapping[tuple[Split, str], int]
    skipped: Mapping[str, int]
    unreadable: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How to import.

    Attributes:
        layout: Key of ``READERS``; None = detected.
        votes: FER+'s ``fer2013new.csv``, for FER2013's own table.
        labels: The wanted label set.
        embed: Take image files into the table; otherwise it holds their absolute paths.
            Images that a reader cuts out or makes are always inside.
        jobs: Threads that decode.
    """

    layout: str | None = None
    votes: Path | None = None
    labels: LabelSet = FER7
    embed: bool = False
    jobs: int = 2


def import_dataset(
    source: Path, out: Path, options: ImportOptions, *, tick: Ticker | None = None
) -> Imported:
    """Write the manifest of a data set, whole or not at all.

    Args:
        source: The data set's table or folder.
        out: The ``.parquet`` file to write.
        options: How.
        tick: Called after every sample.

    Raises:
        DataError: When the source is missing, in no known layout, or wrong inside.
        MissingExtra: When pyarrow is not installed.
    """
    layout = options.layout or detect_layout(source)
    if layout not in READERS:
        raise DataError(f"unknown layout {layout!r}; known: {', '.join(READERS)}")
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    skipped: Counter[str] = Counter()
    samples = READERS[layout](source, votes=options.votes, labels=options.labels, skipped=skipped)
    census = _Census(tick)
    found = census.watch(fingerprinted(samples, jobs=options.jobs, embed=options.embed))
    rows = write_manifest(out, found, options.labels)
    return Imported(
        layout=layout,
        rows=rows,
        counts=dict(census.counts),
        skipped=dict(skipped),
        unreadable=census.unreadable,
        warnings=tuple(check_counts(layout, census.counts, options.labels)),
    )


class _Census:
    def __init__(self, tick: Ticker | None) -> None:
        self.counts: Counter[tuple[Split, str]] = Counter()
        self.unreadable = 0
        self._tick = tick

    def watch(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        for sample in samples:
            yield sample
            self.counts[sample.split, sample.label] += 1
            self.unreadable += not sample.content_hash
            if self._tick is not None:
                self._tick(1)
