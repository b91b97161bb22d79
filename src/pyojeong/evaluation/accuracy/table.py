"""What the accuracy pages' tables are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]
SPLITS = {"valid": "validation split", "test": "test split"}
IMAGES = "images_sha256"
"""Digest of the photographs and what is said of each; results of earlier versions lack it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its heading and what is to be known to read it."""

    title: str
    words: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def percent(figure: Mapping[str, float] | None) -> str:
    """``70.7 [69.3, 72.2]``."""
    if figure is None:
        return ""
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * figure[k] for k in ("value", "low", "high")))


def plain(figure: Mapping[str, float] | None) -> str:
    """``0.024 [0.015, 0.032]``."""
    if figure is None:
        return ""
    return "{value:.3f} [{low:.3f}, {high:.3f}]".format(**figure)


def share(value: float | None) -> str:
    """``70.7``; nothing for None."""
    return "" if value is None else f"{100 * value:.1f}"
