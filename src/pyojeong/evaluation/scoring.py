"""Score models on labelled data: classifier + manifest -> predictions -> figures.

Works without torch. Everything is computed by the runtime that users have, from the ONNX file
that users have.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import DataError
from pyojeong.core.inputs import InputCounts
from pyojeong.core.labels import LabelSet
from pyojeong.datasets.picture_files import decoded
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_manifest, split_hash
from pyojeong.image.preprocess import Pixels, to_gray
from pyojeong.metrics import summary
from pyojeong.runtime.classifier import Classifier

_BATCH = 256
_Decoded = tuple[int, Sample, Pixels]

Ticker = Callable[[int], None]
"""Called with the number of samples that were just finished."""


@dataclass(frozen=True, slots=True)
class SplitPredictions:
    """A classifier's answers on one split.

    Attributes:
        logits: float32 (N, K), before the temperature.
        labels: int64 (N,).
        seen_before: bool (N,): the same image, byte for byte, is in an earlier split too (of
            train, valid, test), so that the answer may be remembered instead of read.
        split: Which split.
        digest: ``split_hash`` of it.
        views: Views of each face that were averaged.
        vote_logits: float32 (N, V) of the vote head; None = the model has none.
        votes: int64 (N, 10), FER+'s counts; a row of -1 where an image has none.
        kept: int64 (N,), positions in the split; those of pictures that could not be decoded are
            missing.
        given: Number of pictures in the split.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    seen_before: NDArray[np.bool_]
    split: Split
    digest: str
    views: int
    vote_logits: NDArray[np.float32] | None
    votes: NDArray[np.int64]
    kept: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    given: int = 0

    @property
    def sums(self) -> InputCounts:
        """Pictures of the split: given = read + failed."""
        read = len(self.logits)
        return InputCounts(read=read, failed=max(self.given - read, 0))

    @property
    def outputs(self) -> list[NDArray[np.float32]]:
        """The network's outputs, as ``Classifier.probabilities`` takes them."""
        return [self.logits] if self.vote_logits is None else [self.logits, self.vote_logits]


def predict_split(
    classifier: Classifier, manifest: Path, split: Split, *, tick: Ticker | None = None
) -> SplitPredictions:
    """Run a classifier over a split of cut-out faces, with as many views as it was opened with.

    Broken pictures are left out with a warning (``datasets.picture_files.decoded``).

    Raises:
        DataError: When the split is empty, files are missing, or its labels are not the model's.
    """
    labels = classifier.label_set
    theirs = manifest_labels(manifest)
    if theirs != labels:
        raise DataError(f"{manifest} is labelled with {theirs.id}, the model with {labels.id}")
    samples = list(read_manifest(manifest, splits=[split]))
    if not samples:
        raise DataError(
            f"{manifest} has no samples in split {split.value!r}: choose another --split, deal the "
            "rows out with `pyojeong data split`, or put the class folders into a folder that is "
            f"called {split.value} and name the folder above it"
        )
    rows = []
    kept: list[int] = []
    for part in _parts(decoded(samples)):
        gray = classifier.pre.color == "gray"
        rows.append(classifier.crop_outputs([to_gray(p) if gray else p for _, _, p in part]))
        kept += [position for position, _, _ in part]
        if tick is not None:
            tick(len(part))
    digest, given = split_hash(samples), len(samples)
    samples = [samples[position] for position in kept]
    logits, *rest = (np.concatenate(part) for part in zip(*rows, strict=True))
    return SplitPredictions(
        logits=logits,
        labels=_positions(samples, labels),
        seen_before=_seen_before(samples, manifest, split),
        split=split,
        digest=digest,
        views=classifier.views,
        vote_logits=rest[0] if rest else None,
        votes=np.array([s.votes or (-1,) * 10 for s in samples], np.int64),
        kept=np.array(kept),
        given=given,
    )


def _parts(stream: Iterator[_Decoded]) -> Iterator[list[_Decoded]]:
    while part := list(islice(stream, _BATCH)):
        yield part


def _positions(samples: Iterable[Sample], labels: LabelSet) -> NDArray[np.int64]:
    return np.array([labels.index(s.label) for s in samples], np.int64)


def _seen_before(samples: list[Sample], manifest: Path, split: Split) -> NDArray[np.bool_]:
    order = [Split.TRAIN, Split.VALID, Split.TEST]
    earlier = order[: order.index(split)]
    known = {s.image for s in read_manifest(manifest, splits=earlier) if s.image is not None}
    return np.array([s.image in known for s in samples], bool)


def figures(
    classifier: Classifier, predictions: SplitPredictions, *, rounds: int = 1000
) -> dict[str, Any]:
    """Return all figures of one split with 95 % intervals, also without images of earlier splits.

    Args:
        classifier: Gives the output that answers, its calibration, threshold and class names.
        predictions: From ``predict_split``.
        rounds: Bootstrap rounds.
    """
    names = classifier.label_set.names
    threshold = classifier.head.threshold
    scores = classifier.probabilities(predictions.outputs)
    out = summary(scores, predictions.labels, names, threshold=threshold, rounds=rounds)
    fresh = ~predictions.seen_before
    if 0 < fresh.sum() < len(fresh):
        clean = summary(
            scores[fresh], predictions.labels[fresh], names, threshold=threshold, rounds=rounds
        )
        out["deduplicated"] = {k: clean[k] for k in ("n", "accuracy", "macro_f1", "ece")}
    return {
        "split": predictions.split.value,
        "split_sha256": predictions.digest,
        "pictures": predictions.sums.to_dict(),
        "views": predictions.views,
        "output": classifier.head.output,
        "prior": classifier.head.prior,
        **out,
    }
