"""The report of a curation: one HTML page with counts, distributions and contact sheets."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pyojeong._version import __version__
from pyojeong.core.output_files import require_new
from pyojeong.curate.decisions import merged, read_decision_log
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.findings import Finding, Store
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_picked, read_rows
from pyojeong.image.preprocess import Pixels
from pyojeong.output.page import Page

_BINS = 40
_BLANK = np.full((48, 48), 128, np.uint8)


def write_report(store: Store, out: Path, *, command: str = "", pictures: int = 24) -> Path:
    """Write ``report.html``.

    Args:
        store: Findings and decisions.
        out: Folder, or the name of the ``.html`` file.
        command: The command line that made it.
        pictures: Images per check, the worst first; 0 = none (a page that may be published where
            the data set's images may not).

    Returns:
        The file.
    """
    samples = list(read_rows(store.manifest, splits=list(Split), images=False))
    sample_of = dict(samples)
    page = Page(
        f"Curation of {store.manifest.name}",
        f"{len(samples):,} images · pyojeong {__version__} · "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · data set {store.manifest_id}",
    )
    if command:
        page.code(command)
    _overview(page, store, sample_of)
    _classes(page, store, sample_of)
    for check in store.checks():
        _check(page, store, check, sample_of, pictures)
    _decisions(page, store)
    return page.write(require_report(out))


def require_report(out: Path) -> Path:
    """Return the file of a report; an earlier report may be replaced, other files not.

    Raises:
        OutputError: When there is a file of another kind.
    """
    file = out if out.suffix == ".html" else out / "report.html"
    require_new(file, unless=lambda data: b"pyojeong" in data)  # a report is made again
    return file


def _overview(page: Page, store: Store, sample_of: dict[int, Sample]) -> None:
    page.section("What the checks found")
    page.text(
        "Each check gives every image a score from 0 to 1; from its threshold on an image is "
        "suggested for a decision. A suggestion is not a verdict."
    )
    rows = []
    anything: set[int] = set()
    for check in store.checks():
        flagged = store.flagged(check)
        anything |= {f.row for f in flagged}
        splits = Counter(sample_of[f.row].split for f in flagged)
        known = store.settings(check)
        name = check if store.finished(check) else f"{check} (unfinished)"
        rows.append(
            (name, f"{known['threshold']:.2f}", len(flagged), *(splits[s] for s in Split),
             known["states"])
        )  # fmt: skip
    header = ("check", "from", "flagged", *(s.value for s in Split), "1 means")
    page.table(header, rows)
    share = len(anything) / max(len(sample_of), 1)
    page.text(f"{len(anything):,} images ({share:.1%}) were flagged by at least one check.")


def _classes(page: Page, store: Store, sample_of: dict[int, Sample]) -> None:
    standing, conflicts = merged(store)
    page.section("Before and after, by class")
    names = manifest_labels(store.manifest).names
    before = Counter((s.split, s.label) for s in sample_of.values())
    after: Counter[tuple[Split, str]] = Counter()
    for row, sample in sample_of.items():
        decision = standing.get(row)
        if decision is not None and decision.action == "drop":
            continue
        new = decision is not None and decision.action == "relabel"
        after[sample.split, decision.label if new and decision else sample.label] += 1
    rows: list[tuple[object, ...]] = []
    for name in (*names, "all"):
        wanted = names if name == "all" else (name,)
        cells = []
        for split in Split:
            was = sum(before[split, n] for n in wanted)
            now = sum(after[split, n] for n in wanted)
            cells.append(f"{was:,} → {now:,}" if was != now else f"{was:,}")
        rows.append((name, *cells))
    page.table(("class", *(s.value for s in Split)), rows)
    said = f"{len(standing):,} images have a decision that stands"
    page.text(f"{said}; reviewers disagree about {len(conflicts):,}.")


def _check(
    page: Page, store: Store, check: str, sample_of: dict[int, Sample], pictures: int
) -> None:
    known = store.settings(check)
    threshold = float(known["threshold"])
    flagged = store.flagged(check)
    page.section(check)
    page.text(f"A score of 1 says: {known['states']}. Suggested from {threshold:.2f} on.")
    counts, _ = np.histogram(store.scores(check), bins=_BINS, range=(0, 1))
    page.histogram(
        counts.tolist(),
        threshold=threshold,
        legend="Images by score (heights by square root); the dashed line is the threshold.",
    )
    if not flagged:
        page.text("Nothing was flagged.", quiet=True)
        return
    labels = manifest_labels(store.manifest).names
    everyone = Counter(s.label for s in sample_of.values())
    marked = Counter(sample_of[f.row].label for f in flagged)
    page.bars(
        [(n, everyone[n], marked[n]) for n in labels],
        legend="Images of each class, and how many of them were flagged.",
    )
    if pictures:
        worst = sorted(flagged, key=lambda f: (-f.score, f.row))[:pictures]
        page.text("The highest scores:" if len(flagged) > len(worst) else "All of them:")
        page.pictures(_sheet(store, worst, sample_of))


def _sheet(
    store: Store, findings: list[Finding], sample_of: dict[int, Sample]
) -> Iterable[tuple[list[Pixels], str, str]]:
    rows = {f.row for f in findings} | {f.other for f in findings if f.other >= 0}
    picked = read_picked(store.manifest, rows)
    for finding in findings:
        shown = [_pixels(finding.row, picked)]
        if finding.other >= 0:
            shown.append(_pixels(finding.other, picked))
        sample = sample_of[finding.row]
        bold = f"{sample.source or f'row {finding.row}'}: {sample.label}, {sample.split.value}"
        yield shown, bold, f"{finding.score:.2f} {finding.reason}"


def _pixels(row: int, picked: dict[int, Sample]) -> Pixels:
    image = DecodedImage(row, picked[row]).image
    return _BLANK if image is None else image


def _decisions(page: Page, store: Store) -> None:
    page.section("Decisions")
    rows = []
    for file in sorted((store.folder / "decisions").glob("*.jsonl")):
        said = read_decision_log(file, manifest=store.manifest_id)
        actions = Counter(d.action for d in said)
        rows.append(
            (file.stem, *(actions[a] for a in ("keep", "drop", "relabel", "undo")), len(said))
        )
    if rows:
        page.table(("reviewer", "keep", "drop", "relabel", "undo", "lines"), rows)
    else:
        page.text("None yet. Decide with: pyojeong data review " + store.manifest.name)
