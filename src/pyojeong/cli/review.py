"""``pyojeong data review``: a page on this machine where a person decides on the findings."""

import getpass
import os
import re
import secrets
import socket
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from pyojeong.core.errors import DataError, MissingExtra, OutputError
from pyojeong.curate.decisions import RULE
from pyojeong.curate.findings import Store


def review(
    manifest: Path,
    console: Console,
    *,
    store: Path | None,
    reviewer: str | None,
    port: int,
    host: str,
    open_page: bool,
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

    Raises:
        MissingExtra: When FastAPI or uvicorn is not installed.
        DataError: When findings or decisions are another manifest's, or a name cannot be used.
        OutputError: When the port is taken.
    """
    try:
        import uvicorn

        from pyojeong.curate.review.app import create_app
    except ModuleNotFoundError as error:
        raise MissingExtra("the review page", "serve") from error
    from pyojeong.curate.review.desk import Desk
    from pyojeong.curate.review.index import ReviewIndex

    name = own_name() if reviewer is None else reviewer
    if name == RULE:
        raise DataError(f"reviewer {RULE!r}: accepted suggestions have that name, choose another")
    kept = Store.beside(manifest) if store is None else Store(store, manifest)
    desk = Desk(ReviewIndex(kept), name)
    token = secrets.token_urlsafe(24)
    app = create_app(desk, token=token, host=host)
    bound = bind(host, port)
    url = f"http://{address(host, bound.getsockname()[1])}/?token={token}"
    announce(url, host, desk.ledger.file, console)
    if open_page and has_screen():
        threading.Timer(0.5, webbrowser.open, [url]).start()
    before = len(desk.ledger.read())
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    serve(uvicorn.Server(config), bound)
    lines = len(desk.ledger.read()) - before
    console.print(f"{lines:,} lines added to {escape(str(desk.ledger.file))}", soft_wrap=True)


def announce(url: str, host: str, ledger: Path, console: Console) -> None:
    """Say where the page is and where decisions go."""
    from pyojeong.curate.review.guard import LOOPBACK

    console.print(f"decisions go to [bold]{escape(str(ledger))}[/]; Ctrl-C ends", soft_wrap=True)
    if host not in LOOPBACK:
        console.print(
            "[yellow]Unencrypted, and open to the network:[/] who has the address with its token "
            "sees the pictures and decides."
        )
    typer.echo(url)
    sys.stdout.flush()


def serve(server: Any, bound: socket.socket) -> None:
    """Run uvicorn; Ctrl-C is how it ends."""
    try:
        server.run(sockets=[bound])
    except KeyboardInterrupt:
        pass
    finally:
        bound.close()


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to host and port.

    Raises:
        OutputError: When that cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay of 40 ms off only where the protocol is named
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        reason = getattr(error, "strerror", None) or error
        words = f"cannot serve on {host} port {port}: {reason}; --port 0 finds a free one"
        raise OutputError(words) from None
    return bound


def address(host: str, port: int) -> str:
    """What stands between ``http://`` and the path."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    return f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"


def own_name() -> str:
    """The user's name as a reviewer's, ``"reviewer"`` where there is none."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "reviewer"
    name = re.sub(r"[^\w.-]", "-", name).lstrip("-._")[:40]
    return "reviewer" if name in {"", RULE} else name


def has_screen() -> bool:
    """False on a machine without a display, where a text browser would take the terminal."""
    if sys.platform in {"win32", "darwin"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
