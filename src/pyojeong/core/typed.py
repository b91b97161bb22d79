"""Dataclasses from JSON types, checked against their own annotations; and their JSON Schema."""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_type_hints

import msgspec

from pyojeong.core.errors import ModelMismatch

T = TypeVar("T")
Build = Callable[[Any], Any]


def from_json_types(
    cls: type[T], data: Any, what: str, builders: Mapping[str, Build] | None = None
) -> T:
    """Build a dataclass from a JSON object; nothing is guessed, converted or ignored.

    Args:
        cls: The dataclass.
        data: The object.
        what: How errors call it.
        builders: Field -> function, for fields that build themselves; None passes as None.

    Raises:
        ModelMismatch: When a key is unknown or missing, a value is of another type than the
            field, or a number is not finite.
    """
    if not isinstance(data, dict):
        raise ModelMismatch(f"{what} is not a JSON object")
    hints = get_type_hints(cls)
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(data) - known):
        raise ModelMismatch(
            f"{what} has unknown keys {unknown}; this version knows {sorted(known)}. "
            "It was probably written by a newer pyojeong: upgrade."
        )
    needed = [
        f.name
        for f in fields(cls)  # type: ignore[arg-type]
        if f.default is MISSING and f.default_factory is MISSING
    ]
    if missing := [name for name in needed if name not in data]:
        raise ModelMismatch(f"{what} lacks {', '.join(missing)}")
    values: dict[str, Any] = {}
    for name, value in data.items():
        if builders and name in builders:
            values[name] = None if value is None else builders[name](value)
            continue
        try:
            values[name] = msgspec.convert(value, hints[name], strict=True)
        except (msgspec.ValidationError, ValueError, RecursionError) as error:
            raise ModelMismatch(f"{what}: {name}: {error}, got {_short(value)}") from None
        # Free-form facts may hold NaN in files of earlier versions; nothing is computed from them.
        if hints[name] != dict[str, Any] and not _finite(value):
            raise ModelMismatch(f"{what}: {name}: numbers must be finite, got {_short(value)}")
    return cls(**values)


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) < 2**63
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list | tuple) else True


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def attributes_of(cls: type) -> dict[str, str]:
    """Return attribute -> its sentence in the docstring of a class (section ``Attributes:``)."""
    section = inspect.cleandoc(cls.__doc__ or "").partition("\nAttributes:\n")[2]
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if line.strip() and not line.startswith(" "):
            break  # the next section
        begins = re.match(r" {4}(\w+): (.+)", line)
        if begins:
            name, found[begins[1]] = begins[1], begins[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return {name: text.replace("``", "`") for name, text in found.items()}


def schema_of(cls: type, nested: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON Schema of a dataclass that ``from_json_types`` builds.

    Args:
        cls: The dataclass.
        nested: Field -> its schema, for fields that build themselves.
    """
    hints, words = get_type_hints(cls), attributes_of(cls)
    properties: dict[str, Any] = {}
    required = []
    for each in fields(cls):
        given = (nested or {}).get(each.name)
        schema = dict(given or msgspec.json.schema(hints[each.name]))
        if each.name in words:
            schema["description"] = words[each.name]
        properties[each.name] = schema
        if each.default is MISSING and each.default_factory is MISSING:
            required.append(each.name)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
