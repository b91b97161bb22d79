"""Train the text detector: ``python -m research.text_detector_training``.

Only made-up writing is learned from (``lab.writings``); the net finds rows of letters, Tesseract
reads them (``curate.text_check``). Figures: docs/benchmarks/curation.md.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pyojeong.core.card import ModelCard
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.image.files import decode_image
from pyojeong.image.preprocess import to_gray
from research.checker_export import export_checker
from research.text_detector_images import Makings, make, photographs

MODEL_ID = "writing-any-made.v1"
FONTS = Path("/usr/share/fonts")
LATIN = ("liberation/*.ttf", "lato/*.ttf", "freefont/*.ttf", "roboto/**/*.ttf", "open-sans/*.ttf")
HANGUL = ("unfonts-core/*.ttf", "baekmuk/*.ttf", "noto/NotoSansCJK*.ttc", "noto/NotoSerifCJK*.ttc")


class WritingNet(nn.Module):
    """Eight convolutions at strides 2 to 8, the last ones dilated to see whole words."""

    def __init__(self) -> None:
        super().__init__()

        def step(inputs: int, outputs: int, stride: int = 1, wide: int = 1) -> list[nn.Module]:
            conv = nn.Conv2d(inputs, outputs, 3, stride, wide, dilation=wide, bias=False)
            return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]

        self.body = nn.Sequential(
            *step(1, 12, 2), *step(12, 24, 2), *step(24, 24), *step(24, 48, 2), *step(48, 48),
            *step(48, 48, wide=2), *step(48, 48, wide=4), *step(48, 48),
        )  # fmt: skip
        self.head = nn.Conv2d(48, 1, 1)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, H, W) -> (N, 1, H/8, W/8)
        """Logits: writing in this cell."""
        logits: Tensor = self.head(self.body(x))
        return logits


def makings(manifest: Path, count: int = 4000) -> Makings:
    """Faces of the Training split, photographs, and the fonts that are installed."""
    faces = []
    for sample in read_manifest(manifest, splits=[Split.TRAIN]):
        if sample.image is not None:
            faces.append(to_gray(decode_image(sample.image)))
        if len(faces) == count:
            break
    latin = sorted(f for p in LATIN for f in FONTS.glob(f"*/{p}"))
    hangul = sorted(f for p in HANGUL for f in FONTS.glob(f"*/{p}"))
    latin = [f for f in latin if not any(w in f.name for w in ("Symbol", "Hairline", "Thin"))]
    return Makings(faces, photographs(), latin, hangul)


def fit(made: Makings, steps: int, seed: int, say: Callable[[str], None] = print) -> WritingNet:
    """Train the net on freshly made pictures."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = WritingNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    total = 0.0
    for step in range(1, steps + 1):
        batch = [make(made, rng) for _ in range(24)]
        pixels = np.stack([p for p, _, _ in batch])[:, None].astype(np.float32)
        x = torch.from_numpy(pixels / 127.5 - 1)
        target = torch.from_numpy(np.stack([t for _, t, _ in batch])[:, None])
        weight = torch.from_numpy(np.stack([w for _, _, w in batch])[:, None])
        logits = net(x)
        each = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        # cells that are wrong count more: most of a picture is plainly no writing
        with torch.no_grad():
            hard = 0.05 + (logits.sigmoid() - target).abs()
        loss = (each * weight * hard).sum() / (weight * hard).sum().clamp(min=1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += float(loss.detach())
        if step % 50 == 0:
            say(f"step {step}/{steps}: loss {total / 50:.4f}")
            total = 0.0
    return net.eval()


def export(net: WritingNet, folder: Path, steps: int) -> Path:
    """Write ONNX and card."""
    return export_checker(
        net,
        folder,
        torch.zeros(1, 1, 256, 256),
        {"picture": {0: "N", 2: "H", 3: "W"}, "writing": {0: "N", 2: "h", 3: "w"}},
        ModelCard(
            id=MODEL_ID,
            kind="checker",
            file=f"{MODEL_ID}.onnx",
            sha256="",
            description="Says where writing (Latin, Hangul, digits) is in a picture.",
            source="Trained by the pyojeong developers on made-up writing over FER2013's Training "
            f"faces and free photographs ({steps:,} steps of 24): "
            "python -m research.text_detector_training.",
            limits=(
                "Learned from made-up writing; figures: docs/benchmarks/curation.md.",
                "Watermarks of three or four pixels' height are not seen.",
            ),
            license="Apache-2.0",
            license_flags=("data:research-only",),
        ),
    )


def main() -> None:
    """Make, train, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, help="FER2013 as a .parquet table")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=6)
    given = parser.parse_args()
    net = fit(makings(given.manifest), given.steps, given.seed)
    print(export(net, given.out, given.steps))


if __name__ == "__main__":
    main()
