"""Whether what is stored is what was written: results, tables, decisions, models of a folder."""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import is_stale
from pyojeong.core.card import ModelCard
from pyojeong.core.checksums import KEY, checked
from pyojeong.core.errors import DataError, PyojeongError, one_line
from pyojeong.core.input_record import INPUTS
from pyojeong.core.output_files import changed_files
from pyojeong.core.run_files import KEY as RESTS_ON
from pyojeong.core.run_files import changed_run_files, changed_weights, other_run_in_result
from pyojeong.curate.decisions import verify_decision_log
from pyojeong.datasets.manifest_files import is_manifest
from pyojeong.datasets.picture_files import missing_files, require_unchanged
from pyojeong.datasets.samples import Split, read_rows
from pyojeong.datasets.split_uses import is_list_of_uses, verify_uses
from pyojeong.parquet import is_sealed, open_parquet
from pyojeong.video.checkpoint import verify_checkpoint
from pyojeong.video.options import CHECKPOINT, DONE
from pyojeong.zoo import CARD_SUFFIX, Entry, verify

_ROWS = 4096
_LAST_IS_CHECKSUM = re.compile(rb'"[^"]{8}":\s*"[0-9a-f]{16}"\s*}\s*\Z')
"""Also one whose name is damaged."""
_EXPERIMENT = "experiment.toml"
_OF_RUNS = ("environment.json", "result.json")
DIGEST_SUFFIX = ".sha256.json"
"""Ending of the digests that a training writes beside its weights."""


_UNREADABLE = (PyojeongError, OSError, ValueError, LookupError, TypeError, AttributeError)
"""What damaged files raise, beside RecursionError."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one file.

    Attributes:
        path: The file.
        ok: It is what was written, as far as that can be known.
        detail: What was compared, or what is wrong.
        checksum: Checksums were compared; without them only the form was.
    """

    path: Path
    ok: bool
    detail: str
    checksum: bool = True


def verify_path(path: Path) -> Iterator[Verified]:
    """Check a file, or every file of a folder that a command may have stored there.

    Args:
        path: A folder of results, of a data set's findings, of models or of runs, or one file.

    Raises:
        DataError: When there is no such file or folder.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    for file in _files(path):
        check = _check_of(file)
        if check is None:
            continue
        if not file.is_file() and file.exists():  # a pipe would be waited for, a device never ends
            yield Verified(file, False, "is not an ordinary file")
            continue
        try:
            yield check(file)
        except RecursionError:
            yield Verified(file, False, "is damaged: it is nested too deeply")
        except _UNREADABLE as error:
            yield Verified(file, False, one_line(error))


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _check_of(file: Path) -> Callable[[Path], Verified] | None:
    name = file.name
    checks: dict[Callable[[Path], Verified], bool] = {
        _left_behind: is_stale(file),
        _checkpoint: name == CHECKPOINT,
        _model: name.endswith(CARD_SUFFIX),
        _table: file.suffix == ".parquet" and not name.startswith("."),
        _decisions: file.suffix == ".jsonl" and file.parent.name == "decisions",
        _uses: is_list_of_uses(file),
        _weights: name.endswith(DIGEST_SUFFIX),
        _experiment: name == _EXPERIMENT and _in_run(file),
        _record: name in {DONE, INPUTS}
        or (file.suffix == ".json" and _stored(file))
        or (name in _OF_RUNS and _in_run(file)),
    }
    return next((check for check, fits in checks.items() if fits), None)


def _stored(file: Path) -> bool:
    """Return whether a JSON file is one that commands write."""
    if not file.is_file():
        return False
    try:
        data = file.read_bytes()
        return KEY.encode() in data or _LAST_IS_CHECKSUM.search(data) is not None
    except OSError:
        return False


def _in_run(file: Path) -> bool:
    """Return whether a file lies in a run folder; its other files say so if it was emptied."""
    found = sum((file.parent / name).exists() for name in (_EXPERIMENT, DONE, *_OF_RUNS))
    return found > 1 or (file.parent / "checkpoints").is_dir()


def _experiment(file: Path) -> Verified:
    """Read the experiment of a run; ``done.json`` has its digest."""
    text = file.read_text(encoding="utf-8")
    if "recipe" not in tomllib.loads(text):
        return Verified(file, False, "is damaged: it has no [recipe]")
    done = file.with_name(DONE)
    sealed = done.is_file() and RESTS_ON.encode() in done.read_bytes()
    return Verified(file, True, "experiment of a run", checksum=sealed)


def _left_behind(file: Path) -> Verified:
    return Verified(file, True, "unfinished, of a process that was killed", checksum=False)


def _record(file: Path) -> Verified:
    """Check a JSON file, and the results that it describes."""
    data = _json_object(file)
    known = checked(data)
    outputs = known.get("outputs") if file.name in {DONE, INPUTS} else None
    if outputs is not None and not isinstance(outputs, dict):
        return Verified(file, False, "is damaged: outputs are names with their digests")
    other = other_run_in_result(file.parent, known) if file.name == "result.json" else []
    if other:
        return Verified(file, False, f"is of another run than its folder: {', '.join(other)}")
    changed = [*changed_files(file.parent, outputs), *changed_run_files(file.parent, known)]
    if file.name == DONE:
        changed += changed_weights(file.parent, known)
    if changed:
        return Verified(file, False, f"gone or changed since: {', '.join(changed)}")
    files = f", {len(outputs):,} results" if outputs else ""
    return Verified(file, True, f"record{files}", checksum=KEY in data)


def _json_object(file: Path) -> dict[str, Any]:
    data = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise DataError("is damaged: expected a JSON object")
    return data


def _table(file: Path) -> Verified:
    """Read a table whole; of a data set, look at its images too."""
    sealed = is_sealed(file)
    if not is_manifest(file):
        with open_parquet(file) as opened:
            rows = sum(batch.num_rows for batch in opened.batches(_ROWS))
        return Verified(file, True, f"table, {rows:,} rows", checksum=sealed)
    rows = sum(1 for _ in read_rows(file, splits=list(Split)))
    missing = missing_files(file)
    if missing:
        return Verified(file, False, str(missing))
    require_unchanged(file, thorough=True)
    return Verified(file, True, f"data set, {rows:,} rows", checksum=sealed)


def _weights(file: Path) -> Verified:
    """Compare weights of a run with the digest beside them."""
    known = checked(_json_object(file)).get("sha256")
    if not isinstance(known, list):
        return Verified(file, False, "is damaged: it holds no digests")
    weights = file.with_name(file.name.removesuffix(DIGEST_SUFFIX))
    if weights.exists() and not weights.is_file():
        return Verified(weights, False, "is not an ordinary file")
    with weights.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found not in known:
        return Verified(weights, False, "is damaged or was changed")
    return Verified(weights, True, "weights of a run")


def _decisions(file: Path) -> Verified:
    return Verified(file, True, f"decisions, {verify_decision_log(file):,}")


def _uses(file: Path) -> Verified:
    count, sealed = verify_uses(file)
    return Verified(file, True, f"uses of a test split, {count:,}", checksum=sealed)


def _checkpoint(file: Path) -> Verified:
    return Verified(file, True, f"clip that is being read, {verify_checkpoint(file):,} parts")


def _model(file: Path) -> Verified:
    card = ModelCard.read(file)
    verify(Entry(card, file.parent))
    sealed = f'"{KEY}"' in file.read_text(encoding="utf-8")
    return Verified(file, True, f"model {card.id} and its weights", checksum=sealed)
