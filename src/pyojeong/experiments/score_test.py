"""Score a finished run on the test split, once; the temperature is the one fitted on VALID."""

from pathlib import Path
from typing import Any

from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import read_record, write_record
from pyojeong.core.one_writer import one_writer
from pyojeong.datasets.samples import Split
from pyojeong.evaluation.test_split_guard import record_use, refuse_second_use
from pyojeong.experiments.measure import score_split
from pyojeong.experiments.results import RESULT_CURE
from pyojeong.training.run import Run
from pyojeong.training.run_identity import require_same_data


def score_test(run_folder: Path, manifest: Path) -> dict[str, Any]:
    """Score a finished run on the test split, once, and note it in the run folder.

    Args:
        run_folder: A run folder with ``result.json``.
        manifest: The data the run was trained on.

    Returns:
        The run's result with ``test`` filled in.

    Raises:
        ExperimentError: When the run is unfinished or failed, was trained on other data, or was
            scored before.
    """
    run = Run(run_folder)
    file = run_folder / "result.json"
    if not file.exists():
        raise ExperimentError(
            f"{run_folder} has no result yet: finish it with `pyojeong experiments resume`"
        )
    with one_writer(run_folder):
        run.check_files()
        result = read_record(file, cure=RESULT_CURE, keys=["status", "name"])
        if result["status"] != "finished":
            raise ExperimentError(f"{run_folder} failed: there is nothing to score")
        require_same_data(run, manifest)
        refuse_second_use(run_folder)
        temperature = result["valid"]["temperature"]
        scored = score_split(run, manifest, Split.TEST, temperature=temperature)
        record_use(
            manifest,
            purpose="experiments score-test",
            model=result["name"],
            figures=scored,
            run_folder=run_folder,
        )
        result.pop("test_looks", None)
        result |= {"test": scored, "test_split_uses": run.test_split_uses}
        write_record(file, result, indent=1)
    return result
