"""A front of the API server that refuses some requests itself, or answers them late.

Everything else, watches too, is passed on to the real one as the same user. Knows nothing of what
the requests are about.
"""

import asyncio
import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

HOST = "127.0.0.1"
FORWARDED = ("Accept", "Content-Type", "User-Agent")


@dataclass
class Fault:
    """What happens to requests that it matches, so many times.

    request: a pattern for ``METHOD /path?query``. status: refuse with it; 0 passes the request on.
    reason: of the Status. within: as an event of a watch that has begun. late: seconds between
    the answer of the API server and the one that is given.
    """

    request: str
    status: int = 0
    reason: str = ""
    retry_after: int = 0
    within: bool = False
    late: float = 0.0
    times: int = 1_000_000
    hits: int = field(default=0, init=False)


class Seen(NamedTuple):
    """A request. at: monotonic seconds of its arrival; status: what it was refused with, or 0."""

    at: float
    request: str
    status: int


class Faults:
    """Use as a context manager. seen: every request, in order."""

    def __init__(self, plane: ControlPlane, kubeconfig: Path, folder: Path) -> None:
        self.seen: list[Seen] = []
        self.kubeconfig = folder / "by-way-of-faults.kubeconfig"
        self._faults: list[Fault] = []
        self._url = plane.url
        config = json.loads(kubeconfig.read_text())
        identity = config["users"][0]["user"]
        self._tls = ssl.create_default_context(cafile=plane.ca_file)
        self._tls.load_cert_chain(identity["client-certificate"], identity["client-key"])
        self._config = config
        self._stop: Callable[[], object] = bool
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(self._ready.is_set, 10, "the front of the API server")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        self._thread.join()

    def inject(self, *faults: Fault) -> None:
        """From now on these, and no others."""
        self.seen.clear()
        self._faults = list(faults)

    def matching(self, pattern: str) -> list[Seen]:
        """The requests since `inject` that match."""
        return [one for one in self.seen if re.search(pattern, one.request)]

    async def _serve(self) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await runner.setup()
        connector = TCPConnector(ssl=self._tls, limit=0)
        async with ClientSession(connector=connector, timeout=ClientTimeout()) as self._session:
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            port = runner.addresses[0][1]
            self._config["clusters"][0]["cluster"] = {"server": f"http://{HOST}:{port}"}
            self.kubeconfig.write_text(json.dumps(self._config))
            self._ready.set()
            await stopped.wait()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        text = f"{request.method} {request.path_qs}"
        fault = self._pick(text)
        self.seen.append(Seen(time.monotonic(), text, fault.status if fault else 0))
        if fault and fault.status:
            return _refusal(fault)
        return await self._pass_on(request, fault.late if fault else 0.0)

    def _pick(self, text: str) -> Fault | None:
        for fault in self._faults:
            if fault.hits < fault.times and re.search(fault.request, text):
                fault.hits += 1
                return fault
        return None

    async def _pass_on(self, request: web.Request, late: float) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        async with self._session.request(
            request.method,
            f"{self._url}{request.path_qs}",
            headers=headers,
            data=await request.read(),
        ) as answer:
            await asyncio.sleep(late)
            response = web.StreamResponse(status=answer.status)
            response.content_type = answer.content_type
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            return response


def _refusal(fault: Fault) -> web.Response:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": fault.status,
        "reason": fault.reason,
        "message": "injected",
    }
    if fault.within:
        return web.json_response({"type": "ERROR", "object": status})
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
    return web.json_response(status, status=fault.status, headers=headers)
