"""How Lightning writes and reads the checkpoints of a training."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from pyojeong.core.atomic_write import atomic_write
from pyojeong.training.run import read_checkpoint
from pyojeong.training.weight_digests import note_digest


class WholeCheckpoints(TorchCheckpointIO):  # type: ignore[misc]
    """Writes a checkpoint whole or not at all, and reads it without executing anything.

    Lightning's is truncated on a full disk.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any = None,  # noqa: ARG002
    ) -> None:
        """Write a checkpoint, whole or not at all."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(Path(path), "wb") as file:
            file.write(buffer.getbuffer())
            note_digest(Path(path), buffer.getbuffer())

    def load_checkpoint(self, path: str | Path, *_: Any, **__: Any) -> dict[str, Any]:
        """Read a checkpoint; nothing in it is executed."""
        return read_checkpoint(Path(path))
