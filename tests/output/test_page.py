"""The report page: whole, self-contained, and nothing gets through unescaped."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.output.charts import Line, Spot, draw_scatter, log_steps, steps
from pyojeong.output.page import Cell, Page

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


def rich() -> Page:
    page = Page("rich")
    page.section("All")
    page.table(
        ("name", "<b>", "n"),
        [
            [Cell("<u>", "<u>", link="run1"), Cell("1 %", 0.01, hint="a & <i>"), 3],
            ["plain", Cell("", None), 1.5],
            [Cell("x", "x"), Cell("around", span=(-1.0, 0.5, 2.0, -1.0, 2.0), wrap=True), 2],
        ],
        sortable={"name", "n"},
        sorted_down="n",
        caption="which <em>",
    )
    with page.details("run <1>", "note <2>", anchor="run1"):
        page.lines(
            [Line("<a>", [(1, 2.0), (2, 1.0)]), Line("b", [(2, 1.0)]), Line("none", [])],
            legend="curves & <more>",
        )
        page.matrix(["<x>", "y"], [[3, 1], [0, 0]], legend="answers <per> label")
    spots = [Spot(10.0**i, 0.5, 0.4, 0.6, f"<net {i}>", f"hint <{i}>", i % 3) for i in range(5)]
    page.scatter(spots, kinds=("<k>", "l", "m"), axes=("<ms>", "share"), legend="which & <how>")
    return page


def test_charts_and_rich_tables_are_escaped_and_closed() -> None:
    text = rich().to_html()
    before, _, script = text.partition("<script>")
    parser = Balanced()
    parser.feed(before + script.partition("</script>")[2])
    assert parser.open == []
    for hidden in ("<u>", "<i>", "<1>", "<a>", "<more>", "<x>", "<net", "<k>", "<ms>", "<em>"):
        assert hidden not in before


def test_what_can_be_sorted_says_so_and_the_rest_does_not() -> None:
    text = rich().to_html()
    assert text.count("<script>") == 1
    assert re.findall(r'<th scope="col" aria-sort="(\w+)"', text) == ["none", "descending"]
    assert '<th scope="col" class="n">&lt;b&gt;</th>' in text
    assert text.count('<th scope="row"') == 3 + 2
    assert "<script>" not in build().to_html().replace("First <script>", "")


def test_every_figure_has_a_name_and_every_link_a_target() -> None:
    text = rich().to_html()
    for tag in re.findall(r"<svg[^>]*>", text):
        assert 'aria-label="' in tag or 'aria-hidden="true"' in tag
    targets = set(re.findall(r'id="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= targets


def test_no_figure_is_no_number() -> None:
    page = Page("empty")
    page.lines([], legend="no lines")
    page.lines([Line("one", [(3, 0.5)])], legend="one point")
    page.lines([Line("flat", [(0, 0.0), (1, 0.0)])], legend="flat")
    page.scatter([], kinds=(), axes=("", ""), legend="no spots")
    page.scatter([Spot(1.0, 0.0, 0.0, 0.0, "a", "a")], kinds=("k",), axes=("", ""), legend="one")
    page.matrix([], [], legend="no labels")
    text = page.to_html().lower()
    assert "nan" not in text.replace("isnan", "")
    assert '="inf' not in text


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_steps_are_few_and_cover_the_range(low: float, span: float) -> None:
    found = steps(low, low + span)
    assert 2 <= len(found) <= 9
    slack = 1e-6 * (abs(low) + span)
    assert found[0] <= low + slack
    assert found[-1] >= low + span - slack


def test_logarithmic_steps() -> None:
    assert log_steps(0.4, 21) == pytest.approx([0.5, 1, 2, 5, 10, 20])


@given(
    st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 1)), min_size=1, max_size=25),
    st.sampled_from([328, 760]),
)
def test_labels_of_a_scatter_never_lie_on_each_other(
    places: list[tuple[float, float]], width: int
) -> None:
    spots = [Spot(x, y, y - 0.01, y + 0.01, f"net-{i}", "") for i, (x, y) in enumerate(places)]
    drawing = draw_scatter(
        spots, kinds=("k",), x_words="", y_words="", forms=(str, str), width=width
    )
    boxes = []
    for element in drawing.elements:
        seen = re.match(
            r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)" class="ink">', element
        )
        if seen:
            wide = 6.0 * len(re.sub("<[^>]+>", "", element))
            left = float(seen[1]) - {"start": 0, "middle": wide / 2, "end": wide}[seen[3]]
            boxes.append((left, float(seen[2]), left + wide))
            assert left >= 0
            assert left + wide <= width
    for i, (left, base, right) in enumerate(boxes):
        for other, line, end in boxes[:i]:
            assert left >= end or other >= right or abs(base - line) >= 11.9
