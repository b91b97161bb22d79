"""The labels of the valid split, kept once beside the results: with them runs can be compared.

Results hold answers and no labels. ``valid.json`` holds the labels in the same form (one digit per
image, in the manifest's order) and the split's digest, so that answers to other images are
never compared with them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import read_record, write_record
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
            ExperimentError: When it was measured on another split, or they do not come to what was
                counted then.
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
        answers = str(result["valid"]["answers"])
        counted = Counter(zip(self.truth, answers, strict=False))
        names = [str(place) for place in range(len(self.labels))]
        confusion = [[counted[label, answer] for answer in names] for label in names]
        known = result["valid"].get("confusion", confusion)
        if len(answers) != len(self.truth) or confusion != known:
            raise ExperimentError(
                f"answers of {result['name']} and the labels in {TRUTH_FILE} do not come to the "
                f"confusion that was counted: one of them is damaged; remove {TRUTH_FILE}, and the "
                "next run writes it again, or restore the result"
            )
        return answers


def read_truth(folder: Path) -> Truth | None:
    """Return the labels beside a folder of results; None when they were not kept.

    Raises:
        ExperimentError: When the file is damaged.
    """
    file = beside(folder, TRUTH_FILE)
    if file is None:
        return None
    cure = "remove it, and the next run writes it again"
    data = read_record(file, cure=cure, keys=("split_sha256", "labels", "truth"))
    digest, labels, truth = (data[key] for key in ("split_sha256", "labels", "truth"))
    known = isinstance(labels, list) and all(isinstance(name, str) for name in labels)
    digits = {str(place) for place in range(len(labels))} if known else set()
    if not (known and isinstance(digest, str) and isinstance(truth, str) and digits >= set(truth)):
        raise ExperimentError(f"{file}: holds no labels of a split; {cure}")
    return Truth(digest, tuple(labels), truth)


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
    write_record(folder / TRUTH_FILE, data, indent=1)
    return folder / TRUTH_FILE
