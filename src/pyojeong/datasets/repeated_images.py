"""The same image in several rows of a new table: under several labels, or in several splits."""

from collections.abc import Iterable, Mapping

from pyojeong.datasets.label_map import images
from pyojeong.datasets.samples import Sample

_SHOWN = 3
_Row = tuple[str, str, str]
"""Source, label and split of a row."""


class RepeatedImages:
    """Finds images that are in several rows while a table is made.

    Args:
        splits: Also warn of images in several splits.
    """

    def __init__(self, *, splits: bool) -> None:
        self._splits = splits
        self._first: dict[str, _Row] = {}
        self._relabelled: dict[str, list[_Row]] = {}
        self._divided: dict[str, list[_Row]] = {}

    def add(self, sample: Sample) -> None:
        """Note a row; those without a digest of their image count for nothing."""
        if not sample.content_hash:
            return
        row = (sample.source, sample.label, sample.split.value)
        first = self._first.setdefault(sample.content_hash, row)
        for position, found in ((1, self._relabelled), (2, self._divided)):
            if row[position] != first[position]:
                found.setdefault(sample.content_hash, [first]).append(row)

    def warnings(self) -> list[str]:
        """Return one sentence for each kind that was found."""
        said = []
        if self._relabelled:
            said.append(
                f"{_verb(self._relabelled)} under more than one label: "
                f"{_named(self._relabelled, 1)}; keep each in one class, or find all with "
                "`pyojeong data curate SET.parquet --checks exact-copy` and decide with "
                "`pyojeong data review SET.parquet`"
            )
        if self._divided and self._splits:
            said.append(
                f"{_verb(self._divided)} in more than one split: {_named(self._divided, 2)}; "
                "figures on them are too good: keep each in one split, or let `pyojeong data split "
                "SET.parquet --out NEW.parquet` deal them out again"
            )
        return said


def _verb(found: Mapping[str, object]) -> str:
    return f"{images(len(found))} {'is' if len(found) == 1 else 'are'}"


def _named(found: Mapping[str, Iterable[_Row]], position: int) -> str:
    """Return the first images, each with its rows; the rest as "..."."""
    shown = [
        " = ".join(f"{row[0]} ({row[position]})" for row in rows)
        for rows in list(found.values())[:_SHOWN]
    ]
    return ", ".join(shown) + (", ..." if len(found) > _SHOWN else "")
