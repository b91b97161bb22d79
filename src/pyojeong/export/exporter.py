"""From a finished run to a model others can use: ONNX, card, golden vectors.

What is exported are the averaged weights of the epoch that the recipe picks (the best one on
Split.VALID, or the last). The torch net is folded and rounded like the file (``export.onnx_graph``)
before the two are compared, so that parity speaks of the conversion alone; the rounding's own
effect is reported beside it, and so is that of int8, if asked for. Every figure on the card is
measured on the file itself.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper
from torch import nn

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.card import ModelCard, Preprocess, VoteCalibration
from pyojeong.core.errors import ExperimentError, ModelMismatch
from pyojeong.core.labels import FERPLUS8, LabelSet
from pyojeong.core.protocols import Detector
from pyojeong.datasets.samples import Split, manifest_id, manifest_labels, read_manifest
from pyojeong.evaluation.scoring import SplitPredictions, figures, predict_split
from pyojeong.evaluation.test_split_guard import record_use
from pyojeong.export.base_rates import votes_shown
from pyojeong.export.calibration import (
    calibrate_votes,
    choose_calibration,
    choose_threshold,
    label_shares,
)
from pyojeong.export.files import model_files, store_model, variant_id
from pyojeong.export.framing import measure_framing
from pyojeong.export.onnx_graph import fold_batch_norms, round_to_half, to_onnx
from pyojeong.export.provenance import inherited_flags, origin_of
from pyojeong.export.quantization import quantise
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.golden import golden_logits, golden_path
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import load_faces
from pyojeong.training.data.sampling import Sampling
from pyojeong.training.run import Run, load_picked
from pyojeong.training.run_identity import data_name, images_trained_on
from pyojeong.zoo import Entry

PARITY = 1e-3
"""Largest difference of logits allowed between the ONNX file and the torch net."""

STORAGES = ("float16", "int8", "both")

INT8_LOSS = 0.005
"""Largest loss of accuracy on VALID for which an int8 model is written."""

_CALIBRATION_FACES = 1000

Say = Callable[[str], None]


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
        storage: ``"float16"`` (weights only), ``"int8"`` (weights and activations), or ``"both"``:
            int8 under the id, and float16 beside it as its variant, ``<id>-float16``.
        spared: Patterns of the names of ONNX nodes that stay float in the int8 form.
        threshold: Answers whose best score is below it are unclear; None = fitted.
    """

    id: str
    description: str = "Expression classifier trained with pyojeong."
    license: str = ""
    license_flags: tuple[str, ...] = ()
    source: str = "trained with pyojeong"
    limits: tuple[str, ...] = ()
    storage: str = "float16"
    spared: tuple[str, ...] = ()
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.storage not in STORAGES:
            raise ExperimentError(f"storage must be one of {STORAGES}, got {self.storage!r}")


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
    use is recorded (``evaluation.test_split_guard``).

    Raises:
        ExperimentError: When the run is unfinished.
        ModelMismatch: When ONNX and torch differ by more than ``PARITY``.
        OutputBusy: When another process exports a model of this id there.
    """
    if run.experiment and not run.done:
        raise ExperimentError(f"{run.folder} is not finished: resume it with `pyojeong train`")
    with model_files(out, options.id, say=say) as work:
        return _export(run, manifest, work, options, detector, say)


def _export(
    run: Run,
    manifest: Path,
    out: Path,
    options: ExportOptions,
    detector: Detector,
    say: Say,
) -> ModelCard:
    """Write the files of a model into a folder, where they are changed until all is measured."""
    run.check_files()
    experiment = run.experiment
    origin = origin_of(run)  # all that can fail comes before the use of the test split
    for warning in _warnings(run, manifest):
        say(warning)
    pre, framing = measure_framing(experiment.preprocess, manifest, detector)
    say(f"framing measured on {framing['with_landmarks']} training crops")
    card = _convert(_first_card(run, manifest_labels(manifest), pre, options), run, out, say)
    whole, exact = card, (out / card.file).read_bytes()
    if options.storage != "float16":
        card = _quantise(card, manifest, out, options.spared, say)
    origin |= {"data": manifest.name, "framing": framing}
    calibrate = partial(
        _calibrate,
        manifest=manifest,
        out=out,
        sampling=experiment.sampling,
        given=options.threshold,
        say=say,
    )
    measure = partial(_measure, run=run, manifest=manifest, out=out, origin=origin, say=say)
    if options.storage == "both":
        # One published model: the test split is used in the form that is used by default.
        name = variant_id(card.id)
        variant = replace(whole, id=name, file=f"{name}.onnx", variant=card.id)
        variant = store_model(variant, exact, out)
        _finish(variant, out, calibrate, partial(measure, splits=[Split.VALID]))
        card = replace(card, variant=name)
    return _finish(card, out, calibrate, partial(measure, splits=[Split.VALID, Split.TEST]))


def _first_card(run: Run, labels: LabelSet, pre: Preprocess, options: ExportOptions) -> ModelCard:
    """Return a card of what is known before anything is measured."""
    return ModelCard(
        id=options.id,
        kind="classifier",
        file=f"{options.id}.onnx",
        sha256="",
        description=options.description,
        labels=labels.id,
        preprocess=pre,
        license=options.license,
        license_flags=tuple(dict.fromkeys((*options.license_flags, *inherited_flags(run)))),
        source=options.source,
        limits=options.limits,
    )


def _warnings(run: Run, manifest: Path) -> Iterator[str]:
    """Yield what makes figures of this data doubtful, one sentence each."""
    if run.environment.get("manifest_id") != manifest_id(manifest):
        yield (
            f"warning: {run.folder} was not trained on these data but on "
            f"{data_name(run.environment['manifest'])}: calibration and figures speak of the "
            "data given here"
        )
    for split in (Split.VALID, Split.TEST):
        found = images_trained_on(run, manifest, split)
        if found is not None and found[0]:
            yield (
                f"warning: {found[0]:,} of {found[1]:,} {split.value} pictures were trained on: "
                "figures of them are too good; give the data of the training, or remove the copies"
            )


def _finish(
    card: ModelCard,
    out: Path,
    calibrate: Callable[[ModelCard], tuple[ModelCard, dict[str, dict[str, float]]]],
    measure: Callable[[ModelCard], ModelCard],
) -> ModelCard:
    """Calibrate a stored network, score it, and write its last card and its golden answers."""
    effects = card.metrics
    card, calibrations = calibrate(card)
    card = measure(replace(card, training={"calibration_on_valid": calibrations}))
    card = replace(card, metrics={**card.metrics, **effects})
    # The final card also goes into the ONNX metadata, so that the two could not be distinguished.
    card = _embed(card, out)
    _write_golden(Classifier.open(Entry(card, out)), out)
    return card


def _convert(card: ModelCard, run: Run, out: Path, say: Say) -> ModelCard:
    """Write the ONNX file; the card says how far it is from torch and what the rounding changed.

    Raises:
        ModelMismatch: When ONNX and torch differ by more than ``PARITY``.
    """
    pre = run.experiment.preprocess
    classes = len(card.label_set)
    plain = load_picked(run, num_classes=classes).scored.net
    headed = load_picked(run, num_classes=classes).scored
    folded, vote_head = headed.net, headed.vote_head
    fold_batch_norms(folded)  # type: ignore[arg-type]
    round_to_half(headed)
    card = replace(card, votes=None if vote_head is None else FERPLUS8.id)
    shape = (pre.channels, *pre.size_hw)
    facts = {"pyojeong.id": card.id, "pyojeong.labels": card.label_set.id}
    data = to_onnx(folded, shape, facts, vote_head=vote_head)  # type: ignore[arg-type]
    card = store_model(card, data, out)
    parity, rounding = _compare(Classifier.open(Entry(card, out)), folded, plain, shape)  # type: ignore[arg-type]
    say(f"|onnx - torch| {parity:.1e}; effect of float16 weights {rounding:.1e} (logits)")
    if parity > PARITY:
        raise ModelMismatch(f"ONNX and torch logits differ by {parity:.2e}, more than {PARITY}")
    return replace(card, metrics={"onnx_parity": parity, "half_effect": rounding})


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
        "pyojeong.vote_calibration": json.dumps(json.loads(card.to_json())["vote_calibration"]),
    }
    # The card without the digest of this very file and without the experiments of earlier runs,
    # which may be longer than all the rest: the file alone says what it is.
    plain = replace(card, sha256="", training={**card.training, "stages": []})
    facts["pyojeong.card"] = json.dumps(json.loads(plain.to_json()))
    helper.set_model_props(model, facts)
    return store_model(card, bytes(model.SerializeToString()), out)


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


def _quantise(
    card: ModelCard, manifest: Path, out: Path, spared: Sequence[str], say: Say
) -> ModelCard:
    """Replace the file by its int8 form; the card gets the figures of VALID before and after.

    Raises:
        ModelMismatch: When more than ``INT8_LOSS`` of the accuracy is lost.
    """
    assert card.preprocess is not None  # noqa: S101 - it is a classifier's
    gray = card.preprocess.color == "gray"
    samples = list(read_manifest(manifest, splits=[Split.TRAIN]))
    chosen = samples[:: max(len(samples) // (_CALIBRATION_FACES + _CALIBRATION_FACES // 2), 1)]
    faces = FaceDataset(load_faces(chosen, card.label_set, gray=gray), card.preprocess)
    inputs = faces.__getitems__(list(range(len(faces)))).inputs.numpy()
    cut = len(inputs) * 2 // 3
    before = predict_split(Classifier.open(Entry(card, out)), manifest, Split.VALID)
    exact = (out / card.file).read_bytes()
    data, facts = quantise(exact, inputs[:cut], inputs[cut:], spared=spared)
    card = store_model(card, data, out)
    after = predict_split(Classifier.open(Entry(card, out)), manifest, Split.VALID)
    hits = [float((p.logits.argmax(1) == p.labels).mean()) for p in (before, after)]
    facts |= {
        "valid_accuracy_before": round(hits[0], 5),
        "valid_accuracy_after": round(hits[1], 5),
        "same_answers": round(float((before.logits.argmax(1) == after.logits.argmax(1)).mean()), 5),
        "calibration_faces": cut,
    }
    say(
        f"int8 ({facts['method']}): accuracy on valid {hits[0]:.4f} -> {hits[1]:.4f}, "
        f"{facts['same_answers']:.1%} of the answers unchanged"
    )
    if hits[1] < hits[0] - INT8_LOSS:
        raise ModelMismatch(
            f"int8 loses {100 * (hits[0] - hits[1]):.1f} points on valid, more than "
            f"{100 * INT8_LOSS:g}: export with storage float16"
        )
    return replace(card, metrics={**card.metrics, "int8_effect": facts})


def _calibrate(
    card: ModelCard,
    *,
    manifest: Path,
    out: Path,
    sampling: Sampling,
    given: float | None,
    say: Say,
) -> tuple[ModelCard, dict[str, dict[str, float]]]:
    valid = predict_split(Classifier.open(Entry(card, out)), manifest, Split.VALID)
    chosen, figures = choose_calibration(valid.logits, valid.labels)
    threshold, words = choose_threshold(chosen(valid.logits), valid.labels, given=given)
    say(words)
    held_out = min(figures.values(), key=lambda f: f["nll"])
    say(
        f"calibration, cross-fitted within the validation split: ECE {held_out['ece']:.3f}, "
        f"negative log-likelihood {held_out['nll']:.3f}"
    )
    card = replace(
        card,
        temperature=chosen.temperature,
        logit_scale=chosen.scale,
        logit_offset=chosen.offset,
        threshold=threshold,
        prior=label_shares(valid.labels, card.label_set),
    )
    votes = _calibrate_votes(card, valid, manifest, sampling)
    if votes is not None and given is not None:
        votes = replace(votes, threshold=threshold)
    return replace(card, vote_calibration=votes), figures


def _calibrate_votes(
    card: ModelCard, valid: SplitPredictions, manifest: Path, sampling: Sampling
) -> VoteCalibration | None:
    """Return the vote head's calibration; None when there is no such head or too few votes."""
    if valid.vote_logits is None:
        return None
    trained = votes_shown(manifest, sampling)
    votes = valid.votes[:, : len(FERPLUS8)]
    return calibrate_votes(valid.vote_logits, votes, trained, card.label_set)


def _measure(
    card: ModelCard,
    *,
    run: Run,
    manifest: Path,
    out: Path,
    origin: dict[str, Any],
    splits: Sequence[Split],
    say: Say,
) -> ModelCard:
    classifier = Classifier.open(Entry(card, out), output="fer2013")
    metrics: dict[str, Any] = {}
    for split in splits:
        if next(read_manifest(manifest, splits=[split]), None) is None:
            say(f"the data has no {split.value} split: the card has no figures of it")
            continue
        metrics[split.value] = figures(classifier, predict_split(classifier, manifest, split))
        if split is Split.TEST:
            kind = "temperature" if card.logit_scale is None else "vector"
            record_use(
                manifest,
                purpose="export",
                model=card.id,
                figures=metrics[split.value],
                run_folder=run.folder,
                more={"calibration": kind},
            )
        value = metrics[split.value]["accuracy"]
        said = "{}: accuracy {value:.4f} [{low:.4f}, {high:.4f}]".format(split.value, **value)
        if split is Split.VALID and card.logit_scale is not None:
            # A factor and an offset per class change which label is best.
            crossed = card.training["calibration_on_valid"]["vector"]["accuracy"]
            said += (
                " in-sample (the calibration was fitted on these pictures); cross-fitted within "
                f"them {crossed:.4f}"
            )
        say(said)
    return replace(card, metrics=metrics, training={**origin, **card.training})


def _write_golden(classifier: Classifier, out: Path) -> None:
    logits: NDArray[np.float32] = golden_logits(classifier)
    path = golden_path(out, classifier.card.id)
    with atomic_write(path) as file:
        np.savez_compressed(file, logits=logits)
