"""Opening clips, cameras and streams with PyAV; what goes wrong becomes one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyojeong.core.addresses import is_address, without_password
from pyojeong.core.errors import MissingExtra, VideoUnreadable

_TIMEOUT_S = 10.0
_ROWS_OF_JPEG = frozenset({".mjpeg", ".mjpg"})


_HEAD = 262
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\xfd7zXZ", b"BZh")


def import_av() -> Any:
    """Return the module ``av``, with its log switched off: its messages are in exceptions too.

    Raises:
        MissingExtra: When PyAV is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingExtra("reading clips", "video") from error
    av.logging.set_level(None)
    return av


def reason(error: BaseException) -> str:
    """Return what FFmpeg or the system says of an error, in one line."""
    if type(error).__name__ == "ExitError":  # how PyAV says that a time limit has passed
        return f"nothing came for {_TIMEOUT_S:.0f} s"
    words = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return " ".join(words.split())


def open_file(path: str | Path, name: str = "") -> Any:
    """Open a clip on disk; ``name`` is what it is called in messages, "" = its path.

    Raises:
        VideoUnreadable: When it is missing, empty or no clip.
        MissingExtra: When PyAV is not installed.
    """
    av, name = import_av(), name or str(path)
    empty = False
    if is_address(name) and not Path(path).exists():
        raise VideoUnreadable(
            f"{without_password(name)}: is an address, and nothing is downloaded; download the "
            "clip first, or read a stream live with `pyojeong webcam --source`"
        )
    if _is_archive(Path(path)):
        raise VideoUnreadable(f"{name}: is an archive, not a clip; unpack it first")
    try:
        empty = Path(path).is_file() and not Path(path).stat().st_size
        # FFmpeg takes a row of JPEG images for a single one.
        kind = "mjpeg" if Path(path).suffix.lower() in _ROWS_OF_JPEG else None
        # The prefix keeps "12:30.mp4" from being taken for an address.
        return av.open(f"file:{path}", format=kind, metadata_errors="ignore")
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise VideoUnreadable(f"{name}: {error.strerror}") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        why = "is empty" if empty else f"is no clip that can be read ({reason(error)})"
        if _lacks_index(Path(path)):
            why = "its index is missing: it was cut off, or is still being written"
        raise VideoUnreadable(f"{name}: {why}") from error


def open_device(name: str, kind: str, options: Mapping[str, str]) -> Any:
    """Open a camera.

    Args:
        name: As libavdevice names it, such as ``/dev/video0``.
        kind: Kind of device, such as ``"v4l2"``.
        options: ``video_size``, ``framerate``.

    Raises:
        VideoUnreadable: When it could not be opened; its cause is the system's error.
        MissingExtra: When PyAV is not installed.
    """
    av = import_av()
    try:
        return av.open(name, format=kind, options=dict(options), metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoUnreadable(f"{name}: {reason(error)}") from error


def open_address(address: str) -> Any:
    """Open a stream by its address; RTSP is asked for over TCP, which loses no packets.

    Raises:
        VideoUnreadable: When nothing answers there within ten seconds, or what answers is no clip.
        MissingExtra: When PyAV is not installed.
    """
    av = import_av()
    scheme, mark, rest = address.partition("://")
    scheme = scheme.lower()  # FFmpeg knows schemes in small letters only
    options = {"rtsp_transport": "tcp"} if scheme.startswith("rtsp") else {}
    timeout = (_TIMEOUT_S, _TIMEOUT_S)
    try:
        return av.open(
            f"{scheme}{mark}{rest}", options=options, timeout=timeout, metadata_errors="ignore"
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        why = _address_words(av.error, error, scheme)
        raise VideoUnreadable(f"stream {without_password(address)}: {why}") from error


def _address_words(errors: Any, error: BaseException, scheme: str) -> str:
    """Return what an error of the network means for the person who typed the address."""
    kinds: list[tuple[str, str]] = [
        ("HTTPNotFoundError", "the server has nothing at this address (404); check the path"),
        ("HTTPUnauthorizedError", "the server asks for a password: scheme://user:password@host/"),
        ("HTTPForbiddenError", "the server refuses access (403)"),
        ("HTTPServerError", "the server reports an error of its own (5xx); try again later"),
        ("ConnectionRefusedError", "nothing listens there; check host and port"),
        ("ExitError", f"no answer within {_TIMEOUT_S:.0f} s; check host, port and network"),
        ("TimeoutError", "no answer in time; check host, port and network"),
        ("InvalidDataError", "what the server sends is no clip; check the path"),
    ]
    for name, words in kinds:
        if isinstance(error, getattr(errors, name, ())):
            return words
    if isinstance(error, getattr(errors, "ProtocolNotFoundError", ())):
        return f"addresses that begin with {scheme}:// are not known; use rtsp:// or http(s)://"
    return f"could not be opened ({reason(error)}); check host, port and path"


def _is_archive(path: Path) -> bool:
    """Return whether a file is an archive: FFmpeg would string the images in it together."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, ValueError):
        return False  # whoever opens it says why
    return head[257:262] == b"ustar" or head.startswith(_ARCHIVES)


def _lacks_index(path: Path) -> bool:
    """Return whether a file is an MP4 or MOV without its ``moov`` box."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            place, first = 0, True
            while place + 8 <= end:
                file.seek(place)
                head = file.read(16)
                size, kind = int.from_bytes(head[:4], "big"), head[4:8]
                if first and kind not in {b"ftyp", b"wide", b"mdat"}:
                    return False
                if kind == b"moov":
                    return False
                if size == 1:
                    size = int.from_bytes(head[8:16], "big")
                first, place = False, place + max(size, 8) if size else end
            return not first
    except (OSError, ValueError):
        return False
