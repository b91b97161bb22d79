"""The exception tree of the project.

::

    PyojeongError
    ├── InputError (ValueError)
    │   ├── ImageUnreadable
    │   │   └── StoreUnavailable
    │   ├── VideoUnreadable
    │   │   └── VideoTruncated
    │   ├── BadArray
    │   └── PriorInvalid
    ├── ModelError
    │   ├── ModelUnknown
    │   ├── ModelCorrupt
    │   ├── ModelMismatch
    │   └── DeviceUnavailable
    ├── DataError
    │   ├── ManifestInvalid
    │   └── LabelUnknown
    ├── OutputError (OSError)
    │   └── OutputBusy
    ├── ExperimentError (ValueError)
    └── MissingExtra (ImportError)

"No face in the image" is an answer, not an error. Every message says what is wrong, what was
expected, what came instead, and what to do about it.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def _restore(kind: type["PyojeongError"], args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class PyojeongError(Exception):
    """Base class of all errors that this package raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the constructor with the finished message, which those with further
        # arguments refuse: an error raised in a worker process could not come home.
        return _restore, (type(self), self.args, self.__dict__)


def one_line(error: BaseException) -> str:
    """Return an error in one line, with its class where it is none of the project's."""
    words = " ".join(str(error).split())
    if isinstance(error, PyojeongError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def message_of(what: str, error: BaseException) -> str:
    """Return one line that names what failed and why; errors of others are to be reported."""
    words = one_line(error)
    words = words if what in words else f"{what}: {words}"
    return words if isinstance(error, PyojeongError) else f"{words}; please report this error"


def without_frames(error: Exception) -> Exception:
    """Return an error without its tracebacks, whose frames keep images in memory."""
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    return error


class InputError(PyojeongError, ValueError):
    """An image, clip, array or option could not be used."""


class ImageUnreadable(InputError):  # noqa: N818
    """An image file or byte string could not be decoded, is too large, or does not exist."""


class StoreUnavailable(ImageUnreadable):
    """A store of images did not answer, also after repetitions; it may later."""


class VideoUnreadable(InputError):  # noqa: N818
    """A clip could not be opened or decoded."""


class VideoTruncated(VideoUnreadable):
    """A clip is truncated or damaged; raised after the last intact frame.

    Attributes:
        frames: Number of decoded frames.
    """

    def __init__(self, message: str, frames: int = 0) -> None:
        self.frames = frames
        super().__init__(message)


class VideoTruncatedWarning(UserWarning):
    """A clip is truncated or damaged; the warning for ``on_truncated="warn"``."""


class PicturesLeftOut(UserWarning):
    """Images of a data set could not be decoded and were left out; the message names them."""


class ImageWarning(UserWarning):
    """An image was read with a limitation: file truncated, further frames, or values rescaled."""


class BadArray(InputError):  # noqa: N818
    """An array has the wrong shape, dtype or values.

    Attributes:
        expected: Description of the expected value.
        got: Description of the value that was given.
    """

    def __init__(self, what: str, *, expected: str, got: str, cure: str = "") -> None:
        self.expected = expected
        self.got = got
        super().__init__(f"{what}: expected {expected}, got {got}.{' ' + cure if cure else ''}")


class PriorInvalid(InputError):  # noqa: N818
    """Base rates have an unknown or missing label, or are not shares that sum to 1."""


class ModelError(PyojeongError):
    """A model could not be found, loaded or verified."""


class ModelUnknown(ModelError):  # noqa: N818
    """No model or detector has the given name; the message suggests similar names.

    Attributes:
        name: Name that was given.
        known: Known names, sorted.
    """

    def __init__(
        self, name: str, known: Iterable[str], *, kind: str = "model", cure: str = ""
    ) -> None:
        self.name = name
        self.known = tuple(sorted(known))
        near = get_close_matches(name, self.known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        listed = f"Known: {', '.join(self.known) or 'none'}." if self.known or not cure else ""
        super().__init__(f"unknown {kind} {name!r}: {hint}{' '.join(filter(None, (listed, cure)))}")


class ModelCorrupt(ModelError):  # noqa: N818
    """A weight file is missing, damaged, or not the file that its card describes."""


class ModelMismatch(ModelError):  # noqa: N818
    """A card is invalid, or does not match the inputs, outputs or labels of its network."""


class DeviceUnavailable(ModelError):  # noqa: N818
    """The requested device or execution provider is not available."""


class DeviceWarning(UserWarning):
    """The automatically selected device could not be used; networks run on the CPU instead."""


class DataError(PyojeongError):
    """A data set could not be read or used."""


class ManifestInvalid(DataError):  # noqa: N818
    """A row or the header of a data-set table is invalid.

    Attributes:
        row: Zero-based number of the invalid row; None if the error concerns the whole table.
    """

    def __init__(self, message: str, *, row: int | None = None) -> None:
        self.row = row
        super().__init__(message if row is None else f"row {row}: {message}")


class LabelUnknown(DataError):  # noqa: N818
    """A label is neither in the label set nor a synonym of one of its labels."""


class OutputError(PyojeongError, OSError):
    """A result could not be written: missing folder, no permission, or full disk."""


class OutputBusy(OutputError):  # noqa: N818
    """Another process is writing the same output."""


class ExperimentError(PyojeongError, ValueError):
    """An experiment file or a run folder is invalid."""


class MissingExtra(PyojeongError, ImportError):  # noqa: N818
    """An optional dependency is not installed.

    Attributes:
        extra: Extra of the package that installs it, for example ``"train"``.
    """

    def __init__(self, what: str, extra: str, *, cure: str = "") -> None:
        self.extra = extra
        cure = cure or f"pip install 'pyojeong[{extra}]'"
        super().__init__(f"{what} needs an optional part: {cure}")
