"""fer's Keras file as an ONNX file; runs inside fer's environment, with tf2onnx beside it.

python convert_fer.py TOOLS KERAS_FILE OUT
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, sys.argv[1])

import tensorflow as tf
import tf2onnx

_OPSET = 17


def main(keras_file: str, out: str) -> None:
    """Convert; the batch size stays free."""
    net = tf.keras.models.load_model(keras_file, compile=False)
    answer = tf.function(lambda x: net(x, training=False))
    faces = tf.TensorSpec((None, *net.input_shape[1:]), tf.float32, name="faces")
    tf2onnx.convert.from_function(
        answer, input_signature=[faces], opset=_OPSET, output_path=out + ".part"
    )
    Path(out + ".part").replace(out)


if __name__ == "__main__":
    main(*sys.argv[2:])
