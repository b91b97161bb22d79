"""Put three files of onnxruntime-web into src/pyojeong/page/ort; tools/page pins the version.

Run by ``make page``, by the tests and when a wheel is built. Needs npm.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "tools" / "page"
OUT = ROOT / "src" / "pyojeong" / "page" / "ort"
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def npm_install(lock: Path, work: Path, *, wanted_by: str) -> None:
    """Install the packages of a folder with a lock file into a new folder, ``work``.

    Raises:
        RuntimeError: When npm is missing or fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(f"npm is missing (Debian: apt-get install npm); {wanted_by} needs it")
    shutil.copytree(lock, work, ignore=shutil.ignore_patterns("node_modules"))
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    ended = subprocess.run(  # noqa: S603 - npm with words of this file
        command, cwd=work, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise RuntimeError(f"npm ci failed: {(ended.stderr or ended.stdout).strip()[-500:]}")


def fetch(out: Path = OUT) -> None:
    """Install the npm package elsewhere and copy what the page needs.

    Raises:
        RuntimeError: When npm is missing or fails.
    """
    wanted = json.loads((LOCK / "package.json").read_text())["dependencies"]["onnxruntime-web"]
    stamp = out / "VERSION"
    if stamp.is_file() and stamp.read_text().strip() == wanted:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".ort.") as made:
        work, ready = Path(made) / "work", Path(made) / "ort"
        npm_install(LOCK, work, wanted_by="the page")
        package = work / "node_modules" / "onnxruntime-web"
        ready.mkdir()
        for name in FILES:
            shutil.copyfile(package / "dist" / name, ready / name)
        (ready / "LICENSE").write_text(
            f"onnxruntime-web {wanted} is licensed under the MIT License: see NOTICE of pyojeong.\n"
        )
        (ready / "VERSION").write_text(f"{wanted}\n")
        shutil.rmtree(out, ignore_errors=True)
        ready.rename(out)


if __name__ == "__main__":
    try:
        fetch()
    except RuntimeError as error:
        sys.exit(str(error))
