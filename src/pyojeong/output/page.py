"""One self-contained HTML page: text, tables, charts and images, nothing from outside.

Charts are inline SVG and images are inline JPEG, so that the file can be mailed, archived and
opened without a network. Colours follow the reader's light or dark setting. The only scripts are a
few lines that sort a table, where one can be sorted, and those that a report adds.
"""

import base64
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.printable import encodable
from pyojeong.core.texts import Texts, english
from pyojeong.image.preprocess import Pixels
from pyojeong.output.charts import Drawing, Form, Line, Spot, draw_lines, draw_scatter
from pyojeong.output.escaping import escaped
from pyojeong.output.page_style import SORTING, STYLE

_CHARTS_END = "</div><!-- charts -->"


def _plain(value: float) -> str:
    return f"{value:g}"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table with more than its words.

    Attributes:
        words: What is read.
        value: What the column is sorted by; a number sets the cell flush right.
        hint: Shown on hovering.
        link: Anchor on this page.
        wrap: True for words that may take several lines where the table's cells take one.
        span: Drawn beside the words: (low, value, high, least of the scale, greatest).
        seconds: A time in the clip, to which the report's player jumps.
    """

    words: str
    value: float | str | None = None
    hint: str = ""
    link: str = ""
    wrap: bool = False
    span: tuple[float, float, float, float, float] | None = None
    seconds: float | None = None


class Page:
    """Collects sections and writes them.

    Args:
        title: The heading.
        lead: One sentence under it, plain text.
        say: Messages in the language of the page; None = English.
    """

    def __init__(self, title: str, lead: str = "", *, say: Texts | None = None) -> None:
        self.title = title
        self._say = say or english()
        self._lead = lead
        self._parts: list[str] = []
        self._links: list[tuple[str, str]] = []
        self._scripts: list[str] = []

    def section(self, title: str) -> None:
        """Begin a section; it appears in the list of links at the top."""
        anchor = f"s{len(self._links) + 1}"
        self._links.append((anchor, title))
        self._parts.append(f'<h2 id="{anchor}">{escaped(title)}</h2>')

    def text(self, words: str, *, quiet: bool = False) -> None:
        """Add a paragraph of plain text."""
        kind = ' class="quiet"' if quiet else ""
        self._parts.append(f"<p{kind}>{escaped(words)}</p>")

    def insert(self, markup: str) -> None:
        """Add HTML of this package, in which everything from outside is escaped."""
        self._parts.append(markup)

    def script(self, code: str) -> None:
        """Add JavaScript of this package, run at the end of the page."""
        self._scripts.append(code)

    def code(self, words: str) -> None:
        """Preformatted text, for example a command."""
        self._parts.append("<pre>" + escaped(words, keep="\n") + "</pre>")

    def table(
        self,
        header: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        sortable: Collection[str] = (),
        sorted_down: str = "",
        caption: str = "",
    ) -> None:
        """Add a table; numbers are set flush right.

        Args:
            header: Headings.
            rows: Cells: numbers, words or ``Cell``.
            sortable: Headings that can be clicked, or reached by keyboard, to sort the rows by;
                the first cell of every row becomes its heading then.
            sorted_down: The heading that the rows are already sorted by, the greatest first.
            caption: Says what the table is, above it.
        """
        cells = [list(row) for row in rows]
        numbers = {i for row in cells for i, c in enumerate(row) if _is_number(c)}
        head = "".join(
            _heading(h, sortable, sorted_down, number=bool(sortable) and i in numbers)
            for i, h in enumerate(header)
        )
        names = bool(sortable)
        body = "".join(
            f"<tr>{''.join(_cell(c, names and not i) for i, c in enumerate(row))}</tr>"
            for row in cells
        )
        kind = ' class="sorted"' if names else ""
        title = f"<caption><span>{escaped(caption)}</span></caption>" if caption else ""
        # Reachable by keyboard, so that a wide table can be moved without a mouse.
        reach = f' tabindex="0" role="region" aria-label="{escaped(caption or self._say("table"))}"'
        self._parts.append(
            f'<div class="scroll"{reach if names else ""}><table{kind}>{title}'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def lines(
        self, lines: Sequence[Line], *, legend: str, x_words: str = "epoch", form: Form = _plain
    ) -> None:
        """Lines over whole-numbered steps, for example learning curves."""
        drawing = draw_lines(lines, x_words=x_words, form=form)
        self._svg(drawing.width, drawing.height, drawing.elements, legend)

    def scatter(
        self,
        spots: Sequence[Spot],
        *,
        kinds: Sequence[str],
        axes: tuple[str, str],
        forms: tuple[Form, Form] = (_plain, _plain),
        legend: str,
    ) -> None:
        """Points with whiskers, x by its logarithm; drawn twice, for wide and narrow screens."""
        if not spots:
            return

        def draw(kind: str, width: int) -> str:
            drawing = draw_scatter(
                spots, kinds=kinds, x_words=axes[0], y_words=axes[1], forms=forms, width=width
            )
            return _picture(drawing, legend, kind=kind)

        self._parts.append(
            f'<div class="chart">{draw("wide", 760)}{draw("slim", 328)}'
            f'<p class="quiet">{escaped(legend)}</p></div>'
        )

    def matrix(
        self, labels: Sequence[str], counts: Sequence[Sequence[int]], *, legend: str
    ) -> None:
        """Add counts of answers per label: row = label, column = answer; colour = share of row."""
        head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in labels)
        rows = []
        for i, (name, row) in enumerate(zip(labels, counts, strict=True)):
            total = sum(row) or 1
            cells = "".join(
                f'<td style="--p:{n / total:.3f}"{" class=own" if i == j else ""}>'
                f"{100 * n / total:.0f} %<small>{n:,}</small></td>"
                for j, n in enumerate(row)
            )
            rows.append(f'<tr><th scope="row">{escaped(name)}</th>{cells}</tr>')
        self._parts.append(
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escaped(legend)}">'
            f'<table class="matrix"><caption><span>{escaped(legend)}</span></caption>'
            f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        )

    @contextmanager
    def details(self, summary: str, note: str = "", *, anchor: str = "") -> Iterator[None]:
        """Fold away what is added inside until it is opened or a link leads into it."""
        landing = f'<div class="landing" id="{escaped(anchor)}"></div>' if anchor else ""
        self._parts.append(
            f"<details><summary><b>{escaped(summary)}</b> "
            f'<span class="quiet">{escaped(note)}</span></summary>{landing}'
        )
        yield
        self._parts.append("</details>")

    def small_drawings(self, drawings: Sequence[tuple[Drawing, str]]) -> None:
        """Add small drawings of one width in a grid, each with words for who hears the page."""
        if drawings:
            inner = "".join(_picture(drawing, words) for drawing, words in drawings)
            width = max(drawing.width for drawing, _ in drawings)
            self._parts.append(f'<div class="smalls" style="--w:{width}px">{inner}</div>')

    def drawing(
        self,
        drawing: Drawing,
        *,
        legend: str,
        wide: bool = False,
        slim: Drawing | None = None,
        person: int | None = None,
    ) -> None:
        """Add a finished drawing.

        Args:
            drawing: The drawing.
            legend: Below it.
            wide: It never stands side by side with others.
            slim: Shown instead on narrow screens, of ``wide`` ones.
            person: Whose scores a ``wide`` one shows, for the report's player.
        """
        if wide:
            whose = "" if person is None else f' data-person="{person}"'
            picture = _picture(drawing, legend, kind="" if slim is None else "wide")
            picture += "" if slim is None else _picture(slim, legend, kind="slim")
            self._parts.append(
                f'<div class="chart"{whose}>{picture}<p class="quiet">{escaped(legend)}</p></div>'
            )
        else:
            self._svg(drawing.width, drawing.height, drawing.elements, legend)

    def bars(self, values: Sequence[tuple[str, float, float]], *, legend: str) -> None:
        """Horizontal bars: (label, whole, part); the part is drawn over the whole."""
        most = max((whole for _, whole, _ in values), default=0) or 1
        rows = []
        for i, (label, whole, part) in enumerate(values):
            y = i * 24
            rows.append(
                f'<text x="0" y="{y + 15}">{escaped(label)}</text>'
                f'<rect class="bar" x="110" y="{y + 3}" width="{420 * whole / most:.1f}" '
                'height="16" rx="2" opacity=".35"/>'
                f'<rect class="hot" x="110" y="{y + 3}" width="{420 * part / most:.1f}" '
                'height="16" rx="2"/>'
                f'<text x="{118 + 420 * whole / most:.1f}" y="{y + 15}">'
                f"{self._say('part', part=f'{part:,.0f}', whole=f'{whole:,.0f}')}</text>"
            )
        self._svg(660, 24 * len(values) + 4, rows, legend)

    def histogram(self, counts: Sequence[int], *, threshold: float, legend: str) -> None:
        """Add counts of equal bins over [0, 1], drawn by square root so that rare ones are seen."""
        most = max(counts, default=0) ** 0.5 or 1
        width = 560 / max(len(counts), 1)
        rows = ['<line class="axis" x1="20" x2="580" y1="110" y2="110"/>']
        for i, count in enumerate(counts):
            tall = 96 * count**0.5 / most
            last = i + 1 == len(counts)
            kind = "hot" if last or (i + 0.5) / len(counts) >= threshold else "bar"
            rows.append(
                f'<rect class="{kind}" x="{20 + i * width:.1f}" y="{110 - tall:.1f}" '
                f'width="{width - 1:.1f}" height="{tall:.1f}"><title>{i / len(counts):.2f}: '
                f"{count:,}</title></rect>"
            )
        at = 20 + 560 * min(threshold, 1)
        rows.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="6" y2="110"/>')
        rows += [f'<text x="{16 + 560 * t:.0f}" y="126">{t:g}</text>' for t in (0, 0.5, 1)]
        self._svg(600, 132, rows, legend)

    def _svg(self, width: int, height: int, rows: list[str], legend: str) -> None:
        picture = _picture(Drawing(width, height, rows), legend)
        chart = f'<div class="chart">{picture}<p class="quiet">{escaped(legend)}</p></div>'
        if self._parts and self._parts[-1].endswith(_CHARTS_END):  # side by side where they fit
            self._parts[-1] = self._parts[-1][: -len(_CHARTS_END)] + chart + _CHARTS_END
        else:
            self._parts.append(f'<div class="charts">{chart}{_CHARTS_END}')

    def pictures(self, items: Iterable[tuple[Sequence[Pixels], str, str]]) -> None:
        """Add a contact sheet: (images side by side, bold caption, quiet caption)."""
        figures = []
        for images, bold, quiet in items:
            inner = "".join(f'<img alt="" src="{_inline(image)}">' for image in images)
            figures.append(
                f'<figure><div class="pics">{inner}</div><figcaption><b>{escaped(bold)}</b> '
                f"{escaped(quiet)}</figcaption></figure>"
            )
        self._parts.append(f'<div class="sheet">{"".join(figures)}</div>')

    def to_html(self) -> str:
        """Return the whole page."""
        body = "".join(self._parts)
        scripts = [SORTING] if '<th scope="col" aria-sort=' in body else []
        script = "".join(f"<script>{code}</script>" for code in [*scripts, *self._scripts])
        links = "".join(f'<a href="#{a}">{escaped(t)}</a>' for a, t in self._links)
        return (
            f'<!doctype html>\n<html lang="{self._say.language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escaped(self.title)}</title><style>{STYLE}</style></head><body>"
            f'<h1>{escaped(self.title)}</h1><p class="quiet">{escaped(self._lead)}</p>'
            f"<nav>{links}</nav>{body}{script}</body></html>\n"
        )

    def write(self, path: Path) -> Path:
        """Write the page, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, "w") as file:
            # What was not escaped may still hold bytes of names that are no characters.
            file.write(encodable(self.to_html(), "utf-8"))
        return path


def _picture(drawing: Drawing, legend: str, *, kind: str = "") -> str:
    extra = f' class="{kind}"' if kind else ""
    return (
        f'<svg viewBox="0 0 {drawing.width} {drawing.height}" width="{drawing.width}" '
        f'role="img" aria-label="{escaped(legend)}"{extra}>{"".join(drawing.elements)}</svg>'
    )


def _is_number(cell: object) -> bool:
    value = cell.value if isinstance(cell, Cell) else cell
    return isinstance(value, int | float)


def _heading(words: str, sortable: Collection[str], sorted_down: str, *, number: bool) -> str:
    extra = ' class="n"' if number else ""
    if words not in sortable:
        return f'<th scope="col"{extra}>{escaped(words)}</th>'
    way = "descending" if words == sorted_down else "none"
    button = f'<button type="button">{escaped(words)}</button>'
    return f'<th scope="col" aria-sort="{way}"{extra}>{button}</th>'


def _cell(value: object, heads: bool = False) -> str:
    if isinstance(value, Cell):
        return _rich_cell(value, heads)
    if isinstance(value, int):
        return f'<td class="n" data-v="{value}">{value:,}</td>'
    if isinstance(value, float):
        return f'<td class="n" data-v="{value}">{value:.3g}</td>'
    words = escaped(str(value))
    return f'<th scope="row" data-v="{words}">{words}</th>' if heads else f"<td>{words}</td>"


def _rich_cell(cell: Cell, heads: bool) -> str:
    words = escaped(cell.words)
    if cell.link:
        words = f'<a href="#{escaped(cell.link)}">{words}</a>'
    if cell.span is not None:
        words += _span(*cell.span)
    extra = f' title="{escaped(cell.hint)}"' if cell.hint else ""
    extra += "" if cell.seconds is None else f' data-seconds="{cell.seconds:.3f}"'
    extra += "" if cell.value is None else f' data-v="{escaped(str(cell.value))}"'
    if heads:
        return f'<th scope="row"{extra}>{words}</th>'
    kind = "n" if _is_number(cell) else "wrap" if cell.wrap else ""
    extra += f' class="{kind}"' if kind else ""
    return f"<td{extra}>{words}</td>"


def _span(low: float, value: float, high: float, least: float, greatest: float) -> str:
    """Return an interval on the column's scale, with a line at zero.

    The words beside it say the same.
    """

    def at(v: float) -> float:
        return 4 + 132 * (v - least) / ((greatest - least) or 1)

    return (
        '<svg class="span" width="140" height="14" viewBox="0 0 140 14" aria-hidden="true">'
        f'<line class="zero" x1="{at(0):.1f}" x2="{at(0):.1f}" y1="0" y2="14"/>'
        f'<line class="k0" x1="{at(low):.1f}" x2="{at(high):.1f}" y1="7" y2="7"/>'
        f'<circle class="d0" cx="{at(value):.1f}" cy="7" r="3.2"/></svg>'
    )


def _inline(image: Pixels) -> str:
    bgr = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    scale = 128 / max(bgr.shape[:2])
    if scale < 1:
        size_wh = tuple(max(round(side * scale), 1) for side in bgr.shape[1::-1])
        bgr = cv2.resize(bgr, size_wh, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}" if done else ""
