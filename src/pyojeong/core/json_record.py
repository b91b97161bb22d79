"""JSON files of one object with a checksum inside, such as those of a run folder.

Files without a checksum, such as those of earlier versions, are taken as they are.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.checksums import checked, with_checksum
from pyojeong.core.errors import ExperimentError


def read_record(file: Path, *, cure: str, keys: Iterable[str] = ()) -> dict[str, Any]:
    """Return the object of a file, without its checksum.

    Args:
        file: The file.
        cure: What to do when it is damaged, for the error.
        keys: What the object must have.

    Raises:
        ExperimentError: When the file is damaged, was changed, or is another one; with the cure.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        known = checked(data) if isinstance(data, dict) else None
    except OSError as error:
        reason = error.strerror or error
        raise ExperimentError(f"{file}: could not be read: {reason}; {cure}") from error
    except (ValueError, RecursionError) as error:
        raise ExperimentError(f"{file}: is damaged ({error}); {cure}") from error
    if known is None:
        raise ExperimentError(f"{file}: is damaged (expected a JSON object); {cure}")
    missing = [key for key in keys if key not in known]
    if missing:
        raise ExperimentError(f"{file}: lacks {', '.join(missing)}; {cure}")
    return known


def write_record(file: Path, data: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Write an object with its checksum, whole or not at all."""
    plain = json.loads(json.dumps(data))  # keys are text, as they are when they are read
    with atomic_write(file, "w") as out:
        out.write(json.dumps(with_checksum(plain), indent=indent) + "\n")
