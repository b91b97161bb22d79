"""Every snippet of the documents runs, or is named in a table here with the reason why it does not.

The English pages count; another test holds the Korean ones to the same code. A page's blocks run in
their order in one folder (``snippet_files``), a statement of a shell at a time.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from typer.main import get_command

from pyojeong.cli.app import app
from tests.house.snippet_files import make_folder

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if (ROOT / "docs" / "ko") not in page.parents]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)

# --- what does not run: page -> beginning of a statement -> why ---

INSTALLS = "installs packages"
CAMERA = "needs a camera"
GPU = "needs a GPU"
HOURS = "hours of training on data that are not here"
CLUSTER = "needs a cluster, or a folder that several machines share"
CONTAINER = "needs docker"
ELSEWHERE = "another test runs it: "
NO_COMMAND = "no command: "

EVERYWHERE = {"pip install": INSTALLS}
NOT_RUN = {
    "README.md": {
        "make demo": INSTALLS,
        "make test": INSTALLS,
        "make site": ELSEWHERE + "tests/house/test_site.py",
    },
    "docs/benchmarks/model-fer2013.md": {"pyojeong": HOURS, "python": HOURS},
    "docs/benchmarks/model.md": {"pyojeong": HOURS, "python": HOURS},
    "docs/benchmarks/votes.md": {"pyojeong": HOURS, "python": HOURS},
    "docs/devices.md": {"pyojeong analyze photos --device cuda": GPU, "python benchmarks/gpu": GPU},
    "docs/index.md": {"train/happy/*.jpg": NO_COMMAND + "names of files"},
    "docs/live.md": {
        "pyojeong webcam": CAMERA,
        "[multicast]": ELSEWHERE + "tests/serve/test_lsl.py",
    },
    "docs/page.md": {"make page": INSTALLS},
    "docs/project2021.md": {"pyojeong webcam": CAMERA},
    "docs/scale.md": {
        "pyojeong analyze list.parquet --out /shared": CLUSTER,
        "pyojeong video clips/ --out /shared": CLUSTER,
        "torchrun": CLUSTER,
        "head=": CLUSTER,
        "srun": CLUSTER,
        "spec:": CLUSTER,
    },
    "docs/serve.md": {
        "": ELSEWHERE + "tests/serve/test_api_docs.py",
        "docker compose": CONTAINER,
    },
}

# --- what runs with a change, so that it ends in seconds: text -> text in its place ---

CHANGED = {
    "--data faces --runs runs": "--data faces --runs runs --limit 12 --epochs 1",
    "--data faces --groups": "--limit 12 --epochs 1 --data faces --groups",
    "--processes 2": "--processes 2 --epochs 1",
    "--folds 5": "--folds 5 --epochs 1",
    "--devices 2": "--devices 2 --epochs 1",
    "--data your-folder --runs runs": "--data your-folder --runs runs --limit 12 --epochs 1",
    "--engine ray --jobs 8": "--engine ray --jobs 2",
    "pyojeong data review": "pyojeong data review --no-open",
    "pyojeong webcam --source": "pyojeong webcam --no-open --port 0 --source",
    "--directory site/page 8000": "--directory site/page 0",
}
SERVERS = ("pyojeong webcam --source", "pyojeong data review", "python -m http.server")
"""Commands that go on until they are stopped: they are, when they say their address."""

BEFORE = {
    # page: what its text assumes
    "docs/scale.md": [
        *(f"pyojeong analyze list.parquet --out out/{i} --shard {i}/4" for i in (1, 3, 4)),
        "pyojeong data import fer2013.csv --out set.parquet",
    ],
    "docs/video.md": ["pyojeong video walk.mp4 --out results"],
}


def statements(text: str) -> Iterator[str]:
    """Yield the statements of a shell, without comments; lines may be continued."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        bare = re.sub(r"(^|\s+)#.*", "", line).strip()
        if bare:
            yield bare


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def reason(page: Path, statement: str) -> str | None:
    """Why a statement does not run; None = it does."""
    if any(statement.startswith(server) for server in SERVERS):
        return None
    known = {**EVERYWHERE, **NOT_RUN.get(name(page), {})}
    longest = max((key for key in known if statement.startswith(key)), key=len, default=None)
    return None if longest is None else known[longest]


def parts(page: Path) -> Iterator[tuple[str, str]]:
    """Yield kind and text of everything that may run: blocks of Python, statements of a shell."""
    for kind, text in blocks(page):
        if kind == "python":
            yield kind, text
        elif kind in {"toml", "yaml", "html"} or text.startswith("["):
            yield "data", text
        else:
            yield from (("shell", each) for each in statements(text))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snippets") / "made"
    folder.mkdir()
    make_folder(folder)
    return folder


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with `pyojeong` and `python` as the pages call them."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for program, words in (("python", ""), ("pyojeong", " -m pyojeong")):
        file = folder / program
        file.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{words} "$@"\n', "utf-8")
        file.chmod(0o755)
    return folder


PAGES_THAT_RUN = [
    page
    for page in PAGES
    if any(k != "data" and reason(page, text) is None for k, text in parts(page))
]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_THAT_RUN, ids=name)
def test_the_snippets_of_a_page_run(
    page: Path, prepared: Path, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(prepared, tmp_path / "folder")
    monkeypatch.chdir(tmp_path / "folder")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "5")
    known: dict[str, object] = {}
    for statement in BEFORE.get(name(page), []):
        run(statement)
    for kind, text in parts(page):
        if kind == "data" or reason(page, text) is not None:
            continue
        if kind == "python":
            with warnings.catch_warnings():
                exec(compile(text, name(page), "exec"), known)
        else:
            run(changed(text))


def changed(statement: str) -> str:
    for text, other in CHANGED.items():
        if text in statement:
            return statement.replace(text, other)
    return statement


def run(statement: str) -> None:
    """Run a statement; a server until it says its address."""
    command = ["bash", "-euo", "pipefail", "-c", statement]
    serves = statement.replace(" --no-open", "").replace(" --port 0", "").startswith(SERVERS)
    if not serves:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert ended.returncode == 0, f"{statement}\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}"
        return
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        assert server.stdout is not None
        said = ""
        for line in server.stdout:
            said += line
            if "http://" in line:
                return
        pytest.fail(f"{statement}\n{said}")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=60)


# --- what does not run is checked as far as that goes ---


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_that_do_not_run_have_options_that_exist(page: Path) -> None:
    for kind, text in parts(page):
        words = shlex.split(text) if kind == "shell" and reason(page, text) else []
        if "pyojeong" in words:
            command: click.Command = get_command(app)
            words = words[words.index("pyojeong") + 1 :]
            while isinstance(command, click.Group):
                command = command.commands[words.pop(0)]
            command.make_parser(click.Context(command)).parse_args(words)
        elif words[:2] == ["python", "-m"]:
            assert find_spec(words[2]), text
        elif words[:1] == ["python"]:
            assert (ROOT / words[1]).exists(), text
        elif words[:1] == ["make"]:
            assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_packages_of_an_installation_exist(page: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for kind, text in parts(page):
        if kind == "shell" and text.startswith("pip install"):
            for extras in re.findall(r"\[([\w,]+)\]", text):
                assert set(extras.split(",")) <= set(project["optional-dependencies"]), text
            assert all(each in makefile for each in re.findall(r"\S+==\S+", text)), text


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_toml_is_toml(page: Path) -> None:
    for kind, text in blocks(page):
        if kind == "toml":
            assert tomllib.loads(text)


def test_no_mark_is_left_over() -> None:
    for page, marks in NOT_RUN.items():
        found = {text for kind, text in parts(ROOT / page) if kind != "data"}
        found |= {text for kind, text in parts(ROOT / page) if kind == "data"}
        unused = [mark for mark in marks if not any(text.startswith(mark) for text in found)]
        assert not unused, (page, unused)
    everything = "\n".join(page.read_text("utf-8") for page in PAGES)
    assert not [text for text in (*CHANGED, *SERVERS, *EVERYWHERE) if text not in everything]
