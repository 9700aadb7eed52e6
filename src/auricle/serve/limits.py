"""What a server takes on at most, and the middleware that holds clients to it before anything of theirs is kept."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auricle.errors import AuricleError
from auricle.serve.errors import RefusalError, answer, refuse

log = logging.getLogger(__name__)

MIB = 2**20
FORM = MIB // 2  # bytes around the file in a form
LINGER = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. Sizes in bytes, times in seconds."""

    body: int = MIB  # of a request, unless it uploads sound
    upload: int = 50 * MIB
    upload_seconds: float = 600.0  # of sound in an upload
    upload_channels: int = 32
    uploads_kept: int = 32  # heard uploads that can still be searched with …
    upload_age: float = 3600.0  # … and for how long
    excerpt_seconds: float = 600.0  # of sound in one excerpt
    requests: int = 256  # answered at once, event streams aside
    uploads: int = 4  # received at once
    streams: int = 32  # event streams open at once
    wait: float = 60.0  # from request to answer
    body_grace: float = 10.0  # for the first bytes of a body …
    body_rate: float = 16_384.0  # … and bytes a second it must come in with, on average
    stall: float = 120.0  # a client may leave an answer unread
    head: float = 10.0  # for the first line and the headers of a request


class Bounds:
    """ASGI middleware: how many requests at once, how large their bodies, how slow their senders and readers."""

    def __init__(self, app: ASGIApp, limits: Limits):
        self.app, self.limits = app, limits
        self.active = {"requests": 0, "uploads": 0, "streams": 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        lane = _lane(scope)
        if self.active[lane] >= getattr(self.limits, lane):
            busy = RefusalError(503, "The server has as much to do as it takes on", "Try again in a moment")
            await refuse(busy, scope, receive, send)
            return
        self.active[lane] += 1
        try:
            await self._bounded(lane, scope, receive, send)
        finally:
            self.active[lane] -= 1

    async def _bounded(self, lane: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive, self.limits.upload + FORM if lane == "uploads" else self.limits.body, self.limits)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            if body.too_large and message["type"] == "http.response.body":
                message = {**message, "more_body": True}
            async with asyncio.timeout(self.limits.stall):
                await send(message)

        try:
            await self.app(scope, body.receive, sending)
        except Exception as error:
            if not started:
                if not isinstance(error, RefusalError):
                    log.exception("%s %s", scope["method"], scope["path"])
                await answer(error)(scope, receive, sending)
            elif isinstance(error, AuricleError):  # a recording that is damaged in its middle
                log.warning("%s %s: %s", scope["method"], scope["path"], error)
            elif not isinstance(error, TimeoutError):  # a reader that stalled
                raise
        if body.too_large:
            await body.drain()
            await send({"type": "http.response.body"})


class _Body:
    """The body of one request: counted while it comes in, whatever its Content-Length says."""

    def __init__(self, receive: Receive, most: int, limits: Limits):
        self._receive, self.most, self.limits = receive, most, limits
        self.began = time.monotonic()
        self.count, self.whole, self.too_large = 0, False, False

    async def receive(self) -> Message:
        """The next message; once the body is whole, waits for the client to leave as long as it takes.

        Raises:
            RefusalError: the body is too large or comes in too slowly.
        """
        if self.whole:
            return await self._receive()
        due = self.began + self.limits.body_grace + self.count / self.limits.body_rate
        try:
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise RefusalError(
                408, "The request came in too slowly", "Send it again over a better connection"
            ) from None
        self.count += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self.count > self.most:
            self.too_large = True
            size = f"{self.most // MIB} MiB"
            raise RefusalError(413, f"The request is larger than {size}", "Send less at once, or a shorter excerpt")
        return message

    async def drain(self) -> None:
        """Reads and drops the rest, for a moment: a connection closed on a client that still sends loses its answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while not self.whole:
                    self.whole = not (await self._receive()).get("more_body", False)


def _lane(scope: Scope) -> str:
    """Which of the limits on requests at once a request counts for."""
    if scope["path"].endswith("/uploads") and scope["method"] == "POST":
        return "uploads"
    return "streams" if scope["path"].endswith("/events") and "/jobs/" in scope["path"] else "requests"
