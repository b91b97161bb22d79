"""Checks of single numbers in result types: finite, within their range, whole where they count."""

import math
from numbers import Integral, Real
from typing import Any, TypeGuard

from pyojeong.core.errors import BadArray

_HALF_TURN = math.pi * (1 + 1e-6)
"""Pi in float32 is a little larger than pi."""


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def check_number(where: str, value: Any, low: float, high: float = math.inf) -> None:
    """Refuse what is no finite number in [low, high].

    Args:
        where: Type and field, for the message.
        value: Python's or NumPy's number; true and false are none.
        low: Smallest value allowed.
        high: Largest value allowed.

    Raises:
        BadArray: When it is something else.
    """
    if _is_number(value) and low <= value <= high and math.isfinite(value):
        return
    wanted = f"{low:g} to {high:g}" if high < math.inf else f"a finite number from {low:g} up"
    raise BadArray(where, expected=wanted, got=repr(value))


def check_angle(where: str, value: Any) -> None:
    """Refuse what is no angle in radians from -pi to pi; degrees are the common mistake.

    Args:
        where: Type and field, for the message.
        value: Python's or NumPy's number.

    Raises:
        BadArray: When it is something else.
    """
    if not _is_number(value) or not -_HALF_TURN <= value <= _HALF_TURN:
        raise BadArray(where, expected="radians, -pi to pi", got=repr(value))


def check_count(where: str, value: Any) -> None:
    """Refuse what is no whole number from 0 up.

    Args:
        where: Type and field, for the message.
        value: Python's or NumPy's integer; true and false are none.

    Raises:
        BadArray: When it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 0:
        raise BadArray(where, expected="a whole number from 0 up", got=repr(value))
