"""Results of runs, read without torch: what the table and the page are made of."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import read_record

COSTS_VERSION = 1


def matching_results(
    results: Sequence[dict[str, Any]], patterns: Iterable[str]
) -> list[dict[str, Any]]:
    """Return the results of runs, experiments or folders of these names.

    All of them for no pattern.

    Raises:
        ExperimentError: When a pattern matches nothing, with the nearest names.
    """
    chosen: dict[str, dict[str, Any]] = {}
    wanted = list(patterns)
    if not wanted:
        return list(results)
    for pattern in wanted:
        inside = pattern.rstrip("/") + "/"
        here = {
            r["name"]: r
            for r in results
            if pattern in {r["name"], experiment_of(r["name"])} or r["name"].startswith(inside)
        }
        if not here:
            known = sorted({experiment_of(r["name"]) for r in results})
            near = get_close_matches(pattern, known, n=3, cutoff=0.5)
            hint = f": did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise ExperimentError(f"no result of {pattern!r}{hint} ({len(known)} experiments here)")
        chosen |= here
    return [chosen[name] for name in sorted(chosen)]


def experiment_of(name: str) -> str:
    """Return a run's name without the seed: ``"arms/base.s2"`` -> ``"arms/base"``."""
    return re.sub(r"\.s\d+$", "", name)


def beside(folder: Path, name: str) -> Path | None:
    """Return a file in a folder of results or in the one above, for example ``costs.json``."""
    return next((f for f in (folder / name, folder.parent / name) if f.is_file()), None)


def cost_key(settings: dict[str, Any]) -> str:
    """Return what decides a net's latency; key of ``nets`` in ``costs.json``."""
    parts = ("net", "net_options", "size_hw", "color", "feature")
    return json.dumps([settings[part] for part in parts], sort_keys=True)


def read_costs(folder: Path) -> dict[str, Any] | None:
    """``costs.json`` of a folder of results; None when nets were not timed.

    Raises:
        ExperimentError: When the file is damaged or of another version.
    """
    file = beside(folder, "costs.json")
    if file is None:
        return None
    cure = "measure again with `pyojeong experiments time`"
    costs = read_record(file, cure=cure, keys=("version", "nets", "unit"))
    version, nets = costs["version"], costs["nets"]
    if version != COSTS_VERSION or not isinstance(nets, dict):
        raise ExperimentError(
            f"{file}: costs of version {version}, this pyojeong reads {COSTS_VERSION}: {cure}"
        )
    return costs


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run, or the mean over an experiment's seeds, as the table has it.

    Attributes:
        name: Run or, over seeds, experiment.
        group: ``about.group``; "others" when there is none.
        note: What is special about it, in the experiment's own words.
        net: Name of the net.
        options: Its options in few words.
        input: Height in pixels and colour, for example ``"48 gray"``.
        feature: What is computed from the pixels; "" = nothing.
        augmented: True when training images were changed at random.
        loss: With smoothing, class weights, votes and teacher.
        optimizer: Its name.
        lr: Learning rate.
        frozen_lr: Rate of the first phase, in which only the head learned; None = one phase.
        epochs: Passes over the training split.
        pretrained: Weights from elsewhere; "" = none.
        train_samples: Training images.
        accuracy: On Split.VALID, in [0, 1]; low and high are its 95 % interval over images (over
            seeds: the mean of the seeds' bounds).
        macro_f1: On Split.VALID.
        ece: On Split.VALID, after one fitted temperature.
        test_accuracy: On Split.TEST where a look was taken, else None.
        params: Weights.
        macs: Multiply-adds.
        ms: Milliseconds per face.
        minutes: Training time.
        seed: None over several seeds.
        made_of: What runs over which a mean is taken must share: settings and data.
        runs: How many finished runs the row is made of.
        seeds_low: Least accuracy over seeds; None for one run. ``seeds_high`` is the greatest.
        their_accuracy: The students' figure on their own images.
        status: ``"finished"`` or ``"failed"``.
        reason: Why it failed.
    """

    name: str
    group: str
    note: str
    net: str
    options: str
    input: str
    feature: str
    augmented: bool
    loss: str
    optimizer: str
    lr: float
    frozen_lr: float | None
    epochs: int
    pretrained: str
    train_samples: int | None = None
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    macro_f1: float | None = None
    ece: float | None = None
    test_accuracy: float | None = None
    test_low: float | None = None
    test_high: float | None = None
    params: int | None = None
    macs: int | None = None
    ms: float | None = None
    minutes: float | None = None
    seed: int | None = None
    made_of: str = ""
    runs: int = 1
    seeds_low: float | None = None
    seeds_high: float | None = None
    their_accuracy: float | None = None
    status: str
    reason: str = ""


def row_of(result: dict[str, Any], costs: dict[str, Any] | None = None) -> Row:
    """Return a result as a row.

    Args:
        result: Of a run, finished or failed.
        costs: Content of ``costs.json``.

    Raises:
        ExperimentError: When the result lacks something.
    """
    try:
        chosen, about = result["settings"], result["about"]
        height, width = chosen["size_hw"]
        nets = costs["nets"] if costs else {}
        figures = _figures(result) if result["status"] == "finished" else {}
        return Row(
            name=result["name"],
            group=str(about.get("group", "others")),
            note=str(about.get("change", about.get("note", ""))),
            net=chosen["net"],
            options=", ".join(f"{k} {_option(v)}" for k, v in chosen["net_options"].items()),
            input=f"{height if height == width else f'{height}x{width}'} {chosen['color']}",
            feature=chosen["feature"] or "",
            augmented=chosen["augmented"],
            loss=_loss(chosen),
            optimizer=chosen["optimizer"],
            lr=chosen["lr"],
            frozen_lr=chosen["frozen_lr"],
            epochs=chosen["epochs"],
            pretrained=chosen["pretrained"] or chosen["start"] or "",
            ms=nets.get(cost_key(chosen), {}).get("ms"),
            minutes=result.get("minutes"),
            seed=result["seed"],
            made_of=made_of(result),
            their_accuracy=about.get("their_accuracy"),
            status=result["status"],
            reason=result["reason"] or "",
            **figures,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ExperimentError(
            f"result {result.get('name')!r} lacks something ({type(error).__name__}: {error}): "
            "measure it again"
        ) from error


def _figures(result: dict[str, Any]) -> dict[str, Any]:
    valid, test = result["valid"], result["test"]
    out = {
        "train_samples": result["train_samples"],
        "accuracy": valid["accuracy"]["value"],
        "accuracy_low": valid["accuracy"]["low"],
        "accuracy_high": valid["accuracy"]["high"],
        "macro_f1": valid["macro_f1"]["value"],
        "ece": valid["ece"]["value"],
        "params": result["params"],
        "macs": result["macs"],
    }
    if test is not None:
        seen = test["accuracy"]
        out |= {"test_accuracy": seen["value"], "test_low": seen["low"], "test_high": seen["high"]}
    return out


def _option(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def _loss(chosen: dict[str, Any]) -> str:
    parts = [chosen["loss"]]
    parts += [f"smoothing {chosen['smoothing']:g}"] if chosen["smoothing"] else []
    parts += ["class weights"] if chosen["class_weights"] != "none" else []
    parts += ["votes"] if chosen["votes"] else []
    parts += [f"teacher {chosen['teacher']}"] if chosen["teacher"] else []
    parts += [f"mixup {chosen['mixup']:g}"] if chosen.get("mixup") else []  # older ones lack it
    return ", ".join(parts)


_SAME_DATA = ("manifest_id", "manifest_content", "limit", "min_steps")


def made_of(result: dict[str, Any]) -> str:
    """Return what runs of one experiment share when they differ in the seed alone."""
    environment = result.get("environment") or {}
    data = {key: environment.get(key) for key in _SAME_DATA}
    # Settings that came later than a result were off when it was made.
    known = {key: value for key, value in {**result["settings"], **data}.items() if value}
    return json.dumps(known, sort_keys=True)


def over_seeds(rows: Iterable[Row]) -> list[Row]:
    """Return one row per experiment (means, range over seeds), in the order of their first runs.

    Runs of other settings, data or number of images are other experiments, whatever their name:
    each kind is a row of its own that says so.
    """
    together: dict[str, list[Row]] = {}
    for row in rows:
        together.setdefault(experiment_of(row.name), []).append(row)
    return [mean for name, group in together.items() for mean in _means(name, group)]


def _means(name: str, rows: Sequence[Row]) -> list[Row]:
    done = [row for row in rows if row.status == "finished"]
    kinds = dict.fromkeys((row.made_of, row.train_samples) for row in done)
    if len(kinds) < 2:
        return [_mean(name, rows)]
    out = []
    for kind in kinds:
        group = [row for row in done if (row.made_of, row.train_samples) == kind]
        out.append(replace(_mean(name, group), reason=APART))
    return out


APART = "other seeds have other settings or data"
"""Reason in a row over seeds when not all runs of the experiment are in it."""


_AVERAGED = ("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "ece", "minutes")
_LOOKS = ("test_accuracy", "test_low", "test_high")


def _mean(name: str, rows: Sequence[Row]) -> Row:
    done = [row for row in rows if row.status == "finished"]
    if not done:
        return replace(rows[0], name=name, runs=0)
    failed = len(rows) - len(done)
    first = replace(
        done[0], name=name, reason=f"{failed} of {len(rows)} seeds failed" if failed else ""
    )
    if len(done) == 1:
        return first
    means: dict[str, Any] = {}
    for part in (*_AVERAGED, *_LOOKS):
        values = [getattr(row, part) for row in done]
        known = None not in values
        means[part] = round(sum(values) / len(values), 5) if known else None
    accuracies = [row.accuracy for row in done if row.accuracy is not None]
    return replace(
        first,
        seed=None,
        runs=len(done),
        seeds_low=min(accuracies),
        seeds_high=max(accuracies),
        **means,
    )


SORTS = {"name": 1, "accuracy": -1, "params": 1, "macs": 1, "ms": 1, "minutes": 1}
"""What rows can be sorted by; -1 = the greatest first."""


def sort_by(rows: Iterable[Row], key: str) -> list[Row]:
    """Return rows sorted by a key of ``SORTS``; those without the figure come last.

    Raises:
        ExperimentError: For an unknown key, and for the test figure.
    """
    if key.startswith("test"):
        raise ExperimentError(
            "rows are not sorted by the test figure: taking the first of such a list means "
            "chosen on the test split, and the figure says nothing about new faces any more. Sort "
            "by accuracy, which is measured on the valid split"
        )
    if key not in SORTS:
        near = get_close_matches(key, SORTS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ExperimentError(f"unknown sort {key!r}: {hint}Known: {', '.join(SORTS)}.")

    def place(row: Row) -> tuple[bool, Any, str]:
        value = getattr(row, key)
        if value is None:
            return True, 0, row.name
        return False, value if isinstance(value, str) else SORTS[key] * value, row.name

    return sorted(rows, key=place)
