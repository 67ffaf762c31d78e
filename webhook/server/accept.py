"""Takes connections from a listening socket, and counts them from their first packet on.

asyncio shows a connection to its protocol when the TLS handshake is over. Whoever never begins one
would be counted nowhere, and could take every file descriptor and all memory with idle sockets. So
they are taken here, one by one, and one that is still shaking hands makes room like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

from webhook.server.protocol import Guard, GuardedProtocol

EXHAUSTED_SECONDS = 0.05
"""Before another attempt when the system has no descriptor left, or no memory for one."""

log = logging.getLogger(__name__)


class Acceptor:
    """Runs from its creation until `close`, on the running loop.

    options: of `loop.connect_accepted_socket`: TLS, and the time-outs of its handshakes.
    """

    def __init__(
        self,
        listening: socket.socket,
        guard: Guard,
        make: Callable[[], GuardedProtocol],
        **options: Any,
    ) -> None:
        self._listening, self._guard, self._make, self._options = listening, guard, make, options
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        listening.setblocking(False)
        self._accepting = self._loop.create_task(self._accept())

    def close(self) -> None:
        """Take no more, and close the socket; what was taken goes on."""
        self._accepting.cancel()

    async def _accept(self) -> None:
        with self._listening:
            while True:
                if taken := await self._taken():
                    task = self._loop.create_task(self._open(taken))
                    self._opening.add(task)
                    task.add_done_callback(self._opening.discard)
                await asyncio.sleep(0)  # however many wait, others get their turn

    async def _taken(self) -> socket.socket | None:
        """The next connection; None when there was no room for one."""
        try:
            return (await self._loop.sock_accept(self._listening))[0]
        except ConnectionAbortedError:  # the peer has gone meanwhile
            return None
        except OSError as error:
            log.warning("no connection can be taken: %s", error.strerror)
            self._guard.make_room()
            await asyncio.sleep(EXHAUSTED_SECONDS)
            return None

    async def _open(self, taken: socket.socket) -> None:
        protocol = self._make()
        if not self._guard.admit(protocol, taken):
            taken.close()
            return
        try:
            # Whatever a peer does wrong in its handshake is nobody else's concern.
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
                await self._loop.connect_accepted_socket(lambda: protocol, taken, **self._options)
        finally:
            if protocol.taken is not None:
                self._guard.remove(protocol)
                taken.close()
