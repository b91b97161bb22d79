"""Uses of test splits: each is written down, and what could choose by a test split is refused.

``evaluate``, ``export``, ``experiments score-test``, ``experiments ensemble`` and ``bench
accuracy`` all go through this module. A use is one line of ``<data>.test_split.jsonl`` beside the
data set's table; for data that are converted into the cache, of a file in the user's data folder
(``$XDG_DATA_HOME`` or ``~/.local/share``), because a cache may be emptied. Uses are counted by the
digest of the test rows: each is also a line of a file of the user's data folder that is named after
their labels and pixels, so that copies of a table count as one. Uses of a training run are
also lines of ``test_split_uses.jsonl`` in its folder. Lines have checksums; damage hides no use, it
is an error (``core.line_files``).
"""

import hashlib
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from pyojeong.core.atomic_write import output_errors
from pyojeong.core.card import ModelCard
from pyojeong.core.errors import ExperimentError, OutputBusy, OutputError
from pyojeong.core.line_files import append_lines
from pyojeong.core.one_writer import one_writer
from pyojeong.datasets.cache import cache_folder
from pyojeong.datasets.samples import Split, read_manifest, split_hash
from pyojeong.datasets.split_uses import EARLIER_RUN_FILE, RUN_FILE, read_uses

_WHOLE = ("scored", "weights_sha256")
"""What a line of a run's list holds besides the use: all figures, and of which weights."""
_PATIENCE_S = 10.0
_PAUSE_S = 0.05


def uses_file(manifest: Path) -> Path:
    """Return the file that lists every use of a data set's test split."""
    if cache_folder().resolve() not in manifest.resolve().parents:
        return manifest.with_name(f"{manifest.name}.test_split.jsonl")
    return _user_folder() / f"{_digest(manifest)}.jsonl"


def _uses_files(manifest: Path, digests: Sequence[str]) -> list[Path]:
    """Return the files that may list uses beside a table, those of earlier versions too."""
    beside = uses_file(manifest)
    if beside.parent != _user_folder():
        return [beside]
    return [_user_folder() / f"{digest}.jsonl" for digest in digests]


def _user_folder() -> Path:
    root = os.environ.get("XDG_DATA_HOME")
    base = Path(root) if root else Path.home() / ".local" / "share"
    return base / "pyojeong" / "test_splits"


def copies_file(manifest: Path) -> Path:
    """Return the file that lists the uses of a test split, and of all copies of its rows.

    It is named after the labels and pixels of the rows, in any order: a table that was
    copied, imported again, or split again around the same test rows has the same.
    """
    total = 0
    for sample in read_manifest(manifest, splits=[Split.TEST]):
        picture = sample.content_hash.encode() or sample.image or (sample.path or "").encode()
        digest = hashlib.sha256(sample.label.encode() + b"\0" + picture).digest()
        total = (total + int.from_bytes(digest, "big")) % (1 << 256)
    return _user_folder() / f"rows-{total:064x}.jsonl"


def _digest(manifest: Path) -> str:
    return split_hash(read_manifest(manifest, splits=[Split.TEST]))


def uses_of_data(manifest: Path) -> list[dict[str, Any]]:
    """Return every use of a data set's test split that was written down, the first one first.

    Uses in copies of the table, and through a folder and its table, count too.

    Raises:
        ExperimentError: When a list of uses is damaged; it is named, with the line.
    """
    # Earlier versions called a split of images by path by the paths; their uses still count.
    by_path = split_hash(read_manifest(manifest, splits=[Split.TEST]), by_path=True)
    digests = list(dict.fromkeys([_digest(manifest), by_path]))
    listed = read_uses(copies_file(manifest))
    known = {row.get("use") for row in listed}
    rows = [
        row
        for file in _uses_files(manifest, digests)
        for row in read_uses(file)
        if row.get("split_sha256", digests[0]) in digests
    ]
    alone = [row for row in rows if row.get("use") is None or row["use"] not in known]
    return sorted([*alone, *listed], key=lambda row: str(row.get("time", "")))


def uses_of_run(folder: Path) -> list[dict[str, Any]]:
    """Return the uses of the test split for a training run; files of earlier versions count.

    Raises:
        ExperimentError: When a list of uses is damaged; it is named, with the line.
    """
    rows = [*read_uses(folder / EARLIER_RUN_FILE), *read_uses(folder / RUN_FILE)]
    return [{key: value for key, value in row.items() if key not in _WHOLE} for row in rows]


def scored_uses_of_run(folder: Path) -> list[dict[str, Any]]:
    """Return the uses for a run whose figures were recorded in full, with these.

    Raises:
        ExperimentError: When a list of uses is damaged; it is named, with the line.
    """
    return [row for row in read_uses(folder / RUN_FILE) if all(key in row for key in _WHOLE)]


def may_show(card: ModelCard, manifest: Path, split: Split) -> bool:
    """Return whether figures of a split may be computed without being a use of its own.

    Those of the test split may, of a published model: one whose card already carries a figure of
    exactly these images. Whoever still chooses between models sees nothing of it.
    """
    if split is not Split.TEST:
        return True
    figures = card.metrics.get(split.value)
    known = figures.get("split_sha256") if isinstance(figures, dict) else None
    return known is not None and known == _digest(manifest)


def refuse_second_use(folder: Path) -> None:
    """Refuse to score a run on the test split again.

    Raises:
        ExperimentError: When it was scored before; whoever scores twice can choose by the split.
    """
    before = uses_of_run(folder)
    if before:
        when = before[0].get("time", "an earlier day")
        listed = next((n for n in (RUN_FILE, EARLIER_RUN_FILE) if (folder / n).exists()), RUN_FILE)
        raise ExperimentError(
            f"{folder} was scored on the test split on {when}; its figures are in "
            f"{folder / listed}. Each run is scored once: scoring twice would allow "
            "choosing by the test split"
        )


def record_use(
    manifest: Path,
    *,
    purpose: str,
    model: str,
    figures: Mapping[str, Any] | None = None,
    run_folder: Path | None = None,
    more: Mapping[str, Any] | None = None,
    of_run: Mapping[str, Any] | None = None,
) -> None:
    """Write a use of the test split down: in the data set's list, and in the run's folder.

    Args:
        manifest: The data set's table.
        purpose: Which command, for example ``"evaluate"``.
        model: The model's id or the run's name.
        figures: With ``accuracy`` and ``ece``, each with its ``value``; None = they are elsewhere.
        run_folder: Of a training run.
        more: Further facts, JSON types.
        of_run: Likewise, for the list in the run's folder alone.

    Raises:
        OutputError: When it could not be written; then nothing may be shown.
        ExperimentError: When a list of uses is damaged; likewise.
    """
    line: dict[str, Any] = {
        "model": model,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        **(more or {}),
        **({n: figures[n]["value"] for n in ("accuracy", "ece")} if figures else {}),
    }
    row = {"purpose": purpose, "split_sha256": _digest(manifest), "use": uuid4().hex, **line}
    files = {uses_file(manifest): row}
    if run_folder is not None:
        files[run_folder / RUN_FILE] = {**line, **(of_run or {})}
    copies = copies_file(manifest)
    for file in (*files, copies):
        read_uses(file)  # before one of them is written
    for file, each in files.items():
        _append(file, each)
    try:
        _append(copies, row)
    except OutputError as error:  # the use itself is written down
        warnings.warn(f"uses in copies of this table are not counted: {error}", stacklevel=2)


def _append(file: Path, row: Mapping[str, Any]) -> None:
    """Append a use; other processes that write one are waited for."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with output_errors(file), one_writer(file):
                file.parent.mkdir(parents=True, exist_ok=True)
                append_lines(file, [row], count_tail=True)
                return
        except OutputBusy:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)
