"""What people decided: one append-only file of JSON lines per reviewer.

The first line names the manifest. Every further line is one decision; nothing is ever rewritten,
an undo is a line too. A line counts once its newline is on disk, so a crash loses at most the
decision that was being written, and a torn last line is dropped. Lines have checksums: any other
damage is an error that names the line.
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyojeong.core.checksums import ChecksumDiffers, opened_line
from pyojeong.core.errors import DataError, ManifestInvalid, OutputError, one_line
from pyojeong.core.line_files import append_lines
from pyojeong.curate.findings import Store

LEDGER_VERSION = 2
ACTIONS = ("keep", "drop", "relabel", "undo")
RULE = "rule"
"""Reviewer under whose name accepted suggestions are written; a person's word counts more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One word of one reviewer about one image.

    Attributes:
        row: Row number in the manifest.
        action: One of ``ACTIONS``; ``"undo"`` takes back the reviewer's last word on this row.
        label: The new label when the action is ``"relabel"``, else "".
        reviewer: Who.
        time: When, ISO 8601 in UTC.
        check: The finding that led to it, or "".
        final: True settles a conflict between reviewers.
    """

    row: int
    action: str
    label: str = ""
    reviewer: str
    time: str = ""
    check: str = ""
    final: bool = False

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise DataError(f"unknown action {self.action!r}; known: {', '.join(ACTIONS)}")
        if (self.action == "relabel") != bool(self.label):
            raise DataError(f"row {self.row}: a label belongs to 'relabel' and to nothing else")

    @property
    def says(self) -> tuple[str, str]:
        """(action, label): what two reviewers may agree on."""
        return self.action, self.label


@dataclass(frozen=True, slots=True)
class Conflict:
    """Reviewers who disagree about a row.

    Attributes:
        row: Row number in the manifest.
        decisions: The last word of each of them.
    """

    row: int
    decisions: tuple[Decision, ...]


class DecisionLog:
    """The decisions of one reviewer about one manifest.

    Args:
        store: Where it lies.
        reviewer: Name, 1 to 40 letters, digits, ``-``, ``_`` or ``.``.

    Raises:
        DataError: When the name could not be a file name, or the ledger is another manifest's.
    """

    def __init__(self, store: Store, reviewer: str) -> None:
        if not re.fullmatch(r"[\w][\w.-]{0,39}", reviewer):
            raise DataError(
                f"reviewer {reviewer!r}: use 1 to 40 letters, digits, '-', '_' or '.', "
                "beginning with a letter or digit"
            )
        self.reviewer = reviewer
        self.store = store
        self.file = store.folder / "decisions" / f"{reviewer}.jsonl"
        if self.file.exists() and not _has_truncated_header(self.file):
            read_decision_log(self.file, manifest=store.manifest_id)
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.unlink(missing_ok=True)
        head = {"pyojeong.decisions": LEDGER_VERSION, "manifest_id": store.manifest_id}
        _append(self.file, [head])
        _sync_folder(self.file.parent)

    def add(self, decisions: Iterable[Decision]) -> list[Decision]:
        """Append decisions; they are on disk when this returns.

        Returns:
            The decisions as written, with reviewer and time.

        Raises:
            DataError: When a row is not in the manifest; nothing is written then.
            OutputError: When the disk does not take it; nothing counts as decided then.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        written = []
        for decision in decisions:
            if not 0 <= decision.row < self.store.size:
                raise DataError(f"row {decision.row}: the manifest has {self.store.size} rows")
            values = {**asdict(decision), "reviewer": self.reviewer, "time": now}
            written.append(Decision(**values))
        _append(self.file, [asdict(d) for d in written])
        return written

    def read(self) -> list[Decision]:
        """Return everything that was ever decided, in order."""
        return read_decision_log(self.file, manifest=self.store.manifest_id)


def _append(file: Path, lines: list[dict[str, Any]]) -> None:
    try:
        append_lines(file, lines, ascii_only=False, count_tail=False)
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror or error}") from error


def _has_truncated_header(file: Path) -> bool:
    """Return whether a crash left less than the first line, so nothing was ever decided in it."""
    try:
        with file.open("rb") as opened:
            start = opened.read(4096)
    except OSError as error:
        raise ManifestInvalid(f"{file}: is not a file of decisions: {error!r}") from error
    begin = b'{"pyojeong.decisions": '
    return b"\n" not in start and (start.startswith(begin) or begin.startswith(start))


def _sync_folder(folder: Path) -> None:
    """Put a new file's name on disk, where the system has a way to."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_decision_log(file: Path, *, manifest: str) -> list[Decision]:
    """Return the decisions in a ledger file, in order.

    Args:
        file: A reviewer's ``.jsonl``.
        manifest: ``manifest_id`` of the data set they are wanted for.

    Raises:
        DataError: When they are about another data set.
        ManifestInvalid: When the file is no ledger.
    """
    of, found = _read_log(file)
    if of not in {"", manifest}:
        raise DataError(
            f"{file}: these decisions are about another data set (id {of}, this one has "
            f"{manifest}); review this one again, or go back to the manifest they were made on"
        )
    return found


def verify_decision_log(file: Path) -> int:
    """Return how many decisions a ledger file holds.

    Raises:
        ManifestInvalid: When the file is no ledger, or damaged.
    """
    return len(_read_log(file)[1])


def _read_log(file: Path) -> tuple[str, list[Decision]]:
    """Return the id of the data set, and the decisions in order; ("", []) before any was made."""
    if _has_truncated_header(file):
        return "", []
    try:
        lines = file.read_bytes().split(b"\n")
        head = json.loads(lines[0])
        of, version = str(head["manifest_id"]), int(head["pyojeong.decisions"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ManifestInvalid(f"{file}: is not a file of decisions: {error!r}") from error
    out = []
    _refuse_lost_line_end(file, lines[-1])
    for number, line in enumerate(lines[:-1], start=1):  # what follows has no line end yet
        try:
            text = opened_line(line.decode(), required=False)
            if number > 1:
                out.append(_decision(json.loads(text)))
        except (ValueError, TypeError, KeyError, AttributeError, DataError) as error:
            if version == 1 and not isinstance(error, ChecksumDiffers):
                continue  # torn by a crash: files of that version keep such lines
            raise ManifestInvalid(
                f"{file}: line {number} is damaged ({one_line(error)}): restore the file from a "
                "copy, or remove the line to go on without that decision"
            ) from error
    return of, out


def _refuse_lost_line_end(file: Path, tail: bytes) -> None:
    """Refuse a whole line with another character than its line end behind it.

    Raises:
        ManifestInvalid: When it is so; a crash leaves less than a line.
    """
    try:
        opened_line(tail[:-1].decode())
    except ValueError:
        return
    raise ManifestInvalid(
        f"{file}: the end of its last line is damaged: restore the file from a copy, or put a line "
        "break there"
    )


def _decision(values: dict[str, Any]) -> Decision:
    if type(values["row"]) is not int:
        raise DataError(f"row {values['row']!r} is no number of a row")
    known = {f.name for f in fields(Decision)}
    return Decision(**{k: v for k, v in values.items() if k in known})


def latest_decisions(decisions: Iterable[Decision]) -> dict[int, Decision]:
    """Row -> the decision that stands, of one reviewer's decisions in order."""
    stacks: dict[int, list[Decision]] = {}
    for decision in decisions:
        stack = stacks.setdefault(decision.row, [])
        if decision.action != "undo":
            stack.append(decision)
        elif stack:
            stack.pop()
    return {row: stack[-1] for row, stack in stacks.items() if stack}


def merged(store: Store) -> tuple[dict[int, Decision], list[Conflict]]:
    """Return all reviewers together: what stands for each row, and where people disagree.

    A decision marked final wins, the latest of several; then people's words if they agree; then
    rules. Rows in conflict are in the second result and not in the first.

    Raises:
        DataError: When a ledger is about another data set.
    """
    people: dict[int, list[Decision]] = {}
    rules: dict[int, Decision] = {}
    for file in sorted((store.folder / "decisions").glob("*.jsonl")):
        words = latest_decisions(read_decision_log(file, manifest=store.manifest_id))
        if file.stem == RULE:
            rules = words
            continue
        for row, decision in words.items():
            people.setdefault(row, []).append(decision)
    standing = dict(rules)
    conflicts = []
    for row, said in sorted(people.items()):
        settled = settle(said)
        if settled is None:
            standing.pop(row, None)
            conflicts.append(Conflict(row, tuple(said)))
        else:
            standing[row] = settled
    return standing, conflicts


def settle(said: Sequence[Decision]) -> Decision | None:
    """Return what stands of people's last words about one row; None when they disagree.

    Args:
        said: One or more decisions, of different people.
    """
    final = [d for d in said if d.final]
    if final:
        return max(final, key=lambda d: d.time)
    return said[0] if len({d.says for d in said}) == 1 else None
