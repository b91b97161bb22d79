"""What every experiment file learns from little data, by the command a user types.

    python -m benchmarks.small_data --data runs/fer2013.parquet --out runs/small --sizes 300 700
    python -m benchmarks.small_data --page docs/benchmarks/small_data.md

The first N samples of FER2013's Training in an order by digest (the classes as they fall), and 700
of PublicTest as validation pictures. Each file is trained with `pyojeong train FILE --data SET`,
one thread, no option. A row holds the best validation accuracy, the share of the commonest class,
and the time; or the line with which the command refused. Rows are kept in
docs/benchmarks/small_data.json; trainings that have a row are not run again.

The question is whether a training ends above the commonest class. A training keeps its best epoch,
so `--enough 0.05` stops one as soon as an epoch is 5 points above it; its row says "stopped".
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.labels import FER7
from pyojeong.datasets.samples import Sample, Split, read_manifest, write_manifest

RESULTS = Path("docs/benchmarks/small_data.json")
VALID = 700
say = Console(stderr=True, highlight=False)


def make_set(data: Path, out: Path, size: int) -> Path:
    """Write ``size`` training samples and the validation samples as a table of their own."""
    file = out / f"fer2013-{size}.parquet"
    if not file.exists():
        out.mkdir(parents=True, exist_ok=True)
        picked: list[Sample] = []
        for split, count in ((Split.TRAIN, size), (Split.VALID, VALID)):
            ordered = sorted(
                read_manifest(data, splits=[split]),
                key=lambda s: hashlib.sha256(s.source.encode()).digest(),
            )
            picked += ordered[:count]
        write_manifest(file, picked, FER7)
    return file


def commonest(file: Path) -> float:
    """Share of the commonest class among the validation samples."""
    labels = Counter(s.label for s in read_manifest(file, splits=[Split.VALID], images=False))
    return max(labels.values()) / sum(labels.values())


def run(
    experiment: Path, file: Path, runs: Path, seconds: float, enough: float
) -> dict[str, Any] | None:
    """Train until done or ``enough``, or return the refusal; None when the time ran out."""
    command = [sys.executable, "-m", "pyojeong", "train", str(experiment)]
    command += ["--data", str(file), "--runs", str(runs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "400"}
    known = set(runs.rglob("curves.jsonl"))
    began = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        subprocess.Popen(command, stdout=out, stderr=err, text=True, env=environment) as process,
    ):
        curves: list[dict[str, Any]] = []
        stopped = late = False
        while process.poll() is None:
            time.sleep(1)
            curves = _curves(runs, known)
            stopped = _best(curves) >= enough
            late = time.monotonic() - began > seconds
            if stopped or late:
                process.terminate()
                process.wait()
                break
        took = round(time.monotonic() - began, 1)
        if late and not stopped:
            return None
        if process.returncode and not stopped:
            err.seek(0)
            return {"refused": (err.read().strip().splitlines() or ["no message"])[-1]}
    curves = curves if stopped else _curves(runs, known)
    row = {"accuracy": _best(curves), "epochs": len(curves), "seconds": took}
    return {**row, "stopped": True} if stopped else row


def _curves(runs: Path, known: set[Path]) -> list[dict[str, Any]]:
    """Return the epochs of the run that this training began."""
    for file in sorted(set(runs.rglob("curves.jsonl")) - known):
        whole = file.read_text(encoding="utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]
    return []


def _best(curves: list[dict[str, Any]]) -> float:
    return max((line.get("valid_accuracy") or 0.0 for line in curves), default=0.0)


def measure(given: argparse.Namespace) -> None:
    """Run what has no row yet, from the smallest set on."""
    rows = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    files = given.files or sorted(
        f
        for f in Path("experiments").rglob("*.toml")
        if f.name[0] != "_" and ".about" not in f.name
    )
    for size in given.sizes:
        file = make_set(given.data, given.out, size)
        for experiment in files:
            name = experiment.relative_to("experiments").with_suffix("").as_posix()
            if str(size) in rows.get(name, {}):
                continue
            runs = given.out / str(size) / Path(name).parent
            row = run(experiment, file, runs, given.seconds, commonest(file) + given.enough)
            if row is None:
                say.print(f"{size} {name}: not done in {given.seconds:.0f} s")
                continue
            rows.setdefault(name, {})[str(size)] = {**row, "commonest": round(commonest(file), 4)}
            say.print(f"{size} {name}: {row}", soft_wrap=True)
            with atomic_write(RESULTS, "w") as stream:
                json.dump(dict(sorted(rows.items())), stream, indent=1, ensure_ascii=False)
                stream.write("\n")


def write_page(page: Path) -> None:
    """Write the table."""
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))
    sizes = sorted({int(size) for row in rows.values() for size in row})
    text = [
        "# Experiments on little data",
        "",
        f"Best validation accuracy of `pyojeong train FILE` without options, on {VALID} validation",
        "pictures of FER2013 (single view; epochs, batch size and learning rate adapted to the",
        "size), and the time in seconds on one thread, with other load on the machine. Measured by",
        "`python -m benchmarks.small_data`. Empty cells were not run. A message is the error of",
        "the command. Needs another run: the experiment starts from networks of other",
        "experiments, which were not trained on so little data. Some trainings were stopped",
        "(`--enough 0.05`) at the first epoch that was 5 points above the most frequent label: a",
        "training keeps its best epoch.",
        "",
        "| experiment | " + " | ".join(f"{size:,} pictures" for size in sizes) + " |",
        "|---|" + "---|" * len(sizes),
    ]
    for name, row in rows.items():
        cells = [_cell(row.get(str(size))) for size in sizes]
        text.append(f"| {name} | " + " | ".join(cells) + " |")
    base = {f"{100 * c['commonest']:.1f}%" for row in rows.values() for c in row.values()}
    learned = [c for row in rows.values() for c in row.values() if "accuracy" in c]
    above = sum(c["accuracy"] > c["commonest"] for c in learned)
    text += [
        "",
        f"Always predicting the most frequent label has an accuracy of {', '.join(sorted(base))}; "
        f"{above} of {len(learned)} trainings are better.",
        "",
    ]
    with atomic_write(page, "w") as stream:
        stream.write("\n".join(text))


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    if "refused" in row:
        refused = str(row["refused"])
        return "needs another run" if "not a finished run" in refused else refused.replace("|", "/")
    if "stopped" in row:
        return f">= {100 * row['accuracy']:.1f}% (stopped, epoch {row['epochs']})"
    return f"{100 * row['accuracy']:.1f}% ({row['seconds']:.0f} s)"


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/small"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 700, 5000])
    parser.add_argument("--seconds", type=float, default=1800.0, help="at most for one training")
    parser.add_argument(
        "--enough", type=float, default=1.0, help="stop this far above the commonest"
    )
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    if given.data:
        measure(given)
    if given.page:
        write_page(given.page)


if __name__ == "__main__":
    main()
