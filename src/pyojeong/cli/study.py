"""``--config study.toml``: read options from a file, and write the options of a run to one.

The file has a table for each command (``[analyze]``, ``[video]``, ``[data.import]``), with the
names of the command line as keys, without leading dashes; ``inputs`` are the files and folders.
Options on the command line take precedence. Paths are relative to the file's folder.
"""

import inspect
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from pyojeong._version import __version__
from pyojeong.core.addresses import is_address
from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import InputError, OutputError
from pyojeong.core.input_record import INPUTS, read_earlier
from pyojeong.core.output_names import as_unicode

SETTINGS = "settings.toml"
"""File with the options of a command in its folder of results, for ``--config``."""
_MARK = "# Written by pyojeong"
_INPUTS = "inputs"
_NOT_SETTINGS = frozenset({"config", "help", "overwrite"})
_PATH_TYPES = (Path, Path | None)
_MAYBE_FILES = frozenset({"model", "baseline"})
"""Options that take a file or something else."""


def _load(ctx: typer.Context, path: Path | None) -> Path | None:
    """Make the values of a file the defaults of a command."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise InputError(f"--config {path}: could not be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--config {path}: is no TOML file: {error}") from None
    table = _table(path, data, _command(ctx))
    ctx.default_map = {**(ctx.default_map or {}), **_values(ctx, path, table)}
    return path


def _command(ctx: typer.Context) -> list[str]:
    """Return the command's names: ``["data", "import"]``."""
    names: list[str] = []
    each: Any = ctx
    while each.parent is not None:
        names.insert(0, str(each.info_name))
        each = each.parent
    return [name for name in names if name != "process"]  # of `pyojeong video`


def _table(path: Path, data: Mapping[str, Any], names: list[str]) -> Mapping[str, Any]:
    table: Any = data
    for name in names:
        table = table.get(name) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        there = ", ".join(f"[{name}]" for name in data) or "none"
        raise InputError(f"--config {path}: has no table [{'.'.join(names)}]; it has {there}")
    return table


def _names(ctx: typer.Context) -> dict[str, Any]:
    """Return the name in a file -> click's parameter."""
    out: dict[str, Any] = {}
    for param in ctx.command.params:
        if param.name in _NOT_SETTINGS - {"overwrite"}:
            continue
        if param.param_type_name == "argument":
            files = param.nargs == -1 and param.name != "names"  # of experiments
            out[_INPUTS if files else str(param.name).replace("_", "-")] = param
            continue
        long = next((opt for opt in param.opts if opt.startswith("--")), "")
        if long:
            out[long.removeprefix("--")] = param
    return out


def _aliases(ctx: typer.Context) -> dict[str, Any]:
    """Return further names of options -> click's parameter: ``jobs`` for ``processes``."""
    options = [each for each in ctx.command.params if each.name not in _NOT_SETTINGS]
    return {opt.lstrip("-"): each for each in options for opt in each.opts if opt[:2] == "--"}


def _values(ctx: typer.Context, path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    known, paths = _names(ctx), _paths(ctx)
    out: dict[str, Any] = {}
    for key, value in table.items():
        param = known.get(key) or _aliases(ctx).get(key)
        if param is None:
            near = get_close_matches(key, known, n=2, cutoff=0.6)
            hint = f"; did you mean {' or '.join(near)}?" if near else ";"
            if key.removeprefix("no-") in known:
                hint = f"; write {key.removeprefix('no-')} = false;"
            raise InputError(
                f"--config {path}: [{'.'.join(_command(ctx))}] has no option {key!r}{hint} known: "
                f"{', '.join(known)}"
            )
        many = isinstance(value, list)
        several = param.multiple or param.nargs == -1
        if many and not several:
            raise InputError(f"--config {path}: {key} takes one value, not a list")
        words = [_word(path, key, each, paths) for each in (value if many else [value])]
        out[str(param.name)] = words if several else words[0]
    return out


def _paths(ctx: typer.Context) -> set[str]:
    """Return the names in a file of options that take paths."""
    callback = ctx.command.callback
    hints = get_type_hints(inspect.unwrap(callback)) if callback is not None else {}
    names = {key for key, param in _names(ctx).items() if hints.get(str(param.name)) in _PATH_TYPES}
    return {*names, _INPUTS}


def _word(config: Path, key: str, value: Any, paths: set[str]) -> Any:
    """Return a value as the command line has it."""
    if isinstance(value, dict):  # base rates
        return ",".join(f"{name}={share}" for name, share in value.items())
    if isinstance(value, bool | float):
        return value
    if key in paths:
        return _placed(config, value)
    if key in _MAYBE_FILES and Path(_placed(config, value)).is_file():
        return _placed(config, value)
    return str(value)


def _placed(config: Path, value: Any) -> Any:
    """Return a path relative to the folder of the file."""
    if is_address(str(value)):
        return str(value)
    text = os.path.expanduser(str(value))  # noqa: PTH111 - patterns are no paths
    return os.path.join(config.absolute().parent, text)  # noqa: PTH118 - an absolute one stays


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        callback=_load,
        is_eager=True,
        help="TOML file with options: one table per command, keys named like the options. Options "
        "on the command line take precedence.",
    ),
]


def require_own_settings(out: Path) -> None:
    """Refuse a folder in which ``settings.toml`` is somebody else's.

    Raises:
        OutputError: When it is.
    """
    file = out / SETTINGS
    try:
        own = not file.exists() or file.read_text("utf-8", "replace").startswith(_MARK)
    except OSError:
        own = False
    if not own:
        raise OutputError(
            f"{file} is there already and was not written by pyojeong: choose another --out folder"
        )


@contextmanager
def settings_beside(out: Path, ctx: typer.Context) -> Iterator[None]:
    """Write the options of a command beside the results that it writes in the block.

    ``pyojeong COMMAND --config OUT/settings.toml`` repeats it. A command that reads nothing leaves
    everything as it is.

    Raises:
        OutputError: When there is a file of somebody else, or it could not be written.
    """
    require_own_settings(out)
    before = _state(out / INPUTS)
    yield
    if _state(out / INPUTS) != before and read_earlier(out):
        _write_settings(out, ctx)


def _state(file: Path) -> tuple[int, int] | None:
    try:
        known = file.stat()
    except OSError:
        return None
    return known.st_ino, known.st_mtime_ns


def _write_settings(out: Path, ctx: typer.Context) -> None:
    lines = [f"{_MARK} {__version__}; repeat with --config.", f"[{'.'.join(_command(ctx))}]"]
    for key, param in _names(ctx).items():
        value = ctx.params.get(str(param.name))
        if value is None or value in ([], ()) or param.name in _NOT_SETTINGS:
            continue
        paths = key == _INPUTS or isinstance(value, Path)
        lines.append(f"{key} = {_toml(value, paths=paths)}")
    with atomic_write(out / SETTINGS, "w") as file:
        file.write("\n".join(lines) + "\n")


def _toml(value: Any, *, paths: bool) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each, paths=paths) for each in value)}]"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    places = paths and not is_address(str(value))
    text = os.path.abspath(value) if places else str(value)  # noqa: PTH100 - links stay
    return json.dumps(as_unicode(text), ensure_ascii=False)
