"""Names of results that are made from paths of inputs: never the same for two inputs."""

import hashlib
import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

MOST_BYTES = 200
"""Longer names are shortened: file systems allow 255, and endings follow."""

_PARENTS = 6


def name_candidates(path: str | os.PathLike[str]) -> list[str]:
    """Return names for the results of a file, from the shortest to one that no other file has.

    They are its name without the ending, the same with up to six folders before it
    (``sub-01_task``), its name with the ending, and with a digest of the whole path.
    """
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - links stay what they are
    stem, folders = whole.stem, [p for p in whole.parent.parts if p != whole.anchor]
    most = min(len(folders), _PARENTS)
    longer = ["_".join([*folders[-number:], stem]) for number in range(1, most + 1)]
    names = [stem, *longer, whole.name, f"{stem}-{_digest(os.fspath(whole))}"]
    # Names of dots alone would be folders above.
    return [shortened(name) for name in names if name.strip(".")]


def distinct_names(
    paths: Sequence[str | os.PathLike[str]], endings: Sequence[str] = ()
) -> list[str]:
    """Return a name for the results of each file; names differ also where case does not count.

    Files whose shortest names agree get longer ones, all of them, so that the order of the files
    changes nothing. The paths must differ.

    Args:
        paths: The files.
        endings: What is put behind each name; names with different endings may be the same.
    """
    endings = endings or [""] * len(paths)
    candidates = [name_candidates(path) for path in paths]
    level = [0] * len(candidates)
    while True:
        groups: dict[str, list[int]] = defaultdict(list)
        for at, names in enumerate(candidates):
            groups[folded_name(names[level[at]] + endings[at])].append(at)
        clashing = [at for group in groups.values() if len(group) > 1 for at in group]
        raised = [at for at in clashing if level[at] + 1 < len(candidates[at])]
        if not raised:
            return [names[at] for names, at in zip(candidates, level, strict=True)]
        for at in raised:
            level[at] += 1


def folded_name(name: str) -> str:
    """Return what a name is to file systems that ignore case and Unicode's normal forms."""
    return unicodedata.normalize("NFC", name).casefold()


def shortened(name: str, most: int = MOST_BYTES) -> str:
    """Return a name of at most ``most`` bytes; a longer one ends in a digest of itself."""
    data = os.fsencode(name)
    if len(data) <= most:
        return name
    ending = f"-{_digest(name)}"
    kept = data[: most - len(ending)]
    # A character that was cut in the middle goes; bytes that never were characters stay.
    while not os.fsdecode(data).startswith(os.fsdecode(kept)):
        kept = kept[:-1]
    return os.fsdecode(kept) + ending


def as_unicode(name: str) -> str:
    r"""Return a name for files in UTF-8: bytes that are no characters become ``\udc..`` in text."""
    if name.isascii():
        return name
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:8]
