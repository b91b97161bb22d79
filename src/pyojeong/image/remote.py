"""Images behind addresses (s3://, gs://, https:// ...), read through fsspec when asked for.

Nothing here is called unless a user names an address and says ``--remote`` or ``remote=True``.
Bytes go through memory; nothing is kept on disk. A read that fails for a reason that may pass (a
refused connection, a timeout, an error of the server) is repeated.
"""

import glob
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TypeVar

from pyojeong.core.addresses import without_password
from pyojeong.core.errors import ImageUnreadable, MissingExtra, StoreUnavailable, one_line
from pyojeong.core.face import Image
from pyojeong.core.file_kinds import IMAGES
from pyojeong.core.file_search import Failure
from pyojeong.image.files import MAX_BYTES, decode_image

PAUSES_S = (0.25, 1.0, 3.0)
"""Seconds before each repetition of a failed read."""
_FOR_GOOD = (ImportError, ValueError, PermissionError, IsADirectoryError, NotADirectoryError)
_PASSING_STATUS = frozenset({408, 425, 429})

T = TypeVar("T")


def _fsspec() -> Any:
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise MissingExtra("reading addresses", "remote") from error
    return fsspec


def _explained(address: str, error: BaseException) -> str:
    """Return one line about an address that could not be read, and the cure."""
    shown = without_password(address)
    if isinstance(error, ImportError | ValueError):  # fsspec names the package in its message
        return f"{shown}: could not be opened: {one_line(error)}"
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and cause is not None and "404" not in str(cause):
        error = cause  # fsspec calls refused connections and errors of servers so, too
    elif isinstance(error, FileNotFoundError):
        return f"{shown}: there is no such file"
    return f"{shown}: could not be read: {one_line(error)}; check the address and your credentials"


def may_pass(error: BaseException) -> bool:
    """Return whether a failed read may succeed when it is repeated."""
    cause = error.__cause__
    if isinstance(error, FileNotFoundError):
        if cause is None or isinstance(cause, FileNotFoundError):
            return False
        error = cause  # as above
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status >= 500 or status in _PASSING_STATUS
    return not isinstance(error, _FOR_GOOD)


def _repeated(read: Callable[[], T]) -> T:
    """Call a function that reads from a store, again after failures that may pass."""
    for pause in PAUSES_S:
        try:
            return read()
        except Exception as error:  # each file system raises its own kinds
            if not may_pass(error):
                raise
        time.sleep(pause)
    return read()


def read_remote(address: str, *, notes: list[str] | None = None) -> Image:
    """Read an image behind an address.

    Args:
        address: As fsspec takes it.
        notes: As in ``read_image``.

    Raises:
        StoreUnavailable: When the store did not answer, also after repetitions.
        ImageUnreadable: When it could not be fetched or decoded, or is too large.
        MissingExtra: When fsspec is not installed.
    """
    fsspec = _fsspec()

    def fetch() -> bytes:
        with fsspec.open(address, "rb") as file:
            return bytes(file.read(MAX_BYTES + 1))

    try:
        data = _repeated(fetch)
    except Exception as error:  # as above
        kind = StoreUnavailable if may_pass(error) else ImageUnreadable
        raise kind(_explained(address, error)) from None
    if len(data) > MAX_BYTES:
        raise ImageUnreadable(
            f"{without_password(address)}: has more than the limit of {MAX_BYTES / 1e6:.0f} "
            "million bytes"
        )
    return decode_image(data, name=without_password(address), notes=notes)


@contextmanager
def copied_remote(address: str) -> Iterator[IO[bytes]]:
    """Yield a temporary local copy of a file behind an address; copying is repeated as reading is.

    Raises:
        ImageUnreadable: When it could not be fetched.
        MissingExtra: When fsspec is not installed.
    """
    fsspec = _fsspec()
    with tempfile.TemporaryFile() as copy:

        def fetch() -> None:
            copy.seek(0)
            copy.truncate()
            with fsspec.open(address, "rb") as file:
                shutil.copyfileobj(file, copy, 1 << 20)

        try:
            _repeated(fetch)
        except Exception as error:  # as above
            raise ImageUnreadable(_explained(address, error)) from None
        copy.seek(0)
        yield copy


def find_remote(address: str) -> list[str | Failure]:
    """Return the images behind an address: a file, a folder that ends in ``/``, or a pattern.

    Raises:
        MissingExtra: When fsspec is not installed.
    """
    if not glob.has_magic(address.partition("?")[0]) and not address.endswith("/"):
        return [address]
    fsspec = _fsspec()

    def search() -> tuple[Any, list[str]]:
        system, path = fsspec.core.url_to_fs(address)
        return system, list(system.glob(path) if glob.has_magic(path) else system.find(path))

    try:
        system, found = _repeated(search)
    except Exception as error:  # as above
        return [Failure(address, _explained(address, error))]
    kept = [name for name in sorted(found) if name.lower().endswith(tuple(IMAGES.suffixes))]
    if not kept:
        shown = without_password(address)
        return [Failure(address, f"{shown}: no images there; addresses are known by their endings")]
    return [str(system.unstrip_protocol(name)) for name in kept]
