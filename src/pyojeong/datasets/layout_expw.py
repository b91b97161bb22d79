"""ExpW: images from the web with one line per face."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.errors import DataError, ImageUnreadable, ManifestInvalid
from pyojeong.core.labels import EXPW_TO_FER7, FER7, LabelSet
from pyojeong.datasets.layout import (
    Labeller,
    coded,
    cut_box,
    find_root,
    finite,
    held_out,
    no_votes,
    open_text,
    png,
)
from pyojeong.datasets.named_files import Outside
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.roots import need_root
from pyojeong.datasets.samples import Sample, Split
from pyojeong.image.files import decode_image
from pyojeong.image.preprocess import Pixels

_LABELS = coded(EXPW_TO_FER7)
_LIST = Path("label") / "label.lst"
_IMAGES = (Path("image") / "origin", Path("image"), Path("origin"))
MARKER = "label/label.lst beside image/origin (ExpW)"


def _fits(path: Path) -> bool:
    return (path / _LIST).is_file()


def is_expw(path: Path) -> bool:
    """Return whether ExpW's list is there."""
    return find_root(path, _fits) is not None


def read_expw(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """ExpW: ``label/label.lst`` and ``image/origin/*.jpg``; every sample is one cut face (PNG).

    Lines read ``name face_id top left right bottom confidence label``, in this order of the box,
    which is clipped at the image's edges; 0 angry 1 disgust 2 fear 3 happy 4 sad 5 surprise
    6 neutral. There are no official splits: all faces are for training, less a tenth of the
    images, held out by a digest of the file. Faces of one image are a group. An image that
    could not be read stays in, by its path.

    Raises:
        DataError: When list or images are not there.
        LabelUnknown: When labels are not 0 to 6; all of them are listed.
        ManifestInvalid: When a line is wrong.
    """
    no_votes(votes, "ExpW")
    notes = Notes() if notes is None else notes
    root = need_root(path, _fits, MARKER)
    folder = next((root / f for f in _IMAGES if (root / f).is_dir()), None)
    if folder is None:
        raise DataError(f"{root}: expected images in image/origin, found no such folder")
    name = Labeller(root, _LABELS, labels, skipped)
    outside = Outside(folder, skipped)
    last, pixels, split = "", None, Split.TRAIN
    with open_text(root / _LIST) as file:
        for i, line in enumerate(file):
            if not line.strip():
                continue
            picture, face_id, box, raw = _parsed(root / _LIST, i, line)
            label = name(raw)
            if label is not None and picture in outside:
                continue
            notes.know(folder / picture)
            if label is None:
                continue
            if picture != last:
                pixels, split = _opened(folder / picture)
                last = picture
            known = {"label": label, "split": split, "group": picture}
            source = f"{picture}:{face_id}"
            if pixels is None:
                yield Sample(**known, path=str(folder / picture), source=source)  # type: ignore[arg-type]
                continue
            face = cut_box(pixels, box)
            if face is None:
                name.skip("face box outside the image")
                continue
            yield Sample(**known, image=png(face), source=source)  # type: ignore[arg-type]
    name.finish()
    outside.note()


def _parsed(
    table: Path, i: int, line: str
) -> tuple[str, str, tuple[float, float, float, float], str]:
    words = line.split()
    try:
        *name, face_id, top, left, right, bottom, _, label = words
        box = (finite(left), finite(top), finite(right), finite(bottom))
    except ValueError:
        name, box, face_id, label = [], (0, 0, 0, 0), "", ""
    if not name:
        raise ManifestInvalid(
            f"{table}: expected 'name face_id top left right bottom confidence label', "
            f"got {line.strip()[:60]!r}",
            row=i,
        )
    return " ".join(name), face_id, box, label


def _opened(file: Path) -> tuple[Pixels | None, Split]:
    try:
        data = file.read_bytes()
        split = Split.VALID if held_out(data) else Split.TRAIN
        return decode_image(data, name=str(file)), split
    except (OSError, ImageUnreadable):
        return None, Split.TRAIN
