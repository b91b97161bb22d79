"""Every use of a test split is written down; a run is scored on it once."""

from pathlib import Path

import pytest

from pyojeong.core.errors import ExperimentError, OutputError
from pyojeong.evaluation.test_split_guard import (
    record_use,
    refuse_second_use,
    uses_file,
    uses_of_data,
    uses_of_run,
)

FIGURES = {"accuracy": {"value": 0.5}, "ece": {"value": 0.1}}


def test_a_use_is_listed_beside_the_data_and_in_the_run(tmp_path: Path) -> None:
    manifest, run = tmp_path / "set.parquet", tmp_path / "run"
    run.mkdir()
    refuse_second_use(run)
    record_use(manifest, purpose="evaluate", model="a.v1", figures=FIGURES)
    record_use(manifest, purpose="export", model="b.v1", figures=FIGURES, run_folder=run)
    assert uses_file(manifest).name == "set.parquet.test_split.jsonl"
    assert [(u["purpose"], u["model"]) for u in uses_of_data(manifest)] == [
        ("evaluate", "a.v1"),
        ("export", "b.v1"),
    ]
    (use,) = uses_of_run(run)
    assert (use["model"], use["accuracy"], use["ece"]) == ("b.v1", 0.5, 0.1)
    with pytest.raises(ExperimentError, match="was scored on the test split on 20"):
        refuse_second_use(run)


def test_files_of_earlier_versions_count_and_torn_lines_do_not(tmp_path: Path) -> None:
    (tmp_path / "test_looks.jsonl").write_text('{"model": "old", "time": "2025-01-01"}\n{"mod')
    assert [use["model"] for use in uses_of_run(tmp_path)] == ["old"]
    with pytest.raises(ExperimentError, match="2025-01-01"):
        refuse_second_use(tmp_path)


def test_what_is_not_written_down_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        record_use(tmp_path / "no" / "set.parquet", purpose="x", model="x", figures=FIGURES)
