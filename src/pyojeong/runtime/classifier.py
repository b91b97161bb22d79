"""Faces -> calibrated expressions, as the model's card says."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.calibration import Prior
from pyojeong.core.card import ModelCard, Preprocess
from pyojeong.core.errors import ModelMismatch
from pyojeong.core.face import Expression, Face, Image
from pyojeong.core.labels import LabelSet, label_set
from pyojeong.image.files import check_image
from pyojeong.image.preprocess import (
    Matrix,
    Pixels,
    matrix_for_crop,
    matrix_for_face,
    preprocess,
    to_tensor,
    warp,
)
from pyojeong.image.tta import seen_through, view_matrices
from pyojeong.runtime.devices import CPU_DEVICE, Device
from pyojeong.runtime.output_head import OutputHead
from pyojeong.runtime.session import Session, SessionLike
from pyojeong.zoo import Entry

_CHUNK = 32
"""Faces per run of the network: larger batches leave the CPU's cache and run slower."""


class Classifier:
    """Scores expressions of faces; may be used from many threads at once.

    Args:
        card: The model's card.
        session: Its network: (N, C, H, W) float32 -> (N, K) logits.
        views: 1, or how many views of each face are read and their logits averaged; see
            ``image.tta``.
        head: Which output answers, and how; None = as ``OutputHead.of`` chooses.
    """

    def __init__(
        self,
        card: ModelCard,
        session: SessionLike,
        *,
        views: int = 1,
        head: OutputHead | None = None,
    ) -> None:
        if card.kind == "classifier" and card.preprocess is None:
            raise ModelMismatch(f"model {card.id!r}: its card has no preprocess")
        if card.kind != "classifier" or card.preprocess is None:
            raise ModelMismatch(
                f"model {card.id!r} is no expression classifier: it is a {card.kind}"
            )
        self.card = card
        self._pre = card.preprocess
        self.head = OutputHead.of(card) if head is None else head
        self._session = session
        self._views = view_matrices(card.preprocess.size_hw, views)

    @classmethod
    def open(  # noqa: PLR0913 - options, all but one keyword-only
        cls,
        entry: Entry,
        *,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        views: int = 1,
        output: str = "auto",
        labels: str | None = None,
        prior: Prior | None = None,
        threshold: float | None = None,
    ) -> "Classifier":
        """Open a classifier of the zoo; raises as ``Session`` and ``OutputHead.of`` do."""
        head = OutputHead.of(
            entry.card, output=output, labels=labels, prior=prior, threshold=threshold
        )
        return cls(
            entry.card, Session(entry, threads=threads, device=device), views=views, head=head
        )

    @property
    def device(self) -> Device:
        """Where the network runs."""
        return self._session.device if isinstance(self._session, Session) else CPU_DEVICE

    @property
    def label_set(self) -> LabelSet:
        """The labels of the answers."""
        return self.head.label_set

    @property
    def pre(self) -> Preprocess:
        """The card's preprocessing."""
        return self._pre

    @property
    def views(self) -> int:
        """How many views of each face are read."""
        return len(self._views)

    def tensors(self, images: Iterable[tuple[Image, Sequence[Face]]]) -> NDArray[np.float32]:
        """Return inputs (N, C, H, W) of all faces of several images, in order; the first view."""
        return self._tensors(images, self._views[0])

    def _tensors(
        self, images: Iterable[tuple[Image, Sequence[Face]]], view: Matrix
    ) -> NDArray[np.float32]:
        parts = [
            preprocess(
                self._pre,
                image,
                [seen_through(view, matrix_for_face(self._pre, face)) for face in faces],
            )
            for image, faces in images
        ]
        size = (0, self._pre.channels, *self._pre.size_hw)
        return np.concatenate([np.zeros(size, np.float32), *parts])

    def face_outputs(
        self, images: Sequence[tuple[Image, Sequence[Face]]]
    ) -> list[NDArray[np.float32]]:
        """Return what ``outputs`` gives for all faces of several images, averaged over the views.

        Args:
            images: uint8 (H, W, 3) RGB, and the faces in it, of each image.
        """
        rows = [self.outputs(self._tensors(images, view)) for view in self._views]
        return _mean(rows)

    def face_logits(self, images: Sequence[tuple[Image, Sequence[Face]]]) -> NDArray[np.float32]:
        """Return the first output's logits (N, K) of all faces of several images."""
        return self.face_outputs(images)[0]

    def crop_logits(self, crops: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the first output's logits (N, K) of cut-out faces; uint8, gray or RGB."""
        return self.crop_outputs(crops)[0]

    def crop_outputs(self, crops: Iterable[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Return logits (N, K), and with a vote head its logits (N, V), of faces that are cut out.

        Averaged over the views.
        """
        parts = [self._empty()]
        faces: list[Pixels] = []
        for crop in crops:
            faces.append(crop if _is_gray(crop) else check_image(crop, what="crop"))
            if len(faces) == _CHUNK:
                parts.append(self._read_crops(faces))
                faces = []
        if faces:
            parts.append(self._read_crops(faces))
        return [np.concatenate(rows) for rows in zip(*parts, strict=True)]

    def _read_crops(self, faces: Sequence[Pixels]) -> list[NDArray[np.float32]]:
        matrices = [matrix_for_crop(self._pre, face.shape[:2]) for face in faces]
        gray, rows = self._pre.color == "gray", []
        for view in self._views:
            patches = [
                warp(face, seen_through(view, matrix), self._pre.size_hw, gray=gray)
                for face, matrix in zip(faces, matrices, strict=True)
            ]
            rows.append(self.outputs(to_tensor(self._pre, patches)))
        return _mean(rows)

    def logits(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits (N, K) of inputs (N, C, H, W), before the temperature."""
        return self.outputs(inputs)[0]

    def outputs(self, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return logits (N, K), and with a vote head its logits (N, V), of inputs (N, C, H, W)."""
        parts = [self._empty()]
        for i in range(0, len(inputs), _CHUNK):
            chunk = inputs[i : i + _CHUNK]
            rows = self._session.run(chunk)[: len(parts[0])]
            for got, wanted in zip(rows, parts[0], strict=True):
                shape = (len(chunk), wanted.shape[1])
                if got.shape != shape:
                    raise ModelMismatch(
                        f"model {self.card.id!r}: expected finite logits of shape {shape}, "
                        f"got {got.shape}"
                    )
                if not np.isfinite(got).all():
                    raise ModelMismatch(
                        f"model {self.card.id!r}: expected finite logits, got NaN or infinite ones"
                    )
            parts.append(rows)
        return [np.concatenate(rows) for rows in zip(*parts, strict=True)]

    def _empty(self) -> list[NDArray[np.float32]]:
        """Return the outputs for no face."""
        own = self.card.label_set
        sets = [own] if self.card.votes is None else [own, self.vote_set]
        return [np.zeros((0, len(names)), np.float32) for names in sets]

    @property
    def vote_set(self) -> LabelSet:
        """The labels of the vote head.

        Raises:
            ModelMismatch: When the model has none.
        """
        if self.card.votes is None:
            raise ModelMismatch(f"model {self.card.id!r} has no vote head")
        return label_set(self.card.votes)

    def probabilities(self, outputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the calibrated scores (N, K) of the network's outputs, rows sum to 1."""
        return self.head.probabilities(outputs)

    def expressions(self, outputs: Sequence[NDArray[np.float32]]) -> list[Expression]:
        """Return one calibrated expression for each row of the network's outputs."""
        head = self.head
        return [
            Expression(row, head.label_set, head.threshold, head.prior)
            for row in head.probabilities(outputs)
        ]


def _mean(views: Sequence[list[NDArray[np.float32]]]) -> list[NDArray[np.float32]]:
    """Average each output over the views."""
    return [np.asarray(np.mean(part, axis=0), np.float32) for part in zip(*views, strict=True)]


def _is_gray(crop: NDArray[np.uint8]) -> bool:
    return (
        isinstance(crop, np.ndarray)
        and crop.dtype == np.uint8
        and crop.ndim == 2
        and 0 not in crop.shape
    )
