"""Which files are images and which are clips: by their ending, otherwise by their first bytes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

HEAD_BYTES = 4096
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
_OTHER_IMAGES = dict.fromkeys(
    {".jp2", ".j2k", ".j2c", ".jpx", ".jpf", ".jxl", ".jxr", ".wdp", ".hdp", ".psd", ".psb"}
    | {".tga", ".ico", ".cur", ".pcx", ".svg", ".svgz", ".eps", ".xcf", ".exr", ".hdr", ".dds"}
    | {".pict", ".sgi", ".ras", ".xbm", ".xpm", ".pbm", ".pfm", ".pam", ".jls", ".dcm"},
    "images of formats that are to be converted first",
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


_HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_CLIP_BRANDS = frozenset({b"mp41", b"mp42", b"avc1", b"qt  ", b"M4V ", b"MSNV", b"dash", b"f4v "})
_OTHER_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P ", b"crx "})
"""Sound, and raw files of cameras."""
_PNG = b"\x89PNG\r\n\x1a\n"
_CLIP_STARTS = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"\0\0\x01\xba",  # MPEG program stream
    b"\0\0\x01\xb3",  # MPEG video
    b"\x06\x0e\x2b\x34",  # MXF
    b"GIF87a",
    b"GIF89a",
    b".RMF",  # RealMedia
    b"YUV4MPEG2",
    b"DKIF",  # IVF
    b"nut/multimedia container",
)
_NAL_STARTS = frozenset({0x67, 0x27, 0x47, 0x09, 0x40, 0x46})
"""First bytes behind a start code: parameter sets and delimiters of H.264 and H.265."""
_FOREIGN = (
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image; convert it to JPEG or PNG"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image; convert it to JPEG or PNG"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image; convert it to JPEG or PNG"),
    (b"\xff\x0a", "a JPEG XL image; convert it to JPEG or PNG"),
    (b"8BPS", "a Photoshop image; export it as JPEG or PNG"),
    (b"\x76\x2f\x31\x01", "an OpenEXR image; convert it to JPEG or PNG"),
    (b"DDS ", "a DirectDraw image; convert it to JPEG or PNG"),
    (b"\0\0\1\0", "an icon; convert it to PNG"),
    (b"\x0a\x05\x01", "a PCX image; convert it to PNG"),
    (b"%!PS", "a PostScript file; convert it to PNG"),
    (b"%PDF", "a PDF; export its pages as JPEG or PNG"),
    (b"FUJIFILMCCD-RAW", "a raw file of a camera; convert it to JPEG or TIFF"),
    (b"FOVb", "a raw file of a camera; convert it to JPEG or TIFF"),
    (b"IIRO", "a raw file of a camera; convert it to JPEG or TIFF"),
    (b"IIRS", "a raw file of a camera; convert it to JPEG or TIFF"),
    (b"IIU\0", "a raw file of a camera; convert it to JPEG or TIFF"),
    (b"version https://git-lfs", "a Git LFS pointer; `git lfs pull` fetches the image itself"),
    (b"PK\3\4", "an archive; unpack it first"),
    (b"\x1f\x8b", "an archive; unpack it first"),
    (b"7z\xbc\xaf", "an archive; unpack it first"),
    (b"Rar!", "an archive; unpack it first"),
)
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})


def media_kind(data: bytes) -> str:
    """Return ``"avif"``, ``"heic"`` or ``"clip"`` for files of the ISO family, else ``""``.

    Args:
        data: The file, or its first ``HEAD_BYTES``.
    """
    if data[4:8] != b"ftyp":
        return ""
    size = min(int.from_bytes(data[:4], "big"), len(data))
    major, others = data[8:12], {data[at : at + 4] for at in range(16, size - 3, 4)}
    # Files of the brand mif1 hold either; the further brands say which.
    if major in _AVIF_BRANDS or (major in {b"mif1", b"msf1"} and others & _AVIF_BRANDS):
        return "avif"
    if major in _HEIC_BRANDS or others & {b"heic", b"heix"}:
        return "heic"
    if others & _AVIF_BRANDS:
        return "avif"
    return "clip" if major in _CLIP_BRANDS or major[:3] in {b"iso", b"3gp", b"3g2"} else ""


def foreign_kind(head: bytes) -> str:
    """Return what a file is that is no image of a known format, with the cure; "" = not known.

    Args:
        head: The file, or its first ``HEAD_BYTES``.
    """
    if head[4:8] == b"ftyp" and head[8:12] == b"crx ":
        return "a raw file of a camera; convert it to JPEG or TIFF"
    text = head[:HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML); download the image itself"
    if b"<svg" in text and text.startswith((b"<svg", b"<?xml", b"<!doctype svg")):
        return "an SVG drawing; export it as PNG"
    return next((what for start, what in _FOREIGN if head.startswith(start)), "")


def is_animated_webp(head: bytes) -> bool:
    """Return whether a file begins like an animated WebP image."""
    return (
        head[:4] == b"RIFF"
        and head[8:16] == b"WEBPVP8X"
        and len(head) > 20
        and bool(head[20] & 0b10)
    )


def is_animated_png(head: bytes) -> bool:
    """Return whether a file begins like an animated PNG image."""
    return head[:8] == _PNG and b"acTL" in head.partition(b"IDAT")[0]


def is_image(head: bytes) -> bool:
    """Return whether a file begins as an image does.

    Known are JPEG, PNG, GIF, BMP, WebP, TIFF, PPM, PGM, HEIC and AVIF.
    """
    if head.startswith((b"\xff\xd8\xff", _PNG, b"GIF87a", b"GIF89a")):
        return True
    if head.startswith((b"II*\0", b"MM\0*")):
        return True
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    if head[4:8] == b"ftyp":
        return media_kind(head) in {"heic", "avif"}
    if head[:2] == b"BM":
        return int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    return head[:2] in {b"P2", b"P3", b"P5", b"P6"} and head[2:3] in {b" ", b"\t", b"\n", b"\r"}


def is_clip(head: bytes) -> bool:
    """Return whether a file begins as a clip does.

    Known are MP4, MOV, Matroska, WebM, AVI, FLV, ASF, MPEG streams, Ogg with Theora, MXF,
    RealMedia, Y4M, IVF, NUT, raw H.264 and H.265, GIF, and WebP and PNG images that are animated.
    """
    if head[4:8] == b"ftyp":
        return media_kind(head) not in {"heic", "avif"} and head[8:12] not in _OTHER_BRANDS
    if head[4:8] in {b"moov", b"mdat", b"wide"}:
        return True
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI " or is_animated_webp(head)
    if head[:4] == b"OggS":
        return b"theora" in head[:64]
    raw = head[:4] == b"\0\0\0\x01" and len(head) > 4 and head[4] in _NAL_STARTS
    if raw or head.startswith(_CLIP_STARTS) or is_animated_png(head):
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
    refused={
        **_UNFINISHED, **_RAW, **_OTHER_IMAGES,
        ".thm": "previews that cameras write", ".mjpeg": "clips", ".mjpg": "clips",
    },
    matches=is_image,
)  # fmt: skip
"""Photographs; ``.jpg_large`` and the like are names that browsers save."""

CLIPS = FileKind(
    noun="clip",
    suffixes=frozenset(
        {".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".gif", ".mpg", ".mpeg"}
        | {".mpe", ".m1v", ".m2v", ".mts", ".m2ts", ".m2t", ".ts", ".vob", ".wmv", ".asf", ".flv"}
        | {".f4v", ".ogv", ".ogm", ".3gp", ".3g2", ".mxf", ".dv", ".insv", ".apng", ".rm"}
        | {".rmvb", ".y4m", ".ivf", ".nut", ".mjpeg", ".mjpg", ".h264", ".264", ".avc", ".h265"}
        | {".265", ".hevc", ".wtv", ".amv", ".vro", ".mod", ".tod"}
    ),
    by_content=frozenset({".ts", ".mts", ".mod", ".nut"}),
    refused={**_UNFINISHED, **_SOUND, ".lrv": "previews that cameras write"},
    matches=is_clip,
)
"""Clips and animations; source code in TypeScript ends in ``.ts`` and ``.mts`` too."""
