"""Writing a network with its card."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from torch import nn

from pyojeong.core.atomic_write import atomic_write, work_folder
from pyojeong.core.card import ModelCard, Preprocess
from pyojeong.core.labels import LabelSet
from pyojeong.core.one_writer import one_writer
from pyojeong.export.onnx_graph import fold_batch_norms, round_to_half, to_onnx
from pyojeong.runtime.classifier import Classifier
from pyojeong.zoo import CARD_SUFFIX, Entry


@contextmanager
def model_files(out: Path, name: str) -> Iterator[Path]:
    """Yield a temporary folder for the files of a model; they go to ``out`` when the block ends.

    Args:
        out: The folder of models.
        name: The model's id.

    Raises:
        OutputBusy: When another process makes a model of this id there.
        OutputError: When the place could not be written to.
    """
    target = out / f"{name}{CARD_SUFFIX}"
    with one_writer(target), work_folder(target) as work:
        yield work
        # Cards come last: what they describe is there.
        for file in sorted(work.iterdir(), key=lambda f: f.name.endswith(CARD_SUFFIX)):
            file.replace(out / file.name)


def store_model(card: ModelCard, data: bytes, out: Path) -> ModelCard:
    """Write a network and its card, each whole or not at all; returns the card with the digest."""
    out.mkdir(parents=True, exist_ok=True)
    card = replace(card, sha256=hashlib.sha256(data).hexdigest())
    for path, content in (
        (out / card.file, data),
        (out / f"{card.id}.card.json", card.to_file_text().encode()),
    ):
        with atomic_write(path) as file:
            file.write(content)
    return card


def open_unmeasured(
    net: nn.Module, pre: Preprocess, labels: LabelSet, folder: Path, *, name: str = "unmeasured"
) -> Classifier:
    """Return a net as the runtime would serve it, with a card that says nothing of its quality.

    For timing and tests; ``net`` is folded and rounded in place, like an exported one.

    Args:
        net: Takes (N, C, H, W) as ``pre`` makes them.
        pre: The preprocessing.
        labels: The classes of its logits.
        folder: Gets ``<name>.onnx`` and ``<name>.card.json``.
        name: The model's id.
    """
    fold_batch_norms(net.eval())
    round_to_half(net)
    facts = {"pyojeong.id": name, "pyojeong.labels": labels.id}
    data = to_onnx(net, (pre.channels, *pre.size_hw), facts)
    card = ModelCard(
        id=name,
        kind="classifier",
        file=f"{name}.onnx",
        sha256="",
        description="Not measured.",
        labels=labels.id,
        preprocess=pre,
    )
    return Classifier.open(Entry(store_model(card, data, folder), folder))
