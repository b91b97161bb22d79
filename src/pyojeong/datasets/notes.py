"""What a reader says besides its samples: warnings, and which files it has accounted for."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pyojeong.core.file_search import own_path


@dataclass
class Notes:
    """What a reader says besides its samples.

    Attributes:
        warnings: One sentence each.
        without_valid: Classes without a validation sample, which a warning names.
        beside: Why images of the folder are no samples -> how many.
        known: ``own_path`` of the images that are samples or were counted as left out.
    """

    warnings: list[str] = field(default_factory=list)
    without_valid: set[str] = field(default_factory=set)
    beside: Counter[str] = field(default_factory=Counter)
    known: set[str] = field(default_factory=set)
    _folders: dict[str, str] = field(default_factory=dict, repr=False)

    def know(self, file: Path | str) -> None:
        """Note that an image is a sample, or was counted as left out."""
        self.known.add(own_path(str(file), self._folders))

    def knows(self, file: str) -> bool:
        """Return whether an image was noted."""
        return own_path(file, self._folders) in self.known
