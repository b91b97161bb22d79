"""Clips given as paths, bytes or files; those in memory become a temporary file.

A file can be read twice, searched for its index and read from its end, as the reading of clips
does; a stream of bytes is none of that.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyojeong.core.addresses import is_address, without_password
from pyojeong.core.errors import BadArray, OutputError, VideoUnreadable

_TAKEN = "a path, bytes or a binary file"
_SHOWN = 60
_LONGEST_SHOWN = 200
_LONGEST_NAME = 4096


def _check_path(text: str) -> None:
    """Refuse text that is no path.

    Raises:
        VideoUnreadable: When it is an address, a data URL, empty or too long.
    """
    if len(text) > _LONGEST_NAME or text[:5].lower() == "data:":
        shown = f"{text[:_SHOWN]}..." if len(text) > _SHOWN else text
        raise VideoUnreadable(f"{shown!r}: is no path; pass the clip's bytes, or its path")
    if is_address(text) and not Path(text).exists():
        raise VideoUnreadable(
            f"{without_password(text)[:_LONGEST_SHOWN]}: is an address, and nothing is "
            "downloaded; download the clip first, or read a stream live with `pyojeong webcam "
            "--source`"
        )
    if not text:
        raise VideoUnreadable("an empty path: name a clip")


@contextmanager
def clip_on_disk(source: Any) -> Iterator[tuple[Path, str]]:
    """Yield the path of a clip, and its name in results and messages.

    Args:
        source: A path, an encoded clip as bytes, or a binary file, which is read to its end.

    Raises:
        BadArray: When it is none of these.
        VideoUnreadable: When text is no path, or a file holds no bytes.
        OutputError: When there is no room for a temporary file.
    """
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        if isinstance(text, bytes):
            text = os.fsdecode(text)
        _check_path(text)
        yield Path(text), text
        return
    is_bytes = isinstance(source, bytes | bytearray | memoryview)
    if not is_bytes and not callable(getattr(source, "read", None)):
        raise BadArray("clip", expected=_TAKEN, got=type(source).__name__)
    name = "<bytes>" if is_bytes else getattr(source, "name", None)
    name = name if isinstance(name, str) else "<file>"
    with tempfile.TemporaryDirectory(prefix="pyojeong-clip-") as folder:
        # FFmpeg tells some formats by their endings alone.
        path = Path(folder) / f"clip{Path(name).suffix if name[:1] != '<' else ''}"
        try:
            with path.open("wb") as file:
                if is_bytes:
                    file.write(source)
                else:
                    shutil.copyfileobj(source, file)
        except TypeError:
            raise BadArray(
                f"file {name}", expected="bytes", got="text", cure="Open it with mode 'rb'."
            ) from None
        except OSError as error:
            raise OutputError(
                f"{name}: no temporary copy could be made: {error.strerror or error}; make room, "
                "or pass the path of a file"
            ) from error
        if not path.stat().st_size:
            raise VideoUnreadable(f"{name}: holds no bytes; a file is read from where it stands")
        yield path, name
