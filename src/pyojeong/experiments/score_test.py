"""One look at the test split per run, written down before anything is shown.

A look cannot be taken back, so a second one is refused: whoever may look again may choose. The
temperature is the one fitted on Split.VALID.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from pyojeong.core.errors import ExperimentError
from pyojeong.datasets.samples import Split
from pyojeong.experiments.measure import score_split
from pyojeong.training.run import Run, write_text


def score_test(run_folder: Path, manifest: Path) -> dict[str, Any]:
    """Score a finished run on the test split, once, and note it in the run folder.

    Args:
        run_folder: A run folder with ``result.json``.
        manifest: The data the run was trained on.

    Returns:
        The run's result with ``test`` filled in.

    Raises:
        ExperimentError: When the run is unfinished or failed, was trained on other data, or was
            looked at before.
    """
    run = Run(run_folder)
    file = run_folder / "result.json"
    if not file.exists():
        raise ExperimentError(
            f"{run_folder} has no result yet: finish it with `pyojeong experiments resume`"
        )
    with FileLock(run_folder.with_name(f".{run_folder.name}.lock")):
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if result["status"] != "finished":
            raise ExperimentError(f"{run_folder} failed: there is nothing to look at")
        if run.environment["manifest"] != manifest.name:
            raise ExperimentError(
                f"{run_folder} was trained on {run.environment['manifest']}, not on {manifest.name}"
            )
        if run.test_looks:
            when = run.test_looks[0].get("time", "an earlier day")
            raise ExperimentError(
                f"{run_folder} was looked at on {when}; its figures are in {file}. One look per "
                "run: whoever looks twice can choose by the test split"
            )
        temperature = result["valid"]["temperature"]
        scored = score_split(run, manifest, Split.TEST, temperature=temperature)
        line = {
            "model": result["name"],
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "accuracy": scored["accuracy"]["value"],
            "ece": scored["ece"]["value"],
        }
        with (run_folder / "test_looks.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        result |= {"test": scored, "test_looks": run.test_looks}
        write_text(file, json.dumps(result, indent=1) + "\n")
    return result
