"""All checks by name. A new check is one class and one line here; the contract tests find it."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from pyojeong.core.errors import DataError, ModelUnknown
from pyojeong.curate.copy_checks import ExactCopy, NearCopy
from pyojeong.curate.face_checks import EyesCovered, ManyFaces, MouthCovered, NoFace, Turned
from pyojeong.curate.findings import ImageCheck, TableCheck
from pyojeong.curate.label_checks import LabelIssue, VotesDisagree
from pyojeong.curate.pixel_checks import BadlyExposed, Blurred, Drawing, Flat, Small, Unreadable
from pyojeong.curate.text_check import Text

AnyCheck = ImageCheck | TableCheck

CHECKS: dict[str, type[Any]] = {
    c.name: c
    for c in (
        Unreadable,
        NoFace,
        ManyFaces,
        Turned,
        EyesCovered,
        MouthCovered,
        Drawing,
        Blurred,
        Small,
        Flat,
        BadlyExposed,
        Text,
        ExactCopy,
        NearCopy,
        VotesDisagree,
        LabelIssue,
    )
}
"""Name -> class; each takes ``threshold`` and whatever else its constructor says, by keyword."""

NOT_BY_DEFAULT = ("label-issue", "text")
"""Checks that need predictions or an OCR program; they run when they are named."""


def parse_checks(words: Iterable[str]) -> dict[str, float | None]:
    """``["no-face", "blurred=0.7"]`` -> name -> threshold, or None for the check's own.

    ``all`` stands for every check, ``default`` for all but ``NOT_BY_DEFAULT``.

    Raises:
        ModelUnknown: With the nearest names.
        DataError: When a threshold is no number in [0, 1].
    """
    out: dict[str, float | None] = {}
    for word in (part for text in words for part in text.split(",") if part):
        name, sign, number = word.partition("=")
        if name == "all":
            out |= dict.fromkeys(CHECKS)
        elif name == "default":
            out |= {n: None for n in CHECKS if n not in NOT_BY_DEFAULT}
        elif name not in CHECKS:
            raise ModelUnknown(name, [*CHECKS, "all", "default"], kind="check")
        else:
            out[name] = _threshold(name, number) if sign else out.get(name)
    return out


def _threshold(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise DataError(f"{name}={text}: a threshold is a number from 0 to 1")
    return value


def build_check(name: str, threshold: float | None, options: Mapping[str, Any]) -> AnyCheck:
    """Return a check with those of the options that it knows."""
    kind = CHECKS[name]
    known = inspect.signature(kind).parameters
    chosen = {k: v for k, v in options.items() if k in known and v is not None}
    check: AnyCheck = kind(threshold=threshold, **chosen)
    return check
