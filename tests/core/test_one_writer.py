"""One writer per output; locks that end with their process; stale files that go."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pyojeong.core.atomic_write import GrowingFile, atomic_write, remove_stale
from pyojeong.core.errors import OutputBusy, OutputError
from pyojeong.core.one_writer import LOCK, claimed, one_writer

HOLD = """
import sys
from pathlib import Path
from pyojeong.core.one_writer import claimed, one_writer
{context}
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(context: str) -> "subprocess.Popen[str]":
    """Start a process that holds a lock until its input ends or it is killed."""
    code = HOLD.format(context=textwrap.dedent(context))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: "subprocess.Popen[str]", *, kill: bool = False) -> None:
    if kill:
        process.kill()
    process.communicate(timeout=20)


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("kill", [False, True])
def test_a_second_writer_is_refused_until_the_first_has_ended(tmp_path, folder, kill):
    out = tmp_path / "out"
    first = holding(f"with one_writer(Path({str(out)!r}), folder={folder}):")
    try:
        words = rf"out: another process \(number {first.pid}\)"
        with pytest.raises(OutputBusy, match=words), one_writer(out, folder=folder):
            pass
    finally:
        end(first, kill=kill)
    with one_writer(out, folder=folder):
        pass
    # Only a process that was killed leaves a folder.
    assert list(tmp_path.rglob("*")) == ([out] if kill and folder else [])


def test_a_link_and_its_target_are_one_output(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real, link = tmp_path / "real", tmp_path / "link"
    with (
        one_writer(real, folder=True),
        pytest.raises(OutputBusy),
        one_writer(link, folder=True),
    ):
        pass
    (tmp_path / "table").write_text("")
    (tmp_path / "other").symlink_to(tmp_path / "table")
    table, other = tmp_path / "table", tmp_path / "other"
    with one_writer(table), pytest.raises(OutputBusy), one_writer(other):
        pass


def test_what_was_written_stays_and_the_lock_goes(tmp_path):
    with one_writer(tmp_path / "a" / "b", folder=True):
        (tmp_path / "a" / "b" / "result").write_text("x")
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["result"]


def test_clips_of_others_do_not_disturb(tmp_path):
    out = tmp_path / "out"
    first = holding(f"with claimed(Path({str(out)!r}), ['a.mp4', 'b.mp4']):")
    try:
        with claimed(out, ["c.mp4"]):
            pass
        with pytest.raises(OutputBusy, match=r"results of b\.mp4"), claimed(out, ["b.mp4", "c"]):
            pass
    finally:
        end(first, kill=True)
    with claimed(out, ["b.mp4"]):
        pass
    assert list(tmp_path.rglob("*")) == [out]  # a process that is killed leaves the folder


def test_many_processes_in_turn(tmp_path):
    """A counter in a file is right although ten processes raise it with the same lock."""
    code = """
    import sys, time
    from pathlib import Path
    from pyojeong.core.errors import OutputBusy
    from pyojeong.core.one_writer import one_writer
    file = Path(sys.argv[1])
    done = 0
    while done < 20:
        try:
            with one_writer(file):
                file.write_text(str(int(file.read_text()) + 1))
            done += 1
        except OutputBusy:
            time.sleep(0.001)
    """
    file = tmp_path / "count"
    file.write_text("0")
    command = [sys.executable, "-c", textwrap.dedent(code), str(file)]
    processes = [subprocess.Popen(command) for _ in range(6)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 6
    assert file.read_text() == "120"
    assert [p.name for p in tmp_path.iterdir()] == ["count"]


def test_files_without_a_lock_are_refused_as_outputs(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"), one_writer(tmp_path / "file" / "x"):
        pass
    file = tmp_path / "file"
    with pytest.raises(OutputError, match="cannot write"), one_writer(file, folder=True):
        pass


def test_temporary_files_of_dead_processes_go(tmp_path):
    code = """
    import os, sys
    from pathlib import Path
    from pyojeong.core.atomic_write import GrowingFile
    GrowingFile(Path(sys.argv[1])).append("half")
    GrowingFile(Path(sys.argv[1]).with_name("other")).append("half")
    os.kill(os.getpid(), 9)
    """
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(out)], check=False)
    alive = GrowingFile(out)
    (tmp_path / ".out.1234abcd.part").write_text("of a user")
    assert len(list(tmp_path.iterdir())) == 4
    remove_stale(tmp_path, name="out")
    assert len(list(tmp_path.iterdir())) == 3
    with one_writer(tmp_path, folder=True):
        assert {p.name for p in tmp_path.iterdir()} == {alive.path.name, ".out.1234abcd.part", LOCK}
    alive.discard()


def test_a_temporary_file_of_another_machine_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("pyojeong.core.atomic_write._HOST", "000000")
    with atomic_write(tmp_path / "a") as file:
        foreign = Path(file.name)
    foreign.write_text("half")
    monkeypatch.undo()
    remove_stale(tmp_path)
    assert foreign.exists()
