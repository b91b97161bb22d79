"""The page in a real browser: scrolling, keys, saving, two reviewers, nothing from outside."""

import os
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

import pyojeong
from pyojeong.curate.decisions import Decision, DecisionLog, merged
from pyojeong.curate.findings import Store

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("the review page is tested in Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(headless=True, executable_path=path, args=ARGS)
        yield browser
        browser.close()


class Visit:
    """A page, what it asked for outside this machine, and what it complained of."""

    def __init__(self, browser: Browser, url: str, fragment: str = "") -> None:
        self.context = browser.new_context(viewport={"width": 1360, "height": 850})
        self.page: Page = self.context.new_page()
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.context.route("**/*", self._local_only)
        self.page.on("console", lambda m: self.errors.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.goto(url + fragment)
        self.ready()

    def _local_only(self, route: Route) -> None:
        if route.request.url.startswith("http://127.0.0.1:"):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def ready(self) -> None:
        self.page.wait_for_selector("body[data-ready]")
        self.page.wait_for_selector(".tile.cursor, #empty:not([hidden])")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        """Wait until every decision is acknowledged."""
        self.until("document.getElementById('saving').textContent === ''")

    def until(self, true: str) -> None:
        """Wait for a condition; Playwright's own way would need eval, which the page forbids."""
        end = time.monotonic() + 15
        while not self.page.evaluate(true):
            assert time.monotonic() < end, true
            self.page.wait_for_timeout(20)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def count(self) -> int:
        return int(self.text("#count").split()[0].replace(",", ""))

    def close(self) -> None:
        self.context.close()
        assert self.outside == []
        assert self.errors == []


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    visits: list[Visit] = []

    def start(url: str, fragment: str = "") -> Visit:
        visits.append(Visit(browser, url, fragment))
        return visits[-1]

    yield start
    for one in visits:
        one.close()


def crowding() -> float:
    """Programs that want a core, per core: 1 on a machine that has time for this test."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


Serve = Callable[..., Any]
See = Callable[..., Visit]

SCROLL = """async () => {
  const grid = document.getElementById('grid'), times = [], layouts = [];
  const tiles = document.getElementById('canvas');
  let most = 0, last = await new Promise(requestAnimationFrame);
  for (let i = 0; i < 150; i++) {
    grid.scrollTop += 120;
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
    most = Math.max(most, document.querySelectorAll('#canvas > *').length);
  }
  for (let i = 0; i < 30; i++) {  // what this machine needs to build and place the tiles once
    const began = performance.now(), copy = tiles.cloneNode(true);
    copy.removeAttribute('id');
    tiles.parentNode.appendChild(copy);
    copy.lastElementChild.getBoundingClientRect();
    copy.remove();
    layouts.push(performance.now() - began);
    await new Promise(requestAnimationFrame);
  }
  grid.scrollTop = grid.scrollHeight;
  await new Promise((r) => setTimeout(r, 300));
  return {times, layouts, most};
}"""


def test_five_thousand_pictures_scroll_smoothly(store: Store, serve: Serve, visit: See) -> None:
    seen = visit(serve(store).url, "#check=*&state=all&sort=row&size=96")
    page = seen.page
    assert seen.count() == 5000
    result = page.evaluate(SCROLL)
    times = sorted(result["times"])
    median = statistics.median(times)
    layout = statistics.median(result["layouts"])
    frames = f"median {median:.1f} ms, 95 % {times[142]:.1f} ms, worst {times[-1]:.1f} ms"
    sys.stdout.write(
        f"\nframes: {frames}; building the tiles once {layout:.1f} ms; "
        f"at most {result['most']} tiles in the document\n"
    )
    assert result["most"] <= 250
    assert median <= max(34, 12 * layout)
    last = page.locator("#tile-4999")
    assert last.is_visible()
    images = "[...document.querySelectorAll('.tile:not([hidden]) img')]"
    seen.until(f"{images}.every((i) => i.complete && i.naturalWidth)")


def test_keys_decide_and_the_ledger_has_it(store: Store, serve: Serve, visit: See) -> None:
    served = serve(store)
    seen = visit(served.url, "#check=mislabelled&state=all")
    best = sorted(store.flagged("mislabelled"), key=lambda f: (-round(f.score, 4), f.row))
    rows = [f.row for f in best]
    seen.press("k", "d", "4", "r")
    seen.saved()
    lines = served.lines()
    assert [d["row"] for d in lines] == rows[:4]
    assert [d["action"] for d in lines] in (
        ["keep", "drop", "relabel", "relabel"],
        ["keep", "drop", "keep", "relabel"],  # it was happy before
    )
    assert lines[3]["label"] == best[3].label
    assert {d["check"] for d in lines} == {"mislabelled"}
    assert {d["reviewer"] for d in lines} == {"anna"}
    assert "4 / 120" in seen.text("#checks [aria-checked=true]")
    assert seen.page.locator(".tile.cursor").get_attribute("id") == "tile-4"
    assert "kept" in seen.text("#tile-0")
    assert "dropped" in seen.text("#tile-1")
    seen.press("u")
    seen.saved()
    assert served.lines()[-1]["action"] == "undo"
    assert seen.page.locator("#tile-3").get_attribute("data-state") == "open"
    seen.press("g")
    assert seen.page.locator(".tile.cursor").get_attribute("id") == "tile-4"
    # after a reload the filters, the decisions and the way back are still there
    seen.page.reload()
    seen.ready()
    assert "3 / 120" in seen.text("#checks [aria-checked=true]")
    seen.press("u")
    seen.saved()
    assert (served.lines()[-1]["action"], served.lines()[-1]["row"]) == ("undo", rows[2])


def test_several_at_once_by_keys_and_mouse(store: Store, serve: Serve, visit: See) -> None:
    served = serve(store)
    seen = visit(served.url, "#check=blurred&state=all&sort=row")
    page, rows = seen.page, [f.row for f in store.flagged("blurred")]
    seen.press("Shift+ArrowRight", "Shift+ArrowRight", "d")
    seen.saved()
    assert [d["row"] for d in served.lines()] == rows[:3]
    assert len({d["time"] for d in served.lines()}) == 1
    assert page.locator(".tile.cursor").get_attribute("id") == "tile-3"
    page.click("#tile-4")
    page.click("#tile-6", modifiers=["Control"])
    page.click("[data-do=keep]")
    seen.saved()
    assert [d["row"] for d in served.lines()[3:]] == [rows[4], rows[6]]
    one, two = (page.locator(f"#tile-{i}").bounding_box() for i in (8, 17))
    assert one is not None
    assert two is not None
    page.mouse.move(one["x"] - 4, one["y"] + 20)
    page.mouse.down()
    page.mouse.move(two["x"] + 20, two["y"] + 20, steps=4)
    page.mouse.up()
    assert seen.text("#selected") == "4 selected"
    seen.press("k")
    seen.saved()
    assert sorted(d["row"] for d in served.lines()[5:]) == [rows[i] for i in (8, 9, 16, 17)]
    seen.press("u")
    seen.saved()
    assert [d["action"] for d in served.lines()[9:]] == ["undo"] * 4
    standing, _ = merged(store)
    assert set(standing) == {rows[i] for i in (0, 1, 2, 4, 6)}


def test_filters_and_the_large_view(
    store: Store, serve: Serve, visit: See, places: dict[str, int]
) -> None:
    served = serve(store)
    seen = visit(served.url)
    page = seen.page
    assert "token" not in page.url
    flagged = {f.row for c in store.checks() for f in store.flagged(c)}
    assert seen.count() == len(flagged)
    page.click("#checks button:has-text('near copy')")
    page.select_option("#split", "train")
    copies = [f for f in store.flagged("near_copy") if f.row % 5 < 3]
    assert seen.count() == len(copies)
    page.reload()
    seen.ready()
    assert seen.count() == len(copies)
    seen.press("Space")
    page.wait_for_selector("#preview .findings")
    assert page.locator("#preview figure").count() == 2
    assert "suggests: drop" in seen.text("#preview .facts")
    page.click("#preview [data-do=drop]")
    seen.saved()
    first = min(copies, key=lambda f: f.row)
    assert [(d["row"], d["action"]) for d in served.lines()] == [(first.row, "drop")]
    seen.press("Space")
    assert page.locator("#preview").is_hidden()
    page.click("#clear")
    page.fill("#search", f"#{places['broken']}")
    seen.until("document.getElementById('count').textContent === '1 image'")
    seen.until("document.querySelector('.tile img').naturalWidth > 0")
    page.fill("#search", "nothing has this name")
    page.wait_for_selector("#empty:not([hidden])")
    assert "No image matches" in seen.text("#empty")
    page.click("#empty button")
    page.fill("#min", "0.99")
    seen.until("document.getElementById('count').textContent.startsWith('2')")
    seen.press("Escape", "?")
    assert page.locator("#help").is_visible()
    assert page.evaluate("document.activeElement.id") == "help-close"


def test_no_page_focuses_at_load() -> None:
    """The script focuses the grid; `autofocus` races with it and Chromium then logs a message."""
    pages = list(Path(pyojeong.__file__).parent.glob("**/*.html"))
    assert len(pages) >= 2
    assert [p.name for p in pages if "autofocus" in p.read_text(encoding="utf-8")] == []


def test_conflicts_are_seen_and_settled(store: Store, serve: Serve, visit: See) -> None:
    rows = [f.row for f in store.flagged("no_face")][:3]
    served = serve(store)
    seen = visit(served.url, "#check=no_face&state=all&sort=row")
    seen.press("d", "d", "d")
    seen.saved()
    ben = DecisionLog(store, "ben")
    said = [("keep", ""), ("relabel", "happy"), ("drop", "")]
    ben.add(
        Decision(row=r, action=a, label=n, reviewer="ben")
        for r, (a, n) in zip(rows, said, strict=True)
    )
    seen.page.wait_for_selector("#tile-0[data-state=conflict]", timeout=8000)
    assert "anna drop" in seen.text("#tile-0")
    assert "ben keep" in seen.text("#tile-0")
    seen.page.click("#states button:has-text('Conflicts')")
    assert seen.count() == 2
    seen.press("k", "d")
    seen.saved()
    assert [d["final"] for d in served.lines()] == [False] * 3 + [True] * 2
    standing, conflicts = merged(store)
    assert not conflicts
    assert [standing[r].action for r in rows] == ["keep", "drop", "drop"]


def watch(file: Path, seen: list[float], stop: threading.Event) -> None:
    """Note when lines come into a file, as another process would see them."""
    known = file.read_bytes().count(b"\n")
    while not stop.is_set():
        now = file.read_bytes().count(b"\n")
        seen.extend([time.time()] * (now - known))
        known = now
        time.sleep(0.003)


def test_a_decision_is_on_disk_within_a_tenth_of_a_second(
    store: Store, serve: Serve, visit: See
) -> None:
    served = serve(store)
    seen = visit(served.url, "#state=all")
    seen.page.evaluate(
        "() => { window.pressed = []; addEventListener('keydown', (e) => "
        "pressed.push(performance.timeOrigin + e.timeStamp), true); }"
    )
    written: list[float] = []
    stop = threading.Event()
    reader = threading.Thread(target=watch, args=(served.ledger, written, stop))
    reader.start()
    for key in "kdk5kdkd2k" * 2:
        seen.press(key)
        seen.page.wait_for_timeout(100)
    seen.saved()
    time.sleep(0.1)
    stop.set()
    reader.join()
    pressed = seen.page.evaluate("pressed")
    assert len(written) == len(pressed) == 20
    late = sorted(1000 * w - p for w, p in zip(written, pressed, strict=True))
    sys.stdout.write(
        f"\nkey to disk: median {late[10]:.0f} ms, worst {late[-1]:.0f} ms, "
        f"at {crowding():.1f} programs a core\n"
    )
    assert late[10] < 100 * crowding()
    assert late[0] >= 0


def test_a_decision_outlives_a_server_that_is_away(
    store: Store, serve: Serve, browser: Browser
) -> None:
    served = serve(store)
    seen = Visit(browser, served.url, "#state=all")
    served.stop()
    seen.press("d", "k")
    seen.page.wait_for_selector("#banner:not([hidden])")
    assert "Not saved yet" in seen.text("#banner")
    assert seen.page.locator("#tile-0").get_attribute("data-state") == "saving"
    serve(store, port=int(served.root.rsplit(":", 1)[1]))
    seen.page.wait_for_selector("#banner", state="hidden", timeout=15000)
    seen.saved()
    assert [d["action"] for d in served.lines()] == ["drop", "keep"]
    assert seen.outside == []
    assert all("ERR_" in c or "Failed" in c for c in seen.errors)  # the browser's own
    seen.context.close()


def test_without_findings_all_pictures_are_there(
    build_store: Callable[..., Store], tmp_path: Path, serve: Serve, visit: See
) -> None:
    store = build_store(tmp_path, 60, findings=False)
    served = serve(store)
    seen = visit(served.url)
    assert seen.count() == 60
    assert "pyojeong data curate" in seen.text("#no-findings")
    seen.page.select_option("#class", "sad")
    assert seen.count() == 8
    seen.press("d")
    seen.saved()
    assert served.lines()[0]["check"] == ""
