"""A TCP relay in front of the API server that can be cut, or fall silent like a lost network.

Knows nothing of what it relays.
"""

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PIECE = 64 * 1024


class Middlebox:
    """Listens on a port of its own on loopback and relays to `target`, from the start.

    `accepted` counts the connections that were made to it, whatever became of them.
    """

    def __init__(self, target: int) -> None:
        self.accepted = 0
        self._target = target
        self._open: set[socket.socket] = set()
        self._flowing = threading.Event()
        self._flowing.set()
        self._cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # close() alone does not wake the thread in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flowing.set()
        self.cut()

    def cut(self) -> None:
        """Close every connection, and every new one at once."""
        self._cut = True
        self.drop()

    def drop(self) -> None:
        """Close every connection there is."""
        for one in tuple(self._open):
            _hang_up(one)

    def silence(self) -> None:
        """Keep every connection open, new ones too, and pass nothing on."""
        self._flowing.clear()

    def relay(self) -> None:
        """Be a network again."""
        self._cut = False
        self._flowing.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            self.accepted += 1
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client:
            self._flowing.wait()
            if self._cut:
                return
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
                self._open |= {client, server}
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server)
                back.join()
                self._open -= {client, server}

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                self._flowing.wait()
                sink.sendall(piece)
        _hang_up(sink)
        _hang_up(source)


def _hang_up(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def by_way_of(middlebox: Middlebox, kubeconfig: Path, path: Path) -> Path:
    """The same kubeconfig with the middlebox for an API server, written to `path`."""
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{middlebox.port}"
    path.write_text(json.dumps(config))
    return path
