"""Animations that Pillow reads: WebP, and GIF files that FFmpeg reads only in part.

FFmpeg reads other animated GIF and PNG files itself. Images of a GIF file without a graphic control
extension, which holds their time, it puts into one packet with the next.
"""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image as PilImage

from pyojeong.core.errors import VideoUnreadable
from pyojeong.core.file_kinds import HEAD_BYTES, is_animated_webp
from pyojeong.image.files import from_pil
from pyojeong.stream.ends import lacks_gif_times

_SHORTEST_MS = 10
_DEFAULT_MS = 100
"""Frames of at most ``_SHORTEST_MS`` are shown for so long, as browsers do."""


class PillowAnimation:
    """The frames of an animated file, with the parts of PyAV's container that are used.

    Args:
        path: The file.
        kind: ``"WEBP"`` or ``"GIF"``.

    Raises:
        VideoUnreadable: When it is damaged.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self._name = str(path)
        self.codec = kind.lower()
        try:
            self._picture = PilImage.open(path, formats=[kind])
            self.frames: int = getattr(self._picture, "n_frames", 1)
        except Exception as error:  # Pillow raises many kinds on damaged bytes
            raise VideoUnreadable(f"{path}: is a damaged animation ({error})") from error

    def decoded(self, av: Any) -> Iterator[Any]:
        """Yield PyAV frames, transparency laid on white, with times in milliseconds.

        Raises:
            OSError: At the first frame that is damaged.
        """
        time_ms = 0
        for number in range(self.frames):
            try:
                self._picture.seek(number)
                self._picture.load()
                pixels = from_pil(self._picture, name=self._name)
            except Exception as error:
                raise OSError(f"frame {number} is damaged: {error}") from error
            raw = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            raw.pts, raw.time_base = time_ms, Fraction(1, 1000)
            yield raw
            shown_ms = int(self._picture.info.get("duration", 0) or 0)
            time_ms += shown_ms if shown_ms > _SHORTEST_MS else _DEFAULT_MS

    def close(self) -> None:
        """Let go of the file."""
        with suppress(Exception):
            self._picture.close()


def open_animation(path: str | Path) -> PillowAnimation | None:
    """Return the animation in a file, by its content; None when it is none that is read here.

    Raises:
        VideoUnreadable: When it is one, and damaged.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return None  # said when it is opened as a clip
    if is_animated_webp(head):
        return PillowAnimation(Path(path), "WEBP")
    if head.startswith((b"GIF87a", b"GIF89a")) and lacks_gif_times(path):
        return PillowAnimation(Path(path), "GIF")
    return None
