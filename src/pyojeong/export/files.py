"""Writing a network with its card."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from torch import nn

from pyojeong.core.atomic_write import atomic_write, output_errors, work_folder
from pyojeong.core.card import ModelCard, Preprocess
from pyojeong.core.errors import PyojeongError
from pyojeong.core.labels import LabelSet
from pyojeong.core.one_writer import one_writer
from pyojeong.export.onnx_graph import fold_batch_norms, round_to_half, to_onnx
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.golden import golden_path
from pyojeong.zoo import CARD_SUFFIX, Entry

Say = Callable[[str], None]


@contextmanager
def model_files(out: Path, name: str, *, say: Say = lambda _: None) -> Iterator[Path]:
    """Yield a temporary folder for the files of a model; they go to ``out`` when the block ends.

    A variant of an earlier export that is not made again is removed: it has other weights.

    Args:
        out: The folder of models.
        name: The model's id.
        say: Called with what is removed.

    Raises:
        OutputBusy: When another process makes a model of this id there.
        OutputError: When the place could not be written to.
    """
    target = out / f"{name}{CARD_SUFFIX}"
    with one_writer(target), work_folder(target) as work:
        yield work
        _remove_variant(out, name, made={file.name for file in work.iterdir()}, say=say)
        # Cards come last: what they describe is there.
        for file in sorted(work.iterdir(), key=lambda f: f.name.endswith(CARD_SUFFIX)):
            file.replace(out / file.name)


def _remove_variant(out: Path, name: str, *, made: set[str], say: Say) -> None:
    """Remove the variant of the model that an earlier export of this id left; its card first."""
    file = out / f"{variant_id(name)}{CARD_SUFFIX}"
    if file.name in made or not file.is_file():
        return
    try:
        card = ModelCard.read(file)
    except PyojeongError:  # nobody takes it for this model's
        return
    if card.variant != name:
        return
    variant = variant_id(name)
    with output_errors(file):
        for old in (file, out / f"{variant}.onnx", golden_path(out, variant)):
            old.unlink(missing_ok=True)
    say(f"removed the earlier {variant}, which had the weights of the {name} that was replaced")


def variant_id(name: str) -> str:
    """Return the id of a model's float16 variant."""
    return f"{name}-float16"


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
