"""Build the training table of the default model: FER2013 with FER+ votes, and photographs.

    pyojeong data import fer2013.csv.xz --votes fer2013new.csv --out runs/fer2013.parquet
    python -m benchmarks.vote_data --data runs/fer2013.parquet \
        --photographs ../shared/data/photographs --out runs/votes

Writes `mixed.parquet` (three data sets: fer2013, rated, unrated). Faces of photographs are found by
the default detector and aligned as in FER2013. All photographs are for training; the validation and
test splits are FER2013's own. Unrated photographs get votes from their publisher's label
(`--unrated publisher`), are left out (`none`), or get out-of-fold answers (`--unrated FILE.npz`,
see benchmarks/vote_teachers.py).
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from pyojeong.core.card import Preprocess
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.curate.extraction import extract_faces, whole_frame
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.merging import merge
from pyojeong.datasets.samples import Sample, Split, read_rows, write_manifest
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.runtime.detection.registry import build_detector

SIDE_PX = 128
FRAMED_LIKE = "default-fer2013"
SCALE = 100
"""Whole votes of a face whose votes are shares."""

say = Console(stderr=True, highlight=False)


def framing_like_fer2013() -> Preprocess:
    """Return how a found face is aligned so that it lies as the faces of FER2013 do."""
    card = find_classifier(FRAMED_LIKE).card
    assert card.preprocess is not None  # noqa: S101 - it is a classifier's
    return whole_frame(card.preprocess, SIDE_PX)


def aligned(folder: Path, out: Path) -> Path:
    """Import a folder of voted photographs and align its faces; returns the table."""
    table = out / f"{folder.name}.parquet"
    if table.exists():
        return table
    listed = out / f"{folder.name}.listed.parquet"
    import_dataset(folder, listed, ImportOptions(layout="voted-photographs"))
    done = extract_faces(listed, table, build_detector("auto"), framing=framing_like_fer2013())
    say.print(f"{table}: {done.faces:,} faces; {len(done.without)} photographs without a face")
    return table


def photographs(
    table: Path, *, rated: bool, votes: dict[str, np.ndarray] | None
) -> Iterator[Sample]:
    """Yield the rated or the unrated photographs, for training, with other votes if given."""
    for _, sample in read_rows(table, splits=list(Split)):
        if (sample.votes is not None) is not rated:
            continue
        if votes is None:
            yield replace(sample, split=Split.TRAIN)
        elif sample.source in votes:
            yield replace(sample, split=Split.TRAIN, votes=_counts(votes[sample.source]))


def _counts(shares: np.ndarray) -> tuple[int, ...]:
    return (*(int(v) for v in np.rint(shares * SCALE)), 0, 0)


def with_votes(table: Path, votes: dict[str, np.ndarray]) -> Iterator[Sample]:
    """Yield all samples of a table; those of the training split with other votes where given."""
    for _, sample in read_rows(table, splits=list(Split)):
        if sample.split is Split.TRAIN and sample.source in votes:
            yield replace(sample, votes=_counts(votes[sample.source]))
        else:
            yield sample


def publisher_votes(table: Path) -> dict[str, np.ndarray]:
    """Return votes of unrated photographs: all for the publisher's label."""
    out = {}
    for _, sample in read_rows(table, splits=list(Split)):
        if sample.votes is None:
            out[sample.source] = np.eye(len(FERPLUS8))[FERPLUS8.index(sample.label)]
    return out


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="FER2013 with votes, .parquet")
    parser.add_argument("--photographs", type=Path, required=True, help="labels.csv and images/")
    parser.add_argument("--unrated", default="publisher", help="publisher, none, or an .npz file")
    parser.add_argument(
        "--rated", type=Path, help=".npz file: votes mixed with answers of teachers"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder")
    parser.add_argument("--name", default="mixed", help="name of the table")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    table = aligned(given.photographs, given.out)
    parts = given.out / f"{given.name}.parts"
    parts.mkdir(exist_ok=True)
    mixed = None if given.rated is None else read_votes(given.rated)
    sources = [given.data]
    if mixed is not None and any(name.startswith("fer2013.csv") for name in mixed):
        sources = [parts / given.data.name]
        write_manifest(sources[0], with_votes(given.data, mixed), FER7)
    for name, rated in (("rated", True), ("unrated", False)):
        votes = mixed
        if not rated:
            if given.unrated == "none":
                continue
            publisher = given.unrated == "publisher"
            votes = publisher_votes(table) if publisher else read_votes(Path(given.unrated))
        rows = write_manifest(
            parts / f"{name}.parquet", photographs(table, rated=rated, votes=votes), FER7
        )
        say.print(f"{name}: {rows:,} photographs")
        sources.append(parts / f"{name}.parquet")
    done = merge(sources, given.out / f"{given.name}.parquet")
    say.print(f"{given.out / given.name}.parquet: {dict(done.sources)}, {done.leaks} leaks")


def read_votes(file: Path) -> dict[str, np.ndarray]:
    """Return source -> shares (8,) of a file of `benchmarks.vote_teachers`."""
    with np.load(file, allow_pickle=False) as data:
        return dict(zip(data["sources"].tolist(), data["votes"].astype(np.float64), strict=True))


if __name__ == "__main__":
    main()
