"""What the Python adapters share: read a list of pictures, write one line per answer.

Runs inside a peer's own environment, so nothing but the standard library, NumPy and OpenCV may be
imported here, and nothing of pyojeong.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Face = tuple[float, dict[str, float]]
"""Area of the face's box, and its scores by the peer's own label names, in the peer's order."""

Ask = Callable[[Any], list[Face]]
"""A decoded picture -> the faces that the peer reports."""

WARM_UP = 3
"""Pictures that are answered once before anything is timed or written down."""


def options() -> argparse.ArgumentParser:
    """The arguments that every adapter takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--how", required=True)
    return parser


def read_bgr(path: str) -> Any:
    """A picture as OpenCV reads it: uint8 (H, W, 3), BGR, turned upright."""
    import cv2

    image = cv2.imread(path, cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("OpenCV cannot read this picture")
    return image


def _pictures(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["id"], row["path"]


def answer(given: argparse.Namespace, version: str, ask: Ask, read: Callable[[str], Any]) -> None:
    """Ask about every picture of the list; each answer is on disk before the next is asked for.

    The first line says that the peer is ready. Only the peer's call is timed; the picture is
    decoded before it. Of several faces the largest is kept.
    """
    rows = list(_pictures(given.pictures))
    with given.answers.open("a", encoding="utf-8") as file:

        def write(row: dict[str, Any]) -> None:
            file.write(json.dumps(row) + "\n")
            file.flush()

        for _, path in rows[:WARM_UP]:
            try:
                ask(read(path))
            except Exception as error:
                print(f"warming up: {error!r}")
        write({"ready": True, "version": version})
        for name, path in rows:
            row: dict[str, Any] = {"id": name, "faces": 0, "scores": None, "ms": None}
            try:
                picture = read(path)
                began = time.perf_counter()
                faces = ask(picture)
                row["ms"] = round(1000 * (time.perf_counter() - began), 3)
                row["faces"] = len(faces)
                if faces:
                    row["scores"] = max(faces, key=lambda face: face[0])[1]
            except Exception as error:
                row["error"] = f"{type(error).__name__}: {error}"[:300]
            write(row)
