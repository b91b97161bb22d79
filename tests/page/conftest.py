"""The built page on a local file server, and Chromium.

Both end with the module: Playwright allows one running instance in a process.
"""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from pyojeong.page.build import build_page

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_page(tmp_path_factory.mktemp("page") / "site")


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    """The page's address."""
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("the page is tested in Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(headless=True, executable_path=path, args=ARGS)
        yield browser
        browser.close()


class Visit:
    """The opened page, what it asked for elsewhere, and what it complained of."""

    def __init__(self, browser: Browser, url: str, **options: object) -> None:
        self.context = browser.new_context(**options)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(120_000)
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.context.route("**/*", self._local_only)
        self.page.on("console", lambda m: self.errors.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.goto(url)
        self.page.wait_for_selector("body[data-ready]")

    def _local_only(self, route: Route) -> None:
        if route.request.url.startswith(("http://127.0.0.1:", "blob:")):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def open(self, *files: Path) -> None:
        self.page.set_input_files("#files", [str(f) for f in files])

    def state(self) -> str:
        return self.page.inner_text("#state")

    def until(self, words: str) -> None:
        """Wait until the status line holds these words."""
        self.page.locator("#state", has_text=words).wait_for()

    def saved(self, button: str) -> bytes:
        with self.page.expect_download() as download:
            self.page.click(button)
        return Path(download.value.path()).read_bytes()

    def close(self) -> None:
        self.context.close()
        assert self.outside == []
        assert self.errors == []


@pytest.fixture
def visit(browser: Browser, served: str) -> Iterator[object]:
    visits: list[Visit] = []

    def start(query: str = "?lang=en", **options: object) -> Visit:
        visits.append(Visit(browser, served + query, **options))
        return visits[-1]

    yield start
    for one in visits:
        one.close()


@pytest.fixture(scope="module")
def modules(browser: Browser, served: str) -> Iterator[Page]:
    """A page in which scripts of the site can be imported and called."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(served)
    page.wait_for_selector("body[data-ready]")
    yield page
    context.close()
