"""The same server as `netreeve serve`, with a handler that decides nothing: what the server costs.

Listener, protocol, limits, TLS and garbage collection are Netreeve's own. The handler reads the
uid and allows.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
import uvloop
from opentelemetry.sdk.resources import Resource
from starlette.types import Receive, Scope, Send

from policies.model import CREATE, Request
from webhook.admission import review
from webhook.admission.verdict import ALLOWED
from webhook.server.limits import Limits
from webhook.server.listen import bind, bound, parse
from webhook.server.listener import Listener
from webhook.server.protocol import Guard
from webhook.server.run import settle
from webhook.server.tls import CertificateHolder
from webhook.telemetry.lines import LineWriter
from webhook.telemetry.logs import Log
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.telemetry import Telemetry


class _Request(msgspec.Struct):
    uid: str


class _Review(msgspec.Struct):
    request: _Request


_decode = msgspec.json.Decoder(_Review).decode
_REQUEST = Request(operation=CREATE, group="", resource="")


def recorder(log: BinaryIO) -> Telemetry:
    """Telemetry as `netreeve serve` has it without a collector for spans."""
    return Telemetry(Metrics(Resource({})), Log(LineWriter(log)))


async def handler(scope: Scope, receive: Receive, send: Send) -> None:
    """Allow whatever comes, as an ASGI application."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        body += message["body"]
        more = message["more_body"]
    answer = review.encode(_decode(body).request.uid, _REQUEST, ALLOWED)
    length = b"%d" % len(answer)
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def serve(listen: str, certs: Path) -> None:
    """Listen until the process is ended; print where."""
    telemetry = recorder(sys.stderr.buffer)
    certificate = CertificateHolder(certs, telemetry, lambda: datetime.now(UTC))
    certificate.load()
    listener = Listener(handler, Guard(Limits(), telemetry), tls=certificate.listening())
    with bind(parse(listen)) as sock:
        print(f"listening on https://{bound(sock)}", flush=True)
        await asyncio.gather(listener.serve([sock]), settle(lambda: True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bare", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("certs", type=Path, help="the folder of tls.crt and tls.key")
    options = parser.parse_args()
    uvloop.run(serve(options.listen, options.certs))


if __name__ == "__main__":
    main()
