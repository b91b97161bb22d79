"""Damaged pictures, clips, tables, ledgers, cards, models and experiment files."""

import io
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from benchmarks.robustness.campaign import Campaign
from benchmarks.robustness.damage import any_damage, flip_one, other_number
from pyojeong import zoo
from pyojeong.core.errors import DataError
from pyojeong.core.face import Box, Expression, Face, FrameResult
from pyojeong.core.labels import FER7
from pyojeong.curate.decisions import Decision, DecisionLog, read_decision_log
from pyojeong.curate.findings import Finding, Store
from pyojeong.datasets.samples import Sample, Split, manifest_id, read_rows, write_manifest
from pyojeong.image.files import decode_image
from pyojeong.output.tables import SINKS, TABLE_READERS
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.golden import PICTURES
from pyojeong.stream.source import Clip
from pyojeong.verification import verify_path

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_BYTES_TOO = 0.3
_MODEL = "seresnet-s-fer2013-fer7.v4"


def pictures(campaign: Campaign, count: int) -> None:
    """Decode damaged images of all formats."""
    with Image.open(PICTURES / "astronaut.jpg") as opened:
        small = opened.convert("RGB").resize((96, 96))
    bases = []
    for kind, mode in itertools.product(_FORMATS, ("RGB", "L", "P", "I;16", "CMYK", "RGBA")):
        encoded = io.BytesIO()
        try:
            small.convert("L" if mode == "I;16" else mode).convert(mode).save(encoded, kind)
        except (OSError, ValueError, KeyError):
            continue
        bases.append((f"{kind} {mode}", encoded.getvalue()))
    for _ in range(count):
        name, data = campaign.rng.choice(bases)
        damaged = any_damage(campaign.rng, data)
        campaign.attempt(f"image {name}", lambda d=damaged: decode_image(d, notes=[]).shape)


def clips(campaign: Campaign, count: int) -> None:
    """Read damaged clips to their end."""
    bases = [(name, clip(campaign.folder / name, codec)) for name, codec in _CLIPS.items()]
    for number in range(count):
        name, data = campaign.rng.choice(bases)
        file = campaign.folder / f"{number}-{name}"
        file.write_bytes(any_damage(campaign.rng, data))

        def read(path: Path = file) -> int:
            with Clip(path) as opened:
                return sum(1 for frame in opened if frame.pixels().size)

        campaign.attempt(f"clip {name}", read)
        file.unlink()


_CLIPS = {
    "a.mp4": "libx264", "a.mkv": "libx264", "a.avi": "mpeg4", "a.webm": "libvpx",
    "a.ts": "libx264", "a.mpg": "mpeg2video", "a.gif": "gif", "a.flv": "flv1",
}  # fmt: skip


def clip(path: Path, codec: str) -> bytes:
    """Return a clip of twelve frames of noise."""
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height = 96, 64
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for _ in range(12):
            image = rng.integers(0, 255, (64, 96, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    return path.read_bytes()


def frames() -> list[FrameResult]:
    """Return some results with faces."""
    rng = np.random.default_rng(2)
    out = []
    for index in range(20):
        scores = rng.dirichlet(np.ones(7)).astype(np.float32)
        face = Face(Box(1, 2, 30, 40), 0.9, None, Expression(scores, FER7, 0.5, "between"), 1)
        out.append(FrameResult("a.mp4", index, index / 25, (96, 64), (face,), ("d", "m")))
    return out


def tables(campaign: Campaign, count: int) -> None:
    """Read damaged tables of results and of data sets."""
    files: list[tuple[str, Path, Callable[[Path], Any]]] = []
    for kind, sink in SINKS.items():
        path = campaign.folder / f"results.{kind}"
        with sink(path, labels=FER7, timeline=True) as opened:
            for result in frames():
                opened.write(result)
        reader = TABLE_READERS[kind]
        files.append((kind, path, lambda p, read=reader: [r.to_dict() for r in read(p)]))
    files.append(("manifest", manifest(campaign.folder / "set.parquet"), read_manifest))
    for _ in range(count):
        name, path, read = campaign.rng.choice(files)
        damaged = path.with_name("damaged" + path.suffix)
        damaged.write_bytes(any_damage(campaign.rng, path.read_bytes()))
        campaign.attempt(f"table {name}", lambda p=damaged, r=read: bool(r(p)) or True)


def manifest(path: Path) -> Path:
    """Return a data-set table of 60 rows."""
    rng = np.random.default_rng(3)
    samples = [
        Sample(
            image=rng.bytes(60),
            label=FER7.names[i % 7],
            split=list(Split)[i % 3],
            source=f"{i}.png",
            votes=tuple(map(int, rng.integers(0, 9, 7))),
            content_hash=rng.bytes(16).hex(),
        )
        for i in range(60)
    ]
    write_manifest(path, samples, FER7)
    return path


def read_manifest(path: Path) -> Any:
    """Return all that a data-set table says."""
    return manifest_id(path), list(read_rows(path, splits=list(Split)))


def flips(campaign: Campaign, count: int) -> None:
    """Flip single bits of whatever is stored; `doctor` or the reader must notice."""
    table = manifest(campaign.folder / "set.parquet")
    right = read_manifest(table)
    store = Store.beside(table)
    log = DecisionLog(store, "anna")
    log.add([Decision(row=i, action="drop", reviewer="anna") for i in range(9)])
    decided = log.read()

    class Check:
        name, states, threshold = "blurred", "is blurred", 0.5

        def settings(self) -> dict[str, Any]:
            return {"threshold": 0.5}

    store.start(Check())
    store.add_part("blurred", "all", [Finding(row=1, check="blurred", score=0.75)])
    store.finish("blurred", {"rows": store.size})
    found = store.findings("blurred")
    for name in (f"{_MODEL}.card.json", f"{_MODEL}.onnx", f"{_MODEL}.golden.npz"):
        shutil.copy(zoo.BUNDLED / name, campaign.folder)
    card = campaign.folder / f"{_MODEL}.card.json"
    crop = np.random.default_rng(4).integers(0, 255, (1, 48, 48, 3), np.uint8)
    logits = answer(card, crop)
    results = campaign.folder / "out"
    results.mkdir()
    _results(results)
    part = store.part_folder("blurred") / "part-all.parquet"
    kinds: dict[Path, tuple[Callable[[], Any], Any]] = {
        table: (lambda: read_manifest(table), right),
        log.file: (lambda: read_decision_log(log.file, manifest=store.manifest_id), decided),
        part: (lambda: store.findings("blurred"), found),
        card: (lambda: answer(card, crop), logits),
        card.with_name(f"{_MODEL}.onnx"): (lambda: answer(card, crop), logits),
        results / "results.csv": (lambda: verified(results), "right"),
        results / "results.jsonl": (lambda: verified(results), "right"),
        results / "results.parquet": (lambda: verified(results), "right"),
    }
    for _ in range(count):
        file = campaign.rng.choice(list(kinds))
        read, expected = kinds[file]
        whole = file.read_bytes()
        file.write_bytes(flip_one(campaign.rng, whole))
        campaign.attempt(f"a bit of {file.name}", read, right=expected)
        file.write_bytes(whole)


def answer(card: Path, crop: np.ndarray) -> Any:
    """Return what a model says of a crop."""
    model = Classifier.open(zoo.find(card), threads=1)
    found = model.expressions(model.crop_outputs(crop))[0]
    return found.scores.round(4).tolist(), found.threshold, found.prior


def _results(folder: Path) -> None:
    from pyojeong.core.input_record import Made, write_inputs
    from pyojeong.core.inputs import InputCounts

    names = []
    for kind, ending in (("csv", "csv"), ("json", "jsonl"), ("parquet", "parquet")):
        names.append(f"results.{ending}")
        with SINKS[kind](folder / names[-1], labels=FER7) as sink:
            for result in frames():
                sink.write(result)
    write_inputs(folder, "analyze", ["a.mp4"], InputCounts(read=20), made=Made({}, names))


def verified(folder: Path) -> str:
    """Return "right", or raise what `pyojeong doctor` finds."""
    for found in verify_path(folder):
        if not found.ok:
            raise DataError(f"{found.path}: {found.detail}")
    return "right"


def models(campaign: Campaign, count: int) -> None:
    """Open damaged cards and networks."""
    for name in (f"{_MODEL}.card.json", f"{_MODEL}.onnx"):
        shutil.copy(zoo.BUNDLED / name, campaign.folder)
    card = campaign.folder / f"{_MODEL}.card.json"
    network = campaign.folder / f"{_MODEL}.onnx"
    crop = np.random.default_rng(4).integers(0, 255, (1, 48, 48, 3), np.uint8)
    whole_card, whole_network = card.read_text(encoding="utf-8"), network.read_bytes()
    plain = json.loads(whole_card)
    plain.pop("checksum", None)
    unsealed = json.dumps(plain, indent=1)
    for number in range(count):
        if number % 3 == 0:
            network.write_bytes(any_damage(campaign.rng, whole_network))
        elif number % 3 == 1:
            card.write_text(other_number(campaign.rng, unsealed), encoding="utf-8")
        else:
            card.write_bytes(any_damage(campaign.rng, whole_card.encode()))
        campaign.attempt("model", lambda: finite(answer(card, crop)[0]))
        card.write_text(whole_card, encoding="utf-8")
        network.write_bytes(whole_network)


def finite(scores: list[float]) -> bool:
    """Return True; scores that are no shares are a fault.

    Raises:
        AssertionError: When they are none.
    """
    if not (np.isfinite(scores).all() and abs(sum(scores) - 1) < 0.01):
        raise AssertionError("scores are no shares")
    return True


def tomls(campaign: Campaign, count: int) -> None:
    """Plan damaged experiment files, with those that they extend."""
    from pyojeong.experiments.catalogue import Catalogue
    from pyojeong.training.experiment import Experiment

    folder = campaign.folder / "experiments"
    shutil.copytree("experiments", folder, ignore=shutil.ignore_patterns("packed", "results"))
    files = [p for p in sorted(folder.rglob("[a-z]*.toml")) if ".about" not in p.name]
    for _ in range(count):
        file = campaign.rng.choice(files)
        whole = file.read_text(encoding="utf-8")
        text = whole
        for _ in range(campaign.rng.randint(1, 2)):
            text = other_number(campaign.rng, text)
        if campaign.rng.random() < _BYTES_TOO:
            text = any_damage(campaign.rng, text.encode()).decode("utf-8", "replace")
        file.write_text(text, encoding="utf-8")
        name = file.relative_to(folder).with_suffix("").as_posix()

        def read(name: str = name) -> list[str]:
            planned = Catalogue(folder).plan(name)
            return [Experiment.from_toml(each.text).name for each in planned[:1]]

        campaign.attempt(f"experiment {name}", read)
        file.write_text(whole, encoding="utf-8")


PARTS: dict[str, tuple[Callable[[Campaign, int], None], int]] = {
    "pictures": (pictures, 3000),
    "clips": (clips, 500),
    "tables": (tables, 500),
    "flips": (flips, 1000),
    "models": (models, 300),
    "experiments": (tomls, 500),
}
"""Name -> what is done, and how often in the whole campaign."""
