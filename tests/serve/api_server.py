"""A server of ``pyojeong serve`` in a thread, on a free port, and pictures to send."""

import io
import socket
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import uvicorn
from PIL import Image

import pyojeong
from pyojeong.cli.serving import bind
from pyojeong.serve.api.app import create_api_app
from pyojeong.serve.api.http_protocol import limited_protocol
from pyojeong.serve.api.settings import ServerSettings

PICTURES = Path(pyojeong.__file__).parent / "pictures"
PHOTO = (PICTURES / "astronaut.jpg").read_bytes()


def picture(width=64, height=64, kind="PNG", **options):
    """An encoded image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (90, 90, 90)).save(file, kind, **options)
    return file.getvalue()


def face_on(width, height, kind="JPEG", **options):
    """The photograph in another size or format."""
    file = io.BytesIO()
    Image.open(io.BytesIO(PHOTO)).resize((width, height)).save(file, kind, **options)
    return file.getvalue()


def raw_rgb(width, height):
    image = Image.open(io.BytesIO(PHOTO)).convert("RGB").resize((width, height))
    return np.asarray(image).tobytes()


class ApiServer:
    """The application behind a real server."""

    def __init__(self, analyzer, root, *, read_seconds=30.0, **settings):
        self.settings = ServerSettings(**settings)
        analyzers = analyzer if isinstance(analyzer, list) else [analyzer]
        self.app = create_api_app(analyzers, self.settings, root=root)
        self.bound = bind("127.0.0.1", 0)
        self.port = self.bound.getsockname()[1]
        config = uvicorn.Config(
            self.app,
            log_level="critical",
            log_config=None,
            server_header=False,
            lifespan="on",
            http=limited_protocol(
                most=self.settings.max_connections,
                head_seconds=self.settings.idle_seconds,
                read_seconds=read_seconds,
            ),
            ws="auto",
            ws_max_size=self.settings.max_bytes + 8,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.bound]}, daemon=True
        )
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.thread.start()
        until = time.monotonic() + 30
        while not self.server.started:
            assert time.monotonic() < until
            assert self.thread.is_alive()
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(20)
        self.bound.close()
        assert not self.thread.is_alive()

    def get(self, path, **options):
        return httpx.get(self.url + path, timeout=60, **options)

    def post(self, path, *files, **options):
        """Send files: bytes, or (name, bytes)."""
        named = [f if isinstance(f, tuple) else (f"photo-{i}.jpg", f) for i, f in enumerate(files)]
        form = [("file", pair) for pair in named]
        return httpx.post(self.url + path, files=form or None, timeout=60, **options)

    def raw(self, *parts, timeout=30):
        """Send bytes as they are, and return the whole response."""
        with socket.create_connection(("127.0.0.1", self.port), timeout) as connection:
            for part in parts:
                connection.sendall(part)
            answer = b""
            while b"\r\n\r\n" not in answer or len(answer) < _length(answer):
                data = connection.recv(65536)
                if not data:
                    break
                answer += data
        return answer

    def metric(self, name):
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no metric {name}")


def _length(answer):
    head, _, _ = answer.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(head) + 4 + int(line.partition(b":")[2])
    return 0
