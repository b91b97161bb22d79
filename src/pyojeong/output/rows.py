"""Frames as flat rows of a table, and back; the columns are in ``output.columns``."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pyojeong.core.action_units import BLENDSHAPES
from pyojeong.core.errors import DataError, LabelUnknown, PyojeongError
from pyojeong.core.face import SCHEMA_VERSION, FrameResult
from pyojeong.core.labels import LabelSet
from pyojeong.core.output_names import as_unicode
from pyojeong.output.column_spec import ColumnSpec, Key, Tree
from pyojeong.output.columns import absent, lengths, present
from pyojeong.output.spreadsheet import safe_cell

Row = list[Any]
"""One value per column; None = empty."""

_LENGTHS = lengths()


def check_header(header: Sequence[str]) -> dict[str, ColumnSpec]:
    """Return the name in the file -> column; columns that this version does not know are left out.

    Raises:
        DataError: When it is not the header of a table of results.
    """
    missing = absent(header)
    if missing:
        hint = ""
        if len(header) == 1 and (found := re.search(r"[;\t]", header[0])):
            hint = f" (its cells are separated by {found[0]!r}: save it with commas)"
        raise DataError(f"it is not a table of results: no column {', '.join(missing)}{hint}")
    known = present(header)
    doubled = [name for name in known if header.count(name) > 1]
    if doubled:
        raise DataError(f"it has two columns {doubled[0]}: keep the one that is right")
    return known


def rows(result: FrameResult, columns: Sequence[ColumnSpec], labels: LabelSet) -> Iterator[Row]:
    """Yield one row per face; one row with empty face columns when there is none.

    Args:
        result: The frame.
        columns: The table's columns, from ``columns_of``.
        labels: The table's label set.

    Raises:
        LabelUnknown: When a face's scores belong to another label set.
        DataError: When a model id is empty or holds a semicolon, which separates ids here.
    """
    frame = _frame_tree(result)
    for shown in _face_trees(result, labels):
        yield [column.get(frame if column.group == "frame" else shown) for column in columns]


def column_values(
    results: Iterable[FrameResult], columns: Sequence[ColumnSpec], labels: LabelSet
) -> list[list[Any]]:
    """Return the values of each column: the transpose of ``rows`` over all frames, faster.

    Columns with a common parent (the scores, the points) look for it once a face.

    Args:
        results: The frames.
        columns: The table's columns, from ``columns_of``.
        labels: The table's label set.

    Raises:
        LabelUnknown: When a face's scores belong to another label set.
        DataError: When a model id is empty or holds a semicolon, which separates ids here.
    """
    heads: list[Tree] = []
    faces: list[Tree] = []
    for result in results:
        shown = _face_trees(result, labels)
        heads += [_frame_tree(result)] * len(shown)
        faces += shown
    parents: dict[tuple[bool, tuple[Key, ...]], list[Any]] = {}
    values: list[list[Any]] = []
    for column in columns:
        of_frame = column.group == "frame"
        trees = heads if of_frame else faces
        if not column.path or column.compute is not None:
            values.append([column.get(tree) for tree in trees])
            continue
        *path, last = column.path
        for depth in range(len(path) + 1):
            key = (of_frame, tuple(path[:depth]))
            if key not in parents:
                above = parents[of_frame, key[1][:-1]] if depth else trees
                parents[key] = _children(above, path[depth - 1]) if depth else trees
        values.append(_children(parents[of_frame, tuple(path)], last, column.missing))
    return values


def _children(nodes: list[Any], key: Key, missing: Any = None) -> list[Any]:
    if isinstance(key, int):
        found = [None if node is None else node[key] for node in nodes]
    else:
        found = [None if node is None else node.get(key) for node in nodes]
    return found if missing is None else [missing if v is None else v for v in found]


def _frame_tree(result: FrameResult) -> Tree:
    if any(not i or ";" in i for i in result.model_ids):
        raise DataError(f"model ids must not be empty or hold a semicolon: {result.model_ids}")
    return {
        "source": as_unicode(result.source),
        "index": result.index,
        "time_s": result.time_s,
        "size_wh": (None, None) if result.error else result.size_wh,
        "error": as_unicode(result.error) or None,
        "model_ids": ";".join(result.model_ids),
        "schema": SCHEMA_VERSION,
    }


def _face_trees(result: FrameResult, labels: LabelSet) -> list[Tree]:
    """Return one dictionary per row: of each face, or an empty one where there is none."""
    trees: list[Tree] = []
    for number, face in enumerate(result.faces):
        if face.expression is not None and face.expression.label_set != labels:
            raise LabelUnknown(
                f"scores of label set {face.expression.label_set.id!r} in a table of "
                f"{labels.id!r}: open the table with labels=... of the model"
            )
        trees.append({"face": number, **face.to_dict()})
    return trees or [{}]


def frames(
    table: Iterable[dict[str, Any]], columns: dict[str, ColumnSpec]
) -> Iterator[FrameResult]:
    """Gather successive rows (name in the file -> value) to frames: the inverse of ``rows``.

    Args:
        table: The rows.
        columns: From ``check_header``.

    Raises:
        DataError: When values are impossible, or the faces of a frame are not in their order (a
            sorted or filtered table).
    """
    frame: Tree = {}
    begun = number = 0
    for number, row in enumerate(table, start=1):
        try:
            head, face = _trees(row, columns)
            place = face.pop("face", None)
            _check_row(head, face, place)
            if place and (not frame or place != len(frame["faces"])):
                raise DataError(
                    f"face {place} does not follow face {len(frame.get('faces', ())) - 1}"
                )
        except (KeyError, TypeError, ValueError, PyojeongError) as error:
            raise DataError(f"row {number} is not a face of a frame ({error})") from error
        if not place:  # the first of a frame (0), or none (None)
            if frame:
                yield _whole(frame, begun, number - 1)
            frame, begun = {**head, "faces": []}, number
        if place is not None:
            frame["faces"].append(face)
    if frame:
        yield _whole(frame, begun, number)


def _check_row(head: Tree, face: Tree, place: int | None) -> None:
    if head["schema"] > SCHEMA_VERSION:
        raise DataError(f"schema {head['schema']}: written by a newer pyojeong")
    if head["schema"] < 1:
        raise DataError(f"schema must be at least 1, got {head['schema']}")
    if place is None and face.get("box") is not None:
        raise DataError("column face is empty, but box_x1 is not")


def _whole(frame: Tree, first: int, last: int) -> FrameResult:
    """Return the frame that these rows are."""
    try:
        return FrameResult.from_dict(frame)
    except (KeyError, TypeError, ValueError, PyojeongError) as error:
        where = f"row {first} is not a face"
        if first < last:
            where = f"rows {first} to {last} are not the faces"
        raise DataError(f"{where} of a frame ({error})") from error


def _trees(row: dict[str, Any], columns: dict[str, ColumnSpec]) -> tuple[Tree, Tree]:
    """Return the row as dictionaries of a frame and of a face, as ``from_dict`` takes them."""
    head: Tree = {}
    face: Tree = {}
    computed: dict[str, Any] = {}
    failed = bool(row.get("error"))
    for name, column in columns.items():
        value = row[name]
        if failed and value is None and column.path[:1] == ("size_wh",):
            value = 0  # it was not read
        if value is None and column.required and column.group == "frame":
            raise DataError(f"column {name} is empty")
        column.set(head if column.group == "frame" else face, value)
        if column.compute is not None:
            computed[column.name] = value
    head = {key: _plain(value, (key,)) for key, value in head.items()}
    head["model_ids"] = head["model_ids"].split(";") if head["model_ids"] else []
    face = {key: _plain(value, (key,)) for key, value in face.items()}
    return head, _measured(face, computed)


def _plain(node: Any, path: tuple[Key, ...]) -> Any:
    """Dictionaries of positions become lists; None for a list that lacks some."""
    if not isinstance(node, dict):
        return node
    items = {key: _plain(value, (*path, key)) for key, value in node.items()}
    if not all(isinstance(key, int) for key in items):
        return items
    whole = len(items) == _LENGTHS.get(path, len(items))
    return [items[key] for key in sorted(items)] if whole and None not in items.values() else None


def _measured(face: Tree, computed: dict[str, Any]) -> Tree:
    """Return only the parts of a face that were measured, each of them whole."""
    expression = face.get("expression") or {}
    if not expression.get("label_set"):
        face.pop("expression", None)
        face.pop("smoothed", None)
    else:
        expression["prior"] = expression.get("prior") or ""
        smoothed = face.pop("smoothed", None) or {}
        scores = smoothed.get("scores", {})
        if set(scores) == set(expression["scores"]) and None not in scores.values():
            face["smoothed"] = {**expression, "scores": scores}
        if len(face.get("baseline_delta") or ()) != len(expression["scores"]):
            face.pop("baseline_delta", None)  # one label's column is missing
    if len(face.get("pose") or {}) != 3:
        face.pop("pose", None)
    eyes = {k: v for k, v in (face.pop("eyes", None) or {}).items() if v is not None}
    if eyes or computed.get("eyes_valid") is not None:
        face["eyes"] = eyes
    _measured_units(face, tried=computed.get("units_valid") is not None)
    return {key: value for key, value in face.items() if value is not None}


def _measured_units(face: Tree, *, tried: bool) -> None:
    """Leave action units and blendshapes out where there are none."""
    units = face.get("action_units") or {}
    if not any(v is not None for v in (units.get("baseline_delta") or {}).values()):
        units.pop("baseline_delta", None)
    if tried:
        face["action_units"] = {"intensity": {}, **units}
    else:
        face.pop("action_units", None)
    shapes = face.get("blendshapes") or {}
    if len(shapes) != len(BLENDSHAPES) or None in shapes.values():
        face.pop("blendshapes", None)


def _quoted(text: str) -> str:
    if any(c in text for c in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def cell_of_spreadsheet(text: str) -> str:
    """Return a cell quoted also where a spreadsheet might take it for two cells."""
    whole = any(c in text for c in ";\t") and not any(c in text for c in ',"\r\n')
    return f'"{text}"' if whole else _quoted(text)


def spreadsheet_text(text: str) -> str:
    """Return the CSV field of a text cell for spreadsheets."""
    return cell_of_spreadsheet(safe_cell(text))


def text_line(cells: Iterable[Any], *, excel: bool = False) -> str:
    """Return a line of a CSV file; None is an empty cell.

    Args:
        cells: Text, numbers or None.
        excel: For spreadsheets; see ``output.spreadsheet``.
    """
    text = spreadsheet_text if excel else _quoted
    return (
        ",".join(text(c) if isinstance(c, str) else "" if c is None else str(c) for c in cells)
        + "\n"
    )


def _float32(value: float) -> str:
    """Return the shortest decimals that give the same float32 again, also when read as a double."""
    short = str(np.float32(value))
    return short if np.float32(float(short)) == value else repr(float(value))


FORMATS: dict[str, Callable[[Any], str]] = {
    "text": _quoted,
    "int": lambda value: str(int(value)),
    "float": lambda value: repr(float(value)),
    "float32": _float32,
    "bool": lambda value: "true" if value else "false",
}
"""Type of a column -> how a value that is not None becomes a CSV field."""


def parse_int(text: str) -> int:
    """Return a whole number; ``2.0`` is one, as pandas writes columns with empty fields.

    Raises:
        ValueError: When it is none.
    """
    try:
        return int(text)
    except ValueError:
        value = float(text)
        if not value.is_integer():
            raise ValueError(f"expected a whole number, got {text!r}") from None
        return int(value)


def _parse_bool(text: str) -> bool:
    value = {"true": True, "false": False}.get(str(text).lower())
    if value is None:
        raise ValueError(f"expected true or false, got {text!r}")
    return value


PARSERS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "int": parse_int,
    "float": float,
    "float32": float,
    "bool": _parse_bool,
}
"""Type of a column -> how a CSV field that is not empty becomes a value."""


def wrong_cell(
    row: dict[str, Any], kinds: dict[str, str], parsers: dict[str, Callable[[str], Any]]
) -> str:
    """Return the column and the error of the first cell that is no value of its type."""
    for name, kind in kinds.items():
        try:
            if row[name] != "":
                parsers[kind](row[name])
        except (KeyError, TypeError, ValueError) as error:
            return f"{name}: {error}"
    return ""
