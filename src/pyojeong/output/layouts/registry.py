"""Layouts by name: what each of them can hold, and the names of its files."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pyojeong.core.errors import DataError, InputError


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout of another tool.

    Attributes:
        tool: The tool.
        ending: Of its files.
        photographs: It can hold photographs.
        several_clips: One file can hold several clips.
        of_person: One file holds one person of a clip.
        needs: What it has columns for: names of ``Survey.MEASURED``.
        missing: What stands for values that were not measured, in words.
    """

    tool: str
    ending: str
    photographs: bool
    several_clips: bool
    of_person: bool
    needs: tuple[str, ...]
    missing: str = "empty"


LAYOUTS = {
    "openface": Layout(
        tool="OpenFace 2",
        ending=".csv",
        photographs=True,
        several_clips=False,
        of_person=False,
        needs=("action units", "head pose", "gaze"),
    ),
    "pyfeat": Layout(
        tool="py-feat 2",
        ending=".csv",
        photographs=True,
        several_clips=True,
        of_person=False,
        needs=("action units", "expression", "head pose", "gaze", "blendshapes"),
    ),
    "facereader": Layout(
        tool="FaceReader 6.1",
        ending=".txt",
        photographs=False,
        several_clips=False,
        of_person=True,
        needs=("action units", "expression", "head pose", "eyes"),
        missing="FIT_FAILED",
    ),
}
"""Every layout; docs/layouts.md has a table of each."""

_FILE = re.compile(r"(openface|pyfeat)\.csv|facereader_(person\d+|nobody)\.txt")
"""Names of the files that lie in the results of a clip."""
_OF_IMAGES = "_images"


def layout_named(name: str) -> Layout:
    """Return a layout.

    Raises:
        InputError: When there is none of that name.
    """
    if name not in LAYOUTS:
        near = get_close_matches(str(name), LAYOUTS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ";"
        raise InputError(f"unknown layout {name!r}{hint} known: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def default_name(name: str) -> str:
    """Return the name of a layout's file; those of people have their number before the ending."""
    return f"{name}{layout_named(name).ending}"


def require_photographs(name: str) -> None:
    """Refuse a layout that holds clips only.

    Raises:
        DataError: When it does.
    """
    if not layout_named(name).photographs:
        raise DataError(
            f"the layout {name} holds clips only, one file a person: use it with `pyojeong video`, "
            "or choose openface or pyfeat for photographs"
        )


def files_of_clip(name: str, people: Iterable[int], target: Path) -> dict[Path, int | None]:
    """Return the files that a clip becomes -> number of the person that they are of.

    Args:
        name: The layout.
        people: Numbers of the people in the clip.
        target: ``walk.txt`` becomes ``walk_person1.txt`` in layouts of one person.
    """
    if not layout_named(name).of_person:
        return {target: None}
    files: dict[Path, int | None] = {
        target.with_name(f"{target.stem}_person{person}{target.suffix}"): person
        for person in sorted(people)
    }
    return files or {target.with_name(f"{target.stem}_nobody{target.suffix}"): None}


def of_other_people(files: Collection[Path], target: Path) -> list[Path]:
    """Return files of people beside a target that are none of ``files``: of earlier results.

    Args:
        files: From ``files_of_clip``.
        target: As there.
    """
    pattern = re.compile(rf"{re.escape(target.stem)}_(person\d+|nobody){re.escape(target.suffix)}")
    if not target.parent.is_dir():
        return []
    found = (p for p in target.parent.iterdir() if pattern.fullmatch(p.name))
    return sorted(p for p in found if p not in files)


def list_of_images(target: Path) -> Path:
    """Return the file beside an OpenFace table that says which number is which photograph."""
    return target.with_name(f"{target.stem}{_OF_IMAGES}.csv")


def names_of_photographs(name: str) -> list[str]:
    """Return the names of the files that photographs become in a folder of results."""
    target = Path(default_name(name))
    files = [target, list_of_images(target)] if name == "openface" else [target]
    return [file.name for file in files]


def names_of_clip(names: Iterable[str], people: Iterable[int]) -> list[str]:
    """Return the names of the files of these layouts in the results of a clip."""
    people = list(people)
    files = [files_of_clip(name, people, Path(default_name(name))) for name in names]
    return [path.name for found in files for path in found]


def is_layout_file(file: str) -> bool:
    """Return whether files in the results of a clip are called like that."""
    return _FILE.fullmatch(file) is not None


def is_file_of(file: str, names: Iterable[str]) -> bool:
    """Return whether these layouts write files of that name into the results of a clip."""
    return is_layout_file(file) and re.split(r"[._]", file)[0] in set(names)
