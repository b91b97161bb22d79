"""Progress bars for people: nothing at all where nobody watches (a pipe, a log file)."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, ProgressColumn


@contextmanager
def bars(
    console: Console, *columns: ProgressColumn, transient: bool = False, few: bool = False
) -> Iterator[Progress]:
    """Show a progress display on ``console``; silent where that is no terminal.

    Rich would print empty lines there.

    Args:
        console: Where.
        columns: Of each bar.
        transient: Leave nothing behind.
        few: There is too little to do to show a bar.
    """
    watched = not few and console.is_terminal and not console.is_dumb_terminal
    progress = Progress(*columns, console=console, transient=transient, disable=not watched)
    if watched:
        with progress:
            yield progress
    else:
        yield progress
