"""A split that the processes of one machine decode together, and hold in memory once.

Each process decodes every n-th sample into files of a folder that they share, waits for the files
of the others, and maps all of them: N processes take the time of one Nth, and the memory of one.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from torch import distributed

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import DataError
from pyojeong.core.labels import LabelSet
from pyojeong.datasets.samples import Sample
from pyojeong.image.preprocess import Pixels
from pyojeong.training.data.faces import Faces, load_faces
from pyojeong.training.world import World

FOLDER = "PYOJEONG_SHARED_FACES"
"""Environment variable: the folder that the processes of ``--devices`` share."""
_POLL_S = 0.02


class MappedImages(Sequence[Pixels]):
    """Images in files that are mapped into memory.

    Args:
        files: uint8 (B,), the bytes of each file.
        places: int64 (N, 5): number of the file, offset, height, width, channels (0 = gray).
    """

    def __init__(self, files: Sequence[NDArray[np.uint8]], places: NDArray[np.int64]) -> None:
        self._files = files
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Pixels: ...
    @overload
    def __getitem__(self, index: slice) -> "MappedImages": ...
    def __getitem__(self, index: int | slice) -> "Pixels | MappedImages":
        """Return an image, uint8 (H, W) or (H, W, 3), or some of them."""
        if isinstance(index, slice):
            return MappedImages(self._files, self._places[index])
        file, offset, height, width, channels = map(int, self._places[index])
        shape = (height, width, channels) if channels else (height, width)
        size = height * width * max(channels, 1)
        return self._files[file][offset : offset + size].reshape(shape)


def shared_folder(own: World) -> Path | None:
    """Return the folder that the processes of this machine share; None where there are none.

    Under torchrun it is named after the process that has started them all.
    """
    if own.on_machine == 1:
        return None
    if os.environ.get(FOLDER):
        return Path(os.environ[FOLDER])
    if "TORCHELASTIC_RESTART_COUNT" not in os.environ:
        return None
    names = (os.getppid(), os.environ.get("MASTER_PORT"), os.environ["TORCHELASTIC_RESTART_COUNT"])
    folder = Path(tempfile.gettempdir()) / "-".join(map(str, ("pyojeong", *names)))
    folder.mkdir(mode=0o700, exist_ok=True)
    # Nobody else may have made it: what lies in it is trained on.
    return folder if not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid() else None


def load_shared(
    samples: Callable[[], Iterable[Sample]],
    labels: LabelSet,
    *,
    gray: bool,
    folder: Path,
    name: str,
    own: World,
) -> Faces:
    """Decode a share of a split, and return all of it.

    Args:
        samples: Returns the samples of the split, the same ones in every process.
        labels: Label set of the targets.
        gray: Keep one channel.
        folder: From ``shared_folder``.
        name: Of the split, in ``folder``.
        own: Which of the processes this one is.

    Raises:
        DataError: As ``load_faces`` does for the whole split.
    """
    rank, count = own.rank_on_machine, own.on_machine
    try:
        share = load_faces(islice(samples(), rank, None, count), labels, gray=gray)
        _write(folder, f"{name}-{rank}", share, rank, count)
    except DataError:
        # A share alone does not decide: a small split may have nothing for this process.
        _say(folder, f"{name}-{rank}", {"failed": True})
    heads = [_wait_for(folder / f"{name}-{each}.json") for each in range(count)]
    if any(head["failed"] for head in heads):
        return load_faces(samples(), labels, gray=gray)
    return _joined(folder, [f"{name}-{each}" for each in range(count)], heads)


def remove_when_mapped(folder: Path) -> None:
    """Remove the files when all processes have mapped them; a mapping outlives its file.

    Who has started the processes of ``--devices`` removes their folder at the end.
    """
    if not os.environ.get(FOLDER) and distributed.is_initialized():
        distributed.barrier()
        shutil.rmtree(folder, ignore_errors=True)  # Windows keeps files that are mapped


def _write(folder: Path, name: str, share: Faces, rank: int, count: int) -> None:
    places = np.zeros((len(share), 5), np.int64)
    offset = 0
    with atomic_write(folder / f"{name}.images") as file:
        for row, image in enumerate(share.images):
            height, width, *channels = image.shape
            places[row, 1:] = offset, height, width, channels[0] if channels else 0
            file.write(np.ascontiguousarray(image).tobytes())
            offset += image.size
    kept = share.kept * count + rank
    with atomic_write(folder / f"{name}.npz") as file:
        np.savez(file, places=places, labels=share.labels, votes=share.votes, kept=kept)
    _say(folder, name, {"failed": False, "origins": share.origins, "given": share.given})


def _say(folder: Path, name: str, head: dict[str, Any]) -> None:
    with atomic_write(folder / f"{name}.json", "w") as file:
        json.dump(head, file)


def _wait_for(file: Path) -> dict[str, Any]:
    """Return what another process has written; who started them ends all when one fails."""
    while not file.is_file():
        time.sleep(_POLL_S)
    head: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return head


def _joined(folder: Path, names: Sequence[str], heads: Sequence[dict[str, Any]]) -> Faces:
    files = [np.memmap(folder / f"{name}.images", np.uint8, "r") for name in names]
    parts = []
    for number, name in enumerate(names):
        with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
            part = dict(stored)
        part["places"][:, 0] = number
        parts.append(part)
    kept = np.concatenate([part["kept"] for part in parts])
    order = np.argsort(kept)
    origins = [origin for head in heads for origin in head["origins"]]

    def joined(name: str) -> NDArray[np.generic]:
        return np.concatenate([part[name] for part in parts])[order]

    return Faces(
        MappedImages(files, np.asarray(joined("places"), np.int64)),
        np.asarray(joined("labels"), np.int64),
        np.asarray(joined("votes"), np.float32),
        [origins[i] for i in order],
        kept[order],
        sum(head["given"] for head in heads),
    )
