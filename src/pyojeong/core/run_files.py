"""Digests of the files that a finished run rests on, kept in its ``done.json``.

Runs of earlier versions lack them and are taken as they are.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyojeong.core.checksums import checked

KEY = "rests_on"
WEIGHTS_KEY = "weights_sha256"
WEIGHTS = "weights.safetensors"
"""Weights of a packed run, which has no checkpoints."""
CHECKPOINTS = ("checkpoints/last.ckpt", "checkpoints/best.ckpt")
TRAIN_IMAGES = "train_images.npy"
BEFORE = "before.json"
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


def digests_of_weights(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each checkpoint of a run folder."""
    found = {name: _digest(folder / name) for name in CHECKPOINTS}
    return {name: digest for name, digest in found.items() if digest}


def known_digest_of(weights: Path) -> str | None:
    """Return the SHA-256 of weights that ``done.json`` of their run states; "" = it has none.

    None while the run is unfinished, and for runs of earlier versions.

    Raises:
        ChecksumDiffers: When ``done.json`` is damaged.
        OSError: When it could not be read.
        ValueError: When it is no JSON.
    """
    depth = 1 if weights.parent.name == "checkpoints" else 0
    folder = weights.parents[depth]
    if not (folder / "done.json").exists():
        return None
    done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
    known = checked(done).get(WEIGHTS_KEY) if isinstance(done, dict) else None
    name = weights.relative_to(folder).as_posix()
    return str(known.get(name, "")) if isinstance(known, dict) else None


def changed_weights(folder: Path, done: Mapping[str, Any]) -> list[str]:
    """Return the names of weights that are gone or not what they were when the run ended.

    Args:
        folder: The run folder; they are read whole.
        done: What its ``done.json`` says.
    """
    known = done.get(WEIGHTS_KEY)
    if not isinstance(known, dict):
        return []
    return [name for name, digest in known.items() if _digest(folder / name) != digest]


def other_run_in_result(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """Return in what a result differs from the run in whose folder it lies; nothing elsewhere.

    Args:
        folder: The folder; without ``experiment.toml`` it is no run folder.
        result: What its ``result.json`` says.
    """
    try:
        known = tomllib.loads(_text(folder / "experiment.toml"))
    except (OSError, ValueError, RecursionError):
        return []  # no run folder, or whoever reads the experiment says what it is
    found: list[str] = []
    found += [key for key in ("name", "seed") if key in known and result.get(key) != known[key]]
    environment = result.get("environment")
    if environment is not None and not _same(environment, _environment(folder)):
        found.append("environment")
    if result.get("status") == "finished" and not _same(result.get("curves"), _curves(folder)):
        found.append("curves")
    return found


def _same(said: Any, here: Any) -> bool:
    """Return whether JSON types are the same; what could not be read is no difference."""
    return here is None or json.dumps(said, sort_keys=True) == json.dumps(here, sort_keys=True)


def _environment(folder: Path) -> Any:
    try:
        return checked(json.loads(_text(folder / "environment.json")))
    except (OSError, ValueError, AttributeError, RecursionError):
        return None


def _curves(folder: Path) -> Any:
    try:
        lines = _text(folder / "curves.jsonl").splitlines()
        return [json.loads(line) for line in lines]
    except (OSError, ValueError, RecursionError):
        return None


def _text(file: Path) -> str:
    if not file.is_file():  # a pipe would be waited for
        raise FileNotFoundError(file)
    return file.read_text(encoding="utf-8")


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file; "" for one that is not there."""
    if not file.is_file():  # a pipe would be waited for
        return ""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""
