"""The 53 experiments on the slides of 2021 as experiments of ours, under a stated budget.

One row of ``experiments/seed2021.csv`` holds what a slide states; ``experiments/_seed2021.toml``
holds what the slides leave open and what is reduced so that a row takes minutes of one core. What a
row reduces is in its ``about.reduced``. Nothing here needs torch.
"""

import csv
from pathlib import Path
from typing import Any

from pyojeong.core.errors import ExperimentError

FOLDER = "seed2021"

_BACKBONES = ("mobilenet", "efficientnet", "inception")

Table = dict[str, Any]


def seed_experiments(file: Path, parent: Table) -> dict[str, Table]:
    """Row ("01" to "53") -> what differs from the parent.

    Args:
        file: The CSV.
        parent: ``_seed2021.toml``, for its ``budget``.

    Raises:
        ExperimentError: When the file lacks a column or a figure is none.
    """
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return {row["row"]: _experiment(row, parent) for row in csv.DictReader(stream)}
    except (OSError, KeyError, ValueError) as error:
        raise ExperimentError(f"{file}: {type(error).__name__}: {error}") from error


def _experiment(row: dict[str, str], parent: Table) -> Table:
    net, budget = row["net"], parent["budget"]
    size = min(int(row["size"]), int(budget["size"][net]))
    epochs = min(int(row["epochs"]), int(budget["epochs"][net]))
    gray = row["channels"] == "1"
    start = budget["start"].get(net)
    table: Table = {
        "net": {"name": net, **_net_options(row)},
        "preprocess": {
            "size_hw": [size, size],
            "color": "gray" if gray else "rgb",
            "mean": [0.0] * (1 if gray else 3),
            "std": [1.0] * (1 if gray else 3),
        },
        "augment": dict(budget["augment"]) if row["augmented"] == "1" else {},
        "recipe": {
            "epochs": epochs,
            "validate_every": epochs,
            "lr": float(row["lr"]),
            "optimizer": row["optimizer"],
            "loss": row["loss"],
        },
    }
    if row["feature"]:
        table["preprocess"]["feature"] = _feature(row["feature"])
    if start is not None:
        table["pretrained"] = start
    if row["optimizer"] == "sgd":
        table["recipe"]["nesterov"] = False
    if row["finetune_lr"]:
        table["recipe"] |= {
            "lr": float(row["finetune_lr"]),
            "frozen_lr": float(row["lr"]),
            "frozen_epochs": epochs // 2,
            "unfrozen": 0.5,
            "freeze_norms": start is not None,
        }
    table["about"] = {
        "group": FOLDER,
        "family": row["family"],
        "row": row["row"],
        "their_accuracy": float(row["their_accuracy"]) if row["their_accuracy"] else None,
        "their_loss": float(row["their_loss"]) if row["their_loss"] else None,
        "note": row["note"],
        "reduced": _reduced(row, parent, size, epochs, start),
    }
    table["about"] = {k: v for k, v in table["about"].items() if v not in {None, ""}}
    return table


def _net_options(row: dict[str, str]) -> Table:
    first, second = float(row["dropout"]), row["second_dropout"]
    if row["net"].startswith(_BACKBONES):
        both: Table = {"head": row["head"], "dropout": float(second or first)}
        return {**both, "first_dropout": first} if second and row["head"] == "dnn" else both
    if row["net"] == "alizadeh_fazel":
        return {"dropout": first, "fc_dropout": float(second or first)}
    if row["net"] == "yu_zhang":
        return {"dropout": first, "pool": "max"}
    return {"dropout": first}


def _feature(words: str) -> Table:
    name, *values = words.split()
    if name == "clahe":
        # Half the tiles: at a third of the pixels theirs would clip at a count of one.
        return {"name": "clahe", "clip": float(values[0]), "grid": max(int(values[1]) // 2, 1)}
    if name == "lbp":
        return {"name": "lbp", "method": values[0]}
    return {"name": name}


def _reduced(row: dict[str, str], parent: Table, size: int, epochs: int, start: Any) -> str:
    parts = [f"{parent['subset']:,} training images"]
    if size != int(row["size"]):
        parts.append(f"{row['size']} to {size} px")
    if epochs != int(row["epochs"]):
        parts.append(f"{row['epochs']} to {epochs} epochs")
    if row["channels"] == "3":
        parts.append("FER2013 is gray: three equal channels")
    if row["net"].startswith(_BACKBONES) and start is None:
        frozen = ", so the frozen phase uses a random trunk" if row["finetune_lr"] else ""
        parts.append(f"no ImageNet weights available{frozen}")
    return "; ".join(parts)
