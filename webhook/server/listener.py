"""A uvicorn server on a socket of ours, with guarded connections and bounded TLS handshakes."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from webhook.server.accept import Acceptor
from webhook.server.protocol import Guard, GuardedProtocol, Rank


class Listener(uvicorn.Server):
    """Serves ``app``; tls: None for plain HTTP. Set ``should_exit`` to end `serve`.

    under_way: filled with the tasks of requests that are not yet answered.
    """

    def __init__(
        self,
        app: ASGIApp,
        guard: Guard,
        *,
        tls: ssl.SSLContext | None = None,
        under_way: set[asyncio.Task[None]] | None = None,
    ) -> None:
        limits = guard.limits
        super().__init__(
            uvicorn.Config(
                app,
                http=GuardedProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=math.ceil(limits.idle),
                timeout_graceful_shutdown=math.ceil(limits.receive) + 1,
            )
        )
        self.guard = guard
        self.servers = []
        self._tls = tls
        self._acceptors: list[Acceptor] = []
        if under_way is not None:
            self.server_state.tasks = under_way

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the program, which has two of us."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As the base class does it, but with the time-outs that it has no setting for."""
        options: dict[str, Any] = {}
        if self._tls is not None:
            limits = self.guard.limits
            options["ssl"] = self._tls
            options["ssl_handshake_timeout"] = limits.handshake
            options["ssl_shutdown_timeout"] = limits.shutdown
        self._acceptors = [
            Acceptor(sock, self.guard, self._connection, **options) for sock in sockets or []
        ]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As the base class does it, which knows no acceptors."""
        self.refuse_connections()
        await super().shutdown()

    @property
    def in_use(self) -> bool:
        """Whether a peer may be about to send: it has been answered, and its connection kept."""
        waiting = self.guard.waiting
        return bool(self.guard.answering or waiting[Rank.IDLE] or waiting[Rank.RECEIVING])

    def refuse_connections(self) -> None:
        """Listen no more; the connections that there are go on."""
        for one in self._acceptors:
            one.close()

    def _connection(self) -> GuardedProtocol:
        return GuardedProtocol(self.config, self.server_state, self.guard)
