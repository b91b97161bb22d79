"""Answers that keep what was learned from FER2013 while photographs are learned too.

    python -m benchmarks.vote_retention votes experiments/packed/model/taught-by-columns.npz \
        --data runs/fer2013.parquet --rated experiments/packed/votes/answers.rated.npz \
        --out runs/votes/kept.npz
    python -m benchmarks.vote_data --data runs/fer2013.parquet --photographs photographs \
        --unrated experiments/packed/votes/answers.npz --rated runs/votes/kept.npz --name kept \
        --out runs/votes
    python -m benchmarks.vote_retention labels experiments/packed/model/taught-by-columns.npz \
        --data runs/votes/kept.parquet --model VGGFACE2.onnx --out runs/votes/kept.soft.npz

`votes` mixes FER+'s votes of FER2013's training faces with the answers of earlier ensembles (which
were taught by these faces: they keep, they do not add). `labels` joins the same ensembles' answers
about FER2013's labels with those of a model that never saw the photographs, for the recipe's
`soft_labels` (Li & Hoiem 2016, arXiv 1606.09282, keep old answers on new images likewise). The
model was the export of `model/columns-vggface2`, `default-vggface2` of earlier versions.
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Split, read_manifest, split_hash
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.training.data.faces import load_faces, origin_of
from pyojeong.training.soft_labels import SoftLabels, in_steps

say = Console(stderr=True, highlight=False)


def write_votes(given: argparse.Namespace) -> None:
    """Write sources and votes: of FER2013's faces mixed ones, and of photographs as they were."""
    soft = SoftLabels.read(given.answers)
    samples = list(read_manifest(given.data, splits=[Split.TRAIN]))
    soft.check_faces(FER7, split_hash(samples))
    theirs = soft.votes()
    assert theirs is not None  # noqa: S101 - these files have votes
    own = load_faces(samples, FER7, gray=True).votes
    voted = own.sum(1) > 0
    mixed = (1 - given.share) * own + given.share * theirs
    sources = [s.source for s, v in zip(samples, voted, strict=True) if v]
    with np.load(given.rated, allow_pickle=False) as rated:
        sources = [*sources, *rated["sources"].tolist()]
        votes = np.concatenate([mixed[voted], rated["votes"]]).astype(np.float32)
    with atomic_write(given.out, "wb") as stream:
        np.savez_compressed(stream, sources=np.array(sources), votes=votes)
    say.print(f"{given.out}: {len(sources):,} faces")


def write_labels(given: argparse.Namespace) -> None:
    """Write soft labels for all training faces of a merged table."""
    soft = SoftLabels.read(given.answers)
    samples = list(read_manifest(given.data, splits=[Split.TRAIN]))
    ours = np.array([origin_of(s.source) == "fer2013" for s in samples])
    answers = np.zeros((len(samples), len(FER7)))
    answers[ours] = soft.mean_answers()
    classifier = Classifier.open(find_classifier(given.model), threads=2, output="fer2013")
    theirs = [s for s, o in zip(samples, ours, strict=True) if not o]
    photographs = load_faces(theirs, FER7, gray=True).images
    rows = [
        classifier.probabilities(classifier.crop_outputs(photographs[i : i + 256]))
        for i in range(0, len(photographs), 256)
    ]
    answers[~ours] = np.concatenate(rows)
    facts = soft.facts | {
        "split_sha256": split_hash(samples),
        "photographs": given.model,
        "augment": None,
    }
    SoftLabels(in_steps(answers)[None], facts).write(given.out)
    agreed = answers.argmax(1) == np.array([FER7.index(s.label) for s in samples])
    say.print(
        f"{given.out}: {len(samples):,} faces; of the publishers' labels {agreed[ours].mean():.1%} "
        f"of FER2013's and {agreed[~ours].mean():.1%} of the photographs' are the answer"
    )


def main() -> None:
    """Write one of the two files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("votes", "labels"))
    parser.add_argument("answers", type=Path, help="of `pyojeong experiments distill --average`")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rated", type=Path, help="votes: of photographs (vote_teachers)")
    parser.add_argument("--share", type=float, default=0.5, help="votes: of the ensembles' answers")
    parser.add_argument("--model", help="labels: id or ONNX file, answers for the photographs")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    (write_votes if given.what == "votes" else write_labels)(given)


if __name__ == "__main__":
    main()
