"""uvicorn's HTTP protocol with limits that it lacks: connections, heads, responses nobody reads.

A connection that sends no whole head of a request would stay open for ever, one that sends an
endless head would fill the memory, and so would one that reads no response.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 65_536
"""Most bytes of a request beside its body: head, trailers, marks of chunks."""
_CHUNKS = 8
"""A byte of a body may come with so many bytes of marks of chunks."""


def refusal(status: str, words: str) -> bytes:
    """Return a whole response that closes the connection."""
    body = json.dumps({"error": words}).encode()
    head = (
        f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\n"
        "cache-control: no-store\r\nx-content-type-options: nosniff\r\nretry-after: 1\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


BUSY = refusal("429 Too Many Requests", "the server has as many connections as it may; try again")
LONG = refusal("431 Request Header Fields Too Large", f"the head has more than {MOST_HEAD} bytes")
DAMAGED = refusal("400 Bad Request", "this is no HTTP/1.1 request")


class LimitedProtocol(HttpToolsProtocol):
    """One connection; see ``limited_protocol``."""

    most = 1000
    head_seconds = 10.0
    read_seconds = 30.0

    _beside_body = 0
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or refuse it."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._refuse(BUSY)
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take bytes; too many beside bodies end the connection."""
        if self.parser is None or self.transport.is_closing():
            return
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > MOST_HEAD and not self.transport.is_closing():
            if self._is_idle():
                self._refuse(LONG)
            else:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._beside_body = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._beside_body = max(self._beside_body - _CHUNKS * len(body), 0)
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP request; ``msg`` is uvicorn's text."""
        del msg
        self._refuse(DAMAGED)

    def pause_writing(self) -> None:
        """Wait for the client to read, for a limited time."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.read_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _refuse(self, response: bytes) -> None:
        self.transport.write(response)
        self.transport.close()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        self.loop.call_later(self.head_seconds, self._check, self.cycle)

    def _check(self, before: object) -> None:
        """Close a connection that had no request since the last check."""
        transport: asyncio.Transport = self.transport
        if transport.is_closing() or transport.get_protocol() is not self:  # a WebSocket now
            return
        if self._is_idle() and self.cycle is before:
            transport.close()
        else:
            self._watch()


def limited_protocol(
    *, most: int, head_seconds: float, read_seconds: float = 30.0
) -> type[HttpToolsProtocol]:
    """Return a protocol class for uvicorn's ``http`` option.

    Args:
        most: Connections at once; further ones get 429.
        head_seconds: The head of a request must have come after so long.
        read_seconds: A client that reads nothing of a response for so long is cut off.
    """
    limits = {"most": most, "head_seconds": head_seconds, "read_seconds": read_seconds}
    return type("LimitedProtocol", (LimitedProtocol,), limits)
