"""What made a result: compared before the result is returned, resumed or replaced.

A result that is kept lies beside a record of everything that decided it: settings, digests of
models, contents of inputs, versions. Where the record and what is asked for differ, the work is
done again or refused, and the differences are named.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 3
"""Differences that a message names."""


def plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as it is when it was written as JSON and read again."""
    return json.loads(json.dumps(dict(record)))  # type: ignore[no-any-return]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what differs between two records, a line each; names in tables join by points.

    Args:
        before: The record beside a result.
        now: What is asked for.
    """
    old, new = _flat(plain(before)), _flat(plain(now))
    keys = [*old, *(key for key in new if key not in old)]
    return [
        _difference(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)
    ]


def summary(lines: Sequence[str]) -> str:
    """Return differences in one line: the first three, and how many more."""
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return f"{'; '.join(lines[:SHOWN])}{more}"


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def _difference(key: str, old: Any, new: Any) -> str:
    shown = _shown(old), _shown(new)
    if shown[0] == shown[1]:  # tables of the same length
        return f"{key} has other contents ({shown[0]})"
    return f"{key} was {shown[0]}, is {shown[1]}"


def _shown(value: Any) -> str:
    """Return a setting in few words; tables are counted."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return f"{len(value):,} {'entry' if len(value) == 1 else 'entries'}"
    if isinstance(value, list) and len(value) > SHOWN:
        return f"{_shown(value[:SHOWN])[:-1]}, ... ({len(value):,})]"
    return "not given" if value is None else repr(value)
