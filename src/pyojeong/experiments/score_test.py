"""Score a finished run on the test split, once; the temperature is the one fitted on VALID."""

from pathlib import Path
from typing import Any

from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import write_record
from pyojeong.core.one_writer import one_writer
from pyojeong.datasets.samples import Split
from pyojeong.evaluation.test_split_guard import record_use, refuse_second_use
from pyojeong.experiments.measure import score_split
from pyojeong.experiments.result_files import read_run_result, require_own_copy, result_path
from pyojeong.training.run import Run
from pyojeong.training.run_identity import require_same_data
from pyojeong.zoo import digest


def score_test(run_folder: Path, manifest: Path, *, keep: Path | None = None) -> dict[str, Any]:
    """Score a finished run on the test split, once, and note it in the run folder.

    A use that was recorded before its figures reached ``result.json`` (a full disk, a kill) is
    finished from the record, and is not another one.

    Args:
        run_folder: A run folder with ``result.json``.
        manifest: The data the run was trained on.
        keep: Folder that gets a copy of the result.

    Returns:
        The run's result with ``test`` filled in.

    Raises:
        ExperimentError: When the run is unfinished or failed, was trained on other data, or was
            scored before.
        OutputError: When the copy would replace a file that is no result of the run; then nothing
            is scored.
    """
    run = Run(run_folder)
    if not (run_folder / "result.json").exists():
        raise ExperimentError(
            f"{run_folder} has no result yet: finish it with `pyojeong experiments resume`"
        )
    with one_writer(run_folder):
        run.check_files()
        result = read_run_result(run_folder)
        if result["status"] != "finished":
            raise ExperimentError(f"{run_folder} failed: there is nothing to score")
        if keep is not None:
            require_own_copy(result_path(keep, result["name"]), result["name"])
        require_same_data(run, manifest)
        result |= {"test": _scored(run, manifest, result), "test_split_uses": run.test_split_uses}
        result.pop("test_looks", None)
        write_record(run_folder / "result.json", result, indent=1)
        if keep is not None:
            copy = result_path(keep, result["name"])
            require_own_copy(copy, result["name"])  # not meanwhile either
            write_record(copy, result, indent=1)
    return result


def _scored(run: Run, manifest: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the test split: of a use that is recorded here, or was before."""
    weights = digest(run.result_weights)
    if result["test"] is None:
        for use in run.scored_uses:
            if use["weights_sha256"] == weights:
                return dict(use["scored"])
    refuse_second_use(run.folder)
    scored = score_split(run, manifest, Split.TEST, temperature=result["valid"]["temperature"])
    record_use(
        manifest,
        purpose="experiments score-test",
        model=result["name"],
        figures=scored,
        run_folder=run.folder,
        of_run={"weights_sha256": weights, "scored": scored},
    )
    return scored
