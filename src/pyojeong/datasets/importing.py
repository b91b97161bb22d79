"""Any data set on disk -> manifest: detected, read, fingerprinted, counted, checked, written."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.core.file_kinds import IMAGES
from pyojeong.core.file_search import each_once, search_folder
from pyojeong.core.inputs import InputCounts
from pyojeong.core.labels import FER7, LabelSet
from pyojeong.core.output_names import as_unicode
from pyojeong.datasets.census import check_counts
from pyojeong.datasets.fingerprint import fingerprinted
from pyojeong.datasets.label_map import images, some
from pyojeong.datasets.layout import searchable
from pyojeong.datasets.layout_folders import class_root
from pyojeong.datasets.layout_table import LAYOUT as TABLE
from pyojeong.datasets.layout_table import read_table
from pyojeong.datasets.manifest_files import made_by
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.own_pictures import OwnOptions
from pyojeong.datasets.picture_files import is_missing
from pyojeong.datasets.readers import OWN_READERS, READERS, detect_layout
from pyojeong.datasets.repeated_images import RepeatedImages
from pyojeong.datasets.samples import Sample, Split, write_manifest

Ticker = Callable[[int], None]
"""Called with the number of samples that were just finished."""
MOST_EXAMPLES = 30
_MOST_NAMES = 4
_ONE_ROW_EACH = frozenset({"ferplus", "rafdb", "voted-photographs"})
"""Published layouts whose lists name every image once."""
_ONE_FILE_EACH = frozenset({"class-folders", "fer2013-folders"})


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import.

    Attributes:
        layout: Key of ``READERS`` that was used.
        rows: Rows in the manifest.
        counts: (split, label) -> rows.
        skipped: Why samples were left out on purpose -> how many.
        unreadable: Rows whose image could not be decoded.
        unreadable_names: Names of the first of them.
        missing: Rows whose file is not there.
        warnings: What is unlike the official data set, one sentence each.
        examples: Some of the samples, evenly spread over the table, at most ``MOST_EXAMPLES``.
        beside: Why files of the folder are no samples -> how many.
    """

    layout: str
    rows: int
    counts: Mapping[tuple[Split, str], int]
    skipped: Mapping[str, int]
    unreadable: int
    missing: int
    warnings: tuple[str, ...]
    examples: tuple[Sample, ...] = ()
    beside: Mapping[str, int] = field(default_factory=dict)
    unreadable_names: tuple[str, ...] = ()

    @property
    def sums(self) -> InputCounts:
        """Samples that were given = read + failed + left out."""
        failed = self.unreadable + self.missing
        left_out = Counter(self.skipped) + Counter(self.beside)
        return InputCounts(read=self.rows - failed, failed=failed, left_out=left_out)


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
        own: What is stated about pictures of one's own: class folders, imagefolder, a table.
    """

    layout: str | None = None
    votes: Path | None = None
    labels: LabelSet = FER7
    embed: bool = False
    jobs: int = 2
    own: OwnOptions = field(default_factory=OwnOptions)


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
    with searchable(source):
        layout = layout_of(source, options)
    skipped: Counter[str] = Counter()
    notes = Notes()
    samples = _note_odd_paths(_samples(source, layout, options, skipped, notes), notes)
    census = _Census(tick, RepeatedImages(splits=layout in {TABLE, *OWN_READERS}))
    remarks: dict[str, str] = {}
    prints = fingerprinted(samples, jobs=options.jobs, embed=options.embed, remarks=remarks)
    with searchable(source):
        rows = write_manifest(
            out, census.watch(prints), options.labels, made=made_by("import", [source])
        )
    if remarks:
        first, why = next(iter(remarks.items()))
        notes.warnings.append(
            f"{images(len(remarks))} read with a remark: {some(remarks)}; of {first}: {why}"
        )
    return Imported(
        layout=layout,
        rows=rows,
        counts=dict(census.counts),
        skipped=dict(skipped),
        unreadable=census.unreadable,
        missing=census.missing,
        warnings=(
            *notes.warnings,
            *census.repeated.warnings(),
            *check_counts(layout, census.counts, options.labels, named=notes.without_valid),
        ),
        examples=census.examples(),
        unreadable_names=tuple(census.unreadable_names),
        beside=_beside(source, layout, rows + sum(skipped.values()), notes) | notes.beside,
    )


def _note_odd_paths(samples: Iterable[Sample], notes: Notes) -> Iterator[Sample]:
    """Note how many paths are not valid Unicode; ``fingerprinted`` takes such files in."""
    odd: list[str] = []
    for sample in samples:
        if sample.path is not None and as_unicode(sample.path) != sample.path:
            odd.append(as_unicode(sample.source))
        yield sample
    if odd:
        notes.warnings.append(
            f"the paths of {images(len(odd))} are not valid Unicode; the table holds the images "
            f"themselves: {some(odd)}"
        )


def _beside(source: Path, layout: str, known: int, notes: Notes) -> dict[str, int]:
    """Count the files of a folder that are no samples, by reason.

    Args:
        source: The folder.
        layout: Its layout; of published data sets only images count, not their lists and notes.
        known: Number of samples, with those that were left out.
        notes: Knows the images that a published data set has accounted for.
    """
    if not source.is_dir():
        return {}
    found = search_folder(source, IMAGES)
    if layout in {TABLE, "imagefolder"}:  # rows may name files that a search leaves out
        found.left_out = each_once(found.left_out, notes.known)
    counts = found.reasons()
    if layout in _ONE_FILE_EACH:
        counts["in no class folder"] = len(found.items) - known
    elif layout not in {TABLE, "imagefolder"}:
        del counts[f"not {IMAGES.noun}s"]
        paths = [item if isinstance(item, str) else item.path for item in found.items]
        others = [as_unicode(os.path.relpath(p, source)) for p in paths if not notes.knows(p)]
        counts[f"not read by {layout} ({some(others)})"] = len(others)
    return {why: count for why, count in counts.items() if count}


def layout_of(source: Path, options: ImportOptions) -> str:
    """Return the layout to read.

    Raises:
        DataError: When the source is missing, its layout is not known or takes no such options.
    """
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    own = options.own
    if own.table is not None:
        if options.layout is not None or options.votes is not None:
            raise DataError("--table reads pictures with a table of labels: no --layout or --votes")
        return TABLE
    if own.image_column or own.label_column:
        raise DataError("--image-column and --label-column name columns of --table; add it")
    layout = options.layout or _detected(source, own)
    if layout not in READERS:
        raise DataError(f"unknown layout {layout!r}; known: {', '.join(READERS)}")
    if own.stated and layout == "rafdb-kaggle" and options.layout is None:
        layout = "class-folders"  # stated names are the user's, not RAF-DB's
    if own.stated and layout not in OWN_READERS:
        raise DataError(
            f"{source} has the layout {layout}, which names its labels and people itself: "
            f"{' and '.join(own.stated)} are for {', '.join(OWN_READERS)} and --table"
        )
    return layout


def _detected(source: Path, own: OwnOptions) -> str:
    try:
        return detect_layout(source)
    except DataError:
        if own.label_map and class_root(source, own.label_map) is not None:
            return "class-folders"
        raise


def _samples(
    source: Path, layout: str, options: ImportOptions, skipped: Counter[str], notes: Notes
) -> Iterator[Sample]:
    labels, votes, own = options.labels, options.votes, options.own
    if layout == TABLE:
        return read_table(source, labels=labels, skipped=skipped, own=own, notes=notes)
    if layout in OWN_READERS:
        read = OWN_READERS[layout]
        return read(source, votes=votes, labels=labels, skipped=skipped, own=own, notes=notes)
    samples = READERS[layout](source, votes=votes, labels=labels, skipped=skipped, notes=notes)
    return _without_repeats(samples, skipped) if layout in _ONE_ROW_EACH else samples


def _without_repeats(samples: Iterable[Sample], skipped: Counter[str]) -> Iterator[Sample]:
    """Yield each image once; rows of one image that differ stay, and are warned of."""
    first: dict[str | None, Sample] = {}
    for sample in samples:
        if first.setdefault(sample.path, sample) == sample and first[sample.path] is not sample:
            skipped["repeated row"] += 1
        else:
            yield sample


class _Census:
    def __init__(self, tick: Ticker | None, repeated: RepeatedImages) -> None:
        self.repeated = repeated
        self.counts: Counter[tuple[Split, str]] = Counter()
        self.unreadable = 0
        self.unreadable_names: list[str] = []
        self.missing = 0
        self._tick = tick
        self._kept: list[Sample] = []
        self._step = 1
        self._rows = 0

    def watch(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        for sample in samples:
            yield sample
            self.counts[sample.split, sample.label] += 1
            self.repeated.add(sample)
            if not sample.content_hash:
                gone = is_missing(sample)
                self.missing += gone
                self.unreadable += not gone
                if not gone and len(self.unreadable_names) < _MOST_NAMES:
                    self.unreadable_names.append(sample.source)
            self._keep(sample)
            if self._tick is not None:
                self._tick(1)
        if self._rows and self.missing == self._rows:
            raise DataError(
                f"{self._rows:,} of {self._rows:,} images are missing, the first is "
                f"{self._kept[0].path}: unpack or download the images, or correct their folder"
            )

    def _keep(self, sample: Sample) -> None:
        """Keep every k-th sample; k doubles as soon as twice the wanted number is there."""
        if self._rows % self._step == 0:
            self._kept.append(sample)
            if len(self._kept) == 2 * MOST_EXAMPLES:
                self._kept = self._kept[::2]
                self._step *= 2
        self._rows += 1

    def examples(self) -> tuple[Sample, ...]:
        """Return samples that are evenly spread over all, at most ``MOST_EXAMPLES``."""
        count = min(len(self._kept), MOST_EXAMPLES)
        return tuple(self._kept[i * len(self._kept) // count] for i in range(count))
