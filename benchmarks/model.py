"""The bundled model's figures as a page, from the card that ``pyojeong export`` wrote.

python benchmarks/model.py --out docs/benchmarks/model.md
"""

import argparse
import json
from pathlib import Path
from typing import Any

from pyojeong.core.card import ModelCard
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.training.nets.registry import STACKED
from pyojeong.training.soft_labels import SoftLabels

DATA = "--data ../shared/data/fer2013/fer2013.csv.xz --votes ../shared/data/fer2013/fer2013new.csv"
ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
ROWS = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll")


KEPT = "runs/votes/kept.soft.npz"
TABLES = (
    f"pyojeong data import {DATA.removeprefix('--data ')} --out runs/fer2013.parquet",
    "python -m benchmarks.vote_data --data runs/fer2013.parquet --photographs "
    "../shared/data/photographs --out runs/votes",
    "python -m benchmarks.vote_teachers train votes/teacher.s1 --data runs/votes/mixed.parquet",
    "python -m benchmarks.vote_teachers answer votes/teacher.s1 --data runs/votes/mixed.parquet "
    "--share 0.3 --out runs/votes/answers.npz",
    "python -m benchmarks.vote_retention votes experiments/packed/model/taught-by-columns.npz "
    "--data runs/fer2013.parquet --rated runs/votes/answers.rated.npz --out runs/votes/kept.npz",
    "python -m benchmarks.vote_data --data runs/fer2013.parquet --photographs "
    "../shared/data/photographs --unrated runs/votes/answers.npz --rated runs/votes/kept.npz "
    "--name kept --out runs/votes",
    "python -m benchmarks.vote_retention labels experiments/packed/model/taught-by-columns.npz "
    f"--data runs/votes/kept.parquet --model VGGFACE2.onnx --out {KEPT}  "
    "# the export of model/columns-vggface2",
)
"""What makes the tables of FER2013 and photographs."""


def shown(figure: dict[str, float], *, percent: bool) -> str:
    """A figure with its interval."""
    form = (
        "{value:.1%} [{low:.1%}, {high:.1%}]" if percent else "{value:.3f} [{low:.3f}, {high:.3f}]"
    )
    return form.format(**figure)


def split_rows(metrics: dict[str, Any]) -> list[str]:
    """One row per metric, one column per split."""
    valid, test = metrics["valid"], metrics["test"]
    clean = test["deduplicated"]
    lines = [
        f"| | PublicTest (chosen on; n = {valid['n']:,}) | PrivateTest (n = {test['n']:,}) "
        f"| PrivateTest without images of earlier splits (n = {clean['n']:,}) |",
        "|---|---|---|---|",
    ]
    for name in ROWS:
        cells = [
            shown(part[name], percent=name in {"accuracy", "balanced_accuracy"})
            if name in part
            else ""
            for part in (valid, test, clean)
        ]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    answered = [
        f"{p['answered']['accuracy']:.1%} at {p['answered']['share']:.1%}" for p in (valid, test)
    ]
    lines.append(f"| accuracy of the answers at coverage | {' | '.join(answered)} | |")
    return lines


def vote_rows(card: ModelCard) -> list[str]:
    """The default output: the vote head on photographs."""
    votes, found = card.vote_calibration, card.metrics["photographs"]
    if votes is None:
        return []
    held, answered = found["cross_fitted"], found["answered"]
    shares = ", ".join(f"{name} {share:.1%}" for name, share in votes.prior.items())
    recall = ", ".join(f"{name} {value:.0%}" for name, value in found["recall"].items())
    return [
        f"**An answer is the share of people who would give each label** (temperature "
        f"{votes.temperature}, default prior `{votes.default_prior}`, unclear below "
        f"{votes.threshold}). The calibration was fitted on {votes.fitted_on}. Natural base rates: "
        f"{shares}.",
        "",
        f"On {found['n']} photographs with an agreed label, default prior: accuracy "
        f"{shown(found['accuracy'], percent=True)}, balanced accuracy "
        f"{shown(found['balanced_accuracy'], percent=True)}, macro AUROC "
        f"{shown(found['auroc'], percent=False)}. Recall: {recall}. Coverage "
        f"{answered['share']:.1%}, accuracy of the answers {answered['accuracy']:.1%}. "
        f"Cross-fitted by person: {held['answered']['share']:.1%} and "
        f"{held['answered']['accuracy']:.1%}, calibration error of shares "
        f"{shown(held['vote_ece'], percent=False)}. All figures: [accuracy](accuracy.md).",
        "",
        "## The FER2013 output",
        "",
        "For comparison with published figures (`--output fer2013`):",
        "",
    ]


def class_rows(test: dict[str, Any]) -> list[str]:
    """Recall and confusion of every class on PrivateTest."""
    names = list(test["recall"])
    lines = ["| label | recall | " + " | ".join(f"read as {n}" for n in names) + " |"]
    lines.append("|---|--:|" + "--:|" * len(names))
    for name, counts in zip(names, test["confusion"], strict=True):
        lines.append(f"| {name} | {test['recall'][name]:.1%} | {' | '.join(map(str, counts))} |")
    return lines


def stages_of(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The experiments that led to the model, first to last, its own included."""
    return [*training["stages"], training["experiment"]]


def data_of(stage: dict[str, Any]) -> str:
    """What a stage was trained on, as options."""
    mixed = (stage.get("sampling") or {}).get("shares")
    return "--data runs/votes/kept.parquet" if mixed else DATA


def command(stage: dict[str, Any]) -> str:
    """What trains a stage."""
    data = data_of(stage)
    name, dot, seed = stage["name"].rpartition(".s")
    if not dot or not seed.isdigit():
        return f"pyojeong train experiments/{stage['name']}.toml {data}"
    return f"pyojeong experiments run {name} --seed {seed} {data}"


def commands(stages: list[dict[str, Any]]) -> list[str]:
    """What trains the stages, and what writes the soft labels that they learn from."""
    lines: list[str] = []
    written: set[str] = set()
    for stage in stages:
        if data_of(stage) != DATA and TABLES[0] not in lines:
            lines += TABLES
        soft_labels = stage["recipe"].get("soft_labels")
        if soft_labels not in {None, KEPT, *written}:
            written.add(soft_labels)
            lines.append(teach(stage, soft_labels))
        lines.append(command(stage))
    return lines


def teach(stage: dict[str, Any], soft_labels: str) -> str:
    """What writes the soft labels that a stage is the first to learn from.

    Without temperatures they are of answers as they were, which are given weights today.
    """
    soft = SoftLabels.read(ROOT / soft_labels)
    runs = " ".join(f"runs/{name}" for name in soft.facts["teachers"])
    like = stage["name"].rpartition(".s")[0]
    how = f"--views {soft.facts['views']} --average" if soft.per_face else f"--views {soft.views}"
    if "temperatures" not in soft.facts:
        how += "".join(f" --weight {share}" for share in soft.facts["teachers"].values())
    return f"pyojeong experiments distill {runs} {DATA} --like {like} {how} --out {soft_labels}"


def storages(card: ModelCard) -> str:
    """What ``export`` was asked for."""
    return "both" if card.variant else "int8" if "int8_effect" in card.metrics else "float16"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    entry = find_classifier(options.model)
    card = entry.card
    training, stages = card.training, stages_of(card.training)
    names = [stage["name"] for stage in stages]
    epochs = " + ".join(str(stage["recipe"]["epochs"]) for stage in stages)
    ledger = RESULTS / f"{names[-1]}.test_looks.jsonl"
    looks = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
    storage = "int8" if "int8_effect" in card.metrics else "float16"
    if storage == "int8":
        effect = card.metrics["int8_effect"]
        stored = (
            "Storing the weights as int8 changes accuracy on PublicTest from "
            f"{effect['valid_accuracy_before']:.2%} to {effect['valid_accuracy_after']:.2%} and "
            f"keeps {effect['same_answers']:.1%} of the answers"
        )
        if card.variant:
            stored += f". The variant `{card.variant}` beside it has the same weights"
    else:
        stored = f"Effect of storing weights as float16: {card.metrics['half_effect']:.1e}"
    tried = training["calibration_on_valid"]
    named = ", ".join(f"{k}: NLL {v['nll']:.4f}, ECE {v['ece']:.4f}" for k, v in tried.items())
    kind = "vector scaling" if card.logit_scale else f"temperature {card.temperature}"
    calibration = (
        f"Calibrated by {kind}, the better method in cross-validation on PublicTest ({named})."
    )
    way = f"Experiments `{'`, then `'.join(names)}`"
    if members := training["experiment"]["members"]:
        joined = training["experiment"]["net"] in STACKED
        how = "joins" if joined else "starts from the mean weights of"
        way = (
            f"Experiments `{'`, `'.join(names[:-1])}`; then `{names[-1]}`, which {how} "
            f"`{'`, `'.join(members)}`"
        )
    last = training["experiment"]["recipe"].get("pick") == "last"
    picked = ", its last epoch" if last else ", chosen on PublicTest"
    lines = [
        f"# {card.id}",
        "",
        card.description,
        "",
        *vote_rows(card),
        f"{way}. Epochs: {epochs}. The weights are from epoch {training['best_epoch'] + 1} of the "
        f"last experiment{picked}. {calibration} An answer of this output with a score below "
        f"{card.threshold} counts as unclear. Single view, no test-time augmentation. Brackets are "
        "95 % bootstrap intervals. The runtime computed the figures from the ONNX file "
        f"({entry.weights.stat().st_size / 1e6:.2f} MB) when it was exported "
        f"({training['exported']}, commit `{training['commit'][:12]}`).",
        "",
        *split_rows(card.metrics),
        "",
        f"PrivateTest was used {len(looks)} time(s) for this model, each time by an export: "
        + "; ".join("accuracy {accuracy:.1%}, ECE {ece:.3f}".format(**k) for k in looks)
        + ". Calibration was chosen on PublicTest by cross-validation. The last column leaves out "
        "images that are also in Training or PublicTest, byte for byte.",
        "",
        "PrivateTest, per class:",
        "",
        *class_rows(card.metrics["test"]),
        "",
        f"Largest difference of logits between ONNX and torch: {card.metrics['onnx_parity']:.1e}. "
        f"{stored}.",
        "",
        "Made by:",
        "",
        "```",
        *commands(stages),
        f"pyojeong export runs/{names[-1]} {data_of(stages[-1])} --id {card.id} "
        f"--storage {storages(card)} --about experiments/{options.model}.about.toml "
        "--out src/pyojeong/models",
        f"python benchmarks/model.py --out {options.out}",
        "```",
        "",
        "Limits:",
        "",
        *(f"- {limit}" for limit in card.limits),
    ]
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
