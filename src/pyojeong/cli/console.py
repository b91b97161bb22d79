"""Consoles and words on them: no name is interpreted, no character stops a command."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from pyojeong.core.printable import encodable, printable


def as_markup(value: object) -> str:
    """Return a name, path or message for markup of rich: one line, nothing in it is interpreted."""
    return escape(printable(value))


class _Console(Console):
    """A console that prints no control characters and replaces characters that it lacks."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return text to print; escapes for what a terminal would interpret."""
        return super().render_str(encodable(printable(text, keep="\n"), self.encoding), **options)


def make_console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Return a console of stdout or stderr; ``:smile:`` in a name stays what it is."""
    return _Console(stderr=stderr, width=width, highlight=False, emoji=False)
