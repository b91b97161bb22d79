"""Action units as strengths of Anny's face actions: what the rendered truth means.

An intensity of 1 is the action at full strength. Which action shows which unit was decided by
looking at renderings beside the descriptions of the units in the Facial Action Coding System.
"""

import numpy as np
from heads import Person
from rendering import Floats

UNITS = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU12", "AU14", "AU15", "AU17", "AU20",
         "AU23", "AU24", "AU25", "AU26", "AU27", "AU43")  # fmt: skip
SIDED = ("AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU12", "AU14", "AU15", "AU20", "AU43")

_PAIRS = {
    "AU2": ("browOuterUp", 1.5), "AU4": ("browDown", 1.6), "AU5": ("eyeWide", 1.1),
    "AU6": ("cheekSquint", 1.5), "AU7": ("eyeSquint", 1.4), "AU9": ("noseSneer", 2.0),
    "AU12": ("mouthSmile", 1.0), "AU14": ("mouthDimple", 1.7), "AU15": ("mouthFrown", 1.6),
    "AU20": ("mouthStretch", 1.8), "AU24": ("mouthPress", 1.5),
}  # fmt: skip
"""Unit -> action with sides, and its strength at an intensity of 1.

Anny's brows and lips move by 4 to 7 mm in an action; brows and lips of people move by about 10.
"""
_WHOLE = {
    "AU1": {"browInnerUp": 1.8},
    "AU17": {"mouthShrugLower": 1.7},
    "AU23": {"mouthRollUpper": 0.8, "mouthRollLower": 0.8, "mouthPucker": 0.3},
    "AU25": {"mouthLowerDownLeft": 0.6, "mouthLowerDownRight": 0.6, "mouthUpperUpLeft": 0.25,
             "mouthUpperUpRight": 0.25},
}  # fmt: skip

PROTOTYPES = (
    ("AU6", "AU12"), ("AU6", "AU12", "AU25"), ("AU6", "AU7", "AU12", "AU25", "AU26"), ("AU12",),
    ("AU1", "AU4", "AU15"), ("AU1", "AU4", "AU15", "AU17"), ("AU1", "AU4"),
    ("AU4", "AU5", "AU7", "AU23"), ("AU4", "AU7", "AU24"), ("AU4", "AU5", "AU7", "AU25", "AU26"),
    ("AU1", "AU2", "AU5", "AU26", "AU25"), ("AU1", "AU2", "AU5", "AU27", "AU25"), ("AU1", "AU2"),
    ("AU1", "AU2", "AU4", "AU5", "AU20", "AU25"),
    ("AU1", "AU2", "AU4", "AU5", "AU7", "AU20", "AU26"),
    ("AU9", "AU4", "AU7"), ("AU9", "AU15", "AU17"), ("AU9", "AU6", "AU25"), ("AU14",), ("AU43",),
)  # fmt: skip
"""Units that come together, after Ekman and Friesen's expressions."""

_UPPER_LIP, _LOWER_LIP = 474, 523
"""Vertices of the inner lips, in the middle."""
_GAP_M = 0.011
"""A gap between the lips of so many metres is an AU25 of 1."""


def actions_of(units: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Return strengths of Anny's actions; blinks are lids of the pose, and left out."""
    out: dict[str, float] = {}

    def add(name: str, strength: float) -> None:
        out[name] = min(out.get(name, 0.0) + float(strength), 2.2)

    for unit, (right, left) in units.items():
        if unit in _PAIRS:
            name, share = _PAIRS[unit]
            add(f"{name}Right", share * right)
            add(f"{name}Left", share * left)
        for name, share in _WHOLE.get(unit, {}).items():
            add(name, share * (right + left) / 2)
        if unit == "AU26":
            out["jawOpen"] = max(out.get("jawOpen", 0.0), 0.5 * (right + left) / 2)
        if unit == "AU27":
            out["jawOpen"] = 0.5 + 0.5 * (right + left) / 2
    return out


def lip_gap_unit(person: Person, actions: dict[str, float]) -> float:
    """Return AU25 in [0, 1]: how far the lips are apart, against the neutral face."""
    shape: Floats = person.vertices[[_UPPER_LIP, _LOWER_LIP]].copy()
    rest = float(shape[1, 1] - shape[0, 1])
    for name, strength in actions.items():
        shape = shape + strength * person.actions[name][[_UPPER_LIP, _LOWER_LIP]]
    gap = float(shape[1, 1] - shape[0, 1]) - rest
    return float(np.clip((gap - 0.0008) / _GAP_M, 0, 1))
