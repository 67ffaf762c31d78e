"""A webhook server that allows everything and remembers by which path a dry run called it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.controlplane.certs import Authority


class _Server(ThreadingHTTPServer):
    request_queue_size = 256  # the API server calls all webhooks of a configuration at once


class Recorder:
    """Listens on loopback; `called` holds the last part of the path of every call."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        pair = authority.server("recorder", ["127.0.0.1"])
        self.authority = authority.pair.cert.read_bytes()
        self.called: set[str] = set()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        # The handshake is then the work of the connection's own thread.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        called = self.called

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if review["request"].get("dryRun"):  # controllers write for themselves
                    called.add(self.path.partition("?")[0].rpartition("/")[2])
                self._answer({**review, "response": {
                    "uid": review["request"]["uid"], "allowed": True}})  # fmt: skip

            def _answer(self, review: dict[str, Any]) -> None:
                body = json.dumps(review).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        return Handler

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
