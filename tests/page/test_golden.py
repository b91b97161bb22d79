"""The page's scripts compute what Python computes, from pixels to labels."""

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from playwright.sync_api import Page

from pyojeong import load_image
from pyojeong.core.calibration import PRIORS
from pyojeong.core.face import Box, Face, Landmarks
from pyojeong.image.canvas import fit
from pyojeong.image.preprocess import matrix_for_face, preprocess, warp
from pyojeong.page.build import build_page, page_settings
from pyojeong.runtime.detection.blazeface_onet import BlazeFaceOnet
from pyojeong.runtime.eyes import Eyes
from pyojeong.runtime.facemesh import FaceMesh
from pyojeong.runtime.golden import PICTURES
from pyojeong.runtime.head_pose import pose_of, rotation_from
from pyojeong.runtime.output_head import OutputHead
from pyojeong.zoo import DEFAULT_MODEL, find

RNG = np.random.default_rng(5)
CARD = find(DEFAULT_MODEL).card
NOISE = RNG.integers(0, 256, (90, 120, 3), np.uint8)
PHOTO = load_image(PICTURES / "astronaut.jpg")


def pixels(image: np.ndarray) -> dict[str, Any]:
    """The image as ImageData holds it."""
    alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
    data = np.concatenate([image, alpha], 2)
    text = base64.b64encode(data.tobytes()).decode()
    return {"base64": text, "width": image.shape[1], "height": image.shape[0]}


def call(page: Page, module: str, body: str, argument: object) -> Any:
    """Run a function body with the module as ``m`` and the argument as ``x``."""
    script = f"async (x) => {{ const m = await import('/js/{module}.js'); {DECODE} {body} }}"
    return page.evaluate(script, argument)


DECODE = """
if (x.image) x.image.data = Uint8ClampedArray.from(atob(x.image.base64), (c) => c.charCodeAt(0));
const packed = (a) => btoa(Array.from(new Uint8Array(a.buffer, a.byteOffset, a.byteLength),
                                      (v) => String.fromCharCode(v)).join(''));
"""
"""Pixels travel as base64: lists of numbers take seconds."""


def array(packed: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed), dtype).reshape(shape)


class Web:
    """A network of the page, run in Python."""

    id = "web"

    def __init__(self, site: Any, name: str) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(str(site / "models" / f"{name}.onnx"), options)

    def run(self, inputs: np.ndarray) -> list[np.ndarray]:
        return self._session.run(None, {self._session.get_inputs()[0].name: inputs})


@pytest.mark.parametrize("scale", [1.7, 0.8, 0.45, 0.21, 0.07])
@pytest.mark.parametrize("gray", [False, True])
def test_warp_within_one_grey_level(modules: Page, scale: float, gray: bool) -> None:
    a, b = scale * np.cos(0.2), scale * np.sin(0.2)
    for shift in ((3.3, -4.1), (-30.0, 12.5), (200.0, 200.0)):
        matrix = np.array([[a, -b, shift[0]], [b, a, shift[1]]])
        wanted = warp(NOISE, matrix, (24, 32), gray=gray)
        got = call(
            modules,
            "preprocess",
            "return packed(m.warp(x.image, x.matrix, [24, 32], x.gray).data)",
            {"image": pixels(NOISE), "matrix": matrix.ravel().tolist(), "gray": gray},
        )
        off = np.abs(array(got, np.uint8, wanted.shape) - wanted.astype(int))
        assert off.max() <= 1, (shift, off.max())


@pytest.mark.parametrize("size", [(90, 120), (400, 300), (193, 1000), (64, 64), (192, 192)])
@pytest.mark.parametrize("room", [1.0, 2.5])
def test_fit_within_one_grey_level(modules: Page, size: tuple[int, int], room: float) -> None:
    image = RNG.integers(0, 256, (*size, 3), np.uint8)
    canvas = fit(image, (192, 192), room=room)
    got = call(
        modules,
        "preprocess",
        "const c = m.fit(x.image, 192, x.room);"
        "return [packed(c.data), c.toFrame([0, 0]), c.toFrame([192, 192])]",
        {"image": pixels(image), "room": room},
    )
    off = np.abs(array(got[0], np.uint8, (192, 192, 3)) - canvas.pixels.astype(int))
    assert off.max() <= 1
    corners = canvas.to_frame(np.array([[0.0, 0.0], [192.0, 192.0]]))
    np.testing.assert_allclose(got[1:], corners, atol=1e-6)


FACES = [
    Face(Box(177, 58, 268, 174), 1.0),
    Face(
        Box(177, 58, 268, 174),
        1.0,
        Landmarks(
            np.array([[202, 101], [248, 98], [229, 124], [207, 145], [246, 142]], np.float32)
        ),
    ),
    Face(Box(5, 5, 25, 30), 1.0, Landmarks(np.full((5, 2), 9.0, np.float32))),  # no spread
    Face(  # a mirror image
        Box(10, 10, 60, 70),
        1.0,
        Landmarks(np.array([[50, 30], [20, 30], [35, 45], [45, 60], [25, 60]], np.float32)),
    ),
]  # fmt: skip


@pytest.mark.parametrize("face", FACES)
def test_the_card_drives_the_same_preprocessing(modules: Page, face: Face) -> None:
    pre = CARD.preprocess
    wanted = preprocess(pre, PHOTO, [matrix_for_face(pre, face)])
    got = call(
        modules,
        "preprocess",
        "return packed(m.preprocess(x.pre, x.image, x.face))",
        {
            "pre": page_settings(CARD)["preprocess"],
            "image": pixels(PHOTO),
            "face": {
                "box": face.box.xyxy,
                "landmarks": None if face.landmarks is None else face.landmarks.points.tolist(),
            },
        },
    )
    off = np.abs(array(got, np.float32, wanted.shape) - wanted)
    assert off.max() * 255 * pre.std[0] <= 1.01  # grey levels


def test_shares_are_those_of_every_prior(modules: Page) -> None:
    logits = RNG.normal(0, 2, (20, 8)).astype(np.float32)
    settings = page_settings(CARD)
    assert list(settings["heads"]) == list(PRIORS)
    for prior in PRIORS:
        head = OutputHead.of(CARD, prior=prior)
        wanted = head.probabilities([np.zeros((20, 7), np.float32), logits])
        got = call(
            modules,
            "answers",
            "return x.logits.map((row) => m.shares(row, x.head))",
            {"logits": logits.tolist(), "head": settings["heads"][prior]},
        )
        np.testing.assert_allclose(got, wanted, atol=1e-6)


IN_WORKER = (
    f"""async (x) => {{ {DECODE}"""
    """
  const image = await createImageBitmap(new ImageData(
    new Uint8ClampedArray(x.image.data), x.image.width, x.image.height));
  const worker = new Worker('/js/worker.js', { type: 'module' });
  const answer = (type) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.type === type) resolve(data);
      else if (data.type === 'failed') reject(new Error(data.message));
    };
  });
  worker.postMessage({ type: 'open', base: new URL('/', location).href });
  await answer('ready');
  worker.postMessage({ type: 'image', id: 1, bitmap: image, stream: false, time: 0,
                       prior: x.prior, eyes: x.eyes });
  const { result } = await answer('result');
  worker.terminate();
  return JSON.parse(JSON.stringify(result));
}"""
)


def test_a_photograph_in_the_worker_and_in_python(modules: Page, site: Any) -> None:
    found = modules.evaluate(IN_WORKER, {"image": pixels(PHOTO), "prior": "balanced", "eyes": True})
    (got,) = found["faces"]
    detector = BlazeFaceOnet(sessions=(Web(site, "blazeface"), Web(site, "onet")))
    (face,) = detector.detect(PHOTO)
    # A grey level of difference in what BlazeFace sees moves the square that O-net sees.
    room = 0.015 * face.box.width
    np.testing.assert_allclose(got["box"], face.box.xyxy, atol=room)
    np.testing.assert_allclose(got["landmarks"], face.landmarks.points, atol=room)
    assert abs(got["score"] - face.score) < 1e-3
    pre = CARD.preprocess
    face = replace(  # from here on where the page saw it
        face,
        box=Box(*got["box"]),
        landmarks=Landmarks(np.array(got["landmarks"], np.float32)),
    )
    outputs = Web(site, "classifier").run(preprocess(pre, PHOTO, [matrix_for_face(pre, face)]))
    wanted = OutputHead.of(CARD, prior="balanced").probabilities(outputs)
    np.testing.assert_allclose(got["scores"], wanted[0], atol=1e-2)
    pose, eyes = Eyes(mesh=FaceMesh(session=Web(site, "mesh")), iris=Web(site, "iris")).measure(
        PHOTO, face
    )
    assert got["pose"].keys() == pose.to_dict().keys()
    for name, value in pose.to_dict().items():
        assert abs(got["pose"][name] - value) < 0.02
    for name, value in eyes.to_dict().items():
        np.testing.assert_allclose(got["eyes"][name], value, atol=0.5 if "iris" in name else 0.03)


def test_logits_of_one_tensor(modules: Page, site: Any) -> None:
    tensor = preprocess(CARD.preprocess, PHOTO, [matrix_for_face(CARD.preprocess, FACES[1])])
    wanted = Web(site, "classifier").run(tensor)
    got = modules.evaluate(
        """async (x) => {
          const ort = await import('/ort/ort.wasm.min.mjs');
          ort.env.wasm.numThreads = 1;
          ort.env.wasm.wasmPaths = new URL('/ort/', location).href;
          const s = await ort.InferenceSession.create('/models/classifier.onnx');
          const input = new ort.Tensor('float32', Float32Array.from(x.data), x.shape);
          const out = await s.run({ [s.inputNames[0]]: input });
          return s.outputNames.map((name) => Array.from(out[name].data));
        }""",
        {"data": tensor.ravel().tolist(), "shape": list(tensor.shape)},
    )
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one, other[0], atol=1e-2)


def test_head_rotation(modules: Page) -> None:
    from pyojeong.core.eyes import HeadPose
    from pyojeong.runtime.head_pose import POINTS, head_shape

    for yaw, pitch, roll in ((0.3, -0.2, 0.1), (-0.8, 0.4, -0.6), (0.0, 0.0, 0.0)):
        rotation = rotation_from(HeadPose(yaw, pitch, roll))
        points = np.zeros((468, 3))
        points[list(POINTS)] = head_shape() @ rotation.T * 55 + [300, 200, 10]
        got = call(
            modules,
            "eyes",
            "return m.poseOf(m.rotationOf(x.points, x.head))",
            {"points": points.tolist(), "head": page_settings(CARD)["eyes"]["head"]},
        )
        wanted = pose_of(rotation).to_dict()
        assert all(abs(got[k] - wanted[k]) < 1e-5 for k in wanted), (got, wanted)


def test_page_json_holds_the_card(site: Any, tmp_path: Any) -> None:
    settings = json.loads((site / "page.json").read_text())
    assert settings == json.loads(json.dumps(page_settings(CARD)))
    assert (
        build_page(tmp_path / "again").joinpath("page.json").read_bytes()
        == (site / "page.json").read_bytes()
    )
