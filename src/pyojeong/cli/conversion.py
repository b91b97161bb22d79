"""Data sets as users name them -> tables: the options of ``data import`` and ``--data``."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup
from pyojeong.core.labels import FER7, LabelSet

if TYPE_CHECKING:
    from pyojeong.datasets.own_pictures import OwnOptions
    from pyojeong.datasets.samples import Sample


@dataclass(frozen=True, slots=True)
class OwnWords:
    """The options about pictures of one's own, as they were typed.

    Attributes:
        label_map: Words of ``--map``.
        groups: ``--groups``.
        table: ``--table``.
        image_column: ``--image-column``.
        label_column: ``--label-column``.
    """

    label_map: Sequence[str] = ()
    groups: str | None = None
    table: Path | None = None
    image_column: str | None = None
    label_column: str | None = None

    def options(self, labels: LabelSet) -> "OwnOptions":
        """Return them as options of an import.

        Raises:
            DataError: When a word of ``--map`` has no ``=``, or a name gets two labels.
            LabelUnknown: When one names a label that is not in the set.
        """
        from pyojeong.datasets.label_map import parse_label_map
        from pyojeong.datasets.own_pictures import OwnOptions

        return OwnOptions(
            label_map=parse_label_map(self.label_map, labels),
            groups=self.groups,
            table=self.table,
            image_column=self.image_column,
            label_column=self.label_column,
        )

    def words(self) -> list[str]:
        """Return them as the words of a command."""
        named = {
            "--groups": self.groups,
            "--table": self.table,
            "--image-column": self.image_column,
            "--label-column": self.label_column,
        }
        words = [part for word in self.label_map for part in ("--map", word)]
        for option, value in named.items():
            words += [] if value is None else [option, str(value)]
        return words


NOTHING_SAID = OwnWords()
"""No such option was given."""


def manifest_with_progress(
    data: Path, votes: Path | None, console: Console, own: OwnWords = NOTHING_SAID
) -> Path:
    """Return the data set as a manifest, converted once, with a counter.

    Args:
        data: As for ``datasets.cache.manifest_of``.
        votes: FER+'s votes.
        console: Gets progress and warnings.
        own: What the options say about pictures of one's own.

    Raises:
        DataError: When all files that it names, or a whole folder of them, are missing, or some
            were changed after the table was made.
    """
    from pyojeong.datasets.cache import manifest_of
    from pyojeong.datasets.picture_files import missing_files, require_unchanged

    columns = (
        SpinnerColumn(),
        TextColumn("reading {task.completed:,} samples"),
        TimeElapsedColumn(),
    )
    said: list[str] = []
    with bars(console, *columns, transient=True) as progress:
        task = progress.add_task("", total=None)
        manifest = manifest_of(
            data,
            votes=votes,
            own=own.options(FER7),
            tick=lambda n: progress.advance(task, n),
            warn=said.append,
            examine=partial(_look_for_loose, data, own),
        )
    for warning in said:
        console.print(f"[yellow]warning:[/] {as_markup(warning)}", soft_wrap=True)
    require_unchanged(manifest)
    missing_files(manifest).refuse_folders()  # single ones are left out and counted
    return manifest


def _look_for_loose(data: Path, own: OwnWords, samples: "Sequence[Sample]") -> list[str]:
    """Return a warning when the faces do not fill the pictures of a folder."""
    if not data.is_dir():
        return []
    from pyojeong.cli.loose_photographs import framing_of, large_enough
    from pyojeong.runtime.detection.registry import build_detector

    photographs = list(large_enough(samples))
    framing = framing_of(photographs, build_detector("auto"))
    if not framing.loose:
        return []
    convert = shlex.join(["pyojeong", "data", "import", str(data), *own.words()])
    return [
        framing.warning(
            f"{convert} --out set.parquet; pyojeong data faces set.parquet --like default "
            "--out faces.parquet"
        )
    ]
