"""Images behind addresses (s3://, gs://, https:// ...), read through fsspec when asked for.

Nothing here is called unless a user names an address and says ``--remote`` or ``remote=True``.
Bytes go through memory; nothing is kept on disk.
"""

import glob
from typing import Any

from pyojeong.core.addresses import without_password
from pyojeong.core.errors import ImageUnreadable, MissingExtra, one_line
from pyojeong.core.face import Image
from pyojeong.core.file_kinds import IMAGES
from pyojeong.core.file_search import Failure
from pyojeong.image.files import MAX_BYTES, decode_image


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


def read_remote(address: str, *, notes: list[str] | None = None) -> Image:
    """Read an image behind an address.

    Args:
        address: As fsspec takes it.
        notes: As in ``read_image``.

    Raises:
        ImageUnreadable: When it could not be fetched or decoded, or is too large.
        MissingExtra: When fsspec is not installed.
    """
    fsspec = _fsspec()
    try:
        with fsspec.open(address, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except Exception as error:  # each file system raises its own kinds
        raise ImageUnreadable(_explained(address, error)) from None
    if len(data) > MAX_BYTES:
        raise ImageUnreadable(
            f"{without_password(address)}: has more than the limit of {MAX_BYTES / 1e6:.0f} "
            "million bytes"
        )
    return decode_image(bytes(data), name=without_password(address), notes=notes)


def find_remote(address: str) -> list[str | Failure]:
    """Return the images behind an address: a file, a folder that ends in ``/``, or a pattern.

    Raises:
        MissingExtra: When fsspec is not installed.
    """
    if not glob.has_magic(address.partition("?")[0]) and not address.endswith("/"):
        return [address]
    fsspec = _fsspec()
    try:
        system, path = fsspec.core.url_to_fs(address)
        found = system.glob(path) if glob.has_magic(path) else system.find(path)
    except Exception as error:  # as above
        return [Failure(address, _explained(address, error))]
    kept = [name for name in sorted(found) if name.lower().endswith(tuple(IMAGES.suffixes))]
    if not kept:
        shown = without_password(address)
        return [Failure(address, f"{shown}: no images there; addresses are known by their endings")]
    return [str(system.unstrip_protocol(name)) for name in kept]
