"""Images that a user named: on disk, and with ``--remote`` behind addresses."""

from collections.abc import Sequence
from pathlib import Path

from pyojeong.core.addresses import is_address
from pyojeong.core.file_kinds import IMAGES
from pyojeong.core.file_search import Found
from pyojeong.core.inputs import find_inputs


def find_images(paths: Sequence[str], *, out: Path | None, remote: bool) -> Found:
    """Return the images; without ``remote`` an address is left to whoever reads it.

    Raises:
        InputError: When a name is empty.
        MissingExtra: When addresses are to be read and fsspec is not installed.
    """
    if not remote:
        return find_inputs(paths, IMAGES, out=out)
    from pyojeong.image.remote import find_remote

    found = find_inputs([path for path in paths if not is_address(path)], IMAGES, out=out)
    for path in paths:
        found.items += find_remote(path) if is_address(path) else []
    return found
