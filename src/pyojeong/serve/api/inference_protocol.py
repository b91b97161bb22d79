"""A thin second surface: the Open Inference Protocol, version 2, over HTTP.

One input, ``image``: ``BYTES`` [N], base64 text of encoded images, or ``UINT8`` [H, W, 3] or
[N, H, W, 3], RGB. One row of each output for each face, of all images together: ``image_index``
says whose it is.
"""

import base64
import binascii
import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from fastapi import FastAPI, Request
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse, Response
from numpy.typing import NDArray

from pyojeong._version import __version__
from pyojeong.core.face import Face, Image
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.api.batching import Answer
from pyojeong.serve.api.errors import ApiError
from pyojeong.serve.api.images import in_work, require_room, unless_gone
from pyojeong.serve.api.schemas import failures
from pyojeong.serve.api.state import ServerState
from pyojeong.serve.api.uploads import read_whole

INPUT = "image"
_MOST_AXES = 4
_SLICE = 1 << 18

Row = Callable[[Face], Any]


class InferInput(msgspec.Struct):
    """A tensor of a request."""

    name: str
    shape: list[int]
    datatype: Literal["BYTES", "UINT8"]
    data: msgspec.Raw
    parameters: dict[str, Any] = {}


class InferOutput(msgspec.Struct):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct):
    """The body of a request."""

    inputs: list[InferInput]
    id: str = ""
    outputs: list[InferOutput] = []
    parameters: dict[str, Any] = {}


def outputs_of(analyzer: Analyzer) -> dict[str, tuple[str, list[int], Row]]:
    """Return the outputs of a model: name -> (type, shape of a row, value of a face)."""
    labels = analyzer.classifier.label_set
    return {
        "box": ("FP32", [4], lambda face: face.box.xyxy),
        "score": ("FP32", [], lambda face: face.score),
        "scores": ("FP32", [len(labels)], lambda face: face.expression.scores.tolist()),
        "label": ("BYTES", [], lambda face: face.expression.label),
    }


def metadata(model_id: str, analyzer: Analyzer) -> dict[str, Any]:
    """Return what the protocol says of a model."""
    tensors = [{"name": "image_index", "datatype": "INT64", "shape": [-1]}]
    for name, (kind, shape, _) in outputs_of(analyzer).items():
        tensors.append({"name": name, "datatype": kind, "shape": [-1, *shape]})
    return {
        "name": model_id,
        "versions": ["1"],
        "platform": "onnxruntime",
        "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
        "outputs": tensors,
        "parameters": {"labels": list(analyzer.classifier.label_set.names)},
    }


def parse_request(body: bytes, settings: Any) -> tuple[InferRequest, list[bytes | Image]]:
    """Return a request and its images.

    Raises:
        ApiError: When it is damaged, or holds something else than images.
    """
    try:
        request = msgspec.json.decode(body, type=InferRequest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ApiError(422, f"the request is no inference request: {error}") from None
    named = [tensor.name for tensor in request.inputs]
    if named != [INPUT]:
        raise ApiError(422, f"expected one input called {INPUT!r}, got {len(named)}")
    tensor = request.inputs[0]
    images = _texts(tensor) if tensor.datatype == "BYTES" else _pixels(tensor, settings.max_pixels)
    if not 0 < len(images) <= settings.max_files:
        words = f"expected 1 to {settings.max_files} images, got {len(images)}"
        raise ApiError(413 if images else 422, words, reason="files")
    return request, images


def _texts(tensor: InferInput) -> list[bytes | Image]:
    try:
        texts = msgspec.json.decode(tensor.data, type=list[str])
        images: list[bytes | Image] = [base64.b64decode(text, validate=True) for text in texts]
    except (msgspec.DecodeError, binascii.Error, ValueError, RecursionError):
        raise ApiError(422, f"{INPUT}: expected a list of base64 texts") from None
    if tensor.shape not in ([len(images)], [len(images), 1]):
        raise ApiError(422, f"{INPUT}: its shape is {tensor.shape}, its data has {len(images)}")
    return images


def _pixels(tensor: InferInput, max_pixels: int) -> list[bytes | Image]:
    shape = tensor.shape
    right = len(shape) in {3, _MOST_AXES} and shape[-1] == 3 and min(shape) > 0
    if not right:
        raise ApiError(422, f"{INPUT}: expected shape [H, W, 3] or [N, H, W, 3], got {shape}")
    if shape[-3] * shape[-2] > max_pixels:
        raise ApiError(413, f"{INPUT}: more than the limit of {max_pixels:,} pixels")
    try:
        values = _numbers(bytes(tensor.data), shape)
    except ValueError:
        raise ApiError(
            422, f"{INPUT}: expected whole numbers, flat or nested as its shape"
        ) from None
    if values.size != math.prod(shape):
        raise ApiError(422, f"{INPUT}: its shape is {shape}, its data has {values.size:,} numbers")
    pixels = values.reshape(-1, *shape[-3:])
    return [np.ascontiguousarray(image) for image in pixels]


def _numbers(text: bytes, shape: list[int]) -> NDArray[np.uint8]:
    """Return the numbers of JSON text, flat or nested as the shape is; no list is made of them.

    Python's lists would take up to thirty times the memory of the text. It is read in slices:
    NumPy lets no other thread run meanwhile.

    Raises:
        ValueError: When it holds something else, or another number of lists.
        ApiError: When a number is larger than 255.
    """
    lists, nested = 1, 1
    for length in shape[:-1]:
        nested *= length
        lists += nested
    if text.count(b"[") not in {1, lists} or text.count(b"[") != text.count(b"]"):
        raise ValueError("other lists")
    flat = text.translate(None, b"[] \t\r\n")
    if not flat or flat.translate(None, b"0123456789,"):
        raise ValueError("other characters")
    parts, at = [], 0
    while at < len(flat):
        end = flat.find(b",", at + _SLICE)
        piece = flat[at : end if end >= 0 else len(flat)]
        values = np.fromstring(piece.decode("ascii"), np.float64, sep=",")
        if values.size != piece.count(b",") + 1:
            raise ValueError("other numbers")
        if values.max() > 255:
            raise ApiError(422, f"{INPUT}: expected numbers from 0 to 255")
        parts.append(values.astype(np.uint8))
        at += len(piece) + 1
    return np.concatenate(parts)


def answer_of(
    request: InferRequest, model_id: str, analyzer: Analyzer, answers: list[Answer]
) -> dict[str, Any]:
    """Return the response of the protocol.

    Raises:
        ApiError: When an image could not be read, or an unknown output is asked for.
    """
    for answer in answers:
        if answer.result.error:
            raise ApiError(413 if answer.too_large else 422, answer.result.error)
    pairs = [(i, face) for i, answer in enumerate(answers) for face in answer.result.faces]
    tensors = {
        "image_index": ("INT64", [len(pairs)], [i for i, _ in pairs]),
    }
    for name, (kind, shape, value) in outputs_of(analyzer).items():
        data = [value(face) for _, face in pairs]
        flat = [number for row in data for number in row] if shape else data
        tensors[name] = (kind, [len(pairs), *shape], flat)
    wanted = [output.name for output in request.outputs] or list(tensors)
    unknown = [name for name in wanted if name not in tensors]
    if unknown:
        raise ApiError(422, f"unknown output {unknown[0][:40]!r}; expected {', '.join(tensors)}")
    outputs = [
        {"name": name, "datatype": tensors[name][0], "shape": tensors[name][1],
         "data": tensors[name][2]}
        for name in wanted
    ]  # fmt: skip
    more = {"id": request.id} if request.id else {}
    return {"model_name": model_id, "model_version": "1", **more, "outputs": outputs}


_OBJECT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}}
}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["inputs"],
                "properties": {
                    "id": {"type": "string"},
                    "inputs": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["name", "shape", "datatype", "data"],
                            "properties": {
                                "name": {"const": INPUT},
                                "shape": {"const": [1]},
                                "datatype": {"const": "BYTES"},
                                "data": {
                                    "type": "array",
                                    "minItems": 1,
                                    "maxItems": 1,
                                    "items": {"type": "string", "format": "image-base64"},
                                },
                            },
                        },
                    },
                },
            },
            "example": {
                "inputs": [{"name": INPUT, "shape": [1], "datatype": "BYTES", "data": ["<base64>"]}]
            },
        }
    },
}

ModelName = Annotated[str, PathParameter(max_length=200)]


def add_inference_protocol(app: FastAPI, state: ServerState) -> None:
    """Add the routes of the protocol to an application."""
    tags: list[Any] = ["inference protocol"]

    @app.get("/v2", tags=tags, summary="Describe the server", responses={**_OBJECT, **failures()})
    async def describe_server() -> Response:
        """Return name and version of the server."""
        return JSONResponse({"name": "pyojeong", "version": __version__, "extensions": []})

    @app.get("/v2/health/live", tags=tags, summary="Say that the server runs", responses=_OBJECT)
    async def server_live() -> Response:
        """Return `{"live": true}`."""
        return JSONResponse({"live": True})

    @app.get("/v2/health/ready", tags=tags, summary="Say that models are loaded", responses=_OBJECT)
    async def server_ready() -> Response:
        """Return `{"ready": true}`."""
        return JSONResponse({"ready": True})

    known = {**_OBJECT, **failures(404, 422)}

    @app.get("/v2/models/{model}", tags=tags, summary="Describe a model", responses=known)
    async def model_metadata(model: ModelName) -> Response:
        """Return inputs and outputs of a model."""
        return JSONResponse(metadata(model, state.models.find(model)))

    @app.get(
        "/v2/models/{model}/ready", tags=tags, summary="Say that it is loaded", responses=known
    )
    async def model_ready(model: ModelName) -> Response:
        """Return `{"name", "ready": true}`."""
        state.models.find(model)
        return JSONResponse({"name": model, "ready": True})

    @app.post(
        "/v2/models/{model}/infer",
        tags=tags,
        summary="Read images",
        openapi_extra={"requestBody": _BODY},
        responses={**_OBJECT, **failures(404, 408, 413, 415, 422, 429)},
    )
    async def infer(request: Request, model: ModelName) -> Response:
        """Read images: one row of each output for each face."""
        analyzer = state.models.find(model)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiError(415, f"the content type is {kind[:60] or 'none'}: send application/json")
        require_room(state)
        body = await read_whole(request, state.settings, state.budget)
        with in_work(state):
            order, images = await state.queue.run(parse_request, body, state.settings)
            named = [(image, f"{INPUT} {i}") for i, image in enumerate(images)]
            answers = await unless_gone(request, state.queue.analyze(analyzer, named))
        return JSONResponse(answer_of(order, model, analyzer, answers))
