"""Which folder the results of a clip go to: every clip has its own, also over several commands.

A folder belongs to the clip whose path its ``done.json`` or its checkpoint names. A clip that was
moved keeps its folder: where the path of before is gone, the clip is known by its contents.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyojeong.core.errors import DataError, one_line
from pyojeong.core.input_record import INPUTS
from pyojeong.core.output_names import distinct_names, folded_name, name_candidates
from pyojeong.video.checkpoint import FolderTaken, fingerprint, owner_of_checkpoint
from pyojeong.video.finished import read_finished
from pyojeong.video.merge import JOINED
from pyojeong.video.options import CHECKPOINT, DONE, OUTPUTS

_RESERVED = frozenset({INPUTS, *JOINED})


@dataclass(frozen=True, slots=True)
class Owner:
    """The clip that a folder of results belongs to.

    Attributes:
        path: Its absolute path; "" = not known.
        clip: Its fingerprint.
    """

    path: str
    clip: dict[str, Any]


def owner_of(folder: Path) -> Owner | None:
    """Return the clip whose results lie in a folder; None when there are no results.

    Results without a note of their clip belong to an unknown one.

    Raises:
        DataError: When the note beside results is damaged.
    """
    try:
        done = read_finished(folder) or {}
        return Owner(_absolute(done["path"]), done["about"]["reading"]["clip"])
    except ValueError as error:
        if (folder / "summary.json").exists():
            raise DataError(
                f"{folder / DONE}: is damaged ({one_line(error)}); delete {folder} to read its "
                "clip again, or choose another --out folder"
            ) from error
    except (OSError, KeyError, TypeError):
        pass
    begun = owner_of_checkpoint(folder / CHECKPOINT)
    if begun is not None:
        return Owner(_absolute(begun[0]), begun[1])
    try:
        if folder.is_dir() and not any((folder / name).exists() for name in OUTPUTS):
            return None
        return Owner("", {}) if os.path.lexists(folder) else None
    except OSError:
        return Owner("", {})


def _absolute(path: str) -> str:
    return os.path.abspath(path) if path else ""  # noqa: PTH100 - links stay what they are


def belongs(owner: Owner, clip: Path) -> bool:
    """Return whether a folder's owner is this clip."""
    if owner.path == _absolute(str(clip)):
        return True
    if not owner.path or os.path.lexists(owner.path):
        return False
    try:
        return owner.clip == fingerprint(clip)
    except OSError:
        return False


def require_free(folder: Path, clip: Path) -> None:
    """Refuse a folder that has finished results of another clip.

    Raises:
        FolderTaken: When it has.
    """
    try:
        done = read_finished(folder) or {}
        owner = Owner(_absolute(done["path"]), done["about"]["reading"]["clip"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if not belongs(owner, clip):
        raise FolderTaken(f"{folder}: holds results of {owner.path}; choose another --out folder")


def choose_folder(clip: Path, first: str, out: Path) -> Path:
    """Return the folder for a clip's results.

    It is the one that has them already, else the first that belongs to no other clip. So the same
    command finds its results again, whatever other commands wrote in between.

    Args:
        clip: The clip.
        first: The name that it has in this command (``first_names``).
        out: The folder of all results.
    """
    candidates = name_candidates(clip)
    names = [n for n in candidates if not is_reserved(n)]
    owners = {name: owner_of(out / name) for name in names}
    for name, owner in owners.items():
        if owner is not None and belongs(owner, clip):
            return out / name
    begin = names.index(first) if first in names else 0
    free = (name for name in names[begin:] if owners[name] is None)
    return out / next(free, candidates[-1])


def is_reserved(name: str) -> bool:
    """Return whether a name is that of a table or note beside the folders of clips."""
    return folded_name(name) in _RESERVED


def first_names(clips: Sequence[Path]) -> list[str]:
    """Return the names of folders for clips of one command, without regard to what is there."""
    return distinct_names(clips)
