"""Which stream of a container is the clip, and where its clock begins."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from pyojeong.core.errors import VideoUnreadable

_STILL_CODECS = frozenset({"mjpeg", "png", "bmp", "webp", "tiff", "gif", "jpeg2000"})
_PREVIEW = 4
"""A stream with fewer pixels than the largest one's divided by this is a preview."""
_LONGEST_LEAD_S = 60
"""Sound that begins earlier than this before the first image belongs to another program."""


def choose_picture_stream(container: Any, name: str) -> tuple[Any, str]:
    """Return the image stream that is read, and a line when there was a choice.

    Cover images and previews come last; of the rest the stream that the container marks as its
    default is taken, then the largest, then the first.

    Args:
        container: PyAV's open container.
        name: The clip's name, for messages.

    Raises:
        VideoUnreadable: When there is no image stream, or its codec is unknown.
    """
    kind = container.format.name
    if kind.endswith("_pipe") or kind == "image2":
        raise VideoUnreadable(
            f"{name}: is an image ({kind.removesuffix('_pipe')}), not a clip; read it "
            "with `pyojeong analyze`"
        )
    streams = [
        s
        for s in container.streams.video
        if not s.disposition & (s.disposition.attached_pic | s.disposition.timed_thumbnails)
    ]
    if not streams:
        sound = " (it holds sound only)" if container.streams.audio else ""
        raise VideoUnreadable(f"{name}: has no images{sound}")
    known = [s for s in streams if getattr(s, "codec_context", None) is not None]
    if not known:
        raise VideoUnreadable(
            f"{name}: its codec is not known here; convert it, for example to H.264"
        )
    chosen = _best(known)
    if len(streams) == 1:
        return chosen, ""
    sizes = ", ".join(_size(s) for s in streams)
    return chosen, (
        f"holds {len(streams)} image streams ({sizes}): stream {streams.index(chosen) + 1}, "
        f"{_size(chosen)}, is read"
    )


def _best(streams: Sequence[Any]) -> Any:
    moving = [s for s in streams if not _still(s)]  # a cover may be larger than the clip itself
    candidates = moving or list(streams)
    largest = max(map(_area, candidates))

    def rank(stream: Any) -> tuple[bool, bool, int]:
        default = bool(stream.disposition & stream.disposition.default)
        return _area(stream) * _PREVIEW < largest, not default, -_area(stream)

    return min(candidates, key=rank)


def _area(stream: Any) -> int:
    return int(stream.codec_context.width * stream.codec_context.height)


def _size(stream: Any) -> str:
    codec = getattr(stream, "codec_context", None)
    return "unknown codec" if codec is None else f"{codec.width} x {codec.height}"


def _still(stream: Any) -> bool:
    """Return whether a stream is one image, as far as the header says so."""
    if stream.frames == 1 or stream.disposition & stream.disposition.still_image:
        return True
    return not stream.frames and stream.codec_context.name in _STILL_CODECS


def clip_start(container: Any, stream: Any) -> Fraction:
    """Return the time of the container's clock at the clip's beginning, in seconds.

    This is where players put zero: the first image or sound, whichever comes first. Sound before
    zero (the priming of an encoder) does not count.
    """
    own = _start(stream)
    if own is None:
        return Fraction(container.start_time or 0, 1_000_000)
    starts = [own]
    for sound in container.streams.audio:
        begin = _start(sound)
        if begin is not None and own - begin <= _LONGEST_LEAD_S:
            starts.append(max(begin, Fraction(0)))
    return min(starts)


def _start(stream: Any) -> Fraction | None:
    if stream.start_time is None or stream.time_base is None:
        return None
    return Fraction(stream.start_time * stream.time_base)
