"""Taking people out of results that were already written: by the number of their track."""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.card import ModelCard
from pyojeong.core.errors import DataError, OutputError
from pyojeong.core.face import FrameResult
from pyojeong.core.labels import label_set
from pyojeong.core.one_writer import one_writer
from pyojeong.core.track_edits import TrackEdits
from pyojeong.output.layouts.registry import is_layout_file, names_of_clip
from pyojeong.output.spreadsheet import is_marked
from pyojeong.output.table_rewriting import rewrite_tracks
from pyojeong.output.tables import TABLE_READERS
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.stream.segments import Selection
from pyojeong.stream.source import ClipFacts
from pyojeong.video.checkpoint import Ending
from pyojeong.video.clip_writing import write_summary
from pyojeong.video.coded_events.epoch import EventList
from pyojeong.video.epochs import read_epochs, without_tracks, write_epochs
from pyojeong.video.finished import read_finished, require_own, write_finished
from pyojeong.video.measured_epochs import MeasuredEpochs
from pyojeong.video.merge import drop_joined, joined_files
from pyojeong.video.options import CHECKPOINT, ENDINGS, EPOCHS, OUTPUTS, VideoOptions
from pyojeong.video.render import ProcessedClip, render
from pyojeong.video.summary import Summary

_SHOWN = (
    *("report.html", "annotated.mp4", "annotated.incomplete.mp4", "annotated.vtt"),
    *("events.vtt", "events.eaf", "events.tsv"),
)


def redact(folder: Path, tracks: Collection[int]) -> list[str]:
    """Remove people from a clip's results.

    Their faces leave the tables (the frames stay), the epochs, the files in layouts of other tools,
    the summary and the events; the report is made again without images; the annotated clip, which
    shows them, is deleted. Results that keep no rows lose the people's numbers, their events and
    the report. Tables that join several clips are deleted; the command that made them makes them
    again.

    What shows the people goes first. A redaction that was interrupted is written down, and the
    same call goes on with it; repeating a finished one changes nothing more.

    Args:
        folder: Of one clip's results.
        tracks: Numbers of the people.

    Returns:
        Names of the files that were rewritten or deleted.

    Raises:
        DataError: When the folder holds no finished results, or nobody of that number.
        OutputBusy: When another process writes into the folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    with one_writer(folder, folder=True):
        return _edit(folder, TrackEdits(removed=frozenset(map(int, tracks))))


def edit_people(folder: Path, edits: TrackEdits) -> list[str]:
    """Remove, join and name people, and exclude times, in a clip's results.

    Everything that is measured over people is computed again. Only reading the clip again brings
    back what is removed, joined or excluded; see ``redact`` for the rest.

    Args:
        folder: Of one clip's results, with tables.
        edits: For example what the player of the report saved.

    Returns:
        Names of the files that were rewritten or deleted.

    Raises:
        DataError: When the folder holds no finished results or no table, nobody of a number, or
            two people who shall be one are in a frame together.
        OutputBusy: When another process writes into the folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    with one_writer(folder, folder=True):
        return _edit(folder, edits)


def _edit(folder: Path, edits: TrackEdits) -> list[str]:
    done, summary_data = _finished(folder)
    known = {int(person["track_id"]) for person in summary_data["people"]}
    if "forgetting" in done:  # an interrupted call goes on with what it had begun
        edits = _both(edits, TrackEdits.from_dict(_as_edits(done["forgetting"])))
    _require_known(folder, edits, known, done)
    tracks = edits.removed
    asked = done["about"]["writing"]["formats"]
    tables = [name for name in asked if (folder / f"results.{ENDINGS[name]}").exists()]
    layouts = tuple(done["about"]["writing"].get("layouts") or ())
    left_over = names_of_clip(layouts, known - tracks)  # a file for nobody among them
    names = sorted({*(done.get("outputs") or OUTPUTS), *left_over})
    if "forgetting" not in done:
        require_own(folder, done, [n for n in names if (folder / n).exists()])
    _require_possible(folder, tables, edits)
    joined_files(folder.parent)  # one that was changed must stop this, too
    had_report = done.get("had_report", (folder / "report.html").exists())
    done |= {"forgetting": edits.to_dict(), "had_report": had_report}
    done["about"]["names"] = {**done["about"].get("names", {}), **edits.to_dict()["names"]}
    write_finished(folder, done, names)
    # First of all what shows the people. Tables of other runs do too, and the checkpoint, which is
    # there when an extra of the results failed. Files of the user stay.
    stale = [f"results.{e}" for n, e in ENDINGS.items() if n not in asked]
    remade = [*filter(is_layout_file, names), *([EPOCHS] if tables else [])]
    gone_first = [name for name in (*_SHOWN, *stale, *remade) if name in names]
    deleted = [name for name in (*gone_first, CHECKPOINT) if (folder / name).exists()]
    for name in deleted:
        (folder / name).unlink()
    joined = [f"../{name}" for name in drop_joined(folder.parent)]
    if tables:
        _rewrite(folder, tables, edits, done, report=had_report)
    else:
        _cut_out(folder, summary_data, tracks)
    left = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["people"]
    del done["forgetting"], done["had_report"]
    done["outcome"].pop("failed", None)
    done["outcome"]["people"] = len(left)
    _note(done["about"], edits)
    write_finished(folder, done, names)
    epochs = {EPOCHS} & set(names)
    changed = {*deleted, *epochs, "summary.json", *(f"results.{ENDINGS[t]}" for t in tables)}
    return [*sorted(changed - {CHECKPOINT}), *joined]


def _finished(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return ``done.json`` and ``summary.json``."""
    try:
        done = read_finished(folder) or {}
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        summary["people"], done["about"]["writing"]["formats"], done["outcome"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder}: holds no finished results of a clip; finish it first with the command it "
            "was begun with"
        ) from error
    return done, summary


def _card_of(done: dict[str, Any]) -> ModelCard:
    """Return the classifier's card, also when the model is no longer there."""
    if "card" in done:
        return ModelCard.from_json(json.dumps(done["card"]))
    return find_classifier(done["about"]["reading"]["models"][1]).card


def _answers_of(results: Iterable[FrameResult], card: ModelCard) -> dict[str, Any]:
    """Return what decided answers of versions that did not say so: the table's own threshold."""
    found = next((f.expression for r in results for f in r.faces if f.expression is not None), None)
    return {
        "output": "fer2013",
        "label_set": card.labels if found is None else found.label_set.id,
        "prior": "",
        "prior_shares": None,
        "threshold": card.threshold if found is None else found.threshold,
    }


def _rewrite(
    folder: Path,
    tables: list[str],
    edits: TrackEdits,
    done: dict[str, Any],
    *,
    report: bool,
) -> None:
    """Tables without these faces, and from the first of them everything else."""
    reading, writing = done["about"]["reading"], done["about"]["writing"]
    card = _card_of(done)
    first = folder / f"results.{ENDINGS[tables[0]]}"
    answers = reading.get("answers") or _answers_of(TABLE_READERS[tables[0]](first), card)
    labels = label_set(answers["label_set"])
    for name in tables:
        rewrite_tracks(name, folder / f"results.{ENDINGS[name]}", edits)
    events = writing.get("events")
    options = VideoOptions(
        selection=Selection(**reading["selection"]),
        formats=tuple(tables),
        layouts=tuple(writing.get("layouts") or ()),
        smooth_s=writing["smooth_s"],
        baseline_s=None if writing["baseline_s"] is None else tuple(writing["baseline_s"]),
        report=report,
        pictures=False,
        hold_s=writing["hold_s"],
        events=None if events is None else EventList.from_dict(events),
        excel=writing.get("excel", False),
        lang=writing.get("lang", "en"),
    )
    facts = ClipFacts(**done["facts"])
    names = {int(k): v for k, v in done["about"]["names"].items()}
    summary = Summary(labels, hold_s=writing["hold_s"], names=names)
    epochs = MeasuredEpochs(labels, options.events)
    for result in TABLE_READERS[tables[0]](first):
        summary.add(result)
        epochs.add(result)
    summary.finish()
    epochs.write(folder, summary, options, facts.duration_s)
    write_summary(folder, {**summary.to_dict(), **epochs.to_dict()}, answers, facts, options)
    ending = Ending(
        done["outcome"]["decoded"],
        done["outcome"].get("error", done["outcome"].get("complaint", "")),
    )
    processed = ProcessedClip(
        path=Path(done["path"]),
        folder=folder,
        summary=summary,
        results=lambda: TABLE_READERS[tables[0]](first),
        ending=ending,
        facts=facts,
        card=card,
        answers=answers,
        model_ids=reading["models"],
        epochs=epochs,
    )
    failed = render(processed, options).failed
    if failed:
        name, why = next(iter(failed.items()))
        raise OutputError(f"{folder / name}: could not be made again without these people: {why}")


def _require_known(folder: Path, edits: TrackEdits, known: set[int], done: dict[str, Any]) -> None:
    """Refuse numbers of nobody; who left or was joined before may be named again."""
    about = done["about"]
    gone = {*map(int, about.get("forgotten", ())), *map(int, about.get("merged", ()))}
    if "forgetting" in done:
        gone |= edits.people
    missing = sorted(edits.people - known - gone)
    if missing:
        people = ", ".join(map(str, sorted(known))) or "nobody"
        raise DataError(f"{folder}: no person {missing[0]} here; there are: {people}")


def _require_possible(folder: Path, tables: list[str], edits: TrackEdits) -> None:
    """Refuse a damaged table, or people together in a frame, before anything is changed."""
    if not tables and (edits.merged or edits.excluded):
        raise DataError(
            f"{folder}: joining people and excluding times need a table, and there is none"
        )
    for name in tables:
        for frame in TABLE_READERS[name](folder / f"results.{ENDINGS[name]}"):
            stay = [f.track_id for f in frame.faces if edits.keeps(f.track_id, frame.time_s)]
            edits.check_frame(frame.index, stay)


def _note(about: dict[str, Any], edits: TrackEdits) -> None:
    """Write down what was done."""
    about["forgotten"] = sorted({*map(int, about.get("forgotten", ())), *edits.removed})
    if edits.merged:
        merged = {**about.get("merged", {}), **{str(a): b for a, b in edits.merged.items()}}
        about["merged"] = merged
    if edits.excluded:
        about["excluded_s"] = [*about.get("excluded_s", ()), *map(list, edits.excluded)]


def _as_edits(begun: Any) -> Any:
    """Return the edits that an interrupted call had begun; earlier versions noted numbers only."""
    return begun if isinstance(begun, dict) else TrackEdits(removed=frozenset(begun)).to_dict()


def _both(one: TrackEdits, other: TrackEdits) -> TrackEdits:
    return TrackEdits(
        removed=one.removed | other.removed,
        merged={**one.merged, **other.merged},
        excluded=tuple(sorted({*one.excluded, *other.excluded})),
        names={**one.names, **other.names},
    )


def _cut_out(folder: Path, summary_data: dict[str, Any], tracks: Collection[int]) -> None:
    """Results without rows: numbers and events go, and what was drawn from them."""
    for part in ("people", "events"):
        summary_data[part] = [row for row in summary_data[part] if row["track_id"] not in tracks]
    if (folder / EPOCHS).exists():
        excel = is_marked(folder / EPOCHS)
        rows = without_tracks(read_epochs(folder / EPOCHS), tracks)
        write_epochs(folder / EPOCHS, rows, excel=excel)
    with atomic_write(folder / "summary.json", "w") as file:
        file.write(json.dumps(summary_data, indent=1) + "\n")
