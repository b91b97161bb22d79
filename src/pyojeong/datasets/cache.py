"""Any data set on disk -> its manifest, converted once and kept.

The cache folder is ``$PYOJEONG_CACHE``, or ``pyojeong`` in ``$XDG_CACHE_HOME`` or ``~/.cache``. A
cached table is named after the contents it was made from, so a changed source is converted again.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import DataError, OutputBusy
from pyojeong.core.file_search import search_folder
from pyojeong.core.one_writer import one_writer
from pyojeong.core.output_names import as_unicode
from pyojeong.datasets.importing import ImportOptions, Ticker, import_dataset, layout_of
from pyojeong.datasets.label_map import some
from pyojeong.datasets.layout import searchable
from pyojeong.datasets.layout_table import LAYOUT as TABLE
from pyojeong.datasets.layout_table import table_file
from pyojeong.datasets.own_pictures import NOTHING_STATED, OwnOptions
from pyojeong.datasets.readers import OWN_READERS
from pyojeong.datasets.samples import MANIFEST_VERSION, Sample
from pyojeong.parquet import is_sealed

_CONVERSION = 3
"""Counts up when the same source would now give another table, or be refused (3: votes of other
rows, several roots, images beside what is read)."""
_OWN_CONVERSION = 8
"""The same for pictures of one's own, or when their kept warnings would be others (8: split folders
and file names that contradict each other, rows of one image in several splits)."""

_PAUSE_S = 0.2

_sources: dict[str, str] = {}
"""Tables of this process -> what they were converted from, as the caller named it."""


def cache_folder() -> Path:
    """Return where converted data sets are kept."""
    named = os.environ.get("PYOJEONG_CACHE")
    if named:
        return Path(named)
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "pyojeong"


def manifest_of(  # noqa: PLR0913 - one for every option of the commands
    source: Path,
    *,
    votes: Path | None = None,
    layout: str | None = None,
    own: OwnOptions = NOTHING_STATED,
    folder: Path | None = None,
    tick: Ticker | None = None,
    warn: Callable[[str], None] | None = None,
    examine: Callable[[Sequence[Sample]], list[str]] | None = None,
) -> Path:
    """Return the manifest of a data set; converts it if that was not done before.

    Args:
        source: A ``.parquet`` manifest (returned as it is), a table or a folder.
        votes: FER+'s ``fer2013new.csv``, joined by row.
        layout: Key of ``READERS``; None = detected.
        own: What is stated about pictures of one's own, as for an import.
        folder: Where to keep it instead of ``cache_folder()``.
        tick: Called with the number of newly converted samples.
        warn: Called with each warning of the conversion, at last with the sums if not all of it
            was read; also when it was converted earlier.
        examine: Called with some samples of a new conversion; returns further warnings.

    Raises:
        DataError: When the source is missing or in no known layout, or takes no such options.
    """
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    if source.suffix == ".parquet":
        if own.given:
            raise DataError(
                f"{source}: is a table of `pyojeong data import`, which has its labels and groups; "
                f"leave out {' and '.join(own.given)}, or name the folder of the pictures instead"
            )
        return source
    options = ImportOptions(layout=layout, votes=votes, own=own)
    with searchable(source):
        layout = layout_of(source, options)
    parts = [source] if votes is None else [source, votes]
    if own.table is not None:
        parts.append(table_file(source, own.table))
    conversion = _OWN_CONVERSION if layout in {TABLE, *OWN_READERS} else _CONVERSION
    key = _digest(parts, f"{layout}:{MANIFEST_VERSION}:{conversion}{own.key()}")
    stem = source.name.split(".")[0] or "data"
    target = (folder or cache_folder()) / f"{stem}-{key[:16]}.parquet"
    if not _kept(target):
        with _turn(target):
            if not _kept(target):  # else another process has made it meanwhile
                _convert(source, target, options, tick, examine)
    for warning in _kept_warnings(target):
        if warn is not None:
            warn(warning)
    _sources[str(target)] = str(source)
    return target


def _kept(table: Path) -> bool:
    """Return whether a conversion is there, with its warnings, which are written last."""
    try:
        return isinstance(json.loads(_warnings_of(table).read_text("utf-8")), list) and (
            is_sealed(table)
        )
    except (OSError, ValueError):
        return False  # missing or damaged: it is made again


@contextmanager
def _turn(table: Path) -> Iterator[None]:
    """Wait until no other process converts the same data, then keep others waiting."""
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(one_writer(table.with_suffix(".conversion")))
                break
            except OutputBusy:
                time.sleep(_PAUSE_S)
        yield


def _convert(
    source: Path,
    target: Path,
    options: ImportOptions,
    tick: Ticker | None,
    examine: Callable[[Sequence[Sample]], list[str]] | None,
) -> None:
    """Write the table, then its warnings, which say that it is complete."""
    done = import_dataset(source, target, options, tick=tick)
    said = [*done.warnings, *([] if examine is None else examine(done.examples))]
    if done.unreadable_names:
        said.append(f"could not be decoded: {some(done.unreadable_names)}")
    if done.sums.given > done.sums.read:
        said.append(f"samples: {done.sums}")
    with atomic_write(_warnings_of(target), "w") as file:
        json.dump([as_unicode(line) for line in said], file, ensure_ascii=False)


def _warnings_of(table: Path) -> Path:
    return table.with_suffix(".warnings.json")


def _kept_warnings(table: Path) -> list[str]:
    """Return what the conversion warned of; nothing when it was made by an earlier version."""
    try:
        return [str(line) for line in json.loads(_warnings_of(table).read_text("utf-8"))]
    except (OSError, ValueError):
        return []


def as_named(message: str) -> str:
    """Return a message with cached tables called by the names of their sources."""
    for table, source in _sources.items():
        message = message.replace(table, source)
    return message


def _digest(paths: list[Path], salt: str) -> str:
    """Digest of file contents; of a folder, of its files' names, sizes and times.

    What searches leave out (hidden files, dead links, ...) does not count.
    """
    digest = hashlib.sha256(os.fsencode(salt))
    for path in paths:
        try:
            if path.is_dir():
                digest.update(os.fsencode(path.resolve()))
                for item in search_folder(path, None).items:
                    if not isinstance(item, str):  # the import says what is wrong with it
                        digest.update(os.fsencode(f"{item.message}\n"))
                        continue
                    stat = os.stat(item)  # noqa: PTH116 - names need not be valid Unicode
                    name = os.path.relpath(item, path)
                    # Contents cannot change without a new time of change (ctime).
                    times = f"{stat.st_mtime_ns}\0{stat.st_ctime_ns}"
                    line = f"{name}\0{stat.st_size}\0{times}\n"
                    digest.update(os.fsencode(line))
            else:
                with path.open("rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
        except OSError as error:
            raise DataError(f"{path}: could not be read: {error.strerror}") from error
    return digest.hexdigest()
