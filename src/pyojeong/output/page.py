"""One self-contained HTML page: text, tables, bars, histograms and pictures, nothing from outside.

Charts are inline SVG and pictures are inline JPEG, so that the file can be mailed, archived and
opened without a network. Colours follow the reader's light or dark setting.
"""

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2

from pyojeong.image.files import whole_file
from pyojeong.image.preprocess import Pixels

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --quiet: #60656c; --line: #e0e3e8;
  --paper: #fff; --panel: #f7f8fa; --accent: #2563c9; --warn: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --quiet: #9aa0a8; --line: #32363d;
  --paper: #16181c; --panel: #1e2126; --accent: #7cacf8; --warn: #fb923c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2.5rem 1.5rem 5rem; background: var(--paper);
  color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans",
  "Noto Sans KR", sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .35rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 3rem 0 .6rem; padding-top: 1.2rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p { margin: .4rem 0 .8rem; max-width: 46rem; } .quiet { color: var(--quiet); }
code, pre { font: .88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  padding: .7rem .9rem; white-space: pre-wrap; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .3rem .9rem; margin: 1rem 0 0; font-size: .92rem; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
th { text-align: left; font-weight: 600; color: var(--quiet); font-size: .86rem; }
th, td { padding: .28rem 1.1rem .28rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; } .n { text-align: right; white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr));
  gap: 0 2.5rem; align-items: end; } .chart p { font-size: .82rem; }
svg { display: block; max-width: 100%; height: auto; }
svg text { fill: var(--quiet); font: 11px system-ui, sans-serif; }
.bar { fill: var(--accent); opacity: .85; } .hot { fill: var(--warn); opacity: .9; }
.axis { stroke: var(--line); } .mark { stroke: var(--warn); stroke-dasharray: 3 3; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.2rem, 1fr));
  gap: .9rem .7rem; margin: .8rem 0 1.2rem; }
figure { margin: 0; } figure .pics { display: flex; gap: 2px; }
figure img { width: 100%; min-width: 0; aspect-ratio: 1; object-fit: contain; flex: 1;
  background: var(--panel); border: 1px solid var(--line); border-radius: 4px; }
figcaption { font-size: .76rem; line-height: 1.35; color: var(--quiet); margin-top: .25rem;
  overflow-wrap: anywhere; } figcaption b { color: var(--ink); font-weight: 600; }
"""


_CHARTS_END = "</div><!-- charts -->"


class Page:
    """Collects sections and writes them.

    Args:
        title: The heading.
        lead: One sentence under it, plain text.
    """

    def __init__(self, title: str, lead: str = "") -> None:
        self.title = title
        self._lead = lead
        self._parts: list[str] = []
        self._links: list[tuple[str, str]] = []

    def section(self, title: str) -> None:
        """Begin a section; it appears in the list of links at the top."""
        anchor = f"s{len(self._links) + 1}"
        self._links.append((anchor, title))
        self._parts.append(f'<h2 id="{anchor}">{html.escape(title)}</h2>')

    def text(self, words: str, *, quiet: bool = False) -> None:
        """A paragraph of plain text."""
        kind = ' class="quiet"' if quiet else ""
        self._parts.append(f"<p{kind}>{html.escape(words)}</p>")

    def code(self, words: str) -> None:
        """Preformatted text, for example a command."""
        self._parts.append(f"<pre>{html.escape(words)}</pre>")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table; numbers are set flush right."""
        head = "".join(f"<th>{html.escape(h)}</th>" for h in header)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        self._parts.append(
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def bars(self, values: Sequence[tuple[str, float, float]], *, legend: str) -> None:
        """Horizontal bars: (label, whole, part); the part is drawn over the whole."""
        most = max((whole for _, whole, _ in values), default=0) or 1
        rows = []
        for i, (label, whole, part) in enumerate(values):
            y = i * 24
            rows.append(
                f'<text x="0" y="{y + 15}">{html.escape(label)}</text>'
                f'<rect class="bar" x="110" y="{y + 3}" width="{420 * whole / most:.1f}" '
                'height="16" rx="2" opacity=".35"/>'
                f'<rect class="hot" x="110" y="{y + 3}" width="{420 * part / most:.1f}" '
                'height="16" rx="2"/>'
                f'<text x="{118 + 420 * whole / most:.1f}" y="{y + 15}">'
                f"{part:,.0f} of {whole:,.0f}</text>"
            )
        self._svg(660, 24 * len(values) + 4, rows, legend)

    def histogram(self, counts: Sequence[int], *, threshold: float, legend: str) -> None:
        """Counts of equal bins over [0, 1], drawn by square root so that rare ones are seen."""
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
        chart = (
            f'<div class="chart"><svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
            f'aria-label="{html.escape(legend)}">{"".join(rows)}</svg>'
            f'<p class="quiet">{html.escape(legend)}</p></div>'
        )
        if self._parts and self._parts[-1].endswith(_CHARTS_END):  # side by side where they fit
            self._parts[-1] = self._parts[-1][: -len(_CHARTS_END)] + chart + _CHARTS_END
        else:
            self._parts.append(f'<div class="charts">{chart}{_CHARTS_END}')

    def pictures(self, items: Iterable[tuple[Sequence[Pixels], str, str]]) -> None:
        """A contact sheet: (pictures side by side, bold caption, quiet caption)."""
        figures = []
        for images, bold, quiet in items:
            inner = "".join(f'<img alt="" src="{_inline(image)}">' for image in images)
            figures.append(
                f'<figure><div class="pics">{inner}</div><figcaption><b>{html.escape(bold)}</b> '
                f"{html.escape(quiet)}</figcaption></figure>"
            )
        self._parts.append(f'<div class="sheet">{"".join(figures)}</div>')

    def to_html(self) -> str:
        """The whole page."""
        links = "".join(f'<a href="#{a}">{html.escape(t)}</a>' for a, t in self._links)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self.title)}</title><style>{_STYLE}</style></head><body>"
            f'<h1>{html.escape(self.title)}</h1><p class="quiet">{html.escape(self._lead)}</p>'
            f"<nav>{links}</nav>{''.join(self._parts)}</body></html>\n"
        )

    def write(self, path: Path) -> Path:
        """Write the page, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, "w") as file:
            file.write(self.to_html())
        return path


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    if isinstance(value, float):
        return f'<td class="n">{value:.3g}</td>'
    return f"<td>{html.escape(str(value))}</td>"


def _inline(image: Pixels) -> str:
    bgr = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    scale = 128 / max(bgr.shape[:2])
    if scale < 1:
        bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}" if done else ""
