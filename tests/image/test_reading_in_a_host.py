"""Reading images leaves the host program as it was: filters, other images, modes of files."""

import os
import stat
import threading
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PilImage

from pyojeong.core.atomic_write import atomic_path, atomic_write
from pyojeong.core.errors import ImageUnreadable
from pyojeong.core.face import FrameResult
from pyojeong.core.labels import FER7
from pyojeong.datasets.exporting import EXPORTERS
from pyojeong.datasets.fingerprint import fingerprinted
from pyojeong.datasets.samples import Sample, Split, write_manifest
from pyojeong.image import files
from pyojeong.image.files import from_pil, read_image
from pyojeong.image.sources import load_image
from pyojeong.runtime.batch import analyze_files


def picture(path: Path, *, size: int = 32, **options) -> Path:
    rng = np.random.default_rng(size)
    PilImage.fromarray(rng.integers(0, 255, (size, size, 3), np.uint8)).save(path, **options)
    return path


@pytest.fixture
def warned(tmp_path: Path) -> Path:
    """An image at which Pillow warns: a palette with transparency in bytes."""
    path = tmp_path / "palette.png"
    image = PilImage.new("P", (16, 16), 200)
    image.putpalette(list(range(256)) * 3)
    image.save(path, transparency=bytes(range(256)))
    return path


def test_pillow_does_warn_of_it(warned: Path) -> None:
    read_image(warned)  # Pillow's modules have our ``warnings`` from now on
    with PilImage.open(warned) as image, pytest.warns(UserWarning, match="RGBA") as caught:
        image.convert("RGB")
    assert caught[0].filename.endswith("Image.py")


def test_filters_stay_what_they_are(warned: Path) -> None:
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("error")
        filters, before = warnings.filters, list(warnings.filters)
        seen = []

        def watched(*_: object, **__: object) -> None:
            seen.append(list(warnings.filters))

        real, files.from_pil = files.from_pil, lambda *a, **k: (watched(), real(*a, **k))[1]
        try:
            read_image(warned)
            load_image(PilImage.open(warned))
        finally:
            files.from_pil = real
        assert warnings.filters is filters
        assert warnings.filters == before
        assert seen
        assert all(each == before for each in seen)


def test_filters_stay_what_they_are_with_threads(warned: Path, tmp_path: Path) -> None:
    big = picture(tmp_path / "big.png", size=300)
    before, changed = list(warnings.filters), []
    stop = threading.Event()

    def read() -> None:
        for _ in range(20):
            read_image(warned)
            read_image(big)

    def watch() -> None:
        while not stop.is_set():
            if warnings.filters != before:
                changed.append(list(warnings.filters))

    threads = [threading.Thread(target=read) for _ in range(6)]
    watcher = threading.Thread(target=watch)
    watcher.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    watcher.join()
    assert not changed
    assert warnings.filters == before


def fails_for(monkeypatch, target, name, error, word):
    """Let a function raise for the image whose size is ``word``."""
    real = getattr(target, name)

    def function(given, *args, **options):
        size = given.size if isinstance(given, PilImage.Image) else np.shape(given)[:2]
        if word in size:
            raise error
        return real(given, *args, **options)

    monkeypatch.setattr(target, name, function)


class NoModel:
    """Finds no face; fails on images of 48 pixels."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def analyze_frames(self, frames):
        if self.error is not None and frames[0][0].shape[0] == 48:
            raise self.error
        return [FrameResult(frames[0][1], 0, 0.0, frames[0][0].shape[:2])]


@pytest.fixture
def three(tmp_path: Path) -> list[str]:
    exif = PilImage.Exif()
    exif[0x0112] = 5  # mirrored and turned
    paths = [picture(tmp_path / f"{n}.jpg", size=n, exif=exif) for n in (32, 48, 64)]
    return [str(path) for path in paths]


@pytest.mark.parametrize("place", ["transpose", "bytes", "chunks", "model", "opencv"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_one_image_without_memory_is_skipped(three, monkeypatch, place, jobs) -> None:
    analyzer = NoModel()
    if place == "transpose":
        fails_for(monkeypatch, files.ImageOps, "exif_transpose", MemoryError(), 48)
    elif place == "bytes":
        real = files._bytes_of
        monkeypatch.setattr(
            files,
            "_bytes_of",
            lambda p: (_ for _ in ()).throw(MemoryError()) if p.name == "48.jpg" else real(p),
        )
    elif place == "chunks":
        wrong = Path(three[1]).read_bytes()
        real = files.without_large_text
        monkeypatch.setattr(
            files,
            "without_large_text",
            lambda d: (_ for _ in ()).throw(MemoryError()) if d == wrong else real(d),
        )
    else:
        error = MemoryError("Unable to allocate")
        if place == "opencv":
            error = cv2.error("Insufficient memory")
            error.code = cv2.Error.STS_NO_MEM
        analyzer = NoModel(error)
    rows = list(analyze_files(analyzer, three, jobs=jobs))
    assert [row.error is None for row in rows] == [True, False, True]
    assert isinstance(rows[1].error, ImageUnreadable)
    assert "48.jpg: does not fit in memory" in str(rows[1].error)


def test_an_import_skips_it(three, monkeypatch) -> None:
    fails_for(monkeypatch, files.ImageOps, "exif_transpose", MemoryError(), 48)
    rows = [Sample(label="happy", split=Split.TRAIN, path=p, source=p) for p in three]
    done = list(fingerprinted(rows, jobs=2))
    assert [bool(row.content_hash) for row in done] == [True, False, True]


def test_a_pil_image_without_memory(monkeypatch) -> None:
    fails_for(monkeypatch, files, "_to_rgb", MemoryError(), 48)
    with pytest.raises(ImageUnreadable, match="<PIL image>: does not fit"):
        from_pil(PilImage.new("L", (48, 48)))


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002, 0o027])
def test_the_umask_is_respected(tmp_path: Path, mask: int) -> None:
    table = tmp_path / "set.parquet"
    data = picture(tmp_path / "a.png").read_bytes()
    rows = [Sample(label=n, split=Split.TRAIN, image=data, source=f"{n}.png") for n in FER7.names]
    before = os.umask(mask)
    try:
        write_manifest(table, rows, FER7)
        with atomic_write(tmp_path / "a" / "text.txt", "w") as file:
            file.write("x")
        for name, own in (("path.txt", 0o666 & ~mask), ("private.txt", 0o600)):
            with atomic_path(tmp_path / "a" / name) as path:  # as safetensors writes
                path.write_text("x")
                path.chmod(own)
        for layout, export in EXPORTERS.items():
            export(table, tmp_path / "out" / layout)
    finally:
        os.umask(before)
    places = [table, *(tmp_path / "a").rglob("*"), *(tmp_path / "out").rglob("*")]
    assert len(places) > 10
    for place in places:
        mode = stat.S_IMODE(place.stat().st_mode)
        assert mode == ((0o777 if place.is_dir() else 0o666) & ~mask), (place, oct(mode))
