"""Which models there are: finds cards, checks weight files against them, knows their licences.

A model is a card (``*.card.json``) with its ONNX file beside it. Bundled models lie in the folder
``models`` of this package; further folders come from the caller and from the environment variable
``PYOJEONG_MODELS`` (several are separated like those of ``PATH``).
"""

import hashlib
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path

from pyojeong.core.card import Kind, ModelCard
from pyojeong.core.errors import ModelCorrupt, ModelError, ModelMismatch, ModelUnknown

BUNDLED = Path(__file__).parent / "models"
ENVIRONMENT = "PYOJEONG_MODELS"
CARD_SUFFIX = ".card.json"

DEFAULT_MODEL = "columns-s-fer2013photos-fer7.v5"
"""What ``model="default"`` stands for. One of its two nets began with weights from images of
VGGFace2, as its card says."""

FER2013_MODEL = "seresnet-s-fer2013-fer7.v4"
"""What ``model="default-fer2013"`` stands for: it learned from FER2013 alone, is smaller and
faster, and less often right on photographs."""

SHORT_NAMES = {"default": DEFAULT_MODEL, "default-fer2013": FER2013_MODEL}
"""Names under which bundled classifiers stay found when better ones take their place."""

Folder = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A card and the folder it lies in.

    Attributes:
        card: What the model is.
        folder: Where its weight file lies.
    """

    card: ModelCard
    folder: Path

    def __post_init__(self) -> None:
        name = self.card.file
        if not name.isprintable() or name in {"", ".."} or Path(name).name != name:
            raise ModelMismatch(
                f"card {self.card.id!r}: file must be a plain file name beside the card, "
                f"got {self.card.file!r}"
            )

    @property
    def bundled(self) -> bool:
        """Whether the model came with this package."""
        return self.folder.resolve() == BUNDLED.resolve()

    @property
    def weights(self) -> Path:
        """Path of the ONNX file."""
        return self.folder / self.card.file


def cards(extra_folders: Iterable[Folder] = ()) -> dict[str, Entry]:
    """Return all models by id: bundled ones, then ``extra_folders``, then ``PYOJEONG_MODELS``.

    The same model may lie in several folders; the first one found is taken.

    Args:
        extra_folders: Further folders with cards; subfolders are not searched.

    Raises:
        ModelError: When a folder does not exist.
        ModelMismatch: When a card could not be read, or one id names two different models.
    """
    found: dict[str, Entry] = {}
    for folder in _folders(extra_folders):
        for path in sorted(folder.glob(f"*{CARD_SUFFIX}")):
            entry = Entry(ModelCard.read(path), folder)
            _check_id(entry, found)
            found.setdefault(entry.card.id, entry)
    return found


def list_models(kind: Kind | None = "classifier") -> list[ModelCard]:
    """Return the cards of the available models, bundled models first.

    Args:
        kind: Kind of the models, for example ``"classifier"`` (facial expressions); None = all.

    Raises:
        ModelError: When a folder in ``PYOJEONG_MODELS`` does not exist.
        ModelMismatch: When a card could not be read.

    Example:
        >>> from pyojeong import list_models
        >>> list_models()[0].kind
        'classifier'
    """
    return [entry.card for entry in cards().values() if kind in {None, entry.card.kind}]


def _check_id(entry: Entry, known: Mapping[str, Entry]) -> None:
    """Refuse an id that names other weights, or that stands for a bundled model."""
    name, other = entry.card.id, known.get(entry.card.id)
    if name in SHORT_NAMES:
        raise ModelMismatch(
            f"the model in {entry.folder} is called {name!r}, which stands for the bundled model "
            f"{SHORT_NAMES[name]!r} in {BUNDLED}: give it another id in its card."
        )
    if other is not None and other.card.sha256.lower() != entry.card.sha256.lower():
        raise ModelMismatch(
            f"two different models are called {name!r}: in {other.folder} and in "
            f"{entry.folder}. An id is never reused: rename one of them in its card."
        )
    if other is not None and other.bundled:
        names = [f.name for f in fields(entry.card) if f.name != "file"]
        differ = [n for n in names if getattr(entry.card, n) != getattr(other.card, n)]
        if not differ:
            return
        raise ModelMismatch(
            f"the model in {entry.folder} has the id and the weights of the bundled model "
            f"{name!r}, and another card ({', '.join(differ)}): "
            "give it another id in its card."
        )


def _folders(extra_folders: Iterable[Folder]) -> Iterator[Path]:
    yield BUNDLED
    wanted = [(Path(f), "given") for f in extra_folders]
    named = os.environ.get(ENVIRONMENT, "").split(os.pathsep)
    wanted += [(Path(n), f"from the environment variable {ENVIRONMENT}") for n in named if n]
    for folder, origin in wanted:
        if not folder.is_dir():
            raise ModelError(f"model folder {folder} ({origin}) does not exist")
        yield folder


def find(name: Folder, *, kind: Kind | None = None, extra_folders: Iterable[Folder] = ()) -> Entry:
    """Return the model called ``name``.

    Args:
        name: An id; or the path of a card, or of an ONNX file with a card beside it.
        kind: What the model must be; None = anything.
        extra_folders: As for ``cards``.

    Raises:
        ModelUnknown: When there is no such model; the message suggests similar ids.
        ModelMismatch: When the model is of another kind, or a card could not be read.
        ModelError: When a folder does not exist.
    """
    known = cards(extra_folders)
    entry = known.get(os.fspath(name))
    if entry is None:
        entry = _at_path(Path(name))
        if entry is not None:
            _check_id(entry, known)
    if entry is None:
        fitting = [i for i, e in known.items() if kind is None or e.card.kind == kind]
        fitting += list(SHORT_NAMES) if kind == "classifier" else []
        cure = _wrong_path(Path(name))
        if cure:
            raise ModelUnknown(os.fspath(name), (), kind=kind or "model", cure=cure)
        cure = _places(os.fspath(name))
        raise ModelUnknown(os.fspath(name), fitting, kind=kind or "model", cure=cure)
    if kind is not None and entry.card.kind != kind:
        raise ModelMismatch(f"model {entry.card.id!r}: expected a {kind}, got a {entry.card.kind}")
    return entry


def _wrong_path(path: Path) -> str:
    """Return why a path is no model, and what to do; "" for what may be an id."""
    if path.is_dir():
        if (path / "experiment.toml").is_file():
            command = f"pyojeong export {shlex.quote(str(path))} --data DATA --id ID --out models"
            return (
                f"is the folder of a training run; make a model of it with `{command}`, then name "
                "models/ID.onnx"
            )
        inside = sorted(path.glob("*.onnx"))[:3]
        there = f"there: {', '.join(map(str, inside))}" if inside else "there is none in it"
        return f"is a folder; name an ONNX file ({there})"
    if path.exists():
        return f"is a file, but no model; expected one that ends in .onnx or {CARD_SUFFIX}"
    if path.suffix in {".onnx", ".json"} or len(path.parts) > 1:
        return f"no such file: {path.absolute()}; name the path of an ONNX file or of its card"
    return ""


def _places(name: str) -> str:
    """Return where an id was looked for, and how exported models are named."""
    file = f"{name}.onnx"
    near = [folder / file for folder in _subfolders() if (folder / file).is_file()]
    example = near[0] if near else Path("models") / file
    return (
        f"Looked among the bundled models and in the folders of {ENVIRONMENT} "
        f"({os.environ.get(ENVIRONMENT) or 'not set'}). A model that `pyojeong export` wrote is "
        f"named by its path ({example}{' is there' if near else ''}), or by its id when "
        f"{ENVIRONMENT} names its folder"
    )


def _subfolders() -> list[Path]:
    """Return the working folder and those in it."""
    try:
        return [Path(), *sorted(p for p in Path().iterdir() if p.is_dir())]
    except OSError:
        return []


def _at_path(path: Path) -> Entry | None:
    if not path.is_file():
        return None
    if path.suffix == ".json":
        return Entry(ModelCard.read(path), path.parent)
    if path.suffix != ".onnx":
        return None
    own = path.with_suffix(CARD_SUFFIX)
    for candidate in [own] if own.is_file() else sorted(path.parent.glob(f"*{CARD_SUFFIX}")):
        entry = Entry(ModelCard.read(candidate), path.parent)
        if entry.card.file == path.name:
            return entry
    raise ModelUnknown(str(path), (), kind=f"model file (no card {own.name} beside it)")


def variant_of(entry: Entry) -> Entry | None:
    """Return the model with the same weights in another storage; None when there is none.

    Both cards name each other: one that was left by an earlier export is another model.
    """
    other = cards().get(entry.card.variant)
    return other if other is not None and other.card.variant == entry.card.id else None


def digest(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits.

    Raises:
        ModelCorrupt: When the file is missing or could not be read.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ModelCorrupt(f"weight file {path} could not be read: no ordinary file. {_CURE}")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ModelCorrupt(f"weight file {path} is missing. {_CURE}") from None
    except OSError as error:
        reason = error.strerror or error
        raise ModelCorrupt(f"weight file {path} could not be read: {reason}. {_CURE}") from error


_CURE = "Copy the model's files again, or reinstall pyojeong if the model came with it."


def verify(entry: Entry) -> None:
    """Check that the weight file is the one its card describes.

    Raises:
        ModelCorrupt: When it is missing, damaged or another file.
    """
    got = digest(entry.weights)
    if got != entry.card.sha256.lower():
        size = entry.weights.stat().st_size
        raise ModelCorrupt(
            f"weight file {entry.weights} ({size} bytes) is damaged or is not the file of model "
            f"{entry.card.id!r}: expected sha256 {entry.card.sha256 or '(none)'}, got {got}. "
            f"{_CURE}"
        )


def flags_outside(card: ModelCard, allow: Iterable[str]) -> tuple[str, ...]:
    """Return the card's licence flags that are not among the allowed ones.

    Args:
        card: The model's card.
        allow: Flags, or patterns such as ``"data:*"``.
    """
    patterns = list(allow)
    return tuple(f for f in card.license_flags if not any(fnmatchcase(f, p) for p in patterns))
