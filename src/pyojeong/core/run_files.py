"""Digests of the files that a finished run rests on, kept in its ``done.json``.

Runs of earlier versions lack them and are taken as they are.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEY = "rests_on"
TRAIN_IMAGES = "train_images.npy"
_FILES = ("experiment.toml", "environment.json", "curves.jsonl", TRAIN_IMAGES)


def digests_of_run(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a run folder that results are made from."""
    found = {name: _digest(folder / name) for name in _FILES}
    return {name: digest for name, digest in found.items() if digest}


def changed_run_files(folder: Path, done: Mapping[str, Any]) -> list[str]:
    """Return the names of files that are gone or not what they were when the run ended.

    Args:
        folder: The run folder.
        done: What its ``done.json`` says.
    """
    known = done.get(KEY)
    if not isinstance(known, dict):
        return []
    found = {name: _digest(folder / name) for name in _FILES if name in known}
    # Packed runs leave out which images were learned from.
    return [n for n, d in found.items() if d != known[n] and (d or n != TRAIN_IMAGES)]


def changed_run_file_words(folder: Path, name: str) -> str:
    """Return what is wrong with such a file, and the cure."""
    cure = f"restore it from a copy, or remove {folder} and train again"
    if name == TRAIN_IMAGES:
        cure = "restore it from a copy, or remove it, and leaks are no longer counted"
    return f"{folder / name}: is damaged or was changed after the run ended; {cure}"


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file; "" for one that is not there."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""
