"""The report of a curation: one HTML page with counts, distributions and contact sheets."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pyojeong._version import __version__
from pyojeong.core.output_files import require_new
from pyojeong.core.texts import Texts
from pyojeong.curate.decisions import merged, read_decision_log
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.findings import Finding, Store
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_picked, read_rows
from pyojeong.image.preprocess import Pixels
from pyojeong.output.page import Page

_BINS = 40
_BLANK = np.full((48, 48), 128, np.uint8)


def write_report(
    store: Store, out: Path, *, command: str = "", pictures: int = 24, lang: str = "en"
) -> Path:
    """Write ``report.html``.

    Args:
        store: Findings and decisions.
        out: Folder, or the name of the ``.html`` file.
        command: The command line that made it.
        pictures: Images per check, the worst first; 0 = none (a page that may be published where
            the data set's images may not).
        lang: Language of the page, one of ``core.texts.LANGUAGES``.

    Returns:
        The file.

    Raises:
        InputError: When there is no such language.
    """
    say = Texts("curation", lang)
    samples = list(read_rows(store.manifest, splits=list(Split), images=False))
    sample_of = dict(samples)
    page = Page(
        say("title", name=store.manifest.name),
        say(
            "lead",
            n=f"{len(samples):,}",
            version=__version__,
            time=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            id=store.manifest_id,
        ),
        say=say,
    )
    if command:
        page.code(command)
    _overview(page, store, sample_of, say)
    _classes(page, store, sample_of, say)
    for check in store.checks():
        _check(page, store, check, sample_of, pictures, say)
    _decisions(page, store, say)
    return page.write(require_report(out))


def require_report(out: Path) -> Path:
    """Return the file of a report; an earlier report may be replaced, other files not.

    Raises:
        OutputError: When there is a file of another kind.
    """
    file = out if out.suffix == ".html" else out / "report.html"
    require_new(file, unless=lambda data: b"pyojeong" in data)  # a report is made again
    return file


def _check_name(check: str, say: Texts) -> str:
    """Return the name of a check; options need the English one, which is beside the Korean."""
    name = say.messages.get(f"check.{check}", check)
    return check if say.language == "en" or name == check else f"{name} ({check})"


def _overview(page: Page, store: Store, sample_of: dict[int, Sample], say: Texts) -> None:
    page.section(say("found"))
    page.text(say("found.text"))
    rows = []
    anything: set[int] = set()
    for check in store.checks():
        flagged = store.flagged(check)
        anything |= {f.row for f in flagged}
        splits = Counter(sample_of[f.row].split for f in flagged)
        known = store.settings(check)
        name = _check_name(check, say)
        name = name if store.finished(check) else say("unfinished", name=name)
        rows.append(
            (name, f"{known['threshold']:.2f}", len(flagged), *(splits[s] for s in Split),
             say.said(known["states"], "state"))
        )  # fmt: skip
    heads = [say(f"head.{name}") for name in ("check", "from", "flagged", "means")]
    heads[3:3] = [say.split(s.value) for s in Split]
    page.table(heads, rows)
    share = len(anything) / max(len(sample_of), 1)
    page.text(say("flagged", n=f"{len(anything):,}", share=f"{share:.1%}"))


def _classes(page: Page, store: Store, sample_of: dict[int, Sample], say: Texts) -> None:
    standing, conflicts = merged(store)
    page.section(say("classes"))
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
        rows.append((say("all") if name == "all" else say.label(name), *cells))
    page.table((say("head.class"), *(say.split(s.value) for s in Split)), rows)
    page.text(say("standing", n=f"{len(standing):,}", disagree=f"{len(conflicts):,}"))


def _check(
    page: Page,
    store: Store,
    check: str,
    sample_of: dict[int, Sample],
    pictures: int,
    say: Texts,
) -> None:
    known = store.settings(check)
    threshold = float(known["threshold"])
    flagged = store.flagged(check)
    page.section(_check_name(check, say))
    states = say.said(known["states"], "state")
    page.text(say("meaning", states=states, threshold=f"{threshold:.2f}"))
    counts, _ = np.histogram(store.scores(check), bins=_BINS, range=(0, 1))
    page.histogram(
        counts.tolist(),
        threshold=threshold,
        legend=say("histogram"),
    )
    if not flagged:
        page.text(say("none"), quiet=True)
        return
    labels = manifest_labels(store.manifest).names
    everyone = Counter(s.label for s in sample_of.values())
    marked = Counter(sample_of[f.row].label for f in flagged)
    page.bars(
        [(say.label(n), everyone[n], marked[n]) for n in labels],
        legend=say("bars"),
    )
    if pictures:
        worst = sorted(flagged, key=lambda f: (-f.score, f.row))[:pictures]
        page.text(say("highest" if len(flagged) > len(worst) else "whole"))
        page.pictures(_sheet(store, worst, sample_of, say))


def _sheet(
    store: Store, findings: list[Finding], sample_of: dict[int, Sample], say: Texts
) -> Iterable[tuple[list[Pixels], str, str]]:
    rows = {f.row for f in findings} | {f.other for f in findings if f.other >= 0}
    picked = read_picked(store.manifest, rows)
    for finding in findings:
        shown = [_pixels(finding.row, picked)]
        if finding.other >= 0:
            shown.append(_pixels(finding.other, picked))
        sample = sample_of[finding.row]
        bold = say(
            "sample",
            name=sample.source or say("row", n=finding.row),
            expression=say.label(sample.label),
            split=say.split(sample.split.value),
        )
        yield shown, bold, f"{finding.score:.2f} {say.said(finding.reason, 'reason')}"


def _pixels(row: int, picked: dict[int, Sample]) -> Pixels:
    image = DecodedImage(row, picked[row]).image
    return _BLANK if image is None else image


def _decisions(page: Page, store: Store, say: Texts) -> None:
    page.section(say("decisions"))
    rows = []
    for file in sorted((store.folder / "decisions").glob("*.jsonl")):
        said = read_decision_log(file, manifest=store.manifest_id)
        actions = Counter(d.action for d in said)
        rows.append(
            (file.stem, *(actions[a] for a in ("keep", "drop", "relabel", "undo")), len(said))
        )
    if rows:
        words = [say(f"action.{name}") for name in ("keep", "drop", "relabel", "undo")]
        page.table((say("head.reviewer"), *words, say("head.lines")), rows)
    else:
        page.text(say("decisions.none", name=store.manifest.name))
