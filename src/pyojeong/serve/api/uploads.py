"""Bodies of requests, read in parts within limits of bytes, time and memory.

Files come as ``multipart/form-data`` in the field ``file``. Images stay in memory, clips go to disk
as they come; no temporary files are made besides.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pyojeong.serve.api.errors import CLOSE, ApiError, ClientGone, busy
from pyojeong.serve.api.settings import ServerSettings

FIELD = "file"
"""Name of the field that files come in."""
_LONGEST_NAME = 255
_HOW = f"send multipart/form-data with the field {FIELD}, as `curl -F {FIELD}=@photo.jpg` does"


class BufferBudget:
    """Counts the bytes of all bodies in memory, and refuses what is too much.

    Args:
        most: Bytes at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    def take(self, count: int) -> None:
        """Reserve bytes.

        Raises:
            ApiError: 429, when there is no room.
        """
        if self.held + count > self._most:
            raise busy("the server holds as many bytes of requests as it may; try again")
        self.held += count

    def give(self, count: int) -> None:
        """Free bytes."""
        self.held -= count


class Body:
    """The body of a request, in parts.

    Args:
        request: The request.
        settings: Limits of time.
        most: Largest body in bytes.
        seconds: It must have come after so long; None = as the settings say for images.

    Raises:
        ApiError: 413, when the stated length is larger; 400, when it is no number.
    """

    def __init__(
        self,
        request: Request,
        settings: ServerSettings,
        *,
        most: int,
        seconds: float | None = None,
    ) -> None:
        self._receive = request.receive
        self._seconds = settings.body_seconds if seconds is None else seconds
        self._idle_seconds = settings.idle_seconds
        self._most = most
        stated = request.headers.get("content-length", "0")
        if not (stated.isascii() and stated.isdigit()):
            raise ApiError(400, "Content-Length is no number", headers=CLOSE)
        if len(stated) > 15 or int(stated) > most:
            raise self._too_large()

    def _too_large(self) -> ApiError:
        words = f"the request has more than the limit of {self._most:,} bytes"
        return ApiError(413, words, reason="bytes", headers=CLOSE)

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            ApiError: 413 when it is too large, 408 when it comes too slowly.
            ClientGone: When the connection was closed.
        """
        until = time.monotonic() + self._seconds
        size, more = 0, True
        while more:
            left = min(until - time.monotonic(), self._idle_seconds)
            try:
                async with asyncio.timeout(max(left, 0)):
                    message = await self._receive()
            except TimeoutError:
                words = (
                    f"the request came too slowly: the limit is {self._seconds:g} s, and "
                    f"{self._idle_seconds:g} s without a byte"
                )
                raise ApiError(408, words, reason="slow", headers=CLOSE) from None
            if message["type"] == "http.disconnect":
                raise ClientGone
            data = message.get("body", b"")
            size += len(data)
            if size > self._most:
                raise self._too_large()
            if data:
                yield data
            more = message.get("more_body", False)


@dataclass(slots=True)
class Upload:
    """A file of a request.

    Attributes:
        name: As the client called it; "" = it has no name.
        size: Bytes so far.
        data: The bytes, where they are kept in memory.
    """

    name: str
    size: int = 0
    data: bytearray = field(default_factory=bytearray)


class _FormParser:
    """Turns a multipart body into uploads.

    Args:
        content_type: The header.
        most_files: Further ones are refused.
        target: Gets the bytes; None = they are kept in memory.
    """

    def __init__(self, content_type: str, *, most_files: int, target: IO[bytes] | None) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            came = content_type.partition(";")[0][:60] or "none"
            raise ApiError(415, f"the content type is {came}: {_HOW}", headers=CLOSE)
        self.uploads: list[Upload] = []
        self._most = most_files
        self._target = target
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._ended = False
        with _explained():
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._take_name,
                    "on_header_value": self._take_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_file,
                    "on_part_data": self._take_data,
                    "on_end": self._end,
                },
            )

    def write(self, data: bytes) -> None:
        """Take the next part of the body."""
        with _explained():
            self._parser.write(data)

    def finish(self) -> list[Upload]:
        """Return the files of a whole body.

        Raises:
            ApiError: 400, when it breaks off; 422, when it holds no file.
        """
        if not self._ended:
            raise ApiError(400, f"the form breaks off: {_HOW}")
        if not self.uploads:
            raise ApiError(422, f"there is no file: {_HOW}")
        return self.uploads

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _begin_file(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name != FIELD:
            raise ApiError(422, f"unknown field {name[:40]!r}: {_HOW}", headers=CLOSE)
        if len(self.uploads) >= self._most:
            words = f"the request has more than the limit of {self._most} files"
            raise ApiError(413, words, reason="files", headers=CLOSE)
        given = options.get(b"filename", b"").decode("utf-8", "replace")
        self.uploads.append(Upload(given[-_LONGEST_NAME:]))

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        upload = self.uploads[-1]
        upload.size += end - start
        if self._target is not None:
            self._target.write(data[start:end])
        else:
            upload.data += data[start:end]

    def _end(self) -> None:
        self._ended = True


@contextmanager
def _explained() -> Iterator[None]:
    """Turn errors of the parser into one line."""
    try:
        yield
    except FormParserError:
        raise ApiError(400, f"the form is damaged: {_HOW}", headers=CLOSE) from None


async def read_images(
    request: Request, settings: ServerSettings, budget: BufferBudget
) -> tuple[list[Upload], int]:
    """Return the images of a request, in memory, and the bytes that the budget holds for them.

    The caller frees them; on an error they are free already.

    Raises:
        ApiError: When the request is refused.
        ClientGone: When the connection was closed.
    """
    body = Body(request, settings, most=settings.max_bytes)
    kind = request.headers.get("content-type", "")
    parser = _FormParser(kind, most_files=settings.max_files, target=None)
    held = 0
    try:
        async for part in body.parts():
            budget.take(len(part))
            held += len(part)
            parser.write(part)
        return parser.finish(), held
    except BaseException:
        budget.give(held)
        raise


async def read_clip(request: Request, settings: ServerSettings, target: IO[bytes]) -> Upload:
    """Write the clip of a request to a file; returns its name and size.

    Raises:
        ApiError: When the request is refused.
        ClientGone: When the connection was closed.
        OSError: When the disk is full.
    """
    most, seconds = settings.max_video_bytes, settings.video_body_seconds
    body = Body(request, settings, most=most, seconds=seconds)
    kind = request.headers.get("content-type", "")
    parser = _FormParser(kind, most_files=1, target=target)
    async for part in body.parts():
        parser.write(part)
    return parser.finish()[0]


async def read_whole(request: Request, settings: ServerSettings, budget: BufferBudget) -> bytes:
    """Return a body as it is; the budget holds its bytes no longer than it takes to come.

    Raises:
        ApiError: When the request is refused.
        ClientGone: When the connection was closed.
    """
    parts: list[bytes] = []
    held = 0
    try:
        async for part in Body(request, settings, most=settings.max_bytes).parts():
            budget.take(len(part))
            held += len(part)
            parts.append(part)
        return b"".join(parts)
    finally:
        budget.give(held)
