"""``WS /v1/stream``: frames in, results out; people are followed, scores smoothed.

Each binary message is one frame: a head of eight bytes, little-endian, then the image.

======  ======  =====================================================================
bytes   type    what
======  ======  =====================================================================
0-3     uint32  the frame's id, which its result names
4-5     uint16  width of raw pixels; 0 = the image is encoded (JPEG, PNG, WebP)
6-7     uint16  height of raw pixels; 0 = the same
8-              encoded bytes; or rows of RGB (3 bytes a pixel) or RGBA (4) pixels
======  ======  =====================================================================

Each result is a text message, JSON: ``{"id", "result", "age_ms", "dropped"}``, or ``{"id",
"error"}`` for a frame that could not be read. Only the newest frame waits: one that comes before
the last one was begun takes its place, and is counted in ``dropped``.
"""

import asyncio
import json
import struct
import time
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, WebSocket, WebSocketDisconnect

from pyojeong.core.errors import BadArray, InputError, ModelUnknown, one_line
from pyojeong.core.face import FrameResult, Image
from pyojeong.image.files import decode_image
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.api.errors import ApiError, busy
from pyojeong.serve.api.middleware import PROTOCOL, refuse_stream
from pyojeong.serve.api.state import ServerState
from pyojeong.stream.live import LiveReader, Moment, PixelFrame

HEAD = struct.Struct("<IHH")
SOURCE = "stream"
_POLICY_VIOLATION, _TOO_BIG, _NORMAL = 1008, 1009, 1000


@dataclass(frozen=True, slots=True)
class SentFrame:
    """A frame as it came.

    Attributes:
        id: As the client called it.
        data: The whole message.
        came_s: ``time.monotonic()`` when it was there.
    """

    id: int
    data: bytes
    came_s: float

    def pixels(self, max_pixels: int) -> Image:
        """Return uint8 (H, W, 3) RGB.

        Raises:
            ImageUnreadable: When encoded bytes could not be decoded, or are too large.
            BadArray: When raw pixels are fewer or more than the head says.
        """
        _, width, height = HEAD.unpack_from(self.data)
        if not width and not height:
            data = self.data[HEAD.size :]
            return decode_image(data, name="frame", max_pixels=max_pixels, notes=[])
        raw = np.frombuffer(self.data, np.uint8, offset=HEAD.size)
        for channels in (3, 4):
            if width * height > 0 and raw.size == width * height * channels:
                image = raw.reshape(height, width, channels)[..., :3]
                return np.ascontiguousarray(image)
        raise BadArray(
            "frame",
            expected=f"{width} x {height} pixels of 3 or 4 bytes",
            got=f"{raw.size:,} bytes",
        )


class _Newest:
    """Holds the newest frame only."""

    def __init__(self) -> None:
        self._frame: SentFrame | None = None
        self._there = asyncio.Event()
        self.dropped = 0

    def put(self, frame: SentFrame) -> bool:
        """Take a frame; returns whether an older one was dropped for it."""
        full = self._frame is not None
        self.dropped += full
        self._frame = frame
        self._there.set()
        return full

    async def get(self) -> SentFrame:
        """Wait for a frame and take it out."""
        await self._there.wait()
        self._there.clear()
        frame, self._frame = self._frame, None
        assert frame is not None  # noqa: S101 - it was there
        return frame


class _Stream:
    """One connection.

    Args:
        socket: Accepted.
        state: Of the server.
        analyzer: Reads frames.
        tau_s: Time constant of the smoothing.
    """

    def __init__(
        self, socket: WebSocket, state: ServerState, analyzer: Analyzer, tau_s: float
    ) -> None:
        self._socket = socket
        self._state = state
        self._reader = LiveReader(analyzer, SOURCE, tau_s=tau_s)
        self._newest = _Newest()
        self._started_s = time.monotonic()

    async def run(self) -> None:
        """Answer frames until the client goes, or sends something else."""
        answering = asyncio.create_task(self._answer())
        receiving = asyncio.create_task(self._receive())
        try:
            await asyncio.wait({answering, receiving}, return_when=asyncio.FIRST_COMPLETED)
            for task in (receiving, answering):
                if task.done():
                    task.result()
        except (WebSocketDisconnect, TimeoutError):
            pass
        finally:
            for task in (answering, receiving):
                task.cancel()
            await asyncio.gather(answering, receiving, return_exceptions=True)

    async def _receive(self) -> None:
        frames = self._state.metrics.frames
        while True:
            try:
                async with asyncio.timeout(self._state.settings.idle_seconds):
                    message = await self._socket.receive()
            except TimeoutError:
                await self._close(_NORMAL, "no frame came for too long")
                return
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            if data is None or len(data) <= HEAD.size:
                await self._close(
                    _POLICY_VIOLATION, "expected binary messages: id, width, height, then the image"
                )
                return
            frame = SentFrame(HEAD.unpack_from(data)[0], data, time.monotonic())
            if self._newest.put(frame):
                frames.labels("dropped").inc()

    async def _close(self, code: int, reason: str) -> None:
        await self._socket.close(code, reason)

    async def _answer(self) -> None:
        frames = self._state.metrics.frames
        while True:
            frame = await self._newest.get()
            try:
                result = await self._state.queue.run(self._read, frame)
            except InputError as error:
                frames.labels("failed").inc()
                await self._send({"id": frame.id, "error": one_line(error)})
                continue
            age_ms = 1000 * (time.monotonic() - frame.came_s)
            line = {"id": frame.id, "result": result.to_dict(), "age_ms": round(age_ms, 1)}
            await self._send({**line, "dropped": self._newest.dropped})
            frames.labels("answered").inc()

    def _read(self, frame: SentFrame) -> FrameResult:
        pixels = frame.pixels(self._state.settings.max_pixels)
        time_s = frame.came_s - self._started_s
        moment = Moment(frame.id, time_s, frame.came_s, PixelFrame(pixels))
        return self._reader.read(moment)[1]

    async def _send(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        async with asyncio.timeout(self._state.settings.idle_seconds):  # somebody must read it
            await self._socket.send_text(text)


def add_stream_route(app: FastAPI, state: ServerState) -> None:
    """Add the route to an application."""

    @app.websocket("/v1/stream")
    async def stream(
        socket: WebSocket,
        model: Annotated[str, Query(max_length=200)] = "",
        smooth_s: Annotated[float, Query(gt=0, le=60, allow_inf_nan=False)] = 0.25,
    ) -> None:
        """Read frames as they come; see the description of this module."""
        try:
            analyzer = state.models.find(model)
            if state.streams >= state.settings.max_streams:
                raise busy(f"{state.streams} streams are open, which is the limit; try again")
        except ModelUnknown as error:
            refusal = ApiError(404, one_line(error))
            await refuse_stream(socket.receive, socket.send, refusal)
            return
        except ApiError as error:
            await refuse_stream(socket.receive, socket.send, error)
            return
        state.streams += 1
        state.metrics.streams.inc()
        try:
            # A browser that offers subprotocols closes the connection unless one is taken.
            offered = [name for name in socket.scope.get("subprotocols", ()) if name]
            own = [name for name in offered if not name.startswith(PROTOCOL)]
            await socket.accept(subprotocol=next(iter(own or offered), None))
            await _Stream(socket, state, analyzer, smooth_s).run()
        finally:
            state.streams -= 1
            state.metrics.streams.dec()
