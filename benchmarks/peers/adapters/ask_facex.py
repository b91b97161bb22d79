"""Asks facex (PyPI): its TFLite net behind OpenCV's Haar cascade."""

from importlib.metadata import version

import cv2
import facex
from answering import Face, answer, options, read_bgr


def main() -> None:
    """Answer the list of pictures."""
    given = options().parse_args()
    cv2.setNumThreads(1)
    pool = facex.PoolManager(pool_size=1)
    worker = pool.get_worker("benchmark")

    def plain(scores: dict[str, object]) -> dict[str, float]:
        return {name: float(value) for name, value in scores.items()}

    def ask(picture: object) -> list[Face]:
        if given.how == "crop":  # the net takes gray cuts, as facex's own predict() hands it
            return [(1.0, plain(worker.detect_emotion(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))))]
        found = worker.predict(picture)
        return [(float(f["bbox"][2]) * float(f["bbox"][3]), plain(f["emot"])) for f in found]

    answer(given, version("facex"), ask, read_bgr)
    pool.shutdown()


if __name__ == "__main__":
    main()
