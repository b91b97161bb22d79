"""What the review page needs to know about rows and findings, as columns in memory.

Everything is sent in one JSON object: 36,000 rows with eight checks are about 3 MB and are parsed
in a fraction of a second, after which filters and sorting need no further request.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import ManifestInvalid
from pyojeong.core.labels import LabelSet
from pyojeong.core.texts import Texts
from pyojeong.curate.findings import Store
from pyojeong.datasets.samples import Split, manifest_labels
from pyojeong.parquet import open_parquet

SCALE = 10_000
"""Scores travel as integers, ``score * SCALE``."""
KEY_WIDTH = 12
NO_KEY = "-" * KEY_WIDTH
"""Key of an image whose content hash is unknown; its address is not cached."""

_SPLITS = [s.value for s in Split]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckColumns:
    """The findings of one check, as columns over the rows that it scored above 0.

    Attributes:
        name: Key of ``CHECKS``.
        states: What a score of 1 says, in words.
        threshold: From this score on an image is suggested for a decision.
        cut: The threshold as an integer; ``scores >= cut`` are the flagged rows.
        finished: False while rows are still to be looked at.
        rows: int32 (n,), ascending.
        scores: int32 (n,), ``score * SCALE``.
        labels: Row -> position of the suggested label; rows that are missing: drop.
        others: Row -> row of the image it is a copy of.
        reasons: Row -> why.
    """

    name: str
    states: str
    threshold: float
    cut: int
    finished: bool
    rows: NDArray[np.int32]
    scores: NDArray[np.int32]
    labels: dict[int, int]
    others: dict[int, int]
    reasons: dict[int, str]

    @property
    def flagged(self) -> NDArray[np.int32]:
        """Rows at or above the threshold, ascending."""
        return self.rows[self.scores >= self.cut]

    def about(self, row: int) -> dict[str, Any]:
        """Return the finding about one row, for people; the score is 0 where there is none."""
        at = int(np.searchsorted(self.rows, row))
        there = at < len(self.rows) and int(self.rows[at]) == row
        score = int(self.scores[at]) if there else 0
        return {
            "check": self.name,
            "states": self.states,
            "score": score / SCALE,
            "threshold": self.threshold,
            "flagged": score >= self.cut,
            "suggest": "relabel" if row in self.labels else "drop",
            "label": self.labels.get(row, -1),
            "other": self.others.get(row, -1),
            "reason": self.reasons.get(row, ""),
        }

    def to_json(self, size: int) -> dict[str, Any]:
        """Return the columns for the page; ``rows`` is null when every row has a score."""
        dense = len(self.rows) * 2 > size
        scores = self.scores
        if dense:
            scores = np.zeros(size, np.int32)
            scores[self.rows] = self.scores
        return {
            "name": self.name,
            "states": self.states,
            "threshold": self.threshold,
            "cut": self.cut,
            "finished": self.finished,
            "flagged": len(self.flagged),
            "rows": None if dense else self.rows.tolist(),
            "scores": scores.tolist(),
            "labels": [list(self.labels), list(self.labels.values())],
            "others": [list(self.others), list(self.others.values())],
            "reasons": [list(self.reasons), list(self.reasons.values())],
        }


class ReviewIndex:
    """Rows and findings of a manifest.

    Args:
        store: Where the findings lie.
        lang: Language of what findings say, one of ``core.texts.LANGUAGES``.

    Raises:
        InputError: When there is no such language.
        ManifestInvalid: When the manifest or a file of findings is damaged.
    """

    def __init__(self, store: Store, *, lang: str = "en") -> None:
        self.store = store
        self.say = Texts("review", lang)
        self.size = store.size
        self.labels: LabelSet = manifest_labels(store.manifest)
        columns = _row_columns(store.manifest)
        known = {name: i for i, name in enumerate(self.labels.names)}
        self.label = np.array([known[name] for name in columns["label"]], np.int16)
        self.split = np.array([_SPLITS.index(name) for name in columns["split"]], np.int16)
        self.source: list[str] = columns["source"]
        self.key = [(h or "")[:KEY_WIDTH].ljust(KEY_WIDTH, "-") for h in columns["content_hash"]]
        self.checks: list[CheckColumns] = []
        self._seen: object = None
        self._rows_json = json.dumps(
            {
                "label": self.label.tolist(),
                "split": self.split.tolist(),
                "source": self.source,
                "key": "".join(self.key),
            },
            separators=(",", ":"),
        )
        self.refresh()

    def refresh(self) -> bool:
        """Read the findings again if they have changed; True when they had."""
        seen = _signature(self.store)
        if seen == self._seen:
            return False
        checks = [
            read_check(self.store, name, self.labels, self.say) for name in self.store.checks()
        ]
        self.checks, self._seen = checks, seen
        return True

    def check_names(self) -> set[str]:
        """Return the names of the checks that have findings."""
        return {c.name for c in self.checks}

    def to_json(self, **more: Any) -> bytes:
        """Return the whole index as JSON.

        Args:
            more: Further entries of the object, for example the reviewer's name.
        """
        head = {
            "manifest": {
                "name": self.store.manifest.name,
                "id": self.store.manifest_id,
                "rows": self.size,
            },
            "labels": list(self.labels.names),
            "splits": _SPLITS,
            "scale": SCALE,
            "key_width": KEY_WIDTH,
            "checks": [c.to_json(self.size) for c in self.checks],
            **more,
        }
        text = json.dumps(head, separators=(",", ":"))
        return f'{text[:-1]},"rows":{self._rows_json}}}'.encode()


def _row_columns(manifest: Path) -> dict[str, list[Any]]:
    wanted = ("label", "split", "source", "content_hash")
    try:
        with open_parquet(manifest) as file:
            size = file.metadata.num_rows
            names = [n for n in wanted if n in file.schema_arrow.names]
            table = file.read(names)
    except (OSError, ValueError) as error:
        raise ManifestInvalid(f"{manifest}: could not be read: {error}") from error
    columns = {n: table.column(n).to_pylist() for n in names}
    return {n: columns.get(n, [""] * size) for n in wanted}


def _signature(store: Store) -> object:
    """Return changes when findings are added or made again."""
    files = sorted(store.folder.glob("findings/*/[psd]*"))
    return tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files)


def read_check(store: Store, name: str, labels: LabelSet, say: Texts | None = None) -> CheckColumns:
    """Return a check's findings as columns.

    Of several about one row the one with the highest score.

    Raises:
        DataError: When the findings were made from other votes than the table has now.
        ManifestInvalid: When a file is damaged or names rows that the manifest lacks.
    """
    say = say or Texts("review")
    store.require_current(name)
    settings = store.settings(name)
    threshold = float(settings.get("threshold", 1.0))
    columns = _finding_columns(store, name)
    row = np.asarray(columns["row"], np.int32)
    exact = np.asarray(columns["score"], np.float64)
    if len(row) and not 0 <= row.min() <= row.max() < store.size:
        raise ManifestInvalid(
            f"{store.part_folder(name)}: holds row {row.max()}, the manifest has "
            f"{store.size} rows: remove it and run the check again"
        )
    order = np.lexsort((-exact, row))
    first = np.ones(len(order), bool)
    first[1:] = row[order][1:] != row[order][:-1]
    order = order[first & (exact[order] > 0)]
    cut = int(np.ceil(threshold * SCALE - 1e-6))
    flagged = exact[order] >= threshold - 1e-6  # as Store.flagged has it
    scores = np.rint(exact[order] * SCALE).astype(np.int32)
    scores = np.where(flagged, np.maximum(scores, cut), np.minimum(scores, cut - 1))
    known = {n: i for i, n in enumerate(labels.names)}
    suggest, label = columns["suggest"], columns["label"]
    other, reason = columns["other"], columns["reason"]
    picked = [(int(row[i]), int(i)) for i in order]

    known_or_missing = store.reasons(name)

    def why(reason: str, score: float) -> str:
        shown = known_or_missing(reason, score) if score >= threshold - 1e-6 else reason
        return say.said(shown, "reason")

    return CheckColumns(
        name=name,
        states=say.said(str(settings.get("states", "")), "state"),
        threshold=threshold,
        cut=cut,
        finished=store.finished(name),
        rows=row[order],
        scores=scores.astype(np.int32),
        labels={r: known[label[i]] for r, i in picked if _relabels(suggest[i], label[i], known)},
        others={r: other[i] for r, i in picked if 0 <= other[i] < store.size},
        reasons={r: said for r, i in picked if (said := why(reason[i], exact[i]))},
    )


def _relabels(suggest: str, label: str, known: dict[str, int]) -> bool:
    return suggest == "relabel" and label in known


def _finding_columns(store: Store, name: str) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {
        n: [] for n in ("row", "score", "suggest", "label", "other", "reason")
    }
    for file in sorted(store.part_folder(name).glob("part-*.parquet")):
        try:
            with open_parquet(file) as opened:
                table = opened.read(list(out))
        except (OSError, ValueError) as error:
            raise ManifestInvalid(f"{file}: damaged, remove it and run again") from error
        for column, values in out.items():
            values.extend(table.column(column).to_pylist())
    return out
