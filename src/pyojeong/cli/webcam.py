"""``pyojeong webcam``: a local page with the live image."""

import secrets
import sys
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pyojeong.cli.console import as_markup
from pyojeong.cli.serving import address, bind, has_screen, serve, warn_of_network
from pyojeong.cli.streams import echo
from pyojeong.cli.video import NOTICE
from pyojeong.core.errors import MissingExtra
from pyojeong.core.output_files import require_writable
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.lsl import MARKERS, NAME, LslOutlets, load_pylsl
from pyojeong.stream.live import Camera


@dataclass(frozen=True, slots=True, kw_only=True)
class WebcamRequest:
    """The options of ``pyojeong webcam``; see its help."""

    source: str = "0"
    record: Path | None = None
    eyes: bool = True
    measures: tuple[str, ...] = ()
    lsl: bool = False
    boxes: bool = True
    smooth: float = 0.25
    loop: bool = False
    size_wh: tuple[int, int] = (640, 480)
    rate: int = 30
    detector: str = "auto"
    model: str = "default"
    device: str = "auto"
    port: int = 0
    host: str = "127.0.0.1"
    open_page: bool = True
    prior: str | None = None
    labels: str | None = None
    threshold: float | None = None
    lang: str = "en"


def run(request: WebcamRequest, console: Console) -> int:
    """Serve the page until Ctrl-C; prints its address to stdout.

    Raises:
        MissingExtra: When FastAPI, uvicorn or PyAV is not installed; with ``lsl`` also pylsl.
        VideoUnreadable: When there is no such camera, it is taken, the clip is missing, or nothing
            answers at the address.
        OutputError: When the port is taken, or LSL has none left.
    """
    try:
        from pyojeong.serve.live_app import create_live_app
        from pyojeong.serve.live_session import LiveSession
    except ModuleNotFoundError as error:
        raise MissingExtra("the live page", "webcam") from error
    if request.lsl:
        load_pylsl()  # what is missing is said before the camera's light goes on
    camera = Camera(request.source, size_wh=request.size_wh, rate=request.rate, loop=request.loop)
    if request.loop and camera.kind != "clip":
        console.print(f"[yellow]note[/] --loop is for clips; this is a {camera.kind}")
    analyzer = _make_analyzer(request)
    if request.record is not None:
        require_writable(request.record)
    token = secrets.token_urlsafe(24)
    bound = bind(request.host, request.port)
    url = f"http://{address(request.host, bound.getsockname()[1])}/?token={token}"
    console.print(f"[dim]{NOTICE}[/]", soft_wrap=True)
    kept = "nothing is stored"
    if request.record is not None:
        kept = f"results are stored in {request.record} while the page says REC"
    console.print(f"{as_markup(kept)}; Ctrl-C ends", soft_wrap=True)
    power = "see the camera" + ("" if request.record is None else ", begin and end recordings")
    warn_of_network(request.host, power, console)
    outlets = _open_streams(analyzer, camera, console) if request.lsl else None
    echo(url)
    sys.stdout.flush()
    with LiveSession(
        camera,
        analyzer,
        record=request.record,
        tau_s=request.smooth,
        boxes=request.boxes,
        lang=request.lang,
        outlets=outlets,
    ) as session:
        app = create_live_app(session, token=token, host=request.host)
        if request.open_page and has_screen():
            threading.Timer(0.5, webbrowser.open, [url]).start()
        serve(app, bound)
        pace, failure = session.pace, session.error
    console.print(
        f"{pace.fps:.0f} frames/s, {pace.latency_ms:.0f} ms latency, "
        f"{pace.dropped_frames:,} frames dropped"
    )
    if failure:
        console.print(f"[yellow]{as_markup(failure)}[/]", soft_wrap=True)
    return 1 if failure else 0


def _make_analyzer(request: WebcamRequest) -> Analyzer:
    return Analyzer(
        request.model,
        detector=request.detector,
        threads=1,
        device=request.device,
        eyes=request.eyes,
        action_units="action_units" in request.measures,
        blendshapes="blendshapes" in request.measures,
        prior=request.prior,
        labels=request.labels,
        threshold=request.threshold,
    )


def _open_streams(analyzer: Analyzer, camera: Camera, console: Console) -> LslOutlets:
    """Offer LSL streams; says that everybody on the network may read them."""
    outlets = LslOutlets(analyzer, camera.name)
    console.print(
        f"LSL streams {NAME} ({len(outlets.channels)} channels) and {MARKERS}. "
        "[yellow]Unencrypted, and open to the network:[/] any program on it can read them; "
        "lsl_api.cfg and a firewall limit that.",
        soft_wrap=True,
    )
    return outlets
