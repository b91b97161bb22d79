"""SHA-256 of a run's files of weights, in a small file beside each.

Weights without such a file, such as those of earlier versions, are taken as they are.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import read_record, write_record

_CURE = "remove the run folder and train again, or restore the file from a copy"
_KEPT = 2


def note_digest(weights: Path, data: bytes | memoryview) -> None:
    """Write the digest of weights that are about to take their name.

    That of the file which they replace stays beside it: a process may be killed between the two.
    """
    earlier: list[str] = []
    with suppress(ExperimentError):  # a damaged list is written again with the new weights
        earlier = _digests(weights)
    known = [hashlib.sha256(data).hexdigest(), *earlier]
    write_record(digest_file(weights), {"sha256": list(dict.fromkeys(known))[:_KEPT]})


def check_digest(weights: Path) -> None:
    """Compare weights with what was written.

    Raises:
        ExperimentError: When they are damaged or were changed.
    """
    known = _digests(weights)
    if not known:
        return
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found not in known:
        raise ExperimentError(
            f"{weights}: is damaged or was changed: expected sha256 {known[0][:12]}..., got "
            f"{found[:12]}...; {_CURE}"
        )


def digest_file(weights: Path) -> Path:
    """Return the small file beside weights."""
    return weights.with_name(f"{weights.name}.sha256.json")


def _digests(weights: Path) -> list[str]:
    file = digest_file(weights)
    if not file.exists():
        return []
    return [str(digest) for digest in read_record(file, cure=_CURE, keys=["sha256"])["sha256"]]
