"""``pyojeong serve``: an HTTP server on this machine, or with a token on the network."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from pyojeong.cli.console import as_markup
from pyojeong.cli.serving import address, bind, serve, warn_of_network
from pyojeong.cli.streams import echo
from pyojeong.core.errors import InputError, MissingExtra
from pyojeong.page.build import build_page, has_ort
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.security import is_loopback

SWITCH_S = 0.0005
"""Threads hand over so often: the event loop would wait five milliseconds for a busy one."""
GRACE_S = 10
"""Requests that are in work get so long when the server stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeRequest:
    """The options of ``pyojeong serve``; see its help.

    Attributes:
        models: Ids or paths, the default first.
        analyzer: Options of every analyzer.
        limits: Fields of ``ServerSettings``.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token_file: Path | None = None
    models: list[str] = field(default_factory=lambda: ["default"])
    analyzer: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    log_requests: bool = True


def run(request: ServeRequest, console: Console) -> int:
    """Serve until Ctrl-C or SIGTERM; prints the address to stdout when it is ready.

    Raises:
        MissingExtra: When a package of the extra ``serve`` is not installed.
        InputError: When the host is not loopback and there is no token, or an option is wrong.
        ModelError: When a model could not be loaded.
        OutputError: When the port is taken.
    """
    try:
        import pyojeong.serve.api.app  # noqa: F401 - all that the extra brings
        from pyojeong.serve.api.settings import ServerSettings, read_token
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the server (package {error.name})", "serve") from error
    if not is_loopback(request.host) and request.token_file is None:
        raise InputError(
            f"--host {request.host} opens the server to the network: add --token-file FILE, whose "
            "token each request must carry (openssl rand -hex 24 > FILE)"
        )
    token = "" if request.token_file is None else read_token(request.token_file)
    with _page_of(request) as page:
        settings = ServerSettings(
            host=request.host, token=token, **{**request.limits, "page": page}
        )
        return _serve(request, settings, console)


def _serve(request: ServeRequest, settings: Any, console: Console) -> int:
    from pyojeong.serve.api.app import create_api_app
    from pyojeong.serve.api.http_protocol import limited_protocol
    from pyojeong.serve.api.request_log import log_to_stderr

    bound = bind(request.host, request.port)
    try:
        analyzers = [Analyzer(name, **request.analyzer) for name in dict.fromkeys(request.models)]
        app = create_api_app(_distinct(analyzers), settings)
    except BaseException:
        bound.close()
        raise
    url = f"http://{address(request.host, bound.getsockname()[1])}"
    _say_limits(settings, console)
    warn_of_network(request.host, "use this server", console)
    echo(url)
    sys.stdout.flush()
    log_to_stderr(requests=request.log_requests)
    sys.setswitchinterval(SWITCH_S)
    serve(
        app,
        bound,
        http=limited_protocol(most=settings.max_connections, head_seconds=settings.idle_seconds),
        lifespan="on",
        log_config=None,
        timeout_graceful_shutdown=GRACE_S,
        ws="auto",
        ws_max_size=settings.max_bytes + 8,
        ws_per_message_deflate=False,
        proxy_headers=False,
    )
    console.print("stopped; clips and their results are deleted")
    return 0


@contextmanager
def _page_of(request: ServeRequest) -> Iterator[Path | None]:
    """Give the folder of the page at ``/``: the named one, or one of the default model."""
    named = request.limits.get("page")
    if named is not None or not has_ort():
        yield named
        return
    with TemporaryDirectory() as folder:
        yield build_page(Path(folder) / "page", packed=False)


def _distinct(analyzers: list[Analyzer]) -> list[Analyzer]:
    """Return each model once: several names may mean the same."""
    return list({analyzer.classifier.card.id: analyzer for analyzer in analyzers}.values())


def _say_limits(settings: Any, console: Console) -> None:
    who = "every request carries the token" if settings.token else "no token: this machine only"
    videos = (
        f"clips of up to {settings.max_video_seconds:g} s, results deleted after "
        f"{settings.keep_seconds / 60:g} minutes"
        if settings.max_videos
        else "no clips"
    )
    console.print(
        as_markup(
            f"{who}; images of up to {settings.max_bytes / 1e6:g} MB and "
            f"{settings.max_pixels / 1e6:g} megapixels, {videos}; nothing else is stored; /docs "
            "describes it; Ctrl-C ends"
        ),
        soft_wrap=True,
    )
