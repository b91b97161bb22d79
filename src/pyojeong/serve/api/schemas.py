"""The JSON of the HTTP interface, for OpenAPI: the same fields as ``FrameResult.to_dict``.

These classes describe responses; nothing is converted through them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pyojeong.core.face import SCHEMA_VERSION
from pyojeong.serve.api.uploads import FIELD

Share = Annotated[float, Field(ge=0, le=1.000001)]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class Described(BaseModel):
    """A JSON object with these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class ErrorBody(BaseModel):
    """Why a request was refused, in one line; of images that failed also their results."""

    error: str = Field(examples=["photo.jpg: is no image"])
    results: list["ResultBody"] | None = None


class ExpressionBody(Described):
    """The calibrated share of people who would give each label."""

    label: str = Field(description="The best label, or unclear.")
    top: str = Field(description="The best label.")
    unclear: bool
    scores: dict[str, Share] = Field(description="Label -> share; they sum to 1.")
    valence: float = Field(ge=-1.000001, le=1.000001)
    label_set: str
    threshold: Share
    prior: str = Field(description="Base rates that the shares assume.")


class FaceBody(Described):
    """One face; what was not measured is left out."""

    box: list[float] = Field(min_length=4, max_length=4, description="x1, y1, x2, y2 in pixels.")
    score: Share = Field(description="The detector's own confidence.")
    landmarks: list[Pair] | None = Field(None, min_length=5, max_length=5)
    expression: ExpressionBody | None = None
    track_id: int | None = None
    pose: dict[str, float] | None = None
    eyes: dict[str, Any] | None = None
    smoothed: ExpressionBody | None = None
    luma: Share | None = None
    blendshapes: dict[str, Any] | None = None
    action_units: dict[str, Any] | None = None


class ResultBody(Described):
    """One image: a line of `results.jsonl`, as `pyojeong analyze` writes it."""

    schema_: Literal[SCHEMA_VERSION] = Field(alias="schema")  # type: ignore[valid-type]
    source: str = Field(description="The name that the client gave to the file.")
    index: int = Field(ge=0)
    time_s: float = Field(ge=0)
    size_wh: Annotated[list[int], Field(min_length=2, max_length=2)] | None
    model_ids: list[str]
    faces: list[FaceBody] = Field(description="Largest first; none is a normal answer.")
    error: str | None = Field(None, description="Why the image could not be read.")


class AnalyzeBody(Described):
    """What was read from the images, in order."""

    results: list[ResultBody] = Field(min_length=1)


class ModelBody(Described):
    """A model that requests may name."""

    id: str
    default: bool = Field(description="It answers requests that name no model.")
    names: list[str] = Field(description="Short names of it.")
    labels: list[str]
    label_set: str
    prior: str = Field(description="Base rates that its answers assume.")
    threshold: float = Field(description="Best scores below it are unclear.")
    measures: list[str] = Field(description="What is measured besides expressions.")
    detector: str
    model_ids: list[str]
    license: str
    license_flags: list[str]
    sha256: str
    description: str


class ModelsBody(Described):
    """The models of this server, the default first."""

    models: list[ModelBody] = Field(min_length=1)


class ProgressBody(Described):
    """How far a clip has been read."""

    frames: int = Field(ge=0)
    time_s: float = Field(ge=0)
    share: Share | None = Field(description="null: the clip does not say how long it is.")


class VideoBody(Described):
    """The state of a clip."""

    id: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    progress: ProgressBody
    created: str = Field(description="UTC.")
    expires: str | None = Field(description="UTC; clip and results are deleted then.")
    error: str = Field(description='Why it failed, or where the clip breaks off; "" = all is well.')
    notes: list[str]
    people: int | None = None
    results: dict[str, str] = Field(description="Name of a file -> its address.")


class HealthBody(Described):
    """The server runs."""

    status: Literal["ok"]


class ReadyBody(Described):
    """The models are loaded."""

    status: Literal["ready"]
    models: list[str]


EXAMPLE_RESULT = {
    "schema": SCHEMA_VERSION,
    "source": "photo.jpg",
    "index": 0,
    "time_s": 0.0,
    "size_wh": [512, 512],
    "model_ids": ["centerface-onet", "columns-s-fer2013photos-fer7.v5"],
    "faces": [
        {
            "box": [181.5, 69.2, 287.9, 205.1],
            "score": 0.998,
            "landmarks": [[204, 120], [253, 116], [228, 149], [211, 170], [255, 166]],
            "expression": {
                "label": "happy",
                "top": "happy",
                "unclear": False,
                "scores": {
                    "angry": 0.01,
                    "disgust": 0.0,
                    "fear": 0.0,
                    "happy": 0.95,
                    "neutral": 0.03,
                    "sad": 0.0,
                    "surprise": 0.01,
                },
                "valence": 0.94,
                "label_set": "fer7",
                "threshold": 0.4,
                "prior": "between",
            },
        }
    ],
}

_IMAGE = {"type": "string", "format": "image", "contentMediaType": "image/*"}
MULTIPART_FILES: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {
                    FIELD: {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "string",
                            "format": "image",
                            "contentMediaType": "image/*",
                        },
                        "description": "Encoded images: JPEG, PNG, WebP, GIF, BMP, TIFF ...",
                    }
                },
                "additionalProperties": False,
            }
        }
    },
}
MULTIPART_CLIP: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {
                    FIELD: {"type": "string", "format": "clip", "contentMediaType": "video/*"}
                },
                "additionalProperties": False,
            }
        }
    },
}

_WHY = {
    400: "The form is damaged, or the host is not a name of this server.",
    401: "The token is missing or wrong.",
    403: "A page of another origin sent the request.",
    404: "There is no such model, clip or file.",
    408: "The body came too slowly.",
    409: "The clip is in another state.",
    413: "Too many bytes, pixels, files, frames or seconds.",
    415: "The body is of another content type.",
    422: "No image, or no clip; or a parameter is out of range.",
    429: "The server is busy; try again after the seconds of Retry-After.",
    501: "What this needs is not installed on the server.",
    507: "There is no room on the disk.",
}


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the descriptions of the error responses of a route."""
    out: dict[int | str, dict[str, Any]] = {
        s: {"model": ErrorBody, "description": _WHY[s]} for s in (400, 401, 403, *statuses)
    }
    if 429 in out:
        out[429]["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    return out
