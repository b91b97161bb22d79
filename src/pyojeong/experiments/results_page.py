"""All results as one HTML page: sortable tables, paired differences, cost, every run in full."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyojeong._version import __version__
from pyojeong.core.errors import ExperimentError
from pyojeong.evaluation.paired_comparison import Difference, compare
from pyojeong.experiments.reference_labels import Truth
from pyojeong.experiments.result_table import (
    Column,
    filled,
    interval,
    is_number,
    percent,
    short_count,
)
from pyojeong.experiments.results import (
    APART,
    Row,
    experiment_of,
    made_of,
    over_seeds,
    row_of,
    sort_by,
)
from pyojeong.experiments.run_details import add_run
from pyojeong.output.charts import Spot
from pyojeong.output.page import Cell, Page

Result = dict[str, Any]

ARMS, BASE = "arms", "arms/base"
_NOTE = "change or note"
_GROUPS = {
    "shipped": "Bundled models",
    "full": "Full trainings",
    ARMS: "One change at a time",
    "seed2021": "The students' rows of 2021",
    "others": "Others",
}
_ABOUT = {
    "shipped": "What the package brings, from its card.",
    "full": "One net per family under one recipe on all training images.",
    ARMS: f"Each experiment changes one thing of {BASE}.",
    "seed2021": "The students' settings under a small budget: what each row reduces is in its "
    "details. “theirs” was measured on their own images and is no target.",
}


def write_page(
    results: Sequence[Result],
    out: Path,
    costs: dict[str, Any] | None = None,
    truth: Truth | None = None,
) -> Path:
    """Write the page.

    Args:
        results: From ``read_results``.
        out: The ``.html`` file.
        costs: Content of ``costs.json``; without it nets are compared by multiply-adds.
        truth: Labels of the valid split; without them no paired differences are shown.

    Returns:
        The file.

    Raises:
        ExperimentError: When there are no results, or one lacks something.
    """
    if not results:
        raise ExperimentError("there are no results to show: run experiments first")
    rows = [row_of(result, costs) for result in results]
    page = Page("Results of the experiments", _lead(results))
    page.text(_chosen(results))
    splits = {r["valid"]["split_sha256"] for r in _finished(results)}
    if len(splits) > 1:
        page.text(
            f"Careful: these results were measured on {len(splits)} different valid splits. "
            "Figures of different splits are not comparable."
        )
    names = {row.group for row in rows}
    anchors = {r["name"]: f"run{i + 1}" for i, r in enumerate(results)}
    for group in [*(g for g in _GROUPS if g in names), *sorted(names - set(_GROUPS))]:
        inside = [row for row in rows if row.group == group]
        page.section(_GROUPS.get(group, group))
        if group in _ABOUT:
            page.text(_ABOUT[group], quiet=True)
        if group == ARMS:
            _differences(page, results, truth)
        _table(page, group, inside, anchors)
    _cost(page, rows, costs)
    _failed(page, rows, anchors)
    page.section("Every run")
    page.text("Open a run for its settings, curves, answers and environment.", quiet=True)
    for result, row in zip(results, rows, strict=True):
        add_run(page, result, row, anchors[result["name"]])
    return page.write(out)


def _finished(results: Sequence[Result]) -> list[Result]:
    return [r for r in results if r["status"] == "finished"]


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _lead(results: Sequence[Result]) -> str:
    done = _finished(results)
    data = sorted({(r["environment"] or {}).get("manifest", "?") for r in results})
    parts = [
        _count(len({experiment_of(r["name"]) for r in results}), "experiment"),
        f"{_count(len(results), 'run')}, {len(results) - len(done)} of them failed",
        f"data {', '.join(data)}",
        f"pyojeong {__version__}",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    ]
    return " · ".join(parts)


def _chosen(results: Sequence[Result]) -> str:
    done = _finished(results)
    pictures = " or ".join(f"{n:,}" for n in sorted({r["valid"]["n"] for r in done})) or "no"
    looks = sum(bool(r["test"]) for r in done)
    taken = (
        f"It was used once for {_count(looks, 'run')}, after the training was over"
        if looks
        else "None of these runs was scored on it"
    )
    best = sum(r["settings"]["pick"] == "best" for r in done)
    kind = "an epoch was chosen on the same images, which flatters the figure a little"
    return (
        f"Accuracy is the share of right answers on the valid split ({pictures} images; "
        "FER2013's PublicTest where that is the data), one view per face. Everything was chosen on "
        "this split: settings, calibration, and the epoch where a recipe keeps the best one "
        f"({best} of {_count(len(done), 'finished run')}: {kind}). The test split was not used for "
        f"choosing anything. {taken}. Intervals hold 95\u00a0% and speak of other images; how "
        "much another seed changes a figure stands beside experiments with several seeds."
    )


def _table(page: Page, group: str, rows: Sequence[Row], anchors: dict[str, str]) -> None:
    means = sort_by(over_seeds(row for row in rows if row.status == "finished"), "accuracy")
    if not means:
        page.text("No run of this group finished.")
        return
    columns = [c for c in filled(means) if c.heading != "status"]
    may = [c for c in columns if c.setting or c.heading in {"params", "MACs"}]
    same = [c for c in may if len({c.words(r) for r in means}) == 1]
    if len(means) > 1 and same:
        words = "; ".join(f"{c.heading} {c.words(means[0])}" for c in same)
        page.text(f"The same in all {len(means)}: {words}.", quiet=True)
        columns = [c for c in columns if c not in same]
    if any(row.runs > 1 for row in means):
        page.text(
            "Rows of several seeds hold means; the column “seed” says how many seeds and from "
            "where to where their accuracy goes.",
            quiet=True,
        )
    first = {experiment_of(name): anchor for name, anchor in reversed(anchors.items())}
    columns.sort(key=lambda c: _place(c, group))
    page.table(
        [c.heading for c in columns],
        [[_cell(c, row, first[experiment_of(row.name)]) for c in columns] for row in means],
        sortable={c.heading for c in columns if c.value is not None},
        sorted_down="accuracy",
        caption=f"{_count(len(means), 'experiment')}, the most accurate first. A click on a "
        "heading sorts; a name leads to the run.",
    )


def _place(column: Column, group: str) -> float:
    """Name, accuracy and what it is compared with first, then other figures, then settings."""
    first = {"name": 0, "accuracy": 2, "95 % interval": 3, "theirs": 4}
    if column.heading == _NOTE:
        return 1 if group == ARMS else 9  # among the arms it says what the row is
    return first.get(column.heading, 6 if column.setting else 5)


def _cell(column: Column, row: Row, anchor: str) -> Cell:
    value = None if column.value is None else column.value(row)
    if column.heading == "name":
        return Cell(_short(row), _short(row), link=anchor)
    if value is None and is_number(column) and column.words(row):
        value = 0.0  # the test figure is set flush right but is not sorted by
    return Cell(column.words(row), value, wrap=value is None and len(column.words(row)) > 60)


def _short(row: Row) -> str:
    """Its name within the group; a mere number is shown together with the net."""
    inside = row.name.removeprefix(f"{row.group}/")
    return f"{inside} {row.net}" if inside.isdigit() else inside


def _points(value: float) -> str:
    return f"{value:+.1f}".replace("-", "\u2212")


def _differences(page: Page, results: Sequence[Result], truth: Truth | None) -> None:
    """Compare each arm with the base, on the same images."""
    arms: dict[str, list[Result]] = {}
    for result in _finished(results):
        if not result["name"].startswith(f"{ARMS}/"):
            continue
        arms.setdefault(experiment_of(result["name"]), []).append(result)
    base = arms.pop(BASE, [])
    if truth is None or not base or not arms:
        if truth is None and arms:
            page.text("Differences need valid.json, the labels, beside the results.", quiet=True)
        return
    fitting = {k: v for k, v in arms.items() if all(map(truth.matches_split, [*v, *base]))}
    if len(fitting) < len(arms):
        page.text(f"Not compared, as measured on another split: {len(arms) - len(fitting)}.")
    mixed = [k for k, v in {**fitting, BASE: base}.items() if len(set(map(made_of, v))) > 1]
    if mixed:
        page.text(f"Not compared ({APART}): {', '.join(mixed)}.")
        fitting = {k: v for k, v in fitting.items() if k not in mixed and BASE not in mixed}
    found = [(runs, _against(runs, base, truth)) for runs in fitting.values()]
    if not found:
        return
    least = min(0.0, *(d.low for _, d in found))
    greatest = max(0.0, *(d.high for _, d in found))
    lines = [
        [
            Cell(name := experiment_of(runs[0]["name"]).removeprefix(f"{ARMS}/"), name),
            Cell(str(runs[0]["about"].get("change", ""))),
            Cell(_points(d.points), d.points),
            Cell(f"{_points(d.low)} to {_points(d.high)}"),
            Cell("", span=(d.low, d.points, d.high, least, greatest)),
            Cell(f"{len(runs)} against {len(base)}"),
            Cell(clear := "yes" if d.clear else "no", clear),
        ]
        for runs, d in sorted(found, key=lambda item: -item[1].points)
    ]
    header = ("arm", "change", "points", "95 % interval", "around zero", "seeds", "clear")
    page.table(
        header,
        lines,
        sortable={"arm", "points", "clear"},
        sorted_down="points",
        caption=f"Accuracy minus that of {BASE}, in percentage points, paired over "
        f"{len(truth.truth):,} images; “clear” when the interval leaves zero out",
    )
    seeds = sorted(r["valid"]["accuracy"]["value"] for r in base)
    moved = f"; between the base's own seeds lie {100 * (seeds[-1] - seeds[0]):.1f} points"
    words = f"The interval does not speak of other seeds{moved if len(seeds) > 1 else ''}."
    if len(found) > 4:
        words += f" Of {len(found)} comparisons about {len(found) / 20:.1g} would look clear by "
        words += "chance alone."
    page.text(words, quiet=True)


def _against(runs: Sequence[Result], base: Sequence[Result], truth: Truth) -> Difference:
    one, other = ([truth.answers(r) for r in side] for side in (runs, base))
    return compare(one, other, truth.truth)


def _cost(page: Page, rows: Sequence[Row], costs: dict[str, Any] | None) -> None:
    """Accuracy against milliseconds, or multiply-adds; of the arms the base alone."""
    means = [r for r in over_seeds(rows) if r.runs and (r.group != ARMS or r.name == BASE)]
    timed = [r for r in means if r.ms is not None]
    drawn = timed or [r for r in means if r.macs]
    if len(drawn) < 2:
        return
    order = dict.fromkeys((*_GROUPS, *sorted(r.group for r in drawn)))
    kinds = [g for g in order if any(r.group == g for r in drawn)]
    named: set[tuple[str, str]] = set()
    spots = []
    for row in sort_by(drawn, "accuracy"):
        once = (row.group, row.name if row.group == "full" else row.net)
        label = "" if once in named else _short(row)
        named.add(once)
        cost = f"{row.ms:.3g} ms" if timed else f"{short_count(row.macs)} MACs"
        x, y = row.ms if timed else row.macs, row.accuracy or 0.0
        hint = f"{row.name}: {percent(y)} ({interval(row.accuracy_low, row.accuracy_high)}), {cost}"
        low, high = row.accuracy_low or y, row.accuracy_high or y
        spots.append(Spot(float(x or 1), y, low, high, label, hint, kinds.index(row.group)))
    what = costs["unit"] if timed and costs else "multiply-adds per face"
    page.section(f"Accuracy against {'latency' if timed else 'work'}")
    words = ["Up and left is better; a point says its name on hovering."]
    if "seed2021" in kinds:
        words.append("Where rows of 2021 share a net, the most accurate is named.")
    if ARMS in kinds:
        words.append(f"Of “{_GROUPS[ARMS]}” the base alone is drawn.")
    if timed and len(timed) < len(means):
        words.append(f"{len(means) - len(timed)} not timed.")
    page.text(" ".join(words), quiet=True)
    page.scatter(
        spots,
        kinds=[_GROUPS.get(k, k) for k in kinds],
        axes=(what, "accuracy on the valid split"),
        forms=((lambda v: f"{v:g}") if timed else short_count, lambda v: f"{100 * v:g} %"),
        legend=f"Accuracy with 95 % interval against {what} (logarithmic), "
        f"{_count(len(spots), 'experiment')}",
    )


def _failed(page: Page, rows: Sequence[Row], anchors: dict[str, str]) -> None:
    lost = [row for row in rows if row.status != "finished"]
    if not lost:
        return
    page.section("What failed")
    page.table(
        ("run", "reason"),
        [[Cell(r.name, r.name, link=anchors[r.name]), r.reason] for r in lost],
        caption="Runs without figures, and why",
    )
