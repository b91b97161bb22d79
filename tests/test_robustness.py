"""A slice of the campaign `make robustness`."""

import random
from pathlib import Path

import pytest

from benchmarks.robustness import files, processes
from benchmarks.robustness.campaign import Campaign

SLICE = {"pictures": 150, "clips": 30, "tables": 60, "flips": 80, "models": 15, "experiments": 30}


@pytest.mark.parametrize("part", SLICE)
def test_damaged_files(part: str, tmp_path: Path) -> None:
    campaign = Campaign(random.Random(20), tmp_path)
    files.PARTS[part][0](campaign, SLICE[part])
    assert campaign.faults == []
    assert campaign.counts["tried"] == SLICE[part]
    assert campaign.counts["refused"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("part", processes.PARTS)
def test_disturbed_commands(part: str, tmp_path: Path) -> None:
    campaign = Campaign(random.Random(21), tmp_path)
    processes.PARTS[part][0](campaign, 4)
    assert campaign.faults == []


def test_faults_are_found(tmp_path: Path) -> None:
    """Otherwise a campaign without faults says nothing."""

    def broken() -> None:
        raise KeyError("x")

    campaign = Campaign(random.Random(1), tmp_path)
    campaign.attempt("a", broken)
    campaign.attempt("b", lambda: 2, right=3)
    campaign.check("c", ok=False)
    assert [line[0] for line in campaign.faults] == ["a", "b", "c"]
