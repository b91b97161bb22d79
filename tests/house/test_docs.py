"""What the documents say is so; their snippets run in ``test_snippets``."""

import doctest
import re
from pathlib import Path

import pytest
from typer.main import get_command

import pyojeong
from pyojeong.cli.app import app
from tests.video.made import make_clip

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / n for n in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/cli.md")]
DOCUMENTS += [ROOT / "docs" / n for n in ("curation.md", "benchmarks/curation.md")]
DOCUMENTS += [ROOT / "docs" / n for n in ("experiments.md", "seed2021.md")]
DOCUMENTS += [
    ROOT / "docs" / n for n in ("python.md", "columns.md", "video.md", "responsible-use.md")
]
DOCUMENTS += [ROOT / "docs" / n for n in ("layouts.md", "live.md", "serve.md")]


def commands() -> list[str]:
    root = get_command(app)
    names = []
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        if not command.hidden:
            own = [sub for sub, each in below.items() if not each.hidden] if below else []
            names += [f"{name} {sub}" for sub in own] or [name]
    return names


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert f"pyojeong {command}" in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_changelog_knows_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(pyojeong.__version__)}\b", text, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert all((document.parent / target).exists() for target in targets), targets


@pytest.fixture
def two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder as the pages assume it."""
    picture = Path(pyojeong.__file__).parent / "pictures" / "astronaut.jpg"
    (tmp_path / "photo.jpg").write_bytes(picture.read_bytes())
    make_clip(tmp_path / "clip.mp4", frames=24)
    monkeypatch.chdir(tmp_path)


def test_the_python_page_has_every_public_name() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    used = set(re.findall(r"\w+", "\n".join(blocks)))
    assert sorted(set(pyojeong.__all__) - used - {"__version__"}) == []


def functions_with_examples() -> list[str]:
    return [n for n in pyojeong.__all__ if "Example:" in (getattr(pyojeong, n).__doc__ or "")]


@pytest.mark.parametrize("name", functions_with_examples())
@pytest.mark.usefixtures("two_files")
def test_examples_in_docstrings_run(name: str) -> None:
    thing = getattr(pyojeong, name)
    tests = doctest.DocTestFinder(recurse=True).find(thing, name, globs={})
    tests += [
        found
        for base in getattr(thing, "__mro__", ())[1:-1]
        for found in doctest.DocTestFinder().find(base, base.__name__, globs={})
    ]
    assert sum(len(test.examples) for test in tests)
    for test in tests:
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
        assert result.failed == 0


def test_functions_have_examples() -> None:
    functions = [n for n in pyojeong.__all__ if n[0].islower() and n.islower()]
    own = [
        n for n in functions if not n.startswith(("read_csv", "read_json", "read_parquet", "__"))
    ]
    assert set(own) <= set(functions_with_examples())


def test_every_floor_of_the_source_stands_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    source = ROOT / "src" / "pyojeong"
    names = [p.stem for p in source.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    missing = [n for n in names if not n.startswith("_") and n not in text]
    assert not missing
