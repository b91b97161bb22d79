"""Results of runs, read without torch: what the table and the report are made of."""

import json
from pathlib import Path
from typing import Any

from pyojeong.core.errors import ExperimentError

RESULT_VERSION = 1


def result_path(folder: Path, name: str) -> Path:
    """Where a run's result is kept: ``<folder>/<name>.json``."""
    return folder / f"{name}.json"


def read_results(folder: Path) -> list[dict[str, Any]]:
    """All results below a folder, sorted by name; of kept ones and of run folders alike.

    Raises:
        ExperimentError: When the folder is missing or a file is no result; it is named.
    """
    if not folder.is_dir():
        raise ExperimentError(f"{folder} is not a folder of results: run experiments first")
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.rglob("*.json")):
        if file.parent.name == "mlruns":
            continue
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ExperimentError(f"{file} is no result: {error}") from error
        if not isinstance(data, dict) or "settings" not in data or "status" not in data:
            continue
        if data.get("version") != RESULT_VERSION:
            raise ExperimentError(
                f"{file}: result version {data.get('version')}, this pyojeong reads "
                f"{RESULT_VERSION}: run it again or upgrade"
            )
        found[str(data["name"])] = data
    return [found[name] for name in sorted(found)]
