"""One run on the page of results: its figures, curves, answers, settings and environment."""

from typing import Any

from pyojeong.experiments.result_table import interval, percent, rate, short_count, short_reason
from pyojeong.experiments.results import Row
from pyojeong.output.charts import Line
from pyojeong.output.page import Cell, Page

Result = dict[str, Any]


def add_run(page: Page, result: Result, row: Row, anchor: str) -> None:
    """Add one run, folded away; ``anchor`` is where links to it lead."""
    bounds = interval(row.accuracy_low, row.accuracy_high)
    note = (
        f"{percent(row.accuracy)} ({bounds}), {short_count(row.params)} weights"
        if row.status == "finished"
        else f"{row.status}: {short_reason(row.reason, longest=90)}"
    )
    with page.details(row.name, note, anchor=anchor):
        if row.reason:
            page.code(row.reason)
        if row.status == "finished":
            _figures(page, result)
        _curves(page, result)
        if row.status == "finished":
            _answers(page, result)
        settings = {"seed": result["seed"], **result["settings"]}
        about = {k: v for k, v in result["about"].items() if k != "group"}
        page.table(("setting", "value"), _pairs(settings), caption="Settings")
        page.table(("about", ""), _pairs(about), caption="What the experiment says of itself")
        page.table(
            ("environment", "value"), _pairs(result["environment"] or {}), caption="Environment"
        )


def _pairs(table: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (k.replace("_", " "), _setting_text(v)) for k, v in table.items() if v not in (None, {}, [])
    ]


def _setting_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return rate(value) if 0 < value < 0.01 else f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_setting_text(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(_setting_text, value))
    return str(value)


_MEASURED = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
}


def _figures(page: Page, result: Result) -> None:
    splits = [result["valid"], *([result["test"]] if result["test"] else [])]
    rows = [
        [
            split["split"],
            words,
            Cell(percent(split[k]["value"]), split[k]["value"]),
            interval(split[k]["low"], split[k]["high"]),
        ]
        for split in splits
        for k, words in _MEASURED.items()
    ]
    # The bootstrap of a calibration error is biased upwards, so its interval is not shown.
    rows += [
        [s["split"], "calibration error", Cell(percent(s["ece"]["value"]), s["ece"]["value"]), ""]
        for s in splits
    ]
    page.table(
        ("split", "figure", "value", "95 % interval"),
        rows,
        caption=f"Epoch {result['picked_epoch'] + 1} of {result['settings']['epochs']}, "
        f"temperature {result['valid']['temperature']:g}, {_minutes(result)}, "
        f"{short_count(result['macs'])} multiply-adds",
    )
    for look in result.get("test_split_uses") or result.get("test_looks") or []:
        page.text(f"Scored on the test split: {look.get('time', '')}", quiet=True)


def _minutes(result: Result) -> str:
    return f"{result['minutes']:.1f} minutes for {result['train_samples']:,} images"


def _curves(page: Page, result: Result) -> None:
    curves = result["curves"]
    if not curves:
        return

    def line(key: str, label: str) -> Line:
        return Line(label, [(row["epoch"] + 1, row[key]) for row in curves if key in row])

    name = result["name"]
    losses = [line("train_loss", "train"), line("valid_loss", "valid")]
    page.lines(losses, legend=f"Loss per epoch, {name}", form=lambda v: f"{v:.4g}")
    accuracy = line("valid_accuracy", "valid")
    if len(accuracy.points) > 1:
        page.lines(
            [accuracy],
            legend=f"Accuracy on the valid split per epoch, {name}",
            form=lambda v: f"{100 * v:.3g} %",
        )


def _answers(page: Page, result: Result) -> None:
    valid = result["valid"]
    labels, counts = valid["labels"], valid["confusion"]
    page.matrix(
        labels, counts, legend="Answers (columns) per label (rows), per cent of the row and count"
    )
    rows = []
    for i, name in enumerate(labels):
        answered = sum(row[i] for row in counts)
        right = counts[i][i] / answered if answered else None
        recall = valid["recall"][name]
        shares = [Cell(percent(v) or "–", 0.0 if v is None else v) for v in (recall, right)]
        rows.append([name, sum(counts[i]), *shares])
    page.table(
        ("label", "images", "recall", "precision"), rows, caption="Per class on the valid split"
    )
