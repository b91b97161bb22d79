"""Put iframe-worker into build/site, for the site's search; tools/site_search pins its version.

A page that was opened from disk may not start a worker; the search of the documentation site runs
in one. Run by ``make site`` and by the site's build where the file is missing. Needs npm.
"""

import json
import sys
import tempfile
from pathlib import Path

from fetch_onnxruntime_web import ROOT, npm_install

LOCK = ROOT / "tools" / "site_search"
OUT = ROOT / "build" / "site"


def iframe_worker(out: Path = OUT) -> Path:
    """Return the script, fetched unless it is there.

    Raises:
        RuntimeError: When npm is missing or fails.
    """
    wanted = json.loads((LOCK / "package.json").read_text())["dependencies"]["iframe-worker"]
    script = out / f"iframe-worker-{wanted}.js"
    if not script.is_file():
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".npm.") as made:
            work = Path(made) / "work"
            npm_install(LOCK, work, wanted_by="the search of the documentation site")
            package = work / "node_modules" / "iframe-worker"
            licence = (package / "LICENSE").read_text("utf-8").strip()
            code = (package / "shim" / "index.js").read_text("utf-8")
            ready = Path(made) / script.name
            ready.write_text(f"/*! iframe-worker {wanted}\n{licence}\n*/\n{code}", "utf-8")
            ready.replace(script)
    return script


if __name__ == "__main__":
    try:
        iframe_worker()
    except RuntimeError as error:
        sys.exit(str(error))
