"""The decisions behind the review page: one reviewer writes, everybody's word is shown."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from pyojeong.core.errors import DataError
from pyojeong.curate.decisions import (
    ACTIONS,
    RULE,
    Decision,
    DecisionLog,
    latest_decisions,
    read_decision_log,
    settle,
)
from pyojeong.curate.review.index import ReviewIndex

NOTHING, CONFLICT = 0, 4
"""Codes beside 1 keep, 2 drop, 3 relabel (``ACTIONS`` from 1)."""

_REMEMBERED = 1000
_RECENT = 100

State = tuple[int, int, int, int, int]
"""(code, label, reviewer, final, 1 when this reviewer has spoken); see ``ReviewSession.words``."""


class ReviewSession:
    """What stands for each row, kept up to date while several people decide.

    Args:
        index: The rows.
        reviewer: Whose ledger is written.

    Raises:
        DataError: When a ledger is about another data set.
    """

    def __init__(self, index: ReviewIndex, reviewer: str) -> None:
        self.index = index
        self.ledger = DecisionLog(index.store, reviewer)
        self._lock = threading.Lock()
        self._boot = f"{time.time_ns():x}"
        self._changes = 0
        self._seen: dict[str, tuple[int, int]] = {}
        self._read: dict[str, list[Decision]] = {}
        self._last: dict[str, dict[int, Decision]] = {}
        self._done: OrderedDict[str, None] = OrderedDict()
        self.problem = ""
        """Why another reviewer's ledger could not be read at present, or ""."""
        self._look(strict=True)

    @property
    def reviewer(self) -> str:
        """Whose ledger is written."""
        return self.ledger.reviewer

    def _look(self, *, strict: bool = False) -> bool:
        """Read ledgers that have grown since; True when one had."""
        changed = False
        self.problem = ""
        for file in sorted(self.ledger.file.parent.glob("*.jsonl")):
            stat = file.stat()
            seen = (stat.st_size, stat.st_mtime_ns)
            if self._seen.get(file.stem) == seen:
                continue
            try:
                self._take(
                    file.stem, read_decision_log(file, manifest=self.index.store.manifest_id)
                )
            except DataError as error:
                if strict:
                    raise
                self.problem = str(error)
                continue
            self._seen[file.stem] = seen
            changed = True
        self._changes += changed
        return changed

    def _take(self, reviewer: str, decisions: list[Decision]) -> None:
        here = [d for d in decisions if 0 <= d.row < self.index.size]
        self._read[reviewer] = here
        self._last[reviewer] = latest_decisions(here)

    def _reviewers(self) -> list[str]:
        return sorted(self._last)

    @property
    def version(self) -> str:
        """Changes with every decision that is known here."""
        return f"{self._boot}-{self._changes}"

    def words(self, known: str = "") -> dict[str, Any]:
        """Return all rows about which something was said; only the version if that is ``known``.

        Returns:
            Columns ``rows``, ``action`` (0 nothing, 1 keep, 2 drop, 3 relabel, 4 conflict),
            ``label`` (position or -1), ``by`` (position in ``reviewers``), ``final``, ``mine``,
            and ``said``: row -> [[by, action, label], ...] where people disagree.
        """
        with self._lock:
            self._look()
            if known == self.version:
                return {"version": self.version, "problem": self.problem}
            return self._columns(sorted({r for words in self._last.values() for r in words}))

    def _columns(self, rows: Iterable[int]) -> dict[str, Any]:
        reviewers = self._reviewers()
        place = {name: i for i, name in enumerate(reviewers)}
        people = [name for name in reviewers if name != RULE]
        rows = list(rows)
        said: dict[str, list[list[int]]] = {}
        states: list[State] = []
        for row in rows:
            spoken = [self._last[name][row] for name in people if row in self._last[name]]
            states.append(self._state(row, spoken, place))
            if states[-1][0] == CONFLICT:
                said[str(row)] = [
                    [place[d.reviewer], ACTIONS.index(d.action) + 1, self._label(d)] for d in spoken
                ]
        columns = zip(*states, strict=True) if states else [()] * 5
        names = ("action", "label", "by", "final", "mine")
        return {
            "version": self.version,
            "problem": self.problem,
            "reviewers": reviewers,
            "rows": rows,
            **{name: list(column) for name, column in zip(names, columns, strict=True)},
            "said": said,
        }

    def _state(self, row: int, spoken: Sequence[Decision], place: dict[str, int]) -> State:
        mine = int(row in self._last.get(self.reviewer, {}))
        stands = settle(spoken) if spoken else self._last.get(RULE, {}).get(row)
        if stands is None:
            return (CONFLICT if spoken else NOTHING, -1, -1, 0, mine)
        code = ACTIONS.index(stands.action) + 1
        by = place.get(stands.reviewer, -1)
        return (code, self._label(stands), by, int(stands.final), mine)

    def _label(self, decision: Decision) -> int:
        names = self.index.labels.names
        return names.index(decision.label) if decision.label in names else -1

    def decide(self, batch: str, decisions: Sequence[Decision]) -> dict[str, Any]:
        """Append decisions to the ledger; they are on disk when this returns.

        Args:
            batch: A name the page gave them: sent again after a lost answer, nothing is written.
            decisions: Words about rows; the reviewer's name is put in here.

        Returns:
            As ``words``, of these rows alone (``"partial": true``) unless others decided, too.

        Raises:
            DataError: When a row, a label or a check is not there; nothing is written then.
        """
        with self._lock:
            others = self._look()
            if batch not in self._done:
                wanted = [self._checked(d) for d in decisions]
                wanted = [d for d in wanted if d.action != "undo" or self._has_decided(d.row)]
                written = self.ledger.add(wanted)
                stat = self.ledger.file.stat()
                self._seen[self.reviewer] = (stat.st_size, stat.st_mtime_ns)
                self._add(written)
                self._done[batch] = None
                if len(self._done) > _REMEMBERED:
                    self._done.popitem(last=False)
            if others:
                return self._columns(sorted({r for w in self._last.values() for r in w}))
            rows = dict.fromkeys(d.row for d in decisions)
            return {**self._columns(rows), "partial": True}

    def _has_decided(self, row: int) -> bool:
        return row in self._last[self.reviewer]

    def _add(self, written: list[Decision]) -> None:
        mine = self._read[self.reviewer]
        mine.extend(written)
        words = self._last[self.reviewer]
        undone = {d.row for d in written if d.action == "undo"}
        words.update({d.row: d for d in written if d.action != "undo"})
        if undone:
            again = latest_decisions(d for d in mine if d.row in undone)
            for row in undone:
                words.pop(row, None)
            words.update(again)
        self._changes += bool(written)

    def _checked(self, decision: Decision) -> Decision:
        row = decision.row
        if not 0 <= row < self.index.size:
            raise DataError(f"row {row}: the manifest has {self.index.size} rows")
        names = self.index.labels.names
        if decision.label and decision.label not in names:
            raise DataError(f"row {row}: no label {decision.label!r}; known: {', '.join(names)}")
        if decision.check and decision.check not in self.index.check_names():
            raise DataError(f"row {row}: no findings of a check {decision.check!r}")
        if decision.label and decision.label == names[int(self.index.label[row])]:
            return replace(decision, action="keep", label="")  # or two who agree would not
        return decision

    def history(self, row: int) -> list[dict[str, Any]]:
        """Return everything that anybody said about a row, in order of time."""
        with self._lock:
            said = [d for ledger in self._read.values() for d in ledger if d.row == row]
        return [asdict(d) for d in sorted(said, key=lambda d: d.time)]

    def recent(self) -> list[list[int]]:
        """Return the rows of this reviewer's latest batches that are not undone, oldest first."""
        batches: dict[str, dict[int, None]] = {}
        stacks: dict[int, list[str]] = {}
        with self._lock:
            for decision in self._read[self.reviewer]:
                stack = stacks.setdefault(decision.row, [])
                if decision.action != "undo":
                    stack.append(decision.time)
                    batches.setdefault(decision.time, {})[decision.row] = None
                elif stack:
                    batches[stack.pop()].pop(decision.row, None)
        return [list(rows) for rows in batches.values() if rows][-_RECENT:]
