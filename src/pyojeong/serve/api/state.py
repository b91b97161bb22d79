"""What the routes of a server share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyojeong.core.errors import ModelUnknown
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.api.batching import AnalysisQueue
from pyojeong.serve.api.metrics import Metrics
from pyojeong.serve.api.settings import ServerSettings
from pyojeong.serve.api.uploads import BufferBudget
from pyojeong.zoo import SHORT_NAMES

if TYPE_CHECKING:
    from pyojeong.serve.api.video_jobs import VideoJobs


class Models:
    """The analyzers of a server by the ids of their classifiers, the default first.

    Args:
        analyzers: At least one; ids differ.
    """

    def __init__(self, analyzers: list[Analyzer]) -> None:
        self.by_id: Mapping[str, Analyzer] = {a.classifier.card.id: a for a in analyzers}
        self.default = analyzers[0]

    def names(self, model_id: str) -> list[str]:
        """Return the short names of a model: ``default`` is the first one of this server."""
        names = [name for name, target in SHORT_NAMES.items() if target == model_id]
        names = [name for name in names if name != "default"]
        return ["default", *names] if self.by_id[model_id] is self.default else names

    def find(self, name: str) -> Analyzer:
        """Return the analyzer of a model; "" is the default.

        Raises:
            ModelUnknown: When this server has no such model.
        """
        if name in {"", "default"}:
            return self.default
        found = self.by_id.get(SHORT_NAMES.get(name, name))
        if found is None:
            raise ModelUnknown(name[:80], self.by_id)
        return found


@dataclass(slots=True)
class ServerState:
    """What the routes of a server share.

    Attributes:
        settings: Limits.
        models: What reads images.
        queue: Reads images of all requests.
        budget: Bytes of bodies in memory.
        metrics: What is counted.
        videos: Clips; None = the server takes none.
        in_work: Requests whose images wait or are read.
        streams: Open streams.
    """

    settings: ServerSettings
    models: Models
    queue: AnalysisQueue
    budget: BufferBudget
    metrics: Metrics
    videos: "VideoJobs | None" = None
    in_work: int = 0
    streams: int = 0
