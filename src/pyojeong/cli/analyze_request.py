"""The options of ``pyojeong analyze`` as data."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyojeong._version import __version__
from pyojeong.core.addresses import is_address
from pyojeong.distributed.manifests import is_manifest
from pyojeong.output.layouts.registry import names_of_photographs
from pyojeong.runtime.analyzer import Analyzer

ENDINGS = {"json": "jsonl", "csv": "csv", "parquet": "parquet"}
ANNOTATED = "annotated"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzeRequest:
    """The options of ``pyojeong analyze``; see its help."""

    paths: list[str]
    out: Path | None = None
    formats: list[str] = field(default_factory=list)
    layouts: list[str] = field(default_factory=list)
    excel: bool = False
    annotate: bool = False
    annotate_as: str | None = None
    overwrite: bool = False
    detector: str = "auto"
    model: str = "default"
    min_face: int | None = None
    any_rotation: bool = False
    jobs: int = 1
    threads: int | None = None
    views: int = 1
    device: str = "auto"
    remote: bool = False
    allow: str | None = None
    eyes: bool = False
    measures: tuple[str, ...] = ()
    prior: str | None = None
    labels: str | None = None
    threshold: float | None = None
    shard: str | None = None
    engine: str = "local"
    address: str | None = None
    object_store_mb: int | None = None

    @property
    def in_parts(self) -> bool:
        """Whether the work is done in parts that resume; see ``cli.analyze_parts``."""
        listed = any(is_manifest(path) for path in self.paths)
        return listed or self.shard is not None or self.engine != "local"

    @property
    def written(self) -> list[str]:
        """Patterns of the files that are written, relative to the folder of results."""
        return [*self.tables, f"{ANNOTATED}/*.annotated.*"] if self.annotate else self.tables

    @property
    def tables(self) -> list[str]:
        """Names of the tables, and of the files in layouts of other tools."""
        names = [f"results.{ENDINGS[name]}" for name in self.formats or ["json"]]
        return names + [file for name in self.layouts for file in names_of_photographs(name)]

    def settings(self) -> dict[str, Any]:
        """Return the options that determine the results, by name."""
        inputs = [
            path if is_address(path) else os.path.abspath(path)  # noqa: PTH100 - links stay
            for path in self.paths
        ]
        others = ["excel", "annotate", "annotate_as", "detector", "model", "min_face", "views"]
        others += ["any_rotation", "eyes", "prior", "labels", "threshold", "device", "shard"]
        named = {f"--{name.replace('_', '-')}": getattr(self, name) for name in others}
        if self.measures:
            named["--measure"] = list(self.measures)
        several = {"--format": self.formats, "--layout": self.layouts}
        return {"inputs": inputs, **several, **named, "version": __version__}


def make_analyzer(request: AnalyzeRequest) -> Analyzer:
    """Return the analyzer for a request."""
    threads = request.threads or (1 if request.jobs > 1 else None)
    return Analyzer(
        request.model,
        detector=request.detector,
        min_face=request.min_face,
        any_rotation=request.any_rotation,
        threads=threads,
        views=request.views,
        device=request.device,
        allow=request.allow,
        eyes=request.eyes,
        action_units="action_units" in request.measures,
        blendshapes="blendshapes" in request.measures,
        prior=request.prior,
        labels=request.labels,
        threshold=request.threshold,
    )
