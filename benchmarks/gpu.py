"""Speed of the devices that onnxruntime offers on this machine, in ratios to its CPU.

    python benchmarks/gpu.py --image photo.jpg

The project has no machine with a GPU: no results of this script are published. Each device reads
the same image and the same 256 faces, in turns with the CPU, and the answers are compared.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from pyojeong import Analyzer, DeviceUnavailable, load_image
from pyojeong.runtime.devices import PROVIDERS

_TURNS = 5
_FACES = 256


def seconds(job: Callable[[], object], least: float = 1.0) -> float:
    """Return the mean time of a job that is repeated for a second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < least:
        job()
        count += 1
    return (time.perf_counter() - began) / count


def measure(name: str, image: np.ndarray, cpu: Analyzer) -> None:
    """Print one device's times and how far its answers are from those of the CPU."""
    try:
        other = Analyzer(device=name)
    except DeviceUnavailable as error:
        print(f"{name}: {error}")
        return
    box = cpu.detect(image)[0].box
    crop = image[max(round(box.y1), 0) : round(box.y2), max(round(box.x1), 0) : round(box.x2)]
    crops = [crop] * _FACES
    for words, job in (
        ("one image", lambda a: a.analyze_frames([(image, "", 0, 0.0)])),
        (f"{_FACES} faces", lambda a: a.classify(crops)),
    ):
        job(other)  # the first run prepares the device
        ratios = []
        for _ in range(_TURNS):
            here = seconds(lambda job=job: job(cpu))
            there = seconds(lambda job=job: job(other))
            ratios.append(here / there)
        print(f"{name} {words}: {statistics.median(ratios):.2f} times as fast as the CPU")
    own, same = (np.stack([e.scores for e in a.classify(crops[:1])]) for a in (cpu, other))
    print(f"{name}: scores differ by at most {np.abs(own - same).max():.2g}")


def main() -> None:
    """Measure every device but the CPU."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--image", required=True, help="A photograph with a face.")
    image = load_image(parser.parse_args().image)
    cpu = Analyzer(device="cpu")
    if not cpu.detect(image):
        parser.error("no face in this image")
    for name in PROVIDERS:
        if name != "cpu":
            measure(name, image, cpu)


if __name__ == "__main__":
    main()
