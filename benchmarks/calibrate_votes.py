"""Calibrate the vote heads of the bundled models, and write it on their cards.

    python -m benchmarks.calibrate_votes --data FER2013.parquet --photographs ../shared/data/wild

The network files stay as they are; description and limits are taken from
experiments/*.about.toml. Temperature: least cross-entropy to the votes of FER2013's
PublicTest (natural base rates) and of the photographs (default base rates), which weigh the same.
Base rates: "natural" = mean vote shares of the faces that the training showed; the default is the
named prior that is right most often on photographs with an agreed label. Threshold: the lowest one
above which 90 % of those answers are right. What this gives people who took no part in it is
cross-fitted by `pyojeong bench accuracy`.
"""

import argparse
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.card import ModelCard
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.datasets.samples import Split
from pyojeong.evaluation.accuracy.voted import (
    TARGET,
    natural_faces,
    read_outputs,
    read_voted_photographs,
    voted_faces,
    voted_figures,
)
from pyojeong.evaluation.scoring import predict_split
from pyojeong.export.base_rates import votes_shown
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.golden import golden_logits, golden_path
from pyojeong.training.data.sampling import Sampling
from pyojeong.vote_calibration import fit_votes, natural_prior, rounded_shares, to_calibration
from pyojeong.zoo import BUNDLED, SHORT_NAMES, find

ROOT = Path(__file__).parents[1]

say = Console(stderr=True, highlight=False)


def learned_prior(card: ModelCard, manifest: Path, tables: Path) -> dict[str, float]:
    """Base rates of the votes that a model's last training showed."""
    sampling = card.training["experiment"].get("sampling") or {}
    if not sampling.get("shares"):
        return natural_prior(votes_shown(manifest), FERPLUS8)
    given = Sampling(**{**sampling, "unlabeled": tuple(sampling["unlabeled"])})
    return natural_prior(votes_shown(tables / card.training["data"], given), FERPLUS8)


def label_shares(card: ModelCard) -> dict[str, float]:
    """Base rates of the labels that the first output was calibrated on: PublicTest's."""
    counts = np.array(card.metrics["valid"]["confusion"]).sum(1)
    return rounded_shares(counts, FER7)


def words_of(name: str) -> dict[str, Any]:
    """Description and limits of a bundled model, by its short name."""
    about = tomllib.loads((ROOT / "experiments" / f"{name}.about.toml").read_text("utf-8"))
    return {"description": about["description"], "limits": tuple(about["limits"])}


def calibrate(model: str, manifest: Path, photographs: Path, prior: dict[str, float]) -> ModelCard:
    """Fit one model; returns its new card."""
    analyzer = Analyzer(model, threads=2)
    card = analyzer.classifier.card
    natural = natural_faces(predict_split(analyzer.classifier, manifest, Split.VALID))
    shown = track(read_voted_photographs(photographs), card.id, console=say)
    read = read_outputs(analyzer, list(shown))
    faces = voted_faces(read)
    shares = np.array([prior[name] for name in FER7.names])
    fit = fit_votes(natural, faces, FER7, shares / shares.sum(), target=TARGET)
    words = (
        f"{len(natural):,} faces of FER2013 PublicTest with FER+ votes and {len(faces):,} "
        f"photographs with the votes of a vision-language model asked twice "
        f"({int((faces.agreed >= 0).sum())} agreed)"
    )
    say.print(f"{card.id}: {fit}")
    card = replace(
        card, vote_calibration=to_calibration(fit, prior, words), prior=label_shares(card)
    )
    found = voted_figures(card, read, natural)
    default = found["by_prior"][fit.prior]
    kept = ("accuracy", "balanced_accuracy", "auroc", "vote_ece", "recall", "answered")
    figures = {
        "name": photographs.name,
        "truth": "labels on which the annotators agree",
        "n": found["n"],
        "prior": fit.prior,
        **{name: default[name] for name in kept},
        "cross_fitted": found["cross_fitted"],
    }
    card = replace(card, metrics={**card.metrics, "photographs": figures})
    np.savez_compressed(golden_path(BUNDLED, card.id), logits=golden_logits(analyzer.classifier))
    return card


def main() -> None:
    """Calibrate every bundled classifier."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="FER2013 with votes, .parquet")
    parser.add_argument("--photographs", type=Path, required=True, help="votes.csv and images/")
    parser.add_argument("--tables", type=Path, default=Path("runs/votes"), help="merged tables")
    given = parser.parse_args()
    for short, name in SHORT_NAMES.items():
        for model in filter(None, (name, find(name).card.variant)):
            prior = learned_prior(find(model).card, given.data, given.tables)
            card = calibrate(model, given.data, given.photographs, prior)
            card = replace(card, **words_of(short))
            with atomic_write(BUNDLED / f"{card.id}.card.json", "w") as file:
                file.write(card.to_file_text())


if __name__ == "__main__":
    main()
