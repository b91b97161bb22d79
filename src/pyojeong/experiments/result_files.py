"""Results of runs as files: ``result.json`` in run folders, and copies that were kept elsewhere.

Read without torch. A result belongs to the run in whose folder it lies, and to its own name.
"""

import json
from pathlib import Path
from typing import Any

from pyojeong.core.checksums import checked
from pyojeong.core.errors import ExperimentError, OutputError
from pyojeong.core.json_record import read_record
from pyojeong.core.run_files import (
    changed_run_file_words,
    changed_run_files,
    other_run_in_result,
)

RESULT_VERSION = 1
RESULT_FILE = "result.json"
RESULT_CURE = (
    "restore it from a copy, or remove it: `pyojeong experiments run` then measures the run again"
)
"""What to do when ``result.json`` of a run is damaged."""
_OF_TEST = ("test", "test_split_uses", "test_looks")
"""What a use of the test split adds to a result."""


def result_path(folder: Path, name: str) -> Path:
    """Return where a run's result is kept: ``<folder>/<name>.json``."""
    return folder / f"{name}.json"


def read_run_result(folder: Path) -> dict[str, Any]:
    """Return ``result.json`` of a run folder.

    Raises:
        ExperimentError: When it is damaged, or of another run than the folder's.
    """
    file = folder / RESULT_FILE
    result = read_record(file, cure=RESULT_CURE, keys=["status", "name"])
    _require_own(file, result)
    return result


def _require_own(file: Path, result: dict[str, Any]) -> None:
    found = other_run_in_result(file.parent, result)
    if found:
        raise ExperimentError(f"{file}: is of another run ({', '.join(found)}); {RESULT_CURE}")


def require_own_copy(file: Path, name: str) -> None:
    """Refuse to write a kept result over a file that is no result of that name.

    Raises:
        OutputError: When there is one.
    """
    if not file.is_file() or not file.stat().st_size:
        return
    try:
        data = json.loads(file.read_bytes())
        known = _is_result(data) and data.get("name") == name
    except (OSError, ValueError, RecursionError):
        known = False
    if not known:
        raise OutputError(
            f"{file} is there already and is no result of {name}: choose another --keep folder, "
            "or remove it first"
        )


def _is_result(data: Any) -> bool:
    return isinstance(data, dict) and "settings" in data and "status" in data


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Return all results below a folder, sorted by name; of kept ones and of run folders alike.

    Raises:
        ExperimentError: When the folder is missing, a file is no result or of another run, two
            files say different things of a run, or a file that a run rests on was changed; it is
            named.
    """
    if not folder.is_dir():
        raise ExperimentError(f"{folder} is not a folder of results: run experiments first")
    found: dict[str, tuple[Path, dict[str, Any]]] = {}
    for file in sorted(folder.rglob("*.json")):
        if file.parent.name == "mlruns" or not file.is_file():
            continue
        data = _read(file)
        if data is None:
            continue
        name = str(data["name"])
        if name in found:
            data = _the_newer(found[name], (file, data))
        found[name] = file, data
    return [found[name][1] for name in sorted(found)]


def _read(file: Path) -> dict[str, Any] | None:
    """Return the result in a file; None when it is another JSON file."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        data = checked(data) if isinstance(data, dict) else data
    except (OSError, ValueError, RecursionError) as error:
        raise ExperimentError(
            f"{file} is no result: {error}; restore it from a copy, or remove it"
        ) from error
    if isinstance(data, dict) and file.name == "done.json":
        for name in changed_run_files(file.parent, data):
            raise ExperimentError(changed_run_file_words(file.parent, name))
    if not _is_result(data):
        return None
    if data.get("version") != RESULT_VERSION:
        raise ExperimentError(
            f"{file}: result version {data.get('version')}, this pyojeong reads "
            f"{RESULT_VERSION}: run it again or upgrade"
        )
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise ExperimentError(f"{file} is no result: it has no name; remove it")
    if file.name == RESULT_FILE:
        _require_own(file, data)
    elif not file.as_posix().endswith(f"/{name}.json"):
        raise ExperimentError(
            f"{file} holds the result of {name}: call it {name}.json, or remove it"
        )
    return dict(data)


def _the_newer(
    one: tuple[Path, dict[str, Any]], other: tuple[Path, dict[str, Any]]
) -> dict[str, Any]:
    """Return the one of two results of a name that knows more of the test split.

    Raises:
        ExperimentError: When they differ in anything else.
    """
    (file, first), (copy, second) = one, other
    alike = [{k: v for k, v in data.items() if k not in _OF_TEST} for data in (first, second)]
    tests = [data["test"] for data in (first, second) if data.get("test") is not None]
    if json.dumps(alike[0], sort_keys=True) != json.dumps(alike[1], sort_keys=True) or (
        len(tests) > 1 and json.dumps(tests[0]) != json.dumps(tests[1])
    ):
        raise ExperimentError(
            f"{file} and {copy} are different results of {first['name']}: remove the one that is "
            "not wanted, or keep results of each training in a folder of their own"
        )
    return first if first.get("test") is not None else second
