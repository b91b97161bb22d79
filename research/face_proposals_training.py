"""Train the network that proposes small faces, on pasted faces over pictures without any.

    python -m research.face_proposals_training --photographs photographs --out runs/proposals

The faces are those of ``photographs/`` (boxes by the default detector), 8 to 300 pixels wide,
pasted with hard, oval or soft edges, alone or in groups. Backgrounds are parts of the same
photographs away from the face, two free pictures of scikit-learn, frames of clips without faces,
and made ones (fractal noise, polygons, stripes, writing). None of the pictures of
docs/benchmarks/detectors.md is among them. The network sees an image so scaled that the faces it
proposes are 9 to 22 pixels wide.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor, nn

from pyojeong.image.files import read_image
from pyojeong.image.preprocess import Pixels, to_gray
from pyojeong.runtime.detection.registry import build_detector

SIDE = 160
STRIDE = 4
SEEN = (9.0, 22.0)
"""Widths of faces that are proposed, in pixels."""
IGNORED = (7.0, 28.0)
"""Widths around them that are neither right nor wrong."""
say = Console(stderr=True, highlight=False)


class FaceProposals(nn.Module):
    """Score, offset of the centre, and size, for every cell of 4 x 4 pixels.

    Input (N, 1, H, W) gray 0 to 255, H and W multiples of 4; output (N, 5, H/4, W/4): logit,
    offsets x and y in cells, logarithms of width and height over 14 pixels.
    """

    def __init__(self, widths: tuple[int, int, int] = (16, 32, 48)) -> None:
        super().__init__()
        first, second, third = widths
        layers: list[nn.Module] = []
        for given, made, stride, dilation in (
            (1, first, 2, 1),
            (first, second, 2, 1),
            (second, third, 1, 1),
            (third, third, 1, 1),
            (third, third, 1, 2),
            (third, third, 1, 2),
        ):
            layers += [
                nn.Conv2d(given, made, 3, stride, dilation, dilation=dilation, bias=False),
                nn.BatchNorm2d(made),
                nn.ReLU(),
            ]
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Conv2d(third, 5, 1)
        with torch.no_grad():
            self.head.bias[0] = -4.0

    def forward(self, image: Tensor) -> Tensor:
        """Return the five maps."""
        out: Tensor = self.head(self.trunk((image - 127.5) / 64))
        return out


@dataclass(frozen=True, slots=True)
class Source:
    """A photograph with its face, (x1, y1, x2, y2) in pixels, and halves of it, gray."""

    levels: list[Pixels]
    box: NDArray[np.float64]

    @property
    def image(self) -> Pixels:
        """The photograph as it is."""
        return self.levels[0]


def read_sources(folder: Path, every: int = 1) -> list[Source]:
    """Return the photographs whose one face the default detector finds."""
    detector = build_detector("auto")
    sources = []
    for file in sorted((folder / "images").glob("*.jpg"))[::every]:
        image = read_image(file)
        faces = detector.detect(image)
        if faces:
            levels = [to_gray(image)]
            while min(levels[-1].shape) > 20:
                half = tuple(n // 2 for n in levels[-1].shape[::-1])
                levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
            sources.append(Source(levels, np.array(faces[0].box.xyxy)))
    return sources


def read_backgrounds(clips: Path) -> list[Pixels]:
    """Return free pictures without faces."""
    from sklearn.datasets import load_sample_images

    found = [to_gray(np.asarray(image)) for image in load_sample_images().images]
    for clip in sorted(clips.glob("no*face*.m*")):
        capture = cv2.VideoCapture(str(clip))
        for _ in range(40):
            capture.grab()
        good, frame = capture.read()
        if good:
            found.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
    return found


class Scenes:
    """Made images with faces of known places.

    Args:
        sources: Photographs.
        backgrounds: Pictures without faces.
        seed: Of the random numbers.
        pool: Made backgrounds that are drawn from.
    """

    def __init__(
        self, sources: list[Source], backgrounds: list[Pixels], seed: int, pool: int = 400
    ) -> None:
        self.sources, self.backgrounds = sources, backgrounds
        self.random = np.random.default_rng(seed)
        self.pool = [(self._noise, self._drawing, self._tiles)[i % 3]() for i in range(pool)]

    def one(self) -> tuple[Pixels, NDArray[np.float32]]:
        """Return an image uint8 (160, 160) and its faces float32 (N, 4)."""
        random = self.random
        image = self._background()
        boxes: list[NDArray[np.float64]] = []
        close = random.random() < 0.2
        for _ in range(int(random.integers(0, 7))):
            width = float(np.exp(random.uniform(np.log(7), np.log(34))))
            if random.random() < 0.1:
                width = float(random.uniform(40, 300))
            self._paste(image, boxes, width, close=close)
        return self._spoiled(image), np.array(boxes, np.float32).reshape(-1, 4)

    def _background(self) -> Pixels:
        random = self.random
        pool = self.backgrounds if random.random() < 0.3 else self.pool
        picture = pool[int(random.integers(len(pool)))]
        scale = float(np.exp(random.uniform(np.log(0.4), np.log(1.5))))
        scale = max(scale, (SIDE + 1) / min(picture.shape))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how)
        y, x = (int(random.integers(0, n - SIDE + 1)) for n in picture.shape)
        picture = picture[y : y + SIDE, x : x + SIDE]
        if random.random() < 0.5:
            picture = picture[:, ::-1]
        return np.asarray(picture, np.uint8).copy()

    def _tiles(self) -> Pixels:
        """Parts of photographs below or beside the face, or much enlarged parts of a face."""
        random = self.random
        side = 2 * SIDE
        image = np.zeros((side, side), np.uint8)
        step = int(random.choice([40, 80, 160]))
        for y in range(0, side, step):
            for x in range(0, side, step):
                source = self.sources[int(random.integers(len(self.sources)))]
                x1, y1, x2, y2 = np.maximum(source.box, 0).astype(int)
                eye = (slice(y1, y1 + (y2 - y1) // 3), slice(x1, x1 + (x2 - x1) // 3))
                parts = [
                    source.image[y2:],
                    source.image[:, :x1],
                    source.image[:, x2:],
                    source.image[:y1],
                    source.image[eye],
                ]
                parts = [p for p in parts if min(p.shape) >= 8]
                if parts:
                    part = parts[int(random.integers(len(parts)))]
                    image[y : y + step, x : x + step] = cv2.resize(part, (step, step))
        return image

    def _noise(self) -> Pixels:
        random = self.random
        side = 2 * SIDE
        image = np.zeros((side, side), np.float32)
        power = random.uniform(0.3, 1.3)
        for sigma in (0.7, 2, 5, 12, 30):
            layer = cv2.GaussianBlur(random.normal(size=(side, side)), (0, 0), sigma)
            image += layer / layer.std() * sigma**power
        image = image / image.std() * random.uniform(10, 60)
        return np.clip(image + random.uniform(30, 220), 0, 255).astype(np.uint8)

    def _drawing(self) -> Pixels:
        random = self.random
        side = 2 * SIDE
        image = np.full((side, side), random.integers(0, 256), np.uint8)
        for _ in range(int(random.integers(5, 90))):
            tone = int(random.integers(0, 256))
            points = random.integers(-20, side + 20, (3, 2))
            at, other = (tuple(int(v) for v in p) for p in points[:2])
            size = int(random.integers(2, 40))
            kind = int(random.integers(5))
            if kind == 0:
                cv2.fillPoly(image, [points.astype(np.int32)], tone)
            elif kind == 1:
                cv2.circle(image, at, size, tone, int(random.choice([-1, 1, 2, 4])))
            elif kind == 2:
                cv2.rectangle(image, at, other, tone, 2)
            elif kind == 3:
                words = "".join(chr(int(c)) for c in random.integers(40, 120, 12))
                cv2.putText(image, words, at, 0, float(random.uniform(0.2, 1.2)), tone, 1)
            else:
                cv2.line(image, at, other, tone, size // 6 + 1)
        return image

    def _paste(
        self, image: Pixels, boxes: list[NDArray[np.float64]], width: float, *, close: bool
    ) -> None:
        """Put a face into the image where there is room, and its box into ``boxes``."""
        random = self.random
        source = self.sources[int(random.integers(len(self.sources)))]
        scale = width / max(source.box[2] - source.box[0], 1.0)
        height = (source.box[3] - source.box[1]) * scale
        half = np.array([width, height]) / 2
        for _ in range(10):
            center = random.uniform(0, SIDE, 2)
            if close and boxes:
                near = boxes[int(random.integers(len(boxes)))]
                aside = random.choice([-1, 1]) * width * random.uniform(1, 1.6)
                center = (near[:2] + near[2:]) / 2 + (aside, random.uniform(-0.5, 0.5) * height)
            mine = np.concatenate([center - half, center + half])
            room = half * (2.1 if close else 2.8)
            free = all(
                (np.abs(center - (b[:2] + b[2:]) / 2) > (room + (b[2:] - b[:2]) / 2) / 1.5).any()
                for b in boxes
            )
            if free and (center >= 0).all() and (center < SIDE).all():
                break
        else:
            return
        reach = np.ceil(half * 2.6).astype(int)
        low = np.maximum(np.floor(center).astype(int) - reach, 0)
        high = np.minimum(np.floor(center).astype(int) + reach, SIDE)
        if (high - low < 2).any():
            return
        tile, inside = self._tile(source, scale, center - low, high - low)
        mask = inside * self._mask(mine - np.concatenate([low, low]), high - low)
        tile = tile * random.uniform(0.6, 1.3) + random.uniform(-20, 20)
        part = image[low[1] : high[1], low[0] : high[0]]
        part[:] = np.clip(mask * tile + (1 - mask) * part, 0, 255)
        boxes.append(mine)

    def _tile(
        self, source: Source, scale: float, center: NDArray[np.float64], size: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the photograph scaled, its face at ``center``, and where it has pixels."""
        random = self.random
        level = min(max(int(np.floor(np.log2(1 / scale))), 0), len(source.levels) - 1)
        photo = source.levels[level]
        scale *= 2**level
        middle = (source.box[:2] + source.box[2:]) / 2 / 2**level
        if random.random() < 0.5:
            photo = np.ascontiguousarray(photo[:, ::-1])
            middle[0] = photo.shape[1] - middle[0]
        angle = float(random.normal(0, 12))
        affine = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), angle, scale)
        affine[:, 2] += center - middle
        wide = (int(size[0]), int(size[1]))
        tile = cv2.warpAffine(photo, affine, wide, borderMode=cv2.BORDER_REPLICATE)
        inside = cv2.warpAffine(np.ones(photo.shape, np.float32), affine, wide)
        return tile.astype(np.float32), inside

    def _mask(self, box: NDArray[np.float64], size: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how opaque the face is: a rectangle, an oval, or down to the shoulders."""
        random = self.random
        x1, y1, x2, y2 = box
        dx = ((np.arange(size[0]) + 0.5 - (x1 + x2) / 2) / (x2 - x1))[None]
        dy = ((np.arange(size[1]) + 0.5 - (y1 + y2) / 2) / (y2 - y1))[:, None]
        grow = random.uniform(0.52, 0.9)
        kind = random.random()
        if kind < 0.3:
            mask = (np.abs(dx) < grow) & (np.abs(dy) < grow)
        elif kind < 0.75:
            radius = np.hypot(dx, dy * random.uniform(0.85, 1.0)) / grow
            mask = np.clip((1.08 - radius) / random.uniform(0.05, 0.2), 0, 1)
        else:
            mask = (np.abs(dx) < 2.2 * grow) & (dy > -grow)
        return np.asarray(mask, np.float32)

    def _spoiled(self, image: Pixels) -> Pixels:
        """Return the image as cameras and files change it."""
        random = self.random
        if random.random() < 0.3:
            image = cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.3, 1.0)))
        if random.random() < 0.3:
            quality = int(random.integers(30, 95))
            _, file = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
            image = cv2.imdecode(file, cv2.IMREAD_GRAYSCALE)
        changed = image.astype(np.float32) * random.uniform(0.7, 1.25) + random.uniform(-25, 25)
        if random.random() < 0.2:
            changed += random.normal(0, random.uniform(1, 8), changed.shape)
        return np.clip(changed, 0, 255).astype(np.uint8)


CELLS = SIDE // STRIDE


def targets(boxes: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what the net shall say, (5, 40, 40), and a weight of the score, (40, 40)."""
    goal = np.zeros((5, CELLS, CELLS), np.float32)
    weight = np.ones((CELLS, CELLS), np.float32)
    ys, xs = (np.mgrid[:CELLS, :CELLS] + 0.5) * STRIDE
    for x1, y1, x2, y2 in boxes:
        width, height = x2 - x1, y2 - y1
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        dx, dy = (x - xs) / STRIDE, (y - ys) / STRIDE
        far = np.hypot((xs - x) / width, (ys - y) / height)
        if not IGNORED[0] <= width <= IGNORED[1]:
            continue
        weight[(far < 0.45)] = 0
        if SEEN[0] <= width <= SEEN[1]:
            near = far < 0.2
            near |= (np.abs(dx) <= 0.5) & (np.abs(dy) <= 0.5)
            weight[near] = 1
            goal[0][near] = 1
            for k, value in enumerate((dx, dy)):
                goal[1 + k][near] = value[near]
            goal[3][near], goal[4][near] = np.log(width / 14), np.log(height / 14)
    return goal, weight


def loss_of(out: Tensor, goal: Tensor, weight: Tensor) -> Tensor:
    """Focal loss of the score (Lin et al. 2017, arXiv 1708.02002), smooth L1 of the boxes."""
    is_face = goal[:, 0]
    cross = nn.functional.binary_cross_entropy_with_logits(out[:, 0], is_face, reduction="none")
    share = torch.sigmoid(out[:, 0])
    wrong = torch.where(is_face > 0.5, 1 - share, share)
    balance = torch.where(is_face > 0.5, 0.75, 0.25)
    count = is_face.sum().clamp(min=1)
    score = (balance * wrong**2 * cross * weight).sum() / count
    box = nn.functional.smooth_l1_loss(out[:, 1:], goal[:, 1:], reduction="none", beta=0.2).sum(1)
    return score * 4 + (box * is_face).sum() / count


def train(given: argparse.Namespace) -> None:
    """Train, and save the weights every 500 steps."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    sources = read_sources(given.photographs)
    say.print(f"{len(sources):,} faces")
    scenes = Scenes(sources, read_backgrounds(given.clips), seed=0)
    net = FaceProposals()
    if given.start is not None:
        net.load_state_dict(torch.load(given.start, weights_only=True)["net"])
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, given.steps, pct_start=0.1)
    given.out.mkdir(parents=True, exist_ok=True)
    file, began, first = given.out / "proposals.pt", time.monotonic(), 0
    if file.exists():
        saved = torch.load(file, weights_only=True)
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        first = saved["step"]
        scenes = Scenes(sources, scenes.backgrounds, seed=first)
    losses = []
    for step in range(first, given.steps):
        made = [scenes.one() for _ in range(given.batch)]
        images = torch.from_numpy(np.stack([m[0] for m in made]))[:, None].float()
        goals, weights = zip(*(targets(m[1]) for m in made), strict=True)
        out = net(images)
        loss = loss_of(out, torch.from_numpy(np.stack(goals)), torch.from_numpy(np.stack(weights)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            seconds = time.monotonic() - began
            say.print(f"{step + 1}: loss {np.mean(losses[-100:]):.4f}, {seconds:.0f} s")
        if (step + 1) % 500 == 0 or step + 1 == given.steps:
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**state, "schedule": schedule.state_dict(), "step": step + 1}, file)
    (given.out / "training.json").write_text(json.dumps({"loss": losses[-1]}), encoding="utf-8")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights of an earlier training")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=32)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
