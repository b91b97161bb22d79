"""A manifest becomes files that other tools read: class folders, fer2013.csv, imagefolder."""

import csv
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyojeong.core.atomic_write import atomic_write, work_folder
from pyojeong.core.card import Preprocess
from pyojeong.core.errors import DataError, ImageUnreadable, OutputError
from pyojeong.core.labels import FER7, FER2013_TO_FER7
from pyojeong.core.one_writer import one_writer
from pyojeong.core.output_names import as_unicode
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.importing import Ticker
from pyojeong.datasets.layout import png
from pyojeong.datasets.layout_fer2013 import SIDE, USAGES
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_rows
from pyojeong.image.preprocess import Pixels, matrix_for_crop, to_gray, warp
from pyojeong.parquet import load_pyarrow, parquet_writer

_FER2013 = Preprocess(size_hw=(SIDE, SIDE), color="gray", mean=(0.0,), std=(1.0,))
_USAGE_OF = {split: usage for usage, split in USAGES.items()}
_EMOTION_OF = {FER7.names[to]: i for i, to in enumerate(FER2013_TO_FER7)}
_HUB_SPLITS = {Split.TRAIN: "train", Split.VALID: "validation", Split.TEST: "test"}
_ROWS_OF_GROUP = 256
_PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of an export.

    Attributes:
        rows: Images written.
        unreadable: Rows left out because their image could not be decoded.
    """

    rows: int
    unreadable: int


def export_class_folders(manifest: Path, out: Path, *, tick: Ticker | None = None) -> Exported:
    """``<out>/<split>/<class>/<row>_<name>.png``, which torchvision's ImageFolder reads too.

    Names begin with the row's number, so that no two images collide. PNG images are written
    byte for byte, others as lossless PNG.

    Args:
        manifest: The data set.
        out: A folder that is not there yet, or empty; written whole or not at all.
        tick: Called after every row.

    Raises:
        DataError: When no image can be read.
        OutputError: When ``out`` is not empty or could not be written.
    """
    with _whole_folder(out) as folder:
        _make_splits(folder)

        def write(row: int, sample: Sample, pixels: Pixels) -> None:
            place = folder / sample.split.value / sample.label
            place.mkdir(exist_ok=True)
            (place / _name(row, sample)).write_bytes(_encoded(sample, pixels))

        return _each(manifest, write, tick)


def export_imagefolder(manifest: Path, out: Path, *, tick: Ticker | None = None) -> Exported:
    """``<out>/<split>/<row>_<name>.png`` and ``<out>/<split>/metadata.csv`` (file_name,label).

    Hugging Face's ``load_dataset("imagefolder", data_dir=out)`` reads it. Arguments and errors are
    those of ``export_class_folders``.
    """
    with _whole_folder(out) as folder:
        _make_splits(folder)
        files: dict[Split, Any] = {}
        try:

            def write(row: int, sample: Sample, pixels: Pixels) -> None:
                place = folder / sample.split.value
                if sample.split not in files:
                    files[sample.split] = (place / "metadata.csv").open(
                        "w", encoding="utf-8", newline=""
                    )
                    files[sample.split].write("file_name,label\n")
                name = _name(row, sample)
                (place / name).write_bytes(_encoded(sample, pixels))
                files[sample.split].write(f"{name},{sample.label}\n")

            return _each(manifest, write, tick)
        finally:
            for file in files.values():
                file.close()


def export_imagefolder_jsonl(manifest: Path, out: Path, *, tick: Ticker | None = None) -> Exported:
    """``<out>/<split>/<row>_<name>.png`` and ``<out>/<split>/metadata.jsonl``, with groups.

    As ``export_imagefolder``, with one JSON object a line: ``file_name``, ``label`` and ``group``.
    """
    with _whole_folder(out) as folder, ExitStack() as stack:
        _make_splits(folder)
        files: dict[Split, Any] = {}

        def write(row: int, sample: Sample, pixels: Pixels) -> None:
            place = folder / sample.split.value
            if sample.split not in files:
                opened = (place / "metadata.jsonl").open("w", encoding="utf-8", newline="\n")
                files[sample.split] = stack.enter_context(opened)
            name = _name(row, sample)
            (place / name).write_bytes(_encoded(sample, pixels))
            said = {"file_name": name, "label": sample.label, "group": sample.group or None}
            files[sample.split].write(json.dumps(said) + "\n")

        done = _each(manifest, write, tick)
        stack.close()  # before the folder takes its name
        return done


def export_datasets(manifest: Path, out: Path, *, tick: Ticker | None = None) -> Exported:
    """``<out>/data/<split>-00000-of-00001.parquet``: what Hugging Face's ``datasets`` reads.

    ``load_dataset(out)`` gives the features ``image`` (Image), ``label`` (ClassLabel with the
    names of the label set), ``group`` and ``source``; the validation split is called so. Images are
    PNG, without loss. Arguments and errors are those of ``export_class_folders``.
    """
    names = list(manifest_labels(manifest).names)
    arrow, _ = load_pyarrow("the export for datasets")
    features = {
        "image": {"_type": "Image"},
        "label": {"names": names, "_type": "ClassLabel"},
        "group": {"dtype": "string", "_type": "Value"},
        "source": {"dtype": "string", "_type": "Value"},
    }
    image = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    fields = [("image", image), ("label", arrow.int64())]
    fields += [("group", arrow.string()), ("source", arrow.string())]
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    schema = arrow.schema(fields, metadata=about)
    with _whole_folder(out) as folder, ExitStack() as stack:
        (folder / "data").mkdir()
        writers: dict[Split, Any] = {}
        for split in Split:  # also empty ones: a reader then knows that nothing is to be held out
            file = folder / "data" / f"{_HUB_SPLITS[split]}-00000-of-00001.parquet"
            writers[split] = stack.enter_context(parquet_writer(file, schema))
        waiting: dict[Split, list[dict[str, Any]]] = {}

        def flush(split: Split) -> None:
            rows = waiting.pop(split, [])
            if rows:
                writers[split].write_table(arrow.Table.from_pylist(rows, schema=schema))

        def write(row: int, sample: Sample, pixels: Pixels) -> None:
            split = sample.split
            cell = {"bytes": _encoded(sample, pixels), "path": _name(row, sample)}
            rows = waiting.setdefault(split, [])
            rows.append(
                {
                    "image": cell,
                    "label": names.index(sample.label),
                    "group": sample.group or None,
                    "source": as_unicode(sample.source),
                }
            )
            if len(rows) == _ROWS_OF_GROUP:
                flush(split)

        done = _each(manifest, write, tick)
        for split in list(writers):
            flush(split)
        stack.close()  # before the folder takes its name
        return done


def export_fer2013(manifest: Path, out: Path, *, tick: Ticker | None = None) -> Exported:
    """``fer2013.csv``: emotion, pixels (48 x 48 gray), Usage.

    Images of other sizes are completed to a square on the longer side and resampled by
    ``image.preprocess``; 48 x 48 gray images stay exactly as they are. The order of rows stays.

    Args:
        manifest: The data set, labelled with fer7.
        out: The ``.csv`` file, written whole or not at all.
        tick: Called after every row.

    Raises:
        DataError: When the labels are not fer7 or no image can be read.
        OutputError: When ``out`` exists or could not be written.
    """
    labels = manifest_labels(manifest)
    if labels != FER7:
        raise DataError(
            f"{manifest}: fer2013.csv has the seven classes of fer7, this table has {labels.id}; "
            "export class folders instead"
        )
    with _new_file(out) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["emotion", "pixels", "Usage"])

        def write(row: int, sample: Sample, pixels: Pixels) -> None:  # noqa: ARG001
            small = to_gray(pixels)
            if small.shape != (SIDE, SIDE):
                small = warp(small, matrix_for_crop(_FER2013, small.shape[:2]), (SIDE, SIDE))
            text = " ".join(map(str, small.ravel().tolist()))
            table.writerow([_EMOTION_OF[sample.label], text, _USAGE_OF[sample.split]])

        return _each(manifest, write, tick)


EXPORTERS: dict[str, Callable[..., Exported]] = {
    "folders": export_class_folders,
    "imagefolder": export_imagefolder,
    "imagefolder-jsonl": export_imagefolder_jsonl,
    "datasets": export_datasets,
    "fer2013": export_fer2013,
}
"""Format -> its function."""


def _each(
    manifest: Path, write: Callable[[int, Sample, Pixels], None], tick: Ticker | None
) -> Exported:
    done = failed = 0
    for row, sample in read_rows(manifest, splits=list(Split)):
        try:
            pixels = pixels_of(sample)
        except ImageUnreadable:
            failed += 1
        else:
            write(row, sample, pixels)
            done += 1
        if tick is not None:
            tick(1)
    if not done:
        raise DataError(f"{manifest}: none of the {failed:,} images can be read; are they moved?")
    return Exported(done, failed)


def _make_splits(folder: Path) -> None:
    for split in Split:  # also empty ones: a reader then knows that nothing is to be held out
        (folder / split.value).mkdir()


def _name(row: int, sample: Sample) -> str:
    stem = Path(sample.source.replace("\\", "/").rpartition("/")[2]).stem
    stem = re.sub(r"[^\w.-]+", "_", stem, flags=re.ASCII)[:60].strip("._")
    return f"{row:07d}_{stem}.png" if stem else f"{row:07d}.png"


def _is_plain_png(data: bytes) -> bool:
    """Return whether other tools see in a PNG file what is seen here.

    They do not turn it, and know other ways from 16 bits and transparency to eight bits.
    """
    plain = data[24:26] in {b"\x08\x00", b"\x08\x02"}  # eight bits, gray or RGB
    return data.startswith(_PNG_START) and plain and b"eXIf" not in data and b"tRNS" not in data


def _encoded(sample: Sample, pixels: Pixels) -> bytes:
    if sample.image is not None and _is_plain_png(sample.image):
        return sample.image
    gray = bool((pixels == pixels[..., :1]).all())
    return png(np.ascontiguousarray(pixels[..., 0]) if gray else pixels)


@contextmanager
def _new_file(out: Path) -> Iterator[Any]:
    """Hold a file that is not there yet, and yield a temporary one that takes its name."""
    with one_writer(out):
        if os.path.lexists(out):
            raise OutputError(f"{out}: is there already; name another file")
        with atomic_write(out, "w") as file:
            yield file


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Make a temporary folder beside ``out`` that takes its name only when all went well."""
    with one_writer(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputError(
                f"{out}: is there already and not an empty folder; name another --out"
            )
        with work_folder(out) as folder:
            yield folder
            if out.exists():
                out.rmdir()
            folder.replace(out)
