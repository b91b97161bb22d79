"""All figures of one model, as one JSON file: what ``pyojeong bench accuracy`` measures."""

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from pyojeong._version import __version__
from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.checksums import ChecksumDiffers, checked, with_checksum
from pyojeong.core.errors import DataError
from pyojeong.core.inputs import InputCounts
from pyojeong.core.json_record import write_record
from pyojeong.core.output_files import require_new
from pyojeong.datasets.picture_files import decoded
from pyojeong.datasets.samples import Split, manifest_content, manifest_id, read_manifest
from pyojeong.evaluation.accuracy.crops import corrupted_figures, split_figures
from pyojeong.evaluation.accuracy.invariance import invariance
from pyojeong.evaluation.accuracy.leaks import copies_across_splits
from pyojeong.evaluation.accuracy.photographs import (
    digest_of_pictures,
    photograph_figures,
    read_all,
    read_photographs,
)
from pyojeong.evaluation.accuracy.table import IMAGES
from pyojeong.evaluation.accuracy.voted import (
    VOTES,
    natural_faces,
    read_outputs,
    read_voted_photographs,
    voted_figures,
)
from pyojeong.evaluation.scoring import predict_split
from pyojeong.image.preprocess import to_gray
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.runtime.output_head import OutputHead
from pyojeong.zoo import Entry

VERSION = 2
_FACES = 512

Say = Callable[[str], None]


def measure(
    model: str,
    manifest: Path,
    *,
    photographs: Path | None = None,
    threads: int = 1,
    say: Say = lambda _: None,
    keep: Path | None = None,
    rounds: int = 1000,
) -> dict[str, Any]:
    """Measure a model on cut-out faces and, where a folder is given, on photographs.

    Args:
        model: As for ``Analyzer``.
        manifest: The data set of cut-out faces.
        photographs: See ``photographs.read_photographs``.
        threads: Threads inside the network.
        say: Called with what is being measured.
        keep: Folder in which finished parts are kept until all is done, so that an interrupted
            measurement goes on where it was; None = nothing is kept.
        rounds: Bootstrap rounds of every interval.

    Returns:
        JSON types; the test split only for published models (``test_split_guard.may_show``).
    """
    entry = find_classifier(model)
    parts = _Parts(
        keep,
        entry.card.id,
        [VERSION, entry.card.to_json(), rounds, *map(_stamp, (manifest, photographs))],
    )
    open_with = partial(_open, entry, threads)
    classifier = open_with(1)
    say("looking for copies across splits")
    copies, counts = parts("copies", partial(_copies, manifest))
    more: dict[str, Any] = {"say": say, "rounds": rounds}
    splits = {
        s.value: parts(
            s.value, partial(split_figures, open_with, manifest, s, copies[s.value], **more)
        )
        for s in (Split.VALID, Split.TEST)
    }
    disturbed = partial(corrupted_figures, classifier, manifest, Split.VALID, **more)
    out: dict[str, Any] = {
        **_head(entry),
        "copies": counts,
        "splits": splits,
        "disturbed": parts("disturbed", disturbed),
        "invariance": parts("invariance", partial(_invariance, entry, classifier, manifest)),
    }
    if photographs is not None:
        say("photographs")
        read = partial(_read_pictures, model, photographs, threads, rounds)
        out["photographs"] = parts("photographs", read)
        if (photographs / VOTES).is_file():
            say("photographs with votes")
            voted = partial(_read_voted, model, manifest, photographs, threads, rounds)
            out["voted"] = parts("voted", voted)
    parts.forget()
    return {**out, "pictures": _sums(out, manifest).to_dict()}


def _sums(out: dict[str, Any], manifest: Path) -> InputCounts:
    """Return the sums of the cut-out faces and photographs that were measured."""
    sums = InputCounts(read=0)
    for split, found in out["splits"].items():
        if found is not None:
            sums += InputCounts.from_dict(found["pictures"])
            continue
        hidden = sum(1 for _ in read_manifest(manifest, splits=[Split(split)], images=False))
        sums += InputCounts(
            read=0, left_out={f"in the {split} split, of which the card has no figure": hidden}
        )
    return sums + InputCounts(read=out.get("photographs", {}).get("n", 0))


def _open(entry: Entry, threads: int, views: int) -> Classifier:
    """With the output that is labelled as the data are; what users get is measured on votes."""
    return Classifier.open(entry, threads=threads, views=views, output="fer2013")


def _head(entry: Entry) -> dict[str, Any]:
    return {
        "version": VERSION,
        "model": entry.card.id,
        "sha256": entry.card.sha256,
        "megabytes": round(entry.weights.stat().st_size / 1e6, 3),
        "threshold": entry.card.threshold,
        "answers": OutputHead.of(entry.card).to_dict(),
        "pyojeong": __version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


class _Parts:
    """Finished parts of a measurement, kept in a file while the rest is not done."""

    def __init__(self, folder: Path | None, name: str, of: list[Any]) -> None:
        self._file = None if folder is None else folder / f".{name}.part"
        self._kept: dict[str, Any] = {"of": of}
        if self._file is not None and self._file.is_file():
            try:
                kept = json.loads(self._file.read_text(encoding="utf-8"))
                kept = checked(kept) if isinstance(kept, dict) else {}
            except ValueError:  # damaged: it is measured again
                kept = {}
            if kept.get("of") == of:
                self._kept = kept

    def __call__(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(self._file, "w") as stream:
                    stream.write(json.dumps(with_checksum(self._kept)))
        return self._kept[key]

    def forget(self) -> None:
        """Finish: everything is done."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def _stamp(path: Path | None) -> list[Any] | None:
    """Return what tells whether a table or folder is still the one it was."""
    if path is None:
        return None
    if path.suffix == ".parquet":
        return [str(path.resolve()), manifest_id(path), manifest_content(path)]
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        found = file.stat() if file.exists() else file.lstat()  # a link that leads nowhere
        # Contents cannot change without a new time of change (ctime).
        times = f"{found.st_mtime_ns}\0{found.st_ctime_ns}"
        digest.update(os.fsencode(f"{file.relative_to(path)}\0{found.st_size}\0{times}\n"))
    return [str(path.resolve()), digest.hexdigest()]


def _copies(manifest: Path) -> tuple[dict[str, list[int]], dict[str, Any]]:
    rows, counts = copies_across_splits(manifest)
    return {split.value: sorted(found) for split, found in rows.items()}, counts


def _read_pictures(model: str, folder: Path, threads: int, rounds: int) -> dict[str, Any]:
    analyzer = Analyzer(model, threads=threads)
    labels = analyzer.classifier.label_set
    samples = read_photographs(folder, labels)
    digest = digest_of_pictures((s.image or Path(s.path or ""), s.label) for s in samples)
    figures = photograph_figures(read_all(analyzer, samples), labels, rounds=rounds)
    return {"name": folder.name, IMAGES: digest, **figures}


def _read_voted(
    model: str, manifest: Path, folder: Path, threads: int, rounds: int
) -> dict[str, Any]:
    analyzer = Analyzer(model, threads=threads)
    card = analyzer.classifier.card
    photographs = read_voted_photographs(folder)
    digest = digest_of_pictures((p.path, json.dumps([p.votes, p.agreed])) for p in photographs)
    read = read_outputs(analyzer, photographs)
    natural = None
    if card.vote_calibration is not None:
        classifier = Classifier.open(find_classifier(model), threads=threads, output="fer2013")
        predictions = predict_split(classifier, manifest, Split.VALID)
        if (predictions.votes.max(1) > 0).any():
            natural = natural_faces(predictions)
    figures = voted_figures(card, read, natural, rounds=rounds)
    return {"name": folder.name, IMAGES: digest, **figures}


def _invariance(entry: Entry, classifier: Classifier, manifest: Path) -> dict[str, Any]:
    gray = classifier.pre.color == "gray"
    samples = islice(read_manifest(manifest, splits=[Split.VALID]), _FACES)
    return invariance(entry, [to_gray(p) if gray else p for _, _, p in decoded(samples)])


def write_measured(result: dict[str, Any], folder: Path) -> Path:
    """Keep a model's figures as ``<model>.json``.

    Raises:
        OutputError: When there is a file of that name that holds no figures of the model.
    """
    file = require_own_file(folder, result["model"])
    write_record(file, result, indent=1)
    return file


def require_own_file(folder: Path, model: str) -> Path:
    """Return where a model's figures are kept: nothing, or earlier ones, may lie there.

    Raises:
        OutputError: When something else does.
    """
    file = folder / f"{model}.json"
    require_new(file, unless=partial(_is_of, model=model))
    return file


def _is_of(data: bytes, *, model: str) -> bool:
    try:
        known = json.loads(data)
        return known["model"] == model and "splits" in known
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def read_measured(folder: Path) -> list[dict[str, Any]]:
    """Return all result files of a folder, by name.

    Raises:
        DataError: When there are none, one is damaged, or was made by another version.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise DataError(
            f"{folder} has no result files; make one with `pyojeong bench accuracy --out {folder}`"
        )
    out = []
    for file in files:
        try:
            result = json.loads(file.read_text(encoding="utf-8"))
            version = result["version"]
            result = checked(result)
        except ChecksumDiffers as error:
            raise DataError(f"{file}: {error}; measure it again") from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{file} is no result file of `pyojeong bench accuracy`") from error
        if version != VERSION:
            raise DataError(f"{file} is of version {version}, not {VERSION}: measure it again")
        out.append(result)
    return out
