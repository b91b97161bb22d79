"""Files of data-set tables: what may be replaced, what lies beside, which images they name."""

import hashlib
import json
import os
import shlex
import struct
import time
from collections.abc import Iterable
from pathlib import Path

from pyojeong.core.errors import DataError, OutputError
from pyojeong.core.output_names import as_unicode
from pyojeong.parquet import open_parquet

MADE_BY = "pyojeong.made_by"
"""Key of a table's metadata."""
_SETTLED_NS = 20_000_000
"""A time of change tells two states of a file apart when they are further apart than this."""


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


def made_by(command: str, sources: Iterable[Path]) -> str:
    """Return what a table is made by: a command and its inputs, as its metadata hold it."""
    places = [as_unicode(os.path.abspath(source)) for source in sources]  # noqa: PTH100
    return shlex.join([command, *places])


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


def newest_picture_ns(path: Path) -> int | None:
    """Return when the newest of a table's files was changed, as it was when it was made.

    Of the files without a ``file_state``. None for tables of the earliest versions.

    Raises:
        OSError: When it could not be read or is damaged.
    """
    with open_parquet(path) as file:
        stored = (file.metadata.metadata or {}).get(b"pyojeong.newest_ns")
    return None if stored is None else int(stored)


def replaced_table(path: Path, made: str) -> str:
    """Return what the table that is there was made by; "" when nothing is lost by replacing it.

    Args:
        path: The file that is written.
        made: What the new one is made by.
    """
    try:
        with open_parquet(path) as file:
            stored = (file.metadata.metadata or {}).get(MADE_BY.encode())
    except (OSError, ValueError):
        return ""
    before = "" if stored is None else stored.decode("utf-8", "replace")
    return "" if before == made else before


def changed_ns(path: str | None) -> int:
    """Return when a file was changed last, in nanoseconds; 0 for one that is not there."""
    found = None if path is None else _stat(path)
    return 0 if found is None else _time_of_change(found)


def file_state(path: str) -> int | None:
    """Return 64 bits that say which file a path leads to and in which state it is.

    Made of inode, size and time of change, without opening the file: another file under the same
    name has others, also when a folder above was renamed or a link leads elsewhere. A copy has
    others too, so a difference says only that the contents are to be compared.

    Returns:
        The digest; 0, which no file has later, when the file was changed a moment ago and could
        change again without a new time of change; None when it is not there.
    """
    found = _stat(path)
    if found is None:
        return None
    changed = _time_of_change(found)
    if time.time_ns() - changed < _SETTLED_NS:
        return 0
    return _state(found, changed)


def same_file_state(path: str, state: int) -> bool | None:
    """Return whether a file is in the state that was noted; None when it is not there."""
    found = _stat(path)
    return None if found is None else _state(found, _time_of_change(found)) == state


def _state(found: os.stat_result, changed: int) -> int:
    # Without the device: its number may be another one after a restart.
    parts = struct.pack("<QQq", found.st_ino & (1 << 64) - 1, found.st_size, changed)
    return int.from_bytes(hashlib.blake2b(parts, digest_size=8).digest(), "little") or 1


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - names need not be valid Unicode
    except (OSError, ValueError):
        return None


def _time_of_change(found: os.stat_result) -> int:
    # Nobody sets the time of change (ctime); that of modification may lie in the future. Windows
    # has no time of change.
    return found.st_mtime_ns if os.name == "nt" else found.st_ctime_ns
