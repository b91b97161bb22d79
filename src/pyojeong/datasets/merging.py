"""Several manifests become one."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7, FERPLUS8, FERPLUS_TO_FER7, LabelSet
from pyojeong.core.output_names import as_unicode
from pyojeong.datasets.importing import Ticker
from pyojeong.datasets.manifest_files import made_by
from pyojeong.datasets.samples import (
    Sample,
    Split,
    manifest_id,
    manifest_labels,
    read_rows,
    write_manifest,
)
from pyojeong.datasets.splitting import refuse_overwriting


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of merging.

    Attributes:
        rows: Rows in the new manifest.
        sources: Prefix of a manifest's samples -> rows it gave.
        skipped: Why samples were left out -> how many.
        leaks: Images that are in more than one split of the new manifest.
    """

    rows: int
    sources: Mapping[str, int]
    skipped: Mapping[str, int]
    leaks: int


def merge(
    manifests: Sequence[Path],
    out: Path,
    *,
    labels: LabelSet | None = None,
    tick: Ticker | None = None,
) -> Merged:
    """Write the rows of all manifests, one after another.

    Sources and groups get the name of their manifest's file as a prefix, so that they stay unique.
    Splits stay as they are.

    Args:
        manifests: The data sets.
        out: The new manifest.
        labels: The label set to map all onto; None = they must have the same. Only ferplus8 to
            fer7 is a mapping: contempt is left out and counted.
        tick: Called after every row.

    Raises:
        DataError: When there are fewer than two, label sets differ, or ``out`` is one of them.
    """
    if len(manifests) < 2:
        raise DataError(f"expected two or more tables to merge, got {len(manifests)}")
    refuse_overwriting(out, list(manifests))
    _refuse_repeated(manifests)
    theirs = [manifest_labels(m) for m in manifests]
    wanted = _wanted(manifests, theirs, labels)
    prefixes = _prefixes(manifests)
    given: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    seen: dict[str, Split | None] = {}

    def rows() -> Iterator[Sample]:
        for manifest, prefix, from_ in zip(manifests, prefixes, theirs, strict=True):
            names = _mapping(from_, wanted)
            for _, sample in read_rows(manifest, splits=list(Split)):
                if tick is not None:
                    tick(1)
                label = names[sample.label]
                if label is None:
                    skipped[f"{sample.label} (not in {wanted.id})"] += 1
                    continue
                given[prefix] += 1
                key = sample.content_hash
                if key and seen.setdefault(key, sample.split) is not sample.split:
                    seen[key] = None
                yield replace(
                    sample,
                    label=label,
                    source=f"{prefix}/{sample.source}",
                    group=f"{prefix}/{sample.group}" if sample.group else "",
                )

    count = write_manifest(out, rows(), wanted, made=made_by("merge", manifests))
    leaks = sum(split is None for split in seen.values())
    return Merged(count, dict(given), dict(skipped), leaks)


def _wanted(
    manifests: Sequence[Path], theirs: Sequence[LabelSet], labels: LabelSet | None
) -> LabelSet:
    if labels is None:
        if all(t == theirs[0] for t in theirs):
            return theirs[0]
        listed = ", ".join(f"{m.name} has {t.id}" for m, t in zip(manifests, theirs, strict=True))
        common = set.intersection(*(set(t.names) for t in theirs))
        clash = sorted({n for t in theirs for n in t.names} - common)
        raise DataError(
            f"label sets differ: {listed}; not in all of them: {', '.join(clash) or 'none'}; "
            "map them with --labels fer7, which leaves these out"
        )
    for manifest, from_ in zip(manifests, theirs, strict=True):
        if from_ != labels and (from_, labels) != (FERPLUS8, FER7):
            raise DataError(
                f"{manifest}: labels {from_.id} cannot become {labels.id}, whose classes its "
                "annotators were not offered; only ferplus8 to fer7 is possible: --labels fer7"
            )
    return labels


def _mapping(from_: LabelSet, to: LabelSet) -> dict[str, str | None]:
    if from_ == to:
        return {name: name for name in from_.names}
    positions = zip(from_.names, FERPLUS_TO_FER7, strict=True)
    return {name: None if i is None else to.names[i] for name, i in positions}


def _prefixes(manifests: Sequence[Path]) -> list[str]:
    """File names without ending; the second of a name becomes ``name-2``, if no table has that."""
    stems = [as_unicode(manifest.stem) for manifest in manifests]
    out: list[str] = []
    for stem in stems:
        name, number = stem, 2
        while name in out or (name != stem and name in stems):
            name, number = f"{stem}-{number}", number + 1
        out.append(name)
    return out


def _refuse_repeated(manifests: Sequence[Path]) -> None:
    """Refuse tables with the same rows: every sample would be there twice."""
    known: dict[str, Path] = {}
    for manifest in manifests:
        first = known.get(identity := manifest_id(manifest))
        if first is not None:
            raise DataError(f"{manifest} holds the same rows as {first}: name it once")
        known[identity] = manifest
