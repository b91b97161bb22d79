"""The documentation site builds without a warning; the Korean pages keep step with the English."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from pyojeong import action_unit_grade
from pyojeong.core.action_units import ACTION_UNITS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder


def test_the_site_builds_strictly_and_links_lead_somewhere(site: Path) -> None:
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    assert len(pages) > 40
    dead, outside = [], []
    for path, text in pages.items():
        for target in re.findall(r'(?:href|src)="([^"#]+)', text):
            if re.match(r"(https?|mailto|data|javascript):", target):
                if target.startswith("data:"):
                    continue  # in the page itself
                if re.search(r'<(?:script|link|img)[^>]*"' + re.escape(target), text):
                    outside.append((path.name, target))
            elif path.name != "404.html" and not (path.parent / target).exists():
                dead.append((path.relative_to(site).as_posix(), target))
    assert dead == []
    assert outside == []  # it opens from disk, without a network
    notebooks = {path.stem: text for path, text in pages.items() if path.parent.name == "notebooks"}
    assert len(notebooks) == len(list((ROOT / "docs" / "notebooks").glob("*.ipynb")))
    for text in notebooks.values():  # with the outputs that are stored
        assert 'src="data:image/png' in text
        assert 'class="dataframe"' in text


def test_the_search_works_from_disk_without_a_network(site: Path) -> None:
    asked = {
        "index.html": ("unclear", "What a score means"),
        "ko/answers.html": ("기저율", "점수의 뜻"),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_context(offline=True).new_page()
        page.set_default_timeout(60_000)
        for name, (words, title) in asked.items():
            page.goto((site / name).as_uri())
            page.click(".md-search__input")
            ready = page.locator(".md-search-result__meta", has_text="Type to start searching")
            ready.wait_for(state="attached")
            page.fill(".md-search__input", words)
            page.press(".md-search__input", "End")  # the page listens to keys
            page.wait_for_selector(".md-search-result__article h1", state="attached")
            titles = page.locator(".md-search-result__article h1").all_inner_texts()
            assert title in titles
        browser.close()


def korean_pages() -> list[Path]:
    ko = ROOT / "docs" / "ko"
    return [ROOT / "README.ko.md", *sorted(ko.rglob("*.md"))]


@pytest.mark.parametrize("page", korean_pages(), ids=lambda p: p.stem)
def test_korean_pages_keep_step_with_the_english_ones(page: Path) -> None:
    """The same headings by level, the same commands, the same links."""
    inside = page.name == "README.ko.md"
    english = ROOT / "README.md" if inside else ROOT / "docs" / page.relative_to(ROOT / "docs/ko")
    texts = [path.read_text("utf-8") for path in (page, english)]
    levels, blocks, links = [], [], []
    for text in texts:
        code = re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL)
        blocks.append([(kind, re.sub(r"#.*", "", body).split()) for kind, body in code])
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        levels.append([len(m) for m in re.findall(r"^(#+) ", prose, re.MULTILINE)])
        links.append([
            re.sub(r"^(\.\./)*(docs/)?(ko/)?", "", target)
            for target in re.findall(r"\]\(([^)]+)\)", prose)
        ])  # fmt: skip
    assert levels[0] == levels[1]
    assert blocks[0] == blocks[1]
    switch = {"README.md", "README.ko.md"}
    assert [t for t in links[0] if t not in switch] == [t for t in links[1] if t not in switch]
    bare = [re.sub(r"```.*?```|`[^`\n]*`|\]\([^)]+\)", "", t, flags=re.DOTALL) for t in texts]
    syllables = len(re.findall("[가-힣]", bare[0]))
    assert syllables > 1.4 * len(re.findall("[A-Za-z]+", bare[1]))  # 1.7 to 2.1 where all is there


ONE_TERM = {
    "기저 비율": "기저율",  # base rate
    "데이터 집합": "데이터셋",  # data set
    "응답 범위": "응답률",  # coverage
    "에포크": "에폭",  # epoch
    "무표정한 얼굴": "중립 표정",  # neutral face
    "적합성": "적성",  # fitness
    "약함": "미흡",  # weak, of a measurement
    "느낌이나": "감정이나",  # what people feel
    "눈 뜬 정도": "눈을 뜬 정도",  # openness
    "시각 언어 모델": "시각-언어 모델",  # vision-language model
    "에서 학습했": "(으)로 학습했",  # learned from
    "잘라낸": "잘라 낸",
    "레이블": "라벨",  # label
}
"""Another Korean word for an English term -> the one that pages, reports and web pages have."""


def test_korean_has_one_word_for_each_term_and_no_space_before_a_percent_sign() -> None:
    script = ROOT / "src" / "pyojeong" / "page" / "web" / "js" / "text.js"
    texts = {path: path.read_text("utf-8") for path in korean_pages()}
    catalogues = (ROOT / "src" / "pyojeong" / "core" / "texts").glob("*.ko.json")
    texts |= {path: path.read_text("utf-8") for path in catalogues}
    columns = ROOT / "src" / "pyojeong" / "output" / "columns_page.ko.json"
    texts[columns] = columns.read_text("utf-8")
    texts |= {script: script.read_text("utf-8").partition("ko: {")[2]}
    for path, text in texts.items():
        found = [(word, use) for word, use in ONE_TERM.items() if word in text]
        assert not found, (path.name, found)
        assert not re.search(r"[\d}] %", text), path.name


def test_bold_words_of_korean_pages_end_where_the_stars_are() -> None:
    """Stars between a closing bracket and a syllable stay on the page, by CommonMark's rules."""
    for path in korean_pages():
        text = re.sub(r"```.*?```|`[^`\n]*`", "`", path.read_text("utf-8"), flags=re.DOTALL)
        for words, after in re.findall(r"\*\*([^*]+)\*\*(.?)", text):
            assert re.search(r"\w$", words) or not re.match("[가-힣]", after), (path.name, words)


@pytest.mark.parametrize("folder", ["docs", "docs/ko"])
def test_pages_of_action_units_have_the_grades_of_the_card(folder: str) -> None:
    page = (ROOT / folder / "action-units.md").read_text("utf-8")
    written = {
        unit: grade
        for grade, units in re.findall(r"^\| (good|fair|weak) \| (AU.*?) \|$", page, re.MULTILINE)
        for unit in units.split(", ")
    }
    assert written == {unit: action_unit_grade(unit) for unit in ACTION_UNITS}
