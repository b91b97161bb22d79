"""Put the first bundled model into the table of results, from its card: only valid is read again.

    python benchmarks/zoo/shipped.py runs/fer2013.parquet

Its test figures are those on the card, with the two looks that were taken then. The answers on the
valid split are read from the shipped ONNX file, so that it can be compared picture by picture.
"""

import json
import sys
from pathlib import Path

from pyojeong.core.atomic_write import atomic_write
from pyojeong.datasets.samples import Split
from pyojeong.evaluation.scoring import predict_split
from pyojeong.experiments.cost import measure_cost
from pyojeong.experiments.measure import settings
from pyojeong.experiments.result_files import RESULT_VERSION
from pyojeong.runtime.classifier import Classifier
from pyojeong.training.experiment import Experiment
from pyojeong.training.run import read_curves
from pyojeong.zoo import find

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "experiments" / "results"
MODEL = "seresnet-s-fer2013-fer7.v1"
RUNS = ("se-resnet-fer2013", "se-resnet-fer2013-settle")


def main(manifest: Path) -> None:
    """Write experiments/results/shipped/<id>.json."""
    entry = find(MODEL, extra_folders=[ROOT / "experiments" / "packed" / "models"])
    card = entry.card
    classifier = Classifier.open(entry)
    predicted = predict_split(classifier, manifest, Split.VALID)
    answers = classifier.probabilities(predicted.logits).argmax(1)
    text = (ROOT / "experiments" / f"{RUNS[-1]}.toml").read_text(encoding="utf-8")
    experiment = Experiment.from_toml(text)
    pre = experiment.preprocess
    cost = measure_cost(experiment.build_net(num_classes=7), (pre.channels, *pre.size_hw))
    curves = [line for run in RUNS for line in read_curves(RESULTS / f"{run}.curves.jsonl")]
    looks = (RESULTS / f"{RUNS[-1]}.test_looks.jsonl").read_text(encoding="utf-8").splitlines()
    splits = {}
    for split in (Split.VALID, Split.TEST):
        figures = dict(card.metrics[split.value])
        del figures["answered"], figures["deduplicated"]
        splits[split.value] = {
            **figures,
            "temperature": card.temperature,
            "labels": list(card.label_set.names),
        }
    splits["valid"]["answers"] = "".join(map(str, answers))
    result = {
        "version": RESULT_VERSION,
        "name": f"shipped/{card.id}",
        "seed": experiment.seed,
        "about": {
            "group": "shipped",
            "family": "se_resnet",
            "note": "the first shipped model: 61 epochs in two runs, FER+ votes, vector scaling; "
            "the test split was used twice",
        },
        "settings": {**settings(experiment), "epochs": len(curves)},
        "status": "finished",
        "reason": None,
        "picked_epoch": card.training["best_epoch"],
        "train_samples": 28_709,
        **splits,
        "test_looks": [json.loads(line) for line in looks],
        "params": cost.params,
        "macs": cost.macs,
        "minutes": round(sum(line["seconds"] for line in curves) / 60, 2),
        "curves": [{**line, "epoch": i, "epochs": len(curves)} for i, line in enumerate(curves)],
        "environment": card.training["environment"],
    }
    out = RESULTS / "shipped" / f"{card.id}.json"
    out.parent.mkdir(exist_ok=True)
    with atomic_write(out, "w") as file:
        file.write(json.dumps(result, indent=1) + "\n")
    print(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
