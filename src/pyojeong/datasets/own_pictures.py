"""Pictures of one's own -> samples: labels mapped, people grouped, validation pictures held out.

What class folders, imagefolder and tables of labels share. Whatever is left out, merged or missing
is counted, or said in one sentence.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.core.labels import NO_EXPRESSIONS, LabelSet, folded
from pyojeong.datasets.hold_out import FEWEST, Candidate, hold_out
from pyojeong.datasets.label_map import (
    LabelMap,
    codes_read,
    images,
    listed,
    map_option,
    merged,
    plain_name,
    some,
)
from pyojeong.datasets.layout import Labeller
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.samples import Sample, Split

_NAMED = 3
"""So many options are written out in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOptions:
    """What the user states about pictures of their own.

    Attributes:
        label_map: Names of folders or in a table -> labels.
        groups: Regular expression with one group, searched for in the path of each file; or, with
            a table, the name of a column.
        table: A table of images and labels, instead of class folders.
        image_column: Its column of file names; None = detected.
        label_column: Its column of labels; None = detected.
    """

    label_map: LabelMap = field(default_factory=LabelMap)
    groups: str | None = None
    table: Path | None = None
    image_column: str | None = None
    label_column: str | None = None

    @property
    def stated(self) -> list[str]:
        """Options that only pictures of one's own can have, by their names."""
        known = {
            "--map": self.label_map,
            "--groups": self.groups,
            "--image-column": self.image_column,
            "--label-column": self.label_column,
        }
        return [name for name, value in known.items() if value]

    def key(self) -> str:
        """Return a text that differs where the options lead to other samples; no table's content.

        It is "" when nothing is stated.
        """
        targets = sorted(self.label_map.targets.items())
        stated = [targets, self.groups, self.image_column, self.label_column]
        return json.dumps([*stated, self.table is not None]) if self.given else ""

    @property
    def given(self) -> list[str]:
        """All options that were given, by their names."""
        return ([] if self.table is None else ["--table"]) + self.stated


NOTHING_STATED = OwnOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A file and what is written about it.

    Attributes:
        file: The image.
        raw: Its label as written.
        split: Its split.
        source: Name of the sample.
        key: Path in which groups are searched.
        group: Its group; "" = alone.
    """

    file: Path
    raw: str
    split: Split
    source: str
    key: str
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All pictures of a source.

    Attributes:
        place: The source, for messages.
        pictures: In the order of the samples.
        seen: Names of labels, those without pictures included -> number of images.
        has_valid: False: validation pictures are held out.
        ending: Behind names in messages: "/" for folders.
        what: What is to be corrected otherwise, for messages.
    """

    place: Path
    pictures: Sequence[Picture]
    seen: Counter[str]
    has_valid: bool
    ending: str = ""
    what: str = "correct the labels"


def samples_of(
    found: Found,
    own: OwnOptions,
    labels: LabelSet,
    *,
    skipped: Counter[str] | None = None,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """Yield the samples of pictures, in their order.

    Raises:
        DataError: When a stated name does not occur or a regular expression is of no use.
        LabelUnknown: When names are not understood; all of them are listed.
    """
    notes = Notes() if notes is None else notes
    label_map = own.label_map
    label_map.check(found.seen, ending=found.ending)
    name = _labeller(found, label_map, labels, skipped)
    filled = {raw: n for raw, n in found.seen.items() if n}

    def kept_label(raw: str) -> str | None:
        to = label_map.label(raw)
        return to if to in labels.names else None

    notes.warnings += merged(filled, kept_label, ending=found.ending)
    notes.warnings += codes_read(filled, label_map, ending=found.ending)
    kept: list[tuple[Picture, str]] = []
    for picture in found.pictures:
        label = name(picture.raw)
        if label is not None:
            kept.append((picture, label))
    if own.groups is not None:
        kept = _grouped(kept, own.groups, notes)
    if not found.has_valid:
        kept = _with_validation(kept, notes)
    _warn_of_divided(kept, notes)
    for picture, label in kept:
        yield Sample(
            label=label,
            split=picture.split,
            path=str(picture.file),
            group=picture.group,
            source=picture.source,
        )


def nfc(text: str) -> str:
    """Return text in Unicode's normal form C; macOS names files in another one."""
    return unicodedata.normalize("NFC", text)


def _labeller(
    found: Found, label_map: LabelMap, labels: LabelSet, skipped: Counter[str] | None
) -> Labeller:
    """Return what names the labels.

    Raises:
        LabelUnknown: When there are unknown ones.
    """
    known = {raw: to for raw in found.seen if (to := label_map.label(raw)) is not None}
    left_out = {
        raw: f"{raw}{found.ending} (--map)" for raw in found.seen if label_map.leaves_out(raw)
    }
    name = Labeller(found.place, {n: n for n in labels.names} | known, labels, skipped, left_out)
    name.expected = labels.names
    for raw, count in found.seen.items():
        if raw not in known and raw not in left_out:
            name.unknown[raw] = count
    if name.unknown:
        unknown = list(dict.fromkeys(map(plain_name, sorted(name.unknown))))
        options = " ".join(map_option(each, "LABEL") for each in unknown[:_NAMED])
        more = " ..." if len(unknown) > _NAMED else ""
        name.cure = (
            f"{_none_of_them(unknown)}name them with `pyojeong train` or `data import` and "
            f"{options}{more} (or {map_option(unknown[0], 'skip')}), or {found.what}"
        )
    name.finish()
    return name


def _none_of_them(names: Sequence[str]) -> str:
    """Return that names of AI-Hub are no label of ours, where there are such."""
    known = [name for name in names if folded(name) in NO_EXPRESSIONS]
    words = "is none of these expressions" if len(known) == 1 else "are none of these expressions"
    return f"{', '.join(known)} {words}: " if known else ""


def _pattern(groups: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(groups)
    except re.error as error:
        raise DataError(f"--groups '{groups}' is no regular expression: {error}") from error
    if pattern.groups != 1:
        raise DataError(
            f"--groups '{groups}': expected one group in parentheses, around what names the "
            rf"person, got {pattern.groups}; for example '^(.*?)_\d+'"
        )
    return pattern


def _grouped(
    kept: list[tuple[Picture, str]], groups: str, notes: Notes
) -> list[tuple[Picture, str]]:
    pattern = _pattern(groups)
    out: list[tuple[Picture, str]] = []
    alone: list[str] = []
    for picture, label in kept:
        match = pattern.search(nfc(picture.key))
        group = (match[1] or "") if match else ""
        if not group:
            alone.append(nfc(picture.key))
        out.append((replace(picture, group=group or nfc(picture.source)), label))
    if kept and len(alone) == len(kept):
        cure = _matching([picture for picture, _ in kept])
        raise DataError(
            f"--groups '{groups}' matches none of {images(len(kept))}: it is searched in "
            f"{alone[0]!r}, for example; {cure}, or leave --groups out"
        )
    if alone:
        notes.warnings.append(
            f"--groups '{groups}' does not match {images(len(alone))}; each is a group of its "
            f"own: {some(alone)}"
        )
    return out


_EXAMPLES = (r"^(.*?)_\d+", r"^(.*?)-\d+", r"^(\D+)")
_IN_FOLDERS = ("^([^/]+)/",)
_IN_PATHS = (r"([^/]+?)_\d+[^/]*$", r"([^/]+?)-\d+[^/]*$", r"([^/\d]+)[^/]*$")


def _matching(pictures: Sequence[Picture]) -> str:
    """Return a cure, with the common regular expression that names a group in most paths.

    Below a class folder the first folder may name a person; in the path of a table it may not.
    """

    def groups(example: str) -> list[str]:
        found = (re.search(example, nfc(p.key)) for p in pictures)
        return [match[1] for match in found if match is not None and match[1]]

    examples: Sequence[str] = _EXAMPLES
    if any("/" in p.key for p in pictures):
        examples = _IN_PATHS if pictures[0].key == pictures[0].source else _IN_FOLDERS
    best = max(examples, key=lambda example: len(groups(example)))
    named = groups(best)
    if not named:
        return "correct the expression"
    count = "all" if len(named) == len(pictures) else f"{len(named):,}"
    return f"'{best}' matches {count} of them and names {named[0]!r} in the first: correct it"


def _with_validation(kept: list[tuple[Picture, str]], notes: Notes) -> list[tuple[Picture, str]]:
    """Move some of the training pictures to Split.VALID; name the classes that have none there."""
    train = [(picture, label) for picture, label in kept if picture.split is Split.TRAIN]
    grouped = any(p.group for p, _ in train)

    def group(picture: Picture) -> str:
        return (picture.group or nfc(picture.source)) if grouped else ""

    held = hold_out([Candidate(label, p.file, group(p)) for p, label in train])
    if held.without:
        notes.without_valid |= set(held.without)
        why = (
            "all their groups are for training; `pyojeong data split` with --valid 0.15 "
            "--keep-test chooses others"
            if grouped
            else f"a class gets some from {FEWEST} different images on"
        )
        none = "" if any(held.chosen) else "; training needs some: add pictures"
        notes.warnings.append(
            f"no validation pictures of: {listed(dict(sorted(held.without.items())))}; {why}{none}"
        )
    chosen = iter(held.chosen)
    return [
        (replace(p, split=Split.VALID), label)
        if p.split is Split.TRAIN and next(chosen)
        else (p, label)
        for p, label in kept
    ]


def _warn_of_divided(kept: list[tuple[Picture, str]], notes: Notes) -> None:
    splits: dict[str, set[Split]] = {}
    for picture, _ in kept:
        if picture.group:
            splits.setdefault(picture.group, set()).add(picture.split)
    divided = [group for group, found in splits.items() if len(found) > 1]
    if divided:
        notes.warnings.append(
            f"{len(divided):,} groups are in more than one split ({some(divided)}); "
            "`pyojeong data split` keeps groups together"
        )
