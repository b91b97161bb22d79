"""The experiment ``finetune``: a shipped model trained on with a data set of one's own.

Net, input and augmentation are those on the model's card; the recipe is short, because the weights
are good already.
"""

from typing import Any

from pyojeong.core.errors import ExperimentError
from pyojeong.zoo import Entry, cards

NAME = "finetune"

MIN_STEPS = 160
"""Steps at least; a training from nothing needs several times as many."""

RECIPE: dict[str, Any] = {
    "epochs": 6,
    "batch_size": 32,
    "lr": 2e-4,
    "schedule": "one-cycle",
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "smoothing": 0.1,
    "vote_weight": 0.0,
    "ema": 0.99,
    "clip": 5.0,
    "pick": "last",
}


def finetune_experiment(entry: Entry, *, name: str = NAME) -> dict[str, Any]:
    """Return the experiment that trains a shipped model on, as ``Experiment.from_toml`` reads it.

    Args:
        entry: A classifier that pyojeong exported: its card holds the experiment it came from.
        name: Of the new experiment; its run folder is called so.

    Raises:
        ExperimentError: When the card does not say what net the model is.
    """
    made_of = entry.card.training.get("experiment") or {}
    if not {"net", "net_options", "preprocess"} <= made_of.keys():
        raise ExperimentError(
            f"model {entry.card.id!r} could not be trained on: its card does not say of which net "
            "it was made; models that `pyojeong export` wrote do"
        )
    preprocess = {k: v for k, v in made_of["preprocess"].items() if k in _INPUT and v is not None}
    known = cards().get(entry.card.id)
    return {
        "name": name,
        "start": entry.card.id if known is not None else str(entry.weights.resolve()),
        "net": {"name": made_of["net"], **made_of["net_options"]},
        "preprocess": preprocess,
        "augment": made_of.get("augment", {}),
        "recipe": dict(RECIPE),
        "about": {"family": made_of["net"], "group": NAME},
    }


_INPUT = ("size_hw", "color", "mean", "std", "center_fraction", "feature")
