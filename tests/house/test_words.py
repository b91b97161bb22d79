"""Plain technical English: words that the code, the help and the documents avoid."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BANNED = (
    r"cannot be\b",
    r"cannot be had",
    r"\b(is|are|be) told\b",
    r"\banew\b",
    r"\blook(s|ed)? at the test split\b",
    r"\btest looks?\b",
    r"\briver\b",
    r"\bdesk\b",
    r"\btwins?\b",
    r"\bwish(es)?\b",
    r"\bcomplaints?\b",
    r"\bpeople of\b",
    r"\bstands? in\b",
    r"\bstand-in\b",
    r"\bmakes what it needs\b",
    r"\btaggers?\b",
    r"\bstudio\b",
    r"\btold\b",
)
"""Regular expressions, case-insensitive; see the vocabulary in CONTRIBUTING.md."""

ALLOWED = {
    # file: the words that it may hold, and why
    "src/pyojeong/core/card.py": {"twin"},  # the key of cards of earlier versions
    "CHANGELOG.md": {"twin", "complaint", "river"},  # lists the names of before
    "src/pyojeong/video/redact.py": {"complaint"},  # the key of results of earlier versions
    "src/pyojeong/video/process.py": {"complaint"},  # the same
}
SUFFIXES = {".py", ".pyi", ".md", ".html", ".js", ".css", ".toml"}
PLACES = ("src", "docs", "research", "benchmarks", "experiments")


def files() -> list[Path]:
    found = [p for place in PLACES for p in sorted((ROOT / place).rglob("*"))]
    found += [*sorted(ROOT.glob("*.md")), ROOT / "pyproject.toml", ROOT / "Makefile"]
    return [
        p
        for p in found
        if p.is_file()
        and (p.suffix in SUFFIXES or p.name == "Makefile")
        # Pages that a long measurement wrote are replaced when it is repeated.
        and not (p.suffix == ".html" and p.parent.name == "docs")
    ]


def test_there_are_files() -> None:
    assert len(files()) > 200


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_banned_words(path: Path) -> None:
    allowed = ALLOWED.get(str(path.relative_to(ROOT)), set())
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for pattern in BANNED:
            for match in re.finditer(pattern, line, re.IGNORECASE):
                if match.group().lower() not in allowed:
                    found.append(f"line {number}: {match.group()!r} in: {line.strip()[:100]}")
    assert not found, "\n".join(found)
