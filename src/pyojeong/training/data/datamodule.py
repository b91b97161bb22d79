"""Data sets for training: samples in memory, augmentation, then ``image.preprocess``.

Only Split.TRAIN and Split.VALID are ever read here. The test split cannot reach a training: the
manifest reader is asked for these two and yields nothing else.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import ExperimentError
from pyojeong.core.labels import FERPLUS8
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_manifest
from pyojeong.image.preprocess import (
    Matrix,
    Pixels,
    matrix_for_crop,
    to_tensor,
    warp,
)
from pyojeong.image.tta import seen_through
from pyojeong.training.data.augment import Augment, Draws
from pyojeong.training.data.faces import Faces, label_targets, load_faces
from pyojeong.training.data.portion import WHOLE, Portion
from pyojeong.training.data.sampling import EACH_ONCE, Sampling
from pyojeong.training.data.shared_faces import load_shared, remove_when_mapped, shared_folder
from pyojeong.training.world import world


class Batch(NamedTuple):
    """What a step learns from.

    Attributes:
        inputs: float32 (N, C, H, W).
        labels: int64 (N,).
        votes: float32 (N, 8), vote shares; zero rows = none.
        taught: float32 (N, K), logarithms of a teacher's probabilities; (N, 0) = no teacher.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    votes: torch.Tensor
    taught: torch.Tensor


class TeacherPredictions(Protocol):
    """Cached answers of a teacher to fixed views; ``training.soft_labels`` makes them."""

    @property
    def facts(self) -> dict[str, Any]:
        """Among them ``seed``, of the views."""
        ...

    @property
    def per_face(self) -> bool:
        """True when the answers hold for a face, however it is changed."""
        ...

    @property
    def faces(self) -> int:
        """How many faces were answered."""
        ...

    def view_of(self, epoch: int) -> int:
        """Return the view that an epoch shows."""
        ...

    def of(self, view: int, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Logarithms of probabilities (len(rows), K)."""
        ...

    def votes(self) -> NDArray[np.float32] | None:
        """Shares of votes (N, 8), None without."""
        ...


class FaceDataset(Dataset[Batch]):
    """Batches of one split; fetches a whole batch at a time (``__getitems__``).

    Args:
        faces: The split.
        pre: The model's preprocessing.
        draws: The epoch's random numbers, or None for none.
        taught: A teacher's answers (N, K) to the faces as the draws change them, in the faces'
            order, or None.
        view: Matrix over the input through which every face is seen (``image.tta``), or None.
    """

    def __init__(
        self,
        faces: Faces,
        pre: Preprocess,
        draws: Draws | None = None,
        taught: NDArray[np.float32] | None = None,
        *,
        view: Matrix | None = None,
    ) -> None:
        self.faces = faces
        self.view = view
        self.pre = pre
        self.draws = draws
        self.taught = np.zeros((len(faces), 0), np.float32) if taught is None else taught

    def __len__(self) -> int:
        return len(self.faces if self.draws is None else self.draws.rows)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Batch:
        """Return the batch of these positions in the epoch's order."""
        places = np.asarray(indices) if self.draws is None else self.draws.order[indices]
        rows = places if self.draws is None else self.draws.rows[places]
        patches = [self._patch(int(p), int(row)) for p, row in zip(places, rows, strict=True)]
        return Batch(
            torch.from_numpy(to_tensor(self.pre, patches)),
            torch.from_numpy(self.faces.labels[rows]),
            torch.from_numpy(self.faces.votes[rows]),
            torch.from_numpy(self.taught[rows]),
        )

    def _patch(self, place: int, row: int) -> Pixels:
        image = self.faces.images[row]
        size = self.pre.size_hw
        matrix = matrix_for_crop(self.pre, image.shape[:2])
        if self.view is not None:
            matrix = seen_through(self.view, matrix)
        if self.draws is None:
            return warp(image, matrix, size)
        return self.draws.pixels(place, warp(image, self.draws.geometry(place, matrix, size), size))


def _identity(batch: Any) -> Any:
    return batch


class FaceData(L.LightningDataModule):  # type: ignore[misc]
    """Training and validation data of an experiment.

    Args:
        manifest: The data set's Parquet file.
        pre: The model's preprocessing.
        augment: Strengths of the random changes on the training split.
        batch_size: Samples per step.
        seed: Seed of order and augmentation.
        portion: Which part of the training split is used.
        sampling: Which of its samples an epoch shows.
    """

    def __init__(
        self,
        manifest: Path,
        pre: Preprocess,
        augment: Augment,
        *,
        batch_size: int,
        seed: int,
        portion: Portion = WHOLE,
        sampling: Sampling = EACH_ONCE,
    ) -> None:
        super().__init__()
        self.manifest = manifest
        self.pre = pre
        self.augment = augment
        self.batch_size = batch_size
        self.seed = seed
        self.portion = portion
        self.sampling = sampling
        self.label_set = manifest_labels(manifest)
        self.taught: TeacherPredictions | None = None
        self.taught_votes = 0.0
        """Share of the teacher's votes, in [0, 1], among those that are learnt."""
        self._own_labels: NDArray[np.int64] = np.zeros(0, np.int64)
        """Of the training split, those that are not learnt included."""
        self._train: Faces | None = None
        self._valid: Faces | None = None

    def setup(self, stage: str = "fit") -> None:  # noqa: ARG002
        """Decode both splits into memory, once."""
        if self._train is None:
            folder = shared_folder(world())
            self._train = self._load(Split.TRAIN, folder)
            self._valid = self._load(Split.VALID, folder)
            if folder is not None:
                remove_when_mapped(folder)

    def _load(self, split: Split, folder: Path | None) -> Faces:
        def samples() -> Iterable[Sample]:
            found = read_manifest(self.manifest, splits=[split])
            return self.portion.of(found) if split is Split.TRAIN else found

        gray = self.pre.color == "gray"
        if folder is None:
            faces = load_faces(samples(), self.label_set, gray=gray)
        else:
            given = (samples, self.label_set)
            faces = load_shared(*given, gray=gray, folder=folder, name=split.value, own=world())
        if split is not Split.TRAIN:
            return faces
        self.sampling.check(faces.origins)
        self._own_labels = faces.labels
        learnt = np.array([name not in self.sampling.unlabeled for name in faces.origins])
        return replace(faces, labels=np.where(learnt, faces.labels, -1))

    @property
    def train(self) -> Faces:
        """The training split in memory."""
        self.setup()
        assert self._train is not None  # noqa: S101
        return self._train

    @property
    def valid(self) -> Faces:
        """The validation split in memory."""
        self.setup()
        assert self._valid is not None  # noqa: S101
        return self._valid

    def epoch(self, number: int) -> FaceDataset:
        """Return the training set as epoch ``number`` sees it.

        With a teacher's answers if there are.

        Raises:
            ExperimentError: When the teacher's votes are wanted and there are none, or it answered
                for another number of faces.
        """
        rows = self._rows(number)
        count = len(self.train) if rows is None else len(rows)
        if self.taught is None:
            draws = Draws(self.augment, count, seed=self.seed, epoch=number, rows=rows)
            return FaceDataset(self.train, self.pre, draws)
        if self.taught.faces != len(self.train):
            raise ExperimentError(
                f"soft labels of {self.taught.faces:,} faces, {len(self.train):,} can be decoded "
                "now: compute the soft labels again"
            )
        view = self.taught.view_of(number)
        seen = None if self.taught.per_face else (int(self.taught.facts["seed"]), view)
        if rows is not None and seen is not None:
            raise ExperimentError("[sampling] needs soft labels of faces, not of views: --average")
        draws = Draws(self.augment, count, seed=self.seed, epoch=number, view=seen, rows=rows)
        answers = self.taught.of(view, np.arange(len(self.train)))
        return FaceDataset(self._with_votes(self.taught), self.pre, draws, answers)

    def _rows(self, epoch: int) -> NDArray[np.int64] | None:
        """Return the samples of an epoch; None = each once."""
        faces = self.train
        known = [FERPLUS8.index(n) if n in FERPLUS8.names else 0 for n in self.label_set.names]
        targets = label_targets(faces.votes, [known[label] for label in self._own_labels])
        return self.sampling.rows(faces.origins, targets, seed=self.seed, epoch=epoch)

    def _with_votes(self, taught: TeacherPredictions) -> Faces:
        """Return the training split, with the teacher's votes mixed into those that there are."""
        if not self.taught_votes:
            return self.train
        theirs = taught.votes()
        if theirs is None:
            raise ExperimentError(
                "[recipe] distil_votes: the soft labels hold no votes; compute them with "
                "teachers that have a vote head"
            )
        own = self.train.votes
        mixed = (1 - self.taught_votes) * own + self.taught_votes * theirs
        return replace(self.train, votes=np.where(own.any(1, keepdims=True), mixed, own))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of the current epoch; a short last batch is dropped when there are others.

        Where several processes train, each gets its share of every batch.
        """
        number = self.trainer.current_epoch if self.trainer is not None else 0
        data = self.epoch(number)
        last = len(data) - len(data) % self.batch_size or len(data)
        firsts = range(0, last, self.batch_size)
        batches = [range(first, min(first + self.batch_size, last)) for first in firsts]
        own = [list(batch[world().share(len(batch))]) for batch in batches]
        return DataLoader(data, batch_sampler=own, collate_fn=_identity)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the validation split, in order, without augmentation; a share of it, as above."""
        data = FaceDataset(self.valid, self.pre)
        rows = range(len(data))[world().share(len(data))]
        own = [list(rows[first : first + 256]) for first in range(0, len(rows), 256)]
        return DataLoader(data, batch_sampler=own, collate_fn=_identity)
