"""What all checks share: a threshold, a version, and how a score becomes a finding."""

from typing import Any, ClassVar

from pyojeong.curate.findings import Finding


class BaseCheck:
    """Base of the checks.

    Args:
        threshold: From this score on an image is suggested for a decision; None = the class's own.
    """

    name: ClassVar[str] = ""
    """Key of ``CHECKS``."""
    states: ClassVar[str] = ""
    """What a score of 1 says, in words."""
    threshold: float = 0.5
    version: ClassVar[int] = 1
    """Counted up when the same image would get another score."""
    needs_faces: ClassVar[bool] = False
    """True when it uses ``Image.facts``."""
    reads_votes: ClassVar[bool] = False
    """True when it reads more of the table than images, labels and splits (votes, groups)."""

    def __init__(self, *, threshold: float | None = None) -> None:
        if threshold is not None:
            self.threshold = threshold

    def settings(self) -> dict[str, Any]:
        """Return what decides the scores; other settings mean that it must run again."""
        return {"version": self.version}

    def found(self, row: int, score: float, reason: str, **more: Any) -> Finding:
        """Return a finding with its score cut to [0, 1].

        The reason is kept from the threshold on.
        """
        score = min(max(float(score), 0.0), 1.0)
        said = reason if score >= self.threshold else ""
        return Finding(row=row, check=self.name, score=score, reason=said, **more)
