"""The table of aims: read off committed figures, judged by the aims, and up to date."""

import json
from typing import Any

import pytest

from benchmarks.default_model import (
    FIGURES,
    MARKS,
    PAGE,
    README,
    between_marks,
    committed_figures,
    committed_runs,
    goals,
    to_markdown,
)
from pyojeong.runtime.analyzer import find_classifier


def committed() -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of the bundled model, and of other tools."""
    peers = json.loads((FIGURES / "peers.json").read_text(encoding="utf-8"))
    return dict(committed_figures("default")), peers


def test_page_and_readme_are_what_the_figures_say() -> None:
    second = committed_figures("default-vggface2")
    table = to_markdown(goals(*committed(), *committed_runs(), second))
    assert table.count("`default-vggface2`") == 4
    assert table in PAGE.read_text(encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    assert between_marks(readme, table) == readme


def test_figures_belong_to_the_model_that_is_bundled() -> None:
    for name in ("default", "default-vggface2"):
        assert committed_figures(name)["sha256"] == find_classifier(name).card.sha256


def test_aims_are_judged() -> None:
    accuracy, peers = committed()
    test = accuracy["splits"]["test"]
    for value, reached in ((0.7249, False), (0.7251, True)):
        test["accuracy"]["value"] = value
        row = next(g for g in goals(accuracy, peers) if "single view" in g.what)
        assert row.reached is reached
    for value, reached in ((0.021, False), (0.02, True)):
        test["ece"]["value"] = value
        row = next(g for g in goals(accuracy, peers) if "15-bin ECE" in g.what)
        assert row.reached is reached
    test["votes"]["majority"] = {
        "seven": {"n": 9, "accuracy": dict.fromkeys(("value", "low", "high"), 0.95)}
    }
    row = next(g for g in goals(accuracy, peers) if g.what.startswith("FER+"))
    assert row.reached is False  # seven classes are not the eight that the aim is about
    del peers["nets"]
    row = next(g for g in goals(accuracy, peers) if g.what.startswith("one face"))
    assert (row.measured, row.reached) == ("", None)


def test_votes_come_first_and_are_judged() -> None:
    accuracy, peers = committed()
    rows = goals(accuracy, peers)
    assert rows[0].what.startswith("photographs, the label on which both ratings agree")
    assert all(row.reached for row in rows[:6])
    prior = accuracy["voted"]["default_prior"]
    accuracy["voted"]["by_prior"][prior]["accuracy"]["value"] = 0.7499
    accuracy["voted"]["by_prior"][prior]["recall"]["angry"] = 0.67
    accuracy["voted"]["cross_fitted"]["vote_ece"]["value"] = 0.041
    assert [row.reached for row in goals(accuracy, peers)[:6]] == [
        False, True, False, True, False, True,
    ]  # fmt: skip


def test_ensembles_and_seeds_are_rows_of_their_own() -> None:
    figure = {"value": 0.746, "low": 0.73, "high": 0.76}
    members = {"model/teacher-s.s1": 0.6, "model/teacher-vggface2.s1": 0.4, "model/none.s1": 0.0}
    ensemble = {"members": members, "views": 10, "test": {"accuracy": figure}}
    seeds = [
        {"name": f"model/net.s{i}", "valid": {"accuracy": {"value": v}}}
        for i, v in enumerate((0.70, 0.71, 0.72))
    ]
    rows = goals(*committed(), [ensemble], seeds)
    row = next(g for g in rows if "ensemble" in g.what)
    assert (row.what, row.reached) == (
        "an ensemble of 2 nets, ten views, one of them from VGGFace2, %",
        True,
    )
    row = next(g for g in rows if "seeds" in g.what)
    assert (row.measured, row.reached) == ("71.0 ± 1.0", True)
    assert "`model/net` over 3 seeds" in row.what
    assert not any("seeds" in g.what for g in goals(*committed(), [], seeds[:1]))


def test_the_second_model_has_rows_of_its_own_and_leaves_the_first_ones_alone() -> None:
    accuracy, peers = committed()
    figure = {"value": 0.75, "low": 0.74, "high": 0.76}
    test = {"accuracy": figure, "more_views": {"10": {"accuracy": figure}}}
    rows = goals(accuracy, peers, second={"splits": {"test": test}})
    mine = [g for g in rows if "default-vggface2" in g.what]
    assert [(g.measured, g.reached) for g in mine] == [
        ("75.0 [74.0, 76.0]", None),  # the first row's aim is without pretraining
        ("75.0 [74.0, 76.0]", True),
    ]
    assert [g for g in rows if g not in mine] == goals(accuracy, peers)


def test_a_readme_without_marks_is_left_alone() -> None:
    with pytest.raises(SystemExit, match="lacks the marks"):
        between_marks(f"text {MARKS[0]} text", "table")
