"""Validation pictures where a data set has no split for them: by image, by class, by group."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyojeong.datasets.layout import HOLD_OUT, held_out_groups, share_of

FEWEST = 10
"""Classes with at least so many training images get validation images."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A training sample that may be held out.

    Attributes:
        label: Its class.
        file: Its image.
        group: Its person or sequence; "" = there are no groups.
    """

    label: str
    file: Path
    group: str = ""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Which samples are for validation.

    Attributes:
        chosen: One bool a candidate.
        without: Class that gets no validation sample -> its number of samples.
    """

    chosen: list[bool]
    without: dict[str, int]


def hold_out(candidates: Sequence[Candidate]) -> HeldOut:
    """Choose about a tenth of the samples; the choice never changes.

    Where samples have groups, a tenth of the groups, by a digest of their names. Otherwise a tenth
    of the images, by a digest of their bytes, so that identical images stay together; classes of
    ``FEWEST`` images or more that this leaves without any get the tenth of their images with the
    smallest digests.
    """
    if any(c.group for c in candidates):
        groups = held_out_groups(c.group for c in candidates)
        chosen = [c.group in groups for c in candidates]
    else:
        chosen = _by_image(candidates)
    counts = Counter(c.label for c in candidates)
    filled = {c.label for c, here in zip(candidates, chosen, strict=True) if here}
    return HeldOut(chosen, {label: n for label, n in counts.items() if label not in filled})


def _by_image(candidates: Sequence[Candidate]) -> list[bool]:
    digests = [_digest(c.file) for c in candidates]
    chosen = {d for d in digests if d and share_of(d) < HOLD_OUT}
    by_label: dict[str, list[bytes]] = {}
    for candidate, digest in zip(candidates, digests, strict=True):
        by_label.setdefault(candidate.label, []).append(digest)
    for own in by_label.values():
        if len(own) >= FEWEST and not chosen.intersection(own):
            chosen |= _smallest(own)
    return [digest in chosen for digest in digests]


def _smallest(digests: Iterable[bytes]) -> set[bytes]:
    """Return the smallest digests that make up a tenth; none that most of the images share."""
    copies = Counter(digests)
    total = sum(copies.values())
    taken: set[bytes] = set()
    count = 0
    for digest in sorted(copies):
        if count >= max(1, round(HOLD_OUT * total)):
            break
        if digest and count + copies[digest] <= total // 2:
            taken.add(digest)
            count += copies[digest]
    return taken


def _digest(file: Path) -> bytes:
    """Return the digest of a file's bytes; nothing when it is not readable."""
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return b""
