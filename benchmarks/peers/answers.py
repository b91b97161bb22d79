"""What an adapter writes, read back and mapped to our labels; one Parquet schema for everybody."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers.pictures import Picture
from pyojeong.core.errors import LabelUnknown
from pyojeong.core.labels import FER7

SCORES = tuple(f"p_{name}" for name in FER7.names)
SCHEMA = pa.schema(
    [
        ("peer", pa.string()),
        ("version", pa.string()),
        ("set", pa.string()),
        ("picture", pa.string()),
        ("truth", pa.string()),
        ("found", pa.bool_()),
        ("label", pa.string()),  # null where nothing was found
        *[(name, pa.float32()) for name in SCORES],  # null where nothing was found
        ("ms", pa.float32()),  # the peer's call alone; null where it was not made
        ("how", pa.string()),
        ("faces", pa.int32()),
        ("error", pa.string()),  # what the peer raised on this picture, or null
    ]
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer said of one picture.

    Attributes:
        id: The picture.
        faces: How many faces it reported.
        scores: Of the largest face, by the peer's own names and in its order; None = no face.
        ms: Milliseconds of its call; None = there was none.
        error: What it raised; "" = nothing.
    """

    id: str
    faces: int
    scores: Mapping[str, float] | None
    ms: float | None
    error: str = ""


def mapped(scores: Mapping[str, float]) -> tuple[str, list[float]]:
    """The best label and the seven scores in our order.

    The best is the peer's own: the first of the highest scores in the order in which it names
    them (some peers round, so that there are ties). A class that it leaves out counts 0.

    Raises:
        LabelUnknown: When a name is none of the seven, or two names mean the same.
    """
    values = [0.0] * len(FER7)
    seen: dict[int, str] = {}
    for name, score in scores.items():
        at = FER7.index(name)
        if at in seen:
            raise LabelUnknown(f"labels {seen[at]!r} and {name!r} both mean {FER7.names[at]!r}")
        seen[at] = name
        values[at] = float(score)
    best = max(scores, key=lambda name: scores[name])
    return FER7.names[FER7.index(best)], values


@dataclass(frozen=True, slots=True)
class Raw:
    """An adapter's file: what version answered (the last that was ready), and the answers by id."""

    version: str
    answers: dict[str, Answer]
    starts: int


def read_raw(file: Path) -> Raw:
    """Read an adapter's lines; a last line that was cut off in the middle is left out."""
    version, starts = "", 0
    answers: dict[str, Answer] = {}
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    whole, _, _ = text.rpartition("\n")
    for line in whole.split("\n") if whole else []:
        row = json.loads(line)
        if row.get("ready"):
            version, starts = row["version"], starts + 1
        else:
            answers[row["id"]] = Answer(
                row["id"], row["faces"], row["scores"], row["ms"], row.get("error", "")
            )
    return Raw(version, answers, starts)


def mend_raw(file: Path) -> None:
    """Cut off a last line without an end, so that further lines can be added."""
    if file.exists():
        data = file.read_bytes()
        file.write_bytes(data[: data.rfind(b"\n") + 1])


def rows_of(
    peer: str, how: str, set_name: str, pictures: Iterable[Picture], raw: Raw
) -> list[dict[str, Any]]:
    """Rows of the Parquet table, one per answered picture; pictures without an answer are left out.

    A picture without a file (no face could be cut out of it) counts as answered: nothing found.

    Raises:
        LabelUnknown: When a peer names a class that is none of the seven.
    """
    rows = []
    for picture in pictures:
        answer = raw.answers.get(picture.id)
        if answer is None and not picture.path:
            answer = Answer(picture.id, 0, None, None)
        if answer is None:
            continue
        found = answer.scores is not None
        label, scores = mapped(answer.scores) if answer.scores else (None, [None] * len(SCORES))
        rows.append(
            {
                "peer": peer,
                "version": raw.version,
                "set": set_name,
                "picture": picture.id,
                "truth": picture.truth,
                "found": found,
                "label": label,
                **dict(zip(SCORES, scores, strict=True)),
                "ms": answer.ms,
                "how": how,
                "faces": answer.faces,
                "error": answer.error or None,
            }
        )
    return rows


def write_parquet(file: Path, rows: list[dict[str, Any]]) -> None:
    """All rows of one peer, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), part, compression="zstd")
    part.replace(file)


def read_parquet(file: Path) -> list[dict[str, Any]]:
    """The rows of one peer; none when there is no file."""
    if not file.exists():
        return []
    table = pq.read_table(file)
    if not table.schema.equals(SCHEMA):
        raise LabelUnknown(f"{file}: is not a table of peers' answers; run the run step again")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
