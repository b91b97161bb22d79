"""Standard output and error in any encoding, and errors of usage: no argument is interpreted."""

import sys
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from pyojeong.core.errors import ImageWarning, PicturesLeftOut
from pyojeong.core.printable import printable

_CommandError: type[Exception] = typer.BadParameter.__mro__[2]
"""Typer does not export the root of its errors of usage."""


class RootGroup(TyperGroup):
    """The root of the commands: errors of usage show arguments without interpreting them."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments."""
        try:
            return super().make_context(*args, **kwargs)
        except _CommandError as error:
            raise _shown(error) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except _CommandError as error:
            raise _shown(error) from None


def _shown(error: Any) -> Any:
    error.message = printable(error.message or "")
    return error


def echo(value: object) -> None:
    """Print a path or a text to stdout: escaped on a terminal, as it is for programs."""
    text = str(value)
    print(printable(text, keep="\n") if sys.stdout.isatty() else text)  # noqa: T201 - the data


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
