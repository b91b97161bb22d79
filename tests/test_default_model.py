"""The table of aims: read off committed figures, judged by the aims, and up to date."""

import json
from typing import Any

import pytest

from benchmarks.default_model import (
    FIGURES,
    MARKS,
    PAGE,
    README,
    Goal,
    between_marks,
    committed_figures,
    committed_runs,
    goals,
    to_markdown,
)
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.classifier_names import find_classifier


def committed() -> tuple[dict[str, Any], ...]:
    """Figures of the bundled model, of other tools, of the second model, and of their speeds."""
    peers, speed = (
        json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("peers", "default_speed")
    )
    return (
        dict(committed_figures("default")), peers, dict(committed_figures("default-fer2013")), speed
    )  # fmt: skip


def test_page_and_readme_are_what_the_figures_say() -> None:
    table = to_markdown(goals(*committed(), *committed_runs()))
    assert table in PAGE.read_text(encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    assert between_marks(readme, table) == readme


def test_figures_belong_to_the_model_that_is_bundled() -> None:
    for name in ("default", "default-fer2013"):
        figures, card = committed_figures(name), find_classifier(name).card
        assert figures["sha256"] == card.sha256
        voted, shown = figures["voted"], card.metrics["photographs"]
        assert shown["accuracy"] == voted["by_prior"][voted["default_prior"]]["accuracy"]
        assert shown["cross_fitted"]["fits"] == voted["cross_fitted"]["fits"]
    speed = committed()[3]
    ids = [find_classifier(name).card.id for name in ("default", "default-fer2013")]
    assert list(speed["models"].values()) == ids


def test_aims_are_judged() -> None:
    accuracy, peers, second, speed = committed()
    test = accuracy["splits"]["test"]

    def row(words: str) -> Goal:
        return next(g for g in goals(accuracy, peers, second, speed) if words in g.what)

    for value, reached in ((0.7099, False), (0.7101, True)):
        test["accuracy"]["value"] = value
        assert row("single view").reached is reached
    for value, reached in ((0.021, False), (0.02, True)):
        test["ece"]["value"] = value
        assert row("15-bin ECE").reached is reached
    majority, votes = test["votes"]["majority"]["eight"], test["votes"]["divergence"]
    for value, reached in ((0.8849, False), (0.8851, True)):
        majority["accuracy"]["value"] = value
        assert row("FER+ majority").reached is reached
    before = second["splits"]["test"]["votes"]["divergence"]["eight"]
    for factor, reached in ((0.951, False), (0.949, True)):
        votes["eight"] = factor * before
        assert row("KL divergence").reached is reached
    for ratio, reached in ((2.51, False), (2.49, True)):
        speed["net, 1 faces, 1 threads"]["ratio"] = ratio
        assert row("time of one face").reached is reached
    for ratio, reached in ((2.01, False), (1.99, True)):
        speed["net, 64 faces, 2 threads"]["ratio"] = ratio
        assert row("time of 64 faces").reached is reached


def test_figures_beside_other_tools_are_shown_of_the_bundled_model_only() -> None:
    accuracy, peers, second, speed = committed()
    beside = "balanced accuracy, whole pipeline"
    peers["model"] = accuracy["model"]
    assert any(beside in g.what for g in goals(accuracy, peers, second, speed))
    peers["model"] = "an-earlier-one"
    assert not any(beside in g.what for g in goals(accuracy, peers, second, speed))


def test_votes_come_first_and_are_judged() -> None:
    accuracy, *others = committed()
    voted = accuracy["voted"]
    default = voted["by_prior"][voted["default_prior"]]
    natural = accuracy["splits"]["valid"]["votes"]["answers"]["natural"]

    def given(step: float) -> list[bool | None]:
        """Judge figures that lie a step above the aims."""
        default["accuracy"]["value"] = 0.82 + step
        default["auroc"]["value"] = 0.965 + step
        voted["by_prior"]["balanced"]["balanced_accuracy"]["value"] = 0.74 + step
        default["recall"] |= {"neutral": 0.82 + step, "angry": 0.75 + step}
        default["answered"] = {"share": 0.65 + step, "accuracy": 0.9 + step}
        voted["cross_fitted"]["vote_ece"]["value"] = 0.03 - step
        natural["vote_ece"]["value"] = 0.02 - step
        rows = goals(accuracy, *others)[:7]
        assert rows[0].what.startswith("photographs, the label on which both ratings agree")
        return [row.reached for row in rows]

    assert given(0.001) == [True] * 7
    assert given(-0.001) == [False] * 7


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


def test_a_readme_without_marks_is_left_alone() -> None:
    with pytest.raises(SystemExit, match="lacks the marks"):
        between_marks(f"text {MARKS[0]} text", "table")


def test_figures_of_speed_name_the_bundled_models() -> None:
    """They were of an earlier detector and model for days, and nobody saw it."""
    current = Analyzer(threads=1).model_ids
    video = json.loads((FIGURES / "video.json").read_text(encoding="utf-8"))
    for part in ("speed", "live"):
        assert set(current) <= set(video[part]["measured"]["models"]), part
    speed = (FIGURES / "speed.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in speed for name in current)


@pytest.mark.parametrize("page", ["answers.md", "ko/answers.md"])
def test_the_page_of_answers_has_the_threshold_of_the_default_model(page: str) -> None:
    card = find_classifier("default").card
    assert card.vote_calibration is not None
    text = (FIGURES.parent / page).read_text(encoding="utf-8")
    assert str(card.vote_calibration.threshold) in text
