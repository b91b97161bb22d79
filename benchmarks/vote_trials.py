"""Measure finished runs on votes: FER2013's PublicTest, and photographs that none was trained on.

    python -m benchmarks.vote_trials runs/votes/base.s1 --data FER2013.parquet \
        --wild ../shared/data/wild

Every run becomes a file in experiments/results/votes. With `--together NAME` the runs answer as one
(their shares averaged). PrivateTest is never read. Calibration is fitted as for a published model
(benchmarks/calibrate_votes.py), on the votes that are scored; the file also has cross-fitted
figures.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.vote_data import SIDE_PX, framing_like_fer2013
from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.calibration import softmax
from pyojeong.core.card import ModelCard
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.datasets.layout_ferplus import majority
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.evaluation.accuracy.voted import (
    SEVEN,
    VotedOutputs,
    VotedPhotograph,
    read_voted_photographs,
    voted_faces,
    voted_figures,
)
from pyojeong.export.base_rates import votes_shown
from pyojeong.image.files import read_image
from pyojeong.image.preprocess import matrix_for_face, to_gray, warp
from pyojeong.metrics import divergence, vote_ece, widest_threshold
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import Faces, load_faces
from pyojeong.training.ensemble.member import Member, open_member
from pyojeong.training.run import Run
from pyojeong.vote_calibration import (
    VotedFaces,
    fit_votes,
    natural_prior,
    pluralities,
    shares_of,
    to_calibration,
)

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results" / "votes"
RIGHT = 0.90
"""Share of the answers that shall be right."""

say = Console(stderr=True, highlight=False)
Logits = NDArray[np.float32]


def wild_faces(folder: Path, cache: Path) -> tuple[list[VotedPhotograph], Faces, NDArray[np.bool_]]:
    """Return voted photographs, their aligned faces (those found), and which were found."""
    photographs = read_voted_photographs(folder)
    file = cache / "wild_faces.npz"
    if not file.exists():
        detector, framing = build_detector("auto"), framing_like_fer2013()
        found = np.zeros(len(photographs), bool)
        crops = np.zeros((len(photographs), SIDE_PX, SIDE_PX), np.uint8)
        for i, photograph in enumerate(photographs):
            image = read_image(photograph.path)
            faces = detector.detect(image)
            if faces:
                found[i] = True
                matrix = matrix_for_face(framing, faces[0])
                crops[i] = to_gray(warp(image, matrix, framing.size_hw))
        with atomic_write(file, "wb") as stream:
            np.savez_compressed(stream, crops=crops, found=found)
    with np.load(file, allow_pickle=False) as data:
        crops, found = data["crops"], data["found"]
    count = int(found.sum())
    empty = np.zeros((count, len(FERPLUS8)), np.float32)
    return photographs, Faces(list(crops[found]), np.zeros(count, np.int64), empty), found


@torch.inference_mode()
def outputs_of(member: Member, faces: Faces, *, mirrored: bool = False) -> tuple[Logits, Logits]:
    """Return logits of both heads."""
    data = FaceDataset(faces, member.pre)
    rows: list[tuple[Logits, Logits]] = []
    layout = torch.channels_last if member.channels_last else torch.contiguous_format
    for start in range(0, len(data), 256):
        x = data.__getitems__(list(range(start, min(start + 256, len(data))))).inputs
        x = x.flip(3) if mirrored else x
        logits, votes = member.model(x.contiguous(memory_format=layout))
        assert votes is not None  # noqa: S101 - all these runs have a vote head
        rows.append((logits.float().numpy(), votes.float().numpy()))
    return np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])


def together(parts: list[tuple[Logits, Logits]]) -> tuple[Logits, Logits]:
    """Return logarithms of the mean probabilities."""
    return tuple(  # type: ignore[return-value]
        np.log(np.mean([softmax(p[k]) for p in parts], axis=0) + 1e-9).astype(np.float32)
        for k in range(2)
    )


class Truth:
    """What runs are measured on, read once."""

    def __init__(self, data: Path, wild: Path, cache: Path) -> None:
        samples = list(read_manifest(data, splits=[Split.VALID]))
        self.valid = load_faces(samples, FER7, gray=True)
        self.counts = np.array([s.votes or (-1,) * 10 for s in samples])
        names = [majority(s.votes) if s.votes else "" for s in samples]
        self.majority = np.array(
            [FERPLUS8.names.index(n) if n in FERPLUS8.names else -1 for n in names]
        )
        self.prior = natural_prior(votes_shown(data), FERPLUS8)
        self.tables = cache
        self.photographs, self.faces, self.found = wild_faces(wild, cache)

    def prior_of(self, run: Run) -> dict[str, float]:
        """Return the base rates of the votes that a run learned from."""
        table = self.tables / str(run.environment["manifest"])
        if not run.experiment.sampling.shares:
            return self.prior
        return natural_prior(votes_shown(table, run.experiment.sampling), FERPLUS8)

    def figures(
        self,
        valid: tuple[Logits, Logits],
        wild: tuple[Logits, Logits],
        prior: dict[str, float],
        rounds: int,
    ) -> dict[str, Any]:
        """Return everything that a trial's row says.

        Args:
            valid: Logits of the faces of PublicTest.
            wild: Logits of the photographs' faces.
            prior: Base rates of the votes that were learned from.
            rounds: Bootstrap rounds.
        """
        natural = np.array([prior[name] for name in FER7.names])
        natural /= natural.sum()
        votes = np.maximum(self.counts[:, :8], 0)
        shares, some = shares_of(votes, SEVEN)
        agreed = pluralities(votes[some][:, SEVEN])
        faces = VotedFaces(valid[1][some][:, SEVEN], shares, agreed, [""] * len(shares))
        outputs = []
        for part in wild:
            full = np.zeros((len(self.found), part.shape[1]), np.float32)
            full[self.found] = part
            outputs.append(full)
        read = VotedOutputs(self.photographs, tuple(outputs), self.found)
        fit = fit_votes(faces, voted_faces(read), FER7, natural, target=RIGHT)
        card = ModelCard(
            id="trial",
            kind="classifier",
            file="",
            sha256="",
            description="",
            labels=FER7.id,
            votes=FERPLUS8.id,
            vote_calibration=to_calibration(fit, prior, ""),
        )
        found = voted_figures(card, read, faces, rounds=rounds)
        default, balanced = found["by_prior"][fit.prior], found["by_prior"]["balanced"]
        ours = voted_faces(read)
        kept = ours.agreed >= 0
        scores = fit.scores(ours.logits, FER7, natural)
        threshold = widest_threshold(scores[kept], ours.agreed[kept], target=RIGHT)
        answered = scores[kept].max(1) >= threshold
        on_valid = fit.scores(faces.logits, FER7, natural, prior="natural")
        eight, rows = softmax(valid[1] / fit.temperature), self.majority >= 0
        all_shares, voted = shares_of(votes, range(8))
        hits = valid[1].argmax(1) == self.majority
        # The same under FER+'s own base rates, instead of those that the training showed.
        ratio = np.array([self.prior[n] / prior[n] for n in FERPLUS8.names])
        stated = eight * ratio / (eight * ratio).sum(1, keepdims=True)
        stated_hits = stated.argmax(1) == self.majority
        return {
            "learned_prior": {k: round(v, 4) for k, v in prior.items()},
            "temperature": fit.temperature,
            "balanced_temperature": fit.balanced_temperature,
            "between": fit.between,
            "prior": fit.prior,
            "accuracy": default["accuracy"],
            "balanced_accuracy": balanced["balanced_accuracy"],
            "auroc": default["auroc"],
            "recall": default["recall"],
            "recall_balanced": balanced["recall"],
            "answered": round(float(answered.sum() / found["n"]), 4),
            "ece_wild": default["vote_ece"],
            "cross_fitted": found["cross_fitted"],
            "valid_vote_ece": round(vote_ece(on_valid, faces.shares), 4),
            "valid_divergence": round(divergence(eight[voted], all_shares), 4),
            "valid_majority": round(float(hits[rows].mean()), 4),
            "at_ferplus_base_rates": {
                "divergence": round(divergence(stated[voted], all_shares), 4),
                "majority": round(float(stated_hits[rows].mean()), 4),
            },
            "valid_fer2013": round(float((valid[0].argmax(1) == self.valid.labels).mean()), 4),
            "accuracy_by_prior": {
                name: value["accuracy"]["value"] for name, value in found["by_prior"].items()
            },
        }


def settings_of(run: Run) -> dict[str, Any]:
    """Return what distinguishes one trial from another."""
    e = run.experiment
    return {
        "net": e.net,
        "input_px": e.preprocess.size_hw[0],
        "from": e.start or " + ".join(e.members) or e.pretrained or "scratch",
        "shares": dict(e.sampling.shares),
        "balance": e.sampling.balance,
        "table": run.environment["manifest"],
        "faces": e.sampling.faces * e.recipe.epochs,
        "recipe": {
            k: getattr(e.recipe, k)
            for k in ("epochs", "lr", "vote_weight", "unfrozen", "ema", "sam", "mixup")
        },
    }


def measure(name: str, runs: list[Run], truth: Truth, rounds: int, mirror: bool) -> None:
    """Write the row of one trial."""
    members = [open_member(run, classes=len(FER7)) for run in runs]
    views = (False, True) if mirror else (False,)
    valid = [outputs_of(m, truth.valid, mirrored=v) for m in members for v in views]
    wild = [outputs_of(m, truth.faces, mirrored=v) for m in members for v in views]
    row = truth.figures(
        valid[0] if len(valid) == 1 else together(valid),
        wild[0] if len(wild) == 1 else together(wild),
        truth.prior_of(runs[0]),
        rounds,
    )
    row = {
        "name": name,
        "views": len(views),
        "members": {m.name: settings_of(run) for m, run in zip(members, runs, strict=True)},
        **row,
    }
    file = RESULTS / f"{name.removeprefix('votes/').replace('/', '-')}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file, "w") as stream:
        stream.write(json.dumps(row, indent=1) + "\n")
    say.print(line_of(row))


def line_of(row: dict[str, Any]) -> str:
    """Return a row in one line of text."""
    return (
        f"{row['name']:<28} wild {100 * row['accuracy']['value']:.1f} ({row['prior']}) "
        f"auroc {row['auroc']['value']:.4f} bal {100 * row['balanced_accuracy']['value']:.1f} "
        f"neutral {100 * row['recall']['neutral']:.0f} angry {100 * row['recall']['angry']:.0f} "
        f"answered {100 * row['answered']:.1f} ece {row['ece_wild']['value']:.3f}/"
        f"{row['valid_vote_ece']:.3f} kl {row['valid_divergence']:.4f} "
        f"fer+ {100 * row['valid_majority']:.1f} fer {100 * row['valid_fer2013']:.1f} "
        "at FER+'s base rates kl {divergence:.4f} fer+ {majority:.3f}".format(
            **row["at_ferplus_base_rates"]
        )
    )


PAGE = """# Trials for the default model

All trainings that were tried for the default model, one per row, measured by
`python -m benchmarks.vote_trials` (settings: experiments/votes).

- Accuracy, AUROC, recall, coverage, balanced accuracy: 882 photographs with an agreed label, in a
  development set that was not used for training. Balanced accuracy uses balanced base rates, the
  others the default base rates. Calibration is fitted on the votes that are scored.
- FER2013: PublicTest.
- faces: number of faces shown in the training, in thousands.
- `model/`: earlier nets, trained on FER2013 alone.
- The teachers that labelled photographs were not trained on those photographs.
- `keep`: votes and labels of FER2013's faces are mixed with predictions of earlier ensembles, which
  were trained on the same faces. `keep` and its variants were calibrated with separate temperatures
  for natural and for equal base rates, all other rows with one for both. This alone increased the
  balanced accuracy of `keep` by up to four points.
- Trials run in float32 with torch, on stored crops of the faces. The bundled `default` is
  `votes/keep.s1` in int8, measured from the photograph on; its figures are in
  [accuracy](accuracy.md).

```
pyojeong data import fer2013.csv.xz --votes fer2013new.csv --out runs/fer2013.parquet
python -m benchmarks.vote_data --data runs/fer2013.parquet --photographs photographs \\
    --out runs/votes
pyojeong experiments run votes/balanced --data runs/votes/mixed.parquet
python -m benchmarks.vote_trials runs/votes/balanced.s1 --data runs/fer2013.parquet --wild wild
python -m benchmarks.vote_trials --page docs/benchmarks/votes.md
```

"""
HEAD = (
    "trial", "net", "px", "from", "faces", "accuracy", "AUROC", "balanced accuracy",
    "recall, neutral / angry", "coverage at 90 % accuracy", "ECE photographs / PublicTest",
    "KL to FER+ votes", "FER+ majority", "FER2013",
)  # fmt: skip


def page(rows: list[dict[str, Any]]) -> str:
    """Return the page of all trials."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    for row in rows:
        parts = list(row["members"].values())
        faces = sum(part["faces"] for part in parts) / 1000
        value, recall = row["accuracy"], row["recall"]
        cells = [
            row["name"],
            " + ".join(dict.fromkeys(part["net"] for part in parts)),
            " + ".join(dict.fromkeys(str(part["input_px"]) for part in parts)),
            " + ".join(dict.fromkeys(part["from"] for part in parts)),
            f"{faces:.0f}" if faces else "",
            f"{value['value']:.1%} [{value['low']:.1%}, {value['high']:.1%}]",
            f"{row['auroc']['value']:.3f}",
            f"{row['balanced_accuracy']['value']:.1%}",
            f"{recall['neutral']:.0%} / {recall['angry']:.0%}",
            f"{row['answered']:.1%}",
            f"{row['ece_wild']['value']:.3f} / {row['valid_vote_ece']:.3f}",
            f"{row['valid_divergence']:.4f}",
            f"{row['valid_majority']:.1%}",
            f"{row['valid_fer2013']:.1%}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return PAGE + "\n".join(lines) + "\n"


def main() -> None:
    """Measure runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="*", help="run folders")
    parser.add_argument("--data", type=Path, help="FER2013 with votes, .parquet")
    parser.add_argument("--wild", type=Path, help="votes.csv and images/")
    parser.add_argument("--cache", type=Path, default=Path("runs/votes"))
    parser.add_argument("--together", help="name of the row of all runs answering as one")
    parser.add_argument("--mirror", action="store_true", help="average a face and its mirror image")
    parser.add_argument("--rounds", type=int, default=1000, help="bootstrap rounds")
    parser.add_argument("--page", type=Path, help="only write the page of all rows there")
    given = parser.parse_args()
    if given.page:
        rows = [json.loads(f.read_text("utf-8")) for f in sorted(RESULTS.glob("*.json"))]
        with atomic_write(given.page, "w") as stream:
            stream.write(page(rows))
        return
    truth = Truth(given.data, given.wild, given.cache)
    runs = [Run(folder) for folder in given.runs]
    suffix = "-mirrored" if given.mirror else ""
    if given.together:
        measure(given.together, runs, truth, given.rounds, given.mirror)
    else:
        for run in runs:
            measure(f"{run.experiment.name}{suffix}", [run], truth, given.rounds, given.mirror)


if __name__ == "__main__":
    main()
