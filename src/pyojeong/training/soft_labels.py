"""A teacher's answers on fixed views of the training faces, kept in a small file.

A student that learns from them sees exactly the images its teacher saw (Beyer et al. 2022,
arXiv 2106.05237, call that consistent), while several students, seeds and attempts pay for the
teacher once. The views are the first ones that ``Augment`` draws from the file's own seed.

Log-probabilities are kept as bytes: steps of 1/32 from 0 down to -7.97, so that a probability is
right to 1.6 % of itself and nothing falls below 0.0003.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.array_files import UNREADABLE_ARRAY
from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import ExperimentError
from pyojeong.core.labels import LabelSet
from pyojeong.core.output_files import require_new
from pyojeong.training.data.augment import Augment

_STEP = 1 / 32
_FORMAT = 1
_VOTES = "with_votes"


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """Cached answers.

    Attributes:
        log_probabilities: uint8 (V, N, K), minus the logarithm in steps of 1/32; V views of the N
            training faces in the manifest's order.
        facts: Who answered and to what: ``teachers`` (name -> weight), ``augment``, ``seed``,
            ``split_sha256``, ``labels``. Without an ``augment`` (None) they belong to the faces
            themselves, however they are changed (``per_face``), and ``views`` says how many were
            averaged.
        vote_log_probabilities: uint8 (N, 8), likewise, of FER+ votes: the teachers' answers
            averaged over the views; None = they have no vote heads.
    """

    log_probabilities: NDArray[np.uint8]
    facts: dict[str, Any]
    vote_log_probabilities: NDArray[np.uint8] | None = None

    @property
    def views(self) -> int:
        """How many views of each face there are."""
        return len(self.log_probabilities)

    @property
    def faces(self) -> int:
        """How many faces were answered."""
        return int(self.log_probabilities.shape[1])

    @property
    def per_face(self) -> bool:
        """True when one answer belongs to a face, and not to one view of it."""
        return self.facts["augment"] is None

    def view_of(self, epoch: int) -> int:
        """Return the view that an epoch shows: they take turns."""
        return epoch % self.views

    def of(self, view: int, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Logarithms of probabilities (len(rows), K), as float32."""
        steps = self.log_probabilities[view, rows].astype(np.float32)
        return np.asarray(steps * np.float32(-_STEP), np.float32)

    def mean_answers(self) -> NDArray[np.float64]:
        """Return probabilities (N, K), averaged over the views."""
        mean = np.mean([self.probabilities(view) for view in range(self.views)], axis=0)
        return np.asarray(mean, np.float64)

    def probabilities(self, view: int) -> NDArray[np.float64]:
        """Return the probabilities of one view, (N, K); rows sum to 1."""
        rows = np.arange(self.log_probabilities.shape[1])
        answers = np.exp(self.of(view, rows).astype(np.float64))
        return np.asarray(answers / answers.sum(1, keepdims=True), np.float64)

    def averaged(self) -> Self:
        """Return the same for faces instead of views: one answer each, the mean over its views.

        It is the better answer (an average of several views is right more often than one), and the
        student is free in how it changes the faces.
        """
        answers = in_steps(self.mean_answers())[None]
        facts = {**self.facts, "augment": None, "views": self.views}
        return replace(self, log_probabilities=answers, facts=facts)

    def votes(self) -> NDArray[np.float32] | None:
        """Shares of votes (N, 8), as float32; None when the teachers gave none."""
        if self.vote_log_probabilities is None:
            return None
        shares = np.exp(self.vote_log_probabilities.astype(np.float32) * np.float32(-_STEP))
        return np.asarray(shares / shares.sum(1, keepdims=True), np.float32)

    def write(self, path: Path) -> None:
        """Write one compressed file, whole or not at all."""
        require_new(path, unless=lambda data: b"log_probabilities.npy" in data)  # made again
        path.parent.mkdir(parents=True, exist_ok=True)
        known = {"format": _FORMAT, **self.facts, _VOTES: self.vote_log_probabilities is not None}
        facts = np.frombuffer(json.dumps(known).encode(), np.uint8)
        arrays = {"log_probabilities": self.log_probabilities, "facts": facts}
        if self.vote_log_probabilities is not None:
            arrays["vote_log_probabilities"] = self.vote_log_probabilities
        with atomic_write(path, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Take cached answers from a file.

        Raises:
            ExperimentError: When the file is missing or is none of this kind.
        """
        if path.exists() and not path.is_file():
            raise ExperimentError(f"soft_labels {path}: is not an ordinary file")
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                facts = json.loads(bytes(data["facts"]), parse_constant=_no_number)
                values = data["log_probabilities"]
                votes = data.get("vote_log_probabilities")
                _ = [facts[key] for key in ("augment", "labels", "split_sha256")]
                _require_names(data.files, facts.pop(_VOTES, None))
        except UNREADABLE_ARRAY as error:
            raise ExperimentError(
                f"soft_labels {path}: could not be read ({error}); create them with `pyojeong "
                "experiments distill`"
            ) from error
        if facts.pop("format", None) != _FORMAT or values.dtype != np.uint8 or values.ndim != 3:
            raise ExperimentError(f"soft_labels {path}: not a file of this version; make it again")
        return cls(values, facts, votes)

    def check_faces(self, labels: LabelSet, digest: str) -> None:
        """Check that they answer for the same faces and labels.

        Raises:
            ExperimentError: When they do not.
        """
        if (self.facts["labels"], self.facts["split_sha256"]) != (labels.id, digest):
            raise ExperimentError(
                "soft labels were made for another data set; compute them for this one"
            )

    def check(self, augment: Augment, labels: LabelSet, digest: str, path: str) -> None:
        """Compare what they were made of with what an experiment will show.

        Raises:
            ExperimentError: When they were made for other faces, labels or changes.
        """
        given = {
            "augment": None if self.per_face else json.loads(json.dumps(asdict(augment))),
            "labels": labels.id,
            "split_sha256": digest,
        }
        for key, value in given.items():
            made_with = self.facts[key]
            if key == "augment" and made_with is not None:
                # Changes that came later than the file were off when it was made.
                made_with = json.loads(json.dumps(asdict(Augment()))) | made_with
            if made_with != value:
                raise ExperimentError(
                    f"soft_labels {path}: made with another {key} than this experiment's; use "
                    "the same augmentation, labels and images for teacher and student, or compute "
                    "them again with `pyojeong experiments distill`"
                )


def _no_number(word: str) -> None:
    raise ValueError(f"its facts hold {word}")


def _require_names(names: Sequence[str], votes: bool | None) -> None:
    """Refuse a file whose list of arrays is damaged: answers to votes would vanish from it.

    Args:
        names: Of the arrays.
        votes: Whether it was written with votes; files of earlier versions do not say.
    """
    damaged = sorted({*names} - {"facts", "log_probabilities", "vote_log_probabilities"})
    if damaged:
        raise ValueError(f"unknown array {damaged[0]!r}")
    if votes is not None and votes != ("vote_log_probabilities" in names):
        raise ValueError("its answers to votes are missing")


def in_steps(probabilities: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Minus their logarithms in steps of 1/32, as a file keeps them."""
    minus_log = -np.log(np.maximum(probabilities, 1e-12))
    return np.asarray(np.clip(np.rint(minus_log / _STEP), 0, 255), np.uint8)
