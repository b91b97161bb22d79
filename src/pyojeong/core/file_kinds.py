"""Which files are images and which are clips: by their ending, otherwise by their first bytes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

HEAD_BYTES = 1024
"""So many bytes of a file are enough to know its kind."""

_UNFINISHED = dict.fromkeys(
    (".part", ".partial", ".crdownload", ".download", ".opdownload", ".tmp"),
    "unfinished downloads",
)
_RAW = dict.fromkeys(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mrw"}
    | {".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".sr2", ".srf", ".srw", ".x3f"},
    "camera raw files, to be converted first",
)
_SOUND = dict.fromkeys(
    {".aac", ".flac", ".m4a", ".m4b", ".m4p", ".mka", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
    | {".wma"},
    "sound files",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """A kind of file that commands search folders for.

    Attributes:
        noun: Its name in messages, singular.
        suffixes: Endings (lower case, with the dot) of files that are of this kind.
        by_content: Those of them that other kinds of file have too: their first bytes decide.
        refused: Endings of files that are not read whatever they hold -> why.
        matches: Takes the first ``HEAD_BYTES`` bytes of a file; True when it is of this kind.
    """

    noun: str
    suffixes: frozenset[str]
    by_content: frozenset[str] = frozenset()
    refused: Mapping[str, str]
    matches: Callable[[bytes], bool]


_STILL_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}
)
_SOUND_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P "})
_CLIP_STARTS = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"\0\0\x01\xba",  # MPEG program stream
    b"\0\0\x01\xb3",  # MPEG video
    b"\x06\x0e\x2b\x34",  # MXF
    b"GIF87a",
    b"GIF89a",
)
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})


def is_image(head: bytes) -> bool:
    """Return whether a file begins as an image does.

    Known are JPEG, PNG, GIF, BMP, WebP, TIFF, PPM, PGM, HEIC and AVIF.
    """
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")):
        return True
    if head.startswith((b"II*\0", b"MM\0*")):
        return True
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    if head[4:8] == b"ftyp":
        return head[8:12] in _STILL_BRANDS
    if head[:2] == b"BM":
        return int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    return head[:2] in {b"P2", b"P3", b"P5", b"P6"} and head[2:3] in {b" ", b"\t", b"\n", b"\r"}


def is_clip(head: bytes) -> bool:
    """Return whether a file begins as a clip does.

    Known are MP4, MOV, Matroska, WebM, AVI, FLV, ASF, MPEG streams, Ogg with Theora, MXF and GIF.
    """
    if head[4:8] == b"ftyp":
        return head[8:12] not in _STILL_BRANDS | _SOUND_BRANDS
    if head[4:8] in {b"moov", b"mdat", b"wide"}:
        return True
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    if head[:4] == b"OggS":
        return b"theora" in head[:64]
    starts = (
        b"\x1aE\xdf\xa3",
        b"FLV\x01",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        b"GIF87a",
        b"GIF89a",
    )
    if head.startswith((*starts, b"\0\0\x01\xba", b"\0\0\x01\xb3", b"\x06\x0e\x2b\x34")):
        return True
    # A transport stream: a byte 0x47 at the beginning of every packet.
    return any(
        len(head) > first + 2 * step and all(head[first + i * step] == 0x47 for i in range(3))
        for first, step in ((0, 188), (4, 192))
    )


IMAGES = FileKind(
    noun="image",
    suffixes=frozenset(
        {".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo"}
        | {f".{kind}{mark}{size}" for kind in ("jpg", "jpeg", "png") for mark in "_-:"
           for size in ("large", "orig", "medium", "small", "thumb")}
        | {".png", ".apng", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
        | {".pnm", ".heic", ".heif", ".hif", ".avif"}
    ),
    refused={**_UNFINISHED, **_RAW, ".thm": "previews that cameras write"},
    matches=is_image,
)  # fmt: skip
"""Photographs; ``.jpg_large`` and the like are names that browsers save."""

CLIPS = FileKind(
    noun="clip",
    suffixes=frozenset(
        {".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".gif", ".mpg", ".mpeg"}
        | {".mpe", ".m1v", ".m2v", ".mts", ".m2ts", ".m2t", ".ts", ".vob", ".wmv", ".asf", ".flv"}
        | {".f4v", ".ogv", ".ogm", ".3gp", ".3g2", ".mxf", ".dv", ".insv"}
    ),
    by_content=frozenset({".ts", ".mts"}),
    refused={**_UNFINISHED, **_SOUND, ".lrv": "previews that cameras write"},
    matches=is_clip,
)
"""Clips; source code in TypeScript ends in ``.ts`` and ``.mts`` too."""
