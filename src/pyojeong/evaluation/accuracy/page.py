"""Result files of several models as one HTML page: the tables, with plots of the calibration."""

from collections.abc import Sequence

from pyojeong.evaluation.accuracy.table import SPLITS, Result, Table
from pyojeong.evaluation.accuracy.tables import capital, lead, tables
from pyojeong.output.charts import Line
from pyojeong.output.page import Page

_FEW = 20
"""Bins of a reliability plot with fewer faces than this are noise and are not drawn."""


def to_page(results: Sequence[Result]) -> Page:
    """Return the page; write it with ``Page.write``.

    Raises:
        DataError: When the results cannot stand side by side.
    """
    page = Page("Accuracy", lead(results).replace("`", ""))
    made = tables(results)
    shown = {words: [r for r in results if r["splits"].get(s)] for s, words in SPLITS.items()}
    first = max(
        i for i, table in enumerate(made, 1) if table.title in map(capital, SPLITS.values())
    )
    _add_tables(page, made[:first])
    for split, words in SPLITS.items():
        if shown[words]:
            _add_calibration(page, shown[words], split)
    _add_tables(page, made[first:])
    return page


def _add_tables(page: Page, made: Sequence[Table]) -> None:
    for table in made:
        page.section(table.title)
        if table.words:
            page.text(table.words.replace("`", ""))
        page.table(table.header, [[cell.replace("`", "") for cell in row] for row in table.rows])


def _add_calibration(page: Page, shown: Sequence[Result], split: str) -> None:
    page.section(f"Calibration on the {SPLITS[split]}")
    page.lines(
        [Line("calibrated", [(20, 20), (100, 100)]), *(_reliability(r, split) for r in shown)],
        legend="Accuracy of the answers at each confidence, %; below the diagonal = "
        f"overconfident. Bins with fewer than {_FEW} faces are left out.",
        x_words="confidence, %",
        form=lambda v: f"{v:.0f}",
    )
    page.lines(
        [_risk(r, split) for r in shown],
        legend="Error rate of the answers, %, when only the most confident ones are kept.",
        x_words="coverage, %",
        form=lambda v: f"{v:.0f}",
    )
    for r in shown:
        found = r["splits"][split]
        page.matrix(
            list(found["recall"]),
            found["confusion"],
            legend=f"{r['model']}, {SPLITS[split]}: rows are labels, columns are answers.",
        )


def _reliability(result: Result, split: str) -> Line:
    bins = result["splits"][split]["calibration"]["reliability"]
    return Line(
        _short(result["model"]),
        [(100 * b["confidence"], 100 * b["accuracy"]) for b in bins if b["n"] >= _FEW],
    )


def _risk(result: Result, split: str) -> Line:
    points = result["splits"][split]["calibration"]["risk_coverage"]["points"]
    return Line(_short(result["model"]), [(100 * share, 100 * risk) for share, risk in points])


def _short(model: str) -> str:
    """Return a short id: ``seresnet-s-fer2013-fer7.v1`` -> ``seresnet-s.v1``."""
    name, _, version = model.partition(".")
    return ".".join(part for part in ("-".join(name.split("-")[:2]), version) if part)
