"""Size of a base install in a fresh environment, and proof that it works there without a network.

python benchmarks/install_size.py --out docs/benchmarks/install.md
"""

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


def size_mb(folder: Path) -> float:
    """Bytes of all files below a folder, in MB."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6


def run(*command: str | Path) -> str:
    """Return the output of a command; raise when it fails."""
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    return done.stdout


def main() -> None:
    """Install, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        venv.create(home / "venv", with_pip=True)
        python = home / "venv" / "bin" / "python"
        packages = next((home / "venv" / "lib").glob("python*")) / "site-packages"
        empty = size_mb(packages)
        run(python, "-m", "pip", "install", "--quiet", ROOT)
        rows = [("everything", size_mb(packages)), ("of it: pip and setuptools", empty)]
        parts = [(p.name, size_mb(p)) for p in packages.iterdir() if p.is_dir()]
        rows += [(f"of it: {n}", s) for n, s in sorted(parts, key=lambda p: -p[1])[:8]]
        modules = run(
            python, "-c",
            "import pyojeong, sys; pyojeong.Analyzer(threads=1);"
            "print([m for m in ('torch', 'pandas', 'matplotlib', 'pyarrow') if m in sys.modules])",
        )  # fmt: skip
    lines = [
        "# Base install",
        "",
        "Size of `pip install .` in a fresh environment, measured by "
        f"`python benchmarks/install_size.py --out {out}`, Python {sys.version.split()[0]}, "
        f"{sys.platform}.",
        "",
        "| site-packages | MB |",
        "|---|--:|",
        *(f"| {name} | {size:.0f} |" for name, size in rows),
        "",
        f"Heavy modules loaded after creating an `Analyzer`: `{modules.strip()}`.",
    ]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
