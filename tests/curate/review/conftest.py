"""A made-up data set of drawn faces, findings about it, and the review page's server."""

import io
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pyojeong.core.labels import FER7
from pyojeong.curate.findings import Finding, Store
from pyojeong.datasets.samples import Sample, Split, write_manifest
from pyojeong.image.features import content_hash

SERVE = """
import sys
from pathlib import Path
from rich.console import Console
from pyojeong.cli.review import review
review(Path(sys.argv[1]), Console(stderr=True), store=None, reviewer=sys.argv[2], port=0,
       host="127.0.0.1", open_page=False)
"""
BROKEN = 7
"""Row of the picture that cannot be read."""
WIDE = 11
"""Row of the large picture in colour."""


def draw_face(random_: random.Random, label: str) -> Image.Image:
    """48 x 48 gray: an ellipse, two eyes, a mouth that depends on the label."""
    picture = Image.new("L", (48, 48), random_.randrange(20, 90))
    draw = ImageDraw.Draw(picture)
    x, y = random_.randrange(-3, 4), random_.randrange(-3, 4)
    skin = random_.randrange(130, 220)
    draw.ellipse((8 + x, 4 + y, 40 + x, 45 + y), fill=skin)
    eye = 2 + (label in {"surprise", "fear"})
    for side in (17, 31):
        draw.ellipse((side + x - 3, 19 + y - eye, side + x + 3, 19 + y + eye), fill=245)
        draw.ellipse((side + x - 1, 18 + y, side + x + 1, 20 + y), fill=20)
        tilt = {"angry": 2, "sad": -2}.get(label, 0) * (1 if side < 24 else -1)
        draw.line((side + x - 4, 13 + y - tilt, side + x + 4, 13 + y + tilt), fill=40, width=2)
    box = (17 + x, 29 + y, 31 + x, 38 + y)
    if label == "happy":
        draw.chord(box, 0, 180, fill=60)
    elif label in {"sad", "disgust"}:
        draw.arc((17 + x, 33 + y, 31 + x, 42 + y), 180, 360, fill=60, width=2)
    elif label in {"surprise", "fear"}:
        draw.ellipse((20 + x, 30 + y, 28 + x, 40 + y), fill=50)
    else:
        draw.line((18 + x, 35 + y, 30 + x, 35 + y), fill=60, width=2)
    return picture


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def samples(count: int, drawn: int = 600) -> Iterator[Sample]:
    """Faces of all classes; beyond ``drawn`` pictures they repeat with other brightness."""
    random_ = random.Random(1)
    faces = [(FER7.names[i % 7], draw_face(random_, FER7.names[i % 7])) for i in range(drawn)]
    for row in range(count):
        label, face = faces[row % drawn]
        if row >= drawn:
            face = face.point(lambda v, by=row // drawn: max(0, v - by))
        votes = tuple(random_.randrange(5) for _ in range(10)) if row % 2 else None
        data, pixels = encoded(face), np.asarray(face)
        if row == WIDE:
            wide = face.resize((1200, 900)).convert("RGB")
            data, pixels = encoded(wide, "JPEG"), np.asarray(wide)
        split = (Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST)[row % 5]
        unreadable = row == BROKEN
        yield Sample(
            label=label,
            split=split,
            image=b"\x89PNG no picture" if unreadable else data,
            votes=votes,
            source=f"faces.csv:{row + 2}",
            content_hash="" if unreadable else content_hash(pixels),
        )


@dataclass
class MadeUp:
    """A check that has been run already."""

    name: str
    states: str
    threshold: float

    def settings(self) -> dict[str, Any]:
        return {"made": "up"}


def find(store: Store) -> None:
    """Findings of four checks: 100 blurred, 80 copies, 120 mislabelled, 20 without a face."""
    random_ = random.Random(2)
    rows = random_.sample(range(20, store.size), 300)
    blurred = [
        Finding(row=r, check="blurred", score=0.7 + 0.3 * i / 100, reason="edges are 3 px wide")
        for i, r in enumerate(rows[:100])
    ]
    blurred += [Finding(row=r, check="blurred", score=0.2) for r in rows[100:200]]
    copies = [
        Finding(row=r, check="near_copy", score=0.95, other=r - 15, reason=f"2 bits from #{r - 15}")
        for r in rows[60:140]
    ]
    sad = [
        Finding(
            row=r,
            check="mislabelled",
            score=0.5 + 0.5 * i / 120,
            suggest="relabel",
            label="sad" if r % 7 != 5 else "angry",
            reason="five nets agree",
        )
        for i, r in enumerate(rows[140:260])
    ]
    faceless = [
        Finding(row=r, check="no_face", score=1.0, reason="no face found") for r in rows[260:280]
    ]
    faceless.append(Finding(row=BROKEN, check="no_face", score=1.0, reason="cannot be decoded"))
    for check, found in (
        (MadeUp("blurred", "The picture is out of focus", 0.7), blurred),
        (MadeUp("near_copy", "Another picture is nearly the same", 0.9), copies),
        (MadeUp("mislabelled", "The label does not fit the face", 0.5), sad),
        (MadeUp("no_face", "There is no face", 0.9), faceless),
    ):
        store.start(check)
        store.add_part(check.name, "0", found)
        store.finish(check.name, {"rows": store.size})


def build(folder: Path, count: int = 5000, *, findings: bool = True) -> Store:
    manifest = folder / "set.parquet"
    write_manifest(manifest, samples(count), FER7)
    store = Store.beside(manifest)
    if findings:
        find(store)
    return store


@pytest.fixture(scope="session")
def build_store() -> Callable[..., Store]:
    """``build``, for test files."""
    return build


@pytest.fixture(scope="session")
def places() -> dict[str, int]:
    """Rows with something special."""
    return {"broken": BROKEN, "wide": WIDE}


@dataclass
class Served:
    """A running server.

    Attributes:
        url: With the token.
        process: Its process.
        ledger: The file that it writes.
    """

    url: str
    process: subprocess.Popen[str]
    ledger: Path

    @property
    def root(self) -> str:
        return self.url.split("/?")[0]

    @property
    def token(self) -> str:
        return self.url.split("token=")[1]

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=20)
        return err


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Store, str], Served]]:
    """A function that starts the real server on a store for a reviewer."""
    running: list[subprocess.Popen[str]] = []

    def start(store: Store, reviewer: str = "anna") -> Served:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(store.manifest), reviewer],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        running.append(process)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not re.match(r"http://127\.0\.0\.1:\d+/\?token=", url):
            process.kill()
            raise AssertionError(process.communicate()[1])
        return Served(url, process, store.folder / "decisions" / f"{reviewer}.jsonl")

    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
        process.communicate()
