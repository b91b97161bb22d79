"""``pyojeong data review``: a page on this machine where a person decides on the findings."""

import getpass
import re
import secrets
import sys
import threading
import webbrowser
from pathlib import Path

from rich.console import Console

from pyojeong.cli.console import as_markup
from pyojeong.cli.serving import address, bind, has_screen, serve, warn_of_network
from pyojeong.cli.streams import echo
from pyojeong.core.errors import DataError, MissingExtra
from pyojeong.curate.decisions import RULE
from pyojeong.curate.findings import Store


def review(  # noqa: PLR0913 - options, all but two keyword-only
    manifest: Path,
    console: Console,
    *,
    store: Path | None,
    reviewer: str | None,
    port: int,
    host: str,
    open_page: bool,
    lang: str = "en",
) -> None:
    """Serve the page until Ctrl-C; prints its address to stdout.

    Args:
        manifest: The ``.parquet`` file.
        console: For people.
        store: Folder of findings and decisions; None is the usual one beside the manifest.
        reviewer: Under whose name decisions are written; None is the user's name.
        port: 0 takes a free one.
        host: Address to bind.
        open_page: Open a browser.
        lang: Language of the page.

    Raises:
        MissingExtra: When FastAPI or uvicorn is not installed.
        DataError: When findings or decisions are another manifest's, or a name could not be used.
        OutputError: When the port is taken.
    """
    try:
        from pyojeong.curate.review.app import create_app
    except ModuleNotFoundError as error:
        raise MissingExtra("the review page", "serve") from error
    from pyojeong.curate.review.index import ReviewIndex
    from pyojeong.curate.review.session import ReviewSession

    name = own_name() if reviewer is None else reviewer
    if name == RULE:
        raise DataError(f"reviewer {RULE!r}: accepted suggestions have that name, choose another")
    kept = Store.beside(manifest) if store is None else Store(store, manifest)
    session = ReviewSession(ReviewIndex(kept, lang=lang), name)
    token = secrets.token_urlsafe(24)
    app = create_app(session, token=token, host=host)
    bound = bind(host, port)
    url = f"http://{address(host, bound.getsockname()[1])}/?token={token}"
    announce(url, host, session.ledger.file, console)
    if open_page and has_screen():
        threading.Timer(0.5, webbrowser.open, [url]).start()
    before = len(session.ledger.read())
    serve(app, bound)
    lines = len(session.ledger.read()) - before
    console.print(f"{lines:,} lines added to {as_markup(session.ledger.file)}", soft_wrap=True)


def announce(url: str, host: str, ledger: Path, console: Console) -> None:
    """Say where the page is and where decisions go."""
    console.print(f"decisions go to [bold]{as_markup(ledger)}[/]; Ctrl-C ends", soft_wrap=True)
    warn_of_network(host, "see the images and save decisions", console)
    echo(url)
    sys.stdout.flush()


def own_name() -> str:
    """Return the user's name as a reviewer's, ``"reviewer"`` where there is none."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "reviewer"
    name = re.sub(r"[^\w.-]", "-", name).lstrip("-._")[:40]
    return "reviewer" if name in {"", RULE} else name
