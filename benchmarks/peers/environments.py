"""Builds the environments, one per tool, and measures what they take on disk.

Python: a venv with exactly the packages of a pinned list (``pip install --no-deps -r``). Node: a
folder with the exact versions of a package.json. Ours: a venv with ``pip install`` of this project.
A build that fails leaves its reason in ``build.json``; it stops nothing else.
"""

import json
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers.entrants import PINS, Entrant, Environment

ROOT = Path(__file__).parents[2]
RECORD = "build.json"


class BuildError(Exception):
    """An environment could not be made; the message is the last that its installer said."""


def size_mb(folder: Path) -> float:
    """Bytes of all files below a folder, in MB."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6


def python_of(folder: Path) -> Path:
    """The interpreter of a venv."""
    return folder / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Built:
    """What ``build.json`` says of an environment.

    Attributes:
        reason: Why it could not be made; "" = it was.
        mb: What was installed, without pip and what else an empty venv holds; None = failed.
        runtime: Version of Python or Node.
        date: When.
    """

    reason: str = ""
    mb: float | None = None
    runtime: str = ""
    date: str = ""


def read_built(work: Path, name: str) -> Built | None:
    """The record of an environment; None = never built."""
    file = work / "environments" / name / RECORD
    if not file.exists():
        return None
    return Built(**json.loads(file.read_text(encoding="utf-8")))


def run_logged(log: Path, *command: str | Path, cwd: Path | None = None) -> str:
    """A command's output; it goes to the log too."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(map(str, command))}\n")
    try:
        done = subprocess.run(
            list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise BuildError(f"{command[0]} could not be started: {error.strerror}") from error
    with log.open("a", encoding="utf-8") as file:
        file.write(done.stdout + done.stderr)
    if done.returncode:
        raise BuildError(latest_decisions(done.stderr or done.stdout))
    return done.stdout.strip()


def latest_decisions(output: str) -> str:
    """The line of an installer's output that says why: the last with "error" in it, or the last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = [line for line in lines if "error" in line.lower() and not line.startswith("npm warn")]
    return (said or lines or ["it ended without a word"])[-1][:300]


def _build_python(environment: Environment, folder: Path, log: Path) -> tuple[float, str]:
    venv.create(folder, with_pip=True)
    python = python_of(folder)
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    empty = size_mb(packages)
    what = (
        [str(ROOT)]
        if environment.kind == "own"
        else ["--no-deps", "-r", str(PINS / environment.pins)]
    )
    run_logged(log, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what)
    return size_mb(packages) - empty, f"Python {sys.version.split()[0]}"


def _build_node(environment: Environment, folder: Path, log: Path) -> tuple[float, str]:
    folder.mkdir(parents=True)
    shutil.copy(PINS / environment.pins, folder / "package.json")
    run_logged(log, "npm", "install", "--no-audit", "--no-fund", "--omit=dev", cwd=folder)
    return size_mb(folder / "node_modules"), f"Node {run_logged(log, 'node', '--version')}"


def build(environment: Environment, work: Path) -> Built:
    """Make an environment again; whatever was there is removed first."""
    folder = work / "environments" / environment.name
    log = work / "logs" / f"build-{environment.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    maker = _build_node if environment.kind == "node" else _build_python
    date = datetime.now(UTC).date().isoformat()
    try:
        mb, runtime = maker(environment, folder, log)
        built = Built(mb=round(mb, 1), runtime=runtime, date=date)
    except (BuildError, OSError) as error:
        built = Built(reason=str(error), date=date)
    folder.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {k: getattr(built, k) for k in Built.__dataclass_fields__}
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return built


def weights_mb(entrant: Entrant, work: Path) -> float | None:
    """Size of the weight files that a configuration reads; None = one of them is not there."""
    folder = work / "environments" / entrant.environment
    total = 0
    for pattern in entrant.weights:
        if Path(pattern).is_absolute():
            files = [Path(pattern)] if Path(pattern).is_file() else []
        else:
            files = [f for f in folder.glob(pattern) if f.is_file() and f.suffix != ".py"]
        if not files:
            return None
        total += sum(f.stat().st_size for f in files)
    return round(total / 1e6, 2)
