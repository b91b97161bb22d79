"""What commands print of files: short names in tables, and sums in their last line."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pyojeong.cli.console import as_markup
from pyojeong.core.inputs import InputCounts


def print_counts(counts: InputCounts, noun: str, console: Console) -> None:
    """Print one line, such as ``images: 12 given = 9 read + 1 failed + 2 left out (2 hidden)``."""
    console.print(as_markup(f"{noun}: {counts}"), soft_wrap=True, highlight=False)


def short_paths(paths: Sequence[str]) -> dict[str, str]:
    """Return path -> its name, with as many folders before it as tell it from the others."""
    parts = {path: Path(path).parts for path in paths}
    short: dict[str, str] = {}
    left, length = list(parts), 1
    while left:
        endings = {path: parts[path][-length:] for path in left}
        counts = Counter(endings.values())
        for path, ending in endings.items():
            if counts[ending] == 1 or length >= len(parts[path]):
                short[path] = str(Path(*ending)) if ending else path
        left = [path for path in left if path not in short]
        length += 1
    return short
