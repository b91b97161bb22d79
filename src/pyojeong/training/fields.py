"""Checks of the tables of experiment files: types, ranges, names. No torch."""

import math
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, TypeVar, get_type_hints

import msgspec

from pyojeong.core.errors import ExperimentError

T = TypeVar("T")
Ranges = Mapping[str, tuple[float, float]]

MODEL_FILES = (".onnx", ".card.json")
_LONGEST_PART, _LONGEST = 160, 600  # bytes; ".s<seed>", "-folds" and names of locks follow


def build(cls: type[T], data: Any, where: str, *, builders: Mapping[str, Any] | None = None) -> T:
    """Build a dataclass from a TOML table; nothing is guessed, converted or ignored.

    Args:
        cls: The dataclass.
        data: The table.
        where: How errors call it.
        builders: Field -> function, for fields that build themselves.

    Raises:
        ExperimentError: When a key is unknown or missing, or a value is of another type.
    """
    if not isinstance(data, dict):
        raise ExperimentError(f"{where}: expected a table, got {_short(data)}")
    hints = get_type_hints(cls)
    check_known(data, {f.name for f in fields(cls)}, where)  # type: ignore[arg-type]
    values = {}
    for key, value in data.items():
        if builders and key in builders:
            values[key] = builders[key](value)
            continue
        try:
            values[key] = msgspec.convert(value, hints[key], strict=True)
        except (msgspec.ValidationError, ValueError, OverflowError, RecursionError) as error:
            raise ExperimentError(f"{where} {key}: {_wanted(error)}, got {_short(value)}") from None
    try:
        return cls(**values)
    except TypeError as error:
        missing = str(error).partition("argument")[2].lstrip("s: ") or str(error)
        raise ExperimentError(f"{where} lacks the key {missing}") from None


_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "array": "a list",
    "object": "a table",
}


def _wanted(error: Exception) -> str:
    """Return what was expected, in the words of a TOML file."""
    words = str(error).replace("Expected", "expected").partition(" - at")[0].partition(", got")[0]
    for kind, name in _KINDS.items():
        words = words.replace(f"`{kind}`", name).replace(f"`{kind} | null`", name)
    return words.replace("`", "")


def check_known(data: Mapping[str, Any], known: set[str], where: str) -> None:
    """Refuse keys that are not known, with the nearest ones."""
    for key in data:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ExperimentError(
                f"{where}: unknown key {key!r}: {hint}Known: {', '.join(sorted(known))}."
            )


def check_ranges(values: object, ranges: Ranges, where: str) -> None:
    """Refuse numbers out of range, and pairs whose first number is the larger one.

    Args:
        values: A dataclass; its fields are numbers, or tuples or tables of numbers.
        ranges: Field -> smallest and largest number.
        where: How errors call it.
    """
    for name, (low, high) in ranges.items():
        value = getattr(values, name)
        if value is None:
            continue
        several = list(value.values()) if isinstance(value, dict) else value
        numbers = several if isinstance(several, tuple | list) else [several]
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise ExperimentError(f"{where} {name}: expected a number, got {_short(number)}")
            if not low <= number <= high:
                raise ExperimentError(
                    f"{where} {name}: expected {low:.10g} to {high:.10g}, got {_short(value)}"
                )
        if isinstance(value, tuple) and list(value) != sorted(value):
            raise ExperimentError(
                f"{where} {name}: expected the smaller number first, got {_short(list(value))}"
            )


def check_run_name(name: str, key: str) -> None:
    """Refuse what names no folder below the folder of runs.

    Names are parts joined by ``/`` (``votes/keep.s1``).

    Raises:
        ExperimentError: When a part is empty, begins with a dot or is too long, or the name holds
            characters that file systems refuse or terminals interpret.
    """
    fault = ""
    parts = name.split("/")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        sizes, fault = [], "characters that are none"
    if not name:
        fault = "nothing"
    elif not name.isprintable() or any(c in '\\:*?"<>|' for c in name):
        fault = 'control characters, or one of \\ : * ? " < > |'
    elif any(not part or part.startswith(".") for part in parts):
        fault = "an empty part, or one that begins with a dot (.. leads out of the folder)"
    elif any(part != part.strip() or part.endswith(".") for part in parts):
        fault = "a part with a space or dot at an end"
    elif max(sizes, default=0) > _LONGEST_PART or sum(sizes) > _LONGEST:
        fault = f"a part of more than {_LONGEST_PART} bytes, or more than {_LONGEST} in all"
    if fault:
        raise ExperimentError(
            f"{key}: expected the name of a run, relative to the folder of runs (such as "
            f"arms/base.s1), got {_short(name)}: it holds {fault}"
        )


def check_start(name: str, key: str) -> None:
    """Refuse what is neither a run's name, a model's id, nor the path of a model's file."""
    if name.endswith(MODEL_FILES):
        check_path(name, key)
    else:
        check_run_name(name, key)


def check_path(path: str, key: str) -> None:
    """Refuse what names no file; paths may lead anywhere, from the working folder."""
    if not path.strip() or not path.isprintable() or len(path) > 4000:
        raise ExperimentError(f"{key}: expected the path of a file, got {_short(path)}")


_MOST_WHOLE, _MOST_NUMBER = 8192, 1e6
_NOT_ZERO = {"widths", "stem", "stem_stride", "convolutions", "size_hw", "enlarge", "shrink"}


def check_options(value: Any, where: str, key: str = "") -> None:
    """Refuse options of a net that no net could take: not finite, negative or huge numbers."""
    place = f"{where} {key}".rstrip()
    if isinstance(value, dict):
        for name, each in value.items():
            check_options(each, where, f"{key}.{name}" if key else name)
    elif isinstance(value, list | tuple):
        for each in value:
            check_options(each, where, key)
    elif isinstance(value, bool | str):
        return
    elif isinstance(value, int | float):
        last = key.rpartition(".")[2]
        low, high = float(last in _NOT_ZERO), float(_MOST_WHOLE)
        if "dropout" in last:
            low, high = 0.0, 0.999
        elif isinstance(value, float) or last in {"shift", "scale"}:
            low, high = -_MOST_NUMBER, _MOST_NUMBER
        if not low <= value <= high:
            raise ExperimentError(
                f"{place}: expected {low:.10g} to {high:.10g}, got {_short(value)}"
            )
    else:
        raise ExperimentError(f"{place}: expected numbers or text, got {_short(value)}")


def check_facts(value: Any, where: str) -> None:
    """Refuse free-form facts that JSON does not hold: dates, and numbers that are not finite."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            check_facts(each, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ExperimentError(f"{where}: numbers must be finite, got {_short(value)}")
    elif not isinstance(value, str | int | float | bool):
        raise ExperimentError(
            f"{where}: expected text, numbers, true or false, got {_short(value)}; put dates in "
            "quotes"
        )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
