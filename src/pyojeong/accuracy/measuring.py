"""All figures of one model, as one JSON file: what ``pyojeong bench accuracy`` measures."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pyojeong._version import __version__
from pyojeong.accuracy.crops import disturbed_figures, may_be_shown, split_figures
from pyojeong.accuracy.invariance import invariance
from pyojeong.accuracy.leaks import copies_across_splits
from pyojeong.accuracy.photographs import photograph_figures, read_all, read_photographs
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.image.files import whole_file
from pyojeong.image.preprocess import Pixels, to_gray
from pyojeong.runtime.analyzer import Analyzer, find_classifier
from pyojeong.runtime.classifier import Classifier

VERSION = 1
_FACES = 512

Say = Callable[[str], None]


def measure(
    model: str,
    manifest: Path,
    *,
    photographs: Path | None = None,
    threads: int = 1,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Measure a model on cut-out faces and, where a folder is given, on photographs.

    Args:
        model: As for ``Analyzer``.
        manifest: The data set of cut-out faces.
        photographs: See ``photographs.read_photographs``.
        threads: Threads inside the network.
        say: Called with what is being measured.

    Returns:
        JSON types; the test split only for published models (``crops.may_be_shown``).
    """
    entry = find_classifier(model)
    labels = entry.card.label_set
    say("looking for copies across splits")
    copies, counts = copies_across_splits(manifest)
    out: dict[str, Any] = {
        "version": VERSION,
        "model": entry.card.id,
        "sha256": entry.card.sha256,
        "megabytes": round(entry.weights.stat().st_size / 1e6, 3),
        "threshold": entry.card.threshold,
        "pyojeong": __version__,
        "date": datetime.now(UTC).date().isoformat(),
        "copies": counts,
    }

    def open_with(views: int) -> Classifier:
        return Classifier.open(entry, threads=threads, views=views)

    classifier = open_with(1)
    out["splits"] = {
        split.value: split_figures(open_with, manifest, split, copies[split], say=say)
        if may_be_shown(classifier, manifest, split)
        else None
        for split in (Split.VALID, Split.TEST)
        if next(read_manifest(manifest, splits=[split], pictures=False), None) is not None
    }
    out["disturbed"] = disturbed_figures(classifier, manifest, Split.VALID, say=say)
    say("batches, order, threads")
    out["invariance"] = invariance(entry, _first_faces(classifier, manifest))
    if photographs is not None:
        say("photographs")
        samples = read_photographs(photographs, labels)
        read = read_all(Analyzer(model, threads=threads), samples)
        out["photographs"] = {"name": photographs.name, **photograph_figures(read, labels)}
    return out


def _first_faces(classifier: Classifier, manifest: Path) -> list[Pixels]:
    gray = classifier.pre.color == "gray"
    samples = islice(read_manifest(manifest, splits=[Split.VALID]), _FACES)
    return [to_gray(pixels_of(s)) if gray else pixels_of(s) for s in samples]


def write_measured(result: dict[str, Any], folder: Path) -> Path:
    """Keep a model's figures as ``<model>.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{result['model']}.json"
    with whole_file(file, "w") as stream:
        stream.write(json.dumps(result, indent=1) + "\n")
    return file
