"""Names and consoles of every kind: nothing stops a command, and no name is interpreted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyojeong.cli.app import main
from pyojeong.cli.console import as_markup, make_console
from pyojeong.cli.streams import one_line_warning
from pyojeong.core.errors import ImageWarning
from pyojeong.output.tables import read_csv, read_json, read_parquet
from pyojeong.runtime.golden import GOLDEN_PICTURE

CONSOLES = ("cp1252", "cp949", "ascii")
NAMES = (
    "😀.jpg",
    "שלום.jpg",
    "표정.jpg",
    "[red]x[bold].jpg",
    ":smile:.jpg",
    "<b>h.jpg",
    "e\x1b[31mr.jpg",
    "n\nl.jpg",
    "b\u202egpj.exe.jpg",
    "=1+1.jpg",
    "-x.jpg",
    "back\\.jpg",
    os.fsdecode("표정".encode("euc-kr")) + ".jpg",
    "a" * 251 + ".jpg",
)
INTERPRETED = ("\x1b", "\u202e", "😄")


def run(*args: object) -> int:
    """Exit code of the command, in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    return int(stop.value.code or 0)


def start(encoding: str, *args: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "200"}
    command = [sys.executable, "-m", "pyojeong", *map(str, args)]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("names")
    for name in NAMES:
        (root / name).write_bytes(GOLDEN_PICTURE.read_bytes())
    (root / "bro\x1b[31m[bold]ken.jpg").write_bytes(b"\xff\xd8\xff")
    return root


@pytest.mark.parametrize("encoding", CONSOLES)
@pytest.mark.parametrize("args", [("--help",), ("analyze", "--help"), ("models",)], ids=" ".join)
def test_help_and_output_on_any_console(encoding: str, args: tuple[str, ...]) -> None:
    done = start(encoding, *args)
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode(encoding)
    if args == ("--help",):
        assert ("표정" if encoding == "cp949" else r"\ud45c\uc815") in shown


@pytest.mark.parametrize("encoding", CONSOLES)
def test_json_on_any_console_is_json(encoding: str, folder: Path) -> None:
    done = start(encoding, "analyze", *(folder / n for n in NAMES[:3]), "-f", "json")
    assert done.returncode == 0
    assert done.stdout.isascii()
    names = {Path(json.loads(line)["source"]).name for line in done.stdout.splitlines()}
    assert names == set(NAMES[:3])
    assert start(encoding, "models", "--json").stdout.isascii()


def test_names_are_kept_as_data_and_never_interpreted(folder: Path, tmp_path: Path) -> None:
    formats = ("-f", "json", "-f", "csv", "-f", "parquet", "--annotate")
    done = start("utf-8", "analyze", ".", "--out", tmp_path, *formats, cwd=folder)
    assert done.returncode == 1  # one of them is broken
    shown = done.stdout.decode() + done.stderr.decode()
    assert not [c for c in INTERPRETED if c in shown]
    for name in ("😀.jpg", "[red]x[bold].jpg", ":smile:.jpg", r"e\x1b[31mr.jpg", r"n\nl.jpg"):
        assert name in shown
    assert r"b\u202egpj.exe.jpg" in shown
    assert r"back\.jpg" in shown
    assert r"\udcc7\udca5\udcc1\udca4.jpg" in shown or "ǥ" in shown
    assert r"failed bro\x1b[31m[bold]ken.jpg: is damaged" in shown
    found = {r.source for r in read_json(tmp_path / "results.jsonl")}
    assert set(NAMES) <= found
    escaped = {name.encode("utf-8", "backslashreplace").decode() for name in found}
    assert {r.source for r in read_csv(tmp_path / "results.csv")} == escaped
    assert {r.source for r in read_parquet(tmp_path / "results.parquet")} == escaped
    assert len(list((tmp_path / "annotated").iterdir())) == len(NAMES)


def test_csv_for_excel(folder: Path, tmp_path: Path) -> None:
    done = start("cp949", "analyze", "=1+1.jpg", "표정.jpg", "--excel", cwd=folder)
    assert done.stdout.startswith(b"\xef\xbb\xbfsource,")
    assert "\n'=1+1.jpg,0," in done.stdout.decode("utf-8")
    assert "\n표정.jpg,0," in done.stdout.decode("utf-8")
    assert run("analyze", folder / "=1+1.jpg", "--excel", "--out", tmp_path / "o") == 0
    assert (tmp_path / "o" / "results.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert not (tmp_path / "o" / "results.jsonl").exists()


@pytest.mark.parametrize(
    "args",
    [("analyze", "x", "--excel", "-f", "json"), ("video", "x", "-o", "o", "--excel", "-f", "json")],
)
def test_excel_is_for_csv(args: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*args) == 2
    assert "add --format csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ("no\x1b[31m[red]\nsuch",),
        ("webcam", "--size", "no\x1b[31m[red]\nsuch"),
        ("models", "--no\x1b[31m[red]such"),
        ("evaluate", "--data", "no\x1b[31m[red]\nsuch"),
        ("analyze", "no\x1b[31m[red]\nsuch"),
    ],
    ids=lambda args: args[0][:2],
)
def test_errors_show_arguments_and_interpret_nothing(
    args: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*args) in {1, 2}
    error = capsys.readouterr().err
    assert "\x1b" not in error
    assert r"no\x1b[31m[red]" in error
    assert "[red]\n" not in error


def test_a_console_interprets_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    make_console(width=80).print("[bold]x[/] " + as_markup("[bold]:smile:\x1b[0m"))
    assert capsys.readouterr().out == "x [bold]:smile:\\x1b[0m\n"
    make_console(width=80).print("forgotten \x1b[0m\u202e")  # a name that was not escaped
    assert capsys.readouterr().out == "forgotten \\x1b[0m\\u202e\n"


def test_warnings_about_pictures_are_one_line() -> None:
    assert one_line_warning("a\nb\x1b", ImageWarning) == "pyojeong: warning: a\\nb\\x1b\n"
