"""Local pages: a socket, an address, a quiet server, and whether there is a screen for them."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from pyojeong.core.errors import MissingExtra, OutputError


def serve(app: Any, bound: socket.socket, **options: Any) -> None:
    """Serve an ASGI application until Ctrl-C, without a word of its own.

    Args:
        app: The application.
        bound: Listens.
        **options: Of uvicorn's configuration, in place of those of a page.

    Raises:
        MissingExtra: When uvicorn is not installed.
    """
    try:
        import uvicorn
    except ModuleNotFoundError as error:
        bound.close()
        raise MissingExtra("a local page", "serve") from error
    known = {
        "log_level": "warning",
        "access_log": False,
        "lifespan": "off",
        "ws": "none",
        "server_header": False,
        "timeout_graceful_shutdown": 2,
    }
    config = uvicorn.Config(app, **{**known, **options})
    server = uvicorn.Server(config)
    try:
        with _ended_by_signals(server):
            server.run(sockets=[bound])
    except KeyboardInterrupt:
        pass
    finally:
        bound.close()


@contextmanager
def _ended_by_signals(server: Any) -> Iterator[None]:
    """End the server where SIGTERM or SIGHUP would end the process.

    uvicorn ends at SIGTERM too, and sends the signal again afterwards: recordings and logs would
    stay open. A terminal that is closed sends SIGHUP.
    """
    if threading.current_thread() is not threading.main_thread():  # no signal arrives there
        yield
        return

    def end(*_: object) -> None:
        server.should_exit = True

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on host and port.

    It listens before the address is printed: a script that connects as soon as it has read the
    address waits for the server instead of being refused.

    Raises:
        OutputError: When the port is taken or the host is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay of 40 ms off only where the protocol is named
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen()
    except (OSError, OverflowError) as error:
        bound.close()
        reason = getattr(error, "strerror", None) or error
        words = f"cannot serve on {host} port {port}: {reason}; --port 0 finds a free one"
        raise OutputError(words) from None
    return bound


def address(host: str, port: int) -> str:
    """Return the part of the URL between ``http://`` and the path."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    return f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"


def warn_of_network(host: str, power: str, console: Console) -> None:
    """Say what others can do, when a page is reachable from other machines.

    Args:
        host: What the server is bound to.
        power: What whoever has the address and its token can do.
        console: Where to say it.
    """
    from pyojeong.serve.security import is_loopback

    if not is_loopback(host):
        console.print(
            "[yellow]Unencrypted, and open to the network:[/] anyone with this "
            f"address and its token can {power}."
        )


def has_screen() -> bool:
    """Return false on a machine without a display, where a text browser would take the terminal."""
    if sys.platform in {"win32", "darwin"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
