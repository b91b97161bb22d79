"""Shards of clips: the record beside their folders of results, and those folders joined."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import output_errors, work_folder
from pyojeong.core.errors import DataError, ExperimentError, InputError
from pyojeong.core.face import SCHEMA_VERSION, FrameResult
from pyojeong.core.json_record import read_record, write_record
from pyojeong.core.shards import Shard, content_key
from pyojeong.video.options import DONE

RECORD = "shard.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShard:
    """What a folder of results is a share of.

    Attributes:
        shard: Which share.
        settings: Everything that decides the results, JSON types.
        total: Clips of all shards.
        list_digest: Of their keys in order: the same in all shards.
        clips: Of this shard: position in the list, source, name of the folder of results ("" =
            it could not be read), error.
        left_out: Why other files were left out -> how many, of all shards.
        tables: Arguments of ``video.merge.join``: formats, labels, measures, epochs.
        schema: Version of the columns.
        finished: All clips of the shard were read or have failed.
    """

    shard: Shard
    settings: Mapping[str, Any]
    total: int
    list_digest: str
    clips: Sequence[tuple[int, str, str, str]]
    left_out: Mapping[str, int]
    tables: Mapping[str, Any]
    schema: int = SCHEMA_VERSION
    finished: bool = False

    def write(self, out: Path) -> None:
        """Write the record into a folder of results."""
        write_record(out / RECORD, asdict(self))


def read_shard(out: Path) -> ClipShard | None:
    """Return the record of a folder of results; None when it is of no shard.

    Raises:
        DataError: When it is damaged.
    """
    if not (out / RECORD).is_file():
        return None
    cure = "remove this file, then give the shard's command again"
    try:
        known = read_record(out / RECORD, cure=cure)
        known["clips"] = [tuple(clip) for clip in known["clips"]]
        return ClipShard(**{**known, "shard": Shard(**known["shard"])})
    except ExperimentError as error:
        raise DataError(str(error)) from error
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{out / RECORD}: was written by another version of pyojeong ({error}); {cure}"
        ) from error


def digest_of(sources: Sequence[str]) -> str:
    """Return the digest of a list of clips."""
    return hashlib.sha256(b"".join(map(content_key, sources))).hexdigest()


def copy_clips(shards: Sequence[tuple[Path, ClipShard]], out: Path) -> list[Path | FrameResult]:
    """Copy the folders of the clips of all shards into one.

    Args:
        shards: From ``check_shards``.
        out: Gets them.

    Returns:
        In the order of the list, the folder of each clip; for one that could not be read, a row
        with its error.

    Raises:
        InputError: When a folder is there already with other results.
        DataError: When folders of two shards have one name, or a clip is missing.
    """
    every = sorted((clip[0], folder, clip) for folder, facts in shards for clip in facts.clips)
    if [position for position, _, _ in every] != list(range(shards[0][1].total)):
        raise DataError(
            f"{len(every):,} of {shards[0][1].total:,} clips are in these shards: one is damaged; "
            "give its command again"
        )
    parts: list[Path | FrameResult] = []
    taken: dict[str, Path] = {}
    for _, folder, (_, source, name, error) in every:
        if not name:
            parts.append(FrameResult(source, 0, 0.0, (0, 0), error=error))
            continue
        if name in taken:
            raise DataError(
                f"{taken[name] / name} and {folder / name} have one name: read one of these shards "
                "again into an empty --out folder"
            )
        taken[name] = folder
        parts.append(_copied(folder / name, out / name))
    return parts


def _copied(source: Path, target: Path) -> Path:
    """Copy a folder, whole or not at all; one that was copied before stays."""
    if target.exists():
        if _same(source / DONE, target / DONE):
            return target
        raise InputError(f"{target}: is there already and has other results: choose another --out")
    with output_errors(target), work_folder(target) as folder:
        shutil.copytree(source, folder / target.name)
        (folder / target.name).replace(target)
    return target


def _same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except OSError:
        return False
