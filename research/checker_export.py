"""Writes a checker net (a fault's score from a picture) as ONNX with its card."""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from pyojeong.core.card import ModelCard


def export_checker(
    net: nn.Module,
    folder: Path,
    example: Tensor,
    axes: Mapping[str, Mapping[int, str]],
    card: ModelCard,
) -> Path:
    """Write the network as ``card.file``, and the card with its digest beside it.

    Args:
        net: In evaluation mode; one input, one output.
        folder: Where to.
        example: An input.
        axes: Name of the input and of the output, in this order -> axis -> name of a free size.
        card: The card; its digest is filled in.

    Returns:
        The ONNX file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / card.file
    given, output = axes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter gives one file without extra packages
        torch.onnx.export(
            net, (example,), str(file), dynamo=False, input_names=[given], output_names=[output],
            dynamic_axes={name: dict(free) for name, free in axes.items()},
        )  # fmt: skip
    done = replace(card, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    file.with_suffix(".card.json").write_text(done.to_file_text(), encoding="utf-8")
    return file
