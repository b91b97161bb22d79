"""Where a published data set begins: every such place in a folder, and what several of them mean.

A folder may hold a data set's splits in folders of their own, copies of it, or several data sets.
Whatever is not read must not be missing silently: several places are read as splits, or refused.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.datasets.label_map import some
from pyojeong.datasets.layout import held_out_groups, subfolders
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.own_pictures import nfc
from pyojeong.datasets.samples import Split
from pyojeong.datasets.split_names import reading, split_of

_MOST_SHOWN = 8


def roots_of(path: Path, fits: Callable[[Path], object]) -> list[Path]:
    """Return ``path`` when it fits, otherwise all folders that do, at most two below it.

    The folders in one that fits are its own.
    """
    if not path.is_dir():
        return []
    if fits(path):
        return [path]
    found: list[Path] = []
    for number, folder in enumerate(subfolders(path)):
        if fits(folder):
            found.append(folder)
        elif number < 20:
            found += [inner for inner in subfolders(folder)[:20] if fits(inner)]
    return found


def some_roots(path: Path, fits: Callable[[Path], object], what: str) -> list[Path]:
    """``roots_of``, or an error.

    Raises:
        DataError: When nothing fits; the message says that ``what`` was looked for.
    """
    roots = roots_of(path, fits)
    if not roots:
        missing = "" if path.exists() else " (no such file or folder)"
        raise DataError(f"{path}: expected {what}, found nothing of the kind{missing}")
    return roots


def need_root(path: Path, fits: Callable[[Path], object], what: str) -> Path:
    """Return the only folder that fits.

    Raises:
        DataError: When none does, or several do; they are named.
    """
    roots = some_roots(path, fits, what)
    if len(roots) > 1:
        raise several(path, roots, what)
    return roots[0]


def several(path: Path, roots: Collection[Path], what: str, *, own: bool = False) -> DataError:
    """Return the error that several data sets lie in one folder.

    Args:
        path: The folder.
        roots: Where they begin.
        what: What is in each, in words.
        own: Also name the layout of one's own pictures as a cure.
    """
    names = [f"{nfc(root.relative_to(path).as_posix())}/" for root in sorted(roots)]
    return DataError(
        f"{path}: several data sets in one folder, each with {what}: "
        f"{some(names, at_most=_MOST_SHOWN)}; name one of them, or import each and put the tables "
        "together with `pyojeong data merge`"
        + (", or read the folders' labels with --layout class-folders" if own else "")
    )


def split_roots(
    path: Path, fits: Callable[[Path], object], what: str, notes: Notes
) -> list[tuple[Split | None, Path]]:
    """Return the folders of the splits, or one folder without a split.

    Args:
        path: The data set.
        fits: Whether a folder holds the data set, or a split of it.
        what: What is looked for, in words.
        notes: Get a sentence on unusual names.

    Raises:
        DataError: When nothing fits, or several folders that are not one folder's splits.
    """
    roots = some_roots(path, fits, what)
    if roots == [path]:
        return [(None, path)]
    splits = [split_of(root.name) for root in roots]
    named = [split for split in splits if split is not None]
    if not named and len(roots) == 1:
        return [(None, roots[0])]
    if len(set(named)) < len(roots) or len({root.parent for root in roots}) > 1:
        raise several(path, roots, what, own=True)
    note_reading({nfc(r.name): split_of(r.name) for r in roots}, notes)
    return list(zip(splits, roots, strict=True))


def note_reading(names: dict[str, Split | None], notes: Notes) -> None:
    """Say how unusual names of split folders are read."""
    said = reading({name: split for name, split in names.items() if split is not None})
    if said is not None:
        notes.warnings.append(said)


def splits_by_person(
    people: Sequence[str], stated: Iterable[Split | None], notes: Notes
) -> list[Split]:
    """Return the split of each image of a data set that names its people.

    Without a validation split one person in ten of those for training is held out.

    Args:
        people: The person of each image.
        stated: The split of each image's folder; None = there is none.
        notes: Get a warning when people are in several split folders.
    """
    splits = [split or Split.TRAIN for split in stated]
    by_person: dict[str, set[Split]] = {}
    for person, split in zip(people, splits, strict=True):
        by_person.setdefault(person, set()).add(split)
    divided = sorted(person for person, found in by_person.items() if len(found) > 1)
    if divided:
        notes.warnings.append(
            f"{len(divided):,} people are in more than one split ({some(divided)}); figures on "
            "them are too good: `pyojeong data split` keeps people together"
        )
    if Split.VALID in splits:
        return splits
    train = {person for person, found in by_person.items() if Split.TRAIN in found}
    held = held_out_groups(train)
    return [
        Split.VALID if split is Split.TRAIN and person in held else split
        for person, split in zip(people, splits, strict=True)
    ]
