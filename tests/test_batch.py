"""Finding images and reading many of them."""

from pathlib import Path

import pytest

from pyojeong.batch import FileResult, analyze_files, find_images
from pyojeong.core.errors import ImageUnreadable, OutputError
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.golden import GOLDEN_PICTURE, PICTURES


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.PNG", "deep/er/c.webp", "notes.txt", ".hidden.jpg", "[x].jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(GOLDEN_PICTURE.read_bytes())
    return tmp_path


def names(*paths: object) -> list[str]:
    return [Path(f).name for f in find_images(map(str, paths)) if isinstance(f, str)]


def test_folders_are_searched_deeply_for_pictures_only(tree: Path) -> None:
    assert names(tree) == ["[x].jpg", "a.PNG", "b.jpg", "c.webp"]


def test_globs_named_files_and_names_that_look_like_globs(tree: Path) -> None:
    assert names(tree / "*.jpg") == ["[x].jpg", "b.jpg"]
    assert names(tree / "**" / "*.webp") == ["c.webp"]
    assert names(tree / "[x].jpg") == ["[x].jpg"]
    assert names(tree / "notes.txt") == ["notes.txt"]  # named outright: the reader will judge it


def test_every_file_once(tree: Path) -> None:
    assert names(tree / "b.jpg", tree, tree / "*.jpg") == ["b.jpg", "[x].jpg", "a.PNG", "c.webp"]


def test_names_that_lead_nowhere_are_outcomes(tmp_path: Path) -> None:
    found = list(find_images([str(tmp_path / "no*"), str(tmp_path)]))
    assert all(isinstance(f, FileResult) and isinstance(f.error, ImageUnreadable) for f in found)
    assert len(found) == 2


@pytest.mark.parametrize("jobs", [1, 3])
def test_order_and_errors(jobs: int, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no")
    inputs = [str(GOLDEN_PICTURE), str(tmp_path / "bad.jpg"), str(PICTURES / "coffee.jpg")] * 4
    outcomes = list(analyze_files(Analyzer(threads=1), inputs, jobs=jobs))
    assert [o.path for o in outcomes] == inputs
    assert [o.result is None for o in outcomes] == [False, True, False] * 4


def test_what_the_extra_raises_is_not_swallowed() -> None:
    def full(*_: object) -> None:
        raise OutputError("disk full")

    with pytest.raises(OutputError, match="disk full"):
        list(analyze_files(Analyzer(threads=1), [str(GOLDEN_PICTURE)] * 5, jobs=2, extra=full))
