"""The report page: whole, self-contained, and nothing gets through unescaped."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from pyojeong.output.page import Page

VOID = {"meta", "img", "link", "br", "line", "rect"}


class Balanced(HTMLParser):
    """Fails on tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def build() -> Page:
    page = Page("A <b>title</b> & more", "lead & <i>")
    page.section("First <script>")
    page.text("words < & >")
    page.code("pyojeong data curate 'x' > y")
    page.table(("name", "n"), [("<td>", 1234), ("share", 0.5)])
    page.bars([("angry", 10, 3), ("<sad>", 0, 0)], legend="how many & why")
    page.histogram([5, 0, 100, 1], threshold=0.5, legend="scores")
    page.pictures([([np.zeros((300, 200, 3), np.uint8)], "#1 <x>", "a & b")])
    return page


def test_everything_is_escaped_and_closed() -> None:
    text = build().to_html()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    for hidden in ("<b>title", "<script>", "<td>1234", "<sad>", "<x>"):
        assert hidden not in text.replace("<td>1,234", "")
    assert "1,234" in text
    assert "&lt;script&gt;" in text


def test_nothing_comes_from_outside() -> None:
    text = build().to_html()
    sources = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert sources
    assert all(s.startswith(("data:image/jpeg;base64,", "#s")) for s in sources)


def test_an_empty_histogram_and_no_bars_do_not_divide_by_zero() -> None:
    page = Page("empty")
    page.histogram([0, 0], threshold=1.0, legend="none")
    page.bars([], legend="none")
    page.pictures([])
    assert "<svg" in page.to_html()


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    file = build().write(tmp_path / "deep" / "page.html")
    assert file.read_text(encoding="utf-8").endswith("</html>\n")
    assert [p.name for p in file.parent.iterdir()] == ["page.html"]
