"""Time of the data pipeline and of a training step, and the fastest precision of each net.

    python benchmarks/zoo/throughput.py runs/fer2013.parquet [--threads 2]

Writes docs/benchmarks/training.md. Data are FER2013's own; a step is forward, backward and the
optimizer, on one batch of the experiment's size. Run it on a quiet machine.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.experiments.catalogue import Catalogue
from pyojeong.training.data.augment import Draws
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import load_faces
from pyojeong.training.data.portion import Portion
from pyojeong.training.experiment import Experiment
from pyojeong.training.lightning_module import Classify
from pyojeong.training.optimizers import build_optimizer, parameter_groups
from pyojeong.training.precision import PRECISIONS, choose_precision

ROOT = Path(__file__).parents[2]
OUT = ROOT / "docs" / "benchmarks" / "training.md"
NAMES = (
    "se-resnet-fer2013",
    "full/se-resnet",
    "arms/base",
    "arms/hog",
    "arms/lbp-uniform",
    "arms/clahe-2",
    "arms/equalize",
    "full/seed-baseline",
    "full/alizadeh-fazel",
    "full/alizadeh-fazel-hog",
    "full/yu-zhang-max",
    "full/yu-zhang-stochastic",
    "full/mlcnn-lite",
    "full/mobilenet-v2",
    "full/mobilenet-v3-large",
    "full/efficientnet-b0",
    "full/inception-resnet-v2",
)


def milliseconds(action: Callable[[int], object], rounds: int) -> float:
    """Median milliseconds of ``action(round)``; the first round is not counted."""
    values = []
    for i in range(rounds + 1):
        started = time.perf_counter()
        action(i)
        values.append(time.perf_counter() - started)
    return statistics.median(values[1:]) * 1e3


def measure(name: str, manifest: Path) -> str:
    """One line of the table."""
    catalogue = Catalogue(ROOT / "experiments")
    experiment = Experiment.from_toml(catalogue.plan(name)[0].text)
    pre, recipe = experiment.preprocess, experiment.recipe
    size = recipe.batch_size
    samples = Portion(limit=size * 8).of(read_manifest(manifest, splits=[Split.TRAIN]))
    faces = load_faces(samples, FER7, gray=pre.color == "gray")
    data = FaceDataset(faces, pre, Draws(experiment.augment, len(faces), seed=0, epoch=0))
    feed = milliseconds(lambda i: data.__getitems__(list(range(i * size, (i + 1) * size))), 6)
    task: Classify = experiment.build_task(num_classes=7)
    shape = (pre.channels, *pre.size_hw)
    best, timings = choose_precision(task.model.net, shape, batch_size=size)
    optimizer = build_optimizer(parameter_groups(task.model, None, recipe), recipe)
    for parameter in task.model.parameters():
        parameter.grad = torch.full_like(parameter, 1e-4)
    update = milliseconds(lambda _: optimizer.step(), 5)
    step = timings[best] + update
    others = " / ".join(f"{timings[key]:.0f}" for key in PRECISIONS)
    return (
        f"| {name} | {experiment.net} | {pre.size_hw[0]} | {size} | {feed:.1f} | {step:.0f} | "
        f"**{100 * feed / (feed + step):.1f} %** | {best} | {others} | "
        f"{size / (feed + step) * 1e3:.0f} |"
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    lines = [
        "# Feeding and training",
        "",
        "<!-- Written by benchmarks/zoo/throughput.py; do not edit. -->",
        "",
        f"Median times of one batch on {chosen.threads} threads, torch {torch.__version__}, "
        "measured by `python benchmarks/zoo/throughput.py`. *Feed*: warp, augmentation, feature "
        "and normalisation. *Step*: forward, backward and optimizer in the fastest precision. A "
        'run with `precision = "auto"` chooses the precision by the same measurement. The four '
        "figures per precision are fp32, fp32 channels-last, bf16, bf16 channels-last.",
        "",
        "| experiment | net | px | batch | feed, ms | step, ms | share of feed | fastest | "
        "ms per precision | faces per second |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in NAMES:
        lines.append(measure(name, chosen.manifest))
        print(lines[-1], flush=True)
    with atomic_write(OUT, "w") as file:
        file.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
