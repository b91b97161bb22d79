"""One column of a table: its name, its type, and where its value lies in a frame or face."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

Tree = dict[Any, Any]
Key = str | int

LABEL, POSITION = "{label}", "{position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """A column of CSV and Parquet tables.

    Attributes:
        name: Its name; ``{label}`` in it stands for each label: one column a label.
        dtype: ``text``, ``int``, ``float`` (64 bits), ``float32`` or ``bool``.
        description: What it holds, for docs/columns.md.
        unit: Of its values; "" = none.
        since: The schema that brought it. Tables of an earlier one are read without it.
        group: ``frame`` (every row), ``face``, ``timeline`` (clips and ``--eyes``), or one of
            ``MEASURES``, which are there when they were asked for.
        path: Where the value lies in the dictionary of a frame or face; () = it is computed.
        compute: Dictionary of a face -> the value, where there is no path; it is not read back.
        missing: Value of rows in which it was not measured, and of frames without a face.
        required: A table without it is not a table of results.
        old_names: What it was called in earlier schemas; still read.
        get: Dictionary of a frame or face -> the value; ``missing`` when there is none.
    """

    name: str
    dtype: str
    description: str
    unit: str = ""
    since: int = 1
    group: str = "face"
    path: tuple[Key, ...] = ()
    compute: Callable[[Tree], Any] | None = None
    missing: Any = None
    required: bool = False
    old_names: tuple[str, ...] = ()
    get: Callable[[Tree], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A table asks for millions of values: how one is found is decided once for each column.
        object.__setattr__(self, "get", _getter(self.path, self.compute, self.missing))

    def set(self, target: Tree, value: Any) -> None:
        """Put a value that was read into the dictionary; lists are dictionaries of positions."""
        if self.path and value is not None:
            for key in self.path[:-1]:
                target = target.setdefault(key, {})
            target[self.path[-1]] = value

    def for_label(self, label: str, position: int) -> "ColumnSpec":
        """Return the column of one label."""
        keys: dict[Key, Key] = {LABEL: label, POSITION: position}
        return replace(
            self,
            name=self.name.replace(LABEL, label),
            path=tuple(keys.get(key, key) for key in self.path),
            old_names=tuple(name.replace(LABEL, label) for name in self.old_names),
        )


def _getter(
    path: tuple[Key, ...], compute: Callable[[Tree], Any] | None, missing: Any
) -> Callable[[Tree], Any]:
    if compute is not None:
        return lambda source: missing if (value := compute(source)) is None else value
    first, *rest = path
    if not rest:
        return lambda source: source.get(first, missing)
    steps = [(key, isinstance(key, str)) for key in rest]

    def get(source: Tree) -> Any:
        node = source.get(first)
        for key, named in steps:
            if node is None:
                return missing
            node = node.get(key) if named else node[key]
        return missing if node is None else node

    return get
