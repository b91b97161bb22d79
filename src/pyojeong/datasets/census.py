"""How many samples the official data sets have, to notice when a copy is not complete."""

from collections.abc import Collection, Mapping, Sequence

from pyojeong.core.labels import FER7, LabelSet
from pyojeong.datasets.samples import Split

Counts = Mapping[tuple[Split, str], int]
"""(split, label) -> number of samples."""

ALL = ""
_SPLIT_WORDS = {"train": "training ", "valid": "validation ", "test": "test ", ALL: ""}


def _per_class(split: str, *counts: int) -> dict[tuple[str, str], int]:
    """Return the counts in FER7's order, and their sum."""
    named = {(split, name): n for name, n in zip(FER7.names, counts, strict=True)}
    return {(split, ALL): sum(counts), **named}


_FER2013 = {
    **_per_class("train", 3995, 436, 4097, 7215, 4965, 4830, 3171),
    **_per_class("valid", 467, 56, 496, 895, 607, 653, 415),
    **_per_class("test", 491, 55, 528, 879, 626, 594, 416),
}
_RAFDB = {("train", ALL): 12271, ("test", ALL): 3068}
_AFFECTNET = {
    **_per_class("train", 24882, 3803, 6378, 134415, 74874, 25459, 14090),
    ("train", "contempt"): 3750,
}
KNOWN: dict[str, dict[tuple[str, str], int]] = {
    "fer2013": _FER2013,
    "fer2013-folders": _FER2013,
    "rafdb": _RAFDB,
    "rafdb-kaggle": _RAFDB,
    "affectnet": _AFFECTNET,
    "affectnet8": _AFFECTNET,
    "expw": {(ALL, ALL): 91793},
    "ck48": {**_per_class(ALL, 135, 177, 75, 207, 0, 84, 249), (ALL, "contempt"): 54},
    "jaffe": _per_class(ALL, 30, 29, 32, 31, 30, 31, 30),
}
"""Layout -> official counts by split and class; "" stands for any. Where no "valid" is listed,
the readers hold out a part of the training samples, and both together are compared. Sums are those
of FER7's classes; contempt comes on top."""


def check_counts(
    layout: str, counts: Counts, labels: LabelSet = FER7, *, named: Collection[str] = ()
) -> list[str]:
    """Return what is unlike the official set, one sentence each; empty when all is as it should be.

    Totals are compared first; classes only where the totals agree, so that a subset is reported
    once and moved labels are still noticed. Classes without a sample are always named.

    Args:
        layout: Key of ``READERS``.
        counts: (split, label) -> number of samples.
        labels: The label set of the data.
        named: Classes without validation samples that another sentence names already.
    """
    known = KNOWN.get(layout, {})
    said = []
    wrong: set[str] = set()
    for (split, label), official in known.items():
        if label not in {ALL, *labels.names} or (label != ALL and split in wrong):
            continue
        wanted = labels.names if label != ALL else FER7.names
        found = _count(counts, split, [label] if label != ALL else wanted, known)
        if found != official:
            of = f"samples of {label!r}" if label != ALL else "samples"
            said.append(
                f"{layout}: {found:,} {_SPLIT_WORDS[split]}{of}, the official set has {official:,}"
            )
            if label == ALL:
                wrong.add(split)
    return said + _empty(layout, counts, labels, known, named)


def _count(
    counts: Counts, split: str, labels: Sequence[str], known: Mapping[tuple[str, str], int]
) -> int:
    """Return samples of a split (held-out ones count as training) and of some labels."""
    with_held_out = split == "train" and not any(s == "valid" for s, _ in known)
    splits = {"train", "valid"} if with_held_out else {split}
    return sum(
        n
        for (s, name), n in counts.items()
        if (split == ALL or s.value in splits) and name in labels
    )


def _empty(
    layout: str,
    counts: Counts,
    labels: LabelSet,
    known: Mapping[tuple[str, str], int],
    named: Collection[str],
) -> list[str]:
    said: list[str] = []
    absent: list[str] = []
    filled = [split for split in Split if any(n > 0 for (s, _), n in counts.items() if s is split)]
    for name in labels.names:
        if known.get((ALL, name)) == 0:
            continue
        missing = [split for split in filled if not counts.get((split, name))]
        if missing == filled:
            absent.append(name)
        else:
            said += [
                f"{layout}: class {name!r} has no {_SPLIT_WORDS[s]}samples"
                for s in missing
                if s is not Split.VALID or name not in named
            ]
    if absent:
        said.append(f"{layout}: no samples of {', '.join(absent)}")
    return said
