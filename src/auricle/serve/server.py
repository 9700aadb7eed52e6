"""Running the application: uvicorn, with a limit on how long a client may take over the head of a request."""

import asyncio
import gc
import socket
from contextlib import suppress

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

KEEP_ALIVE = 15  # seconds a connection stays open between two requests
FAREWELL = 3  # seconds that open answers get when the server stops
CONNECTIONS = 1024  # at most
HEAD_BYTES = 32_768  # of a request line with its headers, at most


def run(app: FastAPI, bound: socket.socket) -> None:
    """Serves ``app`` on a listening socket until the process is told to stop (Ctrl-C, SIGTERM)."""
    gc.freeze()  # the garbage collector need not go through all modules again and again
    with suppress(KeyboardInterrupt):  # raised again by uvicorn after it has stopped in good order
        server_of(app).run([bound])


def server_of(app: FastAPI) -> uvicorn.Server:
    """The server of ``app``, not yet running."""
    seconds = app.state.context.limits.head

    class Protocol(ImpatientProtocol):
        head_seconds = seconds

    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        loop="asyncio",
        log_level="warning",
        access_log=False,  # addresses may hold the token
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=FAREWELL,
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    return uvicorn.Server(config)


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that hangs up on clients that open a connection and do not say what they want.

    uvicorn itself waits for the head of a request as long as bytes trickle in.
    """

    head_seconds = 10.0
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget_head()

    def _expect_head(self) -> None:
        """Starts the clock when a head is due, stops it when it is there."""
        if self.conn.their_state is not h11.IDLE:
            self._forget_head()
        elif self._head is None:
            self._head = self.loop.call_later(self.head_seconds, self._hang_up)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _hang_up(self) -> None:
        self._head = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()
