"""Ledgers: durable, append-only, several reviewers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyojeong.core.errors import DataError, ManifestInvalid, OutputError
from pyojeong.core.labels import FER7
from pyojeong.curate.decisions import (
    Decision,
    DecisionLog,
    latest_decisions,
    merged,
    read_decision_log,
)
from pyojeong.curate.findings import Store
from pyojeong.datasets.samples import Sample, Split, write_manifest


def make(folder: Path, *, label: str = "sad") -> Store:
    folder.mkdir(exist_ok=True)
    rows = [
        Sample(label=label, split=Split.TRAIN, path=f"{i}.png", source=f"{i}") for i in range(10)
    ]
    write_manifest(folder / "set.parquet", rows, FER7)
    return Store.beside(folder / "set.parquet")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make(tmp_path)


def word(row: int, action: str, label: str = "", *, final: bool = False) -> Decision:
    return Decision(row=row, action=action, label=label, reviewer="", final=final)


def test_decisions_come_back_with_name_and_time(store: Store) -> None:
    ledger = DecisionLog(store, "anna")
    written = ledger.add([word(1, "drop"), word(2, "relabel", "happy")])
    assert [d.reviewer for d in written] == ["anna", "anna"]
    assert written[0].time.endswith("+00:00")
    assert ledger.read() == DecisionLog(store, "anna").read() == written


def test_undo_goes_back_step_by_step(store: Store) -> None:
    ledger = DecisionLog(store, "anna")
    ledger.add([word(1, "drop"), word(1, "relabel", "happy"), word(2, "keep")])
    ledger.add([word(1, "undo")])
    assert {r: d.says for r, d in latest_decisions(ledger.read()).items()} == {
        1: ("drop", ""),
        2: ("keep", ""),
    }
    ledger.add([word(1, "undo"), word(1, "undo"), word(3, "undo")])
    assert list(latest_decisions(ledger.read())) == [2]
    ledger.add([word(1, "keep")])
    assert latest_decisions(ledger.read())[1].says == ("keep", "")


@pytest.mark.parametrize("cut", [1, 2, 20, 70])
def test_a_torn_last_line_is_lost_alone(store: Store, cut: int) -> None:
    ledger = DecisionLog(store, "표정-anna")
    ledger.add([word(1, "drop"), word(2, "keep")])
    ledger.file.write_bytes(ledger.file.read_bytes()[:-cut])
    assert [d.row for d in ledger.read()] == [1]
    DecisionLog(store, "표정-anna").add([word(3, "keep"), word(4, "keep")])
    # a line that lacks nothing but its end is whole once something follows
    assert [d.row for d in ledger.read()] == [1, 3, 4]


@pytest.mark.parametrize("left", [0, 1, 30])
def test_a_torn_first_line_is_written_anew(store: Store, left: int) -> None:
    file = DecisionLog(store, "anna").file
    file.write_bytes(file.read_bytes()[:left])
    assert read_decision_log(file, manifest=store.manifest_id) == []
    assert merged(store) == ({}, [])
    ledger = DecisionLog(store, "anna")
    ledger.add([word(1, "drop")])
    assert [d.row for d in ledger.read()] == [1]


@pytest.mark.parametrize("text", ["nonsense", "nonsense\n", "[]\n", "{}\n", "\n"])
def test_other_files_are_no_ledgers(store: Store, text: str) -> None:
    file = store.folder / "decisions" / "anna.jsonl"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ManifestInvalid, match="is not a file of decisions"):
        DecisionLog(store, "anna")
    assert file.read_text() == text


@pytest.mark.parametrize("bad", [{"row": "3"}, {"action": "x"}, None, [], 5, {}])
def test_lines_of_a_newer_or_foreign_hand(store: Store, bad: object) -> None:
    ledger = DecisionLog(store, "anna")
    ledger.add([word(1, "drop")])
    known = json.loads(ledger.file.read_text().splitlines()[1])
    del known["crc32"]
    with ledger.file.open("a") as file:
        file.write(json.dumps({**known, "row": 2, "mood": "new"}) + "\n")
    assert [d.row for d in ledger.read()] == [1, 2]
    line = {**known, **bad} if isinstance(bad, dict) and bad else bad
    with ledger.file.open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(ManifestInvalid, match=r"line 4 is damaged .*remove the line"):
        ledger.read()


def test_damaged_lines_are_named_and_those_of_version_1_skip_what_a_crash_tore(store) -> None:
    ledger = DecisionLog(store, "anna")
    ledger.add([word(1, "drop"), word(2, "keep"), word(3, "keep")])
    whole = ledger.file.read_bytes()
    ledger.file.write_bytes(whole.replace(b'"row": 2', b'"row": 6'))
    with pytest.raises(ManifestInvalid, match=r"anna\.jsonl: line 3 is damaged .*checksum"):
        ledger.read()
    head = {"pyojeong.decisions": 1, "manifest_id": store.manifest_id}
    old = [head, {"row": 1, "action": "drop", "reviewer": "anna"}]
    text = "".join(json.dumps(line) + "\n" for line in old)
    ledger.file.write_text(text + '{"row": 2, "act\n' + text.split("\n")[1] + "\n")
    assert [d.row for d in ledger.read()] == [1, 1]
    DecisionLog(store, "anna").add([word(4, "keep")])
    assert [d.row for d in ledger.read()] == [1, 1, 4]


def test_two_who_agree_and_two_who_do_not(store: Store) -> None:
    DecisionLog(store, "anna").add(
        [word(1, "drop"), word(2, "drop"), word(3, "relabel", "sad"), word(4, "keep")]
    )
    DecisionLog(store, "ben").add([word(1, "drop"), word(2, "keep"), word(3, "relabel", "fear")])
    standing, conflicts = merged(store)
    assert {r: d.action for r, d in standing.items()} == {1: "drop", 4: "keep"}
    assert [c.row for c in conflicts] == [2, 3]
    assert [d.reviewer for d in conflicts[0].decisions] == ["anna", "ben"]


def test_final_settles_until_it_is_undone(store: Store) -> None:
    anna, ben = DecisionLog(store, "anna"), DecisionLog(store, "ben")
    anna.add([word(1, "drop")])
    ben.add([word(1, "keep")])
    ben.add([word(1, "relabel", "fear", final=True)])
    standing, conflicts = merged(store)
    assert (standing[1].says, conflicts) == (("relabel", "fear"), [])
    anna.add([word(1, "drop")])
    assert merged(store)[0][1].says == ("relabel", "fear")
    ben.add([word(1, "undo")])
    assert [c.row for c in merged(store)[1]] == [1]


def test_the_latest_final_word_wins(store: Store, tmp_path: Path) -> None:
    for name, action, time in (("anna", "drop", "2024-02-01"), ("ben", "keep", "2024-01-01")):
        file = DecisionLog(store, name).file
        line = {"row": 1, "action": action, "reviewer": name, "time": time, "final": True}
        with file.open("a") as opened:
            opened.write(json.dumps(line) + "\n")
    assert merged(store)[0][1].says == ("drop", "")


def test_a_person_stands_above_rules(store: Store) -> None:
    DecisionLog(store, "rule").add([word(1, "drop"), word(2, "drop"), word(3, "drop")])
    DecisionLog(store, "anna").add([word(1, "keep"), word(2, "keep")])
    DecisionLog(store, "ben").add([word(2, "drop")])
    standing, conflicts = merged(store)
    assert {r: d.action for r, d in standing.items()} == {1: "keep", 3: "drop"}
    assert [c.row for c in conflicts] == [2]


def test_ledgers_of_another_data_set_are_refused(store: Store, tmp_path: Path) -> None:
    other = make(tmp_path / "other", label="happy")
    file = DecisionLog(other, "anna").file
    target = store.folder / "decisions" / "anna.jsonl"
    target.parent.mkdir()
    target.write_bytes(file.read_bytes())
    for look in (lambda: DecisionLog(store, "anna"), lambda: merged(store)):
        with pytest.raises(DataError, match="about another data set"):
            look()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".x", "-x", "a b", "x" * 41, "a\n"])
def test_names_that_are_no_file_names(store: Store, name: str) -> None:
    with pytest.raises(DataError, match="reviewer"):
        DecisionLog(store, name)


def test_wrong_decisions_are_not_written(store: Store) -> None:
    ledger = DecisionLog(store, "anna")
    with pytest.raises(DataError, match="has 10 rows"):
        ledger.add([word(1, "keep"), word(10, "keep")])
    assert ledger.read() == []
    for action, label in (("burn", ""), ("relabel", ""), ("keep", "sad")):
        with pytest.raises(DataError):
            word(1, action, label)


def test_a_full_disk_leaves_nothing_half(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = DecisionLog(store, "anna")
    before = ledger.file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            ledger.add([word(1, "keep")])
    assert ledger.file.read_bytes() == before


KILLED = """
import sys
from pathlib import Path
from pyojeong.curate.decisions import Decision, DecisionLog
from pyojeong.curate.findings import Store
ledger = DecisionLog(Store.beside(Path(sys.argv[1])), "anna")
for n in range(10**9):
    rows = [n % 10, (n + 1) % 10]
    ledger.add([Decision(row=r, action="keep", reviewer="", check=str(n)) for r in rows])
    print(n, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(store: Store) -> None:
    acknowledged = -1
    for round_ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(store.manifest)],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for _ in range(20 + 7 * round_):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            tail = process.stdout.read().split()
        counted = 20 + 7 * round_ + len(tail)
        decisions = DecisionLog(store, "anna").read()
        here = [int(d.check) for d in decisions[acknowledged + 1 :]]
        for n in range(counted):
            assert here.count(n) == 2
        acknowledged = len(decisions) - 1
        DecisionLog(store, "anna").add([word(0, "drop")])  # the file can be gone on with
        acknowledged += 1
