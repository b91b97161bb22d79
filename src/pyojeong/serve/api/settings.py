"""What a server of ``pyojeong serve`` allows, as data."""

from dataclasses import dataclass
from pathlib import Path

from pyojeong.core.errors import InputError

SHORTEST_TOKEN = 16
"""Shorter tokens could be guessed."""
_TOKEN_CHARACTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/="
)
"""Those of bearer tokens (RFC 6750), which cookies take too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Limits of a server, and who may talk to it.

    Attributes:
        host: What the server is bound to.
        token: The secret that each request must carry; "" = none.
        allow_origins: Origins of pages elsewhere that may use the server: ``https://example.org``.
        allow_hosts: Further names of the server, those of a reverse proxy for example.
        page: Folder of static files that are served at ``/``; None = there is no page.
        max_bytes: Largest body of a request with images, and largest frame of a stream.
        max_pixels: Largest image.
        max_files: Most images of a request.
        max_requests: Most requests whose images wait or are read; further ones get 429.
        max_buffered_bytes: Most bytes of bodies in memory at once; further ones get 429.
        max_connections: Most open connections; further ones get 429.
        body_seconds: A body with images must have come after so long.
        video_body_seconds: The same for a clip.
        idle_seconds: The head of a request, the next part of a body, or the next frame of a
            stream, must come within it.
        max_video_bytes: Largest clip.
        max_video_seconds: Longest clip.
        max_video_frames: Most frames that are decoded of a clip.
        max_videos: Most clips that wait, are read, or whose results are kept; further ones get 429.
        keep_seconds: Results of a clip are deleted after so long.
        max_streams: Most open streams; further ones get 429.
        window_s: Requests that arrive within it are read as one batch, while others are arriving.
        max_batch: Most images of a batch.
        jobs: Threads that read images.
    """

    host: str = "127.0.0.1"
    token: str = ""
    allow_origins: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    page: Path | None = None
    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    max_files: int = 32
    max_requests: int = 64
    max_buffered_bytes: int = 128_000_000
    max_connections: int = 1000
    body_seconds: float = 30.0
    video_body_seconds: float = 600.0
    idle_seconds: float = 10.0
    max_video_bytes: int = 500_000_000
    max_video_seconds: float = 600.0
    max_video_frames: int = 20_000
    max_videos: int = 8
    keep_seconds: float = 3600.0
    max_streams: int = 4
    window_s: float = 0.001
    max_batch: int = 8
    jobs: int = 2

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            smallest = 0 if name in {"window_s", "max_videos", "max_streams"} else 1e-3
            if isinstance(value, int | float) and not smallest <= value < float("inf"):
                raise InputError(f"{name.replace('_', '-')}: expected more than 0, got {value}")
        if self.max_buffered_bytes < self.max_bytes:
            raise InputError(
                f"max-buffered-bytes: expected at least max-bytes ({self.max_bytes:,}), got "
                f"{self.max_buffered_bytes:,}"
            )
        for origin in self.allow_origins:
            scheme, _, rest = origin.partition("://")
            if scheme not in {"http", "https"} or not rest or "/" in rest or "*" in rest:
                raise InputError(
                    f"--allow-origin {origin}: expected an origin such as https://example.org: "
                    "scheme, host and port, without a path and without *"
                )


def read_token(path: Path) -> str:
    """Return the token of a file: its only line.

    Raises:
        InputError: When it could not be read, is short, or holds other characters than tokens do.
    """
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise InputError(f"--token-file {path}: could not be read: {reason}") from None
    cure = "make one with: openssl rand -hex 24 > token"
    if len(lines) != 1:
        raise InputError(f"--token-file {path}: expected one token, got {len(lines)}; {cure}")
    if len(lines[0]) < SHORTEST_TOKEN:
        raise InputError(
            f"--token-file {path}: expected at least {SHORTEST_TOKEN} characters, got "
            f"{len(lines[0])}; {cure}"
        )
    if not _TOKEN_CHARACTERS.issuperset(lines[0]):
        raise InputError(f"--token-file {path}: expected letters, digits and -._~+/=; {cure}")
    return lines[0]
