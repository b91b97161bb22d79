"""JPEG files that lack their last bytes: what is there is read, and what is missing is said."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image as PilImage

_END = b"\xff\xd9"
_ATTEMPTS = 4
_STRIP = 64
_FILL = (127, 128)
"""The decoder fills missing rows with this gray; inks are inverted."""
MOST_MISSING = 0.5
"""Images that lack a larger share of their rows are refused."""


def load_pixels(picture: PilImage.Image) -> OSError | None:
    """Decode a file; return why it could not be, with nothing that holds the decoded pixels."""
    try:
        picture.load()
    except OSError as error:
        picture.close()
        return error.with_traceback(None)  # its frames hold the decoder
    return None


def read_torn_jpeg(data: bytes, remark: Callable[[str], None]) -> PilImage.Image | None:
    """Return what can be decoded of a JPEG file that breaks off.

    The end marker is put behind the last bytes, so that the decoder fills what is missing; a
    segment that broke off (progressive files have many) is left out before.

    Args:
        data: The file.
        remark: Called with a line that says how much is missing.

    Returns:
        The image, decoded; None when it is no torn JPEG, or more than half of it is missing.
    """
    if data[:2] != b"\xff\xd8" or data.rstrip(b"\0").endswith(_END):
        return None
    rest = data
    for _ in range(_ATTEMPTS):
        try:
            picture = PilImage.open(io.BytesIO(rest + _END), formats=["JPEG"])
            picture.load()
        except (OSError, SyntaxError, ValueError):
            rest = rest[: _last_segment(rest)]
            continue
        missing = _missing_rows(picture) / picture.height
        if missing > MOST_MISSING:
            return None
        lost = f"the last {missing:.0%} of its rows are gray" if missing else "all rows are there"
        remark(f"the file breaks off before its end: {lost}")
        return picture
    return None


def _last_segment(data: bytes) -> int:
    """Return where the last marker segment begins that is not part of the coded pixels."""
    at = len(data)
    while at > 2:
        at = data.rfind(b"\xff", 2, at)
        if at < 0:
            return 2
        kind = data[at + 1 : at + 2]
        if kind and kind not in {b"\0", b"\xff"} and not 0xD0 <= kind[0] <= 0xD7:
            return at
    return 2


def _missing_rows(picture: PilImage.Image) -> int:
    """Return the number of rows at the end that are filled."""
    width, height = picture.size
    for bottom in range(height, 0, -_STRIP):
        top = max(bottom - _STRIP, 0)
        # A part at a time: comparing a large image takes several times its memory.
        rows = np.asarray(picture.crop((0, top, width, bottom)))
        filled = np.isin(rows.reshape(len(rows), -1), _FILL).all(axis=1)
        there = np.flatnonzero(~filled)
        if len(there):
            return height - (top + int(there[-1]) + 1)
    return height
