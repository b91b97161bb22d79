"""uvicorn's HTTP protocol with limits that it lacks: of connections, and of time for heads.

A connection that sends no whole head of a request would stay open for ever.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_BUSY = b'{"error":"the server has as many connections as it may; try again"}'
REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-type: application/json\r\nx-content-type-options: nosniff\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_BUSY), _BUSY)
)


def limited_protocol(*, most: int, head_seconds: float) -> type[HttpToolsProtocol]:
    """Return a protocol class for uvicorn's ``http`` option.

    Args:
        most: Connections at once; further ones get 429.
        head_seconds: The head of a request must have come after so long.
    """

    class LimitedProtocol(HttpToolsProtocol):
        """One connection."""

        def connection_made(self, transport: Any) -> None:
            """Take a connection, or refuse it."""
            super().connection_made(transport)
            if len(self.connections) > most:
                transport.write(REFUSAL)
                transport.close()
                return
            self._watch()

        def _watch(self) -> None:
            self.loop.call_later(head_seconds, self._check, self.cycle)

        def _check(self, before: object) -> None:
            """Close a connection that had no request since the last check."""
            transport: asyncio.Transport = self.transport
            if transport.is_closing() or transport.get_protocol() is not self:  # a WebSocket now
                return
            idle = self.cycle is None or self.cycle.response_complete
            if idle and self.cycle is before:
                transport.close()
            else:
                self._watch()

    return LimitedProtocol
