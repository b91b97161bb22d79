"""Commands that are killed, run twice at once, or meet a full disk."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.robustness.campaign import Campaign
from pyojeong.runtime.golden import PICTURES

_CHANGING = {"inputs.json", "done.json", "store.json", "settings.toml"}
"""Files that hold times or paths."""


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "pyojeong", *arguments]


def _run(arguments: list[str], *, limit: int | None = None) -> "subprocess.CompletedProcess[str]":
    def limited() -> None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit or 0, resource.RLIM_INFINITY))

    return subprocess.run(
        _command(arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=None if limit is None else limited,
    )


def _well(arguments: list[str]) -> None:
    """Run a command that nothing disturbs.

    Raises:
        RuntimeError: When it failed.
    """
    done = _run(arguments)
    if done.returncode:
        raise RuntimeError(f"{arguments}: {done.stderr}")


def material(folder: Path) -> dict[str, Callable[[Path], list[str]]]:
    """Make inputs; returns commands by name: output folder -> arguments."""
    from PIL import Image

    from benchmarks.robustness.files import clip

    photos = folder / "photos"
    photos.mkdir()
    with Image.open(PICTURES / "astronaut.jpg") as opened:
        for number in range(6):
            opened.resize((300 + 10 * number, 300)).save(photos / f"{number}.jpg")
    clips = folder / "clips"
    clips.mkdir()
    for name in ("a.mp4", "b.mp4"):
        clip(clips / name, "libx264")
    classes = folder / "set"
    for label in ("happy", "sad", "fear"):
        (classes / label).mkdir(parents=True)
        for number in range(12):
            size = 40 + number + len(label)
            Image.new("L", (size, size), 20 * number).save(classes / label / f"{number}.png")
    table = folder / "given.parquet"
    _well(["data", "import", str(classes), "--out", str(table)])

    def analyze(out: Path) -> list[str]:
        return ["analyze", str(photos), "--out", str(out / "o"), "--annotate", "-f", "csv"]

    def video(out: Path) -> list[str]:
        more = ["-f", "csv", "-f", "parquet", "--no-pictures", "--no-report"]
        return ["video", str(clips), "--out", str(out / "o"), *more]

    return {
        "analyze": analyze,
        "video": video,
        "data import": lambda out: [
            *("data", "import", str(classes)), "--out", str(out / "o.parquet")
        ],
        "data split": lambda out: ["data", "split", str(table), "--out", str(out / "o.parquet")],
        "data export": lambda out: ["data", "export", str(table), "--out", str(out / "o")],
        "data curate": lambda out: [
            *("data", "curate", str(table), "--checks", "exact-copy"),
            *("--store", str(out / "o.curation")),
        ],
    }  # fmt: skip


def contents(out: Path) -> dict[str, str]:
    """Return the digest of every file; lists of what was given have paths and are left out."""
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.name not in _CHANGING:
            name = path.relative_to(out).as_posix()
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def kills(campaign: Campaign, count: int) -> None:
    """Kill commands at any moment; the same command again gives the same files and no others."""
    commands = material(campaign.folder)
    right: dict[str, tuple[dict[str, str], float]] = {}
    for number in range(count):
        name = list(commands)[number % len(commands)]
        if name not in right:
            out = campaign.folder / f"right-{number}"
            out.mkdir()
            began = time.monotonic()
            _well(commands[name](out))
            right[name] = contents(out), time.monotonic() - began
        out = campaign.folder / f"killed-{number}"
        out.mkdir()
        expected, seconds = right[name]
        for _ in range(campaign.rng.randint(1, 2)):
            process = subprocess.Popen(
                _command(commands[name](out)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            time.sleep(campaign.rng.uniform(0.3, 1.0) * seconds)
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = _run(commands[name](out))
        ok = done.returncode == 0 and contents(out) == expected
        refused = done.returncode != 0 and "is there already" in done.stderr
        differing = sorted(set(contents(out)) ^ set(expected))
        last = done.stderr.strip().splitlines()[-1:] or [""]
        campaign.check(f"{name} after a kill: {differing[:3]} {last[0][:120]}", ok or refused)


def _rounds(
    campaign: Campaign, commands: dict[str, Callable[[Path], list[str]]], count: int
) -> Iterator[tuple[str, dict[str, str], Path]]:
    """Yield names of commands in turn, what they give undisturbed, and a new folder for each."""
    right: dict[str, dict[str, str]] = {}
    for number in range(count):
        name = list(commands)[number % len(commands)]
        if name not in right:
            undisturbed = campaign.folder / f"right-{number}"
            undisturbed.mkdir()
            _well(commands[name](undisturbed))
            right[name] = contents(undisturbed)
        out = campaign.folder / f"out-{number}"
        out.mkdir()
        yield name, right[name], out


def pairs(campaign: Campaign, count: int) -> None:
    """Run commands twice at once on one output: the result is right, nobody fails badly."""
    commands = material(campaign.folder)
    for name, right, out in _rounds(campaign, commands, count):
        both = []
        for _ in range(2):
            both.append(
                subprocess.Popen(
                    _command(commands[name](out)),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
            )
            time.sleep(campaign.rng.uniform(0, 0.3))
        said = [process.communicate(timeout=180)[1] for process in both]
        codes = [process.returncode for process in both]
        campaign.check(f"pair of {name}: no process ended well", 0 in codes)
        campaign.check(f"pair of {name}: {_other(out, right)}", contents(out) == right)
        campaign.check(f"pair of {name}: a traceback", "Traceback" not in "".join(said))


def _other(out: Path, expected: dict[str, str]) -> str:
    found = contents(out)
    return f"{sorted(k for k in {*found, *expected} if found.get(k) != expected.get(k))[:3]} differ"


def disk(campaign: Campaign, count: int) -> None:
    """Limit the size of files, as a full disk does: no traceback, nothing half under its name."""
    commands = material(campaign.folder)
    for name, right, out in _rounds(campaign, commands, count):
        done = _run(commands[name](out), limit=campaign.rng.choice([0, 100, 1000, 5000, 30_000]))
        campaign.check(f"{name} on a full disk: a traceback", "Traceback" not in done.stderr)
        whole = {k: v for k, v in contents(out).items() if not Path(k).name.startswith(".")}
        torn = [k for k, v in whole.items() if right.get(k) != v]
        torn = [k for k in torn if not _partial(out / k)]
        campaign.check(f"{name} on a full disk: {torn[:3]} are torn", not torn)
        campaign.check(f"{name} on a full disk: it says 0", done.returncode != 0 or whole != {})


def _partial(path: Path) -> bool:
    """Return whether a file is whole in itself although others are missing: a table of failures."""
    if path.suffix in {".csv", ".jsonl", ".json", ".vtt", ".eaf", ".html"}:
        data = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            json.loads(data)
        return data.endswith(("\n", ">"))
    from pyojeong.parquet import is_sealed

    return path.suffix == ".parquet" and is_sealed(path)


PARTS: dict[str, tuple[Callable[[Campaign, int], None], int]] = {
    "kills": (kills, 150),
    "pairs": (pairs, 60),
    "full disk": (disk, 60),
}
