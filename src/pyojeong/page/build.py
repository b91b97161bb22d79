"""Make a folder with the page: markup, scripts, networks, onnxruntime-web and page.json.

page.json holds what the scripts take from the model's card: preprocessing, labels, calibration for
each choice of base rates, columns of the tables. The folder can be served by any file server, or
by ``pyojeong serve --page``.
"""

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from pyojeong.core.calibration import PRIORS
from pyojeong.core.card import ModelCard
from pyojeong.core.errors import InputError, ModelMismatch
from pyojeong.core.face import SCHEMA_VERSION
from pyojeong.core.labels import LabelSet
from pyojeong.output.columns import columns_of
from pyojeong.output.media import COLORS
from pyojeong.runtime import cut_off, eyes, facemesh, head_pose
from pyojeong.runtime.output_head import OutputHead
from pyojeong.zoo import DEFAULT_MODEL, Entry, find

ORT_VERSION = "1.30.0"
"""Of onnxruntime-web; the same as in npm/package.json."""
ORT_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
DETECTOR_ID = "blazeface-onet.1-web"
"""What results name; ``pyojeong.runtime.detection.blazeface_onet`` is the same detector."""

NETWORKS = ("blazeface", "onet", "mesh", "iris")
"""Bundled networks beside the classifier."""

_HERE = files("pyojeong.page")
_COMPUTED: dict[str, list[str | int]] = {
    name: ["expression", name] for name in ("label", "unclear", "top", "top_score", "valence")
}


def build_page(
    out: str | Path,
    *,
    model: str = DEFAULT_MODEL,
    ort: Path | None = None,
    web_network: Callable[[Entry], bytes] | None = None,
    packed: bool = True,
) -> Path:
    """Write the page into a folder, ready for any file server.

    Args:
        out: Folder; an earlier page in it is replaced. Any other folder must be empty.
        model: Classifier.
        ort: Folder ``dist`` of the npm package onnxruntime-web; None = the one that is installed
            with pyojeong.
        web_network: Makes the network of a model that is not bundled for browsers; None = such
            models are refused.
        packed: Write NAME.gz beside large files, for servers that send these.

    Returns:
        The folder.

    Raises:
        InputError: When the folder holds something else, or onnxruntime-web is missing.
        ModelMismatch: When the page cannot run the model.
    """
    out = Path(out)
    _check_folder(out)
    source = ort_folder(ort)
    entry = find(model)
    page_settings(entry.card)  # refuses what the page cannot run
    network = _network(entry, web_network)
    out.parent.mkdir(parents=True, exist_ok=True)
    made = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for name, data in page_files(entry.card, network):
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes(data)
        (made / "ort").mkdir()
        for name in ORT_FILES:
            shutil.copyfile(source / name, made / "ort" / name)
        if packed:
            _pack(made)
        made.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return out


def _pack(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".wasm", ".onnx", ".mjs"}:
            packed = gzip.compress(path.read_bytes(), 9, mtime=0)
            path.with_name(f"{path.name}.gz").write_bytes(packed)


def ort_folder(folder: Path | None = None) -> Path:
    """Return the folder with the files of onnxruntime-web.

    Raises:
        InputError: When a file is missing.
    """
    found = Path(str(_HERE / "ort")) if folder is None else folder
    absent = [name for name in ORT_FILES if not (found / name).is_file()]
    if absent:
        raise InputError(
            f"{found}: no {', '.join(absent)}. Run `make page` in a checkout of pyojeong, or pass "
            f"--ort with the folder dist of the npm package onnxruntime-web {ORT_VERSION}."
        )
    return found


def has_ort() -> bool:
    """Return whether onnxruntime-web is installed with pyojeong."""
    return all((_HERE / "ort" / name).is_file() for name in ORT_FILES)


def page_files(card: ModelCard, network: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the page's own files, without onnxruntime-web."""
    for name in _names(_HERE / "web"):
        yield name, (_HERE / "web" / name).read_bytes()
    yield "models/classifier.onnx", network
    for name in NETWORKS:
        yield f"models/{name}.onnx", (_HERE / "models" / f"{name}.onnx").read_bytes()
    yield "page.json", json.dumps(page_settings(card), ensure_ascii=False).encode()


def _names(folder: Any, above: str = "") -> list[str]:
    found = []
    for each in sorted(folder.iterdir(), key=lambda e: str(e.name)):
        if each.is_dir():
            found += _names(each, f"{above}{each.name}/")
        else:
            found.append(f"{above}{each.name}")
    return found


def page_settings(card: ModelCard) -> dict[str, Any]:
    """Return page.json: what the scripts need to know of a model.

    Raises:
        ModelMismatch: When the page cannot run the model.
    """
    pre = card.preprocess
    if card.kind != "classifier" or pre is None:
        raise ModelMismatch(f"model {card.id!r} is no expression classifier: it is a {card.kind}")
    if pre.feature is not None:
        raise ModelMismatch(
            f"model {card.id!r} reads {type(pre.feature).__name__} features, which the page cannot "
            "compute; choose a model that reads pixels"
        )
    heads = _heads(card)
    default = OutputHead.of(card)
    return {
        "pyojeong": "page",
        "schema": SCHEMA_VERSION,
        "model_ids": [DETECTOR_ID, f"{card.id}-web"],
        "label_set": default.label_set.id,
        "labels": list(default.label_set.names),
        "colors": {name: "#{:02x}{:02x}{:02x}".format(*rgb) for name, rgb in COLORS.items()},
        "preprocess": {**asdict(pre), "channels": pre.channels},
        "heads": heads,
        "default_prior": next(n for n, h in heads.items() if h["prior"] == default.prior),
        "networks": {name: f"{name}.onnx" for name in ("classifier", *NETWORKS)},
        "eyes": _eyes(),
        "detector": {"minFace": 20, "scoreThreshold": 0.7, "proposalThreshold": 0.3},
        "columns": _columns(default.label_set),
    }


def _eyes() -> dict[str, Any]:
    """Return the constants of ``runtime.eyes`` and ``runtime.head_pose`` for eyes.js."""
    return {
        "presence": eyes.PRESENCE,
        "max_yaw_rad": eyes.MAX_YAW_RAD,
        "min_eye_px": eyes.MIN_EYE,
        "eye_points": list(cut_off.EYES),
        "corners": [list(facemesh.RIGHT_EYE), list(facemesh.LEFT_EYE)],
        "mesh_side": facemesh.SIDES[False],
        "box_scale": facemesh.BOX_SCALE,
        "eye_side": eyes.SIDE,
        "crop_scale": eyes.CROP_SCALE,
        "gaze_openness": eyes.GAZE_OPENNESS,
        "gaps": [eyes.CLOSED_GAP, eyes.OPEN_GAP],
        "outer": eyes.OUTER,
        "inner": eyes.INNER,
        "lower": list(eyes.LOWER),
        "upper": list(eyes.UPPER),
        "ball": asdict(eyes.BALL),
        "head": {"points": list(head_pose.POINTS), "shape": head_pose.head_shape().tolist()},
    }


def _heads(card: ModelCard) -> dict[str, dict[str, Any]]:
    known = OutputHead.of(card)
    heads = [(name, OutputHead.of(card, prior=name)) for name in PRIORS] if known.prior else []
    return {
        name: {**head.to_dict(), "index": head.index, "columns": list(head.columns)}
        for name, head in heads or [("natural", known)]
    }


def _columns(labels: LabelSet) -> list[dict[str, Any]]:
    """Return the columns of the CSV table: those of photographs and clips without eyes."""
    columns = []
    for column in columns_of(labels, timeline=False):
        path = _COMPUTED.get(column.name, list(column.path))
        if path:
            columns.append(
                {
                    "name": column.name,
                    "frame": column.group == "frame",
                    "path": path,
                    "missing": column.missing,
                }
            )
    return columns


def _network(entry: Entry, web_network: Callable[[Entry], bytes] | None) -> bytes:
    bundled = _HERE / "models" / f"{entry.card.id}.onnx"
    if bundled.is_file():
        return bundled.read_bytes()
    if web_network is None:
        raise ModelMismatch(
            f"model {entry.card.id!r} is not bundled for browsers: install pyojeong[train], which "
            "converts it"
        )
    return web_network(entry)


def _check_folder(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file: name a folder that is empty or does not exist")
    settings = out / "page.json"
    if any(out.iterdir()) and not (settings.is_file() and b'"pyojeong"' in settings.read_bytes()):
        raise InputError(
            f"{out} holds something else than an earlier page: name a folder that is empty or "
            "does not exist"
        )
