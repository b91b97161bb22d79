"""SHA-256 of a run's files of weights: in a small file beside each, at the end in ``done.json``.

While a run trains, a file of weights may be the one of before. Those of a finished run are exactly
those of its end. Weights without digests, such as those of earlier versions, are taken as they are.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import read_record, write_record
from pyojeong.core.run_files import known_digest_of

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


def settle_digest(weights: Path) -> None:
    """Keep the digest of weights alone, without that of the file before, after comparing them.

    Raises:
        ExperimentError: When they are damaged or were changed.
    """
    check_digest(weights)
    write_record(digest_file(weights), {"sha256": [_sha256(weights)]})


def check_digest(weights: Path) -> None:
    """Compare weights with what was written.

    Raises:
        ExperimentError: When they are damaged or were changed.
    """
    try:
        settled = known_digest_of(weights)
    except (OSError, ValueError) as error:
        message = f"{weights}: done.json of its run is damaged ({error}); {_CURE}"
        raise ExperimentError(message) from error
    known = _digests(weights) if settled is None else [settled]
    if not known:
        return
    found = _sha256(weights)
    if found not in known:
        expected = f"sha256 {known[0][:12]}..." if known[0] else "no such file in this run"
        raise ExperimentError(
            f"{weights}: is damaged or was changed: expected {expected}, got {found[:12]}...; "
            f"{_CURE}"
        )


def digest_file(weights: Path) -> Path:
    """Return the small file beside weights."""
    return weights.with_name(f"{weights.name}.sha256.json")


def _digests(weights: Path) -> list[str]:
    file = digest_file(weights)
    if not file.exists():
        return []
    return [str(digest) for digest in read_record(file, cure=_CURE, keys=["sha256"])["sha256"]]


def _sha256(weights: Path) -> str:
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
