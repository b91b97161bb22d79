"""Decisions become a new manifest; the old one and every finding stay as they are."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.curate.decisions import RULE, Decision, DecisionLog, latest_decisions, merged
from pyojeong.curate.findings import Store
from pyojeong.datasets.manifest_files import made_by
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_rows, write_manifest


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What came of applying decisions.

    Attributes:
        kept: Rows in the new manifest.
        dropped: Rows left out, by split.
        relabelled: Rows with a new label, by split.
        conflicts: Rows about which reviewers disagree; they stay as they were.
    """

    kept: int
    dropped: Mapping[str, int]
    relabelled: Mapping[str, int]
    conflicts: int


def accept_suggestions(
    store: Store,
    checks: Mapping[str, float | None],
    *,
    splits: Iterable[Split] = (Split.TRAIN,),
    relabel: bool = True,
    leaks_only: bool = False,
) -> int:
    """Write the suggestions of checks into the ledger of rules.

    Args:
        store: The findings.
        checks: Check -> least score; None = the threshold that it ran with. The first check that
            speaks about a row decides.
        splits: Only rows of these splits; by default nothing happens to what models are chosen
            and judged on.
        relabel: False drops what would be relabelled.
        leaks_only: Of copies, accept only those of a row in another split.

    Returns:
        Number of decisions written.

    Raises:
        DataError: When a check has not run.
    """
    wanted = set(splits)
    split_of = {
        row: s.split for row, s in read_rows(store.manifest, splits=list(Split), images=False)
    }
    said: dict[int, Decision] = {}
    for name, least in checks.items():
        if not store.finished(name):
            raise DataError(f"{name} has not run to its end: pyojeong data curate --checks {name}")
        found = store.flagged(name) if least is None else store.findings(name, at_least=least)
        for finding in found:
            if split_of[finding.row] not in wanted or finding.row in said:
                continue
            inside = finding.other >= 0 and split_of[finding.other] is split_of[finding.row]
            if leaks_only and inside:
                continue
            new = relabel and finding.suggest == "relabel"
            said[finding.row] = Decision(
                row=finding.row,
                action="relabel" if new else "drop",
                label=finding.label if new else "",
                reviewer=RULE,
                check=name,
            )
    ledger = DecisionLog(store, RULE)
    before = {d.row for d in ledger.read()}
    undo = [Decision(row=r, action="undo", reviewer=RULE) for r in sorted(before)]
    ledger.add([*undo, *said.values()])
    return len(said)


def accepted_against_a_label(store: Store) -> list[int]:
    """Return rows that rules drop as copies of an image under another label.

    Which of the two labels is right is for a person to say: the image that stays keeps its own.
    """
    label_of = {
        row: s.label for row, s in read_rows(store.manifest, splits=list(Split), images=False)
    }
    copied = {
        (check, finding.row): finding.other
        for check in store.checks()
        for finding in store.findings(check)
        if finding.other >= 0
    }
    rules = latest_decisions(DecisionLog(store, RULE).read()).values()
    pairs = ((d.row, copied.get((d.check, d.row))) for d in rules if d.action == "drop")
    return sorted(
        row for row, other in pairs if other is not None and label_of[row] != label_of[other]
    )


def clean(store: Store, out: Path) -> Cleaned:
    """Write the manifest with all decisions applied.

    Args:
        store: The decisions.
        out: The new manifest.

    Raises:
        DataError: When ``out`` is the manifest itself or a ledger is another manifest's.
    """
    if out.resolve() == store.manifest.resolve():
        raise DataError(f"{out}: the original is never overwritten; name another file")
    standing, conflicts = merged(store)
    dropped: Counter[str] = Counter()
    relabelled: Counter[str] = Counter()

    def rows() -> Iterator[Sample]:
        for row, sample in read_rows(store.manifest, splits=list(Split)):
            decision = standing.get(row)
            if decision is None:
                yield sample
            elif decision.action == "drop":
                dropped[sample.split.value] += 1
            elif decision.action == "relabel" and decision.label != sample.label:
                relabelled[sample.split.value] += 1
                words = f"relabelled from {sample.label} by {_decided_by(decision)}"
                yield replace(sample, label=decision.label, decision=words)
            else:
                yield replace(sample, decision=f"kept by {_decided_by(decision)}")

    kept = write_manifest(
        out, rows(), manifest_labels(store.manifest), made=made_by("clean", [store.manifest])
    )
    return Cleaned(kept, dict(dropped), dict(relabelled), len(conflicts))


def _decided_by(decision: Decision) -> str:
    return f"{decision.reviewer} ({decision.check})" if decision.check else decision.reviewer
