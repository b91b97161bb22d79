"""Classifiers by the names that users give: ids, paths, short names, names of earlier versions."""

import os
from collections.abc import Iterable

from pyojeong.core.errors import ModelError
from pyojeong.zoo import SHORT_NAMES, Entry, cards, find, flags_outside

RETIRED = ("default-vggface2", "columns-m-fer2013-fer7.vggface2-v1")
"""Models of earlier versions."""

ENVIRONMENT = "PYOJEONG_MODEL"
"""Environment variable with the id or path that ``model="default"`` stands for instead."""


def find_classifier(name: str, *, allow: str | Iterable[str] | None = None) -> Entry:
    """Return the zoo entry of a classifier.

    Args:
        name: Id, path of a card or ONNX file, or one of ``SHORT_NAMES``. What ``"default"`` means
            may be set by the environment variable ``PYOJEONG_MODEL``.
        allow: Licence flags, or patterns such as ``"data:*"``, that its card may carry; a string
            names several between commas. None = any.

    Raises:
        ModelUnknown: With the nearest names.
        ModelError: When the card carries another flag, or the model was part of earlier versions.
    """
    if name == "default":
        name = os.environ.get(ENVIRONMENT) or name
    if name in RETIRED:
        raise ModelError(
            f"model {name!r} is no longer part of pyojeong: use 'default', which is better on "
            "photographs, or install an earlier version"
        )
    entry = find(SHORT_NAMES.get(name, name), kind="classifier")
    if allow is None:
        return entry
    if isinstance(allow, str):
        allow = [part.strip() for part in allow.split(",")]
    allow = [flag for flag in allow if flag]
    outside = flags_outside(entry.card, allow)
    if outside:
        fitting = [
            i
            for i, e in cards().items()
            if e.card.kind == "classifier" and not flags_outside(e.card, allow)
        ]
        raise ModelError(
            f"model {entry.card.id!r} carries the licence flags {', '.join(outside)}, which are "
            f"not among the allowed ones ({', '.join(allow) or 'none'}). Models that may be used: "
            f"{', '.join(fitting) or 'none'}"
        )
    return entry
