"""Make the networks of the page in the browser: float32, weights of 4 to 8 bits.

Run as ``python -m benchmarks.page.make_networks ../shared/data/photographs``. It writes
src/pyojeong/page/models/.

Every weight of the classifier is rounded to 4, 5, 6 and 7 bits in turn. For each choice the change
of the vote logits on faces of training photographs (mean square) and the gzipped bytes are noted;
then each weight gets the bits with the least change + price * bytes. The other networks have the
same bits in all weights.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper
from rich.console import Console
from rich.progress import track

from pyojeong import Analyzer, load_image
from pyojeong.export import web_variant as web
from pyojeong.runtime.classifier import Classifier
from pyojeong.zoo import DEFAULT_MODEL, find

MODELS = Path(__file__).parents[2] / "src" / "pyojeong" / "models"
OUT = Path(__file__).parents[2] / "src" / "pyojeong" / "page" / "models"
OTHERS = {
    "blazeface": ("blazeface_full_range.onnx", 7),
    "onet": ("mtcnn_onet.onnx", 7),
    "mesh": ("facemesh_468.onnx", 8),
    "iris": ("iris.onnx", 8),
}
"""Name -> file, bits of each weight: points of the mesh must be exact to a fraction of a pixel."""
BITS = (4, 5, 6, 7)
PRICE = 1e-8
"""Mean square of logits that one byte is worth."""
FACES = 160


def faces_of(folder: Path) -> NDArray[np.float32]:  # (N, C, H, W)
    """Return inputs of the classifier: the largest face of some photographs."""
    classifier, analyzer = Classifier.open(find(DEFAULT_MODEL)), Analyzer()
    paths = sorted(folder.rglob("*.jpg"))
    chosen = np.random.default_rng(0).permutation(len(paths))[:FACES]
    parts = []
    for i in track(chosen, "Faces", console=Console(stderr=True)):
        image = load_image(paths[i])
        faces = analyzer.analyze(image).faces[:1]
        parts += [classifier.tensors([(image, faces)])] if faces else []
    return np.concatenate(parts)


def votes_of(model: onnx.ModelProto, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vote logits (N, V)."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options)
    parts = [session.run(["votes"], {"faces": inputs[i : i + 32]}) for i in range(0, FACES, 32)]
    return np.concatenate([part[0] for part in parts])


def chosen_bits(model: onnx.ModelProto, inputs: NDArray[np.float32]) -> dict[str, int]:
    """Return the bits of each weight."""
    whole = web.float_network(model)
    wanted, sizes = votes_of(whole, inputs), web.large_weights(whole)
    chosen: dict[str, int] = {}
    for name in track(sizes, "Weights", console=Console(stderr=True)):
        costs = {}
        for bits in BITS:
            steps, scale = web.rounded_weight(whole, name, bits)
            trial = onnx.ModelProto.FromString(whole.SerializeToString())
            tensor = next(t for t in trial.graph.initializer if t.name == name)
            tensor.CopyFrom(numpy_helper.from_array((steps * scale).astype(np.float32), name))
            change = float(((votes_of(trial, inputs) - wanted) ** 2).mean())
            costs[bits] = change + PRICE * len(gzip.compress(steps.tobytes(), 9))
        chosen[name] = min(costs, key=lambda bits: costs[bits])
    return chosen


def main() -> None:
    """Write the three networks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photographs", type=Path)
    inputs = faces_of(parser.parse_args().photographs)
    entry = find(DEFAULT_MODEL)
    model = onnx.load(str(entry.weights))
    bits = chosen_bits(model, inputs)
    OUT.mkdir(parents=True, exist_ok=True)
    made = {entry.card.id: web.web_variant(model, bits=bits)}
    for name, (file, few) in OTHERS.items():
        made[name] = web.web_variant(onnx.load(str(MODELS / file)), bits=few)
    console = Console()
    for name, network in made.items():
        data = network.SerializeToString()
        (OUT / f"{name}.onnx").write_bytes(data)
        console.print(f"{name}: {len(data):,} bytes, gzipped {len(gzip.compress(data, 9)):,}")


if __name__ == "__main__":
    main()
