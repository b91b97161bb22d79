"""Animated WebP images as clips; FFmpeg reads animated PNG and GIF itself."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image as PilImage

from pyojeong.core.errors import VideoUnreadable
from pyojeong.core.file_kinds import HEAD_BYTES, is_animated_webp
from pyojeong.image.files import from_pil

_SHORTEST_MS = 10
_DEFAULT_MS = 100
"""Frames of at most ``_SHORTEST_MS`` are shown for so long, as browsers do."""


class WebpAnimation:
    """The frames of an animated WebP file, with the parts of PyAV's container that are used.

    Args:
        path: The file.

    Raises:
        VideoUnreadable: When it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._name = str(path)
        try:
            self._picture = PilImage.open(path, formats=["WEBP"])
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


def open_animation(path: str | Path) -> WebpAnimation | None:
    """Return the animation in a file, by its content; None when it is none that is read here.

    Raises:
        VideoUnreadable: When it is one, and damaged.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return None  # said when it is opened as a clip
    return WebpAnimation(Path(path)) if is_animated_webp(head) else None
