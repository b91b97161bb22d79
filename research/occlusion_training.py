"""Train the occlusion detector (eyes or mouth): ``python -m research.occlusion_training``.

Faces are FER2013's Training pictures, covers are painted (``lab.covers``). The net sees a 48 x 48
gray crop around the detector's box, as ``curate.face_checks`` gives it. What is half covered (12 to
30 %) is not learned from. No photograph of a covered face is used; the figures on real ones are in
docs/benchmarks/curation.md.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pyojeong.core.card import ModelCard, Preprocess
from pyojeong.core.face import Box
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.image.files import decode_image
from pyojeong.image.preprocess import Pixels, matrix_for_box, to_gray, warp
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.runtime.facemesh import LEFT_EYE, MOUTH, RIGHT_EYE, FaceMesh
from research.checker_export import export_checker
from research.occlusion_drawing import CANVAS, FacePoints, paint

PREPROCESS = Preprocess(
    size_hw=(48, 48), color="gray", mean=(0.5,), std=(0.25,), box_scale=0.95, box_shift_y=0.0
)
MODEL_ID = "cover-48-fer2013.v1"
_COVERED, _FREE = 0.3, 0.12


@dataclass(frozen=True, slots=True)
class Example:
    """A face to paint on.

    Attributes:
        image: uint8 (192, 192) gray.
        points: Eyes and mouth, in its pixels.
        box: The detector's box, in its pixels.
        plain: True where the points could not be trusted (profiles): nothing is painted there.
    """

    image: Pixels
    points: FacePoints
    box: Box
    plain: bool


def collect(manifest: Path, count: int, say: Callable[[str], None] = print) -> list[Example]:
    """Find boxes and points on Training pictures; those without one are left out."""
    detector, mesh = build_detector("auto"), FaceMesh()
    out: list[Example] = []
    for sample in read_manifest(manifest, splits=[Split.TRAIN]):
        if sample.image is None or len(out) == count:
            continue
        image = decode_image(sample.image)
        faces = sorted(detector.detect(image), key=lambda f: -f.score)
        if not faces:
            continue
        fitted = mesh.fit(image, faces[0].box)
        scale = CANVAS / image.shape[0]
        xy = fitted.points[:, :2].astype(np.float64) * scale
        right, left = xy[list(RIGHT_EYE)], xy[list(LEFT_EYE)]
        lips = xy[list(MOUTH)]
        points = FacePoints(
            right.mean(0),
            left.mean(0),
            lips.mean(0),
            float(max(np.linalg.norm(right[0] - right[1]), np.linalg.norm(left[0] - left[1]))),
            float(np.linalg.norm(lips[0] - lips[1])),
        )
        big = cv2.resize(to_gray(image), (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)
        box = faces[0].box
        box = Box(box.x1 * scale, box.y1 * scale, box.x2 * scale, box.y2 * scale)
        plain = fitted.presence < 0.5
        out.append(Example(np.asarray(big, np.uint8), points, box, plain))
        if len(out) % 1000 == 0:
            say(f"{len(out)} faces collected")
    return out


class CoverNet(nn.Module):
    """Five convolutions; position matters, so the last map is not averaged away."""

    def __init__(self) -> None:
        super().__init__()

        def step(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
            conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]

        self.body = nn.Sequential(
            *step(1, 16, 1), *step(16, 32, 2), *step(32, 32, 1), *step(32, 64, 2),
            *step(64, 64, 1), *step(64, 64, 2),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 36, 64), nn.ReLU(), nn.Linear(64, 2)
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 48, 48) -> (N, 2)
        """Logits: eyes covered, mouth covered."""
        logits: Tensor = self.head(self.body(x))
        return logits


def draw(
    examples: list[Example], rng: np.random.Generator
) -> tuple[Pixels, NDArray[np.float32], NDArray[np.float32]]:
    """One painted, moved, degraded crop (48, 48), its two targets and their weights."""
    one = examples[int(rng.integers(len(examples)))]
    other = examples[int(rng.integers(len(examples)))].image
    painted, eyes, mouth = one.image, 0.0, 0.0
    if not one.plain:
        painted, eyes, mouth = paint(one.image, one.points, other, rng)
    small = cv2.resize(painted, (48, 48), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:  # sharper than FER2013, as larger photographs are
        small = cv2.resize(painted, (96, 96), interpolation=cv2.INTER_AREA)
    k = small.shape[0] / CANVAS
    b = one.box
    side = max(b.x2 - b.x1, b.y2 - b.y1) * rng.uniform(0.9, 1.2)
    cx = (b.x1 + b.x2) / 2 + side * rng.normal(0, 0.05)
    cy = (b.y1 + b.y2) / 2 + side * rng.normal(0, 0.05)
    box = Box((cx - side / 2) * k, (cy - side / 2) * k, (cx + side / 2) * k, (cy + side / 2) * k)
    matrix = matrix_for_box(PREPROCESS, box)
    turn = np.radians(rng.normal(0, 10))
    about = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.concatenate([about @ matrix[:, :2], (about @ (matrix[:, 2:] - 24)) + 24], axis=1)
    crop = warp(np.asarray(small, np.uint8), matrix, (48, 48)).astype(np.float64)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    if rng.random() < 0.4:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.3, 1.2)), np.float64)
    crop = (crop - 128) * rng.uniform(0.5, 1.35) + 128 + rng.normal(0, 25)
    crop = crop + rng.normal(0, rng.uniform(0, 5), crop.shape)
    shares = np.array([eyes, mouth], np.float32)
    weights = ((shares >= _COVERED) | (shares <= _FREE)).astype(np.float32)
    return np.clip(crop, 0, 255).astype(np.uint8), (shares >= _COVERED).astype(np.float32), weights


def fit(
    examples: list[Example], steps: int, seed: int, say: Callable[[str], None] = print
) -> CoverNet:
    """Train the net on freshly painted faces."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = CoverNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    total = 0.0
    for step in range(1, steps + 1):
        batch = [draw(examples, rng) for _ in range(128)]
        crops = np.stack([crop for crop, _, _ in batch])[:, None].astype(np.float32)
        x = torch.from_numpy((crops / 255 - 0.5) / 0.25)
        target = torch.from_numpy(np.stack([t for _, t, _ in batch]))
        weight = torch.from_numpy(np.stack([w for _, _, w in batch]))
        loss = nn.functional.binary_cross_entropy_with_logits(net(x), target, weight=weight)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        total += float(loss.detach())
        if step % 100 == 0:
            say(f"step {step}/{steps}: loss {total / 100:.4f}")
            total = 0.0
    return net.eval()


def export(net: CoverNet, folder: Path, steps: int, faces: int) -> Path:
    """Write ONNX and card."""
    return export_checker(
        net,
        folder,
        torch.zeros(2, 1, 48, 48),
        {"crop": {0: "N"}, "covered": {0: "N"}},
        ModelCard(
            id=MODEL_ID,
            kind="checker",
            file=f"{MODEL_ID}.onnx",
            sha256="",
            description="Says whether the eyes or the mouth of a cut-out face are covered.",
            source="Trained by the pyojeong developers on FER2013's Training pictures with painted "
            f"covers ({faces:,} faces, {steps:,} steps of 128): "
            "python -m research.occlusion_training.",
            limits=(
                "Learned from painted covers; figures on photographs: docs/benchmarks/curation.md.",
                "A cigarette in the mouth and hair over one eye are often missed.",
            ),
            preprocess=PREPROCESS,
            license="Apache-2.0",
            license_flags=("data:research-only",),
        ),
    )


def main() -> None:
    """Collect, train, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, help="FER2013 as a .parquet table")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--faces", type=int, default=9000)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    examples = collect(given.manifest, given.faces)
    net = fit(examples, given.steps, given.seed)
    print(export(net, given.out, given.steps, len(examples)))


if __name__ == "__main__":
    main()
