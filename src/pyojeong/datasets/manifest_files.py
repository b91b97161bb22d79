"""Files of data-set tables: what may be replaced, what lies beside, which images they name."""

import json
import os
import shlex
from pathlib import Path

from pyojeong.core.errors import DataError, OutputError
from pyojeong.parquet import open_parquet


def is_manifest(path: Path) -> bool:
    """Return whether a Parquet file is a data-set table.

    Raises:
        OSError: When it could not be read or is damaged.
        ValueError: When it is no Parquet file.
    """
    with open_parquet(path) as file:
        return b"pyojeong.manifest" in (file.schema_arrow.metadata or {})


def store_of(table: Path) -> Path:
    """Return the usual folder of a table's findings and decisions."""
    return table.with_suffix(".curation")


def refuse_stranding(path: Path, identity: str) -> None:
    """Refuse to replace a table by other rows while its findings and decisions are beside it.

    Raises:
        DataError: When it is so; the table that is there stays.
    """
    store = store_of(path)
    try:
        known = json.loads((store / "store.json").read_text(encoding="utf-8"))["manifest_id"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if path.exists() and known != identity:
        new, old = (path.with_name(f"{path.stem}-{word}.parquet") for word in ("2", "old"))
        raise DataError(
            f"{path} was kept: the new rows are others, and {store} holds findings and decisions "
            f"for those that are there. Write the new ones to another file (--out "
            f"{shlex.quote(str(new))}), or move both aside first: "
            f"{shlex.join(['mv', str(store), str(store_of(old))])}; "
            f"{shlex.join(['mv', str(path), str(old)])}"
        )


def require_replaceable(path: Path) -> None:
    """Refuse to replace a file that is no data-set table.

    Raises:
        OutputError: When there is one.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        ours = is_manifest(path)
    except (OSError, ValueError):
        ours = path.read_bytes()[:4] == b"PAR1"  # a damaged one may be made again
    if not ours:
        raise OutputError(
            f"{path} is there already and is no data-set table of pyojeong: name another --out"
        )


def changed_ns(path: str | None) -> int:
    """Return when a file was changed last, in nanoseconds; 0 for one that is not there."""
    if path is None:
        return 0
    try:
        found = os.stat(path)  # noqa: PTH116 - names need not be valid Unicode
    except (OSError, ValueError):
        return 0
    # Nobody sets the time of change (ctime); that of modification may lie in the future. Windows
    # has no time of change.
    return found.st_mtime_ns if os.name == "nt" else found.st_ctime_ns
