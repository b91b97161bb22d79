"""The style of a page, and the few lines of script that sort its tables."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --quiet: #60656c; --line: #e0e3e8;
  --paper: #fff; --panel: #f7f8fa; --accent: #2563c9; --warn: #c2410c; --green: #1a7f4b;
  --violet: #8a3ab9; --heat: 37 99 201; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --quiet: #9aa0a8; --line: #32363d;
  --paper: #16181c; --panel: #1e2126; --accent: #7cacf8; --warn: #fb923c; --green: #4cc38a;
  --violet: #c792ea; --heat: 124 172 248; } }
* { box-sizing: border-box; }
:lang(ko) { word-break: keep-all; overflow-wrap: break-word; }
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
nav { display: flex; flex-wrap: wrap; gap: .3rem .9rem; margin: 1rem 0 1.2rem; font-size: .92rem; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
th { text-align: left; font-weight: 600; color: var(--quiet); font-size: .86rem; }
th, td { padding: .28rem 1.1rem .28rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; } .n { text-align: right; white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr));
  gap: 0 2.5rem; align-items: end; } .chart p { font-size: .82rem; }
svg { display: block; max-width: 100%; height: auto; }
svg text { fill: var(--quiet); font: 11px system-ui, sans-serif; }
svg text.strong { font-weight: 600; }
svg text.ink { fill: var(--ink); } .t0 { fill: var(--accent) !important; }
.t1 { fill: var(--warn) !important; } .t2 { fill: var(--green) !important; }
.t3 { fill: var(--violet) !important; } .d0 { fill: var(--accent); } .d1 { fill: var(--warn); }
.d2 { fill: var(--green); } .d3 { fill: var(--violet); }
.k0, .k1, .k2, .k3 { fill: none; stroke: var(--accent); stroke-width: 1.8; }
.k1 { stroke: var(--warn); stroke-dasharray: 5 3; } .k2 { stroke: var(--green); }
.k3 { stroke: var(--violet); stroke-dasharray: 2 3; }
.thin { stroke-width: 1.2; } .whisker { stroke-width: 1.2; stroke-dasharray: none; opacity: .55; }
.slim { display: none; } @media (max-width: 560px) { .wide { display: none; }
  .slim { display: block; } body { padding: 1.5rem 1rem 3rem; } }
th[scope=row] { color: var(--ink); font-size: inherit; font-weight: 500; }
.sorted th, .sorted td { white-space: nowrap; }
.sorted th[scope=row], .sorted th:first-child { position: sticky; left: 0;
  background: var(--paper); }
.sorted .wrap { white-space: normal; min-width: 28rem; }
@media (max-width: 560px) { .sorted th[scope=row] { min-width: 7.5rem; max-width: 9rem;
  white-space: normal; overflow-wrap: anywhere; } }
th button { all: unset; cursor: pointer; color: inherit; font: inherit; white-space: nowrap; }
th button::after { content: " \\2195"; opacity: .45; }
th button:hover { color: var(--ink); }
th button:focus-visible, summary:focus-visible, .scroll:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px; }
th[aria-sort$=ending] button { color: var(--ink); }
th[aria-sort=ascending] button::after { content: " \\2191"; opacity: 1; }
th[aria-sort=descending] button::after { content: " \\2193"; opacity: 1; }
.matrix td { text-align: right; padding: .25rem .5rem; min-width: 3.4rem; border: 0;
  background: rgb(var(--heat) / calc(var(--p) * .5)); } .matrix .own { font-weight: 700; }
.matrix small { display: block; color: var(--ink); opacity: .8; font-size: .72rem; }
.matrix th { padding-right: .6rem; border: 0; } .matrix thead th { text-align: right; }
caption { text-align: left; color: var(--quiet); font-size: .86rem; white-space: normal; }
caption span { position: sticky; left: 0; display: inline-block;
  max-width: min(46rem, calc(100vw - 2.5rem)); }
th.n { text-align: right; } .span { display: inline-block; vertical-align: middle; }
.zero { stroke: var(--quiet); }
details { border-bottom: 1px solid var(--line); } details[open] { padding-bottom: 1.2rem; }
summary { cursor: pointer; padding: .45rem 0; overflow-wrap: anywhere; }
summary b { font-weight: 600; } .landing { scroll-margin-top: 3.2rem; }
.bar { fill: var(--accent); opacity: .85; } .hot { fill: var(--warn); opacity: .9; }
.epoch { fill: var(--quiet); fill-opacity: .22; } .shade { fill: var(--quiet);
  fill-opacity: .13; } .edge { stroke: var(--ink); stroke-opacity: .6; stroke-dasharray: 2 3; }
.smalls { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(var(--w), 100%), 1fr));
  gap: .9rem 1.2rem; margin: .6rem 0 1rem; } .smalls svg { justify-self: start; }
@media (max-width: 560px) { .smalls svg { width: 100%; } }
.axis { stroke: var(--line); } .mark { stroke: var(--warn); stroke-dasharray: 3 3; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.2rem, 1fr));
  gap: .9rem .7rem; margin: .8rem 0 1.2rem; }
figure { margin: 0; } figure .pics { display: flex; gap: 2px; }
figure img { width: 100%; min-width: 0; aspect-ratio: 1; object-fit: contain; flex: 1;
  background: var(--panel); border: 1px solid var(--line); border-radius: 4px; }
figcaption { font-size: .76rem; line-height: 1.35; color: var(--quiet); margin-top: .25rem;
  overflow-wrap: anywhere; } figcaption b { color: var(--ink); font-weight: 600; }
"""

# Empty cells stay last in both directions; the first click on a heading sorts upwards.
SORTING = """
for (const button of document.querySelectorAll("th[aria-sort] button"))
  button.addEventListener("click", () => {
    const head = button.parentElement, body = head.closest("table").tBodies[0];
    const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const keyed = [...body.rows].map((row) => [row.cells[head.cellIndex].dataset.v, row]);
    keyed.sort(([a], [b]) => {
      if (!a || !b) return !a - !b;
      return way * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
    });
    for (const other of head.parentElement.querySelectorAll("th[aria-sort]"))
      other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
    body.append(...keyed.map(([, row]) => row));
  });
"""
