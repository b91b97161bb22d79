"""From a finished run to a model others can use: ONNX, card, golden vectors.

What is exported are the averaged weights of the epoch that the recipe picks (the best one on
Split.VALID, or the last), with batch norms folded into the convolutions where they follow them in a
Sequential, and every weight rounded to float16, because that halves the file. The torch net is
rounded the same way before the two are compared, so that parity speaks of the conversion alone; the
rounding's own effect is reported beside it.
"""

import hashlib
import io
import json
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pyojeong._version import __version__
from pyojeong.core.card import ModelCard, Preprocess
from pyojeong.core.errors import ExperimentError, ModelMismatch
from pyojeong.core.face import Detector
from pyojeong.core.labels import LabelSet
from pyojeong.datasets.samples import Split, manifest_labels, read_manifest
from pyojeong.evaluate import fit_threshold
from pyojeong.lab.calibration import choose_calibration
from pyojeong.lab.framing import measure_framing
from pyojeong.lab.run import Run, load_picked
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.golden import golden_crops, golden_path
from pyojeong.scoring import figures, predict_split
from pyojeong.zoo import Entry

PARITY = 1e-3
"""Largest difference of logits allowed between the ONNX file and the torch net."""

TARGET_ACCURACY = 0.85
"""The threshold for "unclear" is set so that this share of the given answers is right on VALID."""

OPSET = 17

Say = Callable[[str], None]


class _Logits(nn.Module):
    """The classifier without the vote head."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.net(x)
        return logits


def fold_batch_norms(module: nn.Module) -> None:
    """Fold every BatchNorm2d that directly follows a Conv2d in a Sequential into it, in place."""
    for child in module.children():
        fold_batch_norms(child)
    if not isinstance(module, nn.Sequential):
        return
    for i in range(len(module) - 1):
        conv, norm = module[i], module[i + 1]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module[i] = fuse_conv_bn_eval(conv, norm)
            module[i + 1] = nn.Identity()


def round_to_half(module: nn.Module) -> None:
    """Round weights and statistics to the nearest float16, in place; arithmetic stays float32."""
    with torch.no_grad():
        for values in (*module.parameters(), *module.buffers()):
            if values.is_floating_point():
                values.copy_(values.half().float())


def store_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store float32 initialisers as float16 with a Cast to float32, which is folded on opening."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model


def to_onnx(net: nn.Module, shape: tuple[int, int, int], metadata: dict[str, str]) -> bytes:
    """One self-contained ONNX file: ``faces`` (N, C, H, W) in, ``logits`` (N, K) out."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The TorchScript exporter writes one file and folds constants; its successor writes two.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Logits(net).eval(),
            (torch.zeros(2, *shape),),
            buffer,  # type: ignore[arg-type]
            input_names=["faces"],
            output_names=["logits"],
            dynamic_axes={"faces": {0: "N"}, "logits": {0: "N"}},
            opset_version=OPSET,
            # Else the exporter folds batch norms that were not folded before, and its float32
            # weights would be rounded after the net they are compared with; the runtime folds them.
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
    model = store_half(onnx.load_from_string(buffer.getvalue()))
    model.producer_name, model.producer_version = "pyojeong", __version__
    helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())


def open_unmeasured(
    net: nn.Module, pre: Preprocess, labels: LabelSet, folder: Path, *, name: str = "unmeasured"
) -> Classifier:
    """A net as the runtime would serve it, with a card that says nothing of its quality.

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
    return Classifier.open(Entry(_store(card, data, folder), folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What an export is called and what its card says of rights and limits.

    Attributes:
        id: The model's id; also the files' name.
        description: One sentence.
        license: Licence of the weights.
        license_flags: Machine-readable caveats.
        source: Where the weights come from.
        limits: Plain sentences.
    """

    id: str
    description: str = "Expression classifier trained with pyojeong."
    license: str = ""
    license_flags: tuple[str, ...] = ()
    source: str = "trained with pyojeong"
    limits: tuple[str, ...] = ()


def export_run(
    run: Run,
    manifest: Path,
    out: Path,
    options: ExportOptions,
    *,
    detector: Detector,
    say: Say = lambda _: None,
) -> ModelCard:
    """Write ``<id>.onnx``, ``<id>.card.json`` and ``<id>.golden.npz`` of a finished run.

    Calibration and threshold are fitted on Split.VALID; Split.TEST, if any, is scored once and the
    look is noted in the run folder (``test_looks.jsonl``).

    Raises:
        ExperimentError: When the run is unfinished.
        ModelMismatch: When ONNX and torch differ by more than ``PARITY``.
    """
    experiment = run.experiment
    if not run.done:
        raise ExperimentError(f"{run.folder} is not finished: resume it with `pyojeong train`")
    labels = manifest_labels(manifest)
    task = load_picked(run, num_classes=len(labels))
    plain = task.scored.net
    pre, framing = measure_framing(experiment.preprocess, manifest, detector)
    say(f"framing measured on {framing['with_landmarks']} training crops")
    folded = load_picked(run, num_classes=len(labels)).scored.net
    fold_batch_norms(folded)  # type: ignore[arg-type]
    round_to_half(folded)  # type: ignore[arg-type]
    card = ModelCard(
        id=options.id,
        kind="classifier",
        file=f"{options.id}.onnx",
        sha256="",
        description=options.description,
        labels=labels.id,
        preprocess=pre,
        license=options.license,
        license_flags=options.license_flags,
        source=options.source,
        limits=options.limits,
    )
    shape = (pre.channels, *pre.size_hw)
    data = to_onnx(folded, shape, {"pyojeong.id": card.id, "pyojeong.labels": labels.id})  # type: ignore[arg-type]
    card = _store(card, data, out)
    parity, rounding = _compare(Classifier.open(Entry(card, out)), folded, plain, shape)  # type: ignore[arg-type]
    say(f"|onnx - torch| {parity:.1e}; effect of float16 weights {rounding:.1e} (logits)")
    if parity > PARITY:
        raise ModelMismatch(f"ONNX and torch logits differ by {parity:.2e}, more than {PARITY}")
    card, calibrations = _calibrate(card, manifest, out)
    card = _measure(card, run, manifest, out, framing=framing, say=say)
    card = replace(card, metrics={**card.metrics, "onnx_parity": parity, "half_effect": rounding})
    card = replace(card, training={**card.training, "calibration_on_valid": calibrations})
    # The final card also goes into the ONNX metadata, so that the two cannot be told apart.
    card = _embed(card, out)
    _write_golden(Classifier.open(Entry(card, out)), out)
    return card


def _store(card: ModelCard, data: bytes, out: Path) -> ModelCard:
    out.mkdir(parents=True, exist_ok=True)
    card = replace(card, sha256=hashlib.sha256(data).hexdigest())
    for path, content in (
        (out / card.file, data),
        (out / f"{card.id}.card.json", card.to_json().encode()),
    ):
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_bytes(content)
        temporary.replace(path)
    return card


def _embed(card: ModelCard, out: Path) -> ModelCard:
    model = onnx.load(out / card.file)
    preprocess = json.loads(card.to_json())["preprocess"]
    facts = {
        "pyojeong.id": card.id,
        "pyojeong.labels": ",".join(card.label_set.names),
        "pyojeong.preprocess": json.dumps(preprocess),
        "pyojeong.temperature": repr(card.temperature),
        "pyojeong.logit_scale": json.dumps(card.logit_scale),
        "pyojeong.logit_offset": json.dumps(card.logit_offset),
        "pyojeong.threshold": repr(card.threshold),
    }
    helper.set_model_props(model, facts)
    return _store(card, bytes(model.SerializeToString()), out)


def _compare(
    classifier: Classifier, folded: nn.Module, plain: nn.Module, shape: tuple[int, ...]
) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (64, *shape)).astype(np.float32)
    with torch.no_grad():
        ours, original = folded.eval()(torch.from_numpy(x)), plain.eval()(torch.from_numpy(x))
    theirs = classifier.logits(x)
    parity = float(np.abs(theirs - ours.numpy()).max())
    return round(parity, 7), round(float((ours - original).abs().max()), 7)


def _calibrate(
    card: ModelCard, manifest: Path, out: Path
) -> tuple[ModelCard, dict[str, dict[str, float]]]:
    valid = predict_split(Classifier.open(Entry(card, out)), manifest, Split.VALID)
    chosen, figures = choose_calibration(valid.logits, valid.labels)
    threshold = round(fit_threshold(chosen(valid.logits), valid.labels, target=TARGET_ACCURACY), 4)
    card = replace(
        card,
        temperature=chosen.temperature,
        logit_scale=chosen.scale,
        logit_offset=chosen.offset,
        threshold=threshold,
    )
    return card, figures


def _measure(
    card: ModelCard,
    run: Run,
    manifest: Path,
    out: Path,
    *,
    framing: dict[str, Any],
    say: Say,
) -> ModelCard:
    classifier = Classifier.open(Entry(card, out))
    metrics: dict[str, Any] = {}
    for split in (Split.VALID, Split.TEST):
        if next(read_manifest(manifest, splits=[split]), None) is None:
            say(f"the data has no {split.value} split: the card has no figures of it")
            continue
        metrics[split.value] = figures(classifier, predict_split(classifier, manifest, split))
        if split is Split.TEST:
            _note_look(run, card, metrics[split.value])
        value = metrics[split.value]["accuracy"]
        say("{}: accuracy {value:.4f} [{low:.4f}, {high:.4f}]".format(split.value, **value))
    training = {
        "experiment": asdict(run.experiment),
        "started_from": _start(run),
        "data": manifest.name,
        "chosen_on": Split.VALID.value,
        "best_epoch": json.loads((run.folder / "done.json").read_text())["epoch"],
        "framing": framing,
        "environment": run.environment,
        "commit": _commit(),
        "pyojeong": __version__,
        "exported": datetime.now(UTC).date().isoformat(),
    }
    return replace(card, metrics=metrics, training=training)


def _start(run: Run) -> dict[str, Any] | None:
    """The experiment whose weights this one started from, and in turn its start."""
    name = run.experiment.start
    if name is None:
        return None
    earlier = Run(run.folder.parent / name)
    return {**asdict(earlier.experiment), "started_from": _start(earlier)}


def _note_look(run: Run, card: ModelCard, seen: dict[str, Any]) -> None:
    """Looks at the test split cannot be taken back, so each is written down with what was seen."""
    line = {
        "model": card.id,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "calibration": "temperature" if card.logit_scale is None else "vector",
        **{name: seen[name]["value"] for name in ("accuracy", "ece")},
    }
    with (run.folder / "test_looks.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _commit() -> str:
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _write_golden(classifier: Classifier, out: Path) -> None:
    logits: NDArray[np.float32] = classifier.crop_logits(golden_crops())
    path = golden_path(out, classifier.card.id)
    temporary = path.with_name(f".{path.stem}.part.npz")
    np.savez_compressed(temporary, logits=logits)
    temporary.replace(path)
