"""Standard output and error in any encoding, and errors of usage: no argument is interpreted."""

import errno
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import typer
from typer.core import TyperGroup

from pyojeong.core.atomic_write import output_errors
from pyojeong.core.errors import ImageWarning, PicturesLeftOut, PyojeongError
from pyojeong.core.printable import printable

_FULL = {errno.ENOSPC, errno.EIO, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

_ORDER = (
    "analyze", "video", "demo", "webcam", "data", "train", "experiments", "evaluate", "export",
    "models", "doctor", "bench",
)  # fmt: skip
_PATHS = {"--out", "-o", "--events", "--config", "--record", "--keep"}
"""Options that take a path."""
_CommandError: type[Exception] = typer.BadParameter.__mro__[2]
"""Typer does not export the root of its errors of usage."""


class RootGroup(TyperGroup):
    """The root of the commands: errors of usage show arguments without interpreting them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, in the order in which the help shows them."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda n: _ORDER.index(n) if n in _ORDER else len(_ORDER))

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments."""
        try:
            _refuse_empty_paths(kwargs["args"] if "args" in kwargs else args[1])
            return super().make_context(*args, **kwargs)
        except _CommandError as error:
            raise _shown(error) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except _CommandError as error:
            raise _shown(error) from None


def _refuse_empty_paths(words: Sequence[str]) -> None:
    """Refuse an empty path (an unset variable of a shell), which would be the working folder."""
    for option, value in pairwise((*words, None)):
        if (option in _PATHS and value == "") or option in {f"{name}=" for name in _PATHS}:
            raise typer.BadParameter(
                "it is empty: name a file or folder", param_hint=option.rstrip("=")
            )


def _shown(error: Any) -> Any:
    error.message = printable(error.message or "")
    return error


def echo(value: object) -> None:
    """Print a path or a text to stdout: escaped on a terminal, as it is for programs."""
    text = str(value)
    print(printable(text, keep="\n") if sys.stdout.isatty() else text)  # noqa: T201 - the data


@contextmanager
def stdout_errors() -> Iterator[None]:
    """Turn what a full disk or a reader that has ended makes of stdout into ``OutputError``.

    What is still in the buffer is written here, and not after the last line of the program, where
    Python could only print a traceback.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        if isinstance(error, PyojeongError) or not _stdout_fails(error):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        with output_errors("to standard output"):
            raise


def _stdout_fails(error: OSError) -> bool:
    """Return whether an error without a file's name is that of stdout."""
    if sys.stdout is None or error.filename is not None:
        return False
    try:
        sys.stdout.flush()
        if error.errno in _FULL:  # text that is longer than the buffer does not stay in it
            sys.stdout.write("\n")
            sys.stdout.flush()
    except OSError as again:
        return again.errno == error.errno
    return False


def replace_unknown_characters() -> None:
    r"""Let stdout and stderr write ``\ud45c`` for characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and stream.errors in {"strict", "surrogateescape"}:
            reconfigure(errors="backslashreplace")


_format_warning = warnings.formatwarning


def one_line_warning(message: Any, category: type[Warning], *place: Any, **more: Any) -> str:
    """Return the text of a warning: one line for those about pictures."""
    if issubclass(category, (PicturesLeftOut, ImageWarning)):
        return f"pyojeong: warning: {printable(message)}\n"
    return _format_warning(message, category, *place, **more)
