"""The run over a manifest: resumable, complete, and nothing is ever deleted."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyojeong.core.errors import DataError, ModelUnknown
from pyojeong.core.labels import FER7
from pyojeong.curate import curation
from pyojeong.curate.checks import CHECKS, build_check, parse_checks
from pyojeong.curate.cleaning import accept_suggestions, clean
from pyojeong.curate.curation import Plan, curate
from pyojeong.curate.decisions import Decision, DecisionLog
from pyojeong.curate.findings import Finding, Store
from pyojeong.curate.report import write_report
from pyojeong.curate.review.index import read_check
from pyojeong.datasets.samples import Sample, Split, manifest_id, read_manifest
from tests.curate.made import ASTRONAUT, COFFEE, face, noise, png, sample, write


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve rows: a face, its copies, things without a face, a broken file."""
    rows = [
        sample(face(96), "happy"),
        sample(face(96), "sad", Split.TEST),
        sample(face(48), "happy", Split.VALID),
        sample(noise(1), "angry"),
        sample(b"broken", "fear"),
        sample(COFFEE, "neutral"),
        sample(np.zeros((48, 48), np.uint8), "disgust"),
        sample(ASTRONAUT, "happy", votes=(0, 0, 0, 9, 1, 0, 0, 0, 0, 0)),
        *(sample(noise(i), "sad") for i in range(2, 6)),
    ]
    return write(tmp_path_factory.mktemp("curation") / "set.parquet", rows)


@pytest.fixture(scope="module")
def curated(manifest: Path) -> Store:
    store = Store.beside(manifest)
    curate(store, Plan(parse_checks(["default"]), {}, jobs=2))
    return store


def test_every_default_check_ran_and_found_what_was_planted(curated: Store) -> None:
    assert set(curated.checks()) == set(parse_checks(["default"]))
    assert all(curated.finished(c) for c in curated.checks())

    def flagged(check: str) -> set[int]:
        return {f.row for f in curated.flagged(check)}

    assert flagged("unreadable") == {4}
    assert flagged("exact-copy") == {0}
    assert flagged("flat") == {6}
    assert flagged("badly-exposed") == {6}
    assert flagged("votes-disagree") == {7}
    assert {3, 5, 6, 8, 9, 10, 11} <= flagged("no-face")
    assert not {0, 1, 2, 7} & flagged("no-face")
    assert not {0, 1, 2, 7} & flagged("turned")
    assert not {0, 1, 2, 7} & (flagged("eyes-covered") | flagged("mouth-covered"))


def test_picture_checks_score_every_row_and_scores_are_shares(curated: Store) -> None:
    for check in curated.checks():
        scores = curated.scores(check)
        assert scores.shape == (12,)
        assert 0 <= scores.min() <= scores.max() <= 1
        if hasattr(CHECKS[check], "check_image"):
            assert [f.row for f in curated.findings(check)] == list(range(12))


def test_one_process_or_two_give_the_same(manifest: Path, curated: Store, tmp_path: Path) -> None:
    single = Store(tmp_path / "one", manifest)
    curate(single, Plan(parse_checks(["no-face", "blurred", "near-copy"]), {}, jobs=1))
    for check in single.checks():
        assert single.findings(check) == curated.findings(check)


def test_an_interrupted_run_goes_on(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curation, "PIECE", 4)
    store = Store(tmp_path / "s", manifest)
    plan = Plan(parse_checks(["flat"]), {}, jobs=1)
    curate(store, plan)
    folder = store.part_folder("flat")
    whole = store.findings("flat")
    parts = sorted(folder.glob("part-*.parquet"))
    assert len(parts) == 3
    (folder / "done.json").unlink()
    parts[1].unlink()
    kept = parts[0].stat().st_mtime_ns
    seen: list[tuple[str, int, int]] = []
    curate(store, plan, tick=lambda *args: seen.append(args))
    assert store.findings("flat") == whole
    assert parts[0].stat().st_mtime_ns == kept
    assert seen[0] == ("pictures", 8, 12)
    assert seen[-1] == ("pictures", 12, 12)
    seen.clear()
    curate(store, plan, tick=lambda *args: seen.append(args))
    assert seen == []


def test_old_findings_stay_until_new_ones_are_complete(manifest: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s", manifest)
    curate(store, Plan(parse_checks(["small"]), {"least_px": 32}, jobs=1))
    before = store.findings("small")
    check = build_check("small", None, {"least_px": 300})
    store.start(check)
    store.add_part("small", "00000000", [Finding(row=0, check="small", score=1.0)])
    assert store.due("small")
    assert store.findings("small") == before  # half of the new ones is shown to nobody
    assert store.finished("small")
    store.finish("small", {"rows": 12})
    assert [f.score for f in store.findings("small")] == [1.0]
    assert not store.due("small")


def test_a_run_that_was_killed_before_its_findings_took_their_place(
    manifest: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "s", manifest)
    curate(store, Plan(parse_checks(["small"]), {"least_px": 32}, jobs=1))
    check = build_check("small", None, {"least_px": 300})
    store.start(check)
    store.add_part("small", "00000000", [Finding(row=0, check="small", score=1.0)])
    later = store.folder / "findings" / ".small-next"
    (later / "done.json").write_text('{"rows": 12}')
    store.start(check)
    assert not later.exists()
    assert [f.score for f in store.findings("small")] == [1.0]
    store.start(build_check("small", None, {"least_px": 100}))
    store.start(check)  # asked for again before the other one was complete
    assert not later.exists()
    assert not store.due("small")


def test_other_settings_run_again_and_the_old_findings_step_aside(
    manifest: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "s", manifest)
    curate(store, Plan(parse_checks(["small"]), {"least_px": 32}, jobs=1))
    before = store.findings("small")
    curate(store, Plan(parse_checks(["small"]), {"least_px": 64}, jobs=1))
    assert store.findings("small") != before
    assert list((store.folder / "findings" / ".small-1").glob("part-*.parquet"))


def test_another_threshold_does_not_run_again(manifest: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s", manifest)
    curate(store, Plan(parse_checks(["small"]), {}, jobs=1))
    many = len(store.flagged("small"))
    curate(store, Plan(parse_checks(["small=0"]), {}, jobs=1))
    assert not (store.folder / "findings" / ".small-1").exists()
    assert len(store.flagged("small")) == 12 > many


def test_findings_of_other_votes_are_made_again(tmp_path: Path) -> None:
    def table(*votes: int) -> Path:
        rows = [sample(noise(i, 16), "happy", votes=(0, 9, 0, votes[i], *[0] * 6)) for i in (0, 1)]
        return write(tmp_path / "set.parquet", rows)

    store = Store.beside(table(0, 0))
    checks = ["votes-disagree", "small"]
    curate(store, Plan(parse_checks(checks), {}, jobs=1))
    assert accept_suggestions(store, parse_checks(["votes-disagree"])) == 0
    small = (store.folder / "findings" / "small" / "done.json").stat().st_mtime_ns
    store = Store.beside(table(0, 200))
    for use in (
        lambda: accept_suggestions(store, parse_checks(["votes-disagree"])),
        lambda: store.flagged("votes-disagree"),
        lambda: write_report(store, tmp_path / "report.html"),
        lambda: read_check(store, "votes-disagree", FER7),
    ):
        with pytest.raises(DataError, match=r"votes or groups were others: run .*votes-disagree"):
            use()
    curate(store, Plan(parse_checks(checks), {}, jobs=1))
    assert [f.row for f in store.flagged("votes-disagree")] == [1]
    assert accept_suggestions(store, parse_checks(["votes-disagree"])) == 1
    assert (store.folder / "findings" / "small" / "done.json").stat().st_mtime_ns == small
    (kept,) = (store.folder / "findings").glob(".votes-disagree-*")
    assert list(kept.glob("part-*.parquet"))


def test_a_lower_threshold_says_where_reasons_are_missing(manifest: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s", manifest)
    curate(store, Plan(parse_checks(["small=0.9"]), {}, jobs=1))
    before = {f.row: f.reason for f in store.flagged("small")}
    assert all(before.values())
    curate(store, Plan(parse_checks(["small=0.01"]), {}, jobs=1))
    later = {f.row: f.reason for f in store.flagged("small")}
    assert len(later) > len(before)
    for row, reason in later.items():
        said = "below 0.9, the threshold when the check ran: no reason was kept"
        assert reason == before[row] if row in before else reason.startswith(said)
    assert read_check(store, "small", FER7).reasons == later
    curate(store, Plan(parse_checks(["small=0.95"]), {}, jobs=1))
    assert all(f.reason in before.values() for f in store.flagged("small"))
    shutil.rmtree(store.part_folder("small"))
    curate(store, Plan(parse_checks(["small=0.01"]), {}, jobs=1))
    assert not any("no reason was kept" in f.reason for f in store.flagged("small"))


def test_clean_applies_decisions_and_leaves_the_original(manifest: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s", manifest)
    curate(store, Plan(parse_checks(["exact-copy", "unreadable", "votes-disagree"]), {}, jobs=1))
    before = manifest.read_bytes()
    names = parse_checks(["exact-copy", "unreadable", "votes-disagree"])
    assert accept_suggestions(store, names) == 3
    assert accept_suggestions(store, names) == 3  # again: the same, not twice
    DecisionLog(store, "kim").add([Decision(row=4, action="keep", reviewer="kim")])
    out = tmp_path / "clean.parquet"
    done = clean(store, out)
    assert manifest.read_bytes() == before
    assert (done.kept, done.dropped, done.relabelled) == (11, {"train": 1}, {"train": 1})
    rows = list(read_manifest(out, splits=list(Split)))
    assert [r.source for r in rows] == [f"made:{i}" for i in range(1, 12)]
    by_source = {r.source: r for r in rows}
    assert by_source["made:4"].decision == "kept by kim"
    assert by_source["made:7"].label == "sad"
    assert by_source["made:7"].decision == "relabelled from happy by rule (votes-disagree)"
    assert manifest_id(out) != manifest_id(manifest)


def test_rules_leave_valid_and_test_alone_unless_told(manifest: Path, tmp_path: Path) -> None:
    rows = [sample(noise(1), split=s) for s in (Split.TEST, Split.TEST, Split.VALID)]
    path = write(tmp_path / "m.parquet", rows)
    store = Store.beside(path)
    curate(store, Plan(parse_checks(["exact-copy"]), {}, jobs=1))
    assert accept_suggestions(store, {"exact-copy": None}) == 0
    assert accept_suggestions(store, {"exact-copy": None}, splits=[Split.VALID]) == 1


def test_clean_refuses_to_overwrite_and_names_unrun_checks(manifest: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s", manifest)
    with pytest.raises(DataError, match="never overwritten"):
        clean(store, manifest)
    with pytest.raises(DataError, match="data curate --checks blurred"):
        accept_suggestions(store, {"blurred": None})


def test_check_names_and_thresholds_are_parsed() -> None:
    assert parse_checks(["flat=0.5,no-face", "flat"]) == {"flat": 0.5, "no-face": None}
    assert "label-issue" not in parse_checks(["default"])
    with pytest.raises(ModelUnknown, match="blurred"):
        parse_checks(["blured"])
    for wrong in ("flat=2", "flat=high", "flat="):
        with pytest.raises(DataError, match="from 0 to 1"):
            parse_checks([wrong])


@pytest.mark.parametrize("name", [n for n in CHECKS if n != "label-issue"])
def test_every_check_says_what_it_states(name: str) -> None:
    check: Any = build_check(name, 0.25, {})
    assert check.name == name
    assert check.threshold == 0.25
    assert check.states
    assert check.settings()["version"] >= 1
    assert hasattr(check, "check_image") != hasattr(check, "check_table")


def test_the_report_is_one_file_with_and_without_pictures(curated: Store, tmp_path: Path) -> None:
    DecisionLog(curated, "kim").add([Decision(row=3, action="drop", reviewer="kim")])
    file = write_report(curated, tmp_path, command="pyojeong data curate set.parquet")
    text = file.read_text(encoding="utf-8")
    assert file.name == "report.html"
    assert "pyojeong data curate set.parquet" in text
    assert text.count("data:image/jpeg;base64,") > 10
    assert "could not be decoded" in text
    for outside in ("http://", "https://", "<script", 'src="/'):
        assert outside not in text
    bare = write_report(curated, tmp_path / "bare.html", pictures=0).read_text(encoding="utf-8")
    assert "data:image" not in bare
    for check in curated.checks():
        assert check in bare


def test_only_leaks_can_be_accepted(tmp_path: Path) -> None:
    one, two = noise(1), noise(2)
    rows = [sample(one), sample(one, split=Split.TEST), sample(two), sample(two)]
    path = write(tmp_path / "m.parquet", rows)
    store = Store.beside(path)
    curate(store, Plan(parse_checks(["exact-copy"]), {}, jobs=1))
    assert accept_suggestions(store, {"exact-copy": None}, leaks_only=True) == 1
    assert accept_suggestions(store, {"exact-copy": None}) == 2
    done = clean(store, tmp_path / "clean.parquet")
    assert (done.kept, done.dropped) == (2, {"train": 2})


def test_a_dying_worker_is_one_line_and_the_next_run_goes_on(
    manifest: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "s", manifest)
    with pytest.raises(DataError, match="run the same command again to resume"):
        curate(store, Plan({"flat": None}, {"detector": _Deadly()}, jobs=1))
    curate(store, Plan({"flat": None}, {}, jobs=1))
    assert store.finished("flat")


class _Deadly:
    """Kills the process that unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


def test_missing_files_are_checked_when_they_are_back(tmp_path: Path) -> None:
    rows = []
    for i in range(4):
        path = tmp_path / f"{i}.png"
        path.write_bytes(b"broken" if i == 3 else png(noise(i)))
        rows.append(Sample(label="sad", split=Split.TRAIN, path=str(path), source=path.name))
    store = Store.beside(write(tmp_path / "set.parquet", rows))
    plan = Plan(parse_checks(["unreadable", "exact-copy"]), {}, jobs=1)
    (tmp_path / "1.png").rename(tmp_path / "away.png")
    curate(store, plan)
    assert [f.row for f in store.findings("unreadable")] == [0, 2, 3]
    assert [f.row for f in store.flagged("unreadable")] == [3]
    assert not store.finished("unreadable")
    assert not store.finished("exact-copy")
    (tmp_path / "away.png").rename(tmp_path / "1.png")
    curate(store, plan)
    assert [f.row for f in store.findings("unreadable")] == [0, 1, 2, 3]
    assert [f.row for f in store.flagged("unreadable")] == [3]
    assert store.finished("unreadable")
    assert store.finished("exact-copy")
