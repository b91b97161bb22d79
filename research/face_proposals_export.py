"""Write the network of small faces as int8 ONNX with its card.

python -m research.face_proposals_export runs/proposals/proposals.pt --photographs photographs \
        --clips clips --out src/pyojeong/models
"""

import argparse
import hashlib
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from rich.console import Console

from pyojeong.core.card import ModelCard
from pyojeong.export.quantization import quantise
from research.checker_export import export_checker
from research.face_proposals_training import (
    SIDE,
    FaceProposals,
    Scenes,
    read_backgrounds,
    read_sources,
)

CARD = ModelCard(
    id="proposals-any-photos.v1",
    kind="detector",
    file="proposals-any-photos.v1.onnx",
    sha256="",
    description="Proposes faces of 9 to 22 pixels' width, gray, any size that 4 divides.",
    license="Apache-2.0",
    license_flags=("data:research-only",),
    source=(
        "Trained by the pyojeong developers on pasted faces of press and film photographs: "
        "python -m research.face_proposals_training."
    ),
    limits=(
        "Proposals only: another network decides. Faces turned by more than 30 degrees were rare "
        "in its training.",
    ),
)


def main() -> None:
    """Export."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    net = FaceProposals()
    net.load_state_dict(torch.load(given.weights, weights_only=True)["net"])
    net.eval()
    scenes = Scenes(
        read_sources(given.photographs, every=8), read_backgrounds(given.clips), seed=99, pool=60
    )
    images = np.stack([scenes.one()[0] for _ in range(120)])[:, None].astype(np.float32)
    example = torch.zeros(1, 1, SIDE, SIDE)
    axes = {
        "image": {0: "batch", 2: "height", 3: "width"},
        "maps": {0: "batch", 2: "rows", 3: "columns"},
    }
    with tempfile.TemporaryDirectory() as folder:
        plain = export_checker(net, Path(folder), example, axes, CARD)
        model = onnx.load(plain)
        convolutions = [n.name for n in model.graph.node if n.op_type == "Conv"]
        data, figures = quantise(
            model.SerializeToString(), images[40:], images[:40], spared=[convolutions[-1]]
        )
    Console(stderr=True).print(figures)
    file = given.out / CARD.file
    file.write_bytes(data)
    card = ModelCard.from_json(
        CARD.to_json().replace('"sha256": ""', f'"sha256": "{hashlib.sha256(data).hexdigest()}"')
    )
    file.with_suffix(".card.json").write_text(card.to_file_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
