"""Let teachers that never saw a face answer for it: votes of photographs, out of fold.

    python -m benchmarks.vote_teachers train votes/teacher.s1 --data runs/votes/mixed.parquet
    python -m benchmarks.vote_teachers answer votes/teacher.s1 --data runs/votes/mixed.parquet \
        --out runs/votes/answers.npz

The training split is divided by person (FER2013: by image), one teacher is trained without each
part and answers for it; with several experiments the mean of their answers is kept. `answer` writes
two files: OUT with the answers to unrated photographs, and OUT with `.rated` before its ending with
the raters' votes of rated ones, mixed with the answers (`--share` of them); with `--fer2013` also
FER+'s votes of FER2013's faces, mixed likewise.
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.vote_trials import outputs_of
from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.calibration import softmax
from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.experiments.catalogue import Catalogue
from pyojeong.training.data.faces import load_faces
from pyojeong.training.data.portion import Fold
from pyojeong.training.ensemble.member import open_member
from pyojeong.training.loop import run_name, train
from pyojeong.training.run import Run

say = Console(stderr=True, highlight=False)


def answer(names: list[str], given: argparse.Namespace) -> None:
    """Write the answers of all teachers."""
    sources, votes, own = [], [], []
    for index in range(given.folds):
        fold = Fold(index, given.folds)
        held = [
            s
            for s in read_manifest(given.data, splits=[Split.TRAIN])
            if fold.holds(s) and (given.fer2013 or not s.source.startswith("fer2013/"))
        ]
        faces = load_faces(held, FER7, gray=True)
        shares = []
        for name in names:
            member = open_member(Run(given.runs / run_name(name, fold)), classes=len(FER7))
            for mirrored in (False, True):
                logits = outputs_of(member, faces, mirrored=mirrored)[1]
                shares.append(softmax(logits / given.temperature))
        sources += [s.source for s in held]
        votes.append(np.mean(shares, axis=0))
        own.append(faces.votes)
        hits = votes[-1].argmax(1) == faces.votes.argmax(1)
        for origin in ("fer2013", "rated", "unrated"):
            here = np.array([s.source.startswith(f"{origin}/") for s in held])
            if here.any():
                say.print(f"fold {index}, {origin}: {here.sum():,}, {hits[here].mean():.1%} agreed")
    answers, theirs = np.concatenate(votes), np.concatenate(own)
    unrated = np.array([s.startswith("unrated/") for s in sources])
    voted = theirs.any(1)  # what FER+'s annotators took for no face gets no votes
    plain = np.array([s.partition("/")[2] for s in sources])
    mixed = (1 - given.share) * theirs + given.share * answers
    for file, rows, values in (
        (given.out, unrated, answers),
        (given.out.with_suffix(".rated.npz"), ~unrated & voted, mixed),
    ):
        with atomic_write(file, "wb") as stream:
            np.savez_compressed(stream, sources=plain[rows], votes=values[rows].astype(np.float32))
        say.print(f"{file}: {int(rows.sum()):,} faces")


def main() -> None:
    """Train teachers, or let them answer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("train", "answer"))
    parser.add_argument("names", nargs="+", help="experiments, with seed (votes/base.s1)")
    parser.add_argument("--data", type=Path, required=True, help="table of benchmarks.vote_data")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--fold", type=int, help="train: only this one")
    parser.add_argument("--fer2013", action="store_true", help="answer for FER2013's faces too")
    parser.add_argument("--share", type=float, default=0.5, help="of answers in rated votes")
    parser.add_argument("--temperature", type=float, default=1.0, help="of the answers")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.what == "answer":
        answer(given.names, given)
        return
    catalogue = Catalogue(Path("experiments"))
    for name in given.names:
        experiment, _, seed = name.rpartition(".s")
        text = catalogue.plan(experiment, seeds=[int(seed)])[0].text
        for index in range(given.folds) if given.fold is None else (given.fold,):
            run = train(text, given.data, given.runs, without=Fold(index, given.folds))
            say.print(f"{run.folder}: done")


if __name__ == "__main__":
    main()
