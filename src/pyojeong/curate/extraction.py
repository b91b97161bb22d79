"""Cuts faces out of images: a manifest of photographs becomes one of faces."""

import io
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PilImage

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import DataError
from pyojeong.core.face import Box, Face
from pyojeong.core.inputs import InputCounts
from pyojeong.core.protocols import Detector
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.datasets.label_map import images
from pyojeong.datasets.manifest_files import made_by
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_rows, write_manifest
from pyojeong.image.features import content_hash, perceptual_hash
from pyojeong.image.files import decode_image
from pyojeong.image.preprocess import Pixels, matrix_for_face, warp

_JPEG_FROM_PX = 64
"""Crops of this side and more are stored as JPEG where their photograph is one."""
_JPEG_QUALITY = 95
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class BoxCrop:
    """How the box of a face is cut out: a square, border pixels repeat where it leaves the image.

    Attributes:
        margin: Room on each side of the box, as a share of its longer side.
        most_px: Larger crops are shrunk (area average) to this side, in pixels; None = never.
    """

    margin: float = 0.15
    most_px: int | None = 224


BOX_CROP = BoxCrop()


@dataclass(frozen=True, slots=True)
class Extracted:
    """What came of cutting.

    Attributes:
        faces: Rows written.
        without: Sources of images in which no face was found.
        unreadable: Sources of images that could not be decoded.
        images: Number of images with a face.
        crowded: Sources of images whose further faces were not taken.
    """

    faces: int
    without: tuple[str, ...]
    unreadable: tuple[str, ...]
    images: int = 0
    crowded: tuple[str, ...] = ()

    @property
    def sums(self) -> InputCounts:
        """Images: given = read + failed + left out."""
        left_out = {"without a face": len(self.without)}
        return InputCounts(read=self.images, failed=len(self.unreadable), left_out=left_out)


def extract_faces(
    manifest: Path,
    out: Path,
    detector: Detector,
    *,
    framing: BoxCrop | Preprocess = BOX_CROP,
    every: bool = False,
    jobs: int = 2,
    tick: Callable[[int], None] | None = None,
) -> Extracted:
    """Write a manifest of cut-out faces.

    They are stored as PNG, without loss; crops of a box from 64 pixels on as JPEG (quality 95, full
    colour resolution) when the photograph is a JPEG itself. Label, split, votes and group go along;
    faces of one image share a group, so that they can never be divided by a split.

    Args:
        manifest: Photographs.
        out: The new manifest.
        detector: Finds the faces.
        framing: How boxes are cut out. Or a preprocessing (``whole_frame``) whose template faces
            are aligned to: upright, eyes and mouth at their places.
        every: All faces of an image instead of the largest alone.
        jobs: Images at once.
        tick: Called with the number of images just finished.

    Raises:
        DataError: When ``out`` is the manifest itself or no face was found at all.
    """
    if out.resolve() == manifest.resolve():
        raise DataError(f"{out}: the original is never overwritten; name another file")
    without: list[str] = []
    unreadable: list[str] = []
    with_face = 0
    crowded: set[str] = set()
    work = _cutter(detector, framing, every=every, crowded=crowded)

    def rows() -> Iterator[Sample]:
        nonlocal with_face
        for sample, faces in _in_order(manifest, work, jobs):
            if faces is None:
                unreadable.append(sample.source)
            elif not faces:
                without.append(sample.source)
            with_face += bool(faces)
            yield from faces or ()
            if tick is not None:
                tick(1)
        if not with_face:
            raise DataError(_nothing_found(manifest, len(without), unreadable))

    count = write_manifest(
        out, rows(), manifest_labels(manifest), made=made_by("faces", [manifest])
    )
    return Extracted(count, tuple(without), tuple(unreadable), with_face, tuple(sorted(crowded)))


def _nothing_found(manifest: Path, without: int, unreadable: list[str]) -> str:
    """Return why no face could be cut out, and what to do."""
    if not without:
        return f"{manifest}: none of {images(len(unreadable))} could be decoded"
    also = f" ({len(unreadable):,} more could not be decoded)" if unreadable else ""
    return (
        f"{manifest}: no face that is large enough in {images(without)}{also}: choose a smaller "
        "--min-face, another --detector, or photographs with faces"
    )


def whole_frame(pre: Preprocess, side_px: int) -> Preprocess:
    """Return how faces are aligned so that a net with ``pre`` sees them as in its training set.

    A net with a ``center_fraction`` sees the middle of a crop; what is returned gives the whole
    crop, a square of ``side_px``, so that training can move and turn it.
    """
    part = pre.center_fraction
    template = pre.template and tuple(
        ((x - 0.5) / (1 + pre.margin) * part + 0.5, (y - 0.5) / (1 + pre.margin) * part + 0.5)
        for x, y in pre.template
    )
    return replace(
        pre,
        size_hw=(side_px, side_px),
        template=template,
        margin=0.0,
        box_scale=pre.box_scale / part,
        center_fraction=1.0,
        feature=None,
    )


def _cutter(
    detector: Detector, framing: BoxCrop | Preprocess, *, every: bool, crowded: set[str]
) -> Callable[[Sample], list[Sample] | None]:
    """Return what turns an image into samples of its faces; None = it could not be decoded.

    ``crowded`` gets the sources of images whose further faces are not taken.
    """

    def work(sample: Sample) -> list[Sample] | None:
        image = DecodedImage(0, sample).image
        if image is None:
            return None
        found: list[Face] = sorted(detector.detect(image), key=_size, reverse=True)
        faces = found if every else found[:1]
        if len(found) > len(faces):
            crowded.add(sample.source)
        if isinstance(framing, Preprocess):
            return [
                _sample(sample, warp(image, matrix_for_face(framing, f), framing.size_hw), k)
                for k, f in enumerate(faces)
            ]
        jpeg = _is_jpeg(sample)
        crops = [_cut(image, f.box, framing) for f in faces]
        return [_sample(sample, crop, k, jpeg=jpeg) for k, crop in enumerate(crops)]

    return work


def _in_order(
    manifest: Path, work: Callable[[Sample], list[Sample] | None], jobs: int
) -> Iterator[tuple[Sample, list[Sample] | None]]:
    waiting: deque[tuple[Sample, Future[list[Sample] | None]]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        for _, sample in read_rows(manifest, splits=list(Split)):
            waiting.append((sample, pool.submit(work, sample)))
            if len(waiting) >= 4 * jobs:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def _size(face: Face) -> float:
    box = face.box
    return (box.x2 - box.x1) * (box.y2 - box.y1)


def _cut(image: Pixels, box: Box, crop: BoxCrop) -> Pixels:
    side = max(box.x2 - box.x1, box.y2 - box.y1) * (1 + 2 * crop.margin)
    left = round((box.x1 + box.x2 - side) / 2)
    top = round((box.y1 + box.y2 - side) / 2)
    size = max(round(side), 1)
    height, width = image.shape[:2]
    rows = np.clip(np.arange(top, top + size), 0, height - 1)
    columns = np.clip(np.arange(left, left + size), 0, width - 1)
    face = np.ascontiguousarray(image[rows][:, columns])
    if crop.most_px is None or size <= crop.most_px:
        return face
    size_wh = (crop.most_px, crop.most_px)
    return np.asarray(cv2.resize(face, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def _is_jpeg(sample: Sample) -> bool:
    if sample.image is not None:
        return sample.image.startswith(_JPEG)
    with Path(sample.path or "").open("rb") as file:
        return file.read(len(_JPEG)) == _JPEG


def _sample(sample: Sample, face: Pixels, number: int, *, jpeg: bool = False) -> Sample:
    """Return the sample of a face of its image."""
    if jpeg and len(face) >= _JPEG_FROM_PX:
        data = _as_jpeg(face)
        face = decode_image(data)  # hashes are those of the pixels that are stored
    else:
        data = cv2.imencode(".png", cv2.cvtColor(face, cv2.COLOR_RGB2BGR))[1].tobytes()
    return replace(
        sample,
        image=data,
        path=None,
        group=sample.group or sample.source,
        source=f"{sample.source}#{number}",
        content_hash=content_hash(face),
        phash=perceptual_hash(face),
    )


def _as_jpeg(face: Pixels) -> bytes:
    buffer = io.BytesIO()
    PilImage.fromarray(face).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()
