"""Measure the page in Chromium: bytes before the first answer, frames a second, labels.

Run as ``python -m benchmarks.page.measure --pictures ../shared/data/wild/images --clip CLIP``; it
writes docs/benchmarks/page.json. Labels of the page are compared with those of pyojeong in Python
for the same photographs: with the page's own detector, and with the default one.
"""

import argparse
import functools
import gzip
import http.server
import json
import shutil
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from playwright.sync_api import Page, sync_playwright

from pyojeong import Analyzer, Face, load_image
from pyojeong.export.web_variant import float_network
from pyojeong.page.build import build_page
from pyojeong.zoo import DEFAULT_MODEL, find

OUT = Path(__file__).parents[2] / "docs" / "benchmarks" / "page.json"
SECONDS = 12
MODELS = Path(__file__).parents[2] / "src" / "pyojeong" / "page" / "models"
PART = 25
"""Photographs that are opened at once."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def page_of(site: Path, camera: Path | None = None) -> Iterator[Page]:
    """Open the page in Chromium, with a clip as its camera."""
    handler = functools.partial(_Quiet, directory=str(site))
    args = ["--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream"]
    if camera is not None:
        args += [
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        ]
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=args, headless=True
        )
        page = browser.new_context(permissions=["camera"]).new_page()
        page.set_default_timeout(600_000)
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html?lang=en")
        page.wait_for_selector("body[data-ready]")
        yield page
        browser.close()
        server.shutdown()


def sizes(site: Path) -> dict[str, int]:
    """Return gzipped bytes before the first answer: all, ours, and those of eyes later."""
    packed = {
        path.relative_to(site): len(gzip.compress(path.read_bytes(), 6))
        for path in sorted(site.rglob("*"))
        if path.is_file() and path.suffix != ".gz"
    }
    later = {Path("models/mesh.onnx"), Path("models/iris.onnx")}
    first = {path: size for path, size in packed.items() if path not in later}
    ours = sum(size for path, size in first.items() if path.parts[0] != "ort")
    return {
        "first": sum(first.values()),
        "first_ours": ours,
        "eyes_later": sum(packed[path] for path in later),
    }


def speed(site: Path, clip: Path) -> dict[str, Any]:
    """Return frames a second of a 640 x 480 camera, without and with eyes, one thread."""
    with tempfile.TemporaryDirectory() as folder:
        camera = Path(folder) / "camera.mjpeg"
        cut = "scale=640:480:force_original_aspect_ratio=increase,crop=640:480,fps=30"
        command = ["ffmpeg", "-loglevel", "error", "-i", str(clip), "-vf", cut, "-t", "10"]
        subprocess.run([*command, "-pix_fmt", "yuvj420p", "-q:v", "3", str(camera)], check=True)
        found: dict[str, Any] = {}
        with page_of(site, camera) as page:
            page.click("#camera")
            for name in ("expressions", "with_eyes"):
                if name == "with_eyes":
                    page.check("#eyes")
                    page.wait_for_timeout(4000)
                page.wait_for_timeout(3000)
                before, began = frames(page), page.evaluate("performance.now()")
                page.wait_for_timeout(1000 * SECONDS)
                passed = (page.evaluate("performance.now()") - began) / 1000
                found[name] = round((frames(page) - before) / passed, 1)
                found[f"{name}_state"] = page.inner_text("#state")
        return found


def frames(page: Page) -> int:
    """Return how many results the page has kept."""
    return int(page.inner_text("#count").split(":")[1].split(";")[0])


def labels(site: Path, pictures: list[Path]) -> dict[str, Any]:
    """Return the shares of photographs with the same label of their largest face."""
    with page_of(site) as page:
        for start in range(0, len(pictures), PART):
            part = pictures[start : start + PART]
            page.set_input_files("#files", [str(path) for path in part])
            done = min(start + PART, len(pictures))
            while frames(page) < done:
                page.wait_for_timeout(200)
            page.wait_for_timeout(500)
        with page.expect_download() as download:
            page.click("#json")
        text = Path(download.value.path()).read_text()
    first: dict[str, Any] = {}
    for line in text.splitlines():
        frame = json.loads(line)
        first[frame["source"]] = frame["faces"][0] if frame["faces"] else None
    seen = {name: face["expression"]["label"] if face else "" for name, face in first.items()}
    found: dict[str, Any] = {"photographs": len(pictures), "page_without_face": 0}
    found["page_without_face"] = sum(label == "" for label in seen.values())
    for name in ("blazeface-onet", "auto"):
        analyzer, same, differing = Analyzer(detector=name), [], []
        for path in pictures:
            faces = analyzer.analyze(path).faces
            wanted = faces[0].expression.label if faces and faces[0].expression else ""
            same.append(seen[path.name] == wanted)
            if faces and first[path.name] and not same[-1]:
                differing.append(difference(faces[0], first[path.name]))
        found[f"same_as_{name}"] = round(statistics.mean(same), 3)
        if name == "blazeface-onet":
            found["differing"] = differing
    return found


def difference(python: Face, page: dict[str, Any]) -> dict[str, float]:
    """Return the best shares of both, and how far the boxes are apart in widths of the face."""
    assert python.expression is not None  # noqa: S101 - analyzed
    shift = np.abs(np.subtract(python.box.xyxy, page["box"])).max()
    return {
        "python": round(python.expression.top[1], 3),
        "page": round(max(page["expression"]["scores"].values()), 3),
        "unclear_below": round(python.expression.threshold, 3),
        "box_shift": round(float(shift / python.box.width), 3),
    }


def arithmetic(pictures: list[Path]) -> dict[str, Any]:
    """Return how often int8 and float32 give one face, cut out alike, the same label."""
    analyzer = Analyzer(detector="blazeface-onet", threads=1)
    classifier = analyzer.classifier
    model = onnx.load(str(find(DEFAULT_MODEL).weights))
    files = {
        "float32": float_network(model).SerializeToString(),
        "page": (MODELS / f"{classifier.card.id}.onnx").read_bytes(),
    }
    sessions = {name: ort.InferenceSession(data) for name, data in files.items()}
    same: dict[str, list[bool]] = {name: [] for name in sessions}
    for path in pictures:
        image = load_image(path)
        faces = analyzer.analyze(image).faces[:1]
        if faces and faces[0].expression:
            inputs = classifier.tensors([(image, faces)])
            for name, session in sessions.items():
                read = classifier.expressions(session.run(["logits", "votes"], {"faces": inputs}))
                same[name].append(read[0].label == faces[0].expression.label)
    return {
        "faces": len(same["page"]),
        **{f"{name}_same_as_int8": round(statistics.mean(each), 4) for name, each in same.items()},
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument(
        "--only", choices=["sizes", "speed", "labels", "arithmetic"], action="append"
    )
    given = parser.parse_args()
    only = given.only or ["sizes", "speed", "labels", "arithmetic"]
    known = json.loads(OUT.read_text()) if OUT.exists() else {}
    every = sorted(given.pictures.glob("*.jpg"))
    step = max(len(every) // given.number, 1)
    with tempfile.TemporaryDirectory() as folder:
        site = build_page(Path(folder) / "site")
        if "sizes" in only:
            known["gzipped_bytes"] = sizes(site)
        if "speed" in only:
            known["frames_a_second"] = speed(site, given.clip)
        if "labels" in only:
            known["labels"] = labels(site, every[::step][: given.number])
        if "arithmetic" in only:
            known["arithmetic"] = arithmetic(every[::3])
    OUT.write_text(json.dumps(known, indent=2) + "\n")
    print(json.dumps(known, indent=2))


if __name__ == "__main__":
    main()
