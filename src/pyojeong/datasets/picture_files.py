"""Files that a table names: are they there, and can they be decoded.

Single files that are missing, and pictures that could not be decoded, are left out and counted. A
folder that is missing with all its files was moved or is on a disk that is not there: an error.
"""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyojeong.core.errors import DataError, ImageUnreadable, PicturesLeftOut
from pyojeong.core.inputs import InputCounts
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.label_map import images, some
from pyojeong.datasets.manifest_files import changed_ns, newest_picture_ns, same_file_state
from pyojeong.datasets.samples import (
    Sample,
    Split,
    read_manifest,
    read_paths,
    read_states,
)
from pyojeong.image.features import content_hash
from pyojeong.image.files import read_image
from pyojeong.image.preprocess import Pixels

_CURE = "move them back or import again"


@dataclass(frozen=True, slots=True)
class MissingFiles:
    """Which of the files that a table names are not there.

    Attributes:
        paths: Those that are not there.
        total: Number of files that are named.
    """

    paths: Sequence[str]
    total: int

    def __bool__(self) -> bool:
        return bool(self.paths)

    def __str__(self) -> str:
        folder = _common_folder(self.paths)
        names = [os.path.relpath(p, folder) if folder else p for p in self.paths[:4]]
        shown = "" if len(self.paths) == self.total > 1 else f" ({some(names)})"
        verb = "file is" if self.total == 1 else "files are"
        place = f" under {folder}" if folder else ""
        return f"{len(self.paths):,} of {self.total:,} {verb} missing{place}{shown}"

    def error(self) -> DataError:
        """Return what a command raises that needs the files."""
        return DataError(f"{self}: {_CURE}")

    def refuse_all(self) -> None:
        """Refuse to go on when every file is missing.

        Raises:
            DataError: When it is so.
        """
        if self.paths and len(self.paths) == self.total:
            raise self.error()

    def refuse_folders(self) -> None:
        """Refuse to go on when every file, or a whole folder, is missing.

        Raises:
            DataError: When it is so.
        """
        self.refuse_all()
        if any(_folder_is_gone(path) for path in self.paths):
            raise self.error()


def _folder_is_gone(path: str) -> bool:
    return not os.path.isdir(os.path.dirname(path))  # noqa: PTH112, PTH120


def _common_folder(paths: Sequence[str]) -> str:
    try:
        return os.path.commonpath([os.path.dirname(p) for p in paths])  # noqa: PTH120
    except ValueError:  # none, or on several drives
        return ""


def is_missing(sample: Sample) -> bool:
    """Return whether a sample names a file that is not there, or a link that leads nowhere."""
    return sample.path is not None and not os.path.exists(sample.path)  # noqa: PTH110


def missing_files(manifest: Path) -> MissingFiles:
    """Return which files of a table are not there; no file is opened.

    Raises:
        ManifestInvalid: When the table is missing, damaged or of another kind.
    """
    paths = list(read_paths(manifest))
    gone = [p for p in paths if not os.path.exists(p)]  # noqa: PTH110
    return MissingFiles(gone, len(paths))


def picture_counts(
    manifest: Path, *, left_out: Mapping[str, int] | None = None
) -> tuple[InputCounts, str]:
    """Return the sums of a table, and why pictures failed ("" without any).

    Failed are rows whose file is missing, or whose picture could not be decoded: pictures that
    failed when the table was made are tried again, because a file may have been closed then. Every
    command that reads tables counts so.

    Args:
        manifest: The table.
        left_out: Rows that are not in the table: why -> how many.

    Raises:
        ManifestInvalid: When the table is missing, damaged or of another kind.
    """
    rows = 0
    gone: list[str] = []
    tried: list[Sample] = []
    for sample in read_manifest(manifest, splits=list(Split), images=False):
        rows += 1
        if is_missing(sample):
            gone.append(sample.source or sample.path or "")
        elif not sample.content_hash:
            tried.append(sample)
    if len(gone) + len(tried) == rows:  # a table of earlier versions, which has no fingerprints
        tried = []
    broken = [s.source or s.path or "" for s in tried if s.path is None or not _opens(s)]
    failed = len(gone) + len(broken)
    reasons = (("missing", gone), ("could not be decoded", broken))
    why = "; ".join(f"{images(len(n))} {said}: {some(n)}" for said, n in reasons if n)
    return InputCounts(read=rows - failed, failed=failed, left_out=left_out or {}), why


def _opens(sample: Sample) -> bool:
    try:
        pixels_of(sample)
    except ImageUnreadable:
        return False
    return True


def require_files(manifest: Path) -> None:
    """Refuse a table some of whose files are missing.

    Raises:
        DataError: When there are some.
        ManifestInvalid: When the table is missing, damaged or of another kind.
    """
    missing = missing_files(manifest)
    if missing:
        raise missing.error()


def require_unchanged(manifest: Path, *, thorough: bool = False) -> None:
    """Refuse a table when images that it names were changed or replaced after they were read.

    Only files whose state is another one (``manifest_files.file_state``) are opened and compared
    with their digests in the table, so that copied and moved files are accepted. Tables of earlier
    versions state no such thing: of them, files are opened that were touched since the table was
    made. That misses files under a folder that was renamed, unless the search is thorough.

    Args:
        manifest: The table.
        thorough: Open every file of which no state is known.

    Raises:
        DataError: When some were changed.
        ManifestInvalid: When the table is missing, damaged or of another kind.
    """
    changed = changed_pictures(manifest, thorough=thorough)
    if changed:
        raise DataError(
            f"{images(len(changed))} changed after {manifest} was made: {some(changed)}; import "
            "again"
        )


def changed_pictures(manifest: Path, *, thorough: bool = False) -> list[str]:
    """Return the files that ``require_unchanged`` refuses.

    Raises:
        ManifestInvalid: When the table is missing, damaged or of another kind.
    """
    since = newest_picture_ns(manifest)
    if since is None:
        since = manifest.stat().st_mtime_ns
    if thorough:
        since = 0  # a missing file has the time 0 and stays out
    return [
        path
        for path, content, state in read_states(manifest)
        if content and _touched(path, state, since) and _differs(path, content)
    ]


def _touched(path: str, state: int | None, since: int) -> bool:
    """Return whether a file is there and may have other contents than those that were read."""
    if state is None:
        return changed_ns(path) > since
    return same_file_state(path, state) is False


def _differs(path: str, content: str) -> bool:
    try:
        return content_hash(read_image(path, notes=[])) != content
    except ImageUnreadable:
        return True


def decoded(samples: Iterable[Sample]) -> Iterator[tuple[int, Sample, Pixels]]:
    """Yield samples with their positions and images, uint8 (H, W, 3) RGB.

    Pictures that are missing or could not be decoded are left out; at the end one warning
    ``PicturesLeftOut`` counts them and names up to three of each.

    Raises:
        DataError: When all files or a whole folder are missing, or no picture could be decoded. All
            samples are checked for the count, without decoding the rest.
    """
    broken: list[str] = []
    missing: list[str] = []
    stream = iter(samples)
    checked = named = 0
    for position, sample in enumerate(stream):
        named += sample.path is not None
        try:
            pixels = pixels_of(sample)
        except ImageUnreadable:
            if not is_missing(sample):
                broken.append(sample.source or sample.path or "")
            elif _folder_is_gone(sample.path or ""):
                raise _missing_among(sample, stream, named, missing).error() from None
            else:
                missing.append(sample.path or "")
        else:
            yield position, sample, pixels
        checked += 1
    MissingFiles(missing, named).refuse_all()
    if broken and len(broken) + len(missing) == checked:
        raise DataError(f"none of {checked:,} pictures could be decoded: {some(broken)}")
    parts = []
    if missing:
        parts.append(f"{len(missing):,} of {checked:,} pictures whose files are missing: ")
        parts[-1] += f"{some(missing)} ({_CURE})"
    if broken:
        parts.append(f"{len(broken):,} of {checked:,} pictures that could not be decoded: ")
        parts[-1] += some(broken)
    if parts:
        warnings.warn(PicturesLeftOut(f"left out {'; '.join(parts)}"), stacklevel=2)


def _missing_among(
    first: Sample, others: Iterator[Sample], named: int, before: Sequence[str]
) -> MissingFiles:
    """Return the missing files: those before, the first whose folder is gone, and those after."""
    paths = [*before, first.path or ""]
    for sample in others:
        named += sample.path is not None
        if is_missing(sample):
            paths.append(sample.path or "")
    return MissingFiles(paths, named)
