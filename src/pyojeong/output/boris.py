"""Events as a table for BORIS, for annotators."""

from collections.abc import Sequence
from pathlib import Path

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.printable import printable
from pyojeong.output.subtitles import Annotation, in_milliseconds

_NO_FRAME = "NA"


def write_boris(path: Path, annotations: Sequence[Annotation]) -> None:
    """Write the events as BORIS's table takes them from the clipboard: state events, two rows each.

    The columns are time in seconds, subject (the tier), code, modifier, comment and number of the
    frame (not given), separated by tabs, without a header. The comment is START or STOP, which
    BORIS itself tells from the order; its ethogram must hold the codes as state events.

    Args:
        path: The file.
        annotations: In any order.

    Raises:
        OutputError: When the file could not be written.
    """
    rows = []
    for number, (start, end, a) in enumerate(in_milliseconds(annotations)):
        # A stop comes before the start of the next event at the same time.
        rows += [(start, 1, number, a, "START"), (end, 0, number, a, "STOP")]
    with atomic_write(path, "w") as file:
        for milliseconds, _, _, a, state in sorted(rows, key=lambda row: row[:3]):
            cells = (f"{milliseconds / 1000:.3f}", a.tier, a.words, "", state, _NO_FRAME)
            file.write("\t".join(map(printable, cells)) + "\n")
