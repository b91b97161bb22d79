"""What the benchmarks of long lists share: a manifest of repeated photographs, commands, parts."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ENDINGS = {".jpg", ".jpeg", ".png"}


def manifest_of(photographs: Path, folder: Path, count: int) -> Path:
    """Write a manifest of so many different names of the photographs of a folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(p.name for p in photographs.iterdir() if p.suffix.lower() in ENDINGS)
    rows = []
    for turn in range(-(-count // len(files))):
        link = folder / f"repeat-{turn:03d}"
        if not link.is_symlink():
            link.symlink_to(photographs.resolve(), target_is_directory=True)
        rows += [str(link / name) for name in files]
    path = folder / f"photographs-{count}.parquet"
    pq.write_table(pa.table({"path": rows[:count]}), path)
    return path


def start(words: Sequence[object], log: Path) -> subprocess.Popen[bytes]:
    """Start ``pyojeong`` with these words; one thread in each process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pyojeong", *map(str, words)]
    with log.open("ab") as out:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=out)


def parts_of(out: Path) -> list[Path]:
    """Return the parts that a command has written so far."""
    return sorted((out / "parts").glob("part-*.parquet"))


def descendants(process: int) -> dict[int, str]:
    """Return the processes that a process has started, and they: number -> name."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            names[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            continue
        parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    grown = True
    while grown:
        new = {p for p, parent in parents.items() if parent == process or parent in found}
        grown = bool(new - set(found))
        found |= {p: names.get(p, "") for p in new}
    return found


def resident_mb(process: int) -> float:
    """Return the resident memory of a process in megabytes; 0 when it is gone."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in text.splitlines() if line.startswith("VmRSS")), "VmRSS: 0")
    return int(line.split()[1]) / 1000
