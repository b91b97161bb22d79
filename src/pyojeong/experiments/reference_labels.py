"""The labels of the valid split, kept once beside the results: with them runs can be compared.

Results hold answers and no labels. ``valid.json`` holds the labels in the same form (one digit per
image, in the manifest's order) and the split's digest, so that answers to other images are
never compared with them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import ExperimentError
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_manifest, split_hash
from pyojeong.experiments.result_files import read_results
from pyojeong.experiments.results import beside

TRUTH_FILE = "valid.json"


@dataclass(frozen=True, slots=True)
class Truth:
    """Labels of a split.

    Attributes:
        split_sha256: ``datasets.samples.split_hash`` of its images and labels.
        labels: Names of the label set.
        truth: Position of every image's label, one digit each.
    """

    split_sha256: str
    labels: tuple[str, ...]
    truth: str

    def matches_split(self, result: dict[str, Any]) -> bool:
        """Return whether a finished result was measured on these images and labels."""
        valid = result["valid"]
        same = valid["split_sha256"] == self.split_sha256
        return same and tuple(valid["labels"]) == self.labels

    def answers(self, result: dict[str, Any]) -> str:
        """Return a finished result's answers after checking that they are about these images.

        Raises:
            ExperimentError: When it was measured on another split.
        """
        if not self.matches_split(result):
            raise ExperimentError(
                f"{result['name']} was measured on another valid split "
                f"({result['valid']['split_sha256'][:12]}…, here {self.split_sha256[:12]}…): its "
                f"answers are not comparable with these labels. Keep results of each data set in "
                f"a folder of their own, each with its {TRUTH_FILE}. A result on images by path "
                "of an earlier version does not say which pixels they had: remove it, and "
                "`pyojeong experiments run` measures the run again"
            )
        return str(result["valid"]["answers"])


def read_truth(folder: Path) -> Truth | None:
    """Return the labels beside a folder of results; None when they were not kept.

    Raises:
        ExperimentError: When the file is damaged.
    """
    file = beside(folder, TRUTH_FILE)
    if file is None:
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        truth = Truth(str(data["split_sha256"]), tuple(data["labels"]), str(data["truth"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ExperimentError(
            f"{file} holds no labels ({type(error).__name__}: {error}): remove it, and the next "
            "run writes it again"
        ) from error
    return truth


def write_truth(manifest: Path, folder: Path) -> Path:
    """Write ``valid.json`` of a manifest into a folder of results; returns the file.

    Raises:
        ExperimentError: When a result in the folder was measured on another split.
    """
    labels = manifest_labels(manifest)
    if len(labels) > 10:
        raise ExperimentError(f"{manifest}: {len(labels)} labels; one digit holds ten at most")
    digits: list[str] = []

    def noted() -> Iterator[Sample]:
        for sample in read_manifest(manifest, splits=[Split.VALID]):
            digits.append(str(labels.names.index(sample.label)))
            yield sample

    truth = Truth(split_hash(noted()), labels.names, "".join(digits))
    if folder.is_dir():
        for result in read_results(folder):
            if result["status"] == "finished":
                truth.answers(result)
    data = {"split_sha256": truth.split_sha256, "labels": truth.labels, "truth": truth.truth}
    with atomic_write(folder / TRUTH_FILE, "w") as file:
        file.write(json.dumps(data, indent=1) + "\n")
    return folder / TRUTH_FILE
