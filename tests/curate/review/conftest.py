"""A made-up data set of drawn faces, findings about it, and the review page's server."""

import io
import json
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image, ImageDraw

from pyojeong.cli.serving import bind
from pyojeong.core.labels import FER7
from pyojeong.curate.findings import Finding, Store
from pyojeong.curate.review.app import create_app
from pyojeong.curate.review.index import ReviewIndex
from pyojeong.curate.review.session import ReviewSession
from pyojeong.datasets.samples import Sample, Split, write_manifest
from pyojeong.image.features import content_hash

BROKEN = 7
"""Row of the image that could not be read."""
WIDE = 11
"""Row of the large image in colour."""


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


def samples(count: int, drawn: int = 350) -> Iterator[Sample]:
    """Faces of all classes, over and over."""
    random_ = random.Random(1)
    faces = []
    for i in range(drawn):
        picture = draw_face(random_, FER7.names[i % 7])
        faces.append((FER7.names[i % 7], encoded(picture), content_hash(np.asarray(picture))))
    for row in range(count):
        label, data, digest = faces[row % drawn]
        votes = tuple(random_.randrange(5) for _ in range(10)) if row % 2 else None
        if row == WIDE:
            wide = Image.new("RGB", (1200, 900), (90, 120, 150))
            data, digest = encoded(wide, "JPEG"), content_hash(np.asarray(wide))
        unreadable = row == BROKEN
        yield Sample(
            label=label,
            split=(Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST)[row % 5],
            image=b"\x89PNG no image" if unreadable else data,
            votes=votes,
            source=f"faces.csv:{row + 2}",
            content_hash="" if unreadable else digest,
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
            label="angry" if r % 350 % 7 == 5 else "sad",
            reason="five nets agree",
        )
        for i, r in enumerate(rows[140:260])
    ]
    faceless = [
        Finding(row=r, check="no_face", score=1.0, reason="no face found") for r in rows[260:280]
    ]
    faceless.append(Finding(row=BROKEN, check="no_face", score=1.0, reason="could not be decoded"))
    for check, found in (
        (MadeUp("blurred", "The image is out of focus", 0.7), blurred),
        (MadeUp("near_copy", "Another image is nearly the same", 0.9), copies),
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


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """5,000 images with findings; to be copied, not written to."""
    return build(tmp_path_factory.mktemp("template"))


@pytest.fixture
def store(template: Store, tmp_path: Path) -> Store:
    """A copy of the 5,000 images for one test."""
    shutil.copytree(template.manifest.parent, tmp_path / "data")
    return Store.beside(tmp_path / "data" / template.manifest.name)


@dataclass
class Served:
    """A running server.

    Attributes:
        root: Its address.
        token: The secret.
        ledger: The file that it writes.
        server: Uvicorn's.
    """

    root: str
    token: str
    ledger: Path
    server: Any
    thread: threading.Thread

    @property
    def url(self) -> str:
        return f"{self.root}/?token={self.token}"

    def lines(self) -> list[dict[str, Any]]:
        """The decisions in the ledger."""
        return [json.loads(x) for x in self.ledger.read_text(encoding="utf-8").splitlines()[1:]]

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.root, headers={"x-pyojeong-token": self.token}, timeout=60
        )

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """A function that runs the real server on a store for a reviewer, in a thread."""
    running: list[Served] = []

    def start(store: Store, reviewer: str = "anna", port: int = 0, lang: str = "en") -> Served:
        session = ReviewSession(ReviewIndex(store, lang=lang), reviewer)
        token = f"secret-of-{reviewer}"
        bound = bind("127.0.0.1", port)
        config = uvicorn.Config(
            create_app(session, token=token), log_level="warning", lifespan="off", ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        root = f"http://127.0.0.1:{bound.getsockname()[1]}"
        running.append(Served(root, token, session.ledger.file, server, thread))
        return running[-1]

    yield start
    for served in running:
        served.stop()
